//! Removes types of modules, components and instances that nothing can ask for, and the names of
//! parameters that only the host's own functions have.
//!
//! A component's metadata describe all of its parts: the core modules with each import and export,
//! nested components, and internal instances. A host sees only what can be reached from the
//! component's own type, its imports and its exports. The other entries become empty. They are not
//! removed, because entries are found by number.
//!
//! The parameters of a function have names for a host that lists them. A host gives the functions
//! that a component imports, and links them without these names. So they become empty, unless an
//! export has a function of the same type.
//!
//! Source: `wasmtime-environ` 48, `component/types.rs`; `wasmtime` 48,
//! `component/{matching,types,linker}.rs`.

use std::collections::BTreeSet;
use std::convert::Infallible;

use postcard::{take_from_bytes, to_allocvec};
use serde::{Deserialize, Serialize};
use wasmtime_environ::component::{
    ComponentArtifacts, ComponentTypes, Export, TypeComponent, TypeComponentIndex,
    TypeComponentInstance, TypeComponentInstanceIndex, TypeDef, TypeFunc, TypeFuncIndex,
    TypeModule, TypeModuleIndex,
};
use wasmtime_environ::{
    EngineOrModuleTypeIndex, EntityRef, ModuleInternedTypeIndex, PrimaryMap, StaticModuleIndex,
    TypeTrace as _,
};

/// The first fields of [`ComponentTypes`], which are private.
#[derive(Serialize, Deserialize)]
struct Head {
    modules: PrimaryMap<TypeModuleIndex, TypeModule>,
    components: PrimaryMap<TypeComponentIndex, TypeComponent>,
    instances: PrimaryMap<TypeComponentInstanceIndex, TypeComponentInstance>,
    functions: PrimaryMap<TypeFuncIndex, TypeFunc>,
}

/// The entries that can be reached.
#[derive(Default, PartialEq, Eq)]
struct Reached {
    modules: BTreeSet<TypeModuleIndex>,
    components: BTreeSet<TypeComponentIndex>,
    instances: BTreeSet<TypeComponentInstanceIndex>,
    /// Core types, by number.
    functions: BTreeSet<u32>,
}

/// The core modules that a component exports as modules.
pub(super) fn exported_modules(artifacts: &ComponentArtifacts) -> BTreeSet<StaticModuleIndex> {
    let exports = artifacts.info.component.export_items.values();
    let modules = exports.filter_map(|export| match export {
        Export::ModuleStatic { index, .. } => Some(*index),
        _ => None,
    });
    modules.collect()
}

/// The core types that the component itself refers to, by number.
pub(super) fn core_types(artifacts: &ComponentArtifacts) -> Result<BTreeSet<u32>, postcard::Error> {
    let (head, _) = taken_apart(&artifacts.types)?;
    let mut found = Reached::from(artifacts, &head).functions;
    let component = &artifacts.info.component;
    found.extend(component.trampolines.values().map(|ty| ty.as_u32()));
    found.extend(
        component
            .options
            .values()
            .map(|options| options.core_type.as_u32()),
    );
    let intrinsics = component.unsafe_intrinsics.iter();
    found.extend(intrinsics.filter_map(|ty| ty.expand().map(ModuleInternedTypeIndex::as_u32)));
    let mut add = |ty: EngineOrModuleTypeIndex| -> Result<(), Infallible> {
        if let EngineOrModuleTypeIndex::Module(ty) = ty {
            found.insert(ty.as_u32());
        }
        Ok(())
    };
    for module in head.modules.values() {
        let Ok(()) = module.trace(&mut add);
    }
    Ok(found)
}

/// Empties the entries that cannot be reached.
pub(super) fn trim(artifacts: &mut ComponentArtifacts) -> Result<(), postcard::Error> {
    let (mut head, rest) = taken_apart(&artifacts.types)?;
    let reached = Reached::from(artifacts, &head);
    for (index, module) in &mut head.modules {
        if !reached.modules.contains(&index) {
            module.imports.clear();
            module.exports.clear();
        }
    }
    for (index, component) in &mut head.components {
        if !reached.components.contains(&index) {
            component.imports.clear();
            component.exports.clear();
        }
    }
    for (index, instance) in &mut head.instances {
        if !reached.instances.contains(&index) {
            instance.exports.clear();
        }
    }
    let exported = exported_functions(artifacts.ty, &head);
    for (index, function) in &mut head.functions {
        if !exported.contains(&index) {
            function.param_names.iter_mut().for_each(String::clear);
        }
    }
    let mut bytes = to_allocvec(&head)?;
    bytes.extend(rest);
    artifacts.types = postcard::from_bytes(&bytes)?;
    Ok(())
}

/// Restores the types. Returns `false` if an entry that can be reached is missing.
pub(super) fn restore(
    new: &mut ComponentArtifacts,
    old: &mut ComponentArtifacts,
) -> Result<bool, postcard::Error> {
    let (old_head, old_rest) = taken_apart(&old.types)?;
    let (new_head, new_rest) = taken_apart(&new.types)?;
    let reached = Reached::from(old, &old_head);
    // A walk through the remaining entries reaches the same entries as before.
    let same = old_rest == new_rest
        && Reached::from(new, &new_head) == reached
        && agree(&old_head.modules, &new_head.modules, &reached.modules)?
        && agree(
            &old_head.components,
            &new_head.components,
            &reached.components,
        )?
        && agree(&old_head.instances, &new_head.instances, &reached.instances)?
        && agree_but_for_names(
            &old_head.functions,
            &new_head.functions,
            &exported_functions(old.ty, &old_head),
        );
    std::mem::swap(&mut new.types, &mut old.types);
    Ok(same)
}

fn taken_apart(types: &ComponentTypes) -> Result<(Head, Vec<u8>), postcard::Error> {
    let bytes = to_allocvec(types)?;
    let (head, rest) = take_from_bytes(&bytes)?;
    Ok((head, rest.to_vec()))
}

/// Whether both lists have the same length, and the same entries in `reached`.
fn agree<K: EntityRef + Ord, V: Serialize>(
    old: &PrimaryMap<K, V>,
    new: &PrimaryMap<K, V>,
    reached: &BTreeSet<K>,
) -> Result<bool, postcard::Error> {
    let mut same = old.len() == new.len();
    for ((index, old), (_, new)) in old.iter().zip(new) {
        same &= !reached.contains(&index) || to_allocvec(old)? == to_allocvec(new)?;
    }
    Ok(same)
}

/// Whether both lists have the same functions: in `exported` with the same names of parameters, and
/// otherwise with no names.
fn agree_but_for_names(
    old: &PrimaryMap<TypeFuncIndex, TypeFunc>,
    new: &PrimaryMap<TypeFuncIndex, TypeFunc>,
    exported: &BTreeSet<TypeFuncIndex>,
) -> bool {
    old.len() == new.len()
        && old.iter().zip(new.values()).all(|((index, old), new)| {
            let mut expected = old.clone();
            if !exported.contains(&index) {
                expected.param_names.iter_mut().for_each(String::clear);
            }
            expected == *new
        })
}

/// The types of the functions that a component of this type exports, at any depth.
fn exported_functions(ty: TypeComponentIndex, head: &Head) -> BTreeSet<TypeFuncIndex> {
    let (mut functions, mut instances) = (BTreeSet::new(), BTreeSet::new());
    let component = head.components.get(ty);
    let exports = component.into_iter().flat_map(|it| it.exports.values());
    let mut next: Vec<TypeDef> = exports.map(|export| export.ty).collect();
    while let Some(ty) = next.pop() {
        match ty {
            TypeDef::ComponentFunc(index) => {
                functions.insert(index);
            }
            TypeDef::ComponentInstance(index) if instances.insert(index) => {
                if let Some(instance) = head.instances.get(index) {
                    next.extend(instance.exports.values().map(|it| it.ty));
                }
            }
            // An exported component could export any function.
            TypeDef::Component(_) => functions.extend(head.functions.keys()),
            _ => {}
        }
    }
    functions
}

impl Reached {
    fn from(artifacts: &ComponentArtifacts, head: &Head) -> Self {
        let component = &artifacts.info.component;
        let mut this = Self::default();
        let mut next = vec![TypeDef::Component(artifacts.ty)];
        next.extend(component.import_types.values().map(|(_, import)| import.ty));
        for export in component.export_items.values() {
            match export {
                Export::ModuleStatic { ty, .. } | Export::ModuleImport { ty, .. } => {
                    next.push(TypeDef::Module(*ty));
                }
                Export::Instance { ty, .. } => next.push(TypeDef::ComponentInstance(*ty)),
                Export::Type(ty) => next.push(*ty),
                Export::LiftedFunction { .. } => {}
            }
        }
        while let Some(ty) = next.pop() {
            match ty {
                TypeDef::Module(index) => {
                    this.modules.insert(index);
                }
                TypeDef::Component(index) if this.components.insert(index) => {
                    if let Some(component) = head.components.get(index) {
                        let externs = component.imports.values();
                        next.extend(externs.chain(component.exports.values()).map(|it| it.ty));
                    }
                }
                TypeDef::ComponentInstance(index) if this.instances.insert(index) => {
                    if let Some(instance) = head.instances.get(index) {
                        next.extend(instance.exports.values().map(|it| it.ty));
                    }
                }
                // These contain no modules, components or instances.
                TypeDef::Component(_)
                | TypeDef::ComponentInstance(_)
                | TypeDef::ComponentFunc(_)
                | TypeDef::Interface(_)
                | TypeDef::Resource(_) => {}
                TypeDef::CoreFunc(ty) => {
                    this.functions.insert(ty.as_u32());
                }
            }
        }
        this
    }
}
