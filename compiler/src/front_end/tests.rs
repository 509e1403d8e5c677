//! The process that reads inputs gives the same answers as this process, and each way in which it
//! can end has an error.

use std::collections::BTreeSet;

use super::work::reply;
use super::*;
use crate::worker::tests::{long, script, short};
use crate::{
    Flatten, Gate, KindChoice, LastSteps, Level, PruneImports, Reads, WorldSource, adapt, read,
    validate,
};

fn answer<T>(
    task: &Task,
    parts: &[&[u8]],
    read: impl Fn(Head, &mut Reader<'_>) -> Option<T>,
) -> Result<T, FrontEndError> {
    let message = wire::message(task, parts).unwrap();
    let (tag, answer) = reply(&message).unwrap();
    let answer = [vec![tag], answer.concat()].concat();
    understand(&answer, parts.last().unwrap(), &read)
}

const LAST: LastSteps = LastSteps {
    order: false,
    bare: true,
};

fn steps(level: Level) -> Steps {
    Steps {
        level,
        flatten: Flatten::Merge,
        prune_imports: PruneImports::Nothing,
        reads: Reads::Binaryen116,
        spared: BTreeSet::new(),
        last: LAST,
    }
}

/// The process gives the same answer as this process.
#[test]
fn a_program_is_the_same_in_both_processes() {
    let command = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")))"#;
    for text in [command, "(module)", "(component)"] {
        let wasm = wat::parse_str(text).unwrap();
        for input in [text.as_bytes(), &wasm] {
            let task = Task::Read(Some(Box::new(Intake::new(KindChoice::Auto))));
            let there = answer(&task, &[input], output).unwrap();
            let here = adapt(read(input.to_vec()).unwrap(), KindChoice::Auto).unwrap();
            let FrontEndOutput { component, facts } = there;
            assert_eq!(facts.from_text, input != wasm);
            assert_eq!(facts.choice, here.choice);
            assert_eq!(facts.adapter, here.adapter);
            let here = here.component;
            assert_eq!(facts.interface, here.interface());
            assert_eq!(facts.resources, here.resources());
            assert_eq!(facts.length, here.bytes().len());
            assert_eq!(facts.kind, here.kind());
            assert_eq!(component.bytes(), here.bytes());
            assert_eq!(component.kind(), here.kind());
            assert_eq!(component.features(), here.features());
            assert!(component.advisories().eq(here.advisories()));
        }
    }
}

#[test]
fn an_error_is_the_same_in_both_processes() {
    let error = |input: &[u8], asked: Option<KindChoice>| {
        let intake = asked.map(|kind| Box::new(Intake::new(kind)));
        answer(&Task::Read(intake), &[input], output).unwrap_err()
    };
    let empty = error(b"", None);
    assert!(matches!(empty, FrontEndError::Input(InputError::Empty)));
    let invalid = "(module (func (result i32)))";
    for asked in [None, Some(KindChoice::Auto)] {
        let there = error(invalid.as_bytes(), asked);
        let here = validate(wat::parse_str(invalid).unwrap()).unwrap_err();
        assert_eq!(there.to_string(), here.to_string());
        let FrontEndError::Program { from_text, .. } = there else {
            panic!("{there:?}");
        };
        assert!(from_text);
    }
    let component = error(b"(component)", Some(KindChoice::Module));
    let FrontEndError::Program { error, .. } = component else {
        panic!("{component:?}");
    };
    assert!(matches!(error, AdaptError::ComponentToModule));
    // What is demanded is checked in that process too.
    let refused = |gate| {
        let intake = Box::new(Intake {
            gate,
            ..Intake::new(KindChoice::Auto)
        });
        answer(&Task::Read(Some(intake)), &[b"(component)"], output).unwrap_err()
    };
    for (world, code) in [("wasi:http/proxy", "gate"), ("wasi:http/none", "wit-world")] {
        let error = refused(Gate {
            world: Some(WorldSource::Wasi(world.to_owned())),
            ..Gate::default()
        });
        assert_eq!(error.code(), code, "{error}");
    }
}

/// The optimizer gets the modules of a small program, without the names that it would not keep.
#[test]
fn what_the_optimizer_gets_comes_back() {
    let text = r#"(component (core module (func $named (export "f"))) (core module))"#;
    let task = |level| Task::Prepare {
        intake: Box::new(Intake::new(KindChoice::Auto)),
        steps: steps(level),
    };
    let (facts, ahead) = answer(&task(Level::O2), &[text.as_bytes()], prepared).unwrap();
    assert!(facts.from_text);
    let Next::Optimize(planned) = ahead.next else {
        panic!("{:?}", ahead.next);
    };
    let Planned(parts) = *planned;
    assert_eq!(parts.before.len(), 2);
    for module in &parts.modules {
        let module = module.as_ref().unwrap();
        assert_eq!(
            validate(module.bytes.clone()).unwrap().kind(),
            crate::ProgramKind::Module
        );
    }
    // At `-O0` the optimizer gets no module, and the compiler is next.
    let (_, ahead) = answer(&task(Level::O0), &[text.as_bytes()], prepared).unwrap();
    let Next::Compile(finished) = ahead.next else {
        panic!("{:?}", ahead.next);
    };
    let named = finished.named.unwrap();
    assert_eq!(named.bytes(), wat::parse_str(text).unwrap());
    assert_eq!(finished.names.function(0, 0), Some("named"));
    assert_ne!(finished.optimized.component.bytes(), named.bytes());
}

#[test]
fn a_snapshot_is_the_program_with_another_state() {
    let wasm = |text: &str| wat::parse_str(text).unwrap();
    let program = wasm("(component (core module (memory 1)))");
    let resume = |snapshot: &[u8]| {
        let task = Task::Resume {
            program: program.len() as u64,
            steps: steps(Level::O0),
        };
        answer(&task, &[&program, snapshot], resumed)
    };
    let other = wasm(r#"(component (core module (memory 1) (data (i32.const 0) "x")))"#);
    let ahead = resume(&other).unwrap();
    let Next::Compile(finished) = ahead.next else {
        panic!("{:?}", ahead.next);
    };
    assert_eq!(finished.optimized.component.bytes(), other);
    for (wrong, differs) in [
        (&b"no"[..], false),
        (b"", false),
        (&wasm("(module)"), true),
        (&wasm("(component)"), true),
    ] {
        let error = resume(wrong).unwrap_err();
        let FrontEndError::Snapshot(error) = error else {
            panic!("{error}");
        };
        let found = matches!(error, SnapshotError::Differs { .. });
        assert_eq!(found, differs, "{error}");
    }
}

/// Why the process gave no answer.
fn worker_error(refused: RefusedInput) -> WorkerError {
    match *refused.error {
        FrontEndError::Worker(StageError { error, .. }) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn each_end_of_the_process_has_an_error() {
    let run_until = |text: &str, deadline| {
        let front_end = FrontEnd {
            worker: script(text),
        };
        front_end.validate(b"input".to_vec(), deadline).unwrap_err()
    };
    let run = |text: &str| run_until(text, long());
    let full = run("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
    assert_eq!(full.bytes, b"input");
    let says = "validating this program needs more than 1024 MiB of memory";
    assert_eq!(full.error.to_string(), says);
    let crash = run("echo oh no >&2; kill -SEGV $$");
    assert!(crash.error.to_string().contains("oh no"));
    for nothing in ["true", "printf '\\000'", "printf '\\001'", "echo '?'"] {
        let error = worker_error(run(nothing));
        assert!(matches!(error, WorkerError::Crash { .. }), "{error}");
    }
    let disk = worker_error(run("echo disk full >&2; exit 1"));
    assert!(matches!(disk, WorkerError::Machine(_)), "{disk}");
    let hang = worker_error(run_until("sleep 600", short()));
    assert!(matches!(hang, WorkerError::Timeout { .. }), "{hang}");
}
