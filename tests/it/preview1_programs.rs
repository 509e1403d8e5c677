//! The law of the preview 1 rule, on generated programs: what edgec makes of a program prints what
//! stock prints.
//!
//! Each program has an allocator. It takes blocks, fills them, calls WASI between, and then looks
//! whether every block still has what was put there. The allocators differ in where their memory
//! comes from: some use only memory that they were given, others use any memory that they find.

use std::fmt::Write as _;

use edgec_compiler::{Kind, KindChoice, adapt, read};
use edgec_tests::{shared, stock};

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

/// How an allocator gets more memory. It hands out the memory from `$next` to `$end`.
const SOURCES: [(&str, &str); 7] = [
    // Never: it has only the memory of link time.
    ("fixed", "unreachable"),
    // It takes everything up to the end of the memory, even if that is not its own.
    (
        "takes all",
        "(global.set $end (i32.shl (memory.size) (i32.const 16)))",
    ),
    // It grows, and counts for itself.
    (
        "counts",
        "(drop (memory.grow (i32.const 1))) (global.set $end (i32.add (global.get $end) (i32.const 65536)))",
    ),
    // It grows, and takes everything up to the new end.
    (
        "up to the end",
        "(drop (memory.grow (i32.const 1))) (global.set $end (i32.shl (memory.size) (i32.const 16)))",
    ),
    // It asks where the new page is, and assumes that this page continues its memory.
    (
        "continues",
        "(global.set $end (i32.shl (i32.add (memory.grow (i32.const 1)) (i32.const 1)) (i32.const 16)))",
    ),
    // It begins anew at the new page, which is correct.
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
        // A page has room for one block, beside the data.
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
        let adapted = adapt(read(&wasm).unwrap(), KindChoice::Auto).unwrap();
        let kind = adapted.component.kind();
        kinds[usize::from(kind == Kind::Module)] += 1;
        assert!(kind == Kind::Module || name == "fixed", "{name}: {text}");
        if kind == Kind::Module {
            // It is the program itself.
            assert_eq!(adapted.component.bytes(), wasm);
            continue;
        }
        let expected = stock::compile_and_run(&wasm, &[], "");
        let found = stock::compile_and_run(adapted.component.bytes(), &[], "");
        assert_eq!(found, expected, "{name}: {text}");
    }
    // Both kinds must occur, or the test says nothing.
    assert!(kinds.iter().all(|kind| *kind >= 5), "{kinds:?}");
}

/// Programs on which edgec once failed, if they are beside the repository. They are built at each
/// level, and compared with stock.
#[test]
fn the_trials_run_as_under_stock() {
    let Some(folder) = shared("trials") else {
        eprintln!("skipped: no trials beside the repository");
        return;
    };
    let sandbox = edgec_tests::Sandbox::new();
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
