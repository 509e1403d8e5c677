//! Shared by the end-to-end tests: the real binary, fixtures, a stock Wasmtime.

pub mod commands;
pub mod corpus;
pub mod differential;
pub mod disk;
pub mod emulated;
pub mod graphs;
pub mod help;
pub mod interop;
mod lanes;
pub mod levels;
#[cfg(unix)]
pub mod ordinary_user;
pub mod planted;
#[cfg(target_os = "linux")]
pub mod processes;
pub mod programs;
pub mod publisher;
pub mod redis;
mod sandbox;
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
use std::process::Command;
use std::sync::OnceLock;

use edgec_verifier::{PublicKey, TrustPolicy, TrustedKey};

pub use self::sandbox::{Sandbox, encrypted_key};

/// The root of the repository: the folder in which cargo runs this test. The path at compile time
/// may be wrong, because several clones can share a target folder.
pub fn repository() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR");
        let package = PathBuf::from(package.unwrap_or(env!("CARGO_MANIFEST_DIR").into()));
        let root = package.parent().expect("the tests lie in the repository");
        root.to_owned()
    })
}

/// The path of the example `hello.wat`, as an argument.
pub fn hello() -> String {
    let path = repository().join("examples/hello.wat");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The number in a variable of the environment, or `otherwise` if the variable is not set.
///
/// # Panics
///
/// If its value is not a number.
pub fn number_in(variable: &str, otherwise: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The results in the JSON document of a verb for several files.
///
/// # Panics
///
/// If the text is no such document.
pub fn results(document: impl AsRef<[u8]>) -> Vec<serde_json::Value> {
    let mut document: serde_json::Value =
        serde_json::from_slice(document.as_ref()).expect("a JSON document");
    match document["results"].take() {
        serde_json::Value::Array(results) => results,
        _ => panic!("no results: {document}"),
    }
}

/// Asks again and again, until it is so.
///
/// # Panics
///
/// After two minutes.
pub fn until(mut is_so: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed().as_secs() < 120, "it does not come");
    }
}

/// The words of a command line that has no quotes.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A file that an artifact may replace, because it ends like an artifact. No build writes it.
pub const OLD_ARTIFACT: &[u8] = b"old\x89edgec\r\n";

/// A policy that trusts one key, and accepts everything that the key has signed.
pub fn trusting(key: PublicKey) -> TrustPolicy {
    TrustPolicy::new(vec![TrustedKey::new("signer", key)], 1).expect("one key, one signature")
}

/// A folder with programs or suites beside the repository, if it exists.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = repository().join("../shared").join(name);
    path.exists().then_some(path)
}

/// The folder of the real programs beside the repository. If it does not exist, says so.
///
/// # Panics
///
/// If it does not exist, and `EDGEC_REQUIRE_GUESTS` is set.
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
/// If neither exists.
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

/// Whether a program is newer than each of its sources. cargo lists these in a file beside it, in
/// the form of a makefile.
fn up_to_date(program: &Path) -> Result<(), String> {
    let changed = |file: &Path| file.metadata().and_then(|found| found.modified());
    let built = changed(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let list = program.with_extension("d");
    let list =
        std::fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let (_, sources) = list.split_once(": ").unwrap_or_default();
    // A space in a name has a backslash before it.
    let sources = sources.trim().replace("\\ ", "\0");
    for source in sources.split(' ') {
        let source = source.replace('\0', " ");
        if changed(Path::new(&source)).is_ok_and(|changed| changed > built) {
            return Err(format!("{} is older than {source}", program.display()));
        }
    }
    Ok(())
}

/// Whether a program can be started with which tests of keys compare. If not, says so.
///
/// # Panics
///
/// If it cannot be started, and `EDGEC_REQUIRE_KEY_TOOLS` is set.
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

/// Makes a named pipe that only this user can open.
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
/// If `variable`, one of `EDGEC_REQUIRE_…`, is set.
pub fn skipped(variable: &str, why: &str) {
    assert!(std::env::var_os(variable).is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// Removes from a command everything that depends on the user who runs the tests.
pub fn isolate(command: &mut Command, folder: &Path) {
    for variable in [
        "CI",
        "EDGEC_CACHE_DEADLINE",
        "EDGEC_CACHE_KEY",
        "EDGEC_CACHE_NAMESPACE",
        "EDGEC_CACHE_PASSWORD",
        "EDGEC_CACHE_SCOPE",
        "EDGEC_CACHE_TRUST",
        "EDGEC_CACHE_URL",
        "EDGEC_CACHE_USER",
        "EDGEC_CACHE_WRITE",
        "EDGEC_KEY",
        "EDGEC_PASSPHRASE",
        "EDGEC_PKCS11_PIN",
        "EDGEC_STORE",
        "EDGEC_TRUST_STATE",
        "GITHUB_ACTIONS",
        "GITHUB_WORKSPACE",
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
    // Each build does all of its work. Tests of the cache name a folder.
    command.env("EDGEC_CACHE", "off");
}

/// A guest that is a `wasi:cli` program, with arguments and standard input.
pub struct CliGuest {
    /// The file's name in `guests/`.
    pub file: &'static str,
    /// The program's arguments.
    pub arguments: &'static [&'static str],
    /// Its standard input.
    pub stdin: &'static str,
}

/// Every guest that can run from a command line.
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
    // The program fails: its exit code is a part of the behaviour.
    CliGuest {
        file: "c-quickjs.wasm",
        arguments: &["throw new Error('on purpose')"],
        stdin: "",
    },
];
