//! Why an artifact was not loaded.

#[cfg(target_os = "linux")]
use std::error::Error;
use std::io;

use edgec_verifier::{
    ArtifactFileError, ClockError, EngineVersion, LoadModeError, ProgramKind, Refusal, Unfit,
    VerifyError, error_chain,
};

/// Why an artifact was not loaded.
///
/// | error | what a host does about it |
/// |---|---|
/// | [`File`](Self::File), [`Memory`](Self::Memory), `Source`, `Cancelled` | the machine, or the host's own source, did not give the artifact: it may try again |
/// | [`Clock`](Self::Clock), `Policy` | nothing can be judged: set the clock, repair the policy |
/// | [`Verify`](Self::Verify) | the file must not run: [`VerifyError::refusal`] says whether it may be an attack |
/// | [`Unexpected`](Self::Unexpected) | the file is genuine, and another one is wanted: correct the name |
/// | [`Mode`](Self::Mode) | admit it to a store, on a file system that has what the policy wants |
/// | [`Kind`](Self::Kind), [`Unfit`](Self::Unfit), [`NoneFits`](Self::NoneFits) | build it for this host, or give it to one that it is for |
/// | [`EngineUntested`](Self::EngineUntested) | run the tests of `docs/edge.md`, and state that they passed |
/// | [`Mixed`](Self::Mixed) | give the artifacts of one release |
/// | [`Link`](Self::Link) | put what the program imports into the linker |
/// | `Declined` | change the program, or the host's own rules |
/// | [`Undeclared`](Self::Undeclared), [`Engine`](Self::Engine) | a trusted key signed what does not hold: ask its owner |
/// | `Store` | its own documentation says what |
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The artifact's file cannot be read.
    #[error(transparent)]
    File(#[from] ArtifactFileError),
    /// The system gives no memory for a copy that no process can change.
    #[error("cannot keep the artifact in memory")]
    Memory(#[source] io::Error),
    /// The artifact fails verification under the policy.
    #[error("the artifact is not trusted")]
    Verify(#[source] VerifyError),
    /// The signatures are valid, but they are over another application or channel than the caller
    /// expects ([`Expected`](edgec_verifier::Expected)): the name is wrong, not the key.
    #[error("the artifact is not the one that was asked for")]
    Unexpected(#[source] VerifyError),
    /// The policy requires stronger protection of the bytes.
    #[error(transparent)]
    Mode(#[from] LoadModeError),
    /// The artifact holds a core module, and a component is wanted, or the other way around.
    #[error(
        "the artifact holds a {}, a {} is wanted: their imports differ, and so does how they are instantiated",
        found.name(),
        wanted.name()
    )]
    Kind {
        /// The kind in the manifest.
        found: ProgramKind,
        /// The kind that the caller asked for.
        wanted: ProgramKind,
    },
    /// The clock does not know the time, so no validity can be checked.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// There is no policy to check against.
    #[cfg(target_os = "linux")]
    #[error("there is no trust policy to check it against")]
    Policy(#[source] crate::policy_source::PolicySourceError),
    /// The artifact is for another engine or another CPU.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The image is of the edge profile, and this engine is later than the version that edge images
    /// were tested with. With the setting
    /// [`edge_readers_tested`](crate::HostEngineBuilder::edge_readers_tested), a host states that
    /// it ran the tests.
    #[error(
        "images of the edge profile were tested with Wasmtime {tested}, and this host runs {running}"
    )]
    EngineUntested {
        /// The version of the running engine.
        running: EngineVersion,
        /// The version that the images were tested with.
        tested: EngineVersion,
    },
    /// There are several artifacts, but none is for this host.
    #[error("none of the artifacts fits this host{}", reasons(unfit))]
    NoneFits {
        /// The target of each artifact, and its problem.
        unfit: Vec<(String, Unfit)>,
    },
    /// Several artifacts belong to different releases.
    #[error("the artifacts are of different releases: {first}, and {other}")]
    Mixed {
        /// Application, channel and version of the first artifact.
        first: String,
        /// The same of an artifact that differs.
        other: String,
    },
    /// The program has an import that its manifest does not state, so no policy has checked it.
    #[error("the program imports {}, which its manifest does not state", imports.join(", "))]
    Undeclared {
        /// Every such import.
        imports: Vec<String>,
    },
    /// The engine does not accept the image.
    #[error("the engine refused the image: {0:#}")]
    Engine(wasmtime::Error),
    /// The host's linker lacks an import of the program, or has it with another type; or the host
    /// does not serve programs of this kind.
    #[error("the program does not have the imports and exports that this host supports: {0:#}")]
    Link(wasmtime::Error),
    /// The store does not have the artifact, or the artifact has changed since its admission.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Store(#[from] edgec_store::StoreError),
    /// The host's own source of artifacts failed.
    #[cfg(target_os = "linux")]
    #[error("the host's source of artifacts failed")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// The host does not take this version
    /// ([`Preparation::accepting`](crate::store::Preparation::accepting)).
    #[cfg(target_os = "linux")]
    #[error("the host does not take the program")]
    Declined(#[source] Box<dyn Error + Send + Sync>),
    /// The asynchronous runtime ended before the work began.
    #[cfg(feature = "async")]
    #[error("the asynchronous runtime has ended")]
    Cancelled,
}

impl LoadError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::Memory(_) => "io",
            Self::Verify(error) | Self::Unexpected(error) => error.code(),
            Self::Mode(_) => "load-mode",
            Self::Kind { .. } => "kind",
            Self::Clock(_) => "clock",
            #[cfg(target_os = "linux")]
            Self::Policy(error) => error.code(),
            Self::Unfit(error) => error.code(),
            Self::EngineUntested { .. } => "engine-untested",
            Self::NoneFits { .. } => "no-fit",
            Self::Mixed { .. } => "mixed-releases",
            Self::Undeclared { .. } => "undeclared-import",
            Self::Engine(_) => "engine",
            Self::Link(_) => "link",
            #[cfg(target_os = "linux")]
            Self::Store(error) => error.code(),
            #[cfg(target_os = "linux")]
            Self::Source(_) => "artifact-source",
            #[cfg(target_os = "linux")]
            Self::Declined(_) => "declined",
            #[cfg(feature = "async")]
            Self::Cancelled => "cancelled",
        }
    }
}

/// Tells a wrong name apart from a wrong signature.
impl From<VerifyError> for LoadError {
    fn from(error: VerifyError) -> Self {
        match error.refusal() {
            Refusal::Unexpected => Self::Unexpected(error),
            _ => Self::Verify(error),
        }
    }
}

#[cfg(target_os = "linux")]
impl From<edgec_store::AdmissionError> for LoadError {
    fn from(error: edgec_store::AdmissionError) -> Self {
        use edgec_store::AdmissionError;
        match error {
            AdmissionError::File(error) => Self::File(error),
            AdmissionError::Verify(error) => error.into(),
            AdmissionError::Mode(error) => Self::Mode(error),
            AdmissionError::Clock(error) => Self::Clock(error),
            AdmissionError::Store(error) => Self::Store(error),
            // There are no other errors yet.
            error => Self::Source(error.into()),
        }
    }
}

fn reasons(unfit: &[(String, Unfit)]) -> String {
    let reasons = unfit.iter().map(|(target, unfit)| {
        let why = error_chain(unfit);
        format!("; {target}: {why}")
    });
    reasons.collect()
}
