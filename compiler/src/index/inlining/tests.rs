//! Programs that double the copies, and programs that do not.

use super::*;
use crate::{ValidateError, validate};

/// The result for a valid component.
fn answer(text: &str) -> Result<(), String> {
    let wasm = wat::parse_str(text).unwrap();
    let short = check(&wasm).map_err(|beyond| beyond.message);
    // If a program is within the limits, the engine has little work too.
    match (validate(wasm), &short) {
        (Ok(_), Ok(())) => {}
        (Err(ValidateError::Limit { message, .. }), Err(limit)) if message == *limit => {}
        (answer, _) => panic!("{short:?}: {:?}", answer.map(|_| ())),
    }
    short
}

fn numbered(count: usize, entry: impl Fn(usize) -> String) -> String {
    (1..=count).map(entry).collect()
}

fn refused(text: &str, says: &str) {
    let error = answer(text).unwrap_err();
    assert!(error.contains(says), "{error}");
}

/// Each instance contains the one before twice.
fn doubled_arguments(levels: usize) -> String {
    let instances = numbered(levels, |at| {
        format!(
            "(instance $i{at} (instantiate $twice (with \"i\" (instance $i{}))))",
            at - 1
        )
    });
    format!(
        "(component (component $twice (import \"i\" (instance $i)) \
         (export \"a\" (instance $i)) (export \"b\" (instance $i))) \
         (instance $i0) {instances})"
    )
}

#[test]
fn instances_that_double_as_arguments() {
    answer(&doubled_arguments(10)).unwrap();
    refused(&doubled_arguments(40), "copies more than 1000000 entries");
}

/// Each component captures the one before twice.
fn doubled_captures(levels: usize) -> String {
    let components = numbered(levels, |at| {
        let alias = format!("(alias outer 1 $c{} (component))", at - 1);
        format!("(component $c{at} {alias} {alias})")
    });
    format!("(component (component $c0) {components})")
}

#[test]
fn components_that_double_as_captures() {
    answer(&doubled_captures(10)).unwrap();
    refused(&doubled_captures(40), "copies more than 1000000 entries");
}

/// Nested components, each of which captures a core module of the outermost component many times.
fn captured_from_afar(levels: usize, times: usize) -> String {
    let components = (1..=levels).rev().fold(String::new(), |inner, depth| {
        let aliases = format!("(alias outer {depth} 0 (core module))").repeat(times);
        format!("(component {aliases} {inner})")
    });
    format!("(component (core module) {components})")
}

#[test]
fn captures_that_pass_many_components() {
    answer(&captured_from_afar(10, 100)).unwrap();
    refused(
        &captured_from_afar(48, 990),
        "copies more than 1000000 entries",
    );
}

/// Each component is instantiated twice, by a component that receives it as an argument.
fn doubled_by_another(levels: usize) -> String {
    let components = numbered(levels, |at| {
        format!(
            "(component $c{at} (alias outer 1 $twice (component $twice)) \
             (alias outer 1 $c{} (component $c)) \
             (instance (instantiate $twice (with \"c\" (component $c)))))",
            at - 1
        )
    });
    format!(
        "(component (component $c0) (component $twice (import \"c\" (component $c)) \
         (instance (instantiate $c)) (instance (instantiate $c))) \
         {components} (instance (instantiate $c{levels})))"
    )
}

#[test]
fn instances_that_a_component_makes_of_its_argument() {
    answer(&doubled_by_another(6)).unwrap();
    refused(&doubled_by_another(30), "makes more than 10000 instances");
}

#[test]
fn what_is_passed_on_is_followed() {
    // An alias of an instance inside an instance, an alias of a component inside an instance, and
    // an export.
    let inner = "(component $c) (instance $i (export \"a\" (component $c)))";
    let text = format!(
        "(component {inner} (instance $j (export \"i\" (instance $i))) \
         (alias export $j \"i\" (instance $k)) (alias export $k \"a\" (component $d)) \
         (instance (instantiate $d)))"
    );
    answer(&text).unwrap();
    let wasm = wat::parse_str(&text).unwrap();
    let definitions = read(&wasm, &mut Captures::default()).unwrap();
    assert_eq!(definitions.len(), 2);
    // Items of the host have no parts that are copied.
    answer(
        "(component (import \"i\" (instance $i (export \"j\" (instance (export \"f\" (func)))))) \
         (alias export $i \"j\" (instance $j)) (component $c (import \"j\" (instance))) \
         (instance (instantiate $c (with \"j\" (instance $j)))))",
    )
    .unwrap();
}
