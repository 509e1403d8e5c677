//! Reading an artifact without asking who signed it.

use edgec_artifact::{Artifact, Manifest, Statement, verity};

use crate::consistency;
use crate::error::VerifyError;

/// An artifact whose signatures were not checked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unsigned<'a> {
    /// What the file says of itself.
    pub manifest: Manifest,
    /// The image, which is what the manifest says.
    pub image: &'a [u8],
}

/// What a file says of itself, and its image, when all that needs no key holds: layout, statement,
/// digest, and the image against its manifest. No signature is checked: for planning, never for
/// loading.
///
/// # Errors
///
/// [`VerifyError`] names the first thing that does not hold.
pub fn describe_unsigned(file: &[u8]) -> Result<Unsigned<'_>, VerifyError> {
    let artifact = Artifact::decode(file)?;
    let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
    let image = artifact.image();
    let (found, signed) = (image.len() as u64, manifest.image.length);
    if found != signed {
        return Err(VerifyError::ImageLength { found, signed });
    }
    let (found, signed) = (verity::digest(image), manifest.image.fsverity);
    if found != signed {
        return Err(VerifyError::ImageDigest { found, signed });
    }
    consistency::check(image, &manifest)?;
    Ok(Unsigned { manifest, image })
}
