//! The indices in a canonical function: what it uses, and how it is written with other ones.

use std::collections::HashMap;

use wasm_encoder::CanonicalFunctionSection;
use wasmparser::CanonicalFunction;

use crate::index::spaces::Sort;
use crate::wasm::indices::Indices;

/// The indices that a canonical function uses: those of core items, and of others.
pub(super) fn uses(function: &CanonicalFunction) -> Option<Uses> {
    let mut uses = Uses::default();
    let mut indices = Indices::new(|sort: Sort, index| {
        let list = match sort.is_core() {
            true => &mut uses.core,
            false => &mut uses.others,
        };
        list.push((sort, index));
        Some(index)
    });
    indices.canonical(function.clone())?;
    Some(uses)
}

/// The indices that a canonical function uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Of core functions, memories and tables.
    pub(super) core: Vec<(Sort, u32)>,
    /// Of functions and types of the component.
    pub(super) others: Vec<(Sort, u32)>,
}

/// Whether a function tells its caller something of the task or thread that runs: which one it is,
/// or what is kept for it.
///
/// Source: component model, `CanonicalABI.md`, "`canon context.get`" and the built-in functions of
/// threads.
pub(super) fn tells_task(function: &CanonicalFunction) -> bool {
    matches!(
        function,
        CanonicalFunction::ContextGet { .. }
            | CanonicalFunction::ThreadIndex
            | CanonicalFunction::ThreadNewIndirect { .. }
            | CanonicalFunction::ThreadSpawnRef { .. }
            | CanonicalFunction::ThreadSpawnIndirect { .. }
    )
}

/// New indices of core functions, memories and tables.
pub(super) type Moved = HashMap<(Sort, u32), u32>;

/// Writes a canonical function with new indices of core items. All other indices stay. `None` if an
/// index is not known.
pub(super) fn write(
    function: CanonicalFunction,
    moved: &Moved,
) -> Option<CanonicalFunctionSection> {
    let mut indices = Indices::new(|sort: Sort, index| match sort.is_core() {
        true => moved.get(&(sort, index)).copied(),
        false => Some(index),
    });
    indices.canonical(function)
}

#[cfg(test)]
mod tests {
    use wasmparser::CanonicalOption;

    use super::*;

    #[test]
    fn all_indices_are_found_and_core_indices_are_replaced() {
        let function = CanonicalFunction::Lower {
            func_index: 4,
            options: Box::new([
                CanonicalOption::UTF8,
                CanonicalOption::Memory(5),
                CanonicalOption::Realloc(6),
            ]),
        };
        let uses = uses(&function).unwrap();
        assert_eq!(uses.core, [(Sort::CoreMemory, 5), (Sort::CoreFunc, 6)]);
        assert_eq!(uses.others, [(Sort::Func, 4)]);
        assert!(write(function.clone(), &Moved::new()).is_none());
        let moved = Moved::from([((Sort::CoreMemory, 5), 50), ((Sort::CoreFunc, 6), 60)]);
        let written = write(function, &moved).unwrap();
        let mut bytes = Vec::new();
        wasm_encoder::Encode::encode(&written, &mut bytes);
        // Its length and its number; then: lower, function 4, three options.
        assert_eq!(bytes, [10, 1, 1, 0, 4, 3, 0, 3, 50, 4, 60]);
    }

    #[test]
    fn types_that_the_reencoder_forgets_are_found() {
        for function in [
            CanonicalFunction::StreamCancelRead {
                ty: 7,
                async_: false,
            },
            CanonicalFunction::StreamCancelWrite {
                ty: 7,
                async_: true,
            },
            CanonicalFunction::FutureCancelRead {
                ty: 7,
                async_: false,
            },
            CanonicalFunction::FutureCancelWrite {
                ty: 7,
                async_: true,
            },
        ] {
            assert!(uses(&function).unwrap().others.contains(&(Sort::Type, 7)));
        }
    }
}
