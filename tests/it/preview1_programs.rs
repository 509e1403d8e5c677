//! The law of the preview 1 rule, on generated programs: with edgec, a program prints the same as
//! with stock.
//!
//! Each program has an allocator. It takes blocks, fills them, calls WASI in between, and then
//! checks that every block still has its content. The allocators differ in where their memory comes
//! from: some use only memory that they were given, and others use any memory that they find.

use std::fmt::Write as _;

use edgec_compiler::{KindChoice, ProgramKind, adapt, read};
use edgec_tests::{Sandbox, shared, skipped, stock};

use crate::preview1::{
    ARCH, BUILD, EXIT, HELLO, MEMORY, WRITE, build, command, loses_its_exit_code, run,
};

/// Pseudorandom numbers, the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        // Numerical Recipes, chapter 7.1.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// How an allocator gets more memory. Its free memory is between `$next` and `$end`.
const SOURCES: [(&str, &str); 7] = [
    // Never: it only has the memory that the linker gave it.
    ("fixed", "unreachable"),
    // It takes everything up to the end of the memory, even if that is not its own.
    (
        "takes all",
        "(global.set $end (i32.shl (memory.size) (i32.const 16)))",
    ),
    // It grows the memory, and counts the pages itself.
    (
        "counts",
        "(drop (memory.grow (i32.const 1))) (global.set $end (i32.add (global.get $end) (i32.const 65536)))",
    ),
    // It grows the memory, and takes everything up to the new end.
    (
        "up to the end",
        "(drop (memory.grow (i32.const 1))) (global.set $end (i32.shl (memory.size) (i32.const 16)))",
    ),
    // It asks where the new page is, and assumes that the page continues its memory.
    (
        "continues",
        "(global.set $end (i32.shl (i32.add (memory.grow (i32.const 1)) (i32.const 1)) (i32.const 16)))",
    ),
    // It starts again at the new page, which is correct.
    (
        "begins anew",
        "(global.set $next (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
         (global.set $end (i32.add (global.get $next) (i32.const 65536)))",
    ),
    // It has several ways, and takes them in turn.
    (
        "both",
        "(if (i32.and (global.get $end) (i32.const 65536))
            (then (drop (memory.grow (i32.const 1)))
                (global.set $end (i32.add (global.get $end) (i32.const 65536))))
            (else (global.set $next (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
                (global.set $end (i32.add (global.get $next) (i32.const 65536)))))",
    ),
];

/// A generated program, and the name of its source of memory.
fn program(numbers: &mut Numbers) -> (&'static str, String) {
    let (name, more) = SOURCES[numbers.below(SOURCES.len() as u64) as usize];
    let pages = 1 + numbers.below(3);
    let end = match name {
        "takes all" => 8192,
        _ => pages << 16,
    };
    let blocks = match name {
        "fixed" => 1 + numbers.below(pages),
        _ => 1 + numbers.below(8),
    };
    let mut start = String::new();
    let mut checks = String::new();
    for block in 0..blocks {
        // A page has room for one block, in addition to the data.
        let length = 16 * (1 + numbers.below(3000));
        let fill = 1 + numbers.below(255);
        if numbers.below(2) == 0 {
            start.push_str("(drop (call $sizes (i32.const 8) (i32.const 12)))");
        }
        if numbers.below(3) == 0 {
            start.push_str("(call $say (i32.const 46))");
        }
        let store = 64 + 4 * block;
        let _ = write!(
            start,
            "(i32.store (i32.const {store}) (call $take (i32.const {length})))
             (memory.fill (i32.load (i32.const {store})) (i32.const {fill}) (i32.const {length}))"
        );
        let _ = write!(
            checks,
            "(call $look (i32.load (i32.const {store})) (i32.const {length}) (i32.const {fill}))"
        );
    }
    let memory = match numbers.below(4) {
        0 => format!("{pages} {}", pages + numbers.below(30)),
        _ => pages.to_string(),
    };
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (memory (export "memory") {memory})
        (global $next (mut i32) (i32.const 8192))
        (global $end (mut i32) (i32.const {end}))
        (func $say (param $byte i32)
            (i32.store8 (i32.const 32) (local.get $byte))
            (i32.store (i32.const 16) (i32.const 32)) (i32.store (i32.const 20) (i32.const 1))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
        (func $take (param $length i32) (result i32) (local $block i32)
            (if (i32.gt_u (i32.add (global.get $next) (local.get $length)) (global.get $end))
                (then {more}))
            (local.set $block (global.get $next))
            (global.set $next (i32.add (global.get $next) (local.get $length)))
            (local.get $block))
        (func $look (param $at i32) (param $length i32) (param $fill i32) (local $good i32)
            (local.set $good (i32.const 111))
            (loop $bytes
                (if (i32.ne (i32.load8_u (local.get $at)) (local.get $fill))
                    (then (local.set $good (i32.const 120))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if $bytes (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))
            (call $say (local.get $good)))
        (func (export "_start") {start} {checks}))"#
    );
    (name, text)
}

#[test]
fn what_edgec_makes_of_a_program_prints_what_stock_prints() {
    let mut numbers = Numbers(11);
    let mut kinds = [0, 0];
    for _ in 0..60 {
        let (name, text) = program(&mut numbers);
        let wasm = wat::parse_str(&text).unwrap();
        let adapted = adapt(read(wasm.clone()).unwrap(), KindChoice::Auto).unwrap();
        let kind = adapted.component.kind();
        kinds[usize::from(kind == ProgramKind::Module)] += 1;
        assert!(
            kind == ProgramKind::Module || name == "fixed",
            "{name}: {text}"
        );
        if kind == ProgramKind::Module {
            // The program is unchanged.
            assert_eq!(adapted.component.bytes(), wasm);
            continue;
        }
        let expected = stock::compile_and_run(&wasm, &[], "");
        let found = stock::compile_and_run(adapted.component.bytes(), &[], "");
        assert_eq!(found, expected, "{name}: {text}");
    }
    // Both kinds must occur, or the test shows nothing.
    assert!(kinds.iter().all(|kind| *kind >= 5), "{kinds:?}");
}

/// Calls of functions for which the adapter has different results: the function, its type, the
/// operands.
const DIFFERENT: [(&str, &str, &str); 20] = [
    ("fd_advise", "i32 i64 i64 i32", "1 0 0 0"),
    ("fd_allocate", "i32 i64 i64", "1 0 10"),
    ("fd_datasync", "i32", "1"),
    ("fd_fdstat_set_rights", "i32 i64 i64", "1 0 0"),
    ("fd_filestat_set_size", "i32 i64", "1 0"),
    ("fd_filestat_set_times", "i32 i64 i64 i32", "1 0 0 0"),
    ("fd_pread", "i32 i32 i32 i64 i32", "0 0 1 0 8"),
    ("fd_sync", "i32", "1"),
    // Two clocks.
    ("poll_oneoff", "i32 i32 i32 i32", "512 1024 2 8"),
    ("proc_raise", "i32", "9"),
    ("sock_accept", "i32 i32 i32", "0 0 8"),
    ("sock_recv", "i32 i32 i32 i32 i32 i32", "0 0 1 0 8 12"),
    ("sock_send", "i32 i32 i32 i32 i32", "1 0 1 0 8"),
    ("fd_fdstat_set_flags", "i32 i32", "1 2"),
    ("fd_prestat_dir_name", "i32 i32 i32", "1 1024 8"),
    // These differ for streams that were closed, for `..`, and for files.
    ("fd_pwrite", "i32 i32 i32 i64 i32", "1 0 1 0 8"),
    ("fd_readdir", "i32 i32 i32 i64 i32", "3 1024 64 0 8"),
    ("fd_seek", "i32 i64 i32 i32", "1 0 0 8"),
    ("fd_tell", "i32 i32", "1 8"),
    (
        "path_open",
        "i32 i32 i32 i32 i32 i64 i64 i32 i32",
        "3 0 16 1 0 0 0 0 8",
    ),
];

/// A program that calls one of them, and prints the error as the first letter of its line.
fn calls(function: &str, types: &str, operands: &str) -> String {
    let operands = types.split(' ').zip(operands.split(' '));
    let operands: String = operands
        .map(|(ty, value)| format!("({ty}.const {value})"))
        .collect();
    let ty = format!("(param {types}) (result i32)");
    // Two clocks, of which the second is first.
    let fields = format!(
        r#"{MEMORY} (data (i32.const 528) "\01\00\00\00\00\00\00\00\00\c2\eb\0b")
        (data (i32.const 576) "\01\00\00\00\00\00\00\00\10")"#
    );
    let start = format!(
        "(i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
        (i32.store8 (i32.const 16) (i32.add (i32.const 33) (call ${function} {operands})))
        {HELLO}"
    );
    command(&[WRITE, (function, &ty)], &fields, &start)
}

/// Programs that find the end of their memory in the ways of known allocators, and then use all of
/// it. As components, they overwrite the adapter's memory.
fn look_for_the_end() -> Vec<(&'static str, String)> {
    let fill = "(memory.fill (i32.const 1024) (i32.const 0xff)
        (i32.sub (local.get $end) (i32.const 1024)))";
    // Zig's allocator with a request for no pages.
    let zig = "(func $z (param $n i32) (result i32) (local $p i32) (local $q i32) (local $x i32)
        (if (i32.lt_s (local.get $n) (i32.const 1000)) (then
            i32.const 0 local.get $n memory.grow local.tee $p i32.const 16 i32.shl
            local.get $p i32.const -1 i32.eq select return))
        block $b
            i32.const 1 memory.grow local.tee $p i32.const 1 i32.add i32.const 2 i32.lt_u
            br_if $b local.get $p i32.const 16 i32.shl local.set $q
        end
        local.get $x local.get $q local.get $n i32.add i32.store local.get $q return)";
    // The assertion of wasi-libc. If it fails, the program ends.
    let assertion = format!(
        "(func $abort {HELLO} (call $proc_exit (i32.const 0)))
        (func $fits (param $p i32)
            block memory.size i64.extend_i32_u i64.const 16 i64.shl local.get $p
            i64.extend_i32_u i64.le_u br_if 0 return end
            call $abort unreachable)"
    );
    let writes = "(local.set $end (i32.const 1024))
        (loop $l (call $fits (local.get $end)) (i32.store (local.get $end) (i32.const -1))
            (local.set $end (i32.add (local.get $end) (i32.const 4))) (br $l))";
    let program = |imports: &[(&str, &str)], functions: &str, start: &str| {
        let start = format!("(local $end i32) {HELLO} {start} {HELLO}");
        command(imports, &format!("{MEMORY} {functions}"), &start)
    };
    vec![
        (
            "Zig",
            program(
                &[WRITE],
                zig,
                &format!("(local.set $end (call $z (i32.const 0))) {fill}"),
            ),
        ),
        ("an assertion", program(&[WRITE, EXIT], &assertion, writes)),
        (
            "no room",
            command(&[WRITE], &MEMORY.replace(") 1)", ") 65535)"), HELLO),
        ),
        (
            "no room at all",
            command(&[WRITE], &MEMORY.replace(") 1)", ") 65536)"), HELLO),
        ),
    ]
}

#[test]
fn what_only_nearly_behaves_the_same_is_a_module() {
    let sandbox = Sandbox::new();
    let different = DIFFERENT
        .into_iter()
        .map(|(function, types, operands)| (function, calls(function, types, operands)));
    for (what, text) in different.chain(look_for_the_end()) {
        let wasm = wat::parse_str(&text).unwrap();
        let expected = stock::compile_and_run(&wasm, &[], "");
        assert_eq!(expected.code, 0, "{what}: {text}");
        sandbox.write("app.wat", &text);
        let built = build(&sandbox, "app.wat", &[]);
        assert_eq!(built["kindChoice"]["chosen"], "module", "{what}: {built}");
        let found = run(&sandbox);
        assert_eq!(
            (found.code, &found.stdout),
            (expected.code, &expected.stdout),
            "{what}: {}",
            String::from_utf8_lossy(&found.stderr)
        );
    }
}

/// If the user asks for a component, it is made, and the build says how it differs.
#[test]
fn a_component_that_may_differ_comes_with_a_warning() {
    let sandbox = Sandbox::new();
    let (function, types, operands) = DIFFERENT[12];
    let mut cases = look_for_the_end();
    cases.truncate(2);
    cases.push((function, calls(function, types, operands)));
    let said = ["looks like Zig's", "looks like wasi-libc's", "::sock_send`"];
    for ((what, text), said) in cases.into_iter().zip(said) {
        sandbox.write("app.wat", text);
        let build = ["build", "-q", "app.wat", "-t", ARCH, "--key", "key.pem"];
        let output = ["--kind", "component", "-o", "app.cwasm"];
        let output = sandbox.run(&[&build[..], &output].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && stderr.starts_with("warning: ") && stderr.contains(said),
            "{what}: {stderr}"
        );
    }
}

/// With component types but without `cabi_realloc`, the adapter gets no memory of its own.
#[test]
fn component_types_do_not_hide_a_difference() {
    let sandbox = Sandbox::new();
    let types = wat::parse_str(
        r#"(component
            (type (component
                (type (component))
                (export "test:app/app" (component (type 0)))))
            (export "app" (type 0))
            (@custom "wit-component-encoding" "\04\00"))"#,
    )
    .unwrap();
    let types: String = types.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let types = format!(r#"(@custom "component-type:app" "{types}")"#);
    let exit = "(call $proc_exit (i32.const 10))";
    let fill = "(memory.fill (i32.const 4096) (i32.const 0xaa)
        (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4096)))";
    let program = |start: &str| {
        let text = command(&[WRITE, EXIT], &format!("{MEMORY} {types}"), start);
        sandbox.write("app.wat", &text);
        wat::parse_str(&text).unwrap()
    };
    let wasm = program(&format!("{HELLO} {fill} {HELLO} {exit}"));
    let stderr = sandbox.fails(1, BUILD);
    assert!(stderr.starts_with("error[kind]"), "{stderr}");
    for said in ["asks for the memory's size", "--kind module"] {
        assert!(stderr.contains(said), "{stderr}");
    }
    let expected = stock::compile_and_run(&wasm, &[], "");
    let built = build(&sandbox, "app.wat", &["--kind", "module"]);
    assert_eq!(built["kindChoice"]["chosen"], "module", "{built}");
    let found = run(&sandbox);
    assert_eq!(found.code, 10);
    assert_eq!((found.code, found.stdout), (expected.code, expected.stdout));

    program(&format!("{HELLO} {exit}"));
    loses_its_exit_code(&sandbox, &[]);
}

/// Programs on which edgec once failed, if they are beside the repository. They are built at each
/// level, and compared with stock.
#[test]
fn the_trials_run_as_under_stock() {
    let Some(folder) = shared("trials") else {
        let why = "no trials beside the repository";
        skipped("EDGEC_REQUIRE_TRIALS", why);
        return;
    };
    let sandbox = Sandbox::new();
    for name in [
        "ownmem",
        "fixedmem",
        "startsec",
        "reactor",
        "memory64-preview1",
    ] {
        let text = std::fs::read(folder.join(format!("{name}.wat"))).unwrap();
        let wasm = wat::parse_bytes(&text).unwrap().into_owned();
        let expected = stock::compile_and_run(&wasm, &[], "");
        sandbox.write("app.wat", text);
        for level in ["-O0", "-O1", "-O2", "-O3", "-O4", "-Os", "-Oz"] {
            let build = [
                "build",
                "-q",
                "app.wat",
                "-t",
                std::env::consts::ARCH,
                level,
            ];
            sandbox.ok(&[&build[..], &["--key", "key.pem", "-o", "app.cwasm"]].concat());
            let output = sandbox.run(&["run", "--key", "key.pub.pem", "app.cwasm"]);
            let shown = String::from_utf8_lossy(&output.stdout);
            println!(
                "{name} {level}: {:?} {shown:?}; stock {}",
                output.status.code(),
                expected.code
            );
            assert_eq!(
                (output.status.code(), &output.stdout),
                (Some(expected.code), &expected.stdout),
                "{name} {level}"
            );
        }
    }
}
