//! Writes the seeds of the fuzz targets, `fuzz/seeds`, from the real binary and the documents.
//!
//! Run `cargo xtask seeds` after a change of the engine or the format.

use edgec_artifact::{Artifact, Exports, Statement};
use edgec_fuzz::{SECRET_KEY, difference_seeds};
use edgec_graphs::{Choices, graph};
use edgec_tests::{Sandbox, repository};

fn main() {
    let seeds = repository().join("fuzz/seeds");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = seeds.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    let sandbox = Sandbox::new();
    sandbox.write("key.pem", SECRET_KEY);
    for (name, target, text) in ARTIFACTS {
        sandbox.write(&format!("{name}.wat"), text);
        let file = format!("{name}.cwasm");
        sandbox.ok(&[
            &["build", "-q", "--debug-file", "--key", "key.pem"][..],
            &["-t", target, "-o", &file, &format!("{name}.wat")],
        ]
        .concat());
        let debug = format!("{name}.debug");
        write("debug_file", &debug, &sandbox.read(&debug));
        let bytes = sandbox.read(&file);
        let artifact = Artifact::decode(&bytes).unwrap();
        let (image, envelope) = (artifact.image(), artifact.envelope());
        let length = u16::try_from(envelope.payload().len()).unwrap();
        write("artifact", &file, &bytes);
        write("elf", &format!("{name}.elf"), image);
        write("envelope", &format!("{name}.json"), &envelope.encode());
        write("manifest", &format!("{name}.json"), envelope.payload());
        write(
            "signed",
            name,
            &[&length.to_le_bytes(), envelope.payload(), image].concat(),
        );
        if *name == "signed" {
            write("verify", &file, &bytes);
            let payload = extended(envelope.payload());
            let length = u16::try_from(payload.len()).unwrap();
            write("manifest", "extended.json", &payload);
            let signed = [&length.to_le_bytes(), &payload[..], image].concat();
            write("signed", "extended", &signed);
        }
    }
    for (name, text) in PROGRAMS {
        let wasm = wat::parse_str(text).unwrap();
        for target in ["component", "reencode"] {
            write(target, &format!("{name}.wasm"), &wasm);
        }
    }
    for (name, packages) in WIT {
        let packages: Vec<&[u8]> = packages.iter().map(|text| text.as_bytes()).collect();
        // No text has this byte.
        write("wit", name, &packages.join(&0xff));
    }
    for (name, demands, text) in DEMANDS {
        let wasm = wat::parse_str(text).unwrap();
        write("gate", name, &[demands.as_bytes(), &wasm].concat());
    }
    for (name, bytes) in difference_seeds() {
        write("difference", name, &bytes);
    }
    // The decisions of which components are made.
    for seed in GRAPHS {
        let mut choices = Choices::of_seed(seed);
        graph(&mut choices);
        let tape = choices.made().iter().map(|number| u8::try_from(*number));
        let tape: Vec<u8> = tape.collect::<Result<_, _>>().unwrap();
        write("flatten", &format!("{seed}.tape"), &tape);
    }
    // The documents, whole and in parts.
    for document in ["policy", "trust"] {
        let text = std::fs::read_to_string(repository().join(format!("docs/{document}.md")));
        for (index, block) in text.unwrap().split("```toml\n").skip(1).enumerate() {
            let block = block.split("```").next().unwrap();
            write(
                "policy",
                &format!("{document}-{index}.toml"),
                block.as_bytes(),
            );
        }
    }
}

/// The statement with the digest of many exports, and with extensions.
fn extended(payload: &[u8]) -> Vec<u8> {
    let Statement { mut manifest } = Statement::decode(payload).unwrap();
    let names = (0..10_000).map(|number| format!("function {number}"));
    manifest.capabilities.exports = Exports::of(names);
    let values = r#"{"dev.example/a":[true,0,{"b":"c"}],"x":9007199254740991}"#;
    manifest.extensions = Some(serde_json::from_str(values).unwrap());
    Statement { manifest }.encode()
}

/// The seeds of component graphs: with shims of each form, resources and components inside.
const GRAPHS: [u64; 8] = [10, 11, 18, 32, 35, 36, 44, 57];

/// Name, target and text of the artifacts.
const ARTIFACTS: &[(&str, &str, &str)] = &[
    ("signed", "x86_64", "(module (func (export \"run\")))"),
    (
        "component",
        "x86_64-v3",
        r#"(component
            (import "wasi:cli/stdout@0.2.0" (instance))
            (core module $m (memory 1 2) (data (i32.const 0) "data") (func (export "run")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#,
    ),
];

/// Name and packages of worlds.
const WIT: &[(&str, &[&str])] = &[
    ("empty", &["package a:b; world w {}"]),
    (
        "types",
        &[r#"package acme:shop@1.2.0;
            interface cart {
                @since(version = 1.1.0)
                resource item { constructor(n: u32); get: func() -> string; drop-all: static func(); }
                record line { item: own<item>, count: u32, note: option<string> }
                variant answer { none, one(line), many(list<line>) }
                enum state { open, closed }
                flags rights { read, write }
                type pair = tuple<s64, f64>;
                buy: func(lines: list<line>, of: borrow<item>) -> result<answer, state>;
            }
            world shop {
                use cart.{line};
                import cart;
                import log: func(text: string, at: char);
                export total: func(lines: list<line>) -> u64;
                export handle: interface { run: async func() -> result; }
            }"#],
    ),
    (
        "packages",
        &[
            "package acme:main; world main { include acme:base/base@0.1.0; import acme:base/log@0.1.0; }",
            "package acme:base@0.1.0; interface log { print: func(s: string); } world base { export log; }",
        ],
    ),
    (
        "later",
        &[
            "package a:b; interface i { f: func(s: stream<u8>) -> future<string>; } world w { import i; }",
        ],
    ),
];

/// Name, demands and text of programs.
const DEMANDS: &[(&str, &str, &str)] = &[
    (
        "module",
        "env::*\nwasi:*",
        r#"(module (import "env" "f" (func)) (import "other" "g" (func))
            (memory 2) (table 3 funcref) (func (export "run")))"#,
    ),
    (
        "world",
        "package acme:shop; interface log { log: func(); } world shop { import log; export run: func(); }",
        r#"(component
            (import "acme:shop/log" (instance $log (export "log" (func)) (export "more" (func))))
            (core module $m (memory 1) (func (export "run")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#,
    ),
    (
        "versions",
        "wasi:io/poll\nwasi:cli/*@0.2.*",
        r#"(component (import "wasi:io/poll@0.2.3" (instance)) (import "wasi:cli/exit@0.3.0" (instance)))"#,
    ),
];

/// Name and text of the programs.
const PROGRAMS: &[(&str, &str)] = &[
    ("empty-component", "(component)"),
    ("empty-module", "(module)"),
    (
        "module",
        r#"(module $m
            (type $t (func (param i32) (result i32)))
            (import "env" "f" (func $f (type $t)))
            (table 2 4 funcref) (memory 1 3) (global (mut i64) (i64.const 7))
            (elem (i32.const 0) $f $g) (data (i32.const 8) "bytes")
            (func $g (export "g") (type $t)
                local.get 0 if (result i32) local.get 0 call $f else i32.const 1 end)
            (start $s) (func $s nop)
            (@custom "target_features" "\01+\0asimd128xxx"))"#,
    ),
    (
        "proposals",
        r#"(module
            (type $s (struct (field (mut i32)))) (type $a (array i8)) (tag $e (param i32))
            (memory i64 1)
            (func (result v128) v128.const i64x2 1 2)
            (func (result (ref $s)) i32.const 1 struct.new $s)
            (func (block (result i32) (try_table (catch $e 0) i32.const 1 throw $e) i32.const 0) drop)
            (func $tail return_call $tail)
            (func (result externref) ref.null extern))"#,
    ),
    (
        "component",
        r#"(component
            (core module $a (func (export "a") (param i32) (result i32) local.get 0)
                (memory (export "m") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
            (component $inner (core module (func)) (core module)
                (type $r (record (field "x" u32) (field "y" string)))
                (export "r" (type $r)))
            (import "host:a/b@1.2.3" (instance $h (export "t" (type $t (sub resource)))
                (export "f" (func (param "s" string) (result (list u8))))))
            (core instance $i (instantiate $a))
            (instance $n (instantiate $inner))
            (alias core export $i "m" (core memory $mem))
            (type $v (variant (case "a" u8) (case "b" (tuple f32 char))))
            (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "a")))
            (core func $l (canon lower (func $h "f") (memory $mem)
                (realloc (func $i "realloc"))))
            (@custom "note" "kept"))"#,
    ),
];
