//! Flattens one component, and first the components in it.

use std::collections::{BTreeSet, HashMap};

use wasm_encoder::{ComponentSection as _, ComponentSectionId, RawSection};
use wasmparser::{Instance, KnownCustom, Parser, Payload};

use super::facts::{Apart, Context, Whole};
use super::graph::{Graph, Node};
use super::level::{Level, What};
use super::plan::{Plan, plan};
use super::reason::Reason;
use super::report::KeptInstance;
use super::rewrite::{Rewritten, Source, rewrite};
use crate::index::spaces::Sort;
use crate::wasm::function_names::ModuleNames;
use crate::wasm::sections;

/// What became of a component. Core modules are numbered from 0, in file order at any depth.
#[derive(Default)]
pub(super) struct Outcome {
    /// The new component, if it changed.
    pub(super) bytes: Option<Vec<u8>>,
    /// How many core modules it had.
    pub(super) modules: usize,
    /// For each core module that it has now, the modules that it was made of. Empty for modules
    /// that edgec made.
    pub(super) parts: Vec<Vec<usize>>,
    /// The merged modules whose start functions run.
    pub(super) starts: Vec<usize>,
    pub(super) instances_before: usize,
    pub(super) instances_after: usize,
    pub(super) merged: usize,
    /// The instances that stay, of components that have several.
    pub(super) kept: Vec<KeptInstance>,
    /// How far out the components are whose core modules it takes by their indices, it or a
    /// component in it. The component around it is 1.
    takes: BTreeSet<u32>,
}

/// Flattens a component. `None` if it cannot be read.
pub(super) fn flatten(component: &[u8], context: &Context<'_>) -> Option<Outcome> {
    let mut level = Level::read(component)?;
    let mut outcome = Outcome {
        takes: level.takes.clone(),
        ..Outcome::default()
    };
    let mut names_modules = level.names_modules;
    let mut parts = Parts::default();
    for (number, item) in level.items.iter().enumerate() {
        match &item.what {
            What::Module => {
                parts.origins.insert(number, vec![vec![outcome.modules]]);
                outcome.modules += 1;
            }
            What::Component => {
                let inner = flatten(item.bytes, context)?;
                names_modules |= inner.takes.contains(&1);
                let further = inner.takes.iter().filter_map(|out| out.checked_sub(1));
                outcome.takes.extend(further.filter(|out| *out > 0));
                parts.add(number, inner, &mut outcome);
            }
            What::CoreInstance(_) => outcome.instances_before += 1,
            _ => {}
        }
    }
    level.names_modules = names_modules;
    let own = level.items.iter();
    let own = own.filter(|item| matches!(item.what, What::CoreInstance(_)));
    let own = own.count();
    let made_of = modules(&level);
    if made_of.len() > 1 {
        for item in made_of.into_iter().flatten() {
            parts.read_name(item, &level);
        }
        match merge(&level, context, &parts) {
            Ok(merged) => {
                outcome.instances_after += merged.rewritten.instances;
                outcome.merged += merged.members.iter().map(Vec::len).sum::<usize>();
                outcome.parts = parts.origins(&merged.rewritten.sources, &merged.members);
                let starts = merged.starts.iter();
                outcome
                    .starts
                    .extend(starts.filter_map(|item| parts.module(*item)));
                outcome.bytes = Some(merged.rewritten.bytes);
                outcome.kept.extend(merged.kept);
                return Some(outcome);
            }
            Err(kept) => outcome.kept.extend(kept),
        }
    }
    outcome.instances_after += own;
    let defines = |(_, item): &(usize, &super::level::Item<'_>)| {
        matches!(item.what, What::Module | What::Component)
    };
    let same = level.items.iter().enumerate().filter(defines);
    let same: Vec<Source> = same.map(|(number, _)| Source::Item(number)).collect();
    outcome.parts = parts.origins(&same, &[]);
    if !parts.nested.is_empty() {
        outcome.bytes = Some(parts.with_nested(component, &level)?);
    }
    Some(outcome)
}

/// What the entries of a component became.
#[derive(Default)]
struct Parts {
    /// The new components, by their entries.
    nested: HashMap<usize, Vec<u8>>,
    /// For each entry that is a core module or component, the modules that those in it now were
    /// made of.
    origins: HashMap<usize, Vec<Vec<usize>>>,
    /// The names of core modules, by their entries. Empty for those without one.
    names: HashMap<usize, String>,
}

impl Parts {
    /// Adds a component in the component. Its core modules come after those before.
    fn add(&mut self, item: usize, inner: Outcome, outcome: &mut Outcome) {
        let first = outcome.modules;
        let moved = |modules: Vec<usize>| modules.into_iter().map(|it| it + first).collect();
        self.origins
            .insert(item, inner.parts.into_iter().map(moved).collect());
        self.nested.extend(inner.bytes.map(|bytes| (item, bytes)));
        outcome.modules += inner.modules;
        outcome.instances_before += inner.instances_before;
        outcome.instances_after += inner.instances_after;
        outcome.merged += inner.merged;
        outcome
            .starts
            .extend(inner.starts.iter().map(|it| it + first));
        let kept = inner.kept.into_iter().map(|kept| KeptInstance {
            module: kept.module.map(|module| module + first),
            ..kept
        });
        outcome.kept.extend(kept);
    }

    /// For each core module of the new component, the modules that it was made of.
    fn origins(&self, sources: &[Source], groups: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let mut origins = Vec::new();
        for source in sources {
            match source {
                Source::Item(item) => {
                    origins.extend(self.origins.get(item).into_iter().flatten().cloned());
                }
                Source::Group(group) => {
                    let members = groups.get(*group).into_iter().flatten();
                    origins.push(members.filter_map(|item| self.module(*item)).collect());
                }
                Source::New => origins.push(Vec::new()),
            }
        }
        origins
    }

    /// Reads the name of the core module of an entry.
    fn read_name(&mut self, item: usize, level: &Level<'_>) {
        let Some(module) = level.items.get(item) else {
            return;
        };
        self.names.entry(item).or_insert_with(|| {
            let mut names = ModuleNames::default();
            for payload in Parser::new(0).parse_all(module.bytes).map_while(Result::ok) {
                if let Payload::CustomSection(custom) = payload
                    && let KnownCustom::Name(section) = custom.as_known()
                {
                    names.read(section);
                }
            }
            names.module.unwrap_or_default()
        });
    }

    /// The number of the core module of an entry.
    fn module(&self, item: usize) -> Option<usize> {
        self.origins.get(&item)?.first()?.first().copied()
    }

    /// A component with new components in it.
    fn with_nested(&self, component: &[u8], level: &Level<'_>) -> Option<Vec<u8>> {
        let inner = level.items.iter().enumerate();
        let mut inner = inner.filter(|(_, item)| matches!(item.what, What::Component));
        let mut out = sections::Rewritten::new(component);
        for section in sections::sections(component) {
            let section = section?;
            let new = match section.payload {
                Payload::ComponentSection { .. } => self.nested.get(&inner.next()?.0),
                _ => None,
            };
            match new {
                Some(new) => {
                    let id = ComponentSectionId::Component.into();
                    RawSection { id, data: new }.append_to_component(out.replace(&section));
                }
                None => out.keep(&section),
            }
        }
        out.finish()
    }
}

/// A component with merged modules.
struct Merged {
    rewritten: Rewritten,
    /// The entries of the modules that were merged, for each group.
    members: Vec<Vec<usize>>,
    /// The entries of those whose start functions run.
    starts: Vec<usize>,
    kept: Vec<KeptInstance>,
}

/// Merges core instances of a component. The error has the instances, and why they stay.
fn merge(
    level: &Level<'_>,
    context: &Context<'_>,
    parts: &Parts,
) -> Result<Merged, Vec<KeptInstance>> {
    let all = |reason| {
        let modules = modules(level).into_iter();
        let kept = modules.map(|item| kept(parts, item, reason));
        kept.collect::<Vec<_>>()
    };
    if level.names_modules {
        return Err(all(Reason::ModulesByIndex));
    }
    let graph = Graph::build(level).map_err(all)?;
    let whole = Whole::new(level, &graph, context);
    let plan = plan(&whole).ok_or_else(|| all(Reason::Unread))?;
    let definition = |node: Node| graph.definition(node).map(|definition| definition.item);
    let stays = plan.kept.iter();
    let stays = stays.map(|(node, reason)| kept(parts, definition(*node), *reason));
    let stays: Vec<KeptInstance> = stays.collect();
    if plan.groups.is_empty() {
        return Err(stays);
    }
    let members = |plan: &Plan| {
        let groups = plan.groups.iter();
        let items = groups.map(|group| {
            let members = group.members.iter();
            members.filter_map(|node| definition(*node)).collect()
        });
        items.collect()
    };
    let rewritten = rewrite(&whole, &plan, &parts.nested).ok_or_else(|| all(Reason::Unread))?;
    let members: Vec<Vec<usize>> = members(&plan);
    // What only some of the modules need may be gone. If it is not, they are kept apart.
    if context.apart == Apart::No && !stays_optimizable(level, context, &rewritten, &members) {
        let context = Context {
            apart: Apart::Yes,
            ..*context
        };
        return merge(level, &context, parts);
    }
    let starts = plan
        .starts
        .iter()
        .flat_map(|it| it.with_it.iter().chain(&it.after));
    let starts = starts.filter_map(|node| definition(*node)).collect();
    Ok(Merged {
        members,
        starts,
        rewritten,
        kept: stays,
    })
}

/// Whether the optimizer can read each merged module, or could read none of its parts.
fn stays_optimizable(
    level: &Level<'_>,
    context: &Context<'_>,
    rewritten: &Rewritten,
    members: &[Vec<usize>],
) -> bool {
    let Some(new) = Level::read(&rewritten.bytes) else {
        return false;
    };
    let new = new.items.iter();
    let modules = new.filter(|item| matches!(item.what, What::Module | What::Component));
    modules.zip(&rewritten.sources).all(|(item, source)| {
        let Source::Group(group) = source else {
            return true;
        };
        let parts = members.get(*group).into_iter().flatten();
        let mut parts = parts.filter_map(|item| level.items.get(*item));
        (context.optimizable)(item.bytes) || !parts.any(|part| (context.optimizable)(part.bytes))
    })
}

/// The entry of the core module of each instance of a core module, or `None` if the component does
/// not define it.
fn modules(level: &Level<'_>) -> Vec<Option<usize>> {
    let instances = level.items.iter().filter_map(|item| match &item.what {
        What::CoreInstance(Instance::Instantiate { module_index, .. }) => Some(*module_index),
        _ => None,
    });
    let modules = instances.map(|module| {
        let item = level.item(Sort::Module, module)?;
        match level.items.get(item)?.what {
            What::Module => Some(item),
            What::SameModule(same) => Some(same),
            _ => None,
        }
    });
    modules.collect()
}

fn kept(parts: &Parts, item: Option<usize>, reason: Reason) -> KeptInstance {
    let name = item.and_then(|item| parts.names.get(&item));
    KeptInstance {
        module: item.and_then(|item| parts.module(item)),
        name: name.filter(|name| !name.is_empty()).cloned(),
        reason,
    }
}
