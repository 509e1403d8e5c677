//! Failures of signing.

use edgec_artifact::{BadSignature, LayoutError};
use edgec_packager::PackageError;

use crate::failure::Failure;

impl From<PackageError> for Failure {
    fn from(error: PackageError) -> Self {
        package_failure(&error)
    }
}

/// The signer did not sign the given bytes with the key that it should have.
pub(crate) fn bad_signature(error: &BadSignature) -> Failure {
    Failure::rejected("bad-signature", error)
        .hint("another key signed, or other bytes were signed; nothing was written")
}

/// Why an artifact was not signed.
pub(crate) fn package_failure(error: &PackageError) -> Failure {
    let (code, hint) = match error {
        PackageError::BadSignature(error) => return bad_signature(error),
        PackageError::NoSuchSignature { .. } => (
            "no-signature",
            "`edgec inspect` shows the key ids of the signatures",
        ),
        PackageError::LastSignature { .. } => (
            "last-signature",
            "sign with another key first: edgec sign --append",
        ),
        PackageError::Layout(LayoutError::TooLong { .. }) => (
            "package",
            "every reader has this limit: build the program's parts as artifacts of their own",
        ),
        PackageError::Layout(LayoutError::EnvelopeLength { .. }) => (
            "package",
            "every reader has this limit: `edgec sign --remove` removes signatures",
        ),
        _ => return Failure::rejected("package", error),
    };
    Failure::rejected(code, error).hint(hint)
}
