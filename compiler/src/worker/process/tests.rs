//! How processes end, and what this means.

use super::*;

fn shell(script: &str, bounds: Bounds) -> Result<Ended, MachineError> {
    run(command("/bin/sh").args(["-c", script]), b"input", &bounds)
}

fn bounds() -> Bounds {
    Bounds {
        answer: 100,
        memory: 1 << 30,
        deadline: Instant::now() + Duration::from_secs(60),
        sleep: Sleep::Allowed,
    }
}

#[test]
fn a_signal_from_outside_is_not_the_inputs_fault() {
    for (signal, name) in [
        ("KILL", "SIGKILL"),
        ("TERM", "SIGTERM"),
        ("USR1", "SIGUSR1"),
    ] {
        let killed = shell(&format!("kill -{signal} $$"), bounds());
        let Err(MachineError::Signal { signal }) = killed else {
            panic!("{killed:?}");
        };
        assert_eq!(signal, name);
    }
    // A shell reports its child's signal like this.
    let wrapped = shell("exit 137", bounds());
    assert!(matches!(wrapped, Err(MachineError::Signal { .. })));
    for signal in ["SEGV", "ABRT", "BUS", "ILL", "FPE", "TRAP"] {
        let crashed = shell(&format!("kill -{signal} $$"), bounds());
        assert!(matches!(crashed, Ok(Ended::Crashed { .. })), "{signal}");
    }
    let wrapped = shell("exit 139", bounds());
    assert!(matches!(wrapped, Ok(Ended::Crashed { .. })), "{wrapped:?}");
}

#[test]
fn an_abort_that_is_explained_is_of_the_process_itself() {
    for why in [
        "wasm-opt: src/wasm.cpp:7: void f(): Assertion `x' failed.",
        "Assertion failed: (x), function f, file wasm.cpp, line 7.",
        "UNREACHABLE executed at wasm.cpp:7!",
        "terminate called after throwing an instance of 'std::runtime_error'",
        "thread 'main' (77) has overflowed its stack",
    ] {
        let said = format!("echo warning >&2; echo \"{}\" >&2", why.replace('`', "\\`"));
        let aborted = shell(&format!("{said}; kill -ABRT $$"), bounds());
        let Ok(Ended::Failed { message, .. }) = aborted else {
            panic!("{why}: {aborted:?}");
        };
        assert!(why.ends_with(&message) || message == "stack overflow");
        // The message does not announce this signal.
        let other = shell(&format!("{said}; kill -SEGV $$"), bounds());
        assert!(matches!(other, Ok(Ended::Crashed { .. })), "{other:?}");
    }
    let other = shell("echo warning >&2; kill -ABRT $$", bounds());
    let Ok(Ended::Crashed { message, .. }) = other else {
        panic!("{other:?}");
    };
    assert_eq!(message, "warning");
}

#[test]
fn limits_have_names() {
    let limit = |script: &str| match shell(script, bounds()) {
        Err(MachineError::Limit { limit }) => limit,
        other => panic!("{script}: {other:?}"),
    };
    assert_eq!(limit("kill -XFSZ $$"), Limit::FileSize);
    assert_eq!(limit("kill -XCPU $$"), Limit::CpuTime);
    let thread = "echo \"terminate called after throwing an instance of 'std::system_error'\" >&2; \
                  kill -ABRT $$";
    assert_eq!(limit(thread), Limit::Processes);
    let thread = "echo 'panicked at std/src/thread.rs:1: failed to spawn thread: error 11' >&2; \
                  exit 101";
    assert_eq!(limit(thread), Limit::Processes);
    for named in Limit::ALL {
        let error = MachineError::from(named);
        let script = format!("echo 'error[limit]: {error}' >&2; exit 3");
        assert_eq!(limit(&script), named);
    }
}

#[test]
fn what_the_machine_lacks_is_not_the_inputs_fault() {
    for (script, says) in [
        (
            "echo \"Fatal: Failed opening '/dev/stdin'\" >&2; exit 1",
            "Failed opening '/dev/stdin'",
        ),
        ("no-such-program", "not found"),
        (
            "echo 'edgec: cannot start again: Text file busy' >&2; exit 1",
            "Text file busy",
        ),
        (
            "echo 'error[limit]: a limit of this machine was met' >&2; exit 3",
            "a limit of this machine",
        ),
    ] {
        let lacks = shell(script, bounds());
        let Err(MachineError::Worker { message }) = lacks else {
            panic!("{script}: {lacks:?}");
        };
        assert!(message.contains(says), "{message}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_waits_without_end_is_stopped() {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec sleep 600"]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let short = Duration::from_millis;
    let mut watch = Watch::with_patience(child.id(), short(500), short(50));
    let mut running = Running(child);
    let answer = answer(running.0.stdout.take().unwrap(), 100).unwrap();
    let waited = running.wait(&answer, &bounds(), Some(&mut watch));
    assert!(matches!(waited, Ok(Waited::Stuck)));
    // No limit is lower than 0.
    let error = without_progress(0).to_string();
    assert!(error.contains("no progress for 30 s"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_end_of_a_process_ends_the_wait_for_it() {
    let mut sleeper = Command::new("/bin/sh");
    let child = sleeper.args(["-c", "exec sleep 0.1"]).spawn();
    let mut running = Running(child.unwrap());
    End::of(&running.0).wait(Duration::from_secs(60));
    assert!(running.0.try_wait().unwrap().is_some());
}

#[test]
fn want_of_memory_is_seen() {
    for says in [
        "memory allocation of 9 bytes failed",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "terminate called after throwing an instance of 'St9bad_alloc'",
        "terminate called after throwing an instance of 'N4wasm14ParseExceptionE'",
        "panicked at std/src/sys.rs:1: failed to allocate an alternative stack: error 12",
    ] {
        let full = shell(&format!("echo \"{says}\" >&2; kill -ABRT $$"), bounds());
        assert!(matches!(full, Ok(Ended::OutOfMemory)), "{full:?}");
    }
    // Threads do not start because memory for their stacks is missing, or two of them throw.
    for says in [
        "terminate called after throwing an instance of 'std::system_error'",
        "terminate called without an active exception",
        "terminate called recursively",
    ] {
        let little = Bounds {
            memory: 64 << 20,
            ..bounds()
        };
        let thread = shell(&format!("echo \"{says}\" >&2; kill -ABRT $$"), little);
        assert!(matches!(thread, Ok(Ended::OutOfMemory)), "{thread:?}");
    }
    // Binaryen's reader throws an exception, which becomes a message.
    let caught = shell("echo std::bad_alloc >&2; exit 1", bounds());
    assert!(matches!(caught, Ok(Ended::OutOfMemory)), "{caught:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_silent_abort_near_the_limit_is_want_of_memory() {
    // Binaryen aborts without a message if it gets no memory for its own allocator. A shell holds
    // more than half of this limit.
    let little = || Bounds {
        memory: 64 << 10,
        ..bounds()
    };
    let silent = shell("sleep 0.2; kill -ABRT $$", little());
    assert!(matches!(silent, Ok(Ended::OutOfMemory)), "{silent:?}");
    let other = shell("echo other >&2; sleep 0.2; kill -ABRT $$", little());
    assert!(matches!(other, Ok(Ended::Crashed { .. })), "{other:?}");
}

#[test]
fn an_answer_is_whole_or_none() {
    let done = shell("cat; printf more", bounds());
    assert!(matches!(done, Ok(Ended::Done(answer)) if answer == b"inputmore"));
    // The answer is too long: the process is stopped although it goes on writing.
    let long = shell("while :; do echo 0123456789; done", bounds());
    assert!(matches!(long, Ok(Ended::TooLong)), "{long:?}");
    let late = Bounds {
        deadline: Instant::now() + Duration::from_millis(50),
        ..bounds()
    };
    let late = shell("cat; exec sleep 600", late);
    assert!(matches!(late, Ok(Ended::Late)), "{late:?}");
    // If the process closes standard output, edgec still waits for its end.
    let early = shell("cat; exec >&-; sleep 0.1; echo late >&2; exit 3", bounds());
    let Ok(Ended::Failed { message, .. }) = early else {
        panic!("{early:?}");
    };
    assert_eq!(message, "late");
}

#[test]
fn much_that_is_said_stops_nothing() {
    let much = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789 >&2; \
                i=$((i+1)); done; cat";
    let done = shell(much, bounds());
    assert!(matches!(done, Ok(Ended::Done(answer)) if answer == b"input"));
    // The last line says what is at fault. If it does not, the message is the first line.
    let full = "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$";
    let full = shell(&format!("{much}; {full}"), bounds());
    assert!(matches!(full, Ok(Ended::OutOfMemory)), "{full:?}");
    let failed = shell(&format!("echo first >&2; {much} >&2; exit 3"), bounds());
    let Ok(Ended::Failed { message, .. }) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(message, "first");
}
