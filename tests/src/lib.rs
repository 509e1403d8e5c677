//! What the end-to-end tests share: the real binary, fixtures, a stock Wasmtime.

pub mod corpus;
pub mod differential;
pub mod disk;
pub mod emulated;
pub mod help;
pub mod interop;
pub mod levels;
#[cfg(unix)]
pub mod ordinary_user;
pub mod planted;
#[cfg(target_os = "linux")]
pub mod processes;
pub mod programs;
pub mod secret;
pub mod stock;
#[cfg(target_os = "linux")]
pub mod store_host;
pub mod stored;
pub mod strace;
pub mod transcript;
#[cfg(target_os = "linux")]
pub mod tree;
#[cfg(unix)]
pub mod turns;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use edgec_verifier::{PublicKey, TrustPolicy, TrustedKey};
use tempfile::TempDir;

/// The root of the repository: where cargo runs this test from. Not where it was compiled,
/// which a target folder that several clones share does not tell apart.
pub fn repository() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR");
        let package = PathBuf::from(package.unwrap_or(env!("CARGO_MANIFEST_DIR").into()));
        let root = package.parent().expect("the tests lie in the repository");
        root.to_owned()
    })
}

/// A file that an artifact may replace, since it ends as artifacts do. No build writes it.
pub const OLD_ARTIFACT: &[u8] = b"old\x89edgec\r\n";

/// A policy that trusts one key, and lets in whatever it has signed.
pub fn trusting(key: PublicKey) -> TrustPolicy {
    TrustPolicy::new(vec![TrustedKey::new("signer", key)], 1).expect("one key, one signature")
}

/// Programs and suites beside the repository, where there are any.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = repository().join("../shared").join(name);
    path.exists().then_some(path)
}

/// The folder of the real programs, where they lie beside the repository; says so where not.
///
/// # Panics
///
/// Without it, when `EDGEC_REQUIRE_GUESTS` is set.
pub fn guests() -> Option<PathBuf> {
    let folder = shared("guests");
    if folder.is_none() {
        skipped("EDGEC_REQUIRE_GUESTS", "no guests beside the repository");
    }
    folder
}

/// The real binary: the one that cargo has built for the tests of its package, or the one that
/// `EDGEC_BIN` names.
///
/// # Panics
///
/// If there is neither.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        ["EDGEC_BIN", "CARGO_BIN_EXE_edgec"]
            .into_iter()
            .find_map(std::env::var_os)
            .expect("`cargo test` and `cargo xtask` say where edgec is; else EDGEC_BIN does")
            .into()
    })
}

/// The program that signs edited manifests; see `tests/examples/forge.rs`.
pub fn forge() -> &'static Path {
    static FORGE: OnceLock<PathBuf> = OnceLock::new();
    FORGE.get_or_init(|| example("forge"))
}

/// A program of a crate's `examples` folder.
///
/// # Panics
///
/// If it is not built, or older than one of its sources. `cargo test` builds all examples, but for
/// a single target (`--test it`) it does not.
pub fn example(name: &str) -> PathBuf {
    // <target>/<profile>/deps/<this test>
    let this = std::env::current_exe().expect("a test has a path");
    let profile = this.ancestors().nth(2).expect("a test lies in deps");
    let program = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if let Err(why) = up_to_date(&program) {
        panic!("{why}: `cargo build --workspace --examples` builds it");
    }
    program
}

/// Whether a program is newer than each of its sources, which cargo lists in a file beside it, in
/// the form of a makefile.
fn up_to_date(program: &Path) -> Result<(), String> {
    let changed = |file: &Path| file.metadata().and_then(|found| found.modified());
    let built = changed(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let list = program.with_extension("d");
    let list =
        std::fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let (_, sources) = list.split_once(": ").unwrap_or_default();
    // A space in a name has a backslash in front of it.
    let sources = sources.trim().replace("\\ ", "\0");
    for source in sources.split(' ') {
        let source = source.replace('\0', " ");
        if changed(Path::new(&source)).is_ok_and(|changed| changed > built) {
            return Err(format!("{} is older than {source}", program.display()));
        }
    }
    Ok(())
}

/// Whether a program can be started that tests of keys compare with; says so when it cannot.
///
/// # Panics
///
/// Without it, when `EDGEC_REQUIRE_KEY_TOOLS` is set.
pub fn present(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        let why = format!("{program} is not installed");
        skipped("EDGEC_REQUIRE_KEY_TOOLS", &why);
    }
    found
}

/// Makes a named pipe that only this user opens.
pub fn fifo(path: &Path) {
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(path)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "{path:?}");
}

/// Says that a test, or a part of it, is skipped, and why.
///
/// # Panics
///
/// When `variable`, one of `EDGEC_REQUIRE_…`, is set.
pub fn skipped(variable: &str, why: &str) {
    assert!(std::env::var_os(variable).is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// A sandbox with one more key, `secret.pem`, under the passphrase `correct horse`, which the
/// file `passphrase` holds.
pub fn encrypted_key() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_secret("passphrase", "correct horse\n");
    let keygen = ["keygen", "--encrypt", "-o", "secret.pem"];
    sandbox.ok(&[&keygen[..], &["--passphrase-file", "passphrase"]].concat());
    sandbox
}

/// A folder of its own with a signing key, and the binary in it.
pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// An empty sandbox but for `key.pem` and `key.pub.pem`.
    pub fn new() -> Self {
        let sandbox = Self::empty();
        sandbox.ok(&["keygen", "-o", "key.pem"]);
        sandbox
    }

    /// A sandbox with nothing in it.
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

    /// Writes a `wasm-opt` that answers `--version` and then does what `body` says.
    #[cfg(unix)]
    pub fn fake_optimizer(&self, body: &str) {
        self.fake_optimizer_at("wasm-opt", body);
    }

    /// As [`fake_optimizer`](Self::fake_optimizer), in another place.
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

    /// The names of the files in the sandbox, sorted, folders with their content.
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

    /// The binary, without what this machine's environment would add.
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

    /// Runs the binary; it must succeed. Its standard output.
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

    /// Runs another program in the sandbox; it must succeed. Its standard output.
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

    /// Runs the binary; it must fail with this exit code. Its standard error.
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

    /// Builds one artifact, signed by the sandbox's key.
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

    /// As [`Self::hello`] with more options, and however it ends.
    pub fn hello_with(&self, options: &[&str]) -> Output {
        let example = repository().join("examples/hello.wat");
        let example = example.to_str().expect("a path in UTF-8");
        let build = ["build", example, "-t", std::env::consts::ARCH];
        let signed = ["--key", "key.pem", "-o", "hello.cwasm"];
        self.run(&[&build[..], &signed, options].concat())
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes away from a command what depends on who runs the tests.
pub fn isolate(command: &mut Command, folder: &Path) {
    for variable in [
        "CI",
        "EDGEC_KEY",
        "EDGEC_PASSPHRASE",
        "EDGEC_PKCS11_PIN",
        "EDGEC_STORE",
        "EDGEC_TRUST_STATE",
        "RUST_BACKTRACE",
        "RUST_LIB_BACKTRACE",
        "SOURCE_DATE_EPOCH",
        "XDG_CONFIG_HOME",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "NO_COLOR",
        "TMPDIR",
    ] {
        command.env_remove(variable);
    }
    command.current_dir(folder).env("HOME", folder.join("home"));
}

/// The guests that are `wasi:cli` programs, with arguments and standard input.
pub struct CliGuest {
    /// The file's name in `guests/`.
    pub file: &'static str,
    /// The program's arguments.
    pub arguments: &'static [&'static str],
    /// What it reads from standard input.
    pub stdin: &'static str,
}

/// Every guest that can be run from a command line.
pub const CLI_GUESTS: &[CliGuest] = &[
    CliGuest {
        file: "rust-worker-p2.wasm",
        arguments: &[],
        stdin: "",
    },
    CliGuest {
        file: "rust-worker-p1.wasm",
        arguments: &[],
        stdin: "",
    },
    CliGuest {
        file: "c-cmark.wasm",
        arguments: &[],
        stdin: "# Title\n\nText with *stress*, `code` and a [link](x).\n\n- one\n- two\n",
    },
    CliGuest {
        file: "c-minigzip.wasm",
        arguments: &[],
        stdin: "a text, a text, a text that repeats itself, itself, itself\n",
    },
    CliGuest {
        file: "c-quickjs.wasm",
        arguments: &["[1,2,3].map(x => x ** 10).join() + ' ' + /(a+)b/.exec('caaab')[1]"],
        stdin: "",
    },
    // An error in the program: the exit code is part of the behaviour.
    CliGuest {
        file: "c-quickjs.wasm",
        arguments: &["throw new Error('on purpose')"],
        stdin: "",
    },
];
