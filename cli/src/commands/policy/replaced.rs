//! The signed policy that `edgec policy sign` replaces: which files it refuses to replace, and
//! which signatures are lost with the old file.

use std::path::Path;

use edgec_artifact::Envelope;
use edgec_verifier::{TrustPolicy, policy_envelope};

use crate::failure::{Exit, Failure};
use crate::files;
use crate::render::safe;

/// An older version of the policy, or the same one.
pub(super) struct Replaced {
    pub(super) envelope: Envelope,
    version: Option<u64>,
}

impl Replaced {
    /// The key ids that have a signature here but not in `new`.
    pub(super) fn dropped(&self, new: &Envelope) -> Vec<String> {
        let ids = self.envelope.signatures().iter();
        let ids = ids.map(edgec_artifact::Signature::key_id);
        ids.filter(|id| !new.has_signature_by(id))
            .map(safe)
            .collect()
    }

    /// Warns if a policy with other bytes has the same version.
    pub(super) fn warn_of_same_version(&self, output: &Path, new: &TrustPolicy) {
        let Some(version) = self.version.filter(|_| self.version == new.version()) else {
            return;
        };
        let message = format!("the replaced policy also had version {version}, but other content");
        Failure::usage("same-version", message)
            .about(output.display())
            .hint("hosts that remember the other one refuse this one: raise `version`")
            .print_warning();
    }
}

/// The signed policy in the output file. Refuses to replace a policy of another name, or of a
/// higher version, which hosts may have seen.
pub(super) fn find(output: &Path, new: &TrustPolicy) -> Result<Option<Replaced>, Failure> {
    let there = output.symlink_metadata();
    if !there.is_ok_and(|there| there.is_file()) {
        return Ok(None);
    }
    let bytes = files::read_short(output)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let refused = |code: &'static str, message: String, hint: &str| {
        let failure = Failure::new(Exit::Rejected, code, message);
        Err(failure.about(output.display()).hint(hint))
    };
    let envelope = policy_envelope(&bytes).ok();
    let old = envelope.and_then(|envelope| {
        let policy = TrustPolicy::decode_source(envelope.payload()).ok()?;
        Some((envelope, policy))
    });
    let Some((envelope, old)) = old else {
        let message = "a signed policy that this edgec does not read is there";
        let hint = "name another file, or remove this one first";
        return refused("other-policy", message.to_owned(), hint);
    };
    if let Some(name) = old.name().filter(|name| new.name() != Some(*name)) {
        let other = match new.name() {
            Some(other) => format!("the policy `{other}`"),
            None => "a policy without a name".to_owned(),
        };
        let message = format!("the signed policy `{name}` is there, and this is {other}");
        let hint = "name another file, or remove this one first";
        return refused("other-policy", message, hint);
    }
    let newer = old.version().filter(|old| new.version() < Some(*old));
    if let Some(version) = newer {
        let other = match new.version() {
            Some(other) => format!("this is version {other}"),
            None => "this one states none".to_owned(),
        };
        let message = format!("version {version} of the signed policy is there, and {other}");
        let hint = "hosts that have seen that version follow no older one: raise `version`, name \
                    another file, or remove this one first";
        return refused("policy-rollback", message, hint);
    }
    Ok(Some(Replaced {
        version: old.version(),
        envelope,
    }))
}
