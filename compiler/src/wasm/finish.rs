//! The last steps before the compiler: reorders functions, removes names, and reads what a manifest
//! says about the program.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::input::valid_component::Description;
use crate::wasm::data_apart::without_data;
use crate::wasm::flatten::Flattened;
use crate::wasm::last_steps::LastSteps;
use crate::wasm::modules::map_modules;
use crate::wasm::names::take_names;
use crate::wasm::optimize::ModuleReport;
use crate::wasm::prune_imports::NotPruned;
use crate::worker::wire::{Place, Reader, Writer};
use crate::{Interface, Names, Optimized, Resources, ValidComponent, order};

/// The shortest program that is worth compiling without its data, in bytes.
const LONG: usize = 1 << 18;

/// A program in the form that the compiler gets.
#[derive(Debug)]
pub struct Finished {
    /// The program without the names of functions, and a report on its optimization.
    pub optimized: Optimized,
    /// The same program without the data of its memories, if it is wanted and long.
    pub bare: Option<ValidComponent>,
    /// The same program with names, if it has any.
    pub named: Option<ValidComponent>,
    /// The names.
    pub names: Names,
    /// What the program imports and exports.
    pub interface: Interface,
    /// What an instance of the program needs.
    pub resources: Resources,
    /// How long it took to remove the names.
    pub removing_names: Duration,
}

/// The head in front of the bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    described: Description,
    program: Place,
    bare: Option<Place>,
    named: Option<Place>,
    modules: Vec<ModuleReport>,
    shared: usize,
    flattened: Option<Flattened>,
    imports_removed: BTreeSet<String>,
    not_pruned: Option<NotPruned>,
    names: Names,
    interface: Interface,
    resources: Resources,
    removing_names: Duration,
}

/// Takes the last steps.
pub(crate) fn finish(mut optimized: Optimized, steps: LastSteps) -> Finished {
    if steps.order {
        optimized.component = order(optimized.component);
    }
    let begin = Instant::now();
    let (bare, names) = take_names(&optimized.component);
    let named = bare.map(|bare| std::mem::replace(&mut optimized.component, bare));
    let removing_names = begin.elapsed();
    let bare = match steps.bare && optimized.component.bytes().len() >= LONG {
        true => bare_program(&optimized.component),
        false => None,
    };
    Finished {
        bare,
        interface: optimized.component.interface(),
        resources: optimized.component.resources(),
        optimized,
        named,
        names,
        removing_names,
    }
}

/// The program without the data of its memories, if it has any that can be away.
pub(crate) fn bare_program(program: &ValidComponent) -> Option<ValidComponent> {
    let bare = map_modules(program, &mut without_data)?;
    Some(program.with_bytes(bare))
}

impl Finished {
    pub(crate) fn write(self, out: &mut Writer<'_>) -> Head {
        let (program, described) = self.optimized.component.into_description();
        Head {
            described,
            program: out.put(program),
            bare: self.bare.map(|bare| out.put(bare.into_bytes())),
            named: self.named.map(|named| out.put(named.into_bytes())),
            modules: self.optimized.modules,
            shared: self.optimized.shared,
            flattened: self.optimized.flattened,
            imports_removed: self.optimized.imports_removed,
            not_pruned: self.optimized.not_pruned,
            names: self.names,
            interface: self.interface,
            resources: self.resources,
            removing_names: self.removing_names,
        }
    }

    /// `None` if bytes are missing.
    pub(crate) fn read(head: Head, from: &mut Reader<'_>) -> Option<Self> {
        let component = ValidComponent::of_description(from.take(head.program)?, head.described);
        let bare = match head.bare {
            Some(place) => Some(component.with_bytes(from.take(place)?)),
            None => None,
        };
        let named = match head.named {
            Some(place) => Some(component.with_bytes(from.take(place)?)),
            None => None,
        };
        Some(Self {
            optimized: Optimized {
                component,
                modules: head.modules,
                shared: head.shared,
                flattened: head.flattened,
                imports_removed: head.imports_removed,
                not_pruned: head.not_pruned,
            },
            bare,
            named,
            names: head.names,
            interface: head.interface,
            resources: head.resources,
            removing_names: head.removing_names,
        })
    }
}
