//! The indices that an entry uses, and the same entry with other indices.

use wasm_encoder::reencode::ReencodeComponent as _;
use wasm_encoder::{
    ComponentAliasSection, ComponentExportSection, ComponentImportSection,
    ComponentInstanceSection, ComponentSection, ComponentTypeSection, InstanceSection,
};

use super::entries::{Entry, Item};
use crate::index::spaces::Sort;
use crate::wasm::component_writer::only_entry;
use crate::wasm::indices::{Error, Indices};

/// The indices that an entry uses. `None` if it is not understood.
pub(super) fn uses(item: &Item<'_>) -> Option<Vec<(Sort, u32)>> {
    let mut uses = Vec::new();
    encoded(item, |sort, index| {
        uses.push((sort, index));
        Some(index)
    })?;
    Some(uses)
}

/// The bytes of an entry with new indices. Nothing for core modules, core types and custom
/// sections, which have no such indices. `None` if the entry is not understood, or if an index is
/// not known.
pub(super) fn encoded(
    item: &Item<'_>,
    index: impl FnMut(Sort, u32) -> Option<u32>,
) -> Option<Vec<u8>> {
    let mut to = Indices::new(index);
    match &item.entry {
        Entry::Module | Entry::CoreTypes | Entry::Custom(_) => Some(Vec::new()),
        Entry::Component => to.component(item.bytes),
        Entry::Canonical(function) => only_entry(&to.canonical(function.clone())?),
        Entry::CoreInstance(instance) => only(to, |to, section: &mut InstanceSection| {
            to.parse_instance(section, instance.clone())
        }),
        Entry::Instance(instance) => only(to, |to, section: &mut ComponentInstanceSection| {
            to.parse_component_instance(section, instance.clone())
        }),
        Entry::Type(ty) => only(to, |to, section: &mut ComponentTypeSection| {
            to.parse_component_type(section.ty(), ty.clone())
        }),
        Entry::Export(export) => only(to, |to, section: &mut ComponentExportSection| {
            to.parse_component_export(section, export.clone())
        }),
        Entry::Alias(alias) => only(to, |to, section: &mut ComponentAliasSection| {
            section.alias(to.component_alias(alias.clone())?);
            Ok(())
        }),
        Entry::Import(import) => only(to, |to, section: &mut ComponentImportSection| {
            section.import(import.name, to.component_type_ref(import.ty)?);
            Ok(())
        }),
    }
}

/// The bytes of the entry that `add` adds to a section.
fn only<F: FnMut(Sort, u32) -> Option<u32>, S: ComponentSection + Default>(
    mut indices: Indices<F>,
    add: impl FnOnce(&mut Indices<F>, &mut S) -> Result<(), Error>,
) -> Option<Vec<u8>> {
    let section = indices.write(|indices| {
        let mut section = S::default();
        add(indices, &mut section)?;
        Ok(section)
    })?;
    only_entry(&section)
}
