//! What a command trusts and expects: `--key`, `--trust` and related options.

#[cfg(feature = "registry")]
mod followed;
mod report;

use std::path::{Path, PathBuf};

#[cfg(feature = "serve")]
use edgec_host::config::StatementFiles;
#[cfg(feature = "registry")]
use edgec_loader::store::PolicySource;
use edgec_verifier::{
    Expected, PublicKey, Seen, TrustPolicy, TrustedKey, UnixTime, VerifiedTimestamp, read_guarded,
    remember_time,
};

#[cfg(feature = "registry")]
pub(crate) use self::followed::followed;
pub(crate) use self::report::PolicyReport;
use crate::companion::{StatementArguments, issued};
use crate::failure::Failure;
use crate::failures::verifier::{guard_failure, policy_failure, state_failure};
use crate::file_kind::Wanted;
use crate::{files, keys, time};

/// The variable that names the file of the newest policy seen.
pub(crate) const STATE_VARIABLE: &str = "EDGEC_TRUST_STATE";

/// Whose signatures count.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PolicyArguments {
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
}

/// The application and channel that are wanted.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ExpectedArguments {
    /// The expected application; any other is refused
    #[arg(long)]
    name: Option<String>,
    /// The expected release channel
    #[arg(long)]
    channel: Option<String>,
}

/// Whose signatures on a release count, and what it must be about.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ReleaseTrustArguments {
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    expected: ExpectedArguments,
}

/// Whose signatures on an artifact count, and what it must be.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TrustArguments {
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    expected: ExpectedArguments,
    /// The provenance of the artifact, which is verified too (docs/provenance.md); repeatable, for
    /// several artifacts
    #[arg(long, value_name = "FILE")]
    provenance: Vec<PathBuf>,
    /// A proof that the transparency log of the policy has the artifact (C2SP tlog-proof), verified
    /// offline (docs/policy.md); repeatable, for several artifacts
    #[arg(long, value_name = "FILE", requires = "trust")]
    bundle: Vec<PathBuf>,
    /// The bill of materials of the artifact, which its provenance must list (docs/sbom.md);
    /// repeatable, for several artifacts
    #[arg(long, value_name = "FILE", requires = "provenance")]
    sbom: Vec<PathBuf>,
}

/// A policy, and what reports say about it.
pub(crate) struct Trust {
    pub(crate) policy: TrustPolicy,
    pub(crate) expected: Expected,
    pub(crate) report: PolicyReport,
}

impl PolicyArguments {
    /// The policy, and whether it was compared with the newest seen one.
    fn resolve(&self) -> Result<(TrustPolicy, Option<Seen>), Failure> {
        files::refuse_stdin_twice(&self.key)?;
        if let Some(path) = &self.trust {
            return self.policy_file(path);
        }
        if self.key.is_empty() {
            let failure = Failure::usage("no-trust", "nothing says whose signatures count");
            return Err(failure.hint(
                "name a public key with --key, or a trust policy with --trust (docs/trust.md)",
            ));
        }
        let keys: Result<Vec<TrustedKey>, Failure> =
            self.key.iter().map(|path| trusted_key(path)).collect();
        let keys = keys?;
        let threshold = keys.len();
        let policy = TrustPolicy::new(keys, threshold)
            .map_err(|error| Failure::rejected("trust-policy", &error))?;
        Ok((policy, None))
    }

    /// The policy in a file, and whether it was compared with the newest seen one.
    fn policy_file(&self, path: &Path) -> Result<(TrustPolicy, Option<Seen>), Failure> {
        let policy = read_policy(path, &self.root)?;
        let Some(state) = self.state()? else {
            return Ok((policy, None));
        };
        let seen = edgec_verifier::remember(&state, &policy)
            .map_err(|error| state_failure(&error, &state).about(path.display()))?;
        Ok((policy, Some(seen)))
    }

    /// Whose signatures count, for a verb that runs on: a policy in a file is read again each time.
    /// `None` if nothing is named.
    #[cfg(feature = "registry")]
    pub(crate) fn followed(&self) -> Result<Option<PolicySource>, Failure> {
        match &self.trust {
            Some(path) => {
                let state = self.state()?;
                followed(path, &self.root, state).map(Some)
            }
            None if self.key.is_empty() => Ok(None),
            None => Ok(Some(self.resolve()?.0.into())),
        }
    }

    /// Compares the clock with the floor in the file that remembers the newest policy, if one is
    /// named. The times at which accepted statements were issued raise the floor.
    fn remember_time(
        &self,
        policy: &TrustPolicy,
        issued: impl FnOnce(UnixTime) -> Vec<UnixTime>,
    ) -> Result<(), Failure> {
        if self.trust.is_none() {
            return Ok(());
        }
        let Some(state) = self.state()? else {
            return Ok(());
        };
        let now = time::now()?;
        remember_time(&state, policy, now, issued(now))
            .map_err(|error| state_failure(&error, &state))
    }

    /// The file that remembers the newest policy, if one is named.
    fn state(&self) -> Result<Option<PathBuf>, Failure> {
        state_file(self.trust_state.as_ref())
    }
}

impl ExpectedArguments {
    fn expected(&self) -> Expected {
        let expected = match &self.name {
            Some(name) => Expected::application(name),
            None => Expected::anything(),
        };
        match &self.channel {
            Some(channel) => expected.in_channel(channel),
            None => expected,
        }
    }
}

impl ReleaseTrustArguments {
    /// The policy, and the application and channel that are wanted.
    pub(crate) fn resolve(&self) -> Result<(TrustPolicy, Expected), Failure> {
        let (policy, _) = self.policy.resolve()?;
        self.policy.remember_time(&policy, |_| Vec::new())?;
        Ok((policy, self.expected.expected()))
    }

    /// Remembers when an accepted timestamp was issued, if a file for that is named.
    pub(crate) fn remember(
        &self,
        policy: &TrustPolicy,
        stamp: &VerifiedTimestamp,
    ) -> Result<(), Failure> {
        let issued = |_| vec![stamp.timestamp.issued];
        self.policy.remember_time(policy, issued)
    }
}

impl TrustArguments {
    /// The files of `--key`, where `-` is standard input.
    pub(crate) fn keys(&self) -> &[PathBuf] {
        &self.policy.key
    }

    /// What a notary demands of an artifact: none of the statements beside it.
    pub(crate) fn of_notary(
        policy: &Path,
        root: &[PathBuf],
        name: Option<&str>,
    ) -> Result<Trust, Failure> {
        let own = Self {
            policy: PolicyArguments {
                trust: Some(policy.to_owned()),
                root: root.to_vec(),
                ..PolicyArguments::default()
            },
            expected: ExpectedArguments {
                name: name.map(str::to_owned),
                channel: None,
            },
            ..Self::default()
        };
        let mut trust = own.resolve()?;
        trust.policy = trust.policy.before_publication().without_provenance();
        Ok(trust)
    }

    /// Adds the files of provenances, of proofs of a log, and of bills of materials.
    #[cfg(feature = "serve")]
    pub(crate) fn add_to(&self, files: &mut StatementFiles) {
        files.provenance.extend_from_slice(&self.provenance);
        files.bundle.extend_from_slice(&self.bundle);
        files.sbom.extend_from_slice(&self.sbom);
    }

    /// Whether any of the options is given.
    pub(crate) fn are_given(&self) -> bool {
        let Self {
            policy:
                PolicyArguments {
                    key,
                    trust,
                    root,
                    trust_state,
                },
            expected: ExpectedArguments { name, channel },
            provenance,
            bundle,
            sbom,
        } = self;
        let lists = [key, root, provenance, bundle, sbom]
            .iter()
            .any(|it| !it.is_empty());
        lists || trust.is_some() || trust_state.is_some() || name.is_some() || channel.is_some()
    }

    pub(crate) fn resolve(&self) -> Result<Trust, Failure> {
        self.resolve_with(&StatementArguments::default())
    }

    /// As [`Self::resolve`], with the statements that came with the artifacts.
    pub(crate) fn resolve_with(&self, given: &StatementArguments) -> Result<Trust, Failure> {
        let (policy, compared) = self.policy.resolve()?;
        let mut expected = self.expected.expected();
        for path in &self.provenance {
            expected = expected.with_provenance(files::read_attestation(path)?);
        }
        for path in &self.bundle {
            expected = expected.with_log_proof(files::read_short(path)?);
        }
        for path in &self.sbom {
            expected = expected.with_sbom(files::read_sbom(path)?);
        }
        expected = given.given(expected)?;
        let issued = |now| issued(&policy, &expected, now);
        self.policy.remember_time(&policy, issued)?;
        Ok(Trust {
            report: PolicyReport::new(&policy, compared, self.without_policy(given)),
            policy,
            expected,
        })
    }

    /// What is required, as a sentence, if no policy was given.
    fn without_policy(&self, given: &StatementArguments) -> Option<String> {
        if self.policy.trust.is_some() {
            return None;
        }
        let mut required = vec![match self.policy.key.len() {
            1 => "the signature".to_owned(),
            keys => format!("{keys} signatures"),
        }];
        let ExpectedArguments { name, channel } = &self.expected;
        let more = [
            (name.is_some(), "the name"),
            (channel.is_some(), "the channel"),
            (!self.provenance.is_empty(), "the provenance"),
            (!self.sbom.is_empty(), "the bill of materials"),
        ];
        let more = more
            .into_iter()
            .filter_map(|(is_asked, what)| is_asked.then_some(what));
        required.extend(more.chain(given.names()).map(str::to_owned));
        let were = match required.as_slice() {
            [_] if self.policy.key.len() == 1 => "was",
            _ => "were",
        };
        let required = required.join(" and ");
        Some(format!("no policy given: only {required} {were} required"))
    }

    /// The file of the policy and the keys that must have signed it. `None`: only keys were named.
    #[cfg(feature = "serve")]
    pub(crate) fn file(&self) -> Option<(&Path, &[PathBuf])> {
        let path = self.policy.trust.as_deref()?;
        Some((path, &self.policy.root))
    }

    /// Whose signatures count, for a verb that runs on. `None` if nothing is named.
    #[cfg(all(feature = "registry", feature = "serve"))]
    pub(crate) fn followed(&self) -> Result<Option<PolicySource>, Failure> {
        self.policy.followed()
    }

    /// The file that remembers the newest policy, if one is named. An empty variable is refused
    /// when the policy is resolved.
    #[cfg(feature = "serve")]
    pub(crate) fn state(&self) -> Option<PathBuf> {
        self.policy.state().ok().flatten()
    }

    /// Whether anything says whose signatures count.
    #[cfg(feature = "serve")]
    pub(crate) fn is_named(&self) -> bool {
        self.policy.trust.is_some() || !self.policy.key.is_empty()
    }
}

/// The file that remembers the newest policy: the named one, else that of the variable.
pub(crate) fn state_file(named: Option<&PathBuf>) -> Result<Option<PathBuf>, Failure> {
    if named.is_some() {
        return Ok(named.cloned());
    }
    match std::env::var_os(STATE_VARIABLE) {
        // An empty value is not the same as none: otherwise an older policy would be followed
        // without a warning.
        Some(empty) if empty.is_empty() => {
            let message = format!("{STATE_VARIABLE} is empty");
            let hint = "it names the file that remembers the newest policy; remove the variable \
                        if no file should";
            Err(Failure::usage("trust-state", message).hint(hint))
        }
        file => Ok(file.map(PathBuf::from)),
    }
}

/// Reads a policy. Every one of `roots` must have signed it. If there are no roots, it may be
/// unsigned.
pub(crate) fn read_policy(path: &Path, roots: &[PathBuf]) -> Result<TrustPolicy, Failure> {
    let roots = read_roots(roots)?;
    TrustPolicy::read(path, &roots, time::now()?).map_err(|error| policy_failure(&error, path))
}

/// Reads root keys. A root with two keys must have signed with each.
pub(crate) fn read_roots(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Failure> {
    let mut roots = Vec::new();
    for path in paths {
        let bytes =
            read_guarded(path).map_err(|error| guard_failure(&error, path, Wanted::PublicKey))?;
        let (keys, _) = keys::public_in(path, &bytes)?;
        roots.extend(keys.iter().cloned());
    }
    Ok(roots)
}

fn trusted_key(path: &Path) -> Result<TrustedKey, Failure> {
    let (key, _) = keys::read_public(path)?;
    Ok(TrustedKey::new(path.display().to_string(), key))
}
