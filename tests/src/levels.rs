//! Compares a core module at every level of the optimizer with stock Wasmtime: whether it can be
//! instantiated, what its function returns, and the memories afterwards, also after a trap.

use std::path::Path;

use crate::Sandbox;
use wasmtime::{
    Engine, Extern, Func, Global, GlobalType, Linker, Memory, MemoryType, Module, Mutability, Ref,
    RefType, Store, Table, TableType, Trap, Val, ValType,
};

/// The levels, as they follow `-O`.
pub const LEVELS: [&str; 7] = ["0", "1", "2", "3", "4", "s", "z"];

/// Builds every program at every level, and compares with stock. Returns the report of the build at
/// `-O2`.
pub fn check(programs: &[(&str, String)]) -> serde_json::Value {
    let engine = Engine::default();
    let stock = |text: &String| behaviour(&engine, &Module::new(&engine, text).unwrap());
    let stock: Vec<String> = programs.iter().map(|(_, text)| stock(text)).collect();
    let (levels, report) = at_every_level(programs);
    for (level, behaviours) in LEVELS.iter().zip(levels) {
        for (((name, _), built), stock) in programs.iter().zip(behaviours).zip(&stock) {
            assert_eq!(built, *stock, "{name} at -O{level}");
        }
    }
    report
}

/// The behaviour of every program at every level, and the report of the build at `-O2`.
pub fn at_every_level(programs: &[(&str, String)]) -> (Vec<Vec<String>>, serde_json::Value) {
    let sandbox = Sandbox::new();
    let engine = Engine::default();
    let mut report = serde_json::Value::Null;
    let levels = LEVELS.map(|level| {
        let option = format!("-O{level}");
        let mut arguments = vec!["build", "-t", std::env::consts::ARCH, "--key", "key.pem"];
        arguments.extend([option.as_str(), "-o", "out/", "--format", "json"]);
        let files: Vec<String> = programs
            .iter()
            .map(|(name, _)| format!("{name}.wat"))
            .collect();
        for ((_, text), file) in programs.iter().zip(&files) {
            sandbox.write(file, text);
            arguments.push(file);
        }
        let json = sandbox.ok(&arguments);
        if level == "2" {
            report = serde_json::from_str(&json).unwrap();
        }
        let built = programs.iter().map(|(name, _)| {
            let built = format!("out/{name}.{}.cwasm", std::env::consts::ARCH);
            behaviour(&engine, &load(&engine, &sandbox.path().join(built)))
        });
        built.collect::<Vec<String>>()
    });
    (levels.into(), report)
}

#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn load(engine: &Engine, path: &Path) -> Module {
    // SAFETY: the file was built a moment ago, and nothing else writes it.
    unsafe { Module::deserialize_file(engine, path) }.unwrap()
}

/// Everything that is visible of a module, as text.
fn behaviour(engine: &Engine, module: &Module) -> String {
    let mut seen = String::new();
    let mut store = Store::new(engine, ());
    let mut linker = Linker::new(engine);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let ty = TableType::new(RefType::FUNCREF, 4, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    let ty = GlobalType::new(ValType::I32, Mutability::Const);
    let far = Global::new(&mut store, ty.clone(), Val::I32(70_000)).unwrap();
    let near = Global::new(&mut store, ty, Val::I32(2)).unwrap();
    let next = Func::wrap(&mut store, |value: i32| {
        value.wrapping_mul(3).wrapping_add(1)
    });
    let items: [(&str, Extern); 5] = [
        ("memory", memory.into()),
        ("table", table.into()),
        ("far", far.into()),
        ("near", near.into()),
        ("next", next.into()),
    ];
    for (name, item) in items {
        linker.define(&store, "env", name, item).unwrap();
    }
    let mut memories = vec![("imported", memory)];
    match linker.instantiate(&mut store, module) {
        Err(error) => seen += &format!("not instantiated: {}\n", kind(&error)),
        Ok(instance) => {
            if let Some(run) = instance.get_func(&mut store, "run") {
                for argument in [0, 1, 7] {
                    let parameters = run.ty(&store).params().len();
                    let arguments = vec![Val::I32(argument); parameters];
                    let mut results = vec![Val::I32(0); run.ty(&store).results().len()];
                    let outcome = match run.call(&mut store, &arguments, &mut results) {
                        Ok(()) => format!("{results:?}"),
                        Err(error) => kind(&error),
                    };
                    seen += &format!("run({argument}): {outcome}\n");
                }
            }
            memories.extend(
                instance
                    .get_memory(&mut store, "memory")
                    .map(|memory| ("exported", memory)),
            );
        }
    }
    // A function that a module left in a table before it stopped can still be called.
    if let Some(Ref::Func(Some(left))) = table.get(&mut store, 0) {
        let left = left.typed::<(), i32>(&store).unwrap();
        let outcome = left.call(&mut store, ());
        seen += &format!(
            "left in the table: {:?}\n",
            outcome.map_err(|error| kind(&error))
        );
    }
    for (name, memory) in memories {
        let bytes = memory.data(&store);
        let written = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
        let written: Vec<_> = written.take(64).collect();
        seen += &format!("{name} memory of {}: {written:?}\n", bytes.len());
    }
    seen
}

fn kind(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => format!("{trap:?}"),
        None => panic!("{error:?}"),
    }
}

/// Modules from their names and contents.
pub fn programs<const N: usize>(
    programs: [(&'static str, &str); N],
) -> Vec<(&'static str, String)> {
    let programs = programs.into_iter();
    let texts = programs.map(|(name, text)| (name, format!("(module {text})")));
    texts.collect()
}
