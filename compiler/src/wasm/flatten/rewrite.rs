//! Writes the component around its merged modules.
//!
//! Entries that keep their order are copied. Core entries are written when something needs them:
//! each alias and each canonical function once, and none that is not used. Instances that stay are
//! made in their order.

mod emit;

use std::collections::HashMap;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{ComponentSection as _, ComponentTypeSection};
use wasmparser::KnownCustom;

use self::emit::Emitter;
use super::canonical::{Moved, uses, write};
use super::facts::Whole;
use super::graph::{Kind, Node};
use super::layout::Layout;
use super::level::{Item, What};
use super::plan::Plan;
use crate::index::spaces::Sort;
use crate::wasm::component_names::component_names;

/// A component with merged modules.
pub(super) struct Rewritten {
    pub(super) bytes: Vec<u8>,
    /// Where its core modules and components come from, in the order of the file.
    pub(super) sources: Vec<Source>,
    /// The number of its core instances.
    pub(super) instances: usize,
}

/// Where a core module or component comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The core module or component of this entry.
    Item(usize),
    /// The members of this group.
    Group(usize),
    /// edgec made it.
    New,
}

/// Writes a component. `nested` has the new bytes of components in it, by the numbers of their
/// entries. `None` if something is not understood.
pub(super) fn rewrite(
    whole: &Whole<'_, '_>,
    plan: &Plan,
    nested: &HashMap<usize, Vec<u8>>,
) -> Option<Rewritten> {
    let groups = plan.groups.iter().enumerate();
    let layouts = groups.map(|(number, group)| Layout::new(whole, group, &plan.reached, number));
    let layouts = layouts.collect::<Option<Vec<Layout>>>()?;
    let mut rewriter = Rewriter {
        whole,
        plan,
        nested,
        emitter: Emitter::new(whole, plan, &layouts),
        waiting: Vec::new(),
    };
    for number in 0..whole.level.items.len() {
        rewriter.item(number)?;
    }
    rewriter.emitter.finish()
}

struct Rewriter<'w, 'l, 'a> {
    whole: &'w Whole<'l, 'a>,
    plan: &'w Plan,
    nested: &'w HashMap<usize, Vec<u8>>,
    emitter: Emitter<'w, 'l, 'a>,
    /// Instances that stay, and can be made only after a merged one.
    waiting: Vec<Node>,
}

impl Rewriter<'_, '_, '_> {
    fn item(&mut self, number: usize) -> Option<()> {
        let (whole, plan) = (self.whole, self.plan);
        for (group_number, group) in plan.groups.iter().enumerate() {
            if group.first(whole) == number {
                self.emitter.slots(group_number)?;
            }
            if group.place == number {
                self.emitter.merged(group_number)?;
                for node in std::mem::take(&mut self.waiting) {
                    self.make(node)?;
                }
            }
        }
        let item = whole.level.items.get(number)?;
        self.written(number, item)?;
        for (group_number, group) in plan.groups.iter().enumerate() {
            if group.last(whole) == number {
                self.emitter.filler(group_number)?;
            }
        }
        Some(())
    }

    fn written(&mut self, number: usize, item: &Item<'_>) -> Option<()> {
        match &item.what {
            What::Module => self.emitter.unused_module(number),
            What::OtherModule => self.emitter.other_module(number),
            // They are written when something needs them.
            What::SameModule(_) | What::CoreExport { .. } | What::Canonical(_) => Some(()),
            What::CoreInstance(_) => {
                let node = self.whole.graph.node_of(Some(number))?;
                let is_group = matches!(self.whole.graph.node(node)?.kind, Kind::Group(..));
                match is_group || self.emitter.is_member(node) {
                    true => Some(()),
                    false => self.make(node),
                }
            }
            What::Lift(function) => {
                let mut moved = Moved::new();
                for (sort, index) in uses(function)?.core {
                    let entity = self.whole.graph.entity_at(self.whole.level, sort, index)?;
                    let new = self.emitter.core(entity, number)?;
                    moved.insert((sort, index), new);
                }
                let section = write(function.clone(), &moved)?;
                self.emitter.out.encoded(&section)
            }
            What::Resource(rep, destructor) => {
                let level = self.whole.level;
                let entity = self
                    .whole
                    .graph
                    .entity_at(level, Sort::CoreFunc, *destructor)?;
                let new = self.emitter.core(entity, number)?;
                let rep = RoundtripReencoder.val_type(*rep).ok()?;
                let mut section = ComponentTypeSection::new();
                section.resource(rep, Some(new));
                self.emitter.out.encoded(&section)
            }
            What::Component => {
                let bytes = self.nested.get(&number).map_or(item.bytes, Vec::as_slice);
                self.emitter.component(number, bytes);
                Some(())
            }
            What::Other(_) => {
                self.emitter.out.entry(item.section, item.bytes);
                Some(())
            }
            What::Section(_) => {
                self.emitter.out.section(item.section, item.bytes);
                Some(())
            }
            What::Custom(custom) => {
                match custom.as_known() {
                    KnownCustom::ComponentName(_) => {
                        // Core entries have new numbers.
                        let kept = |sort: Sort, index| (!sort.is_core()).then_some(index);
                        if let Some(names) = component_names(custom, kept) {
                            let mut section = Vec::new();
                            names.append_to_component(&mut section);
                            self.emitter.out.raw(&section);
                        }
                    }
                    _ => self.emitter.out.raw(item.bytes),
                }
                Some(())
            }
        }
    }

    /// Makes an instance that stays, or lets it wait for a merged one.
    fn make(&mut self, node: Node) -> Option<()> {
        let groups = self.plan.groups.iter().enumerate();
        let mut waits = groups
            .map(|(number, group)| group.instance_waits(node) && !self.emitter.is_made(number));
        if waits.any(|waits| waits) {
            self.waiting.push(node);
            return Some(());
        }
        self.emitter.instance(node).map(drop)
    }
}
