//! Counts and limits the totals of a program's definitions, before anything walks them.
//!
//! Some work of the validator and of the engine's front end is the product of two totals, and a
//! small file can make both large. So one pass over the sections counts them first, in time that is
//! linear in the bytes:
//!
//! - *Definitions.* At the end of each core module and component, and once more where a module's
//!   code begins, both tools copy the list of all type lists so far. The copy takes at least 64
//!   bytes for each earlier module or component, and is kept. So the memory is the square of the
//!   number of definitions: 5,000 empty modules (50 KB) took 0.8 GB, and 20,000 took 12.6 GB.
//! - *Names.* Each name under which a component imports or exports a type is an entry in a table
//!   that is copied at the same times. All names are counted.
//! - *Types.* Each use of a type walks all of its parts ([`crate::index::component_types`]).
//! - *Instances.* Each core instance has an entry for each import of its module.
//! - *Operands.* The operands of instructions are compared with lists that a module states only
//!   once ([`crate::input::operands`]).
//!
//! The maxima in 75 real programs (up to 55 MB; a Python runtime with its libraries is the largest)
//! are: 17 definitions, 114 instances, 153,000 for instances times imports, fewer than 100,000 for
//! names times copies, 19,000 parts of types, and no long list of parameters or results.
//! `docs/limits.md` has the limits.
//!
//! Sources: wasmparser 0.254, `validator/types.rs` (`TypeList::commit`) and
//! `validator/component_types.rs` (`ComponentTypeList::commit`); wasmtime-environ 48,
//! `component/translate.rs`, `Payload::ModuleSection` and `Payload::End`.

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use wasmparser::{Encoding, Parser, Payload};

use crate::index::beyond::Beyond;
use crate::index::component_types::ComponentTypes;
use crate::input::operands::Operands;

/// The maximum number of core modules and components at any depth, including the program itself.
/// 1,000 of them with code make 2,000 copies, which take up to 300 MB.
const MAX_DEFINITIONS: u64 = 1000;

/// The maximum number of names of imports and exports, counted once for each later copy. An entry
/// takes about 16 bytes.
const MAX_NAMES_COPIED: u64 = 4_000_000;

/// The maximum number of core instances and of instances of components. The engine has the same
/// limit for the instances that a program makes at instantiation (`inlining.rs`).
const MAX_INSTANCES: u64 = 10_000;

/// The maximum of core instances times imports: each instance counts with the largest number of
/// imports of a core module before it.
const MAX_IMPORTS_FILLED: u64 = 4_000_000;

/// The maximum number of comparisons of operands with long lists. A hundred million take about a
/// second.
const MAX_OPERANDS: u64 = 200_000_000;

/// The maximum number of parts of component types, counted again for each use. A million take about
/// a second, or about five if they are resources. Real programs have up to 19,000.
const MAX_TYPE_PARTS: u64 = 1_000_000;

/// The minimum length of an export of a type in a component or instance type, in bytes.
const SHORTEST_EXPORT: usize = 7;

/// Checks that no total exceeds its limit. The validator reports what cannot be read.
///
/// # Errors
///
/// The message says which total, how large it is, where the program exceeds the limit, and what to
/// do. If the program is text, an offset does not help, so the message also names the core module
/// or component.
pub(crate) fn check(wasm: &[u8]) -> Result<(), Beyond> {
    let mut totals = Totals::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        if totals.read(wasm, &payload).is_err() {
            break;
        }
        if let Some(beyond) = totals.too_deep() {
            return Err(beyond);
        }
    }
    totals.beyond().map_or(Ok(()), Err)
}

/// A core module or component of the program, or a function in one, each by its number in file
/// order.
#[derive(Clone, Copy)]
enum Within {
    Component(u32),
    /// A core module in a component.
    Module(u32),
    /// The program, which is a core module.
    Program,
    Function {
        index: usize,
        /// The number of the core module in a component.
        module: Option<u32>,
    },
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Within::Component(0) => write!(f, "in the outermost component"),
            Within::Component(number) => write!(f, "in component {number}"),
            Within::Module(number) => write!(f, "in core module {number}"),
            Within::Program => write!(f, "in the core module"),
            Within::Function {
                index,
                module: None,
            } => write!(f, "in function {index}"),
            Within::Function {
                index,
                module: Some(number),
            } => write!(f, "in function {index} of core module {number}"),
        }
    }
}

impl Within {
    /// The function with this index in this module, if the index is known.
    fn function(self, index: Option<usize>) -> Self {
        let Some(index) = index else { return self };
        let module = match self {
            Within::Module(number) => Some(number),
            _ => None,
        };
        Within::Function { index, module }
    }
}

/// Where a program exceeds a limit.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    within: Within,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(at offset {:#x}, {})", self.offset, self.within)
    }
}

/// A count that has a limit.
struct Total {
    limit: u64,
    count: u64,
    /// The first place where it exceeds the limit.
    beyond: Option<Place>,
}

impl Total {
    const fn new(limit: u64) -> Self {
        Self {
            limit,
            count: 0,
            beyond: None,
        }
    }

    fn add(&mut self, more: u64, offset: usize, within: Within) {
        self.count = self.count.saturating_add(more);
        if self.count > self.limit {
            self.beyond.get_or_insert(Place { offset, within });
        }
    }
}

struct Totals<'a> {
    definitions: Total,
    names_copied: Total,
    instances: Total,
    imports_filled: Total,
    operands: Total,
    type_parts: Total,
    /// The number of names of imports and exports of components so far.
    names: u64,
    /// The largest number of imports of a core module so far.
    imports: u64,
    /// The core module that is being read.
    module: Option<Operands>,
    types: ComponentTypes<'a>,
    /// The core modules and components that have begun and not ended, the innermost last.
    open: Vec<Within>,
    /// How many core modules have begun.
    modules: u32,
    /// How many components have begun.
    components: u32,
}

impl<'a> Totals<'a> {
    fn new() -> Self {
        Self {
            definitions: Total::new(MAX_DEFINITIONS),
            names_copied: Total::new(MAX_NAMES_COPIED),
            instances: Total::new(MAX_INSTANCES),
            imports_filled: Total::new(MAX_IMPORTS_FILLED),
            operands: Total::new(MAX_OPERANDS),
            type_parts: Total::new(MAX_TYPE_PARTS),
            names: 0,
            imports: 0,
            module: None,
            types: ComponentTypes::default(),
            open: Vec::new(),
            modules: 0,
            components: 0,
        }
    }

    /// The module or component that is being read.
    fn here(&self) -> Within {
        self.open.last().copied().unwrap_or(Within::Program)
    }

    /// A core module or component begins.
    fn begin(&mut self, encoding: Encoding) {
        let within = match encoding {
            Encoding::Module if self.open.is_empty() => Within::Program,
            Encoding::Module => {
                let number = self.modules;
                self.modules = number.saturating_add(1);
                Within::Module(number)
            }
            Encoding::Component => {
                let number = self.components;
                self.components = number.saturating_add(1);
                Within::Component(number)
            }
        };
        self.open.push(within);
    }

    fn read(&mut self, wasm: &'a [u8], payload: &Payload<'a>) -> wasmparser::Result<()> {
        if let Payload::Version { encoding, .. } = payload {
            self.begin(*encoding);
        }
        let here = self.here();
        match payload {
            Payload::Version {
                encoding, range, ..
            } => {
                self.definitions.add(1, range.start, here);
                match encoding {
                    Encoding::Module => self.module = Some(Operands::default()),
                    Encoding::Component => self.types.begin(),
                }
            }
            Payload::End(offset) => {
                self.names_copied.add(self.names, *offset, here);
                self.open.pop();
                if self.module.take().is_none() {
                    self.types.end(*offset);
                }
            }
            Payload::CodeSectionStart { range, .. } => {
                self.names_copied.add(self.names, range.start, here);
            }
            Payload::ImportSection(section) => {
                let imports = listed(section.count(), &section.range());
                self.imports = self.imports.max(imports);
            }
            Payload::InstanceSection(section) => {
                let range = section.range();
                let instances = listed(section.count(), &range);
                self.instances.add(instances, range.start, here);
                let filled = instances.saturating_mul(self.imports);
                self.imports_filled.add(filled, range.start, here);
            }
            Payload::ComponentInstanceSection(section) => {
                let range = section.range();
                let instances = listed(section.count(), &range);
                self.instances.add(instances, range.start, here);
            }
            Payload::ComponentImportSection(section) => {
                self.add_names(listed(section.count(), &section.range()));
            }
            Payload::ComponentExportSection(section) => {
                self.add_names(listed(section.count(), &section.range()));
            }
            Payload::ComponentTypeSection(section) => {
                self.add_names((section.range().len() / SHORTEST_EXPORT) as u64);
            }
            _ => {}
        }
        match (&mut self.module, payload) {
            (Some(module), Payload::CodeSectionEntry(body)) => {
                let operands = module.read(payload)?;
                let within = here.function(module.last_read());
                self.operands.add(operands, body.range().start, within);
            }
            (Some(module), _) => {
                module.read(payload)?;
            }
            (None, _) => {
                let parts = self.types.read(wasm, payload)?;
                let section = payload.as_section();
                let offset = section.map_or(0, |(_, range)| range.start);
                self.type_parts.add(parts, offset, here);
            }
        }
        Ok(())
    }

    fn add_names(&mut self, names: u64) {
        self.names = self.names.saturating_add(names);
    }

    /// If types are nested too deeply, says where.
    fn too_deep(&self) -> Option<Beyond> {
        let (limit, offset) = self.types.too_deep()?;
        let within = self.here();
        let place = Place { offset, within };
        Some(Beyond {
            message: format!("component types are nested more than {limit} deep {place}"),
            advice: "nest types less deeply",
        })
    }

    /// If a total exceeds its limit, says which one.
    fn beyond(&self) -> Option<Beyond> {
        let totals = [
            (
                &self.definitions,
                "core modules and components",
                "build it as several programs",
            ),
            (
                &self.instances,
                "instances of core modules and components",
                "build it as several programs",
            ),
            (
                &self.imports_filled,
                "imports of core modules, counted again for each instance,",
                "make fewer instances or import less",
            ),
            (
                &self.names_copied,
                "imports and exports of components, counted again for each core module and \
                 component after them,",
                "build it as several programs",
            ),
            (
                &self.type_parts,
                "parts of types, counted again for each use,",
                "pass smaller types",
            ),
            (
                &self.operands,
                "comparisons of operands with long lists of parameters or results",
                "pass a struct in their place, or shorten the jump tables",
            ),
        ];
        totals.into_iter().find_map(|(total, what, advice)| {
            let place = total.beyond?;
            Some(Beyond {
                message: format!(
                    "more than {} {what} are not supported: the program has {} and passes the \
                     limit {place}",
                    total.limit, total.count
                ),
                advice,
            })
        })
    }
}

/// How many entries a section can have. Each takes at least one byte, whatever the count says.
fn listed(count: u32, section: &Range<usize>) -> u64 {
    u64::from(count).min(section.len() as u64)
}
