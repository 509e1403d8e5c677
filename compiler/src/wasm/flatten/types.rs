//! The types of a merged module: each recursion group once.
//!
//! Two types are the same if their whole recursion groups are the same, and they have the same
//! place in them. So groups are compared as a whole, with references to earlier groups by their new
//! indices, and references into the group by place.
//!
//! Source: WebAssembly 3.0, "Recursive Types", "Rolling and Unrolling".

use std::collections::HashMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{Encode as _, FuncType, TypeSection};
use wasmparser::RecGroup;

use super::body;
use super::module::{Module, at};

type Error = reencode::Error<Infallible>;

/// The types of a merged module.
#[derive(Default)]
pub(super) struct Types {
    pub(super) section: TypeSection,
    count: u32,
    /// The index of the first type of each group.
    known: HashMap<Vec<u8>, u32>,
}

/// Stands for the first index of a group that is compared. Valid indices are lower.
const PLACE: u32 = 1 << 30;

impl Types {
    /// Adds the types of a module that are used, with all types that these refer to. Returns the
    /// new index of each used type. `None` if something is not understood.
    pub(super) fn add(&mut self, module: &Module<'_>, used: &[u32]) -> Option<Vec<Option<u32>>> {
        let (last, group) = match module.groups.last() {
            Some((first, group)) => (*first, group.types().len()),
            None => (0, 0),
        };
        let total = usize::try_from(last).ok()?.checked_add(group)?;
        let mut wanted = vec![false; total];
        for ty in used {
            *wanted.get_mut(usize::try_from(*ty).ok()?)? = true;
        }
        // A group refers only to itself and to earlier groups.
        for (first, group) in module.groups.iter().rev() {
            let first = usize::try_from(*first).ok()?;
            let own = wanted.get(first..first.checked_add(group.types().len())?)?;
            if own.contains(&true) {
                for ty in body::group(group)? {
                    *wanted.get_mut(usize::try_from(ty).ok()?)? = true;
                }
                wanted
                    .get_mut(first..)?
                    .iter_mut()
                    .take(group.types().len())
                    .for_each(|it| *it = true);
            }
        }
        let mut new = vec![None; total];
        for (first, group) in &module.groups {
            let place = usize::try_from(*first).ok()?;
            if wanted.get(place).copied() == Some(true) {
                let index = self.group(*first, group, &new)?;
                for (index, new) in
                    (index..).zip(new.iter_mut().skip(place).take(group.types().len()))
                {
                    *new = Some(index);
                }
            }
        }
        Some(new)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The index of the type of start functions.
    pub(super) fn of_start(&mut self) -> Option<u32> {
        self.plain(&FuncType::new([], []))
    }

    /// The index of a function type that refers to no other type.
    pub(super) fn plain(&mut self, ty: &FuncType) -> Option<u32> {
        let mut alone = TypeSection::new();
        alone.ty().func_type(ty);
        let mut key = Vec::new();
        alone.encode(&mut key);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let index = self.count;
        self.section.ty().func_type(ty);
        self.count = index.checked_add(1)?;
        self.known.insert(key, index);
        Some(index)
    }

    /// The new index of a group's first type.
    fn group(&mut self, first: u32, group: &RecGroup, new: &[Option<u32>]) -> Option<u32> {
        let length = u32::try_from(group.types().len()).ok()?;
        let mut compared = TypeSection::new();
        let mut renumber = Renumber {
            first,
            length,
            at: PLACE,
            new,
        };
        renumber
            .parse_recursive_type_group(compared.ty(), group.clone())
            .ok()?;
        let mut key = Vec::new();
        compared.encode(&mut key);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let index = self.count;
        renumber.at = index;
        renumber
            .parse_recursive_type_group(self.section.ty(), group.clone())
            .ok()?;
        self.count = self.count.checked_add(length)?;
        self.known.insert(key, index);
        Some(index)
    }
}

/// Renumbers the types in a group.
struct Renumber<'n> {
    first: u32,
    length: u32,
    /// The new index of the group's first type.
    at: u32,
    new: &'n [Option<u32>],
}

/// A type refers to one that is not there. Then the component stays as it is.
const NOT_THERE: Error = Error::InvalidCodeSectionSize;

impl Reencode for Renumber<'_> {
    type Error = Infallible;

    fn type_index(&mut self, old: u32) -> Result<u32, Error> {
        match old.checked_sub(self.first) {
            Some(place) if place < self.length => self.at.checked_add(place).ok_or(NOT_THERE),
            _ => at(self.new, old).copied().flatten().ok_or(NOT_THERE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The new indices of all types of some modules, and how many types there are together.
    fn together(modules: &[&str]) -> (Vec<Vec<Option<u32>>>, u32) {
        let mut types = Types::default();
        let mut new = Vec::new();
        for text in modules {
            let wasm = wat::parse_str(format!("(module {text})")).unwrap();
            let module = Module::read(&wasm).unwrap();
            let all: usize = module.groups.iter().map(|(_, it)| it.types().len()).sum();
            let used: Vec<u32> = (0..u32::try_from(all).unwrap()).collect();
            new.push(types.add(&module, &used).unwrap());
        }
        let mut merged = wasm_encoder::Module::new();
        merged.section(&types.section);
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&merged.finish())
            .unwrap();
        (new, types.count)
    }

    #[test]
    fn function_types_are_there_once() {
        let (new, count) = together(&[
            "(type (func)) (type (func (param i32))) (type (func))",
            "(type (func (param i64))) (type (func (param i32)))",
        ]);
        assert_eq!(
            new,
            [vec![Some(0), Some(1), Some(0)], vec![Some(2), Some(1)]]
        );
        assert_eq!(count, 3);
    }

    #[test]
    fn the_type_of_start_functions_is_there_once() {
        let wasm = wat::parse_str("(module (type (func (param i32))) (type (func)))").unwrap();
        let module = Module::read(&wasm).unwrap();
        let mut types = Types::default();
        types.add(&module, &[0, 1]).unwrap();
        assert_eq!(types.of_start(), Some(1));
        let mut types = Types::default();
        assert!(types.is_empty());
        assert_eq!((types.of_start(), types.of_start()), (Some(0), Some(0)));
    }

    #[test]
    fn groups_are_compared_as_a_whole() {
        let pair = "(rec (type $a (struct (field (ref null $b)))) (type $b (struct (field i32))))";
        let other = "(rec (type $a (struct (field (ref null $b)))) (type $b (struct (field i64))))";
        let alone = "(type (struct (field i32)))";
        let (new, count) = together(&[pair, alone, other, pair]);
        let expected: [&[Option<u32>]; 4] = [
            &[Some(0), Some(1)],
            &[Some(2)],
            &[Some(3), Some(4)],
            &[Some(0), Some(1)],
        ];
        assert_eq!(new, expected);
        assert_eq!(count, 5);
    }

    #[test]
    fn references_to_earlier_groups_are_renumbered() {
        let uses = "(type $a (struct (field i32))) (type (func (param (ref $a))))";
        let (new, count) = together(&["(type (func))", uses, uses]);
        assert_eq!(new[1], [Some(1), Some(2)]);
        assert_eq!(new[2], new[1]);
        assert_eq!(count, 3);
    }

    #[test]
    fn types_that_are_not_used_are_left_out() {
        let text = "(module (type (func)) (type $a (struct)) (type (func (param (ref $a))))
            (type (func (param i64))))";
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::read(&wasm).unwrap();
        let mut types = Types::default();
        let new = types.add(&module, &[2]).unwrap();
        assert_eq!(new, [None, Some(0), Some(1), None]);
        assert_eq!(types.add(&module, &[9]), None);
    }
}
