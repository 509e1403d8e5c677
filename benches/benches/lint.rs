//! The gain from each fast path of instantiation: the same work with and without it, with the
//! pooling allocator and on demand. `docs/cold-start.md` and `compiler/src/lint/cost.rs` have the
//! figures.
//!
//! `cargo bench -p edgec lint`

use std::fmt::Write as _;
use std::time::Duration;

use edgec_benches::{Contender, medians, print};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// A name and two components: one that keeps the fast path and one that loses it.
struct Pair {
    name: String,
    kept: String,
    lost: String,
}

pub(crate) fn run() {
    println!("instantiate and drop, medians of one run, in turns\n");
    for (allocator, engine) in [("pooling", pooling()), ("on demand", Engine::default())] {
        for pair in pairs() {
            let kept = prepare(&engine, &pair.kept);
            let lost = prepare(&engine, &pair.lost);
            let mut contenders = [
                Contender::new("kept", || instantiate(&engine, &kept)),
                Contender::new("lost", || instantiate(&engine, &lost)),
            ];
            let times = medians(&mut contenders, Duration::from_secs(1));
            print(&format!("{allocator}: {}", pair.name), &contenders, &times);
        }
    }
}

fn pooling() -> Engine {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_memories(4)
        .total_tables(4)
        .total_core_instances(4_000);
    pool.max_memory_size(64 << 20);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).unwrap()
}

/// From a file, as a host loads it: memory images are mapped from the file.
#[expect(unsafe_code, reason = "a file is mapped")]
fn prepare(engine: &Engine, text: &str) -> InstancePre<()> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let image = engine.precompile_component(text.as_bytes()).unwrap();
    std::fs::write(file.path(), image).unwrap();
    // SAFETY: this process has compiled it, and no process writes it.
    let component = unsafe { Component::deserialize_file(engine, file.path()) }.unwrap();
    Linker::new(engine).instantiate_pre(&component).unwrap()
}

fn instantiate(engine: &Engine, program: &InstancePre<()>) {
    let mut store = Store::new(engine, ());
    program.instantiate(&mut store).unwrap();
}

fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for kib in [64, 1024, 8192] {
        let length = kib << 10;
        pairs.push(Pair {
            name: format!("data {kib} KiB"),
            kept: with_base(&memory(&data("i32.const 0", length))),
            lost: with_base(&memory(&data("global.get $base", length))),
        });
    }
    let scattered = |offset: &dyn Fn(usize) -> String| {
        let segments = (0..1000).map(|number| data(&offset(number * 1000), 64));
        with_base(&memory(&segments.collect::<String>()))
    };
    pairs.push(Pair {
        name: "data 1000 x 64 B".to_owned(),
        kept: scattered(&|at| format!("i32.const {at}")),
        lost: scattered(&|at| format!("i32.add (global.get $base) (i32.const {at})")),
    });
    for elements in [100, 1000, 5000] {
        let list = " $f".repeat(elements);
        let table = |offset: &str| {
            with_base(&format!(
                "(func $f) (table (export \"t\") {elements} funcref) (elem ({offset}) func{list})"
            ))
        };
        pairs.push(Pair {
            name: format!("table {elements}"),
            kept: table("i32.const 0"),
            lost: table("global.get $base"),
        });
    }
    let empty = with_base("");
    let mut against_empty = |name: &str, lost: String| {
        pairs.push(Pair {
            name: name.to_owned(),
            kept: empty.clone(),
            lost,
        });
    };
    against_empty("start function", with_base("(func $s) (start $s)"));
    let globals = "(global i32 (global.get $base))";
    against_empty("computed global x 1", with_base(globals));
    against_empty("computed global x 100", with_base(&globals.repeat(100)));
    for count in [100, 1000] {
        let passive = format!("(func $f) (elem func{})", " $f".repeat(count));
        against_empty(&format!("passive elements {count}"), with_base(&passive));
    }
    for count in [1000, 10_000] {
        let passive = memory(&"(data \"x\")".repeat(count));
        against_empty(&format!("passive data x {count}"), with_base(&passive));
    }
    for count in [10, 100] {
        against_empty(&format!("core instances {count}"), instances(count, 0));
    }
    against_empty("core instances 10, 1000 imports", instances(10, 100));
    against_empty(
        "collector's heap",
        with_base(
            "(type $s (struct (field i32))) (func (export \"f\") (drop (struct.new_default $s)))",
        ),
    );
    pairs
}

/// A component around a core module that imports the global `$base`, 0.
fn with_base(fields: &str) -> String {
    format!(
        "(component
           (core module $env (global (export \"base\") i32 (i32.const 0)))
           (core module $m (import \"env\" \"base\" (global $base i32)) {fields})
           (core instance $env (instantiate $env))
           (core instance (instantiate $m (with \"env\" (instance $env)))))"
    )
}

fn memory(data: &str) -> String {
    format!("(memory (export \"memory\") 256) {data}")
}

fn data(offset: &str, length: usize) -> String {
    format!("(data ({offset}) \"{}\")", "x".repeat(length))
}

/// A component of `count` instances of one module, each with `imports` functions of another.
fn instances(count: usize, imports: usize) -> String {
    let exported = (0..imports).fold(String::new(), |mut text, number| {
        write!(text, "(func (export \"{number}\"))").unwrap();
        text
    });
    let imported = (0..imports).fold(String::new(), |mut text, number| {
        write!(text, "(import \"env\" \"{number}\" (func))").unwrap();
        text
    });
    let made = "(core instance (instantiate $m (with \"env\" (instance $env))))".repeat(count);
    format!(
        "(component (core module $env {exported}) (core module $m {imported})
           (core instance $env (instantiate $env)) {made})"
    )
}
