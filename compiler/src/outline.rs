//! The outline of a component: all of it but what is in its core modules and its custom sections.
//!
//! Two components of one outline have the same interface, in names and in types: what is imported and exported
//! names types by their numbers, and those are the same as well.

use std::fmt::Debug;

use wasmparser::{FromReader, Payload, SectionLimited};

use crate::sections::sections;

/// What the second component has that the first has otherwise, in a word; `None` when they are of one outline.
pub(crate) fn difference(one: &[u8], other: &[u8]) -> Option<&'static str> {
    let (Some(one), Some(other)) = (outline(one), outline(other)) else {
        return Some("sections");
    };
    let pairs = one.iter().zip(&other);
    let differing = pairs.filter(|(one, other)| one != other);
    let mut kinds = differing.map(|(_, (kind, _))| *kind);
    let more = (one.len() != other.len()).then_some("sections");
    kinds.next().or(more)
}

/// The sections: of what kind, and what is in them.
fn outline(component: &[u8]) -> Option<Vec<(&'static str, String)>> {
    let mut outline = Vec::new();
    for section in sections(component)? {
        outline.push(match section.payload {
            Payload::Version { .. } | Payload::CustomSection(_) => continue,
            Payload::ModuleSection { .. } => ("core modules", String::new()),
            // Numbers in them can be spelt in more than one way.
            Payload::ComponentImportSection(items) => ("imports", listed(items)?),
            Payload::ComponentExportSection(items) => ("exports", listed(items)?),
            Payload::ComponentAliasSection(items) => ("aliases", listed(items)?),
            Payload::ComponentCanonicalSection(items) => ("functions", listed(items)?),
            Payload::ComponentInstanceSection(items) => ("instances", listed(items)?),
            Payload::ComponentTypeSection(_) => ("types", format!("{:?}", section.bytes)),
            _ => ("sections", format!("{:?}", section.bytes)),
        });
    }
    Some(outline)
}

fn listed<'a, T: FromReader<'a> + Debug>(items: SectionLimited<'a, T>) -> Option<String> {
    let items: Vec<T> = items.into_iter().collect::<Result<_, _>>().ok()?;
    Some(format!("{items:?}"))
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
            ("(export", "(core module) (export", "core modules"),
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
        assert_eq!(difference(&component(base), b"no"), Some("sections"));
    }
}
