//! The instructions that programs execute, as callgrind counts them: without an optimizer, with
//! unmerged core modules, and at the default level.
//!
//! `cargo bench -p edgec instructions`. It needs Valgrind. A count is that of the whole process:
//! load, instance and run. It differs by a ten-thousandth between runs, while times on a busy
//! machine differ by a tenth.

use std::path::Path;
use std::process::Command;

use edgec_benches::{Workload, guests};
use edgec_tests::{Sandbox, stock};

/// The first argument of the process that is counted. It is this program.
const COUNTED: &str = "__counted";

/// The forms of a program: a name, and the options of `edgec build`. The first is the reference.
const FORMS: [(&str, &[&str]); 3] = [
    ("-O0", &["-O0"]),
    ("-O1 --no-flatten", &["--no-flatten"]),
    ("-O1", &[]),
];

/// Runs a program if this process was started for it. Returns whether it was.
pub(crate) fn counted() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, file, guest] = arguments.as_slice() else {
        return false;
    };
    if first != COUNTED {
        return false;
    }
    let work = workload(guest);
    let behaviour = stock::load_and_run(Path::new(file), work.arguments, &work.stdin);
    assert_eq!(behaviour.code, 0, "{guest}");
    true
}

pub(crate) fn run() {
    let names = [
        "rust-worker-p1",
        "rust-worker-p2",
        "c-cmark",
        "c-minigzip",
        "c-quickjs",
    ];
    // The example does not compute.
    for guest in guests(&names).into_iter().skip(1) {
        let sandbox = Sandbox::new();
        sandbox.write("guest.wasm", guest.component.bytes());
        let mut first = None;
        for (name, options) in FORMS {
            let build = ["build", "guest.wasm", "-q", "-t", std::env::consts::ARCH];
            let signed = ["--key", "key.pem", "-o", "guest.cwasm"];
            sandbox.ok(&[&build[..], &signed, options].concat());
            let count = count(&sandbox.path().join("guest.cwasm"), &guest.name);
            let first = *first.get_or_insert(count);
            println!(
                "{:16} {name:20} {count:>13} instructions   {:>7.4}x",
                guest.name,
                count as f64 / first as f64
            );
        }
        println!();
    }
}

/// The number of instructions of a process that loads and runs an artifact.
fn count(artifact: &Path, guest: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .arg(COUNTED)
        .arg(artifact)
        .arg(guest)
        .output()
        .expect("Valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let collected = text
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    collected.expect("a count").trim().parse().unwrap()
}

/// Enough work that the load hardly counts, and little enough for Valgrind.
fn workload(guest: &str) -> Workload {
    let (arguments, stdin): (&[&str], String) = match guest {
        "c-minigzip" => {
            let numbers = (0..60_000).map(|i: u64| format!("{} ", i * i % 9973));
            (&[], numbers.collect())
        }
        "c-quickjs" => (
            &["let s = 0; for (let i = 0; i < 3e5; i++) s = (s * 31 + i) | 0; s"],
            String::new(),
        ),
        "c-cmark" => {
            let text = "# A title\n\nA *word*, a [link](https://example.com/) and `code`.\n\n";
            (
                &[],
                format!("{text}1. one\n2. two\n\n> quoted\n\n").repeat(400),
            )
        }
        _ => (&[], String::new()),
    };
    Workload { arguments, stdin }
}
