//! Says what a file is that a verb refused. No other code recognises kinds of files.
//!
//! A verb that cannot read a file says what the file is, and which verb or tool takes it. Only
//! files that a verb has refused come here, so a guess never decides what is compiled or trusted.

mod recognise;

use std::io::Read as _;
use std::path::Path;

use self::recognise::{ARTIFACT_END, recognise};
use crate::failure::Failure;

/// What a verb reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A component or a core module.
    Program,
    /// An artifact of edgec.
    Artifact,
    /// A debug file of edgec.
    DebugFile,
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
    Policy,
    Json,
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

/// Adds to the failure of a file that a verb refused. If the file is of another kind than the
/// wanted one, the message says so. A damaged file of the right kind keeps its failure.
pub(crate) fn explain(failure: Failure, bytes: &[u8], wanted: Wanted) -> Failure {
    let Some(kind) = recognise(bytes).filter(|kind| !kind.is(wanted)) else {
        return failure;
    };
    let message = match (kind, wanted) {
        (FileKind::Empty, _) => "the file is empty".to_owned(),
        (FileKind::WasmtimeImage, Wanted::Artifact) => {
            "no edgec signature block: an unsigned image of Wasmtime's, or an artifact that was cut off"
                .to_owned()
        }
        _ => format!("this is {}, not {}", kind.what(), wanted.what()),
    };
    failure.instead(message, kind.hint(wanted))
}

/// As [`explain`], for a file that was read elsewhere.
pub(crate) fn explain_file(failure: Failure, path: &Path, wanted: Wanted) -> Failure {
    match read_ends(path) {
        Some(bytes) => explain(failure, &bytes, wanted),
        None => failure,
    }
}

/// How much of a file's front is read, in bytes (64 KiB).
const FRONT: u64 = 64 << 10;

/// The front and the last bytes of a regular file, put together.
fn read_ends(path: &Path) -> Option<Vec<u8>> {
    use std::io::{Seek as _, SeekFrom};
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut bytes = Vec::new();
    (&mut file).take(FRONT).read_to_end(&mut bytes).ok()?;
    let end = length.saturating_sub(ARTIFACT_END.len() as u64).max(FRONT);
    file.seek(SeekFrom::Start(end)).ok()?;
    (&mut file)
        .take(ARTIFACT_END.len() as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

impl Wanted {
    fn what(self) -> &'static str {
        match self {
            Wanted::Program => "WebAssembly",
            Wanted::Artifact => "an artifact of edgec",
            Wanted::DebugFile => "a debug file of edgec",
        }
    }
}

impl FileKind {
    fn is(self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Program => matches!(self, Self::Component | Self::Module | Self::WasmText),
            Wanted::Artifact => self == Self::Artifact,
            Wanted::DebugFile => self == Self::DebugFile,
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
            Self::Policy => "a trust policy",
            Self::Json => "a JSON document",
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

    fn hint(self, wanted: Wanted) -> &'static str {
        match self {
            Self::Empty => "the build or download that should have written it probably failed",
            Self::Component | Self::Module | Self::WasmText => {
                "build it first: `edgec build` makes an artifact of it"
            }
            Self::Artifact if wanted == Wanted::Program => {
                "it is built already: `edgec verify`, `edgec run` and `edgec inspect` take artifacts; \
                 `edgec build` takes the program that it was made from"
            }
            Self::Artifact => {
                "give the debug file: `edgec build --debug-file` writes it beside the artifact"
            }
            Self::WasmtimeImage if wanted == Wanted::Artifact => {
                "fetch or build the artifact again; of a file of Wasmtime's, give `edgec build` the WebAssembly"
            }
            Self::WasmtimeImage => "give the WebAssembly that it was made from",
            Self::DebugFile => {
                "`edgec symbolize` reads debug files; the artifact has the ending .cwasm"
            }
            Self::Utf16 => "save it in UTF-8: iconv -f UTF-16 -t UTF-8 FILE",
            Self::Wit => {
                "WIT only describes a program: give the component or core module, .wasm or .wat"
            }
            Self::Source => {
                "compile it for WebAssembly first, such as with the clang of wasi-sdk or with Rust's \
                 target wasm32-wasip2"
            }
            Self::LfsPointer => "the file itself was not downloaded: git lfs pull",
            Self::PrivateKey => "keys are named with --key",
            Self::PublicKey => "keys are named with --key, or --public-key",
            Self::Pem => "give the file that the build wrote",
            Self::Envelope => "give the artifact, which has the envelope in it",
            Self::Policy => "policies are named with --trust",
            Self::Html => "the download gave a page instead of the file: look at the address",
            Self::Object
            | Self::Native
            | Self::Library
            | Self::Windows
            | Self::MachO
            | Self::Bitcode => {
                "compile the program for WebAssembly, such as Rust's target wasm32-wasip2"
            }
            Self::Gzip => "unpack it first: gunzip FILE",
            Self::Zstd => "unpack it first: unzstd FILE",
            Self::Xz => "unpack it first: unxz FILE",
            Self::Bzip2 => "unpack it first: bunzip2 FILE",
            Self::Zip => "unpack it first: unzip FILE",
            Self::Tar => "unpack it first: tar -xf FILE",
            Self::Json | Self::Script => match wanted {
                Wanted::Program => "give a component or core module, .wasm or .wat",
                Wanted::Artifact => "give the .cwasm that `edgec build` wrote",
                Wanted::DebugFile => "give the .debug that `edgec build --debug-file` wrote",
            },
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
