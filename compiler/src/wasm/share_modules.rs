//! Stores identical core modules and components of a program only once.
//!
//! The engine compiles every definition, even if it has already compiled the same bytes. If an
//! earlier definition in the same component or one around it has the same bytes, this stage
//! replaces the later one by an alias. The alias takes the same place in the index space, so
//! nothing else changes. A core module has no state and refers to nothing outside it, so two
//! modules with the same bytes are the same. A component may refer to items around it. For two
//! components in the same component these items are the same, so those are shared as well.
//!
//! Source: component model, `Explainer.md`, "Alias Definitions" (`outer`; 0 is the component
//! itself).

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash, Hasher};

use wasm_encoder::{
    Alias, ComponentAliasSection, ComponentOuterAliasKind as Outer, ComponentSection as _,
    ComponentSectionId, RawSection,
};
use wasmparser::{Encoding, Payload};

use crate::index::follow::Meaning;
use crate::index::spaces::{Sort, Spaces};
use crate::input::validate::validate_known;
use crate::wasm::sections::{Rewritten, sections};
use crate::{ProgramKind, ValidComponent};

/// The program without duplicates, and the number of duplicates.
pub(crate) fn share_modules(program: ValidComponent) -> (ValidComponent, usize) {
    if program.kind() == ProgramKind::Module {
        return (program, 0);
    }
    let mut sharing = Sharing::default();
    let mut out = Rewritten::new(program.bytes());
    let understood = sharing.rewrite(program.bytes(), &mut out);
    let found = sharing.found;
    let rewritten = understood.and_then(|()| out.finish());
    // All function bodies existed before.
    let code = program.code();
    match rewritten.and_then(|bytes| validate_known(bytes, code).ok()) {
        Some(component) => (component, found),
        None => (program, 0),
    }
}

/// The first index of each definition's bytes in a component.
#[derive(Default)]
struct First<'a> {
    modules: HashMap<Definition<'a>, u32>,
    components: HashMap<Definition<'a>, u32>,
}

/// Counts entries of index spaces. Only their number matters.
struct Counted;

impl Meaning<'_> for Counted {
    type Known = ();
}

/// The bytes of a core module or component. They are hashed once, because they are searched in each
/// component around them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Definition<'a> {
    hash: u64,
    bytes: &'a [u8],
}

impl Hash for Definition<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

#[derive(Default)]
struct Sharing<'a> {
    spaces: Spaces<()>,
    /// One entry for each component that is being read, the innermost last.
    first: Vec<First<'a>>,
    found: usize,
    /// Seeded, so that no program can be made whose definitions all have the same hash.
    hasher: RandomState,
}

impl<'a> Sharing<'a> {
    /// `None` if the component contains something unknown.
    fn rewrite(&mut self, component: &'a [u8], out: &mut Rewritten<'_>) -> Option<()> {
        self.spaces.begin();
        self.first.push(First::default());
        for section in sections(component) {
            let section = section?;
            match (&section.payload, section.nested) {
                (Payload::ModuleSection { .. }, Some(inner)) => {
                    let module = self.definition(inner);
                    match self.module(&module) {
                        Some(alias) => self.replace(alias, out.replace(&section)),
                        None => out.keep(&section),
                    }
                    self.define(Encoding::Module, module)?;
                }
                (Payload::ComponentSection { .. }, Some(inner)) => {
                    let component = self.definition(inner);
                    match self.first.last()?.components.get(&component).copied() {
                        Some(index) => {
                            let alias = outer(Outer::Component, 0, index);
                            self.replace(alias, out.replace(&section));
                        }
                        None => {
                            let mut new = Rewritten::new(inner);
                            self.rewrite(inner, &mut new)?;
                            match new.finish() {
                                None => out.keep(&section),
                                Some(new) => {
                                    let id = ComponentSectionId::Component.into();
                                    let new = RawSection { id, data: &new };
                                    new.append_to_component(out.replace(&section));
                                }
                            }
                        }
                    }
                    self.define(Encoding::Component, component)?;
                }
                (Payload::UnknownSection { .. }, _) => return None,
                (payload, _) => {
                    self.spaces.read(payload, &mut Counted).ok()?;
                    out.keep(&section);
                }
            }
        }
        self.first.pop();
        self.spaces.end();
        Some(())
    }

    /// Adds a definition to its index space.
    fn define(&mut self, encoding: Encoding, definition: Definition<'a>) -> Option<()> {
        let sort = Sort::of_definition(encoding);
        let index = self.spaces.next_index(sort);
        let first = self.first.last_mut()?;
        let first = match encoding {
            Encoding::Module => &mut first.modules,
            Encoding::Component => &mut first.components,
        };
        first.entry(definition).or_insert(index);
        self.spaces.add(sort, ());
        Some(())
    }

    fn definition(&self, bytes: &'a [u8]) -> Definition<'a> {
        let hash = self.hasher.hash_one(bytes);
        Definition { hash, bytes }
    }

    /// An alias of an earlier core module with the same bytes.
    fn module(&self, module: &Definition<'a>) -> Option<Alias<'static>> {
        let components = self.first.iter().rev().zip(0..);
        let mut places = components.filter_map(|(first, count)| {
            let index = first.modules.get(module)?;
            Some(outer(Outer::CoreModule, count, *index))
        });
        places.next()
    }

    fn replace(&mut self, alias: Alias<'_>, out: &mut Vec<u8>) {
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(alias);
        aliases.append_to_component(out);
        self.found += 1;
    }
}

fn outer(kind: Outer, count: u32, index: u32) -> Alias<'static> {
    Alias::Outer { kind, count, index }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;

    /// Checks that the first program becomes the second.
    fn becomes(program: &str, expected: &str, found: usize) {
        let wasm = |text: &str| wat::parse_str(text).unwrap();
        let (shared, count) = share_modules(validate(wasm(program)).unwrap());
        assert_eq!(count, found);
        assert!(shared.bytes() == wasm(expected), "{program}");
    }

    const M: &str = r#"(func (export "f"))"#;

    #[test]
    fn a_duplicate_becomes_an_alias_in_its_place() {
        let rest = "(core module (memory 1)) (core instance (instantiate 1)) \
                    (core instance (instantiate 2)) (core instance (instantiate 0))";
        becomes(
            &format!("(component (core module {M}) (core module {M}) {rest})"),
            &format!("(component (core module {M}) (alias outer 0 0 (core module)) {rest})"),
            1,
        );
    }

    #[test]
    fn a_duplicate_of_one_further_out_becomes_an_alias() {
        becomes(
            &format!(
                r#"(component (import "m" (core module)) (core module {M})
                (component (component (core module {M}))))"#
            ),
            &format!(
                r#"(component (import "m" (core module)) (core module {M})
                (component (component (alias outer 2 1 (core module)))))"#
            ),
            1,
        );
    }

    #[test]
    fn entries_that_are_no_definitions_are_counted() {
        let before = format!(
            r#"(import "m" (core module)) (core module {M})
            (export "n" (core module 1)) (alias outer 0 0 (core module))
            (component (export "x" (core module 0)) (alias outer 1 1 (core module)))
            (instance (instantiate 0)) (alias export 0 "x" (core module))
            (core module (memory 1))"#
        );
        let before = before.replace("(component (export", "(component (core module) (export");
        becomes(
            &format!("(component {before} (core module (memory 1)))"),
            &format!("(component {before} (alias outer 0 5 (core module)))"),
            1,
        );
    }

    #[test]
    fn a_component_twice_in_the_same_place_is_one() {
        let inner = format!("(component (type u8) (core module {M}))");
        let rest = "(instance (instantiate 0)) (instance (instantiate 1))";
        becomes(
            &format!("(component {inner} {inner} {rest})"),
            &format!("(component {inner} (alias outer 0 0 (component)) {rest})"),
            1,
        );
        // In an inner component, the same outer alias refers to something else.
        let nested = format!("(component {inner} (component {inner}))");
        becomes(&nested, &nested, 0);
    }

    #[test]
    fn of_many_modules_each_is_an_alias_of_the_first_that_is_the_same() {
        // A type keeps aliases in separate sections.
        let module = |number: usize| format!("(core module (memory {number})) (type u8) ");
        let alias = |number: usize| format!("(alias outer 0 {number} (core module)) (type u8) ");
        let (kinds, rounds) = (30, 20);
        let first: String = (0..kinds).map(module).collect();
        let again: String = (0..kinds).map(alias).collect();
        becomes(
            &format!("(component {})", first.repeat(rounds)),
            &format!("(component {first} {})", again.repeat(rounds - 1)),
            kinds * (rounds - 1),
        );
    }

    #[test]
    fn what_is_there_once_stays_as_it_was() {
        let text = format!("(component (core module {M}) (core module (memory 1)))");
        becomes(&text, &text, 0);
        becomes("(module)", "(module)", 0);
    }
}
