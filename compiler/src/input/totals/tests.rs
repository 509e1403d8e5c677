//! Programs at each limit, and just beyond it.

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentTypeSection, Module,
    ModuleSection, NestedComponentSection, PrimitiveValType,
};

use super::*;
use crate::{ValidateError, validate};

/// A component with this many empty core modules.
fn with_modules(count: u64) -> Component {
    let mut component = Component::new();
    for _ in 0..count {
        component.section(&ModuleSection(&Module::new()));
    }
    component
}

fn refused(wasm: Vec<u8>) -> String {
    match validate(wasm).unwrap_err() {
        ValidateError::Limit { message, .. } => message,
        error => panic!("{error}"),
    }
}

#[test]
fn so_many_definitions_and_no_more() {
    // The component counts too.
    let most = MAX_DEFINITIONS - 1;
    validate(with_modules(most).finish()).unwrap();
    assert_eq!(
        refused(with_modules(most + 2).finish()),
        // The header, and ten bytes for each module.
        format!(
            "more than 1000 core modules and components are not supported: the program has \
             1002 and passes the limit (at offset {:#x}, in core module 999)",
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

/// Adds this many exports of a type.
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

/// A component with this many exports of a type, followed by this many core modules.
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
                  core module and component after them, are not supported: the program has \
                  4005000 and";
    assert!(error.starts_with(begins), "{error}");
    // Copies before the names do not count.
    let mut component = with_modules(900);
    add_names(&mut component, 5000);
    check(&component.finish()).unwrap();
}

/// A component with a core module that has this many imports, and this many instances of it.
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
    let error = check(&with_instances(4000, 1001)).unwrap_err().message;
    let begins = "more than 4000000 imports of core modules, counted again for each instance, \
                  are not supported: the program has 4004000 and passes the limit (at offset";
    assert!(error.starts_with(begins), "{error}");
}

#[test]
fn so_many_instances_and_no_more() {
    check(&with_instances(0, 10_000)).unwrap();
    let Beyond { message, advice } = check(&with_instances(0, 10_001)).unwrap_err();
    assert!(
        message.ends_with(", in the outermost component)"),
        "{message}"
    );
    assert_eq!(advice, "build it as several programs");
    let error = message;
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
    let error = crate::input::operands::tests::jumps(1000, 63, 4000);
    let error = refused(error);
    let begins = "more than 200000000 comparisons of operands with long lists of parameters or \
                  results are not supported: the program has ";
    assert!(error.starts_with(begins), "{error}");
    validate(crate::input::operands::tests::jumps(1000, 63, 100)).unwrap();
    // After `unreachable`, an instruction can pop operands that do not exist.
    let array = "(module (type $a (array i32)) \
                 (func unreachable array.new_fixed $a 4000000000 drop))";
    let error = refused(wat::parse_str(array).unwrap());
    assert!(error.starts_with(begins), "{error}");
    assert!(error.ends_with(", in function 0)"), "{error}");
    let inner = array.replace("(module", "(core module");
    let nested = format!("(component (core module) {inner})");
    let error = refused(wat::parse_str(nested).unwrap());
    assert!(
        error.ends_with(", in function 0 of core module 1)"),
        "{error}"
    );
}
