//! How large a merged module and its instances become.
//!
//! The state of an instance: a pool reserves a fixed amount for each, outside of its memories.
//!
//! Source: wasmtime-environ 48, `vmoffsets.rs`, `VMOffsets`; the sizes are those of 64-bit hosts,
//! rounded up. `PoolingAllocationConfig::max_core_instance_size` is 1 MiB unless a host changes it.

use super::facts::Whole;
use super::graph::{Graph, Node};
use super::group::{Group, Target};
use super::module::{Module, Space};
use super::reach::Reached;

/// The maximum size of the state, in bytes.
const MOST: usize = 1 << 20;

/// What every instance has, in bytes.
const FIXED: usize = 512;
/// An imported function, table, memory or global.
const IMPORT: usize = 40;
/// A defined global, table, memory or tag.
const DEFINITION: usize = 32;
/// A function to which a reference can be made.
const REFERENCE: usize = 40;

/// The maximum number of segments of a module, of each kind.
///
/// Source: wasmparser 0.254, `limits.rs`, as the other one.
const MOST_SEGMENTS: usize = 100_000;
/// The maximum number of functions, imports, globals and so on of a module, of each kind.
const MOST_ITEMS: usize = 1_000_000;

/// Whether a merged module has no more items of each kind than a module may have. Items that it may
/// not need count too, apart from functions. `None` if a number is missing.
pub(super) fn is_valid(
    whole: &Whole<'_, '_>,
    group: &Group,
    reached: &Reached,
    number: usize,
) -> Option<bool> {
    let border = reached.borders.get(number)?;
    // One more function calls the start functions.
    let mut functions = border.imported.len() + 1;
    let (mut globals, mut tags, mut types) = (functions, functions, 0);
    let (mut elements, mut data) = (1, 0);
    for node in &group.members {
        let module = whole.graph.module(*node)?;
        let places = 0..module.functions.len();
        functions += places.filter(|it| reached.function(*node, *it)).count();
        globals += module.globals.len();
        tags += module.tags.len();
        let groups = module.groups.iter();
        types += groups.map(|(_, group)| group.types().len()).sum::<usize>();
        elements += module.elements.len();
        data += module.data.len();
    }
    let items = [functions, globals, tags, types, border.exported.len()];
    let segments = [elements, data];
    Some(
        items.iter().all(|number| *number <= MOST_ITEMS)
            && segments.iter().all(|number| *number <= MOST_SEGMENTS),
    )
}

/// Whether the state of a merged instance is small enough for a pool, or is not larger than that of
/// one of its members. `None` if a number is missing.
pub(super) fn fits(
    whole: &Whole<'_, '_>,
    group: &Group,
    reached: &Reached,
    number: usize,
) -> Option<bool> {
    let border = reached.borders.get(number)?;
    let mut size = FIXED;
    let is_import = |target: &&Target| !matches!(target, Target::Member(..));
    size += border.imported.iter().filter(is_import).count() * IMPORT;
    size += border.exported.len() * REFERENCE;
    for node in &group.members {
        let module = whole.graph.module(*node)?;
        size += references(module) * REFERENCE;
        let globals = 0..module.globals.len();
        let tags = 0..module.tags.len();
        let live = globals
            .filter(|place| reached.global(*node, *place))
            .count()
            + tags.filter(|place| reached.tag(*node, *place)).count()
            + module.tables.len()
            + module.memories.len();
        size += live * DEFINITION;
    }
    let before = group.members.iter().map(|node| before(whole.graph, *node));
    let before = before.max().unwrap_or(0);
    Some(size <= MOST.max(before))
}

/// The size of an instance's state before.
fn before(graph: &Graph<'_>, node: Node) -> usize {
    let Some(module) = graph.module(node) else {
        return 0;
    };
    let spaces = [Space::Table, Space::Memory, Space::Global, Space::Tag];
    let defined: usize = spaces.iter().map(|space| module.defined(*space)).sum();
    FIXED
        + module.imports.len() * IMPORT
        + defined * DEFINITION
        + (references(module) + module.exports.len()) * REFERENCE
}

/// At most how many functions element segments refer to.
fn references(module: &Module<'_>) -> usize {
    let items = module.elements.iter().map(|element| match &element.items {
        wasmparser::ElementItems::Functions(items) => items.count(),
        wasmparser::ElementItems::Expressions(_, items) => items.count(),
    });
    let items = items.map(|items| usize::try_from(items).unwrap_or(usize::MAX));
    let items = items.fold(0, usize::saturating_add);
    items.min(module.bodies.len() + module.imports.len())
}
