//! Cuts the list of core types off after the last one that the engine looks up.
//!
//! A load registers every type of a program with the engine, and keeps it there. But at run time,
//! only some types are looked up: those of functions that can be referred to, of the functions
//! between components and host, and of calls through tables. [`crate::order`] puts these first, so
//! the others are at the end. Types keep their numbers, because the code contains them.
//!
//! The engine gives the type of a module's own startup function, which has no parameters and no
//! results, a number after all others. An equal type in front takes its place: the engine registers
//! equal types once.
//!
//! Source: `wasmtime` 48, `runtime/type_registry.rs` (`register_module_types`) and
//! `runtime/component/component.rs` (`from_parts`); `wasmtime-environ` 48, `module_types.rs`.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};
use wasmtime_environ::collections::TrySecondaryMap;
use wasmtime_environ::packed_option::PackedOption;
use wasmtime_environ::{
    EngineOrModuleTypeIndex, EntityRef as _, Module, ModuleInternedTypeIndex, ModuleStartup,
    ModuleTypes, TypeIndex, TypeTrace as _, WasmSubType,
};

use super::convert;
use crate::ValidComponent;
use crate::wasm::modules::core_modules;
use crate::wasm::order::types::{OTHER_USES, compared};

/// The types that the calls through tables of each core module compare, by their numbers in the
/// module.
pub(super) struct Compared(Vec<BTreeSet<u32>>);

impl Compared {
    /// Reads the program. `None` if it may use types in other ways.
    pub(super) fn of(program: &ValidComponent) -> Option<Self> {
        if program.features().intersects(OTHER_USES) {
            return None;
        }
        let modules = core_modules(program).into_iter().map(|module| {
            let mut bodies = Vec::new();
            for payload in Parser::new(0).parse_all(module) {
                if let Payload::CodeSectionEntry(body) = payload.ok()? {
                    bodies.push(body);
                }
            }
            compared(&bodies)
        });
        modules.collect::<Option<_>>().map(Self)
    }

    /// The engine's numbers of the types that a module's calls through tables compare. `number` is
    /// that of the module. For a module that the engine added, all of its types.
    pub(super) fn in_module(&self, number: usize, module: &Module) -> BTreeSet<u32> {
        let engines = |ty: EngineOrModuleTypeIndex| match ty {
            EngineOrModuleTypeIndex::Module(ty) => Some(ty.as_u32()),
            _ => None,
        };
        let all = || module.types.values().copied().filter_map(engines);
        match self.0.get(number) {
            None => all().collect(),
            Some(compared) => {
                let types = compared.iter().map(|ty| {
                    let ty = module.types.get(TypeIndex::from_u32(*ty));
                    ty.copied().and_then(engines)
                });
                // A type that is not there means that the module is another one.
                let types: Option<BTreeSet<u32>> = types.collect();
                types.unwrap_or_else(|| all().collect())
            }
        }
    }
}

/// The engine's type `ModuleTypes`, whose fields are private.
#[derive(Serialize, Deserialize)]
pub(super) struct CoreTypes {
    groups: Vec<Range<ModuleInternedTypeIndex>>,
    types: Vec<WasmSubType>,
    trampolines: TrySecondaryMap<ModuleInternedTypeIndex, PackedOption<ModuleInternedTypeIndex>>,
}

/// Adds the types that a module refers to, apart from that of its startup function.
pub(super) fn in_module(module: &Module, looked_up: &mut BTreeSet<u32>) {
    let startup = startup(module);
    let mut all = |ty: EngineOrModuleTypeIndex| -> Result<(), Infallible> {
        if let EngineOrModuleTypeIndex::Module(ty) = ty
            && Some(ty) != startup
        {
            looked_up.insert(ty.as_u32());
        }
        Ok(())
    };
    let Ok(()) = module.trace(&mut all);
}

/// The type of a module's startup function.
fn startup(module: &Module) -> Option<ModuleInternedTypeIndex> {
    match module.startup {
        ModuleStartup::Always(EngineOrModuleTypeIndex::Module(ty))
        | ModuleStartup::IfMemoriesNeedInit(EngineOrModuleTypeIndex::Module(ty)) => Some(ty),
        _ => None,
    }
}

fn set_startup(module: &mut Module, new: ModuleInternedTypeIndex) {
    if let ModuleStartup::Always(ty) | ModuleStartup::IfMemoriesNeedInit(ty) = &mut module.startup {
        *ty = EngineOrModuleTypeIndex::Module(new);
    }
}

/// Cuts the types after the last one that is looked up. Changes the types of startup functions.
pub(super) fn cut(
    types: &ModuleTypes,
    mut looked_up: BTreeSet<u32>,
    modules: &mut [&mut Module],
) -> Result<ModuleTypes, postcard::Error> {
    let mut core: CoreTypes = convert(types)?;
    for module in &mut *modules {
        let Some(startup) = startup(module) else {
            continue;
        };
        let ty = core.types.get(startup.index());
        let first = core.types.iter().position(|it| Some(it) == ty);
        // The first of all equal types may be looked up anyway.
        let first = first.map_or(startup, ModuleInternedTypeIndex::new);
        set_startup(module, first);
        looked_up.insert(first.as_u32());
    }
    for ty in looked_up.clone() {
        let trampoline = core.trampolines.get(ModuleInternedTypeIndex::from_u32(ty));
        let trampoline = trampoline.and_then(|it| it.expand());
        looked_up.extend(trampoline.map(ModuleInternedTypeIndex::as_u32));
    }
    let kept = looked_up.last().map_or(0, |last| *last as usize + 1);
    // Each type is its own group, unless the program uses types in other ways.
    if core.groups.len() == core.types.len() {
        core.groups.truncate(kept);
        core.types.truncate(kept);
        let mut trampolines = TrySecondaryMap::new();
        for index in (0..kept).map(ModuleInternedTypeIndex::new) {
            if let Some(Some(ty)) = core.trampolines.get(index).map(|it| it.expand()) {
                // It fails only without memory, and then the check afterwards does.
                let _ = trampolines.insert(index, Some(ty).into());
            }
        }
        core.trampolines = trampolines;
    }
    convert(&core)
}

/// Restores the types of startup functions. Whether the new types are the first of the old ones,
/// and the startup functions have equal types.
pub(super) fn restore(
    (old, old_modules): (&ModuleTypes, &[&mut Module]),
    (new, new_modules): (&ModuleTypes, &mut [&mut Module]),
) -> Result<bool, postcard::Error> {
    let (old, new): (CoreTypes, CoreTypes) = (convert(old)?, convert(new)?);
    let kept = new.types.len();
    let trampolines = |core: &CoreTypes| -> Vec<Option<ModuleInternedTypeIndex>> {
        let kept = (0..kept).map(ModuleInternedTypeIndex::new);
        kept.map(|it| core.trampolines.get(it).and_then(|it| it.expand()))
            .collect()
    };
    let mut same = old.types.get(..kept) == Some(&new.types)
        && old.groups.get(..new.groups.len()) == Some(&new.groups)
        && (new.groups.len() == kept || new.groups.len() == old.groups.len())
        && trampolines(&old) == trampolines(&new);
    for (old_module, new_module) in old_modules.iter().zip(new_modules) {
        let (was, is) = (startup(old_module), startup(new_module));
        let ty = |index: Option<ModuleInternedTypeIndex>| old.types.get(index?.index());
        same &= was.is_some() == is.is_some() && ty(was) == ty(is);
        same &= is.is_none_or(|is| is.index() < kept);
        if let Some(was) = was {
            set_startup(new_module, was);
        }
    }
    Ok(same)
}

#[cfg(test)]
mod tests {
    use wasmtime_environ::component::ComponentArtifacts;

    use crate::image::metadata::{self, decode};
    use crate::{EngineProfile, Image, NativeImage, ValidComponent, order, precompile, validate};

    /// An image of the edge profile, trimmed.
    fn trimmed(program: &ValidComponent) -> NativeImage {
        let target = edgec_targets::find("x86_64").unwrap();
        let mut image = precompile(program, target, EngineProfile::Edge).unwrap();
        image.strip().unwrap();
        image.trim(program).unwrap();
        image
    }

    fn number_of_types(image: &NativeImage) -> usize {
        let image = Image::parse(image.bytes()).unwrap();
        let section = image.section(metadata::SECTION).unwrap();
        let artifacts: ComponentArtifacts = decode(section).unwrap();
        artifacts.types.module_types().wasm_types().len()
    }

    /// Functions of several types. `$e` and `$c` escape, `$i` is compared.
    const TEXT: &str = r#"(component
        (import "host" (func $host (param "x" u32)))
        (core func $lowered (canon lower (func $host)))
        (core module $m
            (type $a (func (param i64) (result i64)))
            (type $b (func (param i64 i64) (result i64)))
            (type $i (func (param f32)))
            (type $e (func (result i32)))
            (type $none (func))
            (import "host" "f" (func $f (param i32)))
            (memory 1)
            (data (i32.const 8) "data")
            (table 2 funcref)
            (elem (i32.const 0) $in_table)
            (func $direct (type $a) (call $other (local.get 0) (i64.const 1)))
            (func $other (type $b) (i64.add (local.get 0) (local.get 1)))
            (func $in_table (param f64) (drop (call $direct (i64.const 1))))
            (func (export "run") (type $e)
                (call $f (i32.const 1))
                (call_indirect (type $i) (f32.const 1) (i32.const 0))
                (i32.const 0)))
        (core instance $i (instantiate $m
            (with "host" (instance (export "f" (func $lowered))))))
        (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;

    #[test]
    fn types_that_nothing_looks_up_go() {
        let program = validate(wat::parse_str(TEXT).unwrap()).unwrap();
        let ordered = order(program.clone());
        assert_ne!(program.bytes(), ordered.bytes());
        // Those of `$f`, `$in_table`, `run`, the startup function and the call through the table.
        assert_eq!(number_of_types(&trimmed(&ordered)), 5);
        // In another order, only what follows the last one goes.
        assert!(number_of_types(&trimmed(&program)) > 5);
        assert_eq!(order(ordered.clone()).bytes(), ordered.bytes());
    }
}
