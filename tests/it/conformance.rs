//! The public test suites, if they are beside the repository. `edgec validate` gives the engine's
//! result. Accepted programs can be built for both CPUs, and behave the same afterwards.
//! `EDGEC_REQUIRE_CONFORMANCE=1` makes it a failure if the suites are missing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::process::Command;

use edgec_tests::{Sandbox, shared, skipped};
use serde_json::Value;
use wasmtime::{Config, Engine, Instance, Module, Store, Val};

/// Binaries on which edgec and the engine differ, with the reason. There are none.
const EXCEPTIONS: &[(&str, &str)] = &[];

struct Suite {
    sandbox: Sandbox,
    /// Path of the binary, and whether the engine accepts it.
    verdicts: Vec<(String, bool)>,
}

impl Suite {
    /// The accepted core modules that need nothing from a host: path, binary, program.
    fn standalone(&self) -> impl Iterator<Item = (&str, Vec<u8>, edgec_compiler::ValidComponent)> {
        let accepted = self.verdicts.iter().filter(|(_, accepted)| *accepted);
        accepted.filter_map(move |(file, _)| {
            let wasm = self.sandbox.read(file);
            let program = edgec_compiler::validate(wasm.clone()).unwrap();
            let is_module = program.kind() == edgec_compiler::ProgramKind::Module;
            let needs_nothing = program.interface().imports.is_empty();
            (is_module && needs_nothing).then_some((file.as_str(), wasm, program))
        })
    }
}

fn suite() -> Option<Suite> {
    let Some(archive) = shared("conformance/conformance.tar.zst") else {
        let why = "no test suites beside the repository";
        skipped("EDGEC_REQUIRE_CONFORMANCE", why);
        return None;
    };
    let sandbox = Sandbox::new();
    let unpacked = Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(archive)
        .current_dir(sandbox.path())
        .status()
        .unwrap();
    assert!(unpacked.success(), "tar and zstd are installed");
    let index = String::from_utf8(sandbox.read("index.tsv")).unwrap();
    let verdicts = index
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            (fields[0].to_owned(), fields[5] == "ok")
        })
        .collect();
    Some(Suite { sandbox, verdicts })
}

#[test]
fn validate_gives_the_engines_verdict() {
    let Some(suite) = suite() else { return };
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    for chunk in suite.verdicts.chunks(1000) {
        let mut arguments = vec!["validate", "--format", "json"];
        arguments.extend(chunk.iter().map(|(file, _)| file.as_str()));
        let output = suite.sandbox.run(&arguments);
        let reports: Vec<Value> = edgec_tests::results(&output.stdout);
        found.extend(reports.iter().map(|report| {
            let input = report["input"].as_str().unwrap().to_owned();
            (input, report["valid"].as_bool().unwrap())
        }));
    }
    let differ: Vec<&String> = suite
        .verdicts
        .iter()
        .filter(|(file, verdict)| {
            found[file] != *verdict && !EXCEPTIONS.iter().any(|(known, _)| known == file)
        })
        .map(|(file, _)| file)
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
    println!("{} verdicts agree", suite.verdicts.len());
}

/// Builds every accepted program for both CPUs. The build validates the optimizer's output again,
/// and verifies what it signed. `-O1` leaves most of these small programs as they are, so one in
/// five is built at `-O2`: each build there starts a process for each of its core modules.
#[test]
fn what_is_accepted_builds() {
    let Some(suite) = suite() else { return };
    let mut batches: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let accepted = suite.verdicts.iter().filter(|(_, accepted)| *accepted);
    for (number, (file, _)) in accepted.enumerate() {
        let folder = file.rsplit_once('/').unwrap().0;
        let level = if number % 5 == 0 { "-O2" } else { "-O1" };
        batches.entry((folder, level)).or_default().push(file);
    }
    let mut built = 0;
    for ((folder, level), files) in batches {
        for chunk in files.chunks(1000) {
            let out = format!("out/{folder}/");
            let build = ["build", "--format", "json", "--key", "key.pem", level];
            let mut arguments = [&build[..], &["-o", &out]].concat();
            arguments.extend(chunk);
            let output = suite.sandbox.run(&arguments);
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            for input in report["inputs"].as_array().unwrap() {
                assert_eq!(input["error"], Value::Null, "{}", input["input"]);
                let artifacts = input["built"]["artifacts"].as_array().unwrap();
                assert_eq!(artifacts.len(), 2, "{}", input["input"]);
                for kept in input["built"]["modulesKept"].as_array().unwrap() {
                    // The optimizer's output was always valid, and it never hung.
                    let reason = kept["reason"].as_str().unwrap();
                    assert!(
                        reason.starts_with("Binaryen 116 does not read")
                            || reason.contains("may be out of bounds")
                            || reason.contains("refers to segments")
                            || reason.starts_with("the optimizer failed (exit status: 1)")
                            || reason.starts_with("-O1 would gain little")
                            || reason.starts_with("the optimizer makes it longer"),
                        "{}: {reason}",
                        input["input"]
                    );
                }
                built += 1;
            }
        }
    }
    let accepted = suite.verdicts.iter().filter(|(_, accepted)| *accepted);
    assert_eq!(built, accepted.count());
    println!("{built} programs built for two CPUs");
}

/// The code of vector operations depends most on the CPU: each is built for every set of CPU
/// features, and the code is audited.
#[test]
fn vectors_build_for_every_cpu() {
    let Some(suite) = suite() else { return };
    let accepted = suite.verdicts.iter().filter(|(_, accepted)| *accepted);
    let files: Vec<&str> = accepted
        .map(|(file, _)| file.as_str())
        .filter(|file| file.contains("simd"))
        .collect();
    let targets = edgec_targets::all().filter(|target| target.same_code_as().is_none());
    let targets: Vec<&str> = targets.map(|target| target.id).collect();
    let list = targets.join(",");
    let mut built = 0;
    for files in files.chunks(1000) {
        let mut arguments = vec!["build", "--format", "json", "--key", "key.pem", "-O0"];
        arguments.extend(["-t", &list, "-o", "out/simd/"]);
        arguments.extend(files);
        let output = suite.sandbox.run(&arguments);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for input in report["inputs"].as_array().unwrap() {
            assert_eq!(input["error"], Value::Null, "{}", input["input"]);
            let artifacts = input["built"]["artifacts"].as_array().unwrap();
            assert_eq!(artifacts.len(), targets.len(), "{}", input["input"]);
            built += 1;
        }
    }
    assert!(built > 50, "{built} programs with vectors");
    println!(
        "{built} programs with vectors built for {} CPUs",
        targets.len()
    );
}

/// Every accepted core module that needs nothing from a host, optimized and unoptimized: each
/// exported function is called with zeros and with ones, and must behave the same.
#[test]
fn the_optimizer_changes_no_behaviour() {
    let Some(suite) = suite() else { return };
    let optimizer = edgec_compiler::Optimizer {
        program: edgec_tests::binary().to_owned(),
        arguments: vec!["__wasm-opt".into(), "8589934592".into()],
        tool: edgec_compiler::Tool::Binaryen,
        version: edgec_compiler::BINARYEN_VERSION.into(),
        timeout: std::time::Duration::from_secs(60),
        memory: 8 << 30,
        reads: edgec_compiler::Reads::Binaryen116,
        spared: BTreeSet::new(),
        runs: edgec_compiler::Runs::InProcesses,
        answers: None,
    };
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config).unwrap();
    let (mut compared, mut calls) = (0, 0);
    let mut differ = Vec::new();
    for (file, wasm, program) in suite.standalone() {
        for level in [edgec_compiler::Level::O1, edgec_compiler::Level::O2] {
            let optimized =
                edgec_compiler::optimize(program.clone(), level, &optimizer, |_, _| {}).unwrap();
            if optimized.component.bytes() == wasm {
                continue;
            }
            let before = Module::new(&engine, &wasm).unwrap();
            let before = behaviour(&before, &|store| store.set_fuel(1_000_000).unwrap());
            let after = Module::new(&engine, optimized.component.bytes()).unwrap();
            let after = behaviour(&after, &|store| store.set_fuel(1_000_000).unwrap());
            compared += 1;
            calls += before.len();
            assert_eq!(after.len(), before.len(), "{file}");
            let pairs = before.iter().zip(&after);
            differ.extend(
                pairs
                    .filter(|(before, after)| before != after)
                    .filter(|(before, after)| !endless(before) && !endless(after))
                    .map(|pair| (file, level.name(), pair.0.clone(), pair.1.clone())),
            );
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(compared > 800 && calls > 5000, "{compared}, {calls}");
    println!("{compared} optimized modules, {calls} calls, all the same");
}

/// The same modules in the edge profile: functions in another order, and metadata without the parts
/// that no load reads.
#[test]
#[expect(unsafe_code, reason = "this is what edgec-loader spares its users")]
fn the_edge_profile_changes_no_behaviour() {
    let Some(suite) = suite() else { return };
    let target = edgec_targets::find(std::env::consts::ARCH).unwrap();
    let mut config = Config::new();
    // Backtraces are a part of an error's text, and differ in the edge profile.
    config.wasm_backtrace_max_frames(None);
    let stock = Engine::new(&config).unwrap();
    config.epoch_interruption(true);
    let edge = Engine::new(&config).unwrap();
    let ticker = edge.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(std::time::Duration::from_millis(50));
            ticker.increment_epoch();
        }
    });
    // Stock Wasmtime runs the same code, so calls that do not end there are already known.
    let (mut compared, mut calls, mut reordered) = (0, 0, 0);
    let mut differ = Vec::new();
    for (file, wasm, program) in suite.standalone() {
        let ordered = edgec_compiler::order(program);
        reordered += usize::from(ordered.bytes() != wasm);
        let profile = edgec_compiler::EngineProfile::Edge;
        let mut image = edgec_compiler::precompile(&ordered, target, profile).unwrap();
        image.strip().unwrap();
        image
            .trim(&ordered)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        // SAFETY: the image was compiled by this process a moment ago.
        let after = unsafe { Module::deserialize(&edge, image.bytes()) }.unwrap();
        let after = behaviour(&after, &|store| store.set_epoch_deadline(3));
        if after.iter().any(|what| endless(what)) {
            continue;
        }
        let before = behaviour(&Module::new(&stock, &wasm).unwrap(), &|_| {});
        compared += 1;
        calls += before.len();
        if before != after {
            differ.push((file, before, after));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(
        compared > 1000 && calls > 5000 && reordered > 50,
        "{compared}, {calls}, {reordered}"
    );
    println!(
        "{compared} modules of the edge profile, {reordered} reordered, {calls} calls, all the same"
    );
}

/// Whether a call ran out of fuel or stack, which optimized code uses differently.
fn endless(what: &str) -> bool {
    what.ends_with(": endless")
}

/// The results of instantiation and of each call, as text. `limit` stops calls that do not end by
/// themselves.
fn behaviour(module: &Module, limit: &dyn Fn(&mut Store<()>)) -> Vec<String> {
    let engine = module.engine();
    let mut seen = Vec::new();
    let functions: Vec<_> = module
        .exports()
        .filter_map(|export| Some((export.name().to_owned(), export.ty().func()?.clone())))
        .collect();
    for (name, ty) in &functions {
        for value in [0, 1] {
            // A new instance for every call: after a call ran out of fuel, the memory is in a state
            // that depends on the code.
            let mut store = Store::new(engine, ());
            limit(&mut store);
            let instance = match Instance::new(&mut store, module, &[]) {
                Ok(instance) => instance,
                Err(error) => return vec![format!("no instance: {}", trap(&error))],
            };
            let arguments: Option<Vec<Val>> = ty
                .params()
                .map(|ty| match ty {
                    wasmtime::ValType::I32 => Some(Val::I32(value)),
                    wasmtime::ValType::I64 => Some(Val::I64(value.into())),
                    wasmtime::ValType::F32 => Some(Val::F32(value.cast_unsigned())),
                    wasmtime::ValType::F64 => Some(Val::F64(u64::from(value.cast_unsigned()))),
                    _ => Val::default_for_ty(&ty),
                })
                .collect();
            let Some(arguments) = arguments else { continue };
            let mut results = vec![Val::I32(0); ty.results().len()];
            let function = instance.get_func(&mut store, name).unwrap();
            let what = match function.call(&mut store, &arguments, &mut results) {
                Ok(()) => results.iter().map(shown).collect::<Vec<_>>().join(" "),
                Err(error) => trap(&error),
            };
            seen.push(format!("{name}({value}): {what}"));
        }
    }
    seen
}

/// The text for a trap. All traps have the same text, because the specification does not say which
/// one occurs. A lack of fuel or stack is not the program's behaviour, and cannot be compared.
fn trap(error: &wasmtime::Error) -> String {
    use wasmtime::Trap;
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel | Trap::Interrupt | Trap::StackOverflow) => "endless".to_owned(),
        Some(_) => "trap".to_owned(),
        None => format!("{error:#}"),
    }
}

/// A value, with the same text for every NaN, because the specification does not say which one an
/// operation gives.
fn shown(value: &Val) -> String {
    match value {
        Val::F32(bits) if f32::from_bits(*bits).is_nan() => "nan".to_owned(),
        Val::F64(bits) if f64::from_bits(*bits).is_nan() => "nan".to_owned(),
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => {
            format!("{value:?}")
        }
        other => format!("reference, null: {:?}", other.ref_().map(|it| it.is_null())),
    }
}
