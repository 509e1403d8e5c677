//! The checks that a group must pass, apart from those of single instances (`facts.rs`) and of the
//! order of instances (`plan.rs`).
//!
//! A merged instance is made at once: first all element segments are written, then all data
//! segments, and then start functions run. Segments are known to be within their bounds, so nothing
//! can be observed between them. The checks make sure that nothing could be observed before,
//! either.
//!
//! Limits: the pooling allocator of Wasmtime 48, `PoolingAllocationConfig`, with its defaults.

use std::collections::{HashMap, HashSet};

use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, TableInit, TypeRef};

use super::body::{Use, expression};
use super::facts::Whole;
use super::graph::{Entity, Node};
use super::group::{Group, Target};
use super::module::{Module, Space};
use super::reach::{Border, is_dissolved, starts};
use super::reason::Reason;
use super::value::{Value, value};

/// The maximum number of elements of a table in a pool.
const MOST_SLOTS: usize = 20_000;

/// Why a member cannot be in its group.
pub(super) type Violation = (Node, Reason);

/// Checks a group before it is known what is used.
pub(super) fn check(whole: &Whole<'_, '_>, group: &Group) -> Result<(), Violation> {
    let mut has_started = false;
    for node in &group.members {
        let module = whole.graph.module(*node).ok_or((*node, Reason::Unread))?;
        through_another(whole, group, *node)?;
        constants(whole, group, *node, module)?;
        if has_started && writes_segments(whole, group, *node, module) {
            return Err((*node, Reason::SegmentsAfterStart));
        }
        has_started |= starts(whole, group, *node);
    }
    import_types(whole, group)?;
    tables(whole, group)
}

/// The merged module imports a function with the type that the first member states for it. Another
/// member may need a subtype of it, unless the type has no subtypes.
fn import_types(whole: &Whole<'_, '_>, group: &Group) -> Result<(), Violation> {
    let mut first: HashMap<Target, bool> = HashMap::new();
    for node in &group.members {
        let module = whole.graph.module(*node).ok_or((*node, Reason::Unread))?;
        let imports = module.imports.iter().zip(whole.graph.imports_of(*node));
        for (import, entity) in imports {
            let (TypeRef::Func(ty) | TypeRef::FuncExact(ty)) = import.ty else {
                continue;
            };
            let target = group.inside(*entity).target;
            if !matches!(target, Target::Outside(_)) {
                continue;
            }
            if first.get(&target) == Some(&false) {
                return Err((*node, Reason::Unread));
            }
            let is_final = module.sub_type(ty).is_some_and(|ty| ty.is_final);
            first.entry(target).or_insert(is_final);
        }
    }
    Ok(())
}

/// No member imports something of an instance that stays and needs the merged one.
fn through_another(whole: &Whole<'_, '_>, group: &Group, node: Node) -> Result<(), Violation> {
    let imports = whole.graph.imports_of(node).iter();
    let mut targets = imports.map(|entity| group.inside(*entity).target);
    let late = targets.any(|target| match target {
        Target::Outside(entity) => group.is_late(whole, entity),
        Target::Member(..) | Target::Slot(_) => false,
    });
    match late {
        true => Err((node, Reason::ThroughAnother)),
        false => Ok(()),
    }
}

/// A constant expression cannot take a global that its own module defines. So the value of such an
/// expression must be known, or at least the value of such a global must be a known number.
fn constants(
    whole: &Whole<'_, '_>,
    group: &Group,
    node: Node,
    module: &Module<'_>,
) -> Result<(), Violation> {
    let unknown = |used: &Use| match used {
        Use::Read(index) => {
            let entity = whole.graph.resolve(node, Space::Global, *index);
            let is_member = match entity {
                Some(Entity::Own(owner, ..)) => group.has(owner),
                _ => false,
            };
            let number = whole.value_in(node, *index).and_then(Value::instruction);
            is_member && number.is_none()
        }
        _ => false,
    };
    let check = |init: &ConstExpr<'_>| {
        let is_known = match value(init, node, |index| whole.value_in(node, index)) {
            // A function of another instance has no index here.
            Some(Value::Function(of, _)) => group.has(of),
            Some(_) => true,
            None => false,
        };
        match expression(init) {
            _ if is_known => Ok(()),
            Some(used) if used.iter().any(unknown) => Err((node, Reason::GlobalNotConstant)),
            Some(_) => Ok(()),
            None => Err((node, Reason::Unread)),
        }
    };
    for global in &module.globals {
        check(&global.init_expr)?;
    }
    for table in &module.tables {
        if let TableInit::Expr(init) = &table.init {
            check(init)?;
        }
    }
    for element in &module.elements {
        if let ElementKind::Active { offset_expr, .. } = &element.kind {
            check(offset_expr)?;
        }
        if let ElementItems::Expressions(_, items) = &element.items {
            for item in items.clone() {
                check(&item.map_err(|_| (node, Reason::Unread))?)?;
            }
        }
    }
    for data in &module.data {
        if let DataKind::Active { offset_expr, .. } = &data.kind {
            check(offset_expr)?;
        }
    }
    Ok(())
}

/// Whether the merged instance writes segments for this member.
fn writes_segments(whole: &Whole<'_, '_>, group: &Group, node: Node, module: &Module<'_>) -> bool {
    let mut data = module.data.iter();
    let mut elements = module.elements.iter();
    data.any(|data| matches!(data.kind, DataKind::Active { .. }))
        || elements.any(|element| {
            matches!(element.kind, ElementKind::Active { .. })
                && !is_dissolved(whole, group, node, element)
        })
}

/// The merged module has no more tables than one of the members, or one. Otherwise, the member with
/// the smallest module that defines one of them must stay.
fn tables(whole: &Whole<'_, '_>, group: &Group) -> Result<(), Violation> {
    let of = |node: &Node| -> HashSet<Entity> {
        let all = whole.distinct(*node, Space::Table).into_iter();
        all.filter(|entity| !group.links.is_dissolved(*entity))
            .collect()
    };
    let most = group.members.iter();
    let most = most.map(|node| whole.distinct(*node, Space::Table).len());
    let most = most.max().unwrap_or(0).max(1);
    let all: HashSet<Entity> = group.members.iter().flat_map(of).collect();
    if all.len() <= most {
        return Ok(());
    }
    let owners = all.iter().filter_map(|entity| match entity {
        Entity::Own(owner, ..) => Some(*owner),
        Entity::Canonical(_) | Entity::Unknown(_) => None,
    });
    let owners: HashSet<Node> = owners.collect();
    let definers = group.members.iter().filter(|node| owners.contains(*node));
    let length = |node: &&Node| whole.graph.module(**node).map_or(0, |it| it.length);
    let smallest = definers.min_by_key(length).or(group.members.last());
    smallest.map_or(Ok(()), |node| Err((*node, Reason::Tables)))
}

/// When the start functions of a group run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Starts {
    /// With the merged instance.
    pub(super) with_it: Vec<Node>,
    /// After the slots are filled.
    pub(super) after: Vec<Node>,
}

/// Checks the slots of a group, and decides when its start functions run.
pub(super) fn check_slots(
    whole: &Whole<'_, '_>,
    group: &Group,
    border: &Border,
) -> Result<Starts, Violation> {
    let last = group.members.last().copied().unwrap_or(Node(usize::MAX));
    if border.slots.len() > MOST_SLOTS {
        return Err((last, Reason::Slots));
    }
    for key in border.slots.keys() {
        let (node, ty) = group
            .slot_type(whole, *key)
            .ok_or((last, Reason::SlotType))?;
        if whole.graph.plain_type(node, ty).is_none() {
            return Err((node, Reason::SlotType));
        }
    }
    let mut found = Starts::default();
    for node in &group.members {
        if !starts(whole, group, *node) {
            continue;
        }
        if whole.is_quiet(*node) {
            // It does the same before and after. But it stays behind those before it.
            match found.after.is_empty() {
                true => found.with_it.push(*node),
                false => found.after.push(*node),
            }
            continue;
        }
        let at = whole.graph.item(*node);
        let filled = |fill: &usize| *fill <= at;
        let slots = border.slots.values();
        let before = slots
            .clone()
            .any(|it| it.direct || it.filled.iter().any(filled));
        let after = slots.clone().any(|it| !it.filled.iter().all(filled));
        match (before, after) {
            (true, true) => return Err((*node, Reason::StartBetweenFills)),
            (true, false) => found.after.push(*node),
            (false, _) => found.with_it.push(*node),
        }
    }
    one_task(whole, &found)?;
    Ok(found)
}

/// Each instance of a core module is made in a task of its own. Start functions that run with one
/// instance share its task.
fn one_task(whole: &Whole<'_, '_>, starts: &Starts) -> Result<(), Violation> {
    if !whole.tells_tasks {
        return Ok(());
    }
    for together in [&starts.with_it, &starts.after] {
        let mut calling = together.iter().filter(|node| !whole.is_quiet(**node));
        if let (Some(_), Some(second)) = (calling.next(), calling.next()) {
            return Err((*second, Reason::OneTask));
        }
    }
    Ok(())
}

/// Whether fewer core modules are left after a group is merged.
pub(super) fn gains(group: &Group, border: &Border, starts: &Starts) -> bool {
    let slots = !border.slots.is_empty();
    let fills = needs_filler(border, group, starts);
    1 + usize::from(slots) + usize::from(fills) < group.members.len()
}

/// Whether a module is necessary that fills slots or runs start functions after the merged instance
/// is made.
pub(super) fn needs_filler(border: &Border, group: &Group, starts: &Starts) -> bool {
    let mut keys = border.slots.keys();
    keys.any(|key| group.content(*key).is_some()) || !starts.after.is_empty()
}
