//! The process that generates programs: `tests/generator`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use super::case::Made;

/// A running generator.
pub struct Generator {
    process: Child,
    pipes: Mutex<(ChildStdin, ChildStdout)>,
    suites: bool,
}

/// The generator's program, built if it is older than its sources.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // <target>/<profile>/deps/<this test>, or an example beside it.
        let this = std::env::current_exe().expect("a test has a path");
        let profile = this.ancestors().nth(2).expect("a test lies in a profile");
        let target = profile.with_file_name("generator");
        let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(crate::repository().join("tests/generator/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        assert!(
            status.expect("cargo can be started").success(),
            "it does not build"
        );
        let name = format!("edgec-generator{}", std::env::consts::EXE_SUFFIX);
        target.join("debug").join(name)
    })
}

impl Generator {
    /// Starts the generator. With the folder of the public suites, it also makes mutations of their
    /// modules.
    pub fn start(program: &Path, suites: Option<&Path>) -> Self {
        let mut process = Command::new(program)
            .args(suites)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the generator can be started");
        let input = process.stdin.take().expect("a pipe");
        let output = process.stdout.take().expect("a pipe");
        Self {
            process,
            pipes: Mutex::new((input, output)),
            suites: suites.is_some(),
        }
    }

    /// Whether it makes mutations.
    pub fn has_suites(&self) -> bool {
        self.suites
    }

    /// The program of a seed, if the generator makes one.
    pub fn program(&self, made: Made, seed: u64) -> Option<Vec<u8>> {
        let kind = match made {
            Made::Module => "module",
            Made::Command => "command",
            Made::Mutation => "mutation",
        };
        let mut pipes = self.pipes.lock().expect("no panic");
        writeln!(pipes.0, "{kind} {seed}").expect("the generator reads");
        let mut length = [0; 4];
        pipes.1.read_exact(&mut length).expect("an answer");
        let mut program = vec![0; u32::from_le_bytes(length) as usize];
        pipes.1.read_exact(&mut program).expect("a program");
        (!program.is_empty()).then_some(program)
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
