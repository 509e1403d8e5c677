//! The outline of a component: everything except the contents of its core modules and its custom
//! sections.
//!
//! Two components with the same outline have the same interface, in names and in types. Imports and
//! exports refer to types by number, and these numbers are the same as well.

use std::fmt::Debug;

use wasmparser::{Encoding, FromReader, Payload, SectionLimited};

use crate::wasm::sections::sections;

/// The part in which the second component differs from the first, in a word. `None` if they have
/// the same outline.
pub(crate) fn difference(one: &[u8], other: &[u8]) -> Option<&'static str> {
    let (Some(one), Some(other)) = (outline(one), outline(other)) else {
        return Some("sections");
    };
    let more = (one.len() != other.len()).then_some("sections");
    let mut differences = one.into_iter().zip(other).filter_map(between);
    differences.next().or(more)
}

struct Section<'a> {
    id: u8,
    payload: Payload<'a>,
    /// The content without id and length, which can be encoded in more than one way.
    contents: &'a [u8],
}

/// `None` if it is not a component.
fn outline(component: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut outline = Vec::new();
    for section in sections(component) {
        match section?.payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => return None,
            Payload::Version { .. } | Payload::CustomSection(_) => {}
            payload => {
                let (id, range) = payload.as_section()?;
                outline.push(Section {
                    id,
                    contents: component.get(range)?,
                    payload,
                });
            }
        }
    }
    Some(outline)
}

fn between((one, other): (Section<'_>, Section<'_>)) -> Option<&'static str> {
    let same_bytes = one.id == other.id && one.contents == other.contents;
    let (same, what) = match (one.payload, other.payload) {
        (Payload::ModuleSection { .. }, Payload::ModuleSection { .. }) => (true, "core modules"),
        // The numbers in these can too.
        (Payload::ComponentImportSection(one), Payload::ComponentImportSection(other)) => {
            (same_items(one, other), "imports")
        }
        (Payload::ComponentExportSection(one), Payload::ComponentExportSection(other)) => {
            (same_items(one, other), "exports")
        }
        (Payload::ComponentAliasSection(one), Payload::ComponentAliasSection(other)) => {
            (same_items(one, other), "aliases")
        }
        (Payload::ComponentCanonicalSection(one), Payload::ComponentCanonicalSection(other)) => {
            (same_items(one, other), "functions")
        }
        (Payload::ComponentInstanceSection(one), Payload::ComponentInstanceSection(other)) => {
            (same_items(one, other), "instances")
        }
        (Payload::ComponentTypeSection(_), Payload::ComponentTypeSection(_)) => {
            (same_bytes, "types")
        }
        _ => (same_bytes, "sections"),
    };
    (!same).then_some(what)
}

fn same_items<'a, T: FromReader<'a> + Debug>(
    one: SectionLimited<'a, T>,
    other: SectionLimited<'a, T>,
) -> bool {
    let same = |(one, other)| match (one, other) {
        (Ok(one), Ok(other)) => format!("{one:?}") == format!("{other:?}"),
        _ => false,
    };
    one.count() == other.count() && one.into_iter().zip(other).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(format!("(component {text})")).unwrap()
    }

    #[test]
    fn core_modules_and_custom_sections_may_differ() {
        let one = component(r#"(import "a" (func)) (core module (func)) (@custom "x" "one")"#);
        let other = component(r#"(import "a" (func)) (core module (memory 1))"#);
        assert_eq!(difference(&one, &other), None);
    }

    #[test]
    fn nothing_else_may() {
        let base = r#"(type $t (func)) (import "a" (func $f (type $t))) (export "b" (func $f))"#;
        for (old, new, what) in [
            ("(func))", "(func (param \"x\" u8)))", "types"),
            ("\"a\"", "\"z\"", "imports"),
            ("\"b\"", "\"z\"", "exports"),
            ("(export", "(core module) (export", "sections"),
            (
                base,
                "(type (func)) (import \"a\" (func (type 0)))",
                "sections",
            ),
        ] {
            let changed = base.replacen(old, new, 1);
            let found = difference(&component(base), &component(&changed));
            assert_eq!(found, Some(what), "{changed}");
        }
        for none in ["no".into(), wat::parse_str("(module)").unwrap()] {
            assert_eq!(difference(&component(""), &none), Some("sections"));
        }
    }
}
