//! Answers of other kernels than this machine's: of an older one, or of one with strict settings.
//!
//! `EDGEC_REQUIRE_STRACE=1` makes it a failure if `strace` is missing, and
//! `EDGEC_REQUIRE_MEMFD_NOEXEC=1` if a namespace of this kernel cannot have this setting.
#![cfg(target_os = "linux")]

use std::process::Command;

use edgec_tests::strace::{Call, Fault, faulty, strace_present, traced};
use edgec_tests::{Sandbox, binary, isolate, skipped};

const RUN: [&str; 4] = ["run", "--key", "key.pub.pem", "hello.cwasm"];

/// Before Linux 6.3, `memfd_create` does not know `MFD_NOEXEC_SEAL`.
#[test]
fn an_artifact_is_loaded_on_a_kernel_that_does_not_know_the_flag() {
    if !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.hello();
    let run = sandbox.command(&RUN);
    let (expected, calls) = traced(&run, "memfd_create");
    assert!(expected.status.success(), "{expected:?}");
    let copies: Vec<&Call> = calls
        .iter()
        .filter(|call| call.strings() == ["edgec-artifact"])
        .collect();
    // `strace` 6.1 knows only the flag's number.
    let first = copies.first().expect("the artifact is copied into memory");
    let flag = ["MFD_NOEXEC_SEAL", "0x8"];
    assert!(
        flag.iter().any(|flag| first.arguments.contains(flag)),
        "{first:?}"
    );

    let (output, met) = faulty(&run, first, Fault::Error("EINVAL"));
    assert!(met, "{output:?}");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, expected.stdout);
    // Other errors have other causes.
    let (output, met) = faulty(&run, first, Fault::Error("EMFILE"));
    assert!(met, "{output:?}");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// `vm.memfd_noexec=2`: no memory file can be executed.
#[test]
fn an_artifact_is_loaded_where_memory_files_cannot_be_executed() {
    const STRICTLY: &str = "echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\"";
    let sandbox = Sandbox::new();
    sandbox.hello();
    let strictly = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        isolate(&mut command, sandbox.path());
        command
            .args([
                "--user",
                "--map-root-user",
                "--pid",
                "--fork",
                "--mount-proc",
            ])
            .args(["sh", "-c", STRICTLY, "sh"])
            .arg(program)
            .args(arguments)
            .output()
    };
    let possible = strictly("true".as_ref(), &[]).is_ok_and(|output| output.status.success());
    if !possible {
        let why = "no namespace in which memory files cannot be executed";
        return skipped("EDGEC_REQUIRE_MEMFD_NOEXEC", why);
    }
    let output = strictly(binary(), &RUN).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, sandbox.run(&RUN).stdout);
}

/// A file system that has fs-verity, but not with blocks of the signed size.
#[test]
fn fs_verity_is_not_lost_without_a_word() {
    if !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.hello();
    let add = |store| {
        let key = ["--key", "key.pub.pem", "hello.cwasm"];
        sandbox.command(&[&["store", "--store", store, "add"][..], &key].concat())
    };
    let (output, calls) = traced(&add("store"), "ioctl");
    assert!(output.status.success(), "{output:?}");
    let names = ["FS_IOC_ENABLE_VERITY", "0x66, 0x85"];
    let enabling = calls
        .iter()
        .find(|call| names.iter().any(|name| call.arguments.contains(name)));
    let enabling = enabling.expect("the kernel is asked for fs-verity");

    let (output, met) = faulty(&add("refused"), enabling, Fault::Error("EINVAL"));
    assert!(met, "{output:?}");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error[io]: "), "{stderr}");
    assert!(stderr.contains("blocks of 4096 bytes"), "{stderr}");
    // If a store exists, it has no names.
    let names = sandbox.path().join("refused/names");
    let left = std::fs::read_dir(names).map_or(0, |names| names.count());
    assert_eq!(left, 0);

    // Without fs-verity, an artifact is admitted without it.
    for answer in ["ENOTTY", "EOPNOTSUPP"] {
        let (output, met) = faulty(&add(answer), enabling, Fault::Error(answer));
        assert!(met, "{output:?}");
        assert!(output.status.success(), "{output:?}");
    }
}
