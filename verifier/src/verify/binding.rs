//! From the signed manifest to the image.

use edgec_artifact::{Image, Manifest, Sha256Digest, verity};

use super::{Hashing, Measured};
use crate::check::CheckName;
use crate::checks::Checks;
use crate::consistency;
use crate::error::VerifyError;

/// What is known about an image's digests.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    Measured(Measured),
    /// Nothing yet. The image is the front of this file.
    ToHash(Hashing, &'a [u8]),
}

/// Checks that the image is the signed one, and is as its manifest describes it. Returns the
/// SHA-256 of the whole file, if it was computed.
pub(super) fn bind(
    image: &[u8],
    known: Known<'_>,
    manifest: &Manifest,
    checks: &mut Checks,
) -> Result<Option<Sha256Digest>, VerifyError> {
    let found = image.len() as u64;
    let signed = manifest.image.length;
    if found != signed {
        return Err(checks.failed(
            CheckName::Digest,
            VerifyError::ImageLength { found, signed },
        ));
    }
    // The fs-verity digest alone covers all bytes, and is what the kernel checks in a store.
    // SHA-256 is what other tools know the image by: where an artifact comes in, both must be its
    // own.
    let mut file_sha256 = None;
    let (found, sha256, how) = match known {
        Known::ToHash(Hashing::Both, file) => {
            let (image, whole) = Image::at_front_of(file, image.len());
            file_sha256 = Some(whole);
            (
                image.fsverity,
                Some(image.sha256),
                " and sha256, computed and signed",
            )
        }
        Known::ToHash(Hashing::FsVerity, _) => {
            let how = ", computed and signed; sha256 not computed";
            (verity::digest(image), None, how)
        }
        Known::Measured(Measured::Kernel(digest)) => {
            (digest, None, ", measured by the kernel and signed")
        }
        Known::Measured(Measured::Admitted(digest)) => {
            (digest, None, ", computed at admission and signed")
        }
    };
    let signed = manifest.image.fsverity;
    if found != signed {
        return Err(checks.failed(
            CheckName::Digest,
            VerifyError::ImageDigest { found, signed },
        ));
    }
    let signed = manifest.image.sha256;
    if let Some(found) = sha256.filter(|found| *found != signed) {
        return Err(checks.failed(
            CheckName::Digest,
            VerifyError::ImageSha256 { found, signed },
        ));
    }
    checks.passed(CheckName::Digest, format!("fs-verity {found}{how}"));
    consistency::check(image, manifest)
        .map_err(|error| checks.failed(CheckName::Image, error.into()))?;
    let target = &manifest.target;
    let features = match target.cpu_features.as_slice() {
        [] => "no CPU features beyond the base".to_owned(),
        features => format!("CPU features {}", features.join(", ")),
    };
    checks.passed(
        CheckName::Image,
        format!(
            "{} for {} ({}), {features}, wasmtime {}: image and manifest agree",
            manifest.kind.name(),
            target.id,
            target.triple,
            manifest.engine.major(),
        ),
    );
    Ok(file_sha256)
}
