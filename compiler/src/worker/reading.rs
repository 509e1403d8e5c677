//! Workers that read unverified data: their answers, and how these are read.

use crate::worker::answer::answer;
use crate::worker::ask::{WorkerError, text};

/// Why a worker could not read unverified data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The engine's types cannot decode it.
    #[error("the engine does not understand it: {reason}")]
    Unreadable {
        /// The message of the decoder or the front end.
        reason: String,
    },
    /// The process gave no answer.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// The kind of answer with the serialized data, or with the reason why it could not be read.
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

/// Answers with the result of reading. [`read`] decodes it on the other side.
pub(crate) fn answer_read(read: Result<impl serde::Serialize, String>) -> Result<(), String> {
    match read {
        Ok(read) => {
            let bytes = postcard::to_allocvec(&read).map_err(|error| error.to_string())?;
            answer(READ, &[&bytes])
        }
        Err(reason) => answer(UNREADABLE, &[reason.as_bytes()]),
    }
}
