//! Which types of a core module come first: those that the engine looks up at run time.
//!
//! A load registers every type of a program with the engine, and that is a third of its time. At
//! run time, the engine needs the types of functions to which a reference can be made, and those
//! that calls through tables compare. Most types belong to functions that are only called directly.
//! If these types are at the end, they can be cut off from the image ([`crate::image::trim`]).
//!
//! Source: `wasmtime` 48, `runtime/type_registry.rs`, `register_module_types`.

use std::collections::BTreeSet;

use wasmparser::{FunctionBody, Operator, WasmFeatures};

use crate::input::bodies;

/// With these features, code and types refer to types in other ways. A program that uses them keeps
/// the order of its types.
pub(crate) const OTHER_USES: WasmFeatures = WasmFeatures::FUNCTION_REFERENCES
    .union(WasmFeatures::GC)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS);

/// The types that calls through tables compare, of a core module with these function bodies.
pub(crate) fn compared(bodies: &[FunctionBody<'_>]) -> Option<BTreeSet<u32>> {
    let of_body = |body: &FunctionBody<'_>| {
        let mut types = BTreeSet::new();
        for operator in body.get_operators_reader().ok()? {
            if let Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. } = operator.ok()?
            {
                types.insert(type_index);
            }
        }
        Some(types)
    };
    let found = bodies::map(bodies, of_body);
    found
        .into_iter()
        .try_fold(BTreeSet::new(), |mut all, types| {
            all.append(&mut types?);
            Some(all)
        })
}

/// A new order of types.
#[derive(Default)]
pub(super) struct TypeOrder {
    /// The old index of each type, in the new order.
    pub(super) order: Vec<u32>,
    /// The new index of each type, in the old order.
    new_index: Vec<u32>,
}

impl TypeOrder {
    /// The order of `count` types with those in `first` in front.
    pub(super) fn new(count: u32, first: &BTreeSet<u32>) -> Option<Self> {
        let (mut order, rest): (Vec<u32>, Vec<u32>) =
            (0..count).partition(|index| first.contains(index));
        order.extend(rest);
        let mut new_index = vec![0; order.len()];
        for (new, &old) in (0..).zip(&order) {
            *new_index.get_mut(usize::try_from(old).ok()?)? = new;
        }
        Some(Self { order, new_index })
    }

    /// Whether the order is the old one.
    pub(super) fn is_same(&self) -> bool {
        self.order.is_sorted()
    }

    /// The new index of a type.
    pub(super) fn new_index(&self, old: u32) -> Option<u32> {
        self.new_index.get(usize::try_from(old).ok()?).copied()
    }
}
