//! Recognises kinds of files: a file that a verb refused, and a file that an output would replace.
//! No other code does this.
//!
//! If a verb cannot read a file, it says what the file is, and which verb or tool takes it. A guess
//! never decides what is compiled or trusted. It decides only which old files are kept.

mod hint;
mod own;
mod recognise;
mod sbom;

use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use self::recognise::{ARTIFACT_END, recognise};
use crate::failure::{Exit, Failure};
use crate::stdin::STDIN;

/// What a verb reads or writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A component or a core module.
    Program,
    /// An artifact of edgec.
    Artifact,
    /// A debug file of edgec.
    DebugFile,
    /// The envelope of an artifact.
    Envelope,
    /// A signed statement about a file or a build, in an envelope of its own.
    Attestation,
    /// The bytes of an artifact that are to be signed elsewhere.
    Pae,
    /// The bytes of a trust policy that are to be signed elsewhere.
    PolicyPae,
    /// A trust policy, signed or not.
    Policy,
    /// A signed trust policy.
    SignedPolicy,
    /// A description of a host.
    HostProfile,
    /// A manual page of edgec.
    ManualPage,
    /// A project.
    Project,
    /// A page that `edgec report` wrote.
    Report,
    /// A bill of materials that edgec wrote.
    Sbom,
    /// A public key.
    PublicKey,
    /// A private key.
    PrivateKey,
    /// A key of either kind.
    Key,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind {
    Empty,
    Artifact,
    WasmtimeImage,
    DebugFile,
    Component,
    Module,
    WasmText,
    Utf16,
    Wit,
    Source,
    LfsPointer,
    PrivateKey,
    PublicKey,
    Pem,
    Envelope,
    Pae,
    PolicyPae,
    Policy,
    SignedPolicy,
    HostProfile,
    ManualPage,
    Fleet,
    Project,
    Json,
    Sbom,
    Report,
    Html,
    Script,
    Object,
    Native,
    Library,
    Windows,
    MachO,
    Bitcode,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Zip,
    Tar,
}

/// Improves the failure of a file that a verb refused. If the file is of another kind than the
/// expected one, the message says so, and the file is at fault. A damaged file of the right kind
/// keeps its failure.
pub(crate) fn explain(failure: Failure, bytes: &[u8], wanted: Wanted) -> Failure {
    let Some(kind) = recognise(bytes).filter(|kind| !kind.is(wanted)) else {
        return failure;
    };
    let message = match (kind, wanted) {
        (FileKind::Empty, _) => "the file is empty".to_owned(),
        (FileKind::WasmtimeImage, Wanted::Artifact) => {
            "no edgec signature block: an unsigned image of Wasmtime, or an artifact that was cut off"
                .to_owned()
        }
        _ => format!("this is {}, not {}", kind.what(), wanted.what()),
    };
    let failure = match failure.exit() {
        Exit::Environment => failure.rejected_as(wanted.code()),
        _ => failure,
    };
    failure.instead(message, kind.hint(wanted))
}

/// Like [`explain`], for a file that was read elsewhere.
pub(crate) fn explain_file(failure: Failure, path: &Path, wanted: Wanted) -> Failure {
    match read_ends(path) {
        Some(bytes) => explain(failure, &bytes, wanted),
        None => failure,
    }
}

/// A file that an output must not replace.
pub(crate) struct InTheWay {
    /// What it is.
    pub(crate) what: &'static str,
    /// Whether no tool can make it again.
    pub(crate) lost_for_ever: bool,
}

/// The regular file at `path`, if no output of the kind `wanted` may replace it.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) fn in_the_way(path: &Path, wanted: Wanted) -> io::Result<Option<InTheWay>> {
    let bytes = match front_and_end(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let kind = recognise(&bytes);
    let gives_way = kind.is_some_and(|kind| kind.gives_way_to(wanted));
    let other = match kind {
        // The two ends do not say who wrote it, or whether there is more than one.
        Some(FileKind::Envelope) if gives_way && wanted == Wanted::Attestation => {
            let other = "an envelope of another tool, or about something else,";
            (!own::is_attestation(path)?).then_some(other)
        }
        Some(FileKind::Envelope) if gives_way && !own::is_envelope(path)? => {
            Some("an envelope of another tool, or more than one envelope,")
        }
        Some(FileKind::SignedPolicy) if gives_way && !own::is_signed_policy(path)? => {
            Some("a signed policy that this edgec does not read")
        }
        Some(FileKind::Pae) if gives_way && !own::is_artifact_pae(path)? => {
            Some("a message to be signed for another tool")
        }
        Some(FileKind::PolicyPae) if gives_way && !own::is_policy_pae(path)? => {
            Some("more than a policy to be signed")
        }
        _ => None,
    };
    if gives_way && other.is_none() {
        return Ok(None);
    }
    let what = kind.map_or("a file of another kind", FileKind::what);
    Ok(Some(InTheWay {
        what: other.unwrap_or(what),
        lost_for_ever: kind == Some(FileKind::PrivateKey),
    }))
}

/// Whether bytes are an artifact, an envelope, a signed policy or bytes to sign, judged by their
/// beginning or end. Signatures and digests in them look like keys.
pub(crate) fn is_about_signatures(bytes: &[u8]) -> bool {
    matches!(
        recognise(bytes),
        Some(
            FileKind::Artifact
                | FileKind::Envelope
                | FileKind::SignedPolicy
                | FileKind::Pae
                | FileKind::PolicyPae
        )
    )
}

/// How many bytes are read at a file's front (64 KiB).
const FRONT: usize = 64 << 10;

/// The front and the last bytes of a regular file, joined.
fn read_ends(path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    if path.as_os_str() == STDIN || !path.metadata().ok()?.is_file() {
        return None;
    }
    front_and_end(path).ok()
}

/// The file may be a private key, so the bytes are wiped.
fn front_and_end(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    // Allocated for everything at once: a growing buffer would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FRONT + ARTIFACT_END.len() + 64));
    let front = FRONT as u64;
    (&mut file).take(front).read_to_end(&mut bytes)?;
    let end = length.saturating_sub(ARTIFACT_END.len() as u64).max(front);
    file.seek(SeekFrom::Start(end))?;
    (&mut file)
        .take(ARTIFACT_END.len() as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Wanted {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Wanted::Program => "WebAssembly",
            Wanted::Artifact => "an artifact of edgec",
            Wanted::DebugFile => "a debug file of edgec",
            Wanted::Envelope => "a DSSE envelope",
            Wanted::Attestation => "an attestation (DSSE)",
            Wanted::Pae => "a message to be signed (DSSE PAE)",
            Wanted::PolicyPae => "a policy to be signed (DSSE PAE)",
            Wanted::Policy => "a trust policy",
            Wanted::SignedPolicy => "a signed trust policy",
            Wanted::HostProfile => "a host profile",
            Wanted::ManualPage => "a manual page of edgec",
            Wanted::Project => "a project",
            Wanted::Report => "a report of edgec",
            Wanted::Sbom => "a bill of materials of edgec",
            Wanted::PublicKey => "a public key",
            Wanted::PrivateKey => "a private key",
            Wanted::Key => "a key",
        }
    }

    /// The code of the failure for a file of the wrong kind.
    fn code(self) -> &'static str {
        match self {
            Wanted::Program => "not-wasm",
            Wanted::Artifact | Wanted::Envelope | Wanted::Pae | Wanted::PolicyPae => "layout",
            Wanted::Attestation => "attestation",
            Wanted::DebugFile => "debug-file",
            Wanted::Policy | Wanted::SignedPolicy => "trust-policy",
            Wanted::HostProfile => "host-profile",
            Wanted::ManualPage => "manual-page",
            Wanted::Project => "project",
            // Only outputs are compared with these.
            Wanted::Report | Wanted::Sbom => "output",
            Wanted::PublicKey | Wanted::Key => "public-key",
            Wanted::PrivateKey => "secret-key",
        }
    }
}

impl FileKind {
    fn is(self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Program => matches!(self, Self::Component | Self::Module | Self::WasmText),
            Wanted::Artifact => self == Self::Artifact,
            Wanted::DebugFile => self == Self::DebugFile,
            Wanted::Envelope | Wanted::Attestation => self == Self::Envelope,
            Wanted::Pae => self == Self::Pae,
            Wanted::PolicyPae => self == Self::PolicyPae,
            Wanted::Policy => matches!(self, Self::Policy | Self::SignedPolicy),
            Wanted::SignedPolicy => self == Self::SignedPolicy,
            Wanted::HostProfile => self == Self::HostProfile,
            Wanted::ManualPage => self == Self::ManualPage,
            Wanted::Project => self == Self::Project,
            Wanted::Report => self == Self::Report,
            Wanted::Sbom => self == Self::Sbom,
            Wanted::PublicKey => self == Self::PublicKey,
            Wanted::PrivateKey => self == Self::PrivateKey,
            Wanted::Key => matches!(self, Self::PublicKey | Self::PrivateKey),
        }
    }

    /// Whether an output may replace such a file: an empty one, and one of its own kind. An
    /// artifact may also replace an image that Wasmtime compiled, an artifact that was cut off, and
    /// a pointer of Git LFS, because Git has the file that it points to.
    fn gives_way_to(self, wanted: Wanted) -> bool {
        match self {
            Self::Empty => true,
            Self::PrivateKey | Self::Component | Self::Module | Self::WasmText => false,
            Self::WasmtimeImage | Self::LfsPointer => wanted == Wanted::Artifact,
            kind => kind.is(wanted),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::Artifact => "an artifact of edgec",
            Self::WasmtimeImage => "an image that Wasmtime compiled",
            Self::DebugFile => "a debug file of edgec",
            Self::Component => "a component",
            Self::Module => "a core module",
            Self::WasmText => "WebAssembly text",
            Self::Utf16 => "text in UTF-16",
            Self::Wit => "a WIT file",
            Self::Source => "source code",
            Self::LfsPointer => "a pointer of Git LFS",
            Self::PrivateKey => "a private key",
            Self::PublicKey => "a public key",
            Self::Pem => "a PEM file",
            Self::Envelope => "a DSSE envelope",
            Self::Pae => "a message to be signed (DSSE PAE)",
            Self::PolicyPae => "a policy to be signed (DSSE PAE)",
            Self::Policy => "a trust policy",
            Self::SignedPolicy => "a signed trust policy",
            Self::HostProfile => "a host profile",
            Self::ManualPage => "a manual page of edgec",
            Self::Fleet => "a fleet of hosts",
            Self::Project => "a project",
            Self::Json => "a JSON document",
            Self::Report => "a report of edgec",
            Self::Sbom => "a bill of materials of edgec",
            Self::Html => "an HTML page",
            Self::Script => "a script",
            Self::Object => "a native object file (ELF)",
            Self::Native => "a native program or library (ELF)",
            Self::Library => "a static library",
            Self::Windows => "a Windows program or library",
            Self::MachO => "a macOS program or library",
            Self::Bitcode => "LLVM bitcode",
            Self::Gzip => "a gzip archive",
            Self::Zstd => "a Zstandard archive",
            Self::Xz => "an xz archive",
            Self::Bzip2 => "a bzip2 archive",
            Self::Zip => "a ZIP archive",
            Self::Tar => "a tar archive",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_left_alone() {
        let failure = || Failure::usage("layout", "as it was");
        let same = explain(failure(), b"x\x89edgec\r\n", Wanted::Artifact);
        assert_eq!(same.message(), "as it was");
        let other = explain(failure(), b"\x1f\x8b", Wanted::Artifact);
        assert_eq!(
            other.message(),
            "this is a gzip archive, not an artifact of edgec"
        );
        assert_eq!(
            explain(failure(), b"(modul)", Wanted::Program).message(),
            "as it was"
        );
    }
}
