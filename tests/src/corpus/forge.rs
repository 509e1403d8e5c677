//! Changes a real artifact and signs it again, as a careless or compromised signer could; and makes
//! files that no signer would make.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use edgec_artifact::{Artifact, Image, Manifest, PAYLOAD_TYPE, Statement, pae};
use edgec_packager::{SecretKey, UnsignedArtifact};

use crate::corpus::Material;

/// An artifact in parts, and a key that its hosts trust.
pub struct Forge<'a> {
    /// The whole file.
    pub file: &'a [u8],
    /// Its image.
    pub image: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
    /// The signed payload.
    pub payload: Vec<u8>,
    /// The key.
    pub key: &'a SecretKey,
}

impl<'a> Forge<'a> {
    /// The example with its signer's key.
    pub fn of(material: &'a Material) -> Self {
        Self::new(&material.hello, &material.signer)
    }

    /// Splits an artifact into parts.
    pub fn new(file: &'a [u8], key: &'a SecretKey) -> Self {
        let artifact = Artifact::decode(file).unwrap();
        let payload = artifact.envelope().payload().to_vec();
        Self {
            file,
            image: artifact.image().to_vec(),
            manifest: Statement::decode(&payload).unwrap().manifest,
            payload,
            key,
        }
    }

    /// Signs an image and a manifest, even if they contradict each other.
    pub fn signed(&self, image: &[u8], manifest: impl FnOnce(Image) -> Manifest) -> Vec<u8> {
        let unsigned = UnsignedArtifact::new(image.to_vec(), manifest);
        let signature = self.key.sign(&unsigned.pae());
        let signed = unsigned.attach(&self.key.public(), signature, Vec::new());
        let signed = signed.unwrap();
        signed.as_bytes().to_vec()
    }

    /// The artifact with a changed image and a correct description of it.
    pub fn with_image(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut image = self.image.clone();
        change(&mut image);
        self.signed(&image, |image| self.manifest.clone().with_image(image))
    }

    /// The artifact with a changed manifest and the original image.
    pub fn with_manifest(&self, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
        self.signed(&self.image, |image| {
            let mut manifest = self.manifest.clone().with_image(image);
            change(&mut manifest);
            manifest
        })
    }

    /// The artifact with another payload, signed.
    pub fn with_payload(&self, payload: &[u8]) -> Vec<u8> {
        self.with_envelope(sealed_by(payload, &[self.key]))
    }

    /// The artifact with a change in the payload's text, signed.
    pub fn with_payload_text(&self, from: &str, to: &str) -> Vec<u8> {
        let text = String::from_utf8(self.payload.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        self.with_payload(text.replacen(from, to, 1).as_bytes())
    }

    /// The artifact with these signatures: key ids and bytes.
    pub fn with_signatures(&self, signatures: &[(&str, &[u8])]) -> Vec<u8> {
        self.with_envelope(wrap(PAYLOAD_TYPE, &self.payload, signatures))
    }

    /// The artifact with another envelope text, and a footer that fits.
    pub fn with_envelope(&self, envelope: impl AsRef<[u8]>) -> Vec<u8> {
        lay_out(&self.image, envelope.as_ref())
    }

    /// The envelope's text.
    pub fn envelope(&self) -> String {
        let at = self.image.len().next_multiple_of(8);
        String::from_utf8(self.file[at..self.file.len() - 40].to_vec()).unwrap()
    }

    /// The artifact with a change in the envelope's text, and a footer that fits.
    pub fn with_envelope_text(&self, from: &str, to: &str) -> Vec<u8> {
        let text = self.envelope();
        assert!(text.contains(from), "{from}");
        self.with_envelope(text.replacen(from, to, 1))
    }

    /// The artifact with these bytes at an offset of the footer.
    pub fn with_footer(&self, offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = self.file.to_vec();
        let at = file.len() - 40 + offset;
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    }

    /// The artifact with one changed bit.
    pub fn flipped(&self, at: usize) -> Vec<u8> {
        let mut file = self.file.to_vec();
        file[at] ^= 1;
        file
    }

    /// The signer's key id.
    pub fn key_id(&self) -> String {
        self.key.public().id().to_string()
    }

    /// The signer's signature.
    pub fn signature(&self) -> [u8; 64] {
        let signature = self.key.sign(&pae(PAYLOAD_TYPE, &self.payload));
        signature.try_into().expect("an Ed25519 key")
    }

    /// The places of a section's header and data in the image.
    pub fn section(&self, name: &str) -> (usize, usize) {
        let field = |at: usize, len: usize| {
            let bytes = self.image[at..at + len].iter().rev();
            let value = bytes.fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
            usize::try_from(value).unwrap()
        };
        let (table, count, names) = (field(40, 8), field(60, 2), field(62, 2));
        let header = |index: usize| table + index * 64;
        let data = |header: usize| field(header + 24, 8);
        let strings = data(header(names));
        let found = (1..count).map(header).find(|header| {
            self.image[strings + field(*header, 4)..]
                .starts_with(&[name.as_bytes(), b"\0"].concat())
        });
        let header = found.unwrap_or_else(|| panic!("no section {name}"));
        (header, data(header))
    }
}

/// The text of an envelope for a payload, signed by each of these keys.
pub fn sealed_by(payload: &[u8], keys: &[&SecretKey]) -> String {
    let pae = pae(PAYLOAD_TYPE, payload);
    let signatures = keys
        .iter()
        .map(|key| (key.public().id().to_string(), key.sign(&pae)));
    let signatures: Vec<_> = signatures.collect();
    let signatures: Vec<(&str, &[u8])> = signatures
        .iter()
        .map(|(id, signature)| (id.as_str(), &signature[..]))
        .collect();
    wrap(PAYLOAD_TYPE, payload, &signatures)
}

/// The text of an envelope with any content.
pub fn wrap(payload_type: &str, payload: &[u8], signatures: &[(&str, &[u8])]) -> String {
    let list: Vec<String> = signatures
        .iter()
        .map(|(id, signature)| {
            let sig = STANDARD.encode(signature);
            format!(r#"{{"keyid":{},"sig":"{sig}"}}"#, serde_json::json!(id))
        })
        .collect();
    format!(
        r#"{{"payload":"{}","payloadType":"{payload_type}","signatures":[{}]}}"#,
        STANDARD.encode(payload),
        list.join(",")
    )
}

/// An image and the bytes of an envelope, with a footer that fits.
fn lay_out(image: &[u8], envelope: &[u8]) -> Vec<u8> {
    let at = image.len().next_multiple_of(8);
    let mut file = image.to_vec();
    file.resize(at, 0);
    file.extend(envelope);
    for field in [image.len(), at, envelope.len(), 1] {
        file.extend((field as u64).to_le_bytes());
    }
    file.extend(b"\x89edgec\r\n");
    file
}
