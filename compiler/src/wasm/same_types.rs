//! Compares the types of two components: what they import and export, down to the last resource.
//!
//! Both are validated in one pass, as two components in a third one, without their function bodies.
//! They have the same type if each is a subtype of the other.
//!
//! Source: component model, `Subtyping.md`; wasmparser 0.254, `validator/component_types.rs`,
//! `SubtypeCx::component_type`.

use wasmparser::component_types::SubtypeCx;
use wasmparser::{Encoding, Parser, Validator};

use crate::input::features::SUPPORTED;

/// Whether two valid components have the same type.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    let both = Both {
        one_is_subtype: true,
        other_is_subtype: true,
    };
    compare(one, other).is_ok_and(|found| found == both)
}

/// Whether the first of two valid components can be used in place of the second: it imports no
/// more, and exports no less.
pub(crate) fn is_subtype(one: &[u8], other: &[u8]) -> bool {
    compare(one, other).is_ok_and(|found| found.one_is_subtype)
}

/// Which of two components is a subtype of the other one.
#[derive(PartialEq, Eq)]
struct Both {
    one_is_subtype: bool,
    other_is_subtype: bool,
}

fn compare(one: &[u8], other: &[u8]) -> wasmparser::Result<Both> {
    let mut validator = Validator::new_with_features(SUPPORTED);
    let header = 0..wasm_encoder::Component::HEADER.len();
    validator.version(COMPONENT_VERSION, Encoding::Component, &header)?;
    for component in [one, other] {
        validator.component_section(&header)?;
        for payload in Parser::new(0).parse_all(component) {
            // Function bodies are only counted.
            validator.payload(&payload?)?;
        }
    }
    let types = validator.end(header.end)?;
    let types = types.as_ref();
    let (one, other) = (types.component_at(0), types.component_at(1));
    let is_subtype =
        |one, other| SubtypeCx::new_with_refs(types, types).component_type(one, other, 0);
    Ok(Both {
        one_is_subtype: is_subtype(one, other).is_ok(),
        other_is_subtype: is_subtype(other, one).is_ok(),
    })
}

/// The version in the header of a component, as wasmparser reads it.
const COMPONENT_VERSION: u16 = 0x0d;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(one: &str, other: &str) -> bool {
        let [one, other] =
            [one, other].map(|text| wat::parse_str(format!("(component {text})")).unwrap());
        same(&one, &other)
    }

    const TYPE: &str = r#"(import "i" (instance (export "r" (type (sub resource)))
        (export "f" (func (param "x" (list string)) (result u8)))))
        (core module $m (func (export "f") (param i32)) (func (export "g")))
        (core instance $i (instantiate $m))
        (type $t (resource (rep i32) (dtor (func $i "f"))))
        (export $e "t" (type $t))
        (func (export "g") (canon lift (core func $i "g")))"#;

    #[test]
    fn core_modules_do_not_matter() {
        let other = TYPE.replace(
            "(core module $m",
            "(core module) (core module $m (memory 1)",
        );
        assert!(is_same(TYPE, TYPE));
        assert!(is_same(TYPE, &other));
    }

    #[test]
    fn names_types_and_resources_matter() {
        for (part, changed) in [
            ("\"i\"", "\"j\""),
            ("(result u8)", "(result u16)"),
            ("(list string)", "string"),
            (r#"(func (export "g")"#, r#"(func (export "h")"#),
            (r#"(export $e "t" (type $t))"#, ""),
        ] {
            let other = TYPE.replacen(part, changed, 1);
            assert_ne!(TYPE, other);
            assert!(!is_same(TYPE, &other), "{other}");
        }
        // More exports or fewer imports alone make a subtype, but not the same type.
        let more = format!(r#"{TYPE} (component $more) (export "more" (component $more))"#);
        assert!(!is_same(TYPE, &more) && !is_same(&more, TYPE));
    }

    #[test]
    fn fewer_imports_and_more_exports_make_a_subtype() {
        let subtype = |one: &str, other: &str| {
            let [one, other] =
                [one, other].map(|text| wat::parse_str(format!("(component {text})")).unwrap());
            is_subtype(&one, &other)
        };
        let more_exports = format!(r#"{TYPE} (component $more) (export "more" (component $more))"#);
        let more_imports = format!(r#"(import "more" (func)) {TYPE}"#);
        assert!(subtype(TYPE, TYPE));
        assert!(subtype(&more_exports, TYPE) && !subtype(TYPE, &more_exports));
        assert!(subtype(TYPE, &more_imports) && !subtype(&more_imports, TYPE));
    }

    #[test]
    fn what_is_no_component_is_not_the_same() {
        let component = wat::parse_str("(component)").unwrap();
        let module = wat::parse_str("(module)").unwrap();
        assert!(!same(&component, &module) && !same(&component, b"x"));
        assert!(!is_subtype(&component, &module) && !is_subtype(&component, b"x"));
    }
}
