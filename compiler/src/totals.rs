//! Totals of what a program defines, capped before anything walks them.
//!
//! Some work of the validator and of the engine's front end is the product of two totals. Small
//! files can make both large. So one pass over the sections counts them first, in time linear in
//! the bytes:
//!
//! - At the end of each core module and component, and once more where a module's code begins, both
//!   copy the list of all type lists so far, at least 64 bytes for each module or component before.
//!   They keep the copies. So the memory is the square of the number of *definitions*: 5,000 empty
//!   modules (50 KB) took 0.8 GB, 20,000 took 12.6 GB.
//! - Each *name* under which a component imports or exports a type gets an entry in a table that is
//!   copied each of those times too. All names are counted.
//! - Each use of a *type* walks all its parts ([`crate::component_types`]).
//! - Each core *instance* has an entry for each import of its module.
//! - The operands of a function are compared with lists that its module states once
//!   ([`crate::operands`]).
//!
//! The most that 75 real programs have (up to 55 MB; a Python runtime with its libraries has most):
//! 17 definitions, 114 instances, 153,000 for instances times imports, fewer than 100,000 for names
//! times copies, 14,000 parts of types, and no long list of operands at all. `docs/limits.md` has
//! the limits.
//!
//! Sources: wasmparser 0.254, `validator/types.rs` (`TypeList::commit`) and
//! `validator/component_types.rs` (`ComponentTypeList::commit`); wasmtime-environ 48,
//! `component/translate.rs`, `Payload::ModuleSection` and `Payload::End`.

use std::ops::Range;

use wasmparser::{Encoding, Parser, Payload};

use crate::component_types::ComponentTypes;
use crate::operands::Operands;

/// Core modules and components at any depth, the program itself included. 1,000 of them with code
/// make 2,000 copies, which take up to 300 MB.
const MAX_DEFINITIONS: u64 = 1000;

/// Names of imports and exports, counted again for each copy that is made behind them. An entry
/// takes some 16 bytes.
const MAX_NAMES_COPIED: u64 = 4_000_000;

/// Core instances and instances of components. The engine has the same limit for those that a
/// program makes when it is instantiated (`engine_limits`).
const MAX_INSTANCES: u64 = 10_000;

/// Core instances times the most imports of a core module before them.
const MAX_IMPORTS_FILLED: u64 = 4_000_000;

/// Operands that are compared in wide lists. A hundred million take about a second.
const MAX_OPERANDS: u64 = 200_000_000;

/// Parts of component types, again for each use. A million take about a second, if they are of
/// resources some five. Real programs have up to 14,000.
const MAX_TYPE_PARTS: u64 = 1_000_000;

/// An export of a type in a component or instance type takes at least so many bytes.
const SHORTEST_EXPORT: usize = 7;

/// Checks that no total is beyond its limit. What cannot be read is left to the validator.
///
/// # Errors
///
/// Says which total, what the program has, where it passes the limit, and what to do.
pub(crate) fn check(wasm: &[u8]) -> Result<(), String> {
    let mut totals = Totals::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        if totals.read(wasm, &payload).is_err() {
            break;
        }
        if let Some(offset) = totals.types.too_deep {
            return Err(format!(
                "component types are nested more than 100 deep (at offset {offset:#x})"
            ));
        }
    }
    match totals.beyond() {
        Some(message) => Err(message),
        None => Ok(()),
    }
}

/// A count with a limit.
struct Total {
    limit: u64,
    count: u64,
    /// Where it is first more than the limit.
    beyond: Option<usize>,
}

impl Total {
    const fn new(limit: u64) -> Self {
        Self {
            limit,
            count: 0,
            beyond: None,
        }
    }

    fn add(&mut self, more: u64, offset: usize) {
        self.count = self.count.saturating_add(more);
        if self.count > self.limit {
            self.beyond.get_or_insert(offset);
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
    /// Names of imports and exports of components so far.
    names: u64,
    /// The most imports of a core module so far.
    imports: u64,
    /// The core module that is being read.
    module: Option<Operands>,
    types: ComponentTypes<'a>,
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
        }
    }

    fn read(&mut self, wasm: &'a [u8], payload: &Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::Version {
                encoding, range, ..
            } => {
                self.definitions.add(1, range.start);
                match encoding {
                    Encoding::Module => self.module = Some(Operands::default()),
                    Encoding::Component => self.types.begin(),
                }
            }
            Payload::End(offset) => {
                self.names_copied.add(self.names, *offset);
                if self.module.take().is_none() {
                    self.types.end();
                }
            }
            Payload::CodeSectionStart { range, .. } => {
                self.names_copied.add(self.names, range.start);
            }
            Payload::ImportSection(section) => {
                let imports = listed(section.count(), &section.range());
                self.imports = self.imports.max(imports);
            }
            Payload::InstanceSection(section) => {
                let range = section.range();
                let instances = listed(section.count(), &range);
                self.instances.add(instances, range.start);
                let filled = instances.saturating_mul(self.imports);
                self.imports_filled.add(filled, range.start);
            }
            Payload::ComponentInstanceSection(section) => {
                let range = section.range();
                let instances = listed(section.count(), &range);
                self.instances.add(instances, range.start);
            }
            Payload::ComponentImportSection(section) => {
                self.name(listed(section.count(), &section.range()));
            }
            Payload::ComponentExportSection(section) => {
                self.name(listed(section.count(), &section.range()));
            }
            Payload::ComponentTypeSection(section) => {
                self.name(number(section.range().len() / SHORTEST_EXPORT));
            }
            _ => {}
        }
        match (&mut self.module, payload) {
            (Some(module), Payload::CodeSectionEntry(body)) => {
                self.operands.add(module.read(payload)?, body.range().start);
            }
            (Some(module), _) => {
                module.read(payload)?;
            }
            (None, _) => {
                let parts = self.types.read(wasm, payload)?;
                let section = payload.as_section();
                let offset = section.map_or(0, |(_, range)| range.start);
                self.type_parts.add(parts, offset);
            }
        }
        Ok(())
    }

    fn name(&mut self, names: u64) {
        self.names = self.names.saturating_add(names);
    }

    /// Says which total is beyond its limit.
    fn beyond(&self) -> Option<String> {
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
                 component behind them,",
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
            let offset = total.beyond?;
            Some(format!(
                "more than {} {what} are not supported: the program has {} and passes the limit \
                 (at offset {offset:#x}); {advice}",
                total.limit, total.count
            ))
        })
    }
}

/// How many entries a section can have. Each takes at least one byte, whatever the count says.
fn listed(count: u32, section: &Range<usize>) -> u64 {
    u64::from(count).min(number(section.len()))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        Component, ComponentExportKind, ComponentExportSection, ComponentTypeSection, Module,
        ModuleSection, NestedComponentSection, PrimitiveValType,
    };

    use super::*;
    use crate::{ValidateError, validate};

    /// A component with so many empty core modules.
    fn with_modules(count: u64) -> Component {
        let mut component = Component::new();
        for _ in 0..count {
            component.section(&ModuleSection(&Module::new()));
        }
        component
    }

    fn refused(wasm: Vec<u8>) -> String {
        match validate(wasm).unwrap_err() {
            ValidateError::Engine { message } => message,
            error => panic!("{error}"),
        }
    }

    #[test]
    fn so_many_definitions_and_no_more() {
        // The component is one too.
        let most = MAX_DEFINITIONS - 1;
        validate(with_modules(most).finish()).unwrap();
        assert_eq!(
            refused(with_modules(most + 2).finish()),
            // The header, and ten bytes for each module.
            format!(
                "more than 1000 core modules and components are not supported: the program has \
                 1002 and passes the limit (at offset {:#x}); build it as several programs",
                8 + 10 * 999 + 2
            )
        );
    }

    #[test]
    fn definitions_are_counted_at_any_depth() {
        let inner = with_modules(400);
        for (components, is_refused) in [(2, false), (3, true), (20, true)] {
            let mut outer = Component::new();
            for _ in 0..components {
                outer.section(&NestedComponentSection(&inner));
            }
            assert_eq!(check(&outer.finish()).is_err(), is_refused, "{components}");
        }
    }

    /// Adds so many exports of a type.
    fn add_names(component: &mut Component, names: u64) {
        let mut types = ComponentTypeSection::new();
        types.defined_type().primitive(PrimitiveValType::U8);
        let mut exports = ComponentExportSection::new();
        for name in 0..names {
            let name = format!("t{name}");
            exports.export(name.as_str(), ComponentExportKind::Type, 0, None);
        }
        component.section(&types).section(&exports);
    }

    /// A component with so many exports of a type in front of so many core modules.
    fn with_names(names: u64, modules: u64) -> Vec<u8> {
        let mut component = Component::new();
        add_names(&mut component, names);
        for _ in 0..modules {
            component.section(&ModuleSection(&Module::new()));
        }
        component.finish()
    }

    #[test]
    fn names_count_again_for_each_definition_behind_them() {
        // The end of the component itself counts as well.
        check(&with_names(5000, 799)).unwrap();
        let error = refused(with_names(5000, 800));
        let begins = "more than 4000000 imports and exports of components, counted again for each \
                      core module and component behind them, are not supported: the program has \
                      4005000 and";
        assert!(error.starts_with(begins), "{error}");
        // Not for those in front of them.
        let mut component = with_modules(900);
        add_names(&mut component, 5000);
        check(&component.finish()).unwrap();
    }

    /// A component with a core module of so many imports, and so many instances of it.
    fn with_instances(imports: usize, instances: usize) -> Vec<u8> {
        let imports: String = (0..imports)
            .map(|number| format!("(import \"m\" \"{number}\" (global i32))"))
            .collect();
        let instances = "(core instance (instantiate $m))".repeat(instances);
        wat::parse_str(format!(
            "(component (core module $m {imports}) {instances})"
        ))
        .unwrap()
    }

    #[test]
    fn imports_count_again_for_each_instance() {
        check(&with_instances(4000, 1000)).unwrap();
        let error = check(&with_instances(4000, 1001)).unwrap_err();
        let begins = "more than 4000000 imports of core modules, counted again for each instance, \
                      are not supported: the program has 4004000 and passes the limit (at offset";
        assert!(error.starts_with(begins), "{error}");
    }

    #[test]
    fn so_many_instances_and_no_more() {
        check(&with_instances(0, 10_000)).unwrap();
        let error = check(&with_instances(0, 10_001)).unwrap_err();
        let begins = "more than 10000 instances of core modules and components are not supported: \
                      the program has 10001";
        assert!(error.starts_with(begins), "{error}");
        let instances = "(instance (instantiate $c))".repeat(10_001);
        let text = format!("(component (component $c) {instances})");
        check(&wat::parse_str(text).unwrap()).unwrap_err();
    }

    #[test]
    fn a_count_that_the_file_does_not_have_is_left_to_the_validator() {
        // A section of four billion core instances.
        let wasm = b"\0asm\x0d\0\x01\0\x02\x05\xff\xff\xff\xff\x0f";
        check(wasm).unwrap();
        let error = validate(wasm.to_vec()).unwrap_err();
        assert!(matches!(error, ValidateError::Invalid { .. }), "{error}");
    }

    #[test]
    fn long_lists_of_operands_are_counted_in_code() {
        let error = crate::operands::tests::jumps(1000, 63, 4000);
        let error = refused(error);
        let begins = "more than 200000000 comparisons of operands with long lists of parameters or \
                      results are not supported: the program has ";
        assert!(error.starts_with(begins), "{error}");
        validate(crate::operands::tests::jumps(1000, 63, 100)).unwrap();
    }
}
