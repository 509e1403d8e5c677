//! The attack corpus: mutations of real signed artifacts, each with the error that it must cause.
//! The rows are those of `docs/threat-model.md`.

pub mod bombs;
mod container;
pub mod debug_file;
mod envelope;
mod forge;
mod image;
mod material;
mod meaning;

use std::path::Path;

pub use forge::{Forge, sealed_by, wrap};
pub use material::{GREETING, Material, material};

use crate::Sandbox;

/// One attack: a file, what the host trusts, and the expected result.
pub struct Case {
    /// The row of the threat model.
    pub row: u8,
    /// The change to the file.
    pub name: &'static str,
    /// The file.
    pub file: Vec<u8>,
    /// What the host trusts.
    pub trust: Trust,
    /// The error's code in `verify`. `None` if only a load can find the attack.
    pub verify: Option<&'static str>,
    /// The error's code in `run`.
    pub run: &'static str,
    /// A part of the message.
    pub says: &'static str,
}

/// What the host in a case trusts.
#[derive(Clone)]
pub enum Trust {
    /// The signer.
    Signer,
    /// The signer and another; both must have signed.
    Both,
    /// The policy in this text.
    Policy(String),
}

impl Case {
    /// An attack on the signer's own artifact, which every verb refuses with `code`.
    pub fn new(row: u8, name: &'static str, file: Vec<u8>, code: &'static str) -> Self {
        Self {
            row,
            name,
            file,
            trust: Trust::Signer,
            verify: Some(code),
            run: code,
            says: "",
        }
    }

    /// The same for a host that trusts something else.
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// The same with a message that contains this text.
    pub fn saying(mut self, text: &'static str) -> Self {
        self.says = text;
        self
    }

    /// The same for an artifact that is genuine, so that it verifies but does not load.
    pub fn on_load(mut self) -> Self {
        self.verify = None;
        self
    }

    /// Gives the file to the real binary and asserts everything that a refusal promises.
    ///
    /// # Panics
    ///
    /// If an assertion fails.
    pub fn check(&self) {
        let host = Host::new(&self.trust);
        host.sandbox.write("attack.cwasm", &self.file);
        let before = host.sandbox.files();
        if let Some(code) = self.verify {
            host.refuses("verify", Path::new("attack.cwasm"), code, self);
        } else {
            host.sandbox.ok(&host.arguments("verify", "attack.cwasm"));
        }
        host.refuses("run", Path::new("attack.cwasm"), self.run, self);
        assert_eq!(host.sandbox.files(), before, "{}", self.title());
        assert_eq!(host.sandbox.read("attack.cwasm"), self.file);
    }

    /// The row and the name.
    pub fn title(&self) -> String {
        format!("row {}, {}", self.row, self.name)
    }
}

/// A machine that trusts a key.
pub struct Host {
    /// Its files.
    pub sandbox: Sandbox,
    trust: Vec<&'static str>,
}

impl Host {
    /// A host with the public keys and the policy for `trust`.
    pub fn new(trust: &Trust) -> Self {
        let sandbox = Sandbox::empty();
        let material = material();
        sandbox.write("key.pub.pem", material.signer.public().to_pem());
        sandbox.write("other.pub.pem", material.other.public().to_pem());
        let trust = match trust {
            Trust::Signer => vec!["--key", "key.pub.pem"],
            Trust::Both => vec!["--key", "key.pub.pem", "--key", "other.pub.pem"],
            Trust::Policy(text) => {
                write_policy(&sandbox, text);
                vec!["--trust", "edgec-trust.toml"]
            }
        };
        Self { sandbox, trust }
    }

    /// The command line of a verb with an artifact.
    pub fn arguments<'a>(&self, verb: &'a str, artifact: &'a str) -> Vec<&'a str> {
        let mut arguments = vec![verb];
        arguments.extend(&self.trust);
        arguments.push(artifact);
        arguments
    }

    fn refuses(&self, verb: &str, artifact: &Path, code: &str, case: &Case) {
        let artifact = artifact.to_str().unwrap();
        let stderr = refused(&self.sandbox, &self.arguments(verb, artifact), code);
        let title = case.title();
        assert!(stderr.contains(case.says), "{title}: {stderr}");
        assert!(!stderr.contains('\u{1b}'), "{title}: {stderr:?}");
    }
}

/// Writes the policy of a host, with the mode that it needs.
pub fn write_policy(sandbox: &Sandbox, text: &str) {
    let path = sandbox.write("edgec-trust.toml", text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// The binary exits with 1 and one error with this code, prints nothing on standard output (neither
/// "verified" nor the program's output) and changes no files. Returns its standard error.
///
/// # Panics
///
/// If it does not.
pub fn refused(sandbox: &Sandbox, arguments: &[&str], code: &str) -> String {
    fails(sandbox, 1, arguments, code)
}

/// Like [`refused`], with another exit code.
///
/// # Panics
///
/// If it does not.
pub fn fails(sandbox: &Sandbox, exit: i32, arguments: &[&str], code: &str) -> String {
    let before = sandbox.files();
    let output = sandbox.run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{arguments:?}: {stderr}{stdout}");
    assert_eq!(
        output.status.code(),
        Some(exit),
        "{code} expected of {text}"
    );
    assert!(
        stderr.starts_with(&format!("error[{code}]: ")),
        "{code} expected of {text}"
    );
    assert!(!stdout.contains("verified"), "{text}");
    assert!(!stdout.contains(GREETING.trim()), "{text}");
    assert_eq!(sandbox.files(), before, "{text}");
    stderr
}

/// Every attack that needs only a file: rows 1 to 4, 6 to 18, 20 to 22, 24 and 25 (with 5 among the
/// keys and signatures).
pub fn cases() -> Vec<Case> {
    let material = material();
    let forge = Forge::of(material);
    let mut cases = envelope::cases(&forge, material);
    cases.extend(container::cases(&forge));
    cases.extend(image::cases(&forge));
    cases.extend(meaning::cases(&forge, material));
    cases
}
