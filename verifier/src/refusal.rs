//! Errors of verification in broad terms. A host handles a wrong name and a wrong signature in
//! different ways.

use crate::error::VerifyError;

/// What is wrong with a refused artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The trust policy has expired, so nothing is known about the artifact. Fetch the newest
    /// policy.
    PolicyExpired,
    /// The file is damaged, or is not an artifact that this edgec reads. Fetch it again.
    Malformed,
    /// Too few trusted keys that count have signed it, or a signature is wrong. This may be an
    /// attack, or the policy lacks a key.
    Signature,
    /// It is signed, but the image is not the signed one, or differs from its manifest's
    /// description. This may be an attack.
    Image,
    /// It is genuine, but not the application or the channel that the caller expects
    /// ([`Expected`](crate::Expected)). Correct the name.
    Unexpected,
    /// It is genuine, but a rule of the trust policy refuses it. [`VerifyError::code`] says which.
    Policy,
}

impl VerifyError {
    /// The reason in broad terms. [`Self::code`] is more exact.
    ///
    /// Checks have an order: if this is [`Refusal::Unexpected`] or [`Refusal::Policy`], enough
    /// trusted keys have signed the manifest, and the image is the one that they signed.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::PolicyExpired { .. } => Refusal::PolicyExpired,
            Self::Layout(_) | Self::Statement(_) => Refusal::Malformed,
            Self::NoSignature
            | Self::BadSignature { .. }
            | Self::SameKeyTwice { .. }
            | Self::Threshold { .. } => Refusal::Signature,
            Self::ImageLength { .. }
            | Self::ImageDigest { .. }
            | Self::ImageSha256 { .. }
            | Self::Contradiction(_) => Refusal::Image,
            Self::OtherApplication { .. } | Self::OtherChannel { .. } => Refusal::Unexpected,
            Self::Application { .. }
            | Self::Channel { .. }
            | Self::Target { .. }
            | Self::Rollback { .. }
            | Self::RevokedDigest { .. }
            | Self::CompilerVersion { .. }
            | Self::CompilerUnknown { .. }
            | Self::CompilerDenied { .. }
            | Self::BuilderVersion { .. }
            | Self::BuilderUnknown { .. }
            | Self::Advisory { .. }
            | Self::Profile { .. }
            | Self::Import { .. }
            | Self::NotYetValid { .. }
            | Self::Expired { .. }
            | Self::NoExpiry
            | Self::Audit { .. }
            | Self::NotAudited { .. }
            | Self::Provenance(_)
            | Self::Release(_)
            | Self::Notary(_)
            | Self::Log(_) => Refusal::Policy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text and the code are the same. Only the origin of the expected name differs.
    #[test]
    fn a_name_that_was_asked_for_is_not_one_that_a_policy_allows() {
        let found = || "shop".to_owned();
        let asked = VerifyError::OtherApplication {
            found: found(),
            wanted: "blog".to_owned(),
        };
        let allowed = VerifyError::Application {
            found: found(),
            wanted: "`blog`".to_owned(),
        };
        assert_eq!(asked.to_string(), allowed.to_string());
        assert_eq!(asked.code(), allowed.code());
        assert_eq!(asked.refusal(), Refusal::Unexpected);
        assert_eq!(allowed.refusal(), Refusal::Policy);

        let asked = VerifyError::OtherChannel {
            found: String::new(),
            wanted: "stable".to_owned(),
        };
        let allowed = VerifyError::Channel {
            found: String::new(),
            wanted: "`stable`".to_owned(),
        };
        assert_eq!(asked.to_string(), allowed.to_string());
        assert_eq!(asked.code(), allowed.code());
        assert_eq!(VerifyError::NoSignature.refusal(), Refusal::Signature);
    }
}
