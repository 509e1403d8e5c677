//! Counts the work of the engine's front end when it inlines a component, before the front end does
//! this work.
//!
//! The front end makes one flat component from everything that an instantiation of a component
//! would make. If an instance is passed, exported or aliased, the front end copies it with all
//! instances in it. If a component is passed or captured, the front end copies it with everything
//! that it captures. So a component that exports its argument twice doubles the argument, and
//! thirty such components in a row, in 600 bytes, would take all memory. A component that
//! instantiates its argument twice doubles the number of instances. The size of the program does
//! not show this.
//!
//! So this module does the same walk with shared values instead of copies, and adds up their sizes.
//! It stops at the first limit, so it takes no more steps than the limits allow.
//!
//! Of 75 real programs, the largest one has two instances of components and some thousand entries.
//!
//! Source: wasmtime-environ 48, `component/translate/inline.rs`.

mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use self::read::{Capture, Captures, Definition, Entry, Kind, Named, read};
use crate::index::beyond::Beyond;
use crate::index::spaces::{Scope, Sort};

/// The maximum number of instantiations. The engine's front end inlines every instantiation of a
/// nested component one by one, and a few bytes double their number. Real components have some
/// dozens.
const MAX_INSTANTIATIONS: u64 = 10_000;

/// The maximum number of steps. The front end walks every entry of a component again for each of
/// its instances. Real components have some thousands.
const MAX_STEPS: u64 = 1_000_000;

/// Checks the number of instances and of steps that an instantiation of a program takes.
///
/// # Errors
///
/// The limit that the program exceeds.
pub(crate) fn within(instantiations: u64, steps: u64) -> Result<(), Beyond> {
    let message = if instantiations > MAX_INSTANTIATIONS {
        format!("instantiating it makes more than {MAX_INSTANTIATIONS} instances")
    } else if steps > MAX_STEPS {
        format!(
            "instantiating it takes more than {MAX_STEPS} aliases, functions, instances and imports"
        )
    } else {
        return Ok(());
    };
    let advice = "make fewer instances, or build it as several programs";
    Err(Beyond { message, advice })
}

/// The maximum number of entries in copies of instances and captured components. Each takes about
/// 200 bytes.
const MAX_COPIES: u64 = 1_000_000;

/// Checks the cost of inlining a valid component.
///
/// # Errors
///
/// The limit that the program exceeds.
pub(crate) fn check(component: &[u8]) -> Result<(), Beyond> {
    let mut captures = Captures::default();
    let definitions = read(component, &mut captures);
    if captures.are_too_many() {
        return Err(copies_too_much());
    }
    // A valid component can always be read.
    Inlined::default().run(&definitions.unwrap_or_default())
}

fn copies_too_much() -> Beyond {
    Beyond {
        message: format!(
            "instantiating it copies more than {MAX_COPIES} entries of instances and components"
        ),
        advice: "pass and export fewer instances that have others in them",
    }
}

/// A value: the number of an instance or a component.
#[derive(Clone, Copy, Default)]
enum Item {
    Instance(usize),
    Component(usize),
    /// Another item, or one that the host provides.
    #[default]
    Other,
}

struct Instance<'a> {
    exports: HashMap<&'a str, Item>,
    /// How many entries a copy has.
    size: u64,
}

struct Component {
    definition: usize,
    captured: Vec<Item>,
    /// How many entries a copy has.
    size: u64,
}

/// A component that is being instantiated.
#[derive(Default)]
struct Frame<'a> {
    definition: usize,
    /// The next entry.
    next: usize,
    arguments: HashMap<&'a str, Item>,
    captured: Vec<Item>,
    spaces: Scope<Item>,
}

impl Frame<'_> {
    fn item(&self, kind: Kind, index: u32) -> Item {
        let sort = kind.sort();
        sort.map_or(Item::Other, |sort| self.spaces.get(sort, index))
    }

    fn capture(&self, what: Capture) -> Item {
        match what {
            Capture::Component(index) => self.item(Kind::Component, index),
            Capture::Captured(number) => self.captured(number),
            Capture::Other => Item::Other,
        }
    }

    fn captured(&self, number: usize) -> Item {
        self.captured.get(number).copied().unwrap_or(Item::Other)
    }

    fn add(&mut self, kind: Kind, item: Item) {
        if let Some(sort) = kind.sort() {
            self.spaces.add(sort, item);
        }
    }
}

/// Everything that was made so far, and its cost.
#[derive(Default)]
struct Inlined<'a> {
    instances: Vec<Instance<'a>>,
    components: Vec<Component>,
    instantiations: u64,
    steps: u64,
    copies: u64,
}

impl<'a> Inlined<'a> {
    /// Instantiates the last component.
    fn run(mut self, definitions: &[Definition<'a>]) -> Result<(), Beyond> {
        let mut frames = vec![Frame {
            definition: definitions.len().saturating_sub(1),
            ..Frame::default()
        }];
        while let Some(frame) = frames.last_mut() {
            self.within_limits()?;
            let Some(definition) = definitions.get(frame.definition) else {
                break;
            };
            if let Some(entry) = definition.entries.get(frame.next) {
                frame.next = frame.next.saturating_add(1);
                let inner = self.step(frame, entry);
                frames.extend(inner);
                continue;
            }
            let instance = self.group(frame, &definition.exports);
            frames.pop();
            if let Some(outer) = frames.last_mut() {
                outer.spaces.add(Sort::Instance, instance);
            }
        }
        Ok(())
    }

    fn within_limits(&self) -> Result<(), Beyond> {
        within(self.instantiations, self.steps)?;
        if self.copies > MAX_COPIES {
            return Err(copies_too_much());
        }
        Ok(())
    }

    /// Executes an entry. If it starts an instantiation, returns the component.
    fn step(&mut self, frame: &mut Frame<'a>, entry: &Entry<'a>) -> Option<Frame<'a>> {
        self.steps = self.steps.saturating_add(1);
        match entry {
            Entry::Import(name, kind) => {
                let argument = frame.arguments.get(name).copied();
                self.add(frame, *kind, argument);
            }
            Entry::Again(kind, index) => {
                let item = frame.item(*kind, *index);
                self.add(frame, *kind, Some(item));
            }
            Entry::Captured(number) => {
                let item = frame.captured(*number);
                self.add(frame, Kind::Component, Some(item));
            }
            Entry::Exported(instance, name, kind) => {
                let exported = match frame.item(Kind::Instance, *instance) {
                    Item::Instance(instance) => self.instances.get(instance),
                    _ => None,
                };
                let item = exported.and_then(|instance| instance.exports.get(name));
                let item = item.copied();
                self.add(frame, *kind, item);
            }
            Entry::Define(definition, captures) => {
                let captured = captures.iter().map(|what| frame.capture(*what));
                let captured: Vec<Item> = captured.collect();
                let size = self.size_of_all(captured.iter().copied());
                self.copy(size);
                let item = Item::Component(self.components.len());
                frame.spaces.add(Sort::Component, item);
                self.components.push(Component {
                    definition: *definition,
                    captured,
                    size,
                });
            }
            Entry::Instantiate(component, arguments) => {
                return self.instantiate(frame, *component, arguments);
            }
            Entry::Group(items) => {
                let instance = self.group(frame, items);
                frame.spaces.add(Sort::Instance, instance);
            }
            Entry::Others(count) => self.steps = self.steps.saturating_add(u64::from(*count)),
        }
        None
    }

    fn instantiate(
        &mut self,
        frame: &mut Frame<'a>,
        component: u32,
        arguments: &[Named<'a>],
    ) -> Option<Frame<'a>> {
        self.instantiations = self.instantiations.saturating_add(1);
        let arguments = self.items(frame, arguments);
        let size = self.size_of_all(arguments.values().copied());
        self.copy(size);
        let component = frame.item(Kind::Component, component);
        self.copy(self.size(component));
        let known = match component {
            Item::Component(number) => self.components.get(number),
            _ => None,
        };
        let Some(known) = known else {
            // An item of the host is not inlined.
            frame.spaces.add(Sort::Instance, Item::Other);
            return None;
        };
        Some(Frame {
            definition: known.definition,
            arguments,
            captured: known.captured.clone(),
            ..Frame::default()
        })
    }

    /// Makes an instance with these exports.
    fn group(&mut self, frame: &Frame<'a>, exports: &[Named<'a>]) -> Item {
        let exports = self.items(frame, exports);
        let size = self.size_of_all(exports.values().copied());
        self.copy(size);
        self.instances.push(Instance { exports, size });
        Item::Instance(self.instances.len().saturating_sub(1))
    }

    fn items(&mut self, frame: &Frame<'a>, named: &[Named<'a>]) -> HashMap<&'a str, Item> {
        self.steps = self.steps.saturating_add(named.len() as u64);
        let items = named.iter();
        items
            .map(|(name, kind, index)| (*name, frame.item(*kind, *index)))
            .collect()
    }

    /// Adds a copy of an item to an index space.
    fn add(&mut self, frame: &mut Frame<'a>, kind: Kind, item: Option<Item>) {
        let item = item.unwrap_or(Item::Other);
        self.copy(self.size(item));
        frame.add(kind, item);
    }

    fn copy(&mut self, size: u64) {
        self.copies = self.copies.saturating_add(size);
    }

    fn size(&self, item: Item) -> u64 {
        match item {
            Item::Instance(number) => self.instances.get(number).map_or(1, |it| it.size),
            Item::Component(number) => self.components.get(number).map_or(1, |it| it.size),
            Item::Other => 1,
        }
    }

    /// The size of an item that contains these items.
    fn size_of_all(&self, items: impl Iterator<Item = Item>) -> u64 {
        items.fold(1, |all: u64, item| all.saturating_add(self.size(item)))
    }
}
