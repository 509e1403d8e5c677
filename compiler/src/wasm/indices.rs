//! The indices in the entries of a component: which ones an entry has, and the same entry with
//! others.
//!
//! wasm-encoder writes what wasmparser read, and asks for each index. Components and types in an
//! entry have index spaces of their own. So only indices of the outermost component are passed on:
//! those of the entry itself, and those of `outer` aliases that reach it.
//!
//! Source: component model, `Explainer.md`, "Index Spaces" and "Alias Definitions" (`outer`; 0 is
//! the component or type itself). Core types keep their indices.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent, component_utils};
use wasm_encoder::{CanonicalFunctionSection, Component, ComponentSectionId, RawSection};
use wasmparser::{CanonicalFunction, CustomSectionReader, Parser};

use crate::index::spaces::Sort;

/// The re-encoder's error.
pub(crate) type Error = reencode::Error<Infallible>;

/// A re-encoder that asks `index` for the new index of each entry. If it returns `None`, nothing is
/// written.
pub(crate) struct Indices<F> {
    index: F,
    /// How many components and types are around what is being written, without the outermost
    /// component.
    depth: u32,
    failed: bool,
}

impl<F: FnMut(Sort, u32) -> Option<u32>> Indices<F> {
    pub(crate) fn new(index: F) -> Self {
        Self {
            index,
            depth: 0,
            failed: false,
        }
    }

    /// What `write` writes. `None` if it fails, or if an index is not known.
    pub(crate) fn write<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Option<T> {
        let written = write(self).ok()?;
        (!self.failed).then_some(written)
    }

    /// A canonical function.
    pub(crate) fn canonical(
        &mut self,
        function: CanonicalFunction,
    ) -> Option<CanonicalFunctionSection> {
        self.write(|indices| {
            let mut section = CanonicalFunctionSection::new();
            indices.parse_component_canonical(&mut section, function)?;
            Ok(section)
        })
    }

    /// A component in the component.
    pub(crate) fn component(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.write(|indices| {
            let mut component = Component::new();
            indices.push_depth();
            indices.parse_component(&mut component, Parser::new(0), bytes)?;
            indices.pop_depth();
            Ok(component.finish())
        })
    }

    /// An index of the outermost component.
    fn outermost(&mut self, sort: Sort, index: u32) -> u32 {
        (self.index)(sort, index).unwrap_or_else(|| {
            self.failed = true;
            index
        })
    }

    /// An index of the component or type that is being written.
    fn own(&mut self, sort: Sort, index: u32) -> u32 {
        match self.depth {
            0 => self.outermost(sort, index),
            _ => index,
        }
    }

    /// An index of the component or type `count` levels further out.
    fn outer(&mut self, sort: Sort, count: u32, index: u32) -> u32 {
        match count == self.depth {
            true => self.outermost(sort, index),
            false => index,
        }
    }
}

impl<F: FnMut(Sort, u32) -> Option<u32>> Reencode for Indices<F> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.own(Sort::CoreFunc, index))
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.own(Sort::CoreTable, index))
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.own(Sort::CoreMemory, index))
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.own(Sort::CoreGlobal, index))
    }

    fn tag_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.own(Sort::CoreTag, index))
    }
}

impl<F: FnMut(Sort, u32) -> Option<u32>> ReencodeComponent for Indices<F> {
    fn component_type_index(&mut self, index: u32) -> u32 {
        self.own(Sort::Type, index)
    }

    fn component_instance_index(&mut self, index: u32) -> u32 {
        self.own(Sort::Instance, index)
    }

    fn component_func_index(&mut self, index: u32) -> u32 {
        self.own(Sort::Func, index)
    }

    fn component_index(&mut self, index: u32) -> u32 {
        self.own(Sort::Component, index)
    }

    fn module_index(&mut self, index: u32) -> u32 {
        self.own(Sort::Module, index)
    }

    fn instance_index(&mut self, index: u32) -> u32 {
        self.own(Sort::CoreInstance, index)
    }

    fn component_value_index(&mut self, index: u32) -> u32 {
        // Values are not followed.
        self.failed = true;
        index
    }

    fn outer_component_type_index(&mut self, count: u32, index: u32) -> u32 {
        self.outer(Sort::Type, count, index)
    }

    fn outer_component_index(&mut self, count: u32, index: u32) -> u32 {
        self.outer(Sort::Component, count, index)
    }

    fn outer_module_index(&mut self, count: u32, index: u32) -> u32 {
        self.outer(Sort::Module, count, index)
    }

    fn push_depth(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    fn pop_depth(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// A core module has no indices of a component.
    fn parse_component_submodule(
        &mut self,
        component: &mut Component,
        _: Parser,
        module: &[u8],
    ) -> Result<(), Error> {
        component.section(&RawSection {
            id: ComponentSectionId::CoreModule.into(),
            data: module,
        });
        Ok(())
    }

    /// Custom sections are copied, whatever is in them. Indices of a component in this one do not
    /// change, so its names stay right.
    fn parse_component_custom_section(
        &mut self,
        component: &mut Component,
        section: CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        component.section(&self.custom_section(section)?);
        Ok(())
    }

    fn parse_unknown_component_section(
        &mut self,
        _: &mut Component,
        _: u8,
        _: &[u8],
    ) -> Result<(), Error> {
        self.failed = true;
        Ok(())
    }

    /// wasm-encoder 0.254 does not ask for the types of these functions.
    fn parse_component_canonical(
        &mut self,
        section: &mut CanonicalFunctionSection,
        function: CanonicalFunction,
    ) -> Result<(), Error> {
        let function = match function {
            CanonicalFunction::StreamCancelRead { ty, async_ } => {
                let ty = self.component_type_index(ty);
                CanonicalFunction::StreamCancelRead { ty, async_ }
            }
            CanonicalFunction::StreamCancelWrite { ty, async_ } => {
                let ty = self.component_type_index(ty);
                CanonicalFunction::StreamCancelWrite { ty, async_ }
            }
            CanonicalFunction::FutureCancelRead { ty, async_ } => {
                let ty = self.component_type_index(ty);
                CanonicalFunction::FutureCancelRead { ty, async_ }
            }
            CanonicalFunction::FutureCancelWrite { ty, async_ } => {
                let ty = self.component_type_index(ty);
                CanonicalFunction::FutureCancelWrite { ty, async_ }
            }
            function => function,
        };
        component_utils::parse_component_canonical(self, section, function)
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Payload;

    use super::*;

    /// The component in a component, and the indices of the outer one that it uses.
    fn nested(text: &str) -> (Vec<u8>, Vec<(Sort, u32)>) {
        let wasm = wat::parse_str(format!(
            "(component (type u8) (type u16) (core module) (core module) (component)
            (component {text}))"
        ));
        let wasm = wasm.unwrap();
        let mut ranges = Parser::new(0).parse_all(&wasm).filter_map(|payload| {
            let Payload::ComponentSection {
                unchecked_range, ..
            } = payload.unwrap()
            else {
                return None;
            };
            Some(unchecked_range)
        });
        // The component without anything comes first.
        let bytes = wasm.get(ranges.nth(1).unwrap()).unwrap();
        let mut used = Vec::new();
        let again = Indices::new(|sort, index| {
            used.push((sort, index));
            Some(index)
        })
        .component(bytes);
        assert_eq!(again.unwrap(), bytes);
        (bytes.to_vec(), used)
    }

    #[test]
    fn only_aliases_that_reach_the_outermost_component_count() {
        let text = r#"(alias outer 1 1 (type $a)) (alias outer 1 1 (core module $m))
            (type $own u32) (alias outer 0 0 (type)) (alias outer 1 0 (component))
            (type (instance (alias outer 2 0 (type)) (alias outer 1 0 (type)) (type u8)
                (export "x" (type (eq 2)))))
            (type (component (type (instance (alias outer 3 1 (type))))))
            (component (alias outer 2 0 (core module)) (alias outer 1 0 (core module))
                (component (alias outer 3 1 (core module)) (alias outer 2 0 (core module))))
            (core instance (instantiate $m))
            (@custom "note" "kept")"#;
        let (_, used) = nested(text);
        let expected = [
            (Sort::Type, 1),
            (Sort::Module, 1),
            (Sort::Component, 0),
            (Sort::Type, 0),
            (Sort::Type, 1),
            (Sort::Module, 0),
            (Sort::Module, 1),
        ];
        assert_eq!(used, expected);
    }

    #[test]
    fn an_index_that_is_not_known_ends_it() {
        let (bytes, _) = nested("(alias outer 1 1 (type))");
        assert!(Indices::new(|_, _| None).component(&bytes).is_none());
        let moved = Indices::new(|_, index| index.checked_sub(1)).component(&bytes);
        let (expected, _) = nested("(alias outer 1 0 (type))");
        assert_eq!(moved.unwrap(), expected);
        assert!(Indices::new(|_, _| None).component(b"x").is_none());
    }
}
