//! Removes the parts of the engine's metadata that no load, instantiation or call reads.
//!
//! Two thirds of the time of a load is spent on decoding `.wasmtime.info`, and most of that on one
//! entry for each function. The engine looks up a function's type and place when it makes a
//! reference to the function. It makes references only to functions that *escape*; calls inside a
//! module were linked when it was compiled. [`crate::order`] puts the functions that escape first.
//! So this stage removes the entries after the last function that escapes. For the other functions,
//! it removes the source places and the names.
//!
//! The remaining readers, all in `wasmtime` 48, are affected like this (`docs/edge.md` has the
//! list). If a host forces backtraces although they are off, it sees fewer frames. Profilers see
//! fewer functions. `Module::functions` returns the functions that are kept. None of them fails.

mod artifacts;
mod core_types;
mod functions;
mod names;
mod types;

use std::collections::{BTreeSet, HashMap};

use postcard::{from_bytes, to_allocvec};
use serde::{Deserialize, Serialize};
use wasmtime_environ::component::ComponentArtifacts;
use wasmtime_environ::{
    CompiledFunctionsTable, CompiledModuleInfo, DefinedFuncIndex, EntityRef as _, FuncKey,
    FuncKeyKind, FuncKeyNamespace, FunctionType, Module,
};

use self::artifacts::Artifacts;
use self::core_types::Compared;
pub(crate) use self::functions::{Table, moved};
use crate::image::metadata::{self, ModuleArtifacts, decode};
use crate::{EngineProfile, Image, ImageError, NativeImage, ProgramKind, ValidComponent};

const NAMES: &str = ".name.wasm";

/// Why an image cannot be trimmed. Each reason is a defect, of this crate or of the compiler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrimError {
    /// The image cannot be read or written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine of this version would write the metadata differently.
    #[error("the engine's metadata: {0}")]
    Metadata(#[from] postcard::Error),
    /// The result would not match the input.
    #[error("trimmed metadata differs: {0}")]
    Differs(&'static str),
}

impl NativeImage {
    /// Removes the parts of an image of the `edge` profile that its hosts do not read. Other images
    /// stay unchanged. Call this after the image was stripped. `program` is the program from which
    /// the image was compiled.
    ///
    /// # Errors
    ///
    /// [`TrimError`].
    pub fn trim(&mut self, program: &ValidComponent) -> Result<(), TrimError> {
        if self.profile() == EngineProfile::Edge {
            self.bytes = trim(&self.bytes, program)?;
        }
        Ok(())
    }
}

fn trim(image: &[u8], program: &ValidComponent) -> Result<Vec<u8>, TrimError> {
    let mut image = Image::parse(image)?;
    let before = image.section(metadata::SECTION).unwrap_or_default();
    let after = match program.kind() {
        ProgramKind::Component => trimmed::<ComponentArtifacts>(before, program)?,
        ProgramKind::Module => trimmed::<ModuleArtifacts>(before, program)?,
    };
    image.replace(metadata::SECTION, after)?;
    image.drop_section(NAMES);
    Ok(image.write()?)
}

fn trimmed<A: Artifacts>(metadata: &[u8], program: &ValidComponent) -> Result<Vec<u8>, TrimError> {
    let mut artifacts: A = decode(metadata)?;
    let compared = Compared::of(program);
    let mut looked_up = BTreeSet::new();
    let (table, modules) = artifacts.parts();
    let mut rows: Table = convert(table)?;
    for (number, info) in modules.into_iter().enumerate() {
        if let Some(compared) = &compared {
            looked_up.append(&mut compared.in_module(number, &info.module));
        }
        let kept = kept(&info.module);
        let mut functions: Vec<FunctionType> = convert(&info.module.functions)?;
        functions.truncate(info.module.num_imported_funcs.saturating_add(kept));
        info.module.functions = convert(&functions)?;
        info.func_names = Vec::new();
        // Only the compiler reads these types. At run time, types have other numbers.
        info.module.types = Default::default();
        core_types::in_module(&info.module, &mut looked_up);
        rows.cut(defined_functions(&info.module), kept)?;
    }
    *table = convert(&rows)?;
    artifacts.trim_component()?;
    if compared.is_some() {
        artifacts.cut_types(looked_up)?;
    }
    let trimmed = to_allocvec(&artifacts)?;
    check::<A>(metadata, &trimmed)?;
    Ok(trimmed)
}

/// How many of a module's defined functions are kept: up to the last one that escapes.
fn kept(module: &Module) -> usize {
    let mut escaping = module
        .functions
        .iter()
        .filter(|(_, function)| function.is_escaping());
    let last = escaping
        .next_back()
        .map_or(0, |(index, _)| index.index() + 1);
    last.saturating_sub(module.num_imported_funcs)
}

fn defined_functions(module: &Module) -> FuncKeyNamespace {
    FuncKey::DefinedWasmFunction(module.module_index, DefinedFuncIndex::new(0)).namespace()
}

/// Converts a value to another type with the same encoding.
pub(crate) fn convert<T: for<'a> Deserialize<'a>>(
    value: &impl Serialize,
) -> Result<T, postcard::Error> {
    from_bytes(&to_allocvec(value)?)
}

/// Compares the trimmed metadata with the original, by the engine's own lookups:
///
/// - every function that the runtime can look up has the same place, and no other lookup has a
///   wrong result;
/// - after everything that was removed is restored, the metadata is the same, byte for byte.
fn check<A: Artifacts>(before: &[u8], after: &[u8]) -> Result<(), TrimError> {
    let mut old: A = decode(before)?;
    let mut new: A = decode(after)?;
    let (old_table, old_modules) = old.parts();
    let (new_table, new_modules) = new.parts();
    check_places(old_table, new_table, &old_modules)?;
    std::mem::swap(old_table, new_table);
    if old_modules.len() != new_modules.len() {
        return Err(TrimError::Differs("the modules"));
    }
    for (old, new) in old_modules.into_iter().zip(new_modules) {
        restore_module(old, new)?;
    }
    if !new.restore_types(&mut old)? {
        return Err(TrimError::Differs("core types"));
    }
    if !new.restore_component(&mut old)? {
        return Err(TrimError::Differs("names and types"));
    }
    if to_allocvec(&new)? != before {
        return Err(TrimError::Differs("something that must not be trimmed"));
    }
    Ok(())
}

/// Checks that every function that the runtime can look up has the same place.
fn check_places(
    old: &CompiledFunctionsTable,
    new: &CompiledFunctionsTable,
    modules: &[&mut CompiledModuleInfo],
) -> Result<(), TrimError> {
    let modules = modules
        .iter()
        .map(|info| (info.module.module_index, &info.module));
    let modules: HashMap<_, _> = modules.collect();
    let may_go = |key: FuncKey| match key {
        FuncKey::DefinedWasmFunction(module, function) => {
            modules.get(&module).is_some_and(|module| {
                let function = module.functions.get(module.func_index(function));
                function.is_some_and(|function| !function.is_escaping())
            })
        }
        _ => false,
    };
    let keys = convert::<Table>(old)?.keys();
    let keys = keys.ok_or(TrimError::Differs("the table of functions"))?;
    for key in keys {
        let place = |table: &CompiledFunctionsTable| table.func_loc(key).copied();
        let (was, is) = (place(old), place(new));
        if was != is && !(is.is_none() && may_go(key)) {
            return Err(TrimError::Differs("the place of a function"));
        }
        // If a backtrace finds a function, it looks up the function's source place.
        let found = was.and_then(|was| new.func_by_text_offset(was.start));
        if found != is.map(|_| key) {
            return Err(TrimError::Differs("the function at a place"));
        }
        let defined = key.kind() == FuncKeyKind::DefinedWasmFunction;
        if defined && is.is_some() && new.src_loc(key).is_none() {
            return Err(TrimError::Differs("the origin of a function"));
        }
    }
    Ok(())
}

/// Compares the functions of a module with the original, and restores what was removed.
fn restore_module(
    old: &mut CompiledModuleInfo,
    new: &mut CompiledModuleInfo,
) -> Result<(), TrimError> {
    if !new.func_names.is_empty() {
        return Err(TrimError::Differs("the names of functions"));
    }
    let prefix = |module: &Module, len: usize| -> Result<Vec<u8>, postcard::Error> {
        let functions: Vec<&FunctionType> = module.functions.values().take(len).collect();
        to_allocvec(&functions)
    };
    let len = new.module.functions.len();
    let needed = old.module.num_imported_funcs + kept(&old.module);
    if len < needed || prefix(&old.module, len)? != prefix(&new.module, len)? {
        return Err(TrimError::Differs("the functions of a module"));
    }
    std::mem::swap(&mut old.module.functions, &mut new.module.functions);
    std::mem::swap(&mut old.func_names, &mut new.func_names);
    std::mem::swap(&mut old.module.types, &mut new.module.types);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &str = r#"(component
        (import "host" (func $host))
        (core func $lowered (canon lower (func $host)))
        (core module $m (import "a long name" "and another" (func))
            (func (call 2) (call 0)) (func) (func (export "run") (call 1)))
        (core instance $i (instantiate $m
            (with "a long name" (instance (export "and another" (func $lowered))))))
        (func (export "run") (canon lift (core func $i "run"))))"#;

    fn program(text: &str) -> ValidComponent {
        crate::validate(wat::parse_str(text).unwrap()).unwrap()
    }

    fn image(text: &str, profile: EngineProfile) -> NativeImage {
        let program = program(text);
        let target = edgec_targets::find("x86_64").unwrap();
        let mut image = crate::precompile(&program, target, profile).unwrap();
        image.strip().unwrap();
        image
    }

    fn metadata(image: &NativeImage) -> Vec<u8> {
        let image = Image::parse(image.bytes()).unwrap();
        image.section(metadata::SECTION).unwrap().to_vec()
    }

    #[test]
    fn only_what_nothing_asks_for_goes_and_only_in_the_edge_profile() {
        let mut image = image(COMPONENT, EngineProfile::Default);
        let before = image.bytes().to_vec();
        image.trim(&program(COMPONENT)).unwrap();
        assert_eq!(image.bytes(), before);

        let mut image = self::image(COMPONENT, EngineProfile::Edge);
        let before = metadata(&image);
        image.trim(&program(COMPONENT)).unwrap();
        let after = metadata(&image);
        let has = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).any(|it| it == name);
        for name in [&b"a long name"[..], b"and another"] {
            assert!(has(&before, name) && !has(&after, name));
        }
        let artifacts: ComponentArtifacts = from_bytes(&after).unwrap();
        let module = &artifacts.static_modules.values().next().unwrap().module;
        // One import and three functions. The last one escapes, because `order` did not run.
        assert_eq!(module.functions.len(), 4);
        let ordered = crate::order(crate::validate(wat::parse_str(COMPONENT).unwrap()).unwrap());
        let target = edgec_targets::find("aarch64").unwrap();
        let mut image = crate::precompile(&ordered, target, EngineProfile::Edge).unwrap();
        image.strip().unwrap();
        image.trim(&ordered).unwrap();
        let artifacts: ComponentArtifacts = from_bytes(&metadata(&image)).unwrap();
        let module = &artifacts.static_modules.values().next().unwrap().module;
        assert_eq!(module.functions.len(), 2);
        // A second run removes nothing.
        let once = image.bytes().to_vec();
        image.trim(&ordered).unwrap();
        assert_eq!(image.bytes(), once);
    }

    #[test]
    fn each_error_has_a_case() {
        let mut image = image(COMPONENT, EngineProfile::Edge);
        let good = image.bytes().to_vec();
        image.bytes = b"no image".to_vec();
        assert!(matches!(
            image.trim(&program(COMPONENT)),
            Err(TrimError::Image(_))
        ));
        let mut broken = Image::parse(&good).unwrap();
        broken.replace(metadata::SECTION, vec![0xff; 20]).unwrap();
        image.bytes = broken.write().unwrap();
        assert!(matches!(
            image.trim(&program(COMPONENT)),
            Err(TrimError::Metadata(_))
        ));
    }

    /// The check that runs in every build notices a wrong cut.
    #[test]
    fn a_wrong_cut_is_seen() {
        let before = metadata(&image(COMPONENT, EngineProfile::Edge));
        let after = trimmed::<ComponentArtifacts>(&before, &program(COMPONENT)).unwrap();
        let wrong = |change: &dyn Fn(&mut ComponentArtifacts)| {
            let mut artifacts: ComponentArtifacts = from_bytes(&after).unwrap();
            change(&mut artifacts);
            let changed = to_allocvec(&artifacts).unwrap();
            match check::<ComponentArtifacts>(&before, &changed) {
                Err(TrimError::Differs(what)) => what,
                other => panic!("{other:?}"),
            }
        };
        let module = |artifacts: &mut ComponentArtifacts, change: &dyn Fn(&mut Module)| {
            change(&mut artifacts.static_modules.values_mut().next().unwrap().module);
        };
        let table = |artifacts: &mut ComponentArtifacts, change: &dyn Fn(&mut Table)| {
            let mut table: Table = convert(&artifacts.table).unwrap();
            change(&mut table);
            artifacts.table = convert(&table).unwrap();
        };
        let functions = wrong(&|it| module(it, &|it| it.functions = Default::default()));
        assert_eq!(functions, "the functions of a module");
        let place = wrong(&|it| table(it, &|it| it.locations[0].0 += 1));
        assert_eq!(place, "the place of a function");
        let origin = wrong(&|it| table(it, &|it| it.sources[0] = u32::MAX));
        assert_eq!(origin, "the origin of a function");
        let imports = wrong(&|it| module(it, &|it| it.initializers = Default::default()));
        assert_eq!(imports, "names and types");
        let kept = wrong(&|it| it.info.component.num_lowerings += 1);
        assert_eq!(kept, "something that must not be trimmed");
        let escaping = wrong(&|it| module(it, &|it| it.num_escaped_funcs += 1));
        assert_eq!(escaping, "something that must not be trimmed");
    }
}
