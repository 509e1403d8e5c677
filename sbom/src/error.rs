//! Why a program has no bill of materials.

/// What is wrong with a program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SbomError {
    /// It does not begin as WebAssembly in the binary format does.
    #[error("not WebAssembly in the binary format")]
    NotWasm,
    /// Its sections cannot be read.
    #[error("malformed WebAssembly at offset {offset:#x}: {message}")]
    Malformed {
        /// Where, in bytes from the beginning of the file.
        offset: usize,
        /// The reader's message.
        message: String,
    },
    /// A custom section with a name that has a meaning does not have that meaning.
    #[error("malformed section `{section}` at offset {offset:#x}: {message}")]
    Section {
        /// The section's name.
        section: &'static str,
        /// Where, in bytes from the beginning of the file.
        offset: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A section, or what it decompresses to, is too long.
    #[error("section `{section}` at offset {offset:#x}: more than {most} bytes")]
    Length {
        /// The section's name.
        section: &'static str,
        /// Where, in bytes from the beginning of the file.
        offset: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// There is too much of something.
    #[error("more than {most} {what}, at offset {offset:#x}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// Where the first one beyond the limit is, in bytes from the beginning of the file.
        offset: usize,
        /// The limit.
        most: usize,
    },
}

impl SbomError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm => "sbom-input",
            Self::Malformed { .. } => "sbom-malformed",
            Self::Section { .. } => "sbom-section",
            Self::Length { .. } | Self::TooMany { .. } => "sbom-limit",
        }
    }
}

impl From<wasmparser::Error> for SbomError {
    fn from(error: wasmparser::Error) -> Self {
        Self::Malformed {
            offset: error.offset(),
            message: error.message().to_owned(),
        }
    }
}
