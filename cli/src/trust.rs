//! What a command trusts and expects: `--key`, `--trust` and what belongs to them.

use std::path::{Path, PathBuf};

use edgec_artifact::{Artifact, Statement};
use edgec_verifier::{
    Expected, GuardError, Manifest, PolicyFileError, PolicyStateError, PublicKey, Seen,
    TrustPolicy, TrustedKey, read_guarded, verify,
};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain_file};
use crate::{files, keys, render, time};

/// The variable that names the file of the newest policy seen.
pub(crate) const STATE_VARIABLE: &str = "EDGEC_TRUST_STATE";

/// Whose signatures count, and what an artifact must be.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArguments {
    /// A public key whose signature is required: a file, `-`, or `env:NAME`; if repeated, all are
    /// required
    #[arg(long, value_name = "PUBLIC_KEY", conflicts_with = "trust")]
    key: Vec<PathBuf>,
    /// A trust policy (TOML, docs/policy.md): keys, thresholds, and limits on artifacts
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A public key that must have signed the policy; if repeated, all must have signed
    #[arg(
        long,
        value_name = "PUBLIC_KEY",
        requires = "trust",
        conflicts_with = "key"
    )]
    root: Vec<PathBuf>,
    /// The file that remembers the newest policy seen, so that older ones are refused [env:
    /// EDGEC_TRUST_STATE]
    #[arg(long, value_name = "FILE", requires = "trust", conflicts_with = "key")]
    trust_state: Option<PathBuf>,
    /// The expected application; any other is refused
    #[arg(long)]
    name: Option<String>,
    /// The expected release channel
    #[arg(long)]
    channel: Option<String>,
}

/// A policy, and what reports say of it.
pub(crate) struct Trust {
    pub(crate) policy: TrustPolicy,
    pub(crate) expected: Expected,
    pub(crate) report: PolicyReport,
}

/// Which policy judged.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    sha256: String,
    threshold: usize,
    signed_by: Vec<String>,
    /// What it was compared with; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    compared_with: Option<Seen>,
    /// What was required, in a sentence, if the user gave keys instead of a policy.
    #[serde(skip)]
    without: Option<String>,
}

impl PolicyReport {
    fn new(policy: &TrustPolicy, compared_with: Option<Seen>, without: Option<String>) -> Self {
        Self {
            name: policy.name().map(str::to_owned),
            version: policy.version(),
            sha256: policy.digest().to_string(),
            threshold: policy.threshold(),
            signed_by: policy.signed_by().iter().map(ToString::to_string).collect(),
            compared_with,
            without,
        }
    }

    /// What was required, in a sentence, if the user gave keys instead of a policy.
    pub(crate) fn without(&self) -> Option<&str> {
        self.without.as_deref()
    }

    /// In one line.
    pub(crate) fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(name) = &self.name {
            parts.push(format!("`{}`", render::safe(name)));
        }
        if let Some(version) = self.version {
            parts.push(format!("version {version}"));
        }
        parts.push(format!("sha256 {}", self.sha256));
        if !self.signed_by.is_empty() {
            parts.push(format!("signed by {}", self.signed_by.join(", ")));
        }
        parts.push(match self.compared_with {
            Some(Seen::First) => "the first seen here".to_owned(),
            Some(Seen::Newest) => "none newer was seen here".to_owned(),
            None => "not compared with earlier ones".to_owned(),
        });
        parts.join(", ")
    }
}

impl TrustArguments {
    /// The files of `--key`, where `-` is standard input.
    pub(crate) fn keys(&self) -> &[PathBuf] {
        &self.key
    }

    pub(crate) fn resolve(&self) -> Result<Trust, Failure> {
        files::refuse_stdin_twice(&self.key)?;
        if self.key.is_empty() && self.trust.is_none() {
            return Err(
                Failure::usage("no-trust", "nothing says whose signatures count").hint(
                    "name a public key with --key, or a trust policy with --trust (docs/trust.md)",
                ),
            );
        }
        let (policy, compared) = match &self.trust {
            Some(path) => self.policy_file(path)?,
            None => {
                let keys: Result<Vec<TrustedKey>, Failure> =
                    self.key.iter().map(|path| trusted_key(path)).collect();
                let keys = keys?;
                let threshold = keys.len();
                let policy = TrustPolicy::new(keys, threshold)
                    .map_err(|error| Failure::rejected("trust-policy", &error))?;
                (policy, None)
            }
        };
        let mut expected = match &self.name {
            Some(name) => Expected::application(name),
            None => Expected::anything(),
        };
        if let Some(channel) = &self.channel {
            expected = expected.in_channel(channel);
        }
        Ok(Trust {
            report: PolicyReport::new(&policy, compared, self.without_policy()),
            policy,
            expected,
        })
    }

    /// What is required, in a sentence, if no policy was given.
    fn without_policy(&self) -> Option<String> {
        if self.trust.is_some() {
            return None;
        }
        let mut required = match self.key.len() {
            1 => "the signature".to_owned(),
            keys => format!("{keys} signatures"),
        };
        let more = [(&self.name, "the name"), (&self.channel, "the channel")];
        for (_, what) in more.iter().filter(|(asked, _)| asked.is_some()) {
            required.push_str(" and ");
            required.push_str(what);
        }
        let were = match required == "the signature" {
            true => "was",
            false => "were",
        };
        Some(format!("no policy given: only {required} {were} required"))
    }

    /// The policy in a file, and whether it was compared with the newest one seen.
    fn policy_file(&self, path: &Path) -> Result<(TrustPolicy, Option<Seen>), Failure> {
        let policy = read_policy(path, &self.root)?;
        let from_environment = std::env::var_os(STATE_VARIABLE);
        // Not as if it were not set: then an older policy would be followed without a word.
        if self.trust_state.is_none() && from_environment.as_ref().is_some_and(|it| it.is_empty()) {
            let message = format!("{STATE_VARIABLE} is empty");
            let hint = "it names the file that remembers the newest policy; remove the variable \
                        if no file should";
            return Err(Failure::usage("trust-state", message).hint(hint));
        }
        let state = self.trust_state.clone();
        let Some(state) = state.or(from_environment.map(PathBuf::from)) else {
            return Ok((policy, None));
        };
        let seen = edgec_verifier::remember(&state, &policy).map_err(|error| {
            let exit = match error {
                PolicyStateError::Io(_) | PolicyStateError::Guard(GuardError::Io(_)) => {
                    Exit::Environment
                }
                _ => Exit::Rejected,
            };
            // Nothing was, if there is no such file.
            let seen = format!("what was seen is in {}", state.display());
            let seen = Some(seen).filter(|_| state.symlink_metadata().is_ok());
            let failure = Failure::new(exit, error.code(), crate::failure::chain(&error));
            let failure = failure.about(path.display());
            let hints: Vec<String> = state_remedy(&error).into_iter().chain(seen).collect();
            match hints.is_empty() {
                true => failure,
                false => failure.hint(hints.join("\n")),
            }
        })?;
        Ok((policy, Some(seen)))
    }
}

/// What to do if the newest policy seen cannot be remembered.
fn state_remedy(error: &PolicyStateError) -> Option<String> {
    match error {
        PolicyStateError::NoVersion => Some(
            "give the policy a `name` and a `version` (docs/policy.md), or name no file that \
             remembers the newest one"
                .to_owned(),
        ),
        PolicyStateError::Io(error) => files::remedy(error.kind()).map(str::to_owned),
        PolicyStateError::Guard(GuardError::Way(error)) => Some(files::remedy_of_way(error)),
        PolicyStateError::Beside { path, source } => Some(match source {
            GuardError::Readable { .. } => format!("chmod 600 {}", path.display()),
            _ => format!(
                "another user may have put it there: look at it, and remove {}",
                path.display()
            ),
        }),
        _ => None,
    }
}

/// Reads a policy, signed by every one of `roots`, or unsigned if there is none.
pub(crate) fn read_policy(path: &Path, roots: &[PathBuf]) -> Result<TrustPolicy, Failure> {
    let roots: Result<Vec<PublicKey>, Failure> = roots
        .iter()
        .map(|path| {
            let bytes = read_guarded(path)
                .map_err(|error| guard_failure(&error, path, Wanted::PublicKey))?;
            let (key, _) = keys::public_in(path, &bytes)?;
            Ok(key)
        })
        .collect();
    TrustPolicy::read(path, &roots?, time::now()?).map_err(|error| {
        let failure = Failure::rejected(error.code(), &error).about(path.display());
        match error {
            PolicyFileError::Guard(error) => guard_failure(&error, path, Wanted::Policy),
            PolicyFileError::NotText { .. }
            | PolicyFileError::Policy(_)
            | PolicyFileError::Envelope(_) => explain_file(failure, path, Wanted::Policy),
            PolicyFileError::NoRoot => failure.hint("name the root's public key with --root"),
            PolicyFileError::Unsigned => {
                let failure = failure.hint("sign it with `edgec policy sign`");
                explain_file(failure, path, Wanted::Policy)
            }
            PolicyFileError::Expired { .. } => failure.hint("fetch the policy's newest edition"),
            _ => failure,
        }
    })
}

/// The failure of a file that decides what a host trusts, and that another user may have written.
fn guard_failure(error: &GuardError, path: &Path, wanted: Wanted) -> Failure {
    let is_stdin = path.as_os_str() == files::STDIN && path.symlink_metadata().is_err();
    let failure = match error {
        GuardError::Io(_) if is_stdin => {
            Failure::rejected(GuardError::NotAFile.code(), &GuardError::NotAFile)
        }
        GuardError::Io(error) => return files::cannot("read", path, error),
        // Such as a shell's `<(…)`, which is a link to a pipe.
        GuardError::SymbolicLink if leads_to_no_file(path) => {
            Failure::rejected(error.code(), &GuardError::NotAFile)
        }
        error => Failure::rejected(error.code(), error),
    };
    let failure = failure.about(path.display());
    let no_file = "write it to a file of your own first: of a pipe it is not known who writes it";
    match error {
        GuardError::Io(_) => failure.hint(no_file),
        GuardError::SymbolicLink if leads_to_no_file(path) => failure.hint(no_file),
        GuardError::Writable { .. } => failure.hint(format!("chmod go-w {}", path.display())),
        GuardError::Owner { .. } => {
            failure.hint("the file must belong to you or to root: chown it, or copy it")
        }
        GuardError::SymbolicLink => failure.hint("name the file that it leads to"),
        GuardError::Way(error) => failure.hint(files::remedy_of_way(error)),
        GuardError::NotAFile if path.is_dir() => failure.hint(files::NAME_THE_FILES),
        GuardError::NotAFile => failure.hint(no_file),
        GuardError::TooLong => explain_file(failure, path, wanted),
        _ => failure,
    }
}

/// Whether something is there, through links, and is neither a file nor a folder.
fn leads_to_no_file(path: &Path) -> bool {
    let there = path.metadata();
    there.is_ok_and(|there| !there.is_file() && !there.is_dir())
}

fn trusted_key(path: &Path) -> Result<TrustedKey, Failure> {
    Ok(TrustedKey {
        name: path.display().to_string(),
        key: keys::read_public(path)?.0,
    })
}

/// Verifies what was just signed as a host would, at a time at which it is meant to be valid.
pub(crate) fn self_check(file: &[u8], key: &PublicKey) -> Result<Manifest, Failure> {
    let check = || -> Result<Manifest, Box<dyn std::error::Error>> {
        let artifact = Artifact::decode(file)?;
        let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
        let at = manifest.validity.and_then(|validity| validity.not_before);
        let trusted = TrustedKey {
            name: "signer".to_owned(),
            key: *key,
        };
        let policy = TrustPolicy::new(vec![trusted], 1)?;
        let verified = verify(file, &policy, &Expected::anything(), at.unwrap_or(0))?;
        Ok(verified.into_manifest())
    };
    check().map_err(|error| {
        Failure::rejected("self-check", &*error)
            .hint("edgec would not accept its own artifact, so nothing was written")
    })
}
