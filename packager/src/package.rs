//! From image and manifest to a signed file.

use edgec_artifact::{
    Artifact, BadSignature, Envelope, Image, KeyId, LayoutError, Manifest, PublicKey, Signature,
    Statement, StatementError, append_envelope,
};

use crate::made_signature::MadeSignature;

/// An image and the statement about it, without a signature.
#[derive(Debug)]
pub struct UnsignedArtifact {
    image: Vec<u8>,
    payload: Vec<u8>,
}

/// A whole `.cwasm` file, with a signature that was verified when it was added.
#[derive(Debug)]
pub struct SignedArtifact {
    bytes: Vec<u8>,
}

/// Why an artifact cannot be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The file is not an artifact, or the result would not be one.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The payload of an existing artifact is not a manifest.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The manifest describes another image.
    #[error("the image is not the one that its manifest describes")]
    OtherImage,
    /// Another key made the signature, or it covers other bytes.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
    /// A signer has several keys, and one of them has not signed.
    #[error("the signer has not signed with its key {key_id}")]
    NotSigned {
        /// The key.
        key_id: KeyId,
    },
    /// There is no signature under this key id.
    #[error("there is no signature under the key id {key_id}")]
    NoSuchSignature {
        /// The id that was asked for.
        key_id: String,
    },
    /// Without its last signature, an artifact is useless.
    #[error(
        "all signatures are under the key id {key_id}: without them, the artifact has no signature"
    )]
    LastSignature {
        /// The id whose signatures should be removed.
        key_id: String,
    },
}

impl UnsignedArtifact {
    /// Puts an image and its manifest together. `manifest` makes the manifest from the image's
    /// digests.
    pub fn new(image: Vec<u8>, manifest: impl FnOnce(Image) -> Manifest) -> Self {
        let manifest = manifest(Image::of(&image));
        Self {
            payload: Statement { manifest }.encode(),
            image,
        }
    }

    /// Takes a signed artifact apart, to sign it again. The returned signatures are not verified.
    ///
    /// # Errors
    ///
    /// [`PackageError`] if the file is not an artifact or contradicts itself. Such a file must not
    /// be signed.
    pub fn reopen(file: &[u8]) -> Result<(Self, Vec<Signature>), PackageError> {
        let artifact = Artifact::decode(file)?;
        let image = artifact.image();
        let envelope = artifact.envelope();
        let statement = Statement::decode(envelope.payload())?;
        if statement.manifest.image != Image::of(image) {
            return Err(PackageError::OtherImage);
        }
        let unsigned = Self {
            image: image.to_vec(),
            payload: envelope.payload().to_vec(),
        };
        Ok((unsigned, envelope.signatures().to_vec()))
    }

    /// The image.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// The statements about the image.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if the payload is not a manifest. That cannot happen: it was encoded or
    /// checked here.
    pub fn manifest(&self) -> Result<Manifest, StatementError> {
        Ok(Statement::decode(&self.payload)?.manifest)
    }

    /// The file without any signature. Every verifier refuses it, and [`Self::reopen`] reads it, so
    /// that it can be signed later.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if the file would be longer than a reader accepts.
    pub fn leave_unsigned(self) -> Result<Vec<u8>, LayoutError> {
        let envelope = Envelope::new(self.payload, Vec::new());
        append_envelope(self.image, &envelope)
    }

    /// The bytes that a signature covers.
    pub fn pae(&self) -> Vec<u8> {
        edgec_artifact::pae(edgec_artifact::PAYLOAD_TYPE, &self.payload)
    }

    /// Adds the signature of `signer` over [`Self::pae`] to the signatures in `kept`.
    ///
    /// # Errors
    ///
    /// [`PackageError::BadSignature`] if it is not `signer`'s signature over these bytes. The check
    /// is as strict as a verifier's. [`PackageError::Layout`] if the artifact would be longer than
    /// a reader accepts.
    pub fn attach(
        self,
        signer: &PublicKey,
        signature: Vec<u8>,
        kept: Vec<Signature>,
    ) -> Result<SignedArtifact, PackageError> {
        self.attach_all(vec![MadeSignature::new(signer.clone(), signature)], kept)
    }

    /// As [`Self::attach`], for each of these signatures; there must be one at least.
    pub(crate) fn attach_all(
        self,
        made: Vec<MadeSignature>,
        kept: Vec<Signature>,
    ) -> Result<SignedArtifact, PackageError> {
        let mut envelope = Envelope::new(self.payload, kept);
        for MadeSignature { by, bytes } in made {
            envelope.attach(&by, bytes)?;
        }
        Ok(SignedArtifact {
            bytes: append_envelope(self.image, &envelope)?,
        })
    }
}

/// Returns the artifact `file` without the signatures under `key_id`. The remaining signatures are
/// not verified, so the result is not a [`SignedArtifact`].
///
/// # Errors
///
/// [`PackageError`] if the file is not an artifact or contradicts itself, if there is no such
/// signature, and if there is no other.
pub fn remove_signatures(file: &[u8], key_id: &str) -> Result<Vec<u8>, PackageError> {
    let (UnsignedArtifact { image, payload }, mut signatures) = UnsignedArtifact::reopen(file)?;
    let before = signatures.len();
    signatures.retain(|signature| signature.key_id() != key_id);
    let key_id = key_id.to_owned();
    if signatures.len() == before {
        return Err(PackageError::NoSuchSignature { key_id });
    }
    if signatures.is_empty() {
        return Err(PackageError::LastSignature { key_id });
    }
    let envelope = Envelope::new(payload, signatures);
    Ok(append_envelope(image, &envelope)?)
}

impl SignedArtifact {
    /// The whole file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole file, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
