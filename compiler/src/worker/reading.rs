//! Workers that read unverified data: what they answer, and how that is understood.

use crate::worker::answer::answer;
use crate::worker::ask::{WorkerError, text};

/// Why a worker could not read unverified data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The engine's types do not read it.
    #[error("the engine does not understand it: {reason}")]
    Unreadable {
        /// What the decoder or the front end says.
        reason: String,
    },
    /// The process gave no answer.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// An answer of a worker that reads: what was read, serialized, or why nothing was.
const READ: u8 = 0;
const UNREADABLE: u8 = 1;

/// What a worker read.
pub(crate) fn read<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, ReadError> {
    match answer.split_first() {
        Some((&READ, rest)) => {
            if let Ok(read) = postcard::from_bytes(rest) {
                return Ok(read);
            }
        }
        Some((&UNREADABLE, reason)) => {
            let reason = text(reason);
            return Err(ReadError::Unreadable { reason });
        }
        _ => {}
    }
    Err(WorkerError::no_answer(answer).into())
}

/// Answers with what was read, for [`read`] on the other side.
pub(crate) fn answer_read(read: Result<impl serde::Serialize, String>) -> Result<(), String> {
    match read {
        Ok(read) => {
            let bytes = postcard::to_allocvec(&read).map_err(|error| error.to_string())?;
            answer(READ, &[&bytes])
        }
        Err(reason) => answer(UNREADABLE, &[reason.as_bytes()]),
    }
}
