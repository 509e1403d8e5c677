//! Statements that lie beside artifacts: releases, timestamps, and rebuilds by a notary. In code,
//! each is a *companion*, because an artifact's own manifest is a *statement* too.
//!
//! Each is an in-toto Statement v1 in a DSSE envelope ([`Envelope`]), like an artifact's manifest,
//! and has one spelling: everything outside the predicate follows from it. A reader parses, encodes
//! the result again, and compares the bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attestation::{AttestedError, Wire};
use crate::canonical::JsonError;
use crate::{Envelope, EnvelopeError, NameError};

/// The longest statement beside an artifact, in bytes (1 MiB), with its envelope.
pub const MAX_COMPANION_LEN: u64 = 1 << 20;

/// Why bytes are not the wanted statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompanionError {
    /// Longer than any such statement.
    #[error("{len} bytes are more than the {MAX_COMPANION_LEN} that a statement may have")]
    TooLong {
        /// Its length in bytes.
        len: u64,
    },
    /// The bytes are not a DSSE envelope in its one spelling.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload is not a statement, or one of another kind.
    #[error(transparent)]
    Statement(#[from] AttestedError),
    /// The right values in another spelling, or a subject that differs from the predicate.
    #[error("the statement is not in its one spelling")]
    Spelling(#[source] JsonError),
    /// The name of an application or a channel, a target or a profile is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A number is out of its range.
    #[error("`{field}` is {found}, and must be from {least} to {most}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The least value that is allowed.
        least: u64,
        /// The greatest value that is allowed.
        most: u64,
    },
    /// The list of artifacts is empty, too long, or not sorted with each target and profile once.
    #[error("the release's artifacts must be 1 to {most}, sorted by target and profile, each once")]
    Artifacts {
        /// The greatest number of artifacts.
        most: usize,
    },
}

/// The envelope of a statement beside an artifact. Nothing in it is verified.
///
/// # Errors
///
/// [`CompanionError::TooLong`] before anything is parsed; [`CompanionError::Envelope`].
pub fn companion_envelope(bytes: &[u8]) -> Result<Envelope, CompanionError> {
    let len = bytes.len() as u64;
    if len > MAX_COMPANION_LEN {
        return Err(CompanionError::TooLong { len });
    }
    Ok(Envelope::decode(bytes)?)
}

/// The predicate of a payload of this type. `encode` makes the whole payload from the statement.
pub(crate) fn decode<P: Serialize + DeserializeOwned>(
    payload: &[u8],
    predicate_type: &str,
    encode: impl FnOnce(&Wire<P>) -> Vec<u8>,
) -> Result<Wire<P>, CompanionError> {
    let wire = Wire::<P>::decode(payload, predicate_type)?;
    let again = encode(&wire);
    if again == payload {
        return Ok(wire);
    }
    let same = again.iter().zip(payload);
    let offset = same.take_while(|(a, b)| a == b).count();
    Err(CompanionError::Spelling(JsonError::NotCanonical { offset }))
}

/// Checks that a number lies in its range.
pub(crate) fn in_range(
    field: &'static str,
    found: u64,
    least: u64,
    most: u64,
) -> Result<(), CompanionError> {
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(CompanionError::Range {
            field,
            found,
            least,
            most,
        }),
    }
}
