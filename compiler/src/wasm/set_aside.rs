//! Takes functions out of a module before Binaryen runs, and puts them back afterwards.
//!
//! While Binaryen runs, such a function is an import, so Binaryen assumes nothing about what it
//! does. Everything that its body refers to is exported. An export may be used from outside, so
//! Binaryen keeps the item and its type. Afterwards, the same exports show the new indices of these
//! items. Memories and tables that must stay for another reason ([`Spared`]) are exported too. At
//! the end, all these imports and exports are removed, and the program has the same ones as before.
//!
//! Exports cannot track segments, or functions as values. If a body refers to these,
//! [`crate::wasm::spare`] keeps the whole module from Binaryen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, EntityType};
use wasmparser::{ExternalKind, FuncType};

use crate::wasm::function_names::moved_names;
use crate::wasm::module_parts::{Changed, Parts, is_function};
use crate::wasm::spare::Spared;

#[cfg(test)]
mod tests;

/// The module name under which functions that were taken out are imported.
const ASIDE: &str = "edgec:set-aside";
/// The beginning of the names of added exports. A letter for the kind and the index follow.
const KEPT: &str = "edgec:kept:";

type Error = reencode::Error<Infallible>;

/// Something is inconsistent. Then the whole module stays unchanged.
const NOT_VALID: Error = Error::InvalidCodeSectionSize;

/// A module without the functions in `spared`. `None` if the module itself uses this stage's names.
pub(crate) fn take_out(module: &[u8], spared: &Spared) -> Option<Vec<u8>> {
    let parts = Parts::read(module)?;
    let own = |name: &str| name.starts_with(ASIDE) || name.starts_with(KEPT);
    let mut names = parts.imports.iter().map(|import| import.module);
    if names.any(own) || parts.exports.iter().any(|export| own(export.name)) {
        return None;
    }
    let mut kept = References::default();
    kept.memories.extend(&spared.memories);
    kept.tables.extend(&spared.tables);
    for function in spared.functions.keys() {
        let body = parts.body(*function)?.clone();
        kept.parse_function_body(&mut CodeSection::new(), body)
            .ok()?;
    }
    let stage = TakeOut {
        parts: &parts,
        imported: u32::try_from(parts.imported_functions()).ok()?,
        aside: spared.functions.keys().copied().collect(),
    };
    stage.encode(&kept).ok()
}

/// The optimized module, with the functions that were taken out of `module` put back.
pub(crate) fn put_back(module: &[u8], spared: &Spared, optimized: &[u8]) -> Option<Vec<u8>> {
    let original = Parts::read(module)?;
    let optimized = Parts::read(optimized)?;
    PutBack::new(&original, &optimized, spared)?.encode().ok()
}

/// The items that a body refers to.
#[derive(Default)]
struct References {
    functions: BTreeSet<u32>,
    globals: BTreeSet<u32>,
    memories: BTreeSet<u32>,
    tables: BTreeSet<u32>,
}

impl References {
    fn all(&self) -> impl Iterator<Item = (ExternalKind, u32)> {
        let of = |kind, indices: &BTreeSet<u32>| {
            let indices: Vec<u32> = indices.iter().copied().collect();
            indices.into_iter().map(move |index| (kind, index))
        };
        of(ExternalKind::Func, &self.functions)
            .chain(of(ExternalKind::Global, &self.globals))
            .chain(of(ExternalKind::Memory, &self.memories))
            .chain(of(ExternalKind::Table, &self.tables))
    }
}

impl Reencode for References {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        self.functions.insert(index);
        Ok(index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        self.globals.insert(index);
        Ok(index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error> {
        self.memories.insert(index);
        Ok(index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error> {
        self.tables.insert(index);
        Ok(index)
    }
}

/// The name under which an item is exported while Binaryen runs.
fn kept_name(kind: ExternalKind, index: u32) -> String {
    let letter = match kind {
        ExternalKind::Global => 'g',
        ExternalKind::Memory => 'm',
        ExternalKind::Table => 't',
        _ => 'f',
    };
    format!("{KEPT}{letter}{index}")
}

/// Rewrites a module so that functions are imported instead of defined.
struct TakeOut<'a> {
    parts: &'a Parts<'a>,
    /// The number of imported functions.
    imported: u32,
    /// The functions to take out, sorted.
    aside: Vec<u32>,
}

impl TakeOut<'_> {
    fn encode(mut self, kept: &References) -> Result<Vec<u8>, Error> {
        let parts = self.parts;
        let mut changed = Changed::default();
        for ty in &parts.types {
            changed.types.ty().func_type(&self.func_type(ty.clone())?);
        }
        for import in &parts.imports {
            self.parse_import(&mut changed.imports, *import)?;
        }
        for function in &self.aside {
            let ty = EntityType::Function(parts.function_type(*function).ok_or(NOT_VALID)?);
            changed.imports.import(ASIDE, &function.to_string(), ty);
        }
        for (function, ty, body) in parts.defined() {
            if self.aside.binary_search(&function).is_err() {
                changed.functions.function(ty);
                self.parse_function_body(&mut changed.code, body.clone())?;
            }
        }
        for export in &parts.exports {
            self.parse_export(&mut changed.exports, *export)?;
        }
        for (kind, index) in kept.all() {
            let name = kept_name(kind, index);
            let index = self.external_index(kind, index)?;
            changed
                .exports
                .export(&name, self.export_kind(kind)?, index);
        }
        changed.names = moved_names(parts, |index| self.function_index(index).ok());
        parts.encode(&mut self, &changed)
    }
}

impl Reencode for TakeOut<'_> {
    type Error = Infallible;

    /// Functions that are taken out become the last imports.
    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        if index < self.imported {
            return Ok(index);
        }
        Ok(match self.aside.binary_search(&index) {
            Ok(place) => self.imported + count(place)?,
            Err(before) => index + count(self.aside.len())? - count(before)?,
        })
    }
}

fn count(length: usize) -> Result<u32, Error> {
    u32::try_from(length).map_err(|_| NOT_VALID)
}

/// Rewrites an optimized module so that the functions are defined again, after its own functions.
struct PutBack<'a> {
    original: &'a Parts<'a>,
    optimized: &'a Parts<'a>,
    /// How many functions remain imported, and how many Binaryen left.
    imported: u32,
    defined: u32,
    /// The functions that were taken out and are still used: their index in the optimized module,
    /// and in the original. Sorted.
    aside: Vec<(u32, u32)>,
}

impl<'a> PutBack<'a> {
    fn new(original: &'a Parts<'a>, optimized: &'a Parts<'a>, spared: &Spared) -> Option<Self> {
        let functions = optimized
            .imports
            .iter()
            .filter(|import| is_function(import));
        let mut aside = Vec::new();
        for (index, import) in (0..).zip(functions) {
            if import.module == ASIDE {
                let old: u32 = import.name.parse().ok()?;
                spared.functions.get(&old)?;
                aside.push((index, old));
            }
        }
        let imported = optimized.imported_functions().checked_sub(aside.len())?;
        Some(Self {
            original,
            optimized,
            imported: u32::try_from(imported).ok()?,
            defined: u32::try_from(optimized.bodies.len()).ok()?,
            aside,
        })
    }

    fn encode(mut self) -> Result<Vec<u8>, Error> {
        let parts = self.optimized;
        let mut changed = Changed::default();
        for import in parts.imports.iter().filter(|import| import.module != ASIDE) {
            self.parse_import(&mut changed.imports, *import)?;
        }
        let mut places = BTreeMap::new();
        for export in &parts.exports {
            match export.name.strip_prefix(KEPT) {
                Some(kept) => {
                    let now = self.external_index(export.kind, export.index)?;
                    places.insert(kept, now);
                }
                None => self.parse_export(&mut changed.exports, *export)?,
            }
        }
        for (_, ty, body) in parts.defined() {
            changed.functions.function(ty);
            self.parse_function_body(&mut changed.code, body.clone())?;
        }
        let mut bodies = Bodies::new(self.original, &parts.types, places);
        for (index, old) in &self.aside {
            let ty = parts.function_type(*index).ok_or(NOT_VALID)?;
            changed.functions.function(ty);
            let body = self.original.body(*old).ok_or(NOT_VALID)?;
            bodies.parse_function_body(&mut changed.code, body.clone())?;
        }
        for ty in bodies.types {
            changed.types.ty().func_type(&self.func_type(ty.clone())?);
        }
        changed.names = moved_names(parts, |index| self.function_index(index).ok());
        parts.encode(&mut self, &changed)
    }
}

impl Reencode for PutBack<'_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        let here = self.aside.binary_search_by_key(&index, |(index, _)| *index);
        Ok(match here {
            Ok(rank) => self.imported + self.defined + count(rank)?,
            Err(before) => index - count(before)?,
        })
    }
}

/// Rewrites bodies of the original for the optimized module.
struct Bodies<'a> {
    original: &'a Parts<'a>,
    /// The optimized module's types, followed by further types that the bodies need.
    types: Vec<&'a FuncType>,
    /// The first index of each type.
    known: HashMap<&'a FuncType, u32>,
    /// The new indices of the exported items, by the export's name without [`KEPT`].
    places: BTreeMap<&'a str, u32>,
}

impl<'a> Bodies<'a> {
    fn new(original: &'a Parts<'a>, types: &'a [FuncType], places: BTreeMap<&'a str, u32>) -> Self {
        let mut known = HashMap::new();
        for (index, ty) in (0..).zip(types) {
            known.entry(ty).or_insert(index);
        }
        Self {
            original,
            types: types.iter().collect(),
            known,
            places,
        }
    }

    fn place(&self, kind: ExternalKind, index: u32) -> Result<u32, Error> {
        let name = kept_name(kind, index);
        let place = name
            .strip_prefix(KEPT)
            .and_then(|name| self.places.get(name));
        place.copied().ok_or(NOT_VALID)
    }
}

impl Reencode for Bodies<'_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        self.place(ExternalKind::Func, index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        self.place(ExternalKind::Global, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error> {
        self.place(ExternalKind::Memory, index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error> {
        self.place(ExternalKind::Table, index)
    }

    fn type_index(&mut self, index: u32) -> Result<u32, Error> {
        let original = self.original;
        let index = usize::try_from(index).map_err(|_| NOT_VALID)?;
        let ty = original.types.get(index).ok_or(NOT_VALID)?;
        if let Some(known) = self.known.get(ty) {
            return Ok(*known);
        }
        let added = count(self.types.len())?;
        self.types.push(ty);
        self.known.insert(ty, added);
        Ok(added)
    }
}
