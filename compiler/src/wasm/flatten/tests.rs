//! Components that are flattened, and run beside themselves. If nothing is merged, a test of the
//! behaviour says nothing, so each test states how many core modules are left.

mod limits;
mod numbers;
mod order;
mod reasons;
#[cfg(feature = "precompile")]
mod run;
mod shapes;

use super::*;

fn program(text: &str) -> ValidComponent {
    validate(wat::parse_str(text).unwrap()).unwrap()
}

fn flat(text: &str) -> Flat {
    flatten(program(text), Reads::Binaryen116)
}

/// How many core modules are left of a component, and how many there were.
fn modules(flat: &Flat) -> (usize, usize) {
    let report = flat.report.as_ref().unwrap();
    (report.modules.before, report.modules.after)
}

/// The checks that failed, module by module.
fn reasons(flat: &Flat) -> Vec<(Option<usize>, Reason)> {
    let kept = flat.report.iter().flat_map(|report| &report.kept);
    kept.map(|kept| (kept.module, kept.reason)).collect()
}

/// Checks that a component is flattened to this number of core modules, and does the same as
/// before.
fn same(text: &str, before: usize, after: usize) -> Flat {
    let flat = flat(text);
    let report = flat.report.as_ref().unwrap();
    assert_eq!(modules(&flat), (before, after), "{:?}", report.kept);
    #[cfg(feature = "precompile")]
    assert_eq!(run::run(&program(text)), run::run(&flat.program), "{text}");
    flat
}

#[test]
fn a_core_module_and_a_component_with_one_instance_stay() {
    for text in [
        "(module (func))",
        "(component)",
        "(component (core module $m) (core instance (instantiate $m)))",
    ] {
        let flat = flat(text);
        assert!(flat.report.is_none());
        assert_eq!(flat.program.bytes(), program(text).bytes());
    }
}

#[test]
fn nested_components_are_flattened_by_themselves() {
    let pair = r#"(core module $a (func (export "f") (result i32) i32.const 3))
        (core module $b (import "a" "f" (func $f (result i32)))
            (func (export "run") (result i32) call $f))
        (core instance $a (instantiate $a))
        (core instance $b (instantiate $b (with "a" (instance $a))))
        (func (export "run") (result u32) (canon lift (core func $b "run")))"#;
    let text = format!(
        r#"(component (core module $unused (func (export "unused")))
        (component $c {pair}) (instance $c (instantiate $c))
        (export "run" (func $c "run")))"#
    );
    let flat = same(&text, 3, 2);
    let report = flat.report.unwrap();
    assert_eq!(report.parts, [vec![0], vec![1, 2]]);
    assert_eq!(report.merged, 2);
}

#[test]
fn the_result_is_the_same_each_time_and_has_nothing_left_to_merge() {
    let first = flat(shapes::SHIM);
    let second = flat(shapes::SHIM);
    assert_eq!(first.program.bytes(), second.program.bytes());
    let again = flatten(first.program.clone(), Reads::Binaryen116);
    assert_eq!(again.program.bytes(), first.program.bytes());
}

/// The core modules of a flattened component.
fn parts(flat: &Flat) -> Vec<module::Module<'_>> {
    let modules = crate::wasm::modules::core_modules(&flat.program);
    let read = |bytes| module::Module::read(bytes).unwrap();
    modules.into_iter().map(read).collect()
}
