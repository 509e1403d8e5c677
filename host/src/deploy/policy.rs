//! What decides which artifacts a host loads: a trust policy, which can change while it runs.

use std::time::Duration;

use edgec_loader::TrustPolicy;
use edgec_loader::store::{PolicyFile, PolicySource};
use edgec_loader::verifier::artifact::SignerKeys;
use edgec_loader::verifier::read_guarded;

use crate::HostError;
use crate::config::PolicyConfig;

/// For so long, one reading of the policy serves all applications.
const SHARED: Duration = Duration::from_millis(100);

/// What decides which artifacts a host loads.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) source: PolicySource,
    /// The policy at the start.
    pub(super) first: TrustPolicy,
}

impl Policy {
    /// A policy that stays the same.
    pub fn fixed(policy: TrustPolicy) -> Self {
        Self {
            source: policy.clone().into(),
            first: policy,
        }
    }

    /// The policy of a configuration. It is read again at each refresh.
    pub(crate) fn of(config: &PolicyConfig) -> Result<Self, HostError> {
        let mut roots = Vec::new();
        for path in &config.roots {
            let wrong = |source| {
                let path = path.clone();
                HostError::Root { path, source }
            };
            let text = read_guarded(path).map_err(|error| wrong(error.into()))?;
            let text = String::from_utf8(text).map_err(|error| wrong(error.into()))?;
            // A root with two keys must have signed with each.
            let keys = SignerKeys::from_pem(&text).map_err(|error| wrong(error.into()))?;
            roots.extend(keys.iter().cloned());
        }
        let file = PolicyFile::new(&config.file).signed_by(roots);
        let file = match &config.state {
            Some(state) => file.remembered_in(state),
            None => file,
        };
        let first = file.read().map_err(|source| HostError::Policy {
            path: config.file.clone(),
            state: config.state.clone(),
            source: Box::new(source),
        })?;
        // All applications of a refresh follow one reading.
        let source = PolicySource::from(file).at_most_every(SHARED);
        Ok(Self { source, first })
    }
}
