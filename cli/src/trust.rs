//! Whom a command trusts, and what it expects: `--key`, `--trust` and what belongs to them.

use std::path::{Path, PathBuf};

use edgec_artifact::{Artifact, Statement};
use edgec_verifier::{Expected, PolicyFileError, PublicKey, TrustPolicy, TrustedKey, verify};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::{files, render, time};

/// The variable that names the file of the newest policy seen.
const STATE_VARIABLE: &str = "EDGEC_TRUST_STATE";

/// Whose signatures count, and what an artifact must be.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArguments {
    /// A public key (PEM) whose signature is required; repeat it and each is required
    #[arg(
        long,
        value_name = "PUBLIC_KEY",
        required_unless_present = "trust",
        conflicts_with = "trust"
    )]
    key: Vec<PathBuf>,
    /// A trust policy (TOML, docs/policy.md): keys, thresholds, and what artifacts may be
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A public key that must have signed the policy; repeat it and each must have
    #[arg(long, value_name = "PUBLIC_KEY", requires = "trust")]
    root: Vec<PathBuf>,
    /// Where the newest policy seen is remembered, so that no older one is followed
    /// [env: EDGEC_TRUST_STATE]
    #[arg(long, value_name = "FILE", requires = "trust")]
    trust_state: Option<PathBuf>,
    /// The application that is wanted; another one is refused
    #[arg(long)]
    name: Option<String>,
    /// The release channel that is wanted
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
    compared_with_newest_seen: bool,
}

impl PolicyReport {
    fn new(policy: &TrustPolicy, compared: bool) -> Self {
        Self {
            name: policy.name().map(str::to_owned),
            version: policy.version(),
            sha256: policy.digest().to_string(),
            threshold: policy.threshold(),
            signed_by: policy.signed_by().iter().map(ToString::to_string).collect(),
            compared_with_newest_seen: compared,
        }
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
        if self.version.is_some() {
            parts.push(match self.compared_with_newest_seen {
                true => "the newest seen here".to_owned(),
                false => "not compared with earlier ones".to_owned(),
            });
        }
        parts.join(", ")
    }
}

impl TrustArguments {
    pub(crate) fn resolve(&self) -> Result<Trust, Failure> {
        let (policy, compared) = match &self.trust {
            Some(path) => self.policy_file(path)?,
            None => {
                let keys: Result<Vec<TrustedKey>, Failure> =
                    self.key.iter().map(|path| trusted_key(path)).collect();
                let keys = keys?;
                let threshold = keys.len();
                let policy = TrustPolicy::new(keys, threshold)
                    .map_err(|error| Failure::rejected("trust-policy", &error))?;
                (policy, false)
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
            report: PolicyReport::new(&policy, compared),
            policy,
            expected,
        })
    }

    /// The policy in a file, and whether it was compared with the newest one seen.
    fn policy_file(&self, path: &Path) -> Result<(TrustPolicy, bool), Failure> {
        let policy = read_policy(path, &self.root)?;
        let from_environment = std::env::var_os(STATE_VARIABLE).filter(|name| !name.is_empty());
        let state = self.trust_state.clone();
        let Some(state) = state.or(from_environment.map(PathBuf::from)) else {
            return Ok((policy, false));
        };
        edgec_verifier::remember(&state, &policy).map_err(|error| {
            let exit = match error.code() {
                "io" => Exit::Environment,
                _ => Exit::Rejected,
            };
            Failure::new(exit, error.code(), crate::failure::chain(&error))
                .about(path.display())
                .hint(format!("what was seen is in {}", state.display()))
        })?;
        Ok((policy, true))
    }
}

/// Reads a policy, signed by every one of `roots`, or unsigned when there is none.
pub(crate) fn read_policy(path: &Path, roots: &[PathBuf]) -> Result<TrustPolicy, Failure> {
    let roots: Result<Vec<PublicKey>, Failure> =
        roots.iter().map(|path| public_key(path)).collect();
    TrustPolicy::read(path, &roots?, time::now()?).map_err(|error| {
        let failure = match &error {
            PolicyFileError::Io(error) => files::cannot("read", path, error),
            error => Failure::rejected(error.code(), error).about(path.display()),
        };
        match error {
            PolicyFileError::Unsafe { .. } => failure.hint(
                "a policy is a regular file of yours or root's that nobody else may write: \
                 chmod go-w, chown, or copy it",
            ),
            PolicyFileError::NoRoot => failure.hint("name the root's public key with --root"),
            PolicyFileError::Unsigned => failure.hint("sign it with `edgec policy sign`"),
            PolicyFileError::Expired { expires, .. } => {
                failure.hint(format!("it expired at {}", time::show(expires)))
            }
            _ => failure,
        }
    })
}

fn trusted_key(path: &Path) -> Result<TrustedKey, Failure> {
    Ok(TrustedKey {
        name: path.display().to_string(),
        key: public_key(path)?,
    })
}

fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let text = files::read_text(path)?;
    PublicKey::from_pem(&text).map_err(|error| {
        let failure = Failure::rejected("public-key", &error).about(path.display());
        if text.contains("PRIVATE KEY") {
            failure.hint(
                "this is a private key; whoever verifies needs the public one, \
                 which `edgec keygen` writes beside it",
            )
        } else {
            failure
        }
    })
}

/// Verifies what was just signed as a host would, at a time at which it is meant to be valid.
pub(crate) fn self_check(file: &[u8], key: &PublicKey) -> Result<(), Failure> {
    let check = || -> Result<(), Box<dyn std::error::Error>> {
        let artifact = Artifact::decode(file)?;
        let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
        let at = manifest.validity.and_then(|validity| validity.not_before);
        let trusted = TrustedKey {
            name: "signer".to_owned(),
            key: *key,
        };
        let policy = TrustPolicy::new(vec![trusted], 1)?;
        let expected = Expected::application(&manifest.name);
        verify(file, &policy, &expected, at.unwrap_or(0))?;
        Ok(())
    };
    check().map_err(|error| {
        Failure::rejected("self-check", &*error)
            .hint("edgec would not accept its own artifact, so nothing was written")
    })
}
