//! Verifies images in files without a name. They never are in memory as a whole.

use std::fs::File;
use std::io;

use edgec_files::Unnamed;
use edgec_verifier::artifact::verity;
use edgec_verifier::{
    Expected, Manifest, Measured, Stored, TrustPolicy, UnixTime, VerifiedArtifact, VerifyError,
    verify_stored,
};

use super::stable::StableFile;

/// Verifies an image and its envelope at the time `now`, like [`verify`](edgec_verifier::verify),
/// except for the signed SHA-256: the caller has compared it while the file was written. The memory
/// does not depend on the length of the image, unless the policy demands an audit of its code.
///
/// # Errors
///
/// The system's error, if the file cannot be read; inside, why the artifact is not trusted.
pub fn verify_unnamed(
    image: &mut Unnamed,
    envelope: &[u8],
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
) -> io::Result<Result<Manifest, VerifyError>> {
    let length = image.length();
    let digest = verity::digest_of_stream(image.read()?)?;
    let file = File::open(image.path()?)?;
    // SAFETY: the file has no name, so no other program opens it. `path` has given it this length.
    // Only `image` writes to it, which this function has borrowed: it gives out neither the file
    // nor a clone of it, and `file` is open for reading only. No program is loaded from it, and
    // neither `stable` nor the view outlives the function.
    let stable = unsafe { StableFile::new(file, length) }?;
    // Only the tables of the image are read here, so only their pages come into memory.
    let view = stable.view()?;
    let stored = Stored::new(&view, envelope, Measured::Admitted(digest));
    let verified = verify_stored(&stored, policy, expected, now);
    Ok(verified.map(VerifiedArtifact::into_manifest))
}
