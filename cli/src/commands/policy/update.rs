//! `edgec policy update`: follows the chain from the policy that a host has to the newest that it
//! is offered.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_verifier::{
    PolicyChain, PolicyStateError, TrustPolicy, UnixTime, follow_chain, read_guarded, remember,
    remember_time,
};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::Failure;
use crate::failures::verifier::{chain_failure, guard_failure, policy_failure, state_failure};
use crate::file_kind::Wanted;
use crate::render::{self, Format};
use crate::trust::{read_roots, state_file};
use crate::{files, signals, time};

/// Replace a host's policy by the newest of those offered, whose root keys form a chain
///
/// Each policy must be signed by as many root keys as the one before it demands, and by as many of
/// its own. So root keys can change. Only the newest policy must not have expired. Exit codes: 0
/// the file is the newest; 1 an offered policy does not follow; 2 usage; 3 a file cannot be read or
/// written.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The host's policy, which is replaced
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// Signed policies in any order: all editions from the host's own to the newest
    #[arg(required = true, value_name = "OFFERED")]
    offered: Vec<PathBuf>,
    /// A public key that must have signed the host's policy; if repeated, all must have signed
    #[arg(long, value_name = "PUBLIC_KEY")]
    root: Vec<PathBuf>,
    /// The file that remembers the newest policy seen [env: EDGEC_TRUST_STATE]
    #[arg(long, value_name = "FILE")]
    trust_state: Option<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// The versions that were followed, in order.
    followed: Vec<u64>,
    /// The offered files that are no newer editions of the policy.
    ignored: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let path = &arguments.policy;
    let known = read_guarded(path).map_err(|error| guard_failure(&error, path, Wanted::Policy))?;
    let roots = read_roots(&arguments.root)?;
    // The host's own policy may have expired.
    let known = TrustPolicy::decode(&known, &roots, UnixTime::EPOCH)
        .map_err(|error| policy_failure(&error, path))?;
    let offered: Result<Vec<Vec<u8>>, Failure> = arguments
        .offered
        .iter()
        .map(|path| files::read_short(path))
        .collect();
    let offered = offered?;
    let now = time::now()?;
    let chain = follow_chain(known, &offered, now)
        .map_err(|error| chain_failure(&error, &arguments.offered))?;
    let PolicyChain {
        policy,
        newest,
        followed,
        ignored,
        ..
    } = chain;
    let staged = match newest.and_then(|newest| offered.get(newest)) {
        Some(bytes) => {
            files::refuse_other(path, Wanted::SignedPolicy)?;
            Some(files::stage(path, bytes, Wanted::SignedPolicy)?)
        }
        None => None,
    };
    // What the state refuses does not replace the file.
    if let Some(state) = &state_file(arguments.trust_state.as_ref())? {
        let refused = |error: &PolicyStateError| state_failure(error, state).about(path.display());
        for step in followed.iter().chain([&policy]) {
            match remember(state, step) {
                // The file may know a later step already. The last one decides.
                Err(PolicyStateError::Older { .. }) if step.version() != policy.version() => {}
                remembered => {
                    remembered.map_err(|error| refused(&error))?;
                }
            }
        }
        // A clock that was set back would make a policy valid that has expired.
        remember_time(state, &policy, now, []).map_err(|error| refused(&error))?;
    }
    if let Some(staged) = staged {
        signals::uninterrupted(|| staged.commit())?;
    }
    let ignored = ignored
        .iter()
        .filter_map(|index| arguments.offered.get(*index));
    let report = Report {
        policy: render::path(path),
        version: policy.version(),
        followed: followed.iter().filter_map(TrustPolicy::version).collect(),
        ignored: ignored.map(|path| render::path(path)).collect(),
    };
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn text(&self) -> String {
        let version = self.version.unwrap_or_default();
        let mut text = match self.followed.as_slice() {
            [] => format!("{}: version {version} is the newest already\n", self.policy),
            steps => {
                let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
                format!(
                    "{}: now version {version}, by {}\n",
                    self.policy,
                    steps.join(", ")
                )
            }
        };
        for ignored in &self.ignored {
            text.push_str(&format!("  {ignored} is no newer edition of it\n"));
        }
        text
    }
}
