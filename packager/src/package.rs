//! From image and manifest to a signed file.

use edgec_artifact::{
    Artifact, Envelope, Image, LayoutError, Manifest, Sha256Digest, Signature, Statement,
    StatementError, encode, verity,
};

use crate::SecretKey;

/// An image and the statement about it, which nobody has signed yet.
#[derive(Debug)]
pub struct UnsignedArtifact {
    image: Vec<u8>,
    payload: Vec<u8>,
}

/// An artifact with at least one signature: a whole `.cwasm` file.
#[derive(Debug)]
pub struct SignedArtifact {
    bytes: Vec<u8>,
}

/// Why there is no artifact.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The file is not an artifact, or the result would not be one.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The payload of an existing artifact is not a manifest.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The manifest describes another image than the one beside it.
    #[error("the image is not the one that its manifest describes")]
    OtherImage,
}

impl UnsignedArtifact {
    /// Puts an image and its manifest together; `manifest` gets the image's digests.
    pub fn new(image: Vec<u8>, manifest: impl FnOnce(Image) -> Manifest) -> Self {
        let manifest = manifest(describe(&image));
        Self {
            payload: Statement { manifest }.encode(),
            image,
        }
    }

    /// Takes a signed artifact apart, to sign it again. The signatures on it are given
    /// back unverified.
    ///
    /// # Errors
    ///
    /// [`PackageError`] when the file is not an artifact or contradicts itself: nobody
    /// should put their name to that.
    pub fn reopen(file: &[u8]) -> Result<(Self, Vec<Signature>), PackageError> {
        let artifact = Artifact::decode(file)?;
        let image = artifact.image();
        let envelope = artifact.envelope();
        let statement = Statement::decode(envelope.payload())?;
        if statement.manifest.image != describe(image) {
            return Err(PackageError::OtherImage);
        }
        let unsigned = Self {
            image: image.to_vec(),
            payload: envelope.payload().to_vec(),
        };
        Ok((unsigned, envelope.signatures().to_vec()))
    }

    /// The bytes that a signature covers.
    pub fn pae(&self) -> Vec<u8> {
        edgec_artifact::pae(edgec_artifact::PAYLOAD_TYPE, &self.payload)
    }

    /// Signs with `key`, beside the signatures in `kept`.
    ///
    /// # Errors
    ///
    /// [`PackageError::Layout`] when the artifact would be longer than a reader accepts.
    pub fn sign(
        self,
        key: &SecretKey,
        mut kept: Vec<Signature>,
    ) -> Result<SignedArtifact, PackageError> {
        let signature = key.sign(&self.pae());
        let key_id = key.public().id().to_string();
        // One signature a key: whatever stood under this key's id is replaced.
        kept.retain(|known| known.key_id() != key_id);
        kept.push(Signature::new(&key_id, signature));
        let envelope = Envelope::new(self.payload, kept);
        Ok(SignedArtifact {
            bytes: encode(&self.image, &envelope)?,
        })
    }
}

impl SignedArtifact {
    /// The whole file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn describe(image: &[u8]) -> Image {
    Image {
        length: image.len() as u64,
        sha256: Sha256Digest::of(image),
        fsverity: verity::digest(image),
    }
}
