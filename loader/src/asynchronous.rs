//! Loads for asynchronous hosts. Reading, hashing and mapping block, so they run on Tokio's threads
//! for blocking work, and never on the threads of the executor.

use std::path::PathBuf;

use edgec_verifier::{Expected, TrustPolicy};

use crate::{HostEngine, LoadError, LoadedComponent, LoadedModule};

/// Like [`load`](fn@crate::load). Call it in a Tokio runtime.
///
/// # Errors
///
/// The errors of [`load`](fn@crate::load), and [`LoadError::Cancelled`] if the runtime ends.
pub async fn load_async(
    engine: &HostEngine,
    path: impl Into<PathBuf>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedComponent, LoadError> {
    let (engine, path) = (engine.clone(), path.into());
    let (policy, expected) = (policy.clone(), expected.clone());
    off_executor(move || crate::load(&engine, path, &policy, &expected)).await?
}

/// Like [`load_module`](crate::load_module). Call it in a Tokio runtime.
///
/// # Errors
///
/// As [`load_async`].
pub async fn load_module_async(
    engine: &HostEngine,
    path: impl Into<PathBuf>,
    policy: &TrustPolicy,
    expected: &Expected,
) -> Result<LoadedModule, LoadError> {
    let (engine, path) = (engine.clone(), path.into());
    let (policy, expected) = (policy.clone(), expected.clone());
    off_executor(move || crate::load_module(&engine, path, &policy, &expected)).await?
}

/// Runs blocking work on a thread for blocking work. A panic continues in the caller.
pub(crate) async fn off_executor<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, LoadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(LoadError::Cancelled),
        },
    }
}
