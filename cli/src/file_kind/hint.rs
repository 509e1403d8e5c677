//! Hints for a file of the wrong kind.

use super::{FileKind, Wanted};

/// The hint if a debug file is expected, and the user gave the program or its artifact.
const GIVE_THE_DEBUG_FILE: &str =
    "give the debug file: `edgec build --debug-file` writes it beside the artifact";

impl FileKind {
    /// What to do with this file if another kind is expected.
    pub(super) fn hint(self, wanted: Wanted) -> &'static str {
        match wanted {
            Wanted::Program | Wanted::Artifact | Wanted::DebugFile => self.instead_of(wanted),
            _ if matches!(self, Self::Empty | Self::Utf16) => self.instead_of(wanted),
            Wanted::Attestation => {
                "an attestation is what `edgec sign-blob` or `edgec build --provenance` wrote"
            }
            Wanted::Envelope
            | Wanted::Pae
            | Wanted::PolicyPae
            | Wanted::ManualPage
            | Wanted::Report
            | Wanted::Sbom => "give what edgec wrote",
            Wanted::Policy | Wanted::SignedPolicy => match self {
                Self::PrivateKey | Self::PublicKey => {
                    "a policy is a file that lists public keys: docs/policy.md; `verify --key` takes a key"
                }
                _ => "a policy is TOML, or what `edgec policy sign` wrote: docs/policy.md",
            },
            Wanted::HostProfile => match self {
                Self::Artifact => "put artifacts in front of --host",
                Self::Fleet => "it is a fleet: give it to a verb that has --fleet",
                _ => "docs/targets.md describes the fields; `edgec host --save FILE` writes one",
            },
            Wanted::Project => "docs/project.md describes every name; `edgec init` writes one",
            Wanted::PublicKey | Wanted::Key => match self {
                Self::PrivateKey => "`edgec keys export` gives its public half",
                Self::Policy | Self::SignedPolicy => "name policies with --trust",
                _ => "`edgec keygen` writes one beside the private key: NAME.pub.pem",
            },
            Wanted::PrivateKey => match self {
                Self::PublicKey => "signing needs the private key",
                _ => "make one with `edgec keygen -o key.pem`",
            },
        }
    }

    /// The hint if a program, or a file that was built from a program, is expected.
    fn instead_of(self, wanted: Wanted) -> &'static str {
        match self {
            Self::Empty => "the build or download that should have written it probably failed",
            Self::Component | Self::Module | Self::WasmText if wanted == Wanted::DebugFile => {
                GIVE_THE_DEBUG_FILE
            }
            Self::Component | Self::Module | Self::WasmText => {
                "build it first: `edgec build` makes an artifact of it"
            }
            Self::Artifact if wanted == Wanted::Program => {
                "it is built already: `edgec verify`, `edgec run` and `edgec inspect` take artifacts; \
                 `edgec build` takes the program that it was made from"
            }
            Self::Artifact => GIVE_THE_DEBUG_FILE,
            Self::WasmtimeImage if wanted == Wanted::Artifact => {
                "fetch or build the artifact again; if it is a file of Wasmtime, give `edgec build` the WebAssembly"
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
            Self::PrivateKey => "name keys with --key",
            Self::PublicKey => "name keys with --key, or --public-key",
            Self::Pem => "give the file that the build wrote",
            Self::Envelope => "give the artifact, which has the envelope in it",
            Self::Policy | Self::SignedPolicy => "name policies with --trust",
            Self::Report => "a browser shows it; give the artifact that it is about",
            Self::Html => "the download gave a page instead of the file: check the address",
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
            Self::Pae | Self::PolicyPae => {
                "only a signer can read it: give the file that it was exported from"
            }
            Self::ManualPage => "`man -l FILE` shows it",
            Self::Project => "`edgec build --project FILE` builds what it names",
            Self::HostProfile | Self::Fleet => "name hosts with --host, and fleets with --fleet",
            Self::Json | Self::Sbom | Self::Script => match wanted {
                Wanted::Program => "give a component or core module, .wasm or .wat",
                Wanted::DebugFile => "give the .debug that `edgec build --debug-file` wrote",
                _ => "give the .cwasm that `edgec build` wrote",
            },
        }
    }
}
