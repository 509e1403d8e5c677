//! Programs that the engine miscompiles are refused by name, and no others are. Also programs
//! beyond the engine's limits.

use edgec_loader::{EngineProfile, Expected, HostEngine, load};
use edgec_tests::Sandbox;
use serde_json::Value;
use wasmtime::component::{Instance, Linker, Val};

/// A type with this many items: `(enum "a0" …)` and the like.
fn ty(kind: &str, items: usize) -> String {
    let item = |number: usize| match kind {
        "enum" => format!("\"a{number}\""),
        "variant" => format!("(case \"a{number}\")"),
        "record" => format!("(field \"a{number}\" u8)"),
        _ => "u8".to_owned(),
    };
    let items: Vec<String> = (0..items).map(item).collect();
    format!("({kind} {})", items.join(" "))
}

/// Two components: one exports `run`, which calls `f` of the other. `passed` is the type of `f`,
/// and contains the type `$t`. The rest is core code: `lifted` is `f`, `lowered` is its type for
/// the caller, and `run` is the body of `run`.
fn two(ty: &str, passed: &str, lifted: &str, lowered: &str, run: &str) -> Vec<u8> {
    let memory = "(memory (export \"memory\") 1)
        (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) i32.const 64)";
    let options = |instance: &str| {
        format!("(memory ${instance} \"memory\") (realloc (func ${instance} \"realloc\"))")
    };
    let text = format!(
        "(component $C
            (type $o {ty})
            (export $v \"value\" (type $o))
            (component $provider
                (alias outer $C $o (type $p)) (export $t \"value\" (type $p))
                (core module $m {memory} (func (export \"f\") {lifted}))
                (core instance $i (instantiate $m))
                (func (export \"f\") {passed} (canon lift (core func $i \"f\") {}))
            )
            (instance $p (instantiate $provider))
            (component $consumer
                (alias outer $C $o (type $p)) (import \"value\" (type $t (eq $p)))
                (import \"f\" (func $f {passed}))
                (core module $l {memory})
                (core instance $l (instantiate $l))
                (core func $lowered (canon lower (func $f) {}))
                (core module $m (import \"\" \"f\" (func $f {lowered})) (import \"\" \"memory\" (memory 1))
                    (func (export \"run\") (result i32) {run}))
                (core instance $i (instantiate $m (with \"\" (instance
                    (export \"f\" (func $lowered)) (export \"memory\" (memory $l \"memory\"))))))
                (func (export \"run\") (result u32) (canon lift (core func $i \"run\")))
            )
            (instance $c (instantiate $consumer (with \"value\" (type $o)) (with \"f\" (func $p \"f\"))))
            (alias export $c \"run\" (func $run)) (export \"run\" (func $run)))",
        options("i"),
        options("l"),
    );
    wat::parse_str(text).unwrap()
}

fn gives(kind: &str, items: usize) -> Vec<u8> {
    let last = format!("(result i32) i32.const {}", items - 1);
    two(
        &ty(kind, items),
        "(result $t)",
        &last,
        "(result i32)",
        "call $f",
    )
}

/// The caller sets the last item to 7, and the other component reads it.
fn takes(kind: &str, items: usize) -> Vec<u8> {
    let last = items - 1;
    let lifted = format!("(param i32) (result i32) local.get 0 i32.load8_u offset={last}");
    let run = format!("i32.const 0 i32.const 7 i32.store8 offset={last} i32.const 0 call $f");
    let passed = "(param \"x\" $t) (result u32)";
    two(
        &ty(kind, items),
        passed,
        &lifted,
        "(param i32) (result i32)",
        &run,
    )
}

/// Loads `app.cwasm`, and makes an instance of it.
fn instance(sandbox: &Sandbox) -> (wasmtime::Store<()>, Instance) {
    let engine = HostEngine::builder(EngineProfile::Default).build().unwrap();
    let path = sandbox.path().join("app.cwasm");
    let loaded = load(&engine, &path, &sandbox.policy(), &Expected::anything()).unwrap();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = Linker::new(&engine)
        .instantiate(&mut store, loaded.program())
        .unwrap();
    (store, instance)
}

/// Builds and loads a program. Returns the result of its `run`.
fn call(sandbox: &Sandbox, program: &[u8]) -> Val {
    sandbox.write("app.wasm", program);
    sandbox.build("app.wasm", std::env::consts::ARCH, "app.cwasm");
    let (mut store, instance) = instance(sandbox);
    let run = instance.get_func(&mut store, "run").unwrap();
    let mut results = [Val::Bool(false)];
    run.call(&mut store, &[], &mut results).unwrap();
    let [result] = results;
    result
}

fn refusal(sandbox: &Sandbox, program: &[u8]) -> String {
    sandbox.write("app.wasm", program);
    let stderr = sandbox.fails(
        1,
        &["build", "-q", "--key", "key.pem", "-o", "out", "app.wasm"],
    );
    assert!(
        stderr.starts_with("error[engine-fault]: app.wasm: valid WebAssembly, but"),
        "{stderr}"
    );
    assert!(stderr.contains("(EDGEC-2026-0002)\n"), "{stderr}");
    assert!(!sandbox.path().join("out").exists());
    assert!(
        sandbox
            .fails(1, &["validate", "app.wasm"])
            .contains("error[engine-fault]")
    );
    stderr
}

/// wasmtime 14354: components can pass 1000 cases, fields or elements to each other. With 1001,
/// calls end in "call stack exhausted".
#[test]
fn calls_that_would_never_end_are_refused() {
    let sandbox = Sandbox::new();
    for kind in ["enum", "variant"] {
        assert_eq!(call(&sandbox, &gives(kind, 1000)), Val::U32(999), "{kind}");
        let stderr = refusal(&sandbox, &gives(kind, 1001));
        assert!(
            stderr.contains("function `f`, lifted at offset 0x"),
            "{stderr}"
        );
        assert!(
            stderr.contains(&format!("{kind} of 1001 cases, type at offset 0x")),
            "{stderr}"
        );
    }
    for kind in ["record", "tuple"] {
        assert_eq!(call(&sandbox, &takes(kind, 1000)), Val::U32(7), "{kind}");
        let stderr = refusal(&sandbox, &takes(kind, 1001));
        let items = if kind == "record" {
            "fields"
        } else {
            "elements"
        };
        assert!(
            stderr.contains(&format!("has a {kind} of 1001 {items}, type at")),
            "{stderr}"
        );
    }
}

/// The offsets in the message are offsets in the file.
#[test]
fn the_places_are_exact() {
    let sandbox = Sandbox::new();
    let program = gives("enum", 1001);
    let stderr = refusal(&sandbox, &program);
    let byte = |before: &str| {
        let (_, rest) = stderr.split_once(before).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        usize::from_str_radix(&digits, 16).unwrap()
    };
    // `Binary.md` of the component model: an enum, and a lift.
    assert_eq!(program[byte("type at offset 0x")], 0x6d);
    let lift = byte("lifted at offset 0x");
    assert_eq!(program[lift..lift + 2], [0, 0]);
}

#[test]
fn types_inside_of_others_count_one_by_one() {
    let sandbox = Sandbox::new();
    // A function with these core parameters passes a value of that type.
    let passing = |passed: &str, params: &str, result: &str, run: &str, items| {
        let lowered = format!("(param {params}) (result i32)");
        let lifted = format!("{lowered} local.get {result}");
        let passed = format!("(param \"x\" {passed}) (result u32)");
        two(&ty("enum", items), &passed, &lifted, &lowered, run)
    };
    let in_list = |items| {
        let run = "i32.const 0 i32.const 3 call $f";
        passing("(list (option $t))", "i32 i32", "1", run, items)
    };
    assert_eq!(call(&sandbox, &in_list(1000)), Val::U32(3));
    assert!(refusal(&sandbox, &in_list(1001)).contains("an enum of 1001 cases"));
    // Three values with 900 items are more than 1000 in one function, which the engine divides.
    let three = |items| {
        let run = "i32.const 1 i32.const 2 i32.const 899 call $f";
        passing("(tuple $t $t $t)", "i32 i32 i32", "2", run, items)
    };
    assert_eq!(call(&sandbox, &three(900)), Val::U32(899));
    refusal(&sandbox, &three(1001));
}

/// There is no adapter between a component and its host.
#[test]
fn a_host_takes_and_gives_any_number_of_cases() {
    let sandbox = Sandbox::new();
    let text = format!(
        "(component (type $o {}) (export $v \"value\" (type $o))
            (core module $m (func (export \"run\") (result i32) i32.const 1000))
            (core instance $i (instantiate $m))
            (func (export \"run\") (result $v) (canon lift (core func $i \"run\"))))",
        ty("enum", 1001)
    );
    let program = wat::parse_str(text).unwrap();
    assert_eq!(call(&sandbox, &program), Val::Enum("a1000".to_owned()));
}

/// A component calls a component inside it. This is valid, but this engine traps every such call,
/// and the build warns of it.
#[test]
fn calls_that_always_trap_are_told() {
    let sandbox = Sandbox::new();
    let program = |called: &str| {
        format!(
            "(component
                (component $child
                    (core module $m (func (export \"f\") (result i32) i32.const 5))
                    (core instance $i (instantiate $m))
                    (func (export \"f\") (result u32) (canon lift (core func $i \"f\"))))
                (instance $child (instantiate $child))
                (core func $f (canon lower (func $child \"f\")))
                (core module $m (import \"\" \"f\" (func $f (result i32)))
                    (func (export \"run\") (result i32) {called}))
                (core instance $i (instantiate $m (with \"\" (instance (export \"f\" (func $f))))))
                (func (export \"run\") (result u32) (canon lift (core func $i \"run\"))))"
        )
    };
    let build = |name: &str, program: &str| {
        sandbox.write(name, program);
        let arguments = [
            "build",
            "-q",
            "--key",
            "key.pem",
            "-t",
            std::env::consts::ARCH,
        ];
        let output = sandbox.run(&[&arguments[..], &["-o", "app.cwasm", name]].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let stderr = build("app.wat", &program("call $f"));
    assert!(
        stderr.contains("warning: app.wat: EDGEC-2026-0003 concerns the code for"),
        "{stderr}"
    );
    let (mut store, instance) = instance(&sandbox);
    let run = instance
        .get_typed_func::<(), (u32,)>(&mut store, "run")
        .unwrap();
    let error = format!("{:?}", run.call(&mut store, ()).unwrap_err());
    assert!(error.contains("cannot enter component instance"), "{error}");
    // Components side by side may call each other.
    sandbox.write("two.wasm", gives("enum", 3));
    let arguments = ["build", "-q", "--key", "key.pem", "-o", "two", "two.wasm"];
    let output = sandbox.run(&arguments);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

/// Each fault that depends on a program's shape is listed, and no policy decides by it.
#[test]
fn advisories_of_a_shape_are_listed_and_decide_nothing() {
    let sandbox = Sandbox::new();
    let text = sandbox.ok(&["advisories"]);
    assert!(text.contains("EDGEC-2026-0002: "), "{text}");
    assert!(
        text.contains("`edgec build` refuses them") && text.contains("warns"),
        "{text}"
    );
    let json = sandbox.ok(&["advisories", "--format", "json"]);
    let all = edgec_tests::results(json);
    let shaped = all.iter().filter(|it| it["shape"].is_string());
    let shaped: Vec<&Value> = shaped.map(|it| &it["id"]).collect();
    assert_eq!(shaped, ["EDGEC-2026-0003", "EDGEC-2026-0002"]);
    // A component, under a policy that includes the advisories.
    sandbox.write("app.wat", "(component)");
    sandbox.build("app.wat", "x86_64", "app.cwasm");
    let pem = String::from_utf8(sandbox.read("key.pub.pem")).unwrap();
    sandbox.write(
        "trust.toml",
        format!("threshold = 1\n[[key]]\nname = 'k'\npem = '''\n{pem}'''\n[compiler]\nadvisories = true\n"),
    );
    let text = sandbox.ok(&["verify", "--trust", "trust.toml", "app.cwasm"]);
    assert!(
        text.contains(&format!("none of the {} that", all.len() - 2)),
        "{text}"
    );
}

/// The program from the report, if it is beside the repository.
#[test]
fn the_reported_program_is_refused() {
    let Some(trial) = edgec_tests::shared("trials/enum_1001.wat") else {
        let why = "no trials beside the repository";
        edgec_tests::skipped("EDGEC_REQUIRE_TRIALS", why);
        return;
    };
    let sandbox = Sandbox::new();
    refusal(&sandbox, &wat::parse_file(trial).unwrap());
}

/// A program that exceeds a limit is not called invalid, and its toolchain is not blamed.
#[test]
fn limits_are_told_with_their_number() {
    let sandbox = Sandbox::new();
    let many = |count: usize, part: &str| part.repeat(count);
    let programs = [
        (
            format!("(module (func (local {})))", many(60_000, "i32 ")),
            "more than 50000 parameters and locals in a function",
        ),
        (
            format!("(module (func (param {})))", many(1001, "i32 ")),
            "more than 1000 parameters of a function",
        ),
        (
            format!("(module {})", many(101, "(memory 0)")),
            "more than 100 memories",
        ),
        (
            format!("(module {})", many(100_001, "(data \"\")")),
            "more than 100000 data segments",
        ),
        (
            format!("(module (import \"{}\" \"f\" (func)))", many(200_000, "n")),
            "more than 100000 bytes in a name",
        ),
    ];
    for (text, says) in programs {
        sandbox.write("in.wasm", wat::parse_str(text).unwrap());
        for verb in [
            &["validate", "in.wasm"][..],
            &["build", "in.wasm", "--key", "key.pem"],
        ] {
            let stderr = sandbox.fails(1, verb);
            let begins = format!(
                "error[unsupported]: in.wasm: valid WebAssembly, but beyond this engine: {says} \
                 are not supported (at offset 0x"
            );
            assert!(stderr.starts_with(&begins), "{stderr}");
            assert!(
                stderr.contains("hint: ") && !stderr.contains("invalid"),
                "{stderr}"
            );
        }
    }
}
