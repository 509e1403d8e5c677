//! Tests each rule with a small program that loses the fast path, and with one that just does not.

use super::{Finding, PoolLimit, Reason, Rule, Work, image, program};
use crate::{ProgramKind, validate};

fn lint(text: &str) -> Vec<Finding> {
    let program = validate(wat::parse_str(text).unwrap()).unwrap();
    program::lint(program.bytes(), program.kind()).unwrap()
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    findings.iter().map(|finding| finding.rule).collect()
}

/// The only finding for a core module with these fields: its rule, its reason and its index.
fn only(fields: &str) -> (Rule, Reason, u32) {
    let findings = lint(&format!("(module {fields})"));
    let [finding] = findings.as_slice() else {
        panic!("{fields}: {findings:?}");
    };
    let cause = finding.cause.as_ref().unwrap();
    (finding.rule, cause.reason, cause.index)
}

fn nothing(fields: &str) {
    let findings = lint(&format!("(module {fields})"));
    assert!(findings.is_empty(), "{fields}: {findings:?}");
}

#[test]
fn data_that_are_copied() {
    let base = r#"(import "e" "base" (global $base i32))"#;
    nothing(r#"(memory 1) (data (i32.const 0) "a") (data (i32.const 65535) "b")"#);
    nothing(r#"(memory i64 1) (data (i64.const 8) "a")"#);
    nothing(r#"(import "e" "m" (memory 1)) (data "passive")"#);
    nothing("(memory 1)");
    for (fields, reason, segment) in [
        (
            r#"(import "e" "m" (memory 1)) (data (i32.const 0) "a")"#.to_owned(),
            Reason::ImportedMemory,
            0,
        ),
        (
            format!(r#"{base} (memory 1) (data (i32.const 0) "a") (data (global.get $base) "b")"#),
            Reason::ComputedOffset,
            1,
        ),
        (
            // An offset that is constant in effect is not enough for the engine.
            r#"(memory 1) (data "passive") (data (i32.add (i32.const 1) (i32.const 2)) "a")"#
                .to_owned(),
            Reason::ComputedOffset,
            1,
        ),
        (
            r#"(memory 1) (data (i32.const 65536) "b")"#.to_owned(),
            Reason::OutOfBounds,
            0,
        ),
    ] {
        assert_eq!(only(&fields), (Rule::MemoryCopied, reason, segment));
    }
}

#[test]
fn data_that_are_far_apart() {
    let apart =
        |end: u32| format!(r#"(memory 300) (data (i32.const 0) "a") (data (i32.const {end}) "b")"#);
    nothing(&apart((16 << 20) - 2));
    let sparse = (Rule::MemoryCopied, Reason::Sparse, 1);
    assert_eq!(only(&apart((16 << 20) - 1)), sparse);
}

#[test]
fn what_is_copied_is_counted() {
    let findings = lint(
        r#"(module $libc (import "e" "m" (memory 1))
             (data (i32.const 0) "abc") (data (i32.const 10) "de"))"#,
    );
    let copied = Work::Copy {
        bytes: 5,
        segments: 2,
    };
    assert_eq!(findings[0].work, copied);
    assert_eq!(
        findings[0].to_string(),
        "core module 0 `libc`: 5 B of data in 2 segments are copied, not mapped: \
         data segment 0 (at offset 0x15) goes into an imported memory; about 1.4 µs an instance"
    );
    assert!(findings[0].is_minor());
    let large = "x".repeat(1 << 20);
    let fields = format!(r#"(import "e" "m" (memory 100)) (data (i32.const 0) "{large}")"#);
    assert!(!lint(&format!("(module {fields})"))[0].is_minor());
}

#[test]
fn tables_that_are_filled() {
    nothing("(func $f) (table 2 funcref) (elem (i32.const 1) func $f)");
    nothing("(func $f) (table 2 funcref (ref.func $f))");
    nothing("(func $f) (table 20000 externref) (elem declare func $f)");
    let base = r#"(import "e" "base" (global $base i32))"#;
    for (fields, reason, segment) in [
        (
            r#"(import "e" "t" (table 1 funcref)) (func $f) (elem (i32.const 0) func $f)"#
                .to_owned(),
            Reason::ImportedTable,
            0,
        ),
        (
            format!(
                "{base} (func $f) (table 9 funcref) (elem (i32.const 0) func $f)
                 (elem (global.get $base) func $f)"
            ),
            Reason::ComputedOffset,
            1,
        ),
        (
            "(func $f) (table 1 funcref) (elem (i32.const 1) func $f)".to_owned(),
            Reason::OutOfBounds,
            0,
        ),
        (
            "(table 1 externref) (elem (i32.const 0) externref (ref.null extern))".to_owned(),
            Reason::NotFunctions,
            0,
        ),
        (
            "(func $f) (table 1 funcref) (elem (i32.const 0) funcref (ref.func $f))".to_owned(),
            Reason::Expressions,
            0,
        ),
        (
            r#"(import "e" "f" (global $g funcref)) (table 1 funcref (global.get $g))"#.to_owned(),
            Reason::InitialValue,
            0,
        ),
    ] {
        assert_eq!(only(&fields), (Rule::TableEager, reason, segment));
    }
}

#[test]
fn tables_that_are_too_large() {
    let table = |at: u32| {
        let fields = format!("(func $f) (table 1048577 funcref) (elem (i32.const {at}) func $f)");
        lint(&format!("(module {fields})"))
    };
    // The pool's default is less than both.
    assert_eq!(rules(&table(1_048_575)), [Rule::PoolLimits]);
    let findings = table(1_048_576);
    assert_eq!(rules(&findings), [Rule::TableEager, Rule::PoolLimits]);
    let cause = findings[0].cause.as_ref().unwrap();
    assert_eq!(cause.reason, Reason::TooLarge);
}

/// The engine stops at the first segment that it cannot place, and the count does too.
#[test]
fn what_follows_is_filled_as_well() {
    let findings = lint(
        r#"(module (import "e" "base" (global $base i32)) (func $f) (table 9 funcref)
             (elem (i32.const 0) func $f) (elem (global.get $base) func $f $f)
             (elem (i32.const 1) func $f))"#,
    );
    assert_eq!(findings[0].work, Work::Fill { elements: 3 });
}

#[test]
fn what_runs_first() {
    let base = r#"(import "e" "base" (global $base i32))"#;
    nothing("(global i32 (i32.const 1)) (global f64 (f64.const 1))");
    nothing("(func $f) (elem declare func $f) (func (export \"f\"))");
    assert_eq!(
        only(&format!("{base} (global i32 (global.get $base))")),
        (Rule::ComputedGlobals, Reason::ComputedValue, 1)
    );
    assert_eq!(
        only("(func $f) (elem declare func $f) (elem func $f)"),
        (Rule::PassiveElements, Reason::Passive, 1)
    );
    assert_eq!(
        only("(func) (func $s) (start $s)"),
        (Rule::StartFunction, Reason::Start, 1)
    );
}

#[test]
fn a_start_function_that_does_little_is_minor() {
    let start = |body: &str| {
        let fields = format!(
            r#"(import "e" "f" (func $import)) (memory 1) (start $s)
               (func $s {body}) (func $g (drop (memory.grow (i32.const 1))))
               (func $again (call $again))"#
        );
        lint(&format!("(module {fields})"))[0].is_minor()
    };
    assert!(start(""));
    assert!(start(
        "(if (i32.eqz (memory.size)) (then (call $g) (call $g)))"
    ));
    assert!(start(&"nop ".repeat(999)));
    for much in [
        "(loop $l (br $l))",
        "(call $import)",
        "(call $again)",
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 2))",
        &"nop ".repeat(1000),
    ] {
        assert!(!start(much), "{much}");
    }
}

#[test]
fn segments_that_are_many() {
    let segments = |count| format!("(memory 1) {}", r#"(data "x")"#.repeat(count));
    nothing(&segments(3333));
    let findings = lint(&format!("(module {})", segments(3334)));
    assert_eq!(rules(&findings), [Rule::ManySegments]);
}

fn with_instances(count: usize) -> String {
    format!(
        r#"(component (core module $env (func (export "f")) (func (export "g")))
             (core module $m (import "env" "f" (func)) (import "env" "g" (func)))
             (core module $unused (import "env" "m" (memory 1)) (data (i32.const 0) "a"))
             (core instance $env (instantiate $env)) {})"#,
        r#"(core instance (instantiate $m (with "env" (instance $env))))"#.repeat(count)
    )
}

#[test]
fn instances_that_are_many() {
    // A module that is not instantiated costs nothing.
    assert_eq!(rules(&lint(&with_instances(51))), []);
    let findings = lint(&with_instances(52));
    assert_eq!(rules(&findings), [Rule::ManyInstances]);
    let work = Work::Connect {
        instances: 53,
        imports: 104,
    };
    assert_eq!(findings[0].work, work);
    assert_eq!(
        findings[0].to_string(),
        "53 core instances are made, with 104 imports among them; about 51 µs an instance"
    );
}

#[test]
fn a_module_costs_as_often_as_it_is_instantiated() {
    let findings = lint(
        r#"(component
             (core module $env (memory (export "m") 1))
             (core module $m (import "env" "m" (memory 1)) (data (i32.const 0) "a"))
             (core instance $env (instantiate $env))
             (core instance (instantiate $m (with "env" (instance $env))))
             (core instance (instantiate $m (with "env" (instance $env)))))"#,
    );
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(finding.module.as_ref().unwrap().instances, 2);
    assert_eq!(finding.module.as_ref().unwrap().index, 1);
    let once = super::cost::nanoseconds(&finding.work).unwrap();
    assert_eq!(finding.nanoseconds(), Some(2 * once));
}

#[test]
fn what_a_pool_refuses() {
    let limits = |fields: &str| -> Vec<PoolLimit> {
        let findings = lint(&format!("(module {fields})"));
        let limits = findings.iter().filter_map(|finding| match finding.work {
            Work::Exceed { limit, .. } => Some(limit),
            _ => None,
        });
        limits.collect()
    };
    assert_eq!(limits("(memory 65536) (table 20000 funcref)"), []);
    let imported = r#"(import "e" "t" (table 9 funcref)) (import "e" "m" (memory 1))"#;
    assert_eq!(
        limits(&format!("{imported} (memory 1) (table 9 funcref)")),
        []
    );
    for (fields, limit) in [
        (
            "(table 1 funcref) (table 1 funcref)",
            PoolLimit::MaxTablesPerModule,
        ),
        ("(memory 1) (memory 1)", PoolLimit::MaxMemoriesPerModule),
        ("(table 20001 funcref)", PoolLimit::TableElements),
        ("(memory i64 65537)", PoolLimit::MaxMemorySize),
        (
            &"(global (mut v128) (v128.const i64x2 0 0))".repeat(1 << 16),
            PoolLimit::MaxCoreInstanceSize,
        ),
    ] {
        assert_eq!(limits(fields), [limit]);
    }
    let many = "(global (mut i64) (i64.const 0))".repeat(40_000);
    let findings = lint(&format!(
        "(component (core module $m {many}) (core instance (instantiate $m))
           (core instance (instantiate $m)))"
    ));
    let [
        Finding {
            module: None,
            work: Work::Exceed { limit, .. },
            ..
        },
    ] = findings.as_slice()
    else {
        panic!("{findings:?}");
    };
    assert_eq!(*limit, PoolLimit::MaxComponentInstanceSize);
}

/// The engine does with an image what its front end said about the program.
#[cfg(feature = "precompile")]
#[test]
fn images_agree_with_programs() {
    let base = r#"(import "e" "base" (global $base i32))"#;
    let cases = [
        ("(memory 1) (data (i32.const 0) \"a\")".to_owned(), vec![]),
        (
            "(import \"e\" \"m\" (memory 1)) (data (i32.const 0) \"abc\")".to_owned(),
            vec![Rule::MemoryCopied, Rule::StartupCode],
        ),
        (
            format!("{base} (memory 1) (data (global.get $base) \"abc\")"),
            vec![Rule::MemoryCopied, Rule::StartupCode],
        ),
        (
            "(func $f) (table 2 funcref) (elem (i32.const 1) func $f)".to_owned(),
            vec![],
        ),
        (
            format!("{base} (func $f) (table 9 funcref) (elem (global.get $base) func $f)"),
            vec![Rule::StartupCode],
        ),
        (
            "(func $f) (elem func $f)".to_owned(),
            vec![Rule::PassiveElements, Rule::StartupCode],
        ),
        (
            format!("{base} (global i32 (global.get $base))"),
            vec![Rule::ComputedGlobals, Rule::StartupCode],
        ),
        ("(func $s) (start $s)".to_owned(), vec![Rule::StartFunction]),
        ("(memory 1) (memory 1)".to_owned(), vec![Rule::PoolLimits]),
    ];
    for (fields, expected) in cases {
        let findings = of_image(&format!("(module {fields})"));
        assert_eq!(rules(&findings), expected, "{fields}");
    }
    assert_eq!(rules(&of_image(&with_instances(51))), []);
    let many = with_instances(52);
    assert_eq!(of_image(&many), lint(&many));
}

#[cfg(feature = "precompile")]
fn of_image(text: &str) -> Vec<Finding> {
    use object::{Object as _, ObjectSection as _};
    let program = validate(wat::parse_str(text).unwrap()).unwrap();
    let target = edgec_targets::find("x86_64").unwrap();
    let native = crate::precompile(&program, target, crate::EngineProfile::Default).unwrap();
    let file = object::read::elf::ElfFile64::<object::Endianness>::parse(native.bytes()).unwrap();
    let info = file.section_by_name(".wasmtime.info").unwrap();
    image::lint(info.data().unwrap(), program.kind()).unwrap()
}

/// A module's name is repeated in each of its findings.
#[test]
fn names_are_cut() {
    let name = "n".repeat(5000);
    let text = format!(r#"(module ${name} (import "e" "m" (memory 1)) (data (i32.const 0) "x"))"#);
    let findings = lint(&text);
    let module = findings[0].module.as_ref().unwrap();
    let shown = format!("{}…", "n".repeat(super::MAX_NAME_LEN));
    assert_eq!(module.name.as_deref(), Some(shown.as_str()));
}

#[test]
fn what_is_no_description_is_refused() {
    for kind in [ProgramKind::Module, ProgramKind::Component] {
        for bytes in [&b""[..], &[0xff; 100], b"\x01"] {
            assert!(image::lint(bytes, kind).is_err());
        }
    }
}
