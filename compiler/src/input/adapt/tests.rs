//! The kinds that core modules become, and the errors.

use super::*;

fn adapted(text: &str, choice: KindChoice) -> Result<Adapted, AdaptError> {
    adapt(crate::read(text.into()).unwrap(), choice)
}

const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
    (memory (export "memory") 1) (func (export "_start")))"#;

#[test]
fn a_module_becomes_what_the_rule_says() {
    let command = adapted(COMMAND, KindChoice::Auto).unwrap();
    assert_eq!(command.adapter, Some(Adapter::Command));
    assert_eq!(command.component.kind(), ProgramKind::Component);
    let exports = command.component.interface().exports;
    assert!(exports.iter().any(|name| name.starts_with("wasi:cli/run@")));
    let choice = command.choice.unwrap();
    assert_eq!(choice.why, Why::Proved);

    let reactor = COMMAND.replace("_start", "_initialize");
    let reactor = adapted(&reactor, KindChoice::Auto).unwrap();
    assert_eq!(
        (reactor.adapter, reactor.component.kind()),
        (None, ProgramKind::Module)
    );
    assert_eq!(
        reactor.choice.unwrap().why,
        Why::Obstacle(Obstacle::NoStart)
    );

    let plain = adapted("(module)", KindChoice::Auto).unwrap();
    assert_eq!(
        (plain.adapter, plain.component.kind()),
        (None, ProgramKind::Module)
    );
    assert_eq!(plain.choice.unwrap().why, Why::NoPreview1);
}

#[test]
fn the_choice_decides_where_both_fit() {
    let module = adapted(COMMAND, KindChoice::Module).unwrap();
    assert_eq!(module.component.kind(), ProgramKind::Module);
    assert_eq!(module.choice.unwrap().why, Why::Asked);
    let component = adapted(COMMAND, KindChoice::Component).unwrap();
    assert_eq!(component.component.kind(), ProgramKind::Component);
    let component = adapted("(component)", KindChoice::Auto).unwrap();
    assert_eq!(component.choice, None);
}

/// If the user asks for a component, it is made, and its differences are reported.
#[test]
fn a_component_that_is_asked_for_may_lack_exit_codes() {
    let exits = COMMAND
        .replace(
            "sched_yield\" (func (result i32))",
            "proc_exit\" (func (param i32))",
        )
        .replace(
            "(func (export \"_start\"))",
            "(func (export \"_start\") (call 0 (i32.const 10)))",
        );
    let auto = adapted(&exits, KindChoice::Auto).unwrap();
    assert_eq!(auto.component.kind(), ProgramKind::Module);
    assert_eq!(auto.choice.unwrap().why, Why::Obstacle(Obstacle::ExitCode));
    let asked = adapted(&exits, KindChoice::Component).unwrap();
    assert_eq!(asked.component.kind(), ProgramKind::Component);
    let lacks = asked.choice.unwrap().lacks.unwrap();
    assert_eq!(lacks.obstacles(), [Obstacle::ExitCode]);
    // A component has exit codes 0 and 1, so these are not an obstacle.
    let exits = adapted(&exits.replace("10", "1"), KindChoice::Auto).unwrap();
    assert_eq!(exits.component.kind(), ProgramKind::Component);
}

/// A module that carries the component types of a world, as `wit-bindgen` writes them.
fn with_types(world: &str, module: &str) -> String {
    let types = format!(
        r#"(component
            (type (component
                (type (component {world}))
                (export "test:app/app" (component (type 0)))))
            (export "app" (type 0))
            (@custom "wit-component-encoding" "\04\00"))"#
    );
    let types = wat::parse_str(types).unwrap();
    let types: String = types.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(r#"(module {module} (@custom "component-type:app" "{types}"))"#)
}

const ANSWERS: &str = r#"(type (func (result u32))) (export "answer" (func (type 0)))"#;

#[test]
fn a_module_with_component_types_becomes_what_they_say() {
    let plain = r#"(func (export "answer") (result i32) i32.const 42)"#;
    let reactor = format!(
        r#"(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1) (func (export "cabi_realloc")
            (param i32 i32 i32 i32) (result i32) i32.const 4096) {plain}"#
    );
    for (module, adapter) in [(plain, Adapter::None), (&reactor, Adapter::Reactor)] {
        let adapted = adapted(&with_types(ANSWERS, module), KindChoice::Auto).unwrap();
        assert_eq!(adapted.adapter, Some(adapter));
        assert_eq!(adapted.choice.unwrap().why, Why::ComponentTypes);
        let exports = adapted.component.interface().exports;
        assert_eq!(Vec::from_iter(exports), ["answer"]);
    }
}

/// A module with component types and without `cabi_realloc` has no memory for an adapter. One
/// that takes all memory, or calls WASI from its start section, is refused.
#[test]
fn component_types_do_not_make_room_for_an_adapter() {
    let command = |memory: &str, fields: &str, start: &str| {
        let module = format!(
            r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") {memory}) {fields} (func (export "_start") {start})"#
        );
        with_types("", &module)
    };
    let all = "(memory.fill (i32.const 0) (i32.const 1) (i32.shl (memory.size) (i32.const 16)))";
    let exits = "(func $s (call $exit (i32.const 0))) (start $s)";
    for text in [
        command("1", "", all),
        command("1 1", "", ""),
        command("65535", "", ""),
        command("1", exits, ""),
    ] {
        for choice in [KindChoice::Auto, KindChoice::Component] {
            let error = adapted(&text, choice).unwrap_err();
            assert!(
                matches!(error, AdaptError::Obstacle { .. }),
                "{text}: {error}"
            );
        }
        let module = adapted(&text, KindChoice::Module).unwrap();
        assert_eq!(module.component.kind(), ProgramKind::Module);
    }
    let lacks = |text: &str| {
        let adapted = adapted(text, KindChoice::Auto).unwrap();
        assert_eq!(adapted.component.kind(), ProgramKind::Component, "{text}");
        let choice = adapted.choice.unwrap();
        assert_eq!(choice.why, Why::ComponentTypes);
        choice.lacks
    };
    assert_eq!(lacks(&command("1", "", "(call $exit (i32.const 1))")), None);
    let realloc = r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))"#;
    for fields in ["", realloc] {
        let exits = command("1", fields, "(call $exit (i32.const 10))");
        let lacks = lacks(&exits).unwrap();
        assert_eq!(lacks.obstacles(), [Obstacle::ExitCode], "{fields}");
    }
}

/// If the user asks for a component, its allocator may be unproved, and it may import functions
/// that the adapter answers differently. All of this is reported.
#[test]
fn what_a_component_lacks_is_listed() {
    let text = COMMAND.replace(
        "(module",
        r#"(module (import "wasi_snapshot_preview1" "sock_accept"
            (func (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#,
    );
    let text = text.replace(
        r#"(func (export "_start"))"#,
        r#"(func (export "_start") (call $exit (i32.const 2)))"#,
    );
    let auto = adapted(&text, KindChoice::Auto).unwrap();
    assert_eq!(auto.choice.unwrap().why, Why::Obstacle(Obstacle::ExitCode));
    let asked = adapted(&text, KindChoice::Component).unwrap();
    let lacks = asked.choice.unwrap().lacks.unwrap().to_string();
    for said in ["exit with other codes", "; it imports", "::sock_accept`"] {
        assert!(lacks.contains(said), "{lacks}");
    }
}

/// A module that cannot become a component may need more from a host than WASI preview 1.
#[test]
fn what_a_refused_module_needs_of_a_host() {
    let exit = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let start = r#"(func (export "_start"))"#;
    let memory = r#"(memory (export "memory") 1 1)"#;
    for (fields, expected) in [
        (format!("{exit} {memory} {start}"), HostNeed::Preview1),
        (format!("{exit} {start}"), HostNeed::Preview1),
        (
            format!(r#"{exit} (import "wasi_unstable" "f" (func)) {memory} {start}"#),
            HostNeed::Preview1,
        ),
        (
            format!(r#"{exit} (import "env" "f" (func)) {memory} {start}"#),
            HostNeed::Imports,
        ),
        (
            format!(
                r#"{exit} (import "wasi" "thread-spawn" (func (param i32) (result i32))) {memory} {start}"#
            ),
            HostNeed::Imports,
        ),
        (
            format!(r#"{exit} (import "wasi_snapshot_preview1" "f" (func)) {memory} {start}"#),
            HostNeed::Imports,
        ),
        (
            format!(r#"(import "wasi_snapshot_preview1" "proc_exit" (func)) {memory} {start}"#),
            HostNeed::Imports,
        ),
        (
            format!(r#"{exit} {memory} (func (export "_start") (param i32))"#),
            HostNeed::Calls,
        ),
        (
            format!(r#"{exit} {memory} (func (export "f"))"#),
            HostNeed::Calls,
        ),
    ] {
        let error = adapted(&format!("(module {fields})"), KindChoice::Component).unwrap_err();
        let AdaptError::Obstacle { need, .. } = &error else {
            panic!("{fields}: {error}");
        };
        assert_eq!(*need, expected, "{fields}");
    }
}

#[test]
fn each_error_has_a_case() {
    let error = |text, choice| adapted(text, choice).unwrap_err();
    assert!(matches!(
        error("(module (func (result i32)))", KindChoice::Auto),
        AdaptError::Invalid(_)
    ));
    assert!(matches!(
        error("(component)", KindChoice::Module),
        AdaptError::ComponentToModule
    ));
    let foreign = r#"(module (import "env" "f" (func)))"#;
    assert!(matches!(
        error(foreign, KindChoice::Component),
        AdaptError::Obstacle {
            obstacle: Obstacle::OtherImport { .. },
            need: HostNeed::Imports,
        }
    ));
    assert!(matches!(
        error("(module)", KindChoice::Component),
        AdaptError::NoExports
    ));
    let nothing = with_types("", "");
    assert!(matches!(
        error(&nothing, KindChoice::Auto),
        AdaptError::NoExports
    ));
    // The error names what the module lacks of its types, and what the encoder was doing.
    let lacks = with_types(ANSWERS, "");
    let AdaptError::Encode { reason } = error(&lacks, KindChoice::Auto) else {
        panic!("it has no `answer`");
    };
    assert!(reason.contains("answer"), "{reason}");
    // The encoder accepts types that edgec does not support.
    let list = with_types(
        r#"(type $list (list u8 4)) (type $f (func (result $list)))
            (export "answer" (func (type $f)))"#,
        r#"(memory (export "memory") 1) (func (export "answer") (result i32) i32.const 42)"#,
    );
    let AdaptError::Unsupported { reason, feature } = error(&list, KindChoice::Auto) else {
        panic!("lists of a fixed length are supported");
    };
    assert!(reason.starts_with("Fixed-length lists"), "{reason}");
    let feature = feature.unwrap();
    assert!(feature.contains("fixed_length_lists"), "{feature}");
}
