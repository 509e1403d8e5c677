//! A signed statement in a file of its own.

/// A DSSE envelope in JSON, with a signature that was verified when it was added.
#[derive(Debug)]
pub struct SignedEnvelope {
    bytes: Vec<u8>,
}

impl SignedEnvelope {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The whole file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole file, taken out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
