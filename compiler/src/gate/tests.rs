//! Programs that break one demand each, and programs that break none.

use super::*;
use crate::input::wit::{WitFile, WitPackage};
use crate::validate;

const WIT: &str = "package acme:shop@0.2.3;
    interface log {
        resource sink { write: func(text: string) -> u32; }
        open: func() -> sink;
    }
    interface run { run: func(n: u32) -> u32; }
    world shop { import log; import now: func() -> u64; export run; }";

/// A program that fits the world.
const FITS: &str = r#"(component
    (import "acme:shop/log@0.2.0" (instance
        (export "sink" (type $sink (sub resource)))
        (export "open" (func (result (own $sink))))
        (export "[method]sink.write"
            (func (param "self" (borrow $sink)) (param "text" string) (result u32)))))
    (import "now" (func (result u64)))
    (core module $m (func (export "run") (param i32) (result i32) local.get 0))
    (core instance $i (instantiate $m))
    (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
    (instance $exports (export "run" (func $run)))
    (export "acme:shop/run@0.2.9" (instance $exports)))"#;

fn shop() -> Gate {
    let (name, bytes) = ("shop.wit".to_owned(), WIT.as_bytes().to_vec());
    let files = vec![WitFile { name, bytes }];
    let packages = vec![WitPackage { files }];
    let world = None;
    Gate {
        world: Some(WorldSource::Files { packages, world }),
        ..Gate::default()
    }
}

fn wasi(name: &str) -> Gate {
    Gate {
        world: Some(WorldSource::Wasi(name.to_owned())),
        ..Gate::default()
    }
}

fn allowing(patterns: &[&str]) -> Gate {
    let patterns = patterns.iter().map(|pattern| ImportPattern::new(*pattern));
    Gate {
        imports: Some(patterns.collect()),
        ..Gate::default()
    }
}

fn limited(limits: NeedLimits) -> Gate {
    Gate {
        limits,
        ..Gate::default()
    }
}

/// No demand is broken.
const NOTHING: [(&str, String); 0] = [];

/// The codes and the texts of what the program breaks.
fn broken(gate: &Gate, text: &str) -> Vec<(&'static str, String)> {
    let program = validate(wat::parse_str(text).unwrap()).unwrap();
    let (interface, needs) = (program.interface(), program.resources());
    let found = gate.check(&program, &interface, &needs).unwrap();
    let all = found.listed.iter();
    all.map(|it| (it.code(), it.to_string())).collect()
}

fn codes(gate: &Gate, text: &str) -> Vec<&'static str> {
    let found = broken(gate, text);
    found.into_iter().map(|(code, _)| code).collect()
}

#[test]
fn compatible_versions_fit_and_resources_are_the_same() {
    assert_eq!(broken(&shop(), FITS), NOTHING);
    // It may export more, and import less.
    let more = FITS.replace("(import \"now\" (func (result u64)))", "");
    let end = "(export \"acme:shop/run@0.2.9\"";
    let more = more.replace(end, &format!("(export \"more\" (func $run)) {end}"));
    assert_eq!(broken(&shop(), &more), NOTHING);
}

#[test]
fn each_difference_from_a_world_is_found() {
    for (part, changed, code, says) in [
        (
            "acme:shop/log@0.2.0",
            "acme:shop/log@0.3.0",
            "world-import",
            "there is `acme:shop/log@0.2.3`",
        ),
        ("\"now\"", "\"later\"", "world-import", "import `later`"),
        (
            "[method]sink.write",
            "[method]sink.print",
            "world-import-item",
            "has no `[method]sink.print`",
        ),
        (
            "(param \"text\" string) (result u32)",
            "(param \"text\" string) (result u64)",
            "world-import-type",
            "`[method]sink.write`",
        ),
        (
            "(import \"now\" (func (result u64)))",
            "(import \"now\" (func (result u32)))",
            "world-import-type",
            "import `now`",
        ),
        (
            "acme:shop/run@0.2.9",
            "acme:shop/run@1.0.0",
            "world-export",
            "there is `acme:shop/run@1.0.0`",
        ),
        (
            "(export \"run\" (func $run))",
            "(export \"go\" (func $run))",
            "world-export-item",
            "has no `run`",
        ),
        (
            "(param \"n\" u32)",
            "(param \"m\" u32)",
            "world-export-type",
            "`run`",
        ),
    ] {
        let program = FITS.replacen(part, changed, 1);
        assert_ne!(program, FITS);
        let found = broken(&shop(), &program);
        let [(found, text)] = found.as_slice() else {
            panic!("{part}: {found:?}");
        };
        assert_eq!(*found, code, "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn one_run_finds_all_of_them() {
    let program = r#"(component
        (import "acme:shop/log@0.2.0" (instance
            (export "close" (func)) (export "flush" (func))))
        (import "other" (func))
        (import "acme:shop/log@1.0.0" (instance (export "open" (func)))))"#;
    assert_eq!(
        codes(&shop(), program),
        [
            "world-import-item",
            "world-import-item",
            "world-import",
            "world-import",
            "world-export"
        ]
    );
    assert_eq!(codes(&shop(), "(module)"), ["world-module"]);
}

#[test]
fn worlds_of_wasi_have_versions() {
    let command = |import: &str| {
        format!(
            r#"(component (import "wasi:cli/environment@{import}" (instance
                (export "initial-cwd" (func (result (option string))))))
                (core module $m (func (export "run") (result i32) i32.const 0))
                (core instance $i (instantiate $m))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $exports (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $exports)))"#
        )
    };
    for world in ["wasi:cli/command", "wasi:cli/command@0.2.0"] {
        for version in ["0.2.0", "0.2.12", "0.2.99"] {
            assert_eq!(broken(&wasi(world), &command(version)), NOTHING);
        }
        assert_eq!(codes(&wasi(world), &command("0.3.0")), ["world-import"]);
    }
    // WASI 0.2.12 added this function.
    let exit = command("0.2.0").replacen(
        "(component",
        "(component (import \"wasi:cli/exit@0.2.12\" (instance
            (export \"exit-with-code\" (func (param \"status-code\" u8)))))",
        1,
    );
    assert_eq!(broken(&wasi("wasi:cli/command@0.2.12"), &exit), NOTHING);
    let earlier = codes(&wasi("wasi:cli/command@0.2.11"), &exit);
    assert_eq!(earlier, ["world-import-item"]);
    let http = codes(&wasi("wasi:http/proxy"), &command("0.2.0"));
    assert_eq!(http, ["world-import", "world-export"]);
}

#[test]
fn only_allowed_imports_pass() {
    let import = "import-not-allowed";
    for (patterns, expected) in [
        (&["*"][..], &[][..]),
        (&["acme:shop/log", "now"], &[]),
        (&["acme:shop/log@0.2.0", "now"], &[]),
        (&["acme:shop/*@0.2.*", "no*"], &[]),
        (&["acme:shop/log@0.2.3", "now"], &[import]),
        (&["acme:shop/lo", "no"], &[import, import]),
        (&[], &[import, import]),
    ] {
        assert_eq!(codes(&allowing(patterns), FITS), expected, "{patterns:?}");
    }
    let found = broken(&allowing(&["now"]), FITS);
    let text = &found.first().unwrap().1;
    assert!(text.contains("`open`") && text.contains("`[method]sink.write`"));

    let module = r#"(module (import "env" "f" (func)) (import "wasi:io/poll@0.2.0" "g" (func)))"#;
    assert_eq!(codes(&allowing(&["env::*"]), module), [import]);
    assert_eq!(codes(&allowing(&["env::f", "wasi:io/*"]), module), [""; 0]);
}

#[test]
fn an_instance_may_need_as_much_as_the_limits() {
    let program = r#"(component
        (core module $m (memory 2) (memory 1 9) (table 10 funcref))
        (core instance (instantiate $m)) (core instance (instantiate $m)))"#;
    let needs = NeedLimits {
        core_instances: Some(2),
        memories: Some(4),
        memory_bytes: Some(131_072),
        tables: Some(2),
        table_elements: Some(10),
    };
    assert_eq!(broken(&limited(needs), program), NOTHING);
    let less = |limit: Option<u64>| limit.map(|limit| limit - 1);
    let fewer = NeedLimits {
        core_instances: less(needs.core_instances),
        memories: less(needs.memories),
        memory_bytes: less(needs.memory_bytes),
        tables: less(needs.tables),
        table_elements: less(needs.table_elements),
    };
    assert_eq!(
        codes(&limited(fewer), program),
        [
            "limit-core-instances",
            "limit-memories",
            "limit-memory",
            "limit-memory",
            "limit-tables",
            "limit-table",
            "limit-table"
        ]
    );
    let unknown = r#"(component (import "c" (core module $m)) (core instance (instantiate $m)))"#;
    assert_eq!(codes(&limited(needs), unknown), ["limit-unknown"]);
    assert_eq!(broken(&Gate::default(), unknown), NOTHING);
}
