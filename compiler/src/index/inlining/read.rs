//! Reads the parts of a component that the engine's inlining depends on: what each component in it
//! does at instantiation, and what it captures from outer components.
//!
//! Source: component model, `Binary.md`; wasmtime-environ 48, `component/translate.rs`,
//! `LexicalScope`.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Parser, Payload,
};

use super::MAX_COPIES;
use crate::index::spaces::Sort;

/// The kinds of items that are copied with their contents.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Instance,
    Component,
    Other,
}

impl Kind {
    /// The index space for items of this kind, if that index space is followed.
    pub(super) fn sort(self) -> Option<Sort> {
        match self {
            Self::Instance => Some(Sort::Instance),
            Self::Component => Some(Sort::Component),
            Self::Other => None,
        }
    }
}

impl From<ComponentExternalKind> for Kind {
    fn from(kind: ComponentExternalKind) -> Self {
        match kind {
            ComponentExternalKind::Instance => Self::Instance,
            ComponentExternalKind::Component => Self::Component,
            _ => Self::Other,
        }
    }
}

/// A name, and an index in the index space of a kind.
pub(super) type Named<'a> = (&'a str, Kind, u32);

/// A component as it is written.
#[derive(Default)]
pub(super) struct Definition<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) exports: Vec<Named<'a>>,
}

/// What a component does at instantiation.
pub(super) enum Entry<'a> {
    /// Takes an argument.
    Import(&'a str, Kind),
    /// Adds an existing entry again.
    Again(Kind, u32),
    /// Adds a component that it has captured.
    Captured(usize),
    /// Adds an export of an instance.
    Exported(u32, &'a str, Kind),
    /// Adds a component, which captures these items.
    Define(usize, Vec<Capture>),
    Instantiate(u32, Vec<Named<'a>>),
    /// Makes an instance from existing entries.
    Group(Vec<Named<'a>>),
    /// Adds this many entries for which nothing is copied.
    Others(u32),
}

/// What a component captures from the component around it.
#[derive(Clone, Copy)]
pub(super) enum Capture {
    /// A component, by its index.
    Component(u32),
    /// An item that the outer component itself has captured.
    Captured(usize),
    Other,
}

/// A component that is being read.
#[derive(Default)]
struct Level<'a> {
    definition: Definition<'a>,
    captures: Vec<Capture>,
}

/// The total number of entries that the components capture. An alias captures one entry in each
/// component that it passes, at most a hundred.
#[derive(Default)]
pub(super) struct Captures(u64);

impl Captures {
    /// Whether the engine's front end should not copy so many entries. Reading stops then.
    pub(super) fn are_too_many(&self) -> bool {
        self.0 > MAX_COPIES
    }
}

/// All components, the outermost last. `None` if they cannot be read, or capture too much.
pub(super) fn read<'a>(component: &'a [u8], all: &mut Captures) -> Option<Vec<Definition<'a>>> {
    let mut done = Vec::new();
    let mut open: Vec<Level<'_>> = Vec::new();
    let mut in_module = false;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => in_module = true,
            Payload::Version { .. } => open.push(Level::default()),
            Payload::End(_) if in_module => in_module = false,
            Payload::End(_) => {
                let Level {
                    definition,
                    captures,
                } = open.pop()?;
                let number = done.len();
                done.push(definition);
                match open.last_mut() {
                    Some(outer) => {
                        let entry = Entry::Define(number, captures);
                        outer.definition.entries.push(entry);
                    }
                    None => return Some(done),
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    read_alias(&mut open, alias.ok()?, all)?;
                }
            }
            payload if !in_module => open.last_mut()?.read(payload)?,
            _ => {}
        }
    }
    None
}

fn read_alias<'a>(
    open: &mut [Level<'a>],
    alias: ComponentAlias<'a>,
    all: &mut Captures,
) -> Option<()> {
    let entry = match alias {
        ComponentAlias::InstanceExport {
            kind,
            instance_index,
            name,
        } => Entry::Exported(instance_index, name, Kind::from(kind)),
        ComponentAlias::Outer {
            kind: ComponentOuterAliasKind::Component,
            count,
            index,
        } => match capture(open, count, Capture::Component(index), all)? {
            Capture::Component(index) => Entry::Again(Kind::Component, index),
            Capture::Captured(number) => Entry::Captured(number),
            Capture::Other => Entry::Others(1),
        },
        ComponentAlias::Outer {
            kind: ComponentOuterAliasKind::CoreModule,
            count,
            ..
        } => {
            capture(open, count, Capture::Other, all)?;
            Entry::Others(1)
        }
        _ => Entry::Others(1),
    };
    open.last_mut()?.definition.entries.push(entry);
    Some(())
}

/// Each component between the owner and the user of an item captures it.
fn capture(
    open: &mut [Level<'_>],
    count: u32,
    mut what: Capture,
    all: &mut Captures,
) -> Option<Capture> {
    let inner = open.len().checked_sub(usize::try_from(count).ok()?)?;
    for level in open.get_mut(inner..)? {
        all.0 = all.0.saturating_add(1);
        if all.are_too_many() {
            return None;
        }
        let number = level.captures.len();
        level.captures.push(what);
        what = Capture::Captured(number);
    }
    Some(what)
}

impl<'a> Level<'a> {
    fn read(&mut self, payload: Payload<'a>) -> Option<()> {
        let Definition { entries, exports } = &mut self.definition;
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.ok()?;
                    let kind = match import.ty {
                        ComponentTypeRef::Instance(_) => Kind::Instance,
                        ComponentTypeRef::Component(_) => Kind::Component,
                        _ => Kind::Other,
                    };
                    entries.push(Entry::Import(import.name.name, kind));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    let kind = Kind::from(export.kind);
                    // An export is a new entry of its index space.
                    entries.push(Entry::Again(kind, export.index));
                    exports.push((export.name.name, kind, export.index));
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    entries.push(match instance.ok()? {
                        ComponentInstance::Instantiate {
                            component_index,
                            args,
                        } => {
                            let named = args
                                .iter()
                                .map(|it| (it.name, Kind::from(it.kind), it.index));
                            Entry::Instantiate(component_index, named.collect())
                        }
                        ComponentInstance::FromExports(items) => {
                            let named = items
                                .iter()
                                .map(|it| (it.name.name, Kind::from(it.kind), it.index));
                            Entry::Group(named.collect())
                        }
                    });
                }
            }
            Payload::ModuleSection { .. } => entries.push(Entry::Others(1)),
            Payload::InstanceSection(section) => entries.push(Entry::Others(section.count())),
            Payload::ComponentTypeSection(section) => {
                entries.push(Entry::Others(section.count()));
            }
            Payload::ComponentCanonicalSection(section) => {
                entries.push(Entry::Others(section.count()));
            }
            _ => {}
        }
        Some(())
    }
}
