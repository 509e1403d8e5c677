//! What tests can do on this machine. CI must not skip a test that could run. So each of these sets
//! a variable `EDGEC_REQUIRE_…`, and with it, a test that would be skipped fails.

use std::path::Path;

use crate::shell::{repository, succeeds};

/// What `.ci/run` installs.
const INSTALLED: [&str; 7] = [
    "EDGEC_REQUIRE_COSIGN",
    "EDGEC_REQUIRE_EMULATION",
    "EDGEC_REQUIRE_KEY_TOOLS",
    "EDGEC_REQUIRE_PYTHON",
    "EDGEC_REQUIRE_SOFTHSM",
    "EDGEC_REQUIRE_STRACE",
    "EDGEC_REQUIRE_TIER_1",
];

/// Folders and files that may lie beside the repository.
const BESIDE: [(&str, &str); 4] = [
    ("guests", "EDGEC_REQUIRE_GUESTS"),
    ("ed25519", "EDGEC_REQUIRE_ED25519"),
    ("conformance", "EDGEC_REQUIRE_CONFORMANCE"),
    ("trials", "EDGEC_REQUIRE_TRIALS"),
];

/// Sets an access control list that allows the same as the mode.
const ACCESS_CONTROL_LIST: &str = "
import os, struct, tempfile
entries = [(1, 6), (4, 0), (32, 0)]
entries = [struct.pack('<HHI', tag, bits, 2**32 - 1) for tag, bits in entries]
with tempfile.NamedTemporaryFile() as file:
    os.setxattr(file.name, 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(entries))
";

/// Forbids programs in memory, in a separate namespace.
const NO_PROGRAMS_IN_MEMORY: [&str; 8] = [
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--mount-proc",
    "sh",
    "-c",
    "echo 2 > /proc/sys/vm/memfd_noexec",
];

/// The variables for the tests that must run on this machine.
pub(crate) fn required() -> Vec<&'static str> {
    let mut required = INSTALLED.to_vec();
    for (folder, variable) in BESIDE {
        if repository().join("../shared").join(folder).is_dir() {
            required.push(variable);
        }
    }
    let root = "test \"$(id -u)\" = 0";
    for (variable, program, arguments) in [
        ("EDGEC_REQUIRE_ROOT", "sh", &["-c", root][..]),
        (
            "EDGEC_REQUIRE_ACL",
            "python3",
            &["-c", ACCESS_CONTROL_LIST][..],
        ),
        ("EDGEC_REQUIRE_MOUNT", "unshare", &["--mount", "true"][..]),
        (
            "EDGEC_REQUIRE_MEMFD_NOEXEC",
            "unshare",
            &NO_PROGRAMS_IN_MEMORY[..],
        ),
    ] {
        if succeeds(program, arguments) {
            required.push(variable);
        }
    }
    required
}

/// The program generator, which the tests have built.
pub(crate) fn generator(target: &Path) -> String {
    let program = format!("edgec-generator{}", std::env::consts::EXE_SUFFIX);
    let folder = target.join("generator/debug");
    folder.join(program).display().to_string()
}
