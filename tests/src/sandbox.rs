//! A folder of its own for a test, in which the real binary runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgec_verifier::{PublicKey, TrustPolicy};
use tempfile::TempDir;

use crate::{binary, isolate, trusting};

/// A sandbox with another key, `secret.pem`, which is encrypted with the passphrase `correct
/// horse`. The file `passphrase` contains it.
pub fn encrypted_key() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_secret("passphrase", "correct horse\n");
    let keygen = ["keygen", "--encrypt", "-o", "secret.pem"];
    sandbox.ok(&[&keygen[..], &["--passphrase-file", "passphrase"]].concat());
    sandbox
}

/// A separate folder with a signing key, in which the binary runs.
pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// A sandbox with only `key.pem` and `key.pub.pem`.
    pub fn new() -> Self {
        let sandbox = Self::empty();
        sandbox.ok(&["keygen", "-o", "key.pem"]);
        sandbox
    }

    /// An empty sandbox.
    pub fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// A policy that trusts `key.pub.pem`.
    pub fn policy(&self) -> TrustPolicy {
        let pem = String::from_utf8(self.read("key.pub.pem")).expect("a PEM");
        trusting(PublicKey::from_pem(&pem).expect("a public key"))
    }

    /// The sandbox's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Writes a file that only its owner may read.
    pub fn write_secret(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(name, bytes);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, mode).expect("a file of our own");
        }
        path
    }

    /// Writes a `wasm-opt` that answers `--version`, and for other arguments runs `body`.
    #[cfg(unix)]
    pub fn fake_optimizer(&self, body: &str) {
        self.fake_optimizer_at("wasm-opt", body);
    }

    /// Like [`fake_optimizer`](Self::fake_optimizer), in another place.
    #[cfg(unix)]
    pub fn fake_optimizer_at(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let script =
            format!("#!/bin/sh\n[ \"$1\" = --version ] && echo fake 1 && exit 0\n{body}\n");
        let path = self.write(name, script);
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, executable).expect("a mode");
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of the files in the sandbox and its folders, sorted.
    pub fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, root, names);
                } else {
                    let name = path.strip_prefix(root).unwrap();
                    names.push(name.display().to_string());
                }
            }
        }
        let mut names = Vec::new();
        walk(self.path(), self.path(), &mut names);
        names.sort();
        names
    }

    /// The binary, without influences of this machine's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        isolate(&mut command, self.path());
        command.args(arguments);
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output();
        output.expect("the binary can be started")
    }

    /// Runs the binary, which must succeed. Returns its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "edgec {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs another program in the sandbox, which must succeed. Returns its standard output.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(program)
            .current_dir(self.path())
            .args(arguments)
            .output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
        output.stdout
    }

    /// Runs the binary, which must fail with this exit code. Returns its standard error.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "edgec {arguments:?}: {stderr}"
        );
        stderr
    }

    /// Builds one artifact, signed with the sandbox's key.
    pub fn build(&self, input: &str, target: &str, output: &str) {
        self.ok(&[
            "build", "-q", input, "-t", target, "--key", "key.pem", "-o", output,
        ]);
    }

    /// Admits an artifact of the sandbox's key to the store in the folder `store`.
    pub fn admit(&self, artifact: &str) {
        let store = ["store", "--store", "store", "add"];
        self.ok(&[&store[..], &["--key", "key.pub.pem", artifact]].concat());
    }

    /// Builds the example for this machine into `hello.cwasm`.
    pub fn hello(&self) -> Vec<u8> {
        let output = self.hello_with(&["-q"]);
        assert!(output.status.success(), "{output:?}");
        self.read("hello.cwasm")
    }

    /// Like [`Self::hello`], with more options and with any result.
    pub fn hello_with(&self, options: &[&str]) -> Output {
        let example = crate::hello();
        let build = ["build", &example, "-t", std::env::consts::ARCH];
        let signed = ["--key", "key.pem", "-o", "hello.cwasm"];
        self.run(&[&build[..], &signed, options].concat())
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}
