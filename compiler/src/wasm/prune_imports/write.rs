//! Writes a component without the entries that nothing uses.

use std::borrow::Cow;
use std::collections::HashMap;

use wasm_encoder::ComponentSection as _;
use wasmparser::{Instance, KnownCustom};

use super::encode::encoded;
use super::entries::{Entries, Entry, Item};
use super::live::Live;
use crate::index::spaces::Sort;
use crate::wasm::component_names::component_names;
use crate::wasm::component_writer::Writer;

/// The component with only the entries that are used. `None` if something is not understood.
pub(super) fn without_others(entries: &Entries<'_>, live: &Live) -> Option<Vec<u8>> {
    let new = new_indices(entries, live)?;
    let moved = |sort: Sort, index: u32| {
        let number = entries.number(sort, index)?;
        new.get(number).copied().flatten()
    };
    let length = entries.items.iter().map(|item| item.bytes.len());
    let mut out = Writer::new(length.fold(0, usize::saturating_add));
    let items = entries.items.iter().enumerate();
    for (number, item) in items.filter(|(number, _)| live.has(*number)) {
        match &item.entry {
            Entry::Module | Entry::CoreTypes => out.section(item.section, item.bytes),
            Entry::Component => out.section(item.section, &with_indices(item, moved)?),
            Entry::Custom(custom) => match custom.as_known() {
                KnownCustom::ComponentName(_) => {
                    if let Some(names) = component_names(custom, moved) {
                        let mut section = Vec::new();
                        names.append_to_component(&mut section);
                        out.raw(&section);
                    }
                }
                _ => out.raw(item.bytes),
            },
            Entry::CoreInstance(Instance::FromExports(exports)) => {
                let places = exports.iter().enumerate();
                let left = places.filter(|(place, _)| live.has_item(number, *place));
                let left: Vec<_> = left.map(|(_, export)| *export).collect();
                if left.len() == exports.len() {
                    out.entry(item.section, &with_indices(item, moved)?);
                    continue;
                }
                let rest = Item {
                    entry: Entry::CoreInstance(Instance::FromExports(left.into())),
                    ..*item
                };
                out.entry(item.section, &encoded(&rest, moved)?);
            }
            _ => out.entry(item.section, &with_indices(item, moved)?),
        }
    }
    Some(out.finish())
}

/// The new index of each entry, by its number. `None` within it for entries that go, or that have
/// no index.
fn new_indices(entries: &Entries<'_>, live: &Live) -> Option<Vec<Option<u32>>> {
    let mut next = HashMap::<Sort, u32>::new();
    let items = entries.items.iter().enumerate();
    let indices = items.map(|(number, item)| {
        let Some(sort) = item.defines.filter(|_| live.has(number)) else {
            return Some(None);
        };
        let next = next.entry(sort).or_default();
        let index = *next;
        *next = index.checked_add(1)?;
        Some(Some(index))
    });
    indices.collect()
}

/// An entry with new indices. If they are the old ones, it is the same, byte for byte.
fn with_indices<'a>(
    item: &Item<'a>,
    moved: impl Fn(Sort, u32) -> Option<u32>,
) -> Option<Cow<'a, [u8]>> {
    let mut has_changed = false;
    let bytes = encoded(item, |sort, index| {
        let new = moved(sort, index)?;
        has_changed |= new != index;
        Some(new)
    })?;
    Some(match has_changed {
        true => Cow::Owned(bytes),
        false => Cow::Borrowed(item.bytes),
    })
}
