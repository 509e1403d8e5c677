//! Bad input: a clear error, the documented exit code, and no files.
//!
//! More than 400 lines: most of it is one table of cases.

use edgec_tests::{Sandbox, repository};

struct Case {
    /// The arguments, separated by spaces.
    line: &'static str,
    exit: i32,
    /// The beginning of standard error.
    begins: &'static str,
    /// Further parts of it.
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        line: "build missing.wasm --key key.pem",
        exit: 3,
        begins: "error[io]: missing.wasm: cannot read: No such file",
        says: &[],
    },
    Case {
        line: "build empty.wasm --key key.pem",
        exit: 1,
        begins: "error[not-wasm]: empty.wasm: the input is empty",
        says: &["hint: "],
    },
    Case {
        line: "build image.png --key key.pem",
        exit: 1,
        begins: "error[not-wasm]: image.png: neither WebAssembly binary",
        says: &["89 50 4e 47", "hint: "],
    },
    Case {
        line: "build truncated.wasm --key key.pem",
        exit: 1,
        begins: "error[invalid]: truncated.wasm: invalid WebAssembly: ",
        says: &["(at offset 0x", "hint: the file was cut off"],
    },
    Case {
        line: "build type.wat --key key.pem",
        exit: 1,
        begins: "error[invalid]: type.wat: invalid WebAssembly: ",
        says: &["hint: correct the text"],
    },
    Case {
        line: "build function.wat --key key.pem",
        exit: 1,
        begins: "error[invalid]: function.wat: invalid WebAssembly: type mismatch",
        says: &["in function 1 `broken`"],
    },
    Case {
        line: "build feature.wat --key key.pem",
        exit: 1,
        begins: "error[unsupported]: feature.wat: WebAssembly that edgec does not support: ",
        says: &["hint: the program uses `custom_page_sizes`"],
    },
    Case {
        line: "build legacy.wat --key key.pem",
        exit: 1,
        begins: "error[legacy-exceptions]: legacy.wat: WebAssembly that edgec does not support: ",
        says: &[
            "in function 0",
            "hint: these are legacy exceptions, from before the standard: `edgec build` translates \
             them if --wasm-opt names a `wasm-opt` of Binaryen 118 or later;\n",
        ],
    },
    Case {
        line: "build engine.wat --key key.pem",
        exit: 1,
        begins: "error[unsupported]: engine.wat: valid WebAssembly, but beyond this engine",
        says: &["root-level component imports"],
    },
    Case {
        line: "build text.wat --key key.pem",
        exit: 1,
        begins: "error[not-wasm]: text.wat: malformed WebAssembly text: ",
        says: &["(modul)"],
    },
    Case {
        line: "build foreign.wat --kind component --key key.pem",
        exit: 1,
        begins: "error[kind]: foreign.wat: the core module cannot become a component",
        says: &[
            "hint: ",
            "--kind module",
            "for a host that gives it these imports",
        ],
    },
    Case {
        line: "build good.wat --target x86_65 --key key.pem",
        exit: 2,
        begins: "error[unknown-target]: unknown target `x86_65`",
        says: &["did you mean x86_64"],
    },
    Case {
        line: "build good.wat --target x86 --key key.pem",
        exit: 2,
        begins: "error[unknown-target]: unknown target `x86`",
        says: &["did you mean x86_64?"],
    },
    Case {
        line: "build good.wat --target x86_64, --key key.pem",
        exit: 2,
        begins: "error[unknown-target]: --target: the name of a target is missing",
        says: &["hint: put commas between names"],
    },
    Case {
        line: "build good.wat --key key.pem -o /proc/nowhere/out",
        exit: 3,
        begins: "error[io]: /proc/nowhere/out: cannot create",
        says: &[],
    },
    Case {
        line: "build good.wat -t x86_64 --key key.pem -o /dev/full",
        exit: 2,
        begins: "error[output]: /dev/full: a pipe or a device is there, and an artifact of edgec",
        says: &["hint: name another file"],
    },
    Case {
        line: "build good.wat --key key.pem -o good.wat",
        exit: 2,
        begins: "error[output]: good.wat: 2 artifacts do not fit into one file",
        says: &["hint: "],
    },
    Case {
        line: "build good.wat --key missing.pem",
        exit: 3,
        begins: "error[io]: missing.pem: cannot read",
        says: &[],
    },
    Case {
        line: "build good.wat --key key.pub.pem",
        exit: 1,
        begins: "error[secret-key]: key.pub.pem",
        says: &["hint: this is the public key"],
    },
    Case {
        line: "build good.wat folder/good.wat --key key.pem",
        exit: 2,
        begins: "error[same-output]: folder/good.wat: good.wat would become the same artifact",
        says: &[],
    },
    Case {
        line: "build good.wat --key key.pem --not-before 2030-01-01 --expires 2030-01-01T00:00:00Z",
        exit: 2,
        begins: "error[validity]",
        says: &[],
    },
    Case {
        line: "build good.wat --key key.pem --wasm-opt /bin/false",
        exit: 3,
        begins: "error[optimizer]: /bin/false",
        says: &[],
    },
    Case {
        line: "build good.wat --key key.pem --name ../x",
        exit: 2,
        begins: "error[name]",
        says: &["hint: "],
    },
    Case {
        line: "build folder --key key.pem",
        exit: 1,
        begins: "error[not-a-file]: folder: not a regular file",
        says: &["hint: this is a folder"],
    },
    Case {
        line: "build",
        exit: 2,
        begins: "error[usage]: no input is named, and there is no edgec.toml in this folder or above",
        says: &["hint: name an input, or let `edgec init` write a project"],
    },
    Case {
        line: "verify good.wat --key key.pub.pem",
        exit: 1,
        begins: "error[layout]: good.wat: this is WebAssembly text, not an artifact of edgec",
        says: &["hint: "],
    },
    Case {
        line: "verify missing.cwasm --key key.pub.pem",
        exit: 3,
        begins: "error[io]: missing.cwasm",
        says: &[],
    },
    Case {
        line: "verify good.wat --key key.pem",
        exit: 1,
        begins: "error[public-key]: key.pem",
        says: &["hint: this is a private key"],
    },
    Case {
        line: "verify good.wat",
        exit: 2,
        begins: "error[no-trust]: nothing says whose signatures count",
        says: &["hint: ", "--key", "--trust"],
    },
    Case {
        line: "verify good.wat --trust good.wat",
        exit: 1,
        begins: "error[trust-policy]: good.wat: this is WebAssembly text, not a trust policy",
        says: &["hint: a policy is TOML"],
    },
    Case {
        line: "inspect good.wat",
        exit: 1,
        begins: "error[layout]: good.wat",
        says: &[],
    },
    Case {
        line: "sign good.wat --key key.pem",
        exit: 1,
        begins: "error[package]: good.wat",
        says: &[],
    },
    Case {
        line: "keygen -o key.pem",
        exit: 2,
        begins: "error[exists]: key.pem",
        says: &["hint: "],
    },
    Case {
        line: "run --key key.pub.pem folder",
        exit: 1,
        begins: "error[not-a-file]: folder",
        says: &["hint: this is a folder"],
    },
    Case {
        line: "build good.wat -t x86_64 --key key.pem -o key.pem",
        exit: 2,
        begins: "error[output]: key.pem: this file is an input, and would be overwritten",
        says: &[],
    },
    Case {
        line: "build good.wat -t x86_64 --key key.pem -o good.wat",
        exit: 2,
        begins: "error[output]: good.wat: this file is an input, and would be overwritten",
        says: &[],
    },
    Case {
        line: "policy sign good.wat --key key.pem -o x",
        exit: 1,
        begins: "error[trust-policy]: good.wat: this is WebAssembly text, not a trust policy",
        says: &["hint: a policy is TOML"],
    },
    Case {
        line: "verify good.wat --key key.pub.pem --root key.pub.pem",
        exit: 2,
        begins: "error: the argument '--key <PUBLIC_KEY>' cannot be used with '--root",
        says: &[],
    },
    Case {
        line: "build good.wat -t x86_64 --key key.pem -o -",
        exit: 2,
        begins: "error[output]: -o -: standard output is not written to",
        says: &["hint: name a file: it is written whole or not at all"],
    },
    Case {
        // It is not a folder for several artifacts either.
        line: "build good.wat --key key.pem -o -",
        exit: 2,
        begins: "error[output]: -o -: standard output is not written to",
        says: &[],
    },
    Case {
        line: "sign good.wat --key key.pem -o key.pem",
        exit: 2,
        begins: "error[output]: key.pem: this file is an input, and would be overwritten",
        says: &[],
    },
    Case {
        line: "build good.wat --key key.pem --expires 2030",
        exit: 2,
        begins: "error: invalid value '2030' for '--expires <TIME>': that lies before 1973",
        says: &[],
    },
    Case {
        line: "verify /dev/zero --key key.pub.pem",
        exit: 1,
        begins: "error[not-a-file]: /dev/zero",
        says: &[],
    },
    Case {
        line: "verify good.wat --key /dev/zero",
        exit: 3,
        begins: "error[io]: /dev/zero: cannot read",
        says: &[],
    },
    Case {
        line: "symbolize good.wat",
        exit: 1,
        begins: "error[debug-file]: good.wat: this is ",
        says: &["hint: give the debug file: `edgec build --debug-file` writes it"],
    },
    Case {
        line: "validate escape.wat",
        exit: 1,
        begins: "error[not-wasm]: escape.wat: malformed WebAssembly text",
        says: &["\\u{1b}[2J"],
    },
    Case {
        line: "run --key key.pub.pem -",
        exit: 1,
        begins: "error[not-a-file]: -: an artifact cannot be read from standard input",
        says: &["hint: name the file, or write it to one first"],
    },
    Case {
        line: "run --key key.pub.pem /dev/null",
        exit: 1,
        begins: "error[not-a-file]: /dev/null",
        says: &["hint: ", "write it to a file first"],
    },
    Case {
        line: "run a.cwasm input.txt --key key.pub.pem",
        exit: 2,
        begins: "error[no-trust]: ",
        says: &[
            "hint: `--key` after `input.txt` was given to the program; put it before the artifact",
        ],
    },
    Case {
        line: "run a.cwasm -- --trust=a.toml",
        exit: 2,
        begins: "error[no-trust]: ",
        says: &["hint: `--trust` after `--` was given to the program"],
    },
    Case {
        // A value that may be a secret of the program is not repeated.
        line: "run a.cwasm --token=x --key key.pub.pem",
        exit: 2,
        begins: "error[no-trust]: ",
        says: &["hint: `--key` after the program's first argument was given to the program"],
    },
    Case {
        line: "run a.cwasm input.txt",
        exit: 2,
        begins: "error[no-trust]: ",
        says: &["hint: name a public key with --key"],
    },
    Case {
        line: "advisories GHSA-0",
        exit: 2,
        begins: "error[unknown-advisory]: GHSA-0: ",
        says: &["hint: it knows ", "GHSA-43j2-gcp4-m22g"],
    },
    Case {
        line: "build *.wasmx --key key.pem",
        exit: 3,
        begins: "error[io]: *.wasmx: cannot read: No such file",
        says: &[],
    },
    Case {
        line: "build . --key key.pem",
        exit: 1,
        begins: "error[not-a-file]: .: not a regular file",
        says: &["hint: this is a folder"],
    },
    Case {
        line: "build good.wat --key key.pem --issued 2030-01-01T00:00:00Z --expires 2029-01-01T00:00:00Z",
        exit: 2,
        begins: "error[validity]: --expires (2029-01-01T00:00:00Z) is not after --issued",
        says: &["never be valid"],
    },
    Case {
        line: "validate function.wat good.wat",
        exit: 1,
        begins: "error[invalid]: function.wat",
        says: &[],
    },
];

#[test]
fn bad_input() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.wasm", "");
    sandbox.write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    sandbox.write("text.wat", "(modul)");
    sandbox.write("escape.wat", r#"(module (func (call $"x\1b[2J\07")))"#);
    sandbox.write("good.wat", "(module)");
    sandbox.write("folder/good.wat", "(module)");
    sandbox.write("type.wat", "(component (type (list 99)))");
    sandbox.write(
        "function.wat",
        "(module (func) (func $broken (result i32)))",
    );
    sandbox.write("feature.wat", "(module (memory 1 (pagesize 1)))");
    sandbox.write("legacy.wat", "(module (func try catch_all end))");
    sandbox.write("engine.wat", r#"(component (import "c" (component)))"#);
    sandbox.write("foreign.wat", r#"(module (import "env" "f" (func)))"#);
    let hello = std::fs::read_to_string(repository().join("examples/hello.wat")).unwrap();
    let wasm = wat::parse_str(&hello).unwrap();
    sandbox.write("truncated.wasm", &wasm[..wasm.len() / 2]);

    let before = sandbox.files();
    for case in CASES {
        let line = case.line;
        let arguments: Vec<&str> = line.split(' ').collect();
        let stderr = sandbox.fails(case.exit, &arguments);
        assert!(stderr.starts_with(case.begins), "{line}: {stderr}");
        assert!(
            !stderr.contains('\u{1b}') && !stderr.contains('\u{7}'),
            "{stderr:?}"
        );
        for text in case.says {
            assert!(stderr.contains(text), "{line}: {stderr}");
        }
        assert_eq!(sandbox.files(), before, "{line}");
    }
}

/// Offsets in a text would refer to a binary that only edgec has.
#[test]
fn the_error_of_a_text_has_no_offset_in_a_binary() {
    let sandbox = Sandbox::new();
    for (text, says) in [
        (
            "(module (func $broken (result i32)))",
            "(in function 0 `broken`)\n",
        ),
        ("(component (type (list 99)))", "out of bounds\n"),
        ("(module (memory 1 (pagesize 1)))", "page size\n"),
    ] {
        sandbox.write("in.wat", text);
        sandbox.write("in.wasm", wat::parse_str(text).unwrap());
        for verb in [
            &["validate"][..],
            &["build", "-t", "x86_64", "--key", "key.pem", "-o", "a.cwasm"],
        ] {
            let of_text = sandbox.fails(1, &[verb, &["in.wat"]].concat());
            assert!(!of_text.contains("at offset"), "{of_text}");
            assert!(!of_text.contains("toolchain"), "{of_text}");
            assert!(of_text.contains(says), "{of_text}");
            let of_binary = sandbox.fails(1, &[verb, &["in.wasm"]].concat());
            assert!(of_binary.contains("(at offset 0x"), "{of_binary}");
        }
    }
}

/// For machines, the same error is JSON on standard output.
#[test]
fn errors_as_json() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.wat", "(module (func (result i32)))");
    let output = sandbox.run(&["build", "bad.wat", "--key", "key.pem", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let error = &report["inputs"][0]["error"];
    assert_eq!(error["code"], "invalid");
    assert!(error["message"].as_str().unwrap().contains("type mismatch"));
}
