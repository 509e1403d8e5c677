//! Allocators that are recognized, and code that is almost one.

use super::*;

/// `sbrk` of wasi-libc, and the function that it calls to abort.
const SBRK: &str = r#"
    (func $abort unreachable)
    (func $sbrk (param i32) (result i32)
        block local.get 0 br_if 0 memory.size i32.const 16 i32.shl return end
        block
            local.get 0 i32.const 65535 i32.and br_if 0
            local.get 0 i32.const -1 i32.le_s br_if 0
            block
                local.get 0 i32.const 16 i32.shr_u memory.grow
                local.tee 0 i32.const -1 i32.ne br_if 0
                i32.const 0 i32.const 48 i32.store offset=1024
                i32.const -1 return
            end
            local.get 0 i32.const 16 i32.shl return
        end
        call $abort unreachable)"#;

/// How `sys_alloc` uses it, one call a line.
const CALLS: [&str; 6] = [
    "i32.const 0 call $sbrk local.tee 0 i32.const -1 i32.eq br_if 0",
    "local.get 1 call $sbrk local.tee 2 local.get 0 i32.ne br_if 0",
    "local.get 1 call $sbrk local.tee 2 local.get 3 i32.load local.get 3 i32.load offset=4 i32.add i32.eq br_if 0",
    "local.get 1 call $sbrk i32.const -1 i32.eq br_if 0",
    "i32.const 0 local.get 1 i32.sub call $sbrk drop",
    "local.get 1 call $sbrk local.set 2 i32.const 0 call $sbrk local.set 3
        local.get 2 i32.const -1 i32.eq br_if 0 local.get 3 i32.const -1 i32.eq br_if 0
        local.get 2 local.get 3 i32.ge_u br_if 0",
];

fn allocator(calls: &[&str]) -> String {
    let calls = calls.join("\n");
    command(&format!(
        "{MEMORY} {SBRK} (func $malloc (local i32 i32 i32 i32) block {calls} end)"
    ))
}

/// The result for a component that works, and that behaves the same if the allocator is what it
/// seems to be.
fn likely(like: Allocator) -> Judgement {
    Judgement {
        component: Ok(()),
        lacks: vec![Obstacle::LikelyAllocator { like }],
    }
}

#[test]
fn wasi_libc_is_recognized_but_not_proved() {
    assert_eq!(judged(&allocator(&CALLS)), likely(Allocator::WasiLibc));
    let exits = allocator(&CALLS).replace(
        "(module",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#,
    );
    let exits = exits.replace(
        r#"(func (export "_start"))"#,
        r#"(func (export "_start") (call $exit (i32.const 10)))"#,
    );
    let lacks = judged(&exits).lacks;
    let like = Allocator::WasiLibc;
    assert_eq!(
        lacks,
        [Obstacle::ExitCode, Obstacle::LikelyAllocator { like }]
    );
}

/// Both places of Zig's allocator in a function that gets 0 pages: then `memory.grow` returns the
/// memory's size.
#[test]
fn zig_is_recognized_but_not_proved() {
    let zig = command(&format!(
        "{MEMORY} (func $z (param $n i32) (result i32) (local $p i32) (local $q i32) (local $x i32)
            (if (i32.lt_s (local.get $n) (i32.const 1000)) (then
                i32.const 0 local.get $n memory.grow local.tee $p i32.const 16 i32.shl
                local.get $p i32.const -1 i32.eq select return))
            block $b
                i32.const 1 memory.grow local.tee $p i32.const 1 i32.add i32.const 2 i32.lt_u
                br_if $b local.get $p i32.const 16 i32.shl local.set $q
            end
            local.get $x local.get $q local.get $n i32.add i32.store local.get $q return)
        (func (drop (call $z (i32.const 0))))"
    ));
    assert_eq!(judged(&zig), likely(Allocator::Zig));
    let other = zig.replace("i32.const 2 i32.lt_u", "i32.const 3 i32.lt_u");
    assert!(matches!(obstacle(&other), Obstacle::Allocator { .. }));
}

/// If a part is missing, added or changed, the allocator is no longer recognized.
#[test]
fn what_is_nearly_wasi_libc_is_not() {
    let mut wrong = Vec::new();
    for (index, call) in CALLS.iter().enumerate() {
        let mut calls = CALLS.to_vec();
        calls.remove(index);
        wrong.push(allocator(&calls));
        let mut calls = CALLS.to_vec();
        calls.push(call);
        wrong.push(allocator(&calls));
    }
    // wasi-sdk up to 19 takes all memory up to its end at the start.
    let all =
        "i32.const 0 call $sbrk i32.const 4096 i32.sub local.tee 1 i32.const 89 i32.lt_u br_if 0";
    wrong.push(allocator(&[&[all], &CALLS[..]].concat()));
    // The new memory is not compared with the end of the old memory.
    let other_local = CALLS[1].replace("local.get 0", "local.get 3");
    let mut calls = CALLS.to_vec();
    calls[1] = &other_local;
    wrong.push(allocator(&calls));
    // Another function is called in between, and may call WASI.
    for call in ["call $abort", "i32.const 0 call_indirect (type 0)"] {
        let mut calls = CALLS.to_vec();
        calls.insert(1, call);
        let text = allocator(&calls).replace("(memory", "(table 1 funcref) (memory");
        wrong.push(text.replace("(module", "(module (type (func))"));
    }
    let good = allocator(&CALLS);
    // `sbrk` is called in another place, exported, or referred to.
    for more in [
        "(func (drop (call $sbrk (i32.const 65536))))",
        "(func (param i32) (result i32) (return_call $sbrk (local.get 0)))",
        r#"(export "sbrk" (func $sbrk))"#,
        "(table funcref (elem $sbrk))",
        "(func (drop (ref.func $sbrk))) (elem declare func $sbrk)",
        "(func (drop (memory.size)))",
        "(func (drop (memory.grow (i32.const 1))))",
    ] {
        wrong.push(good.replace("(func $malloc", &format!("{more} (func $malloc")));
    }
    // It is almost `sbrk`.
    for (it, other) in [
        (
            "i32.const 16 i32.shl return end\n        block",
            "i32.const 15 i32.shl return end\n        block",
        ),
        ("i32.const 65535 i32.and", "i32.const 65534 i32.and"),
        ("call $abort unreachable)", "call $abort i32.const 0)"),
        (
            "local.get 0 i32.const 16 i32.shl return",
            "i32.const 0 i32.const 16 i32.shl return",
        ),
    ] {
        assert!(good.contains(it), "{it}");
        wrong.push(good.replace(it, other));
    }
    for text in wrong {
        assert!(
            matches!(obstacle(&text), Obstacle::Allocator { .. }),
            "{text}"
        );
    }
}

/// The assertion in wasi-libc's `preopens.c`. This is no proof either: a program can learn from it
/// where the memory ends.
#[test]
fn an_assertion_is_recognized_but_not_proved() {
    const COMPARISON: &str = "memory.size i64.extend_i32_u i64.const 16 i64.shl local.get 0
        i64.extend_i32_u i64.le_u br_if 0";
    const ABORT: &str = "i32.const 3 call $fail unreachable";
    let function = |code: &str| {
        command(&format!(
            "{MEMORY} (func $fail (param i32)) (func (local i32) {code})"
        ))
    };
    for aborts in [
        format!("block {COMPARISON} return end {ABORT}"),
        format!("block {COMPARISON} block end return end {ABORT}"),
        format!("block {COMPARISON} block {COMPARISON} return end end {ABORT}"),
    ] {
        let judged = judged(&function(&aborts));
        assert_eq!(judged, likely(Allocator::WasiLibc), "{aborts}");
    }
    for goes_on in [
        format!("block {COMPARISON} return end i32.const 3 call $fail"),
        format!("block {COMPARISON} return end i32.const 3 drop"),
        // One of them leaves a block that no abort follows.
        format!("block {COMPARISON} block {COMPARISON} return end nop end {ABORT}"),
    ] {
        let found = obstacle(&function(&goes_on));
        assert!(matches!(found, Obstacle::Allocator { .. }), "{goes_on}");
    }
}

#[test]
fn a_function_that_asks_about_the_memory_is_named() {
    let asks = |code: &str| obstacle(&command(&format!("{MEMORY} (func $heap (drop ({code})))")));
    assert!(matches!(
        asks("memory.size"),
        Obstacle::Allocator { function, asks }
            if function == "function 1 `heap`" && asks == "asks for the memory's size"
    ));
    assert!(matches!(
        asks("memory.grow (i32.const 1)"),
        Obstacle::Allocator { .. }
    ));
}
