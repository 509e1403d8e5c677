//! Reads an artifact without checking its signatures.

use edgec_artifact::{Artifact, Image, Manifest, Statement};

use crate::consistency;
use crate::error::VerifyError;

/// An artifact whose signatures were not checked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unsigned<'a> {
    /// The file's statements about itself.
    pub manifest: Manifest,
    /// The image. It is as the manifest describes it.
    pub image: &'a [u8],
    /// The bytes of the statement that has the manifest. Signatures cover them.
    pub payload: Vec<u8>,
}

/// The manifest and the image of a file, after all checks that need no key: layout, statement,
/// digest, and the image against its manifest. No signature is checked: use this for planning, and
/// never for loading.
///
/// # Errors
///
/// [`VerifyError`] names the first check that fails.
pub fn describe_unsigned(file: &[u8]) -> Result<Unsigned<'_>, VerifyError> {
    let artifact = Artifact::decode(file)?;
    let payload = artifact.envelope().payload();
    let Statement { manifest } = Statement::decode(payload)?;
    let image = artifact.image();
    let (found, signed) = (image.len() as u64, manifest.image.length);
    if found != signed {
        return Err(VerifyError::ImageLength { found, signed });
    }
    let computed = Image::of(image);
    let (found, signed) = (computed.fsverity, manifest.image.fsverity);
    if found != signed {
        return Err(VerifyError::ImageDigest { found, signed });
    }
    let (found, signed) = (computed.sha256, manifest.image.sha256);
    if found != signed {
        return Err(VerifyError::ImageSha256 { found, signed });
    }
    consistency::check(image, &manifest)?;
    Ok(Unsigned {
        manifest,
        image,
        payload: payload.to_vec(),
    })
}
