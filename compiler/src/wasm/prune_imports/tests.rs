//! Components with imports that nothing uses, and with imports that something uses in each way.

use super::*;
use crate::validate;
use crate::wasm::sections::sections;

fn program(text: &str) -> ValidComponent {
    validate(wat::parse_str(text).unwrap()).unwrap()
}

/// Checks that exactly these imports go, and that the rest is valid.
fn goes(text: &str, expected: &[&str]) -> ValidComponent {
    let before = program(text);
    let Pruned {
        program,
        removed,
        failed,
    } = prune_imports(before.clone());
    assert_eq!(failed, None, "{text}");
    assert_eq!(Vec::from_iter(&removed), expected, "{text}");
    let again = validate(program.bytes().to_vec()).unwrap();
    assert_eq!(again.interface().exports, before.interface().exports);
    if expected.is_empty() {
        assert_eq!(program.bytes(), before.bytes());
    }
    program
}

/// Checks that these imports go, and that the rest is this component, but for the names of its
/// entries.
fn becomes(text: &str, removed: &[&str], expected: &str) {
    let bare = |program: &ValidComponent| {
        let sections = sections(program.bytes()).map(Option::unwrap);
        let rest =
            sections.filter(|it| !matches!(it.payload, wasmparser::Payload::CustomSection(_)));
        rest.flat_map(|section| section.bytes.to_vec())
            .collect::<Vec<u8>>()
    };
    let left = goes(text, removed);
    assert_eq!(bare(&left), bare(&program(expected)), "{text}");
}

#[test]
fn an_unused_import_goes_with_all_that_was_made_of_it() {
    let text = |import: &str, lowered: &str, given: &str| {
        format!(
            r#"(component {import}
            (import "b" (instance $b (export "g" (func))))
            {lowered}
            (core func $g (canon lower (func $b "g")))
            (core module $m (import "env" "g" (func $g)) (func (export "run") (call $g)))
            (core instance $i (instantiate $m
                (with "env" (instance {given} (export "g" (func $g))))))
            (func (export "run") (canon lift (core func $i "run"))))"#
        )
    };
    let import = r#"(import "a" (instance $a (export "f" (func))))"#;
    let lowered = r#"(core func $f (canon lower (func $a "f")))"#;
    let given = r#"(export "f" (func $f))"#;
    becomes(&text(import, lowered, given), &["a"], &text("", "", ""));
    // The core module imports the function, whether or not its code calls it.
    let used = text(import, lowered, given);
    let used = used.replace(
        "(core module $m",
        r#"(core module $m (import "env" "f" (func))"#,
    );
    goes(&used, &[]);
}

#[test]
fn one_used_function_keeps_the_instance() {
    let text = r#"(component
        (import "a" (instance $a (export "f" (func)) (export "g" (func))))
        (core func $f (canon lower (func $a "f")))
        (core func $g (canon lower (func $a "g")))
        (core module $m (import "env" "g" (func)))
        (core instance (instantiate $m
            (with "env" (instance (export "f" (func $f)) (export "g" (func $g)))))))"#;
    goes(text, &[]);
}

/// An import with a resource, and one that refers to this resource.
const CHAIN: &str = r#"
    (import "a" (instance $a (export "r" (type (sub resource)))))
    (alias export $a "r" (type $r))
    (import "b" (instance $b (alias outer $c $r (type $o)) (export "r" (type (eq $o)))
        (export "f" (func))))"#;

#[test]
fn types_of_imports_keep_other_imports() {
    let text = |more: &str| format!("(component $c {CHAIN} {more})");
    becomes(&text(""), &["a", "b"], "(component)");
    // A type alone is no use.
    becomes(&text("(type (list (own $r)))"), &["a", "b"], "(component)");
    let used = r#"(core module $m (import "env" "f" (func)))
        (core func $f (canon lower (func $b "f")))
        (core instance (instantiate $m (with "env" (instance (export "f" (func $f))))))"#;
    goes(&text(used), &[]);
    // Here `a` is used alone.
    let dropped = r#"(core module $m (import "env" "d" (func (param i32))))
        (core func $d (canon resource.drop $r))
        (core instance (instantiate $m (with "env" (instance (export "d" (func $d))))))"#;
    let expected = format!(
        r#"(component
        (import "a" (instance $a (export "r" (type (sub resource)))))
        (alias export $a "r" (type $r))
        {dropped})"#
    );
    becomes(&text(dropped), &["b"], &expected);
}

#[test]
fn what_an_export_refers_to_stays() {
    let text = r#"(component
        (import "other" (instance (export "f" (func))))
        (import "types" (instance $t (export "r" (type (sub resource)))))
        (alias export $t "r" (type $r))
        (core module $m (func (export "f") (param i32)))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" (borrow $r)) (canon lift (core func $i "f"))))"#;
    goes(text, &["other"]);
    for (way, removed) in [
        (r#"(export "x" (type $r))"#, &["g"][..]),
        (
            r#"(instance $i (export "r" (type $r))) (export "x" (instance $i))"#,
            &["g"],
        ),
        (r#"(instance (export "r" (type $r)))"#, &["a", "g"]),
    ] {
        let text = format!(
            r#"(component (import "g" (func))
            (import "a" (instance $a (export "r" (type (sub resource)))))
            (alias export $a "r" (type $r)) {way})"#
        );
        goes(&text, removed);
    }
}

#[test]
fn what_components_inside_use_stays() {
    // What an instance gets.
    let text = r#"(component (import "g" (func)) (import "f" (func $f))
        (component $n (import "f" (func)))
        (instance (instantiate $n (with "f" (func $f)))))"#;
    goes(text, &["g"]);
    // What an alias takes from further out, at each depth. Its index changes.
    let text = |unused: &str| {
        format!(
            r#"(component $c {unused}
            (type $u (record (field "x" u8)))
            (import "t" (type $t (eq $u)))
            (component (type (instance (alias outer $c $t (type $o)) (export "x" (type (eq $o)))))
                (component (alias outer $c $t (type)))))"#
        )
    };
    becomes(&text(r#"(import "f" (func))"#), &["f"], &text(""));
}

#[test]
fn all_is_used_of_what_a_core_module_from_outside_gets() {
    let text = |module: &str| {
        format!(
            r#"(component (import "f" (func $f)) (import "g" (func $g)) {module}
            (core func $lf (canon lower (func $f)))
            (core func $lg (canon lower (func $g)))
            (core instance (instantiate $m
                (with "env" (instance (export "f" (func $lf)) (export "g" (func $lg)))))))"#
        )
    };
    goes(
        &text(r#"(import "m" (core module $m (import "env" "f" (func))))"#),
        &[],
    );
    goes(
        &text(r#"(core module $m (import "env" "f" (func)))"#),
        &["g"],
    );
    // An alias of a core module is that core module.
    let alias = r#"(core module (import "env" "g" (func))) (alias outer 0 0 (core module))
        (alias outer 0 1 (core module $m))"#;
    goes(&text(alias), &["f"]);
    goes(&text(r#"(core module $m (func))"#), &["f", "g"]);
}

#[test]
fn an_alias_takes_one_item_of_those_that_are_put_together() {
    let text = r#"(component (import "f" (func $f)) (import "g" (func $g))
        (core func $lf (canon lower (func $f)))
        (core func $lg (canon lower (func $g)))
        (core instance $e (export "f" (func $lf)) (export "g" (func $lg)))
        (alias core export $e "g" (core func $x))
        (core module $m (import "env" "g" (func)))
        (core instance (instantiate $m (with "env" (instance (export "g" (func $x)))))))"#;
    goes(text, &["f"]);
}

#[test]
fn a_destructor_stays_with_what_it_calls() {
    let text = r#"(component (import "g" (func)) (import "f" (func $f (param "x" u32)))
        (core func $lf (canon lower (func $f)))
        (type (resource (rep i32) (dtor (func $lf))))
        (type (resource (rep i32))))"#;
    goes(text, &["g"]);
}

#[test]
fn core_types_and_custom_sections_stay() {
    let text = |import: &str| {
        format!(
            r#"(component {import} (core type $t (func)) (core type $m (module))
            (@custom "note" "kept") (import "m" (core module $m (type $m)))
            (core instance (instantiate $m)))"#
        )
    };
    becomes(&text(r#"(import "f" (func))"#), &["f"], &text(""));
    let left = goes(&text(r#"(import "f" (func $f))"#), &["f"]);
    let has = |part: &[u8]| left.bytes().windows(part.len()).any(|it| it == part);
    assert!(has(b"\x04notekept"));
}

#[test]
fn a_core_module_stays_as_it_is() {
    goes(r#"(module (import "a" "b" (func)))"#, &[]);
}

#[test]
fn what_is_not_followed_keeps_everything() {
    let value = wat::parse_str(r#"(component (import "f" (func)) (import "v" (value string)))"#);
    let value = value.unwrap();
    assert!(Entries::read(&value).is_none());
    let program = program("(component)").with_bytes(value.clone());
    let pruned = prune_imports(program);
    assert_eq!(pruned.failed, Some(NotPruned::Unread));
    assert_eq!(pruned.program.bytes(), value);
    assert!(pruned.removed.is_empty());
}

#[test]
fn only_the_imports_may_be_missing_afterwards() {
    let text = |parts: &[&str]| format!("(component {})", parts.concat());
    let import = |name: &str, more: &str| {
        format!(
            r#"(import "{name}" (instance $i (export "r" (type (sub resource))) {more}))
            (alias export $i "r" (type $r))"#
        )
    };
    let own = [
        import("b", ""),
        import("b", r#"(export "f" (func))"#),
        import("a", ""),
    ];
    let [b, other_type, another] = own.each_ref().map(String::as_str);
    let a = r#"(import "a" (func))"#;
    let export = r#"(export "x" (type $r))"#;
    let before = program(&text(&[a, b, export]));
    let removed = BTreeSet::from(["a".to_owned()]);
    let checked = |parts: &[&str]| {
        let after = wat::parse_str(text(parts)).unwrap();
        checked(&before, after, &removed).map(drop)
    };
    assert_eq!(checked(&[b, export]), Ok(()));
    for parts in [
        // Nothing is missing.
        &[a, b, export][..],
        // Another import is missing, or there is another one.
        &[another, export],
        &[b, export, r#"(import "c" (func))"#],
        // An export is missing, or there is another one.
        &[b],
        &[b, export, r#"(export "y" (type $r))"#],
        // An import has another type.
        &[other_type, export],
    ] {
        assert_eq!(checked(parts), Err(NotPruned::OtherType), "{parts:?}");
    }
    assert_eq!(
        super::checked(&before, b"x".to_vec(), &removed).map(drop),
        Err(NotPruned::Invalid)
    );
}

#[test]
fn every_reason_has_a_code_and_a_sentence_of_its_own() {
    let all = [NotPruned::Unread, NotPruned::Invalid, NotPruned::OtherType];
    let codes: BTreeSet<&str> = all.iter().map(|reason| reason.code()).collect();
    let sentences: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!((codes.len(), sentences.len()), (all.len(), all.len()));
}
