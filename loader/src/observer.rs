//! Reports of the loader's work to a host: loads, refusals, verdicts, instances.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use edgec_verifier::Manifest;

#[cfg(target_os = "linux")]
use crate::distrust::Distrusted;
use crate::{LoadError, LoadReport};

/// Receives the loader's events, for logs and metrics. An engine's builder sets it
/// ([`HostEngineBuilder::observer`](crate::HostEngineBuilder::observer)). A function that takes an
/// event is an observer:
///
/// ```
/// use edgec_loader::{EngineProfile, Event, HostEngine};
///
/// fn count(event: &Event<'_>) {
///     if let Event::Refused { application, error, .. } = event {
///         println!("{application}: {}", error.code());
///     }
/// }
///
/// let engine = HostEngine::builder(EngineProfile::Edge).observer(count).build()?;
/// # drop(engine);
/// # Ok::<(), edgec_loader::wasmtime::Error>(())
/// ```
///
/// The thread that does the work makes the call, and waits for it. A panic of an observer continues
/// in the caller.
pub trait Observer: Send + Sync {
    /// Receives an event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// An event. Its texts quote the artifact, which may be hostile: escape them before you print them
/// to a terminal, as `{:?}` does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A program was loaded.
    #[non_exhaustive]
    Loaded {
        /// Its manifest.
        manifest: &'a Manifest,
        /// How it was loaded, and the durations.
        report: LoadReport,
    },
    /// A program was not loaded.
    #[non_exhaustive]
    Refused {
        /// The application, as the host or the manifest names it.
        application: &'a str,
        /// The reason.
        error: &'a LoadError,
    },
    /// A deployment judged the version in use: at each refresh, and when a validity ends.
    #[cfg(target_os = "linux")]
    #[non_exhaustive]
    Judged {
        /// The manifest of the version in use.
        manifest: &'a Manifest,
        /// Why it is not trusted; `None` if it is.
        distrusted: Option<&'a Distrusted>,
    },
    /// An instance was made, or could not be made.
    #[non_exhaustive]
    Instantiated {
        /// The program's manifest.
        manifest: &'a Manifest,
        /// The duration. For an asynchronous host, it includes the time in which the call waited.
        took: Duration,
        /// Why there is no instance.
        error: Option<&'a wasmtime::Error>,
    },
}

/// Writes events with the crate `tracing`, under the target `edgec_loader`: refusals and distrust
/// as warnings, loads as information, and the others for debugging. It is an [`Observer`].
#[cfg(feature = "tracing")]
pub fn trace(event: &Event<'_>) {
    use edgec_verifier::error_chain;
    use tracing::{debug, info, warn};

    match event {
        Event::Loaded { manifest, report } => info!(
            application = ?manifest.name,
            version = manifest.version,
            mode = %report.mode,
            image = %report.image,
            times = ?report.times,
            "loaded"
        ),
        Event::Refused { application, error } => warn!(
            application = ?application,
            code = error.code(),
            error = ?error_chain(*error),
            "refused"
        ),
        #[cfg(target_os = "linux")]
        Event::Judged {
            manifest,
            distrusted: Some(distrusted),
        } => warn!(
            application = ?manifest.name,
            version = manifest.version,
            code = distrusted.code(),
            error = ?error_chain(*distrusted),
            "distrusted"
        ),
        #[cfg(target_os = "linux")]
        Event::Judged {
            manifest,
            distrusted: None,
        } => debug!(
            application = ?manifest.name,
            version = manifest.version,
            "trusted"
        ),
        Event::Instantiated {
            manifest,
            took,
            error,
        } => debug!(
            application = ?manifest.name,
            version = manifest.version,
            took = ?took,
            error = ?error,
            "instantiated"
        ),
    }
}

/// An engine's observer, if the host set one.
#[derive(Clone, Default)]
pub(crate) struct Observed(Option<Arc<dyn Observer>>);

impl Observed {
    pub(crate) fn by(observer: impl Observer + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Some(observer) = &self.0 {
            observer.observe(event);
        }
    }

    /// Reports an error, and returns the result.
    pub(crate) fn refusal<R>(
        &self,
        application: impl FnOnce() -> String,
        outcome: Result<R, LoadError>,
    ) -> Result<R, LoadError> {
        if let (Some(observer), Err(error)) = (&self.0, &outcome) {
            let application = &application();
            observer.observe(&Event::Refused { application, error });
        }
        outcome
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed").field(&self.0.is_some()).finish()
    }
}
