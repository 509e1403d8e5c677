//! A core module that is in a component twice is stored once.
//!
//! The engine compiles every definition, also of what it has compiled already. A definition
//! with the bytes of an earlier one in the same or an enclosing component becomes an alias of
//! that one, which takes the same place in the index space: nothing else has to change.
//! A core module has no state and refers to nothing outside of it, so that two of the same
//! bytes are one. A component may refer to its surroundings, which are the same for two in the
//! same component: those are shared as well.
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
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentTypeRef, Payload,
};

use crate::sections::{Rewritten, sections};
use crate::validate::validate_known;
use crate::{Kind, ValidComponent};

/// The program without duplicates, and how many there were.
pub(crate) fn share_modules(program: ValidComponent) -> (ValidComponent, usize) {
    if program.kind() == Kind::Module {
        return (program, 0);
    }
    let mut sharing = Sharing::default();
    let mut out = Rewritten::new(program.bytes());
    let understood = sharing.rewrite(program.bytes(), &mut out);
    let found = sharing.found;
    let rewritten = understood.and_then(|()| out.finish());
    // No function body is there that was not there before.
    let code = program.code();
    match rewritten.and_then(|bytes| validate_known(bytes, code).ok()) {
        Some(component) => (component, found),
        None => (program, 0),
    }
}

/// The index spaces of a component.
#[derive(Default)]
struct Scope<'a> {
    modules: Space<'a>,
    components: Space<'a>,
}

/// An index space: where the bytes of a definition are first in it, and how long it is.
#[derive(Default)]
struct Space<'a> {
    first: HashMap<Definition<'a>, u32>,
    length: u32,
}

impl<'a> Space<'a> {
    /// Adds a definition.
    fn define(&mut self, definition: Definition<'a>) {
        self.first.entry(definition).or_insert(self.length);
        self.skip();
    }

    /// Adds an entry that is not a definition.
    fn skip(&mut self) {
        self.length = self.length.saturating_add(1);
    }
}

/// The bytes of a core module or component. They are hashed once, since they are looked up in each
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
    /// The component that is read, after those around it.
    scopes: Vec<Scope<'a>>,
    found: usize,
    /// Seeded, so that no program can be made whose definitions all have the same hash.
    hasher: RandomState,
}

impl<'a> Sharing<'a> {
    /// `None` when the component has something that is not understood.
    fn rewrite(&mut self, component: &'a [u8], out: &mut Rewritten<'_>) -> Option<()> {
        self.scopes.push(Scope::default());
        for section in sections(component)? {
            match (&section.payload, section.nested) {
                (Payload::ModuleSection { .. }, Some(inner)) => {
                    let module = self.definition(inner);
                    match self.module(&module) {
                        Some(alias) => self.replace(alias, out.replace(&section)),
                        None => out.keep(&section),
                    }
                    self.scope()?.modules.define(module);
                }
                (Payload::ComponentSection { .. }, Some(inner)) => {
                    let component = self.definition(inner);
                    match self.scope()?.components.first.get(&component).copied() {
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
                    self.scope()?.components.define(component);
                }
                (payload, _) => {
                    self.count(payload)?;
                    out.keep(&section);
                }
            }
        }
        self.scopes.pop();
        Some(())
    }

    fn scope(&mut self) -> Option<&mut Scope<'a>> {
        self.scopes.last_mut()
    }

    fn definition(&self, bytes: &'a [u8]) -> Definition<'a> {
        let hash = self.hasher.hash_one(bytes);
        Definition { hash, bytes }
    }

    /// An alias of an earlier core module with the same bytes.
    fn module(&self, module: &Definition<'a>) -> Option<Alias<'static>> {
        let scopes = self.scopes.iter().rev().zip(0..);
        let mut places = scopes.filter_map(|(scope, count)| {
            let index = scope.modules.first.get(module)?;
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

    /// Follows the index spaces through what is not a definition.
    fn count(&mut self, payload: &Payload<'_>) -> Option<()> {
        let scope = self.scope()?;
        let mut kinds = Vec::new();
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    kinds.push(match import.ok()?.ty {
                        ComponentTypeRef::Module(_) => ComponentExternalKind::Module,
                        ComponentTypeRef::Component(_) => ComponentExternalKind::Component,
                        _ => continue,
                    });
                }
            }
            // An export is a new entry of its index space.
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    kinds.push(export.ok()?.kind);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    kinds.push(match alias.ok()? {
                        ComponentAlias::InstanceExport { kind, .. } => kind,
                        ComponentAlias::Outer { kind, .. } => match kind {
                            ComponentOuterAliasKind::CoreModule => ComponentExternalKind::Module,
                            ComponentOuterAliasKind::Component => ComponentExternalKind::Component,
                            _ => continue,
                        },
                        ComponentAlias::CoreInstanceExport { .. } => continue,
                    });
                }
            }
            Payload::UnknownSection { .. } => return None,
            _ => {}
        }
        for kind in kinds {
            match kind {
                ComponentExternalKind::Module => scope.modules.skip(),
                ComponentExternalKind::Component => scope.components.skip(),
                _ => {}
            }
        }
        Some(())
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
        // Further in, the same outer alias is of something else.
        let nested = format!("(component {inner} (component {inner}))");
        becomes(&nested, &nested, 0);
    }

    #[test]
    fn of_many_modules_each_is_an_alias_of_the_first_that_is_the_same() {
        // A type keeps aliases in sections of their own.
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
