//! The portable program in the layout of the CNCF: what `wkg`, `wash`, Spin and others pull.
//!
//! Source: <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>. The crate
//! `oci-wasm` writes the time of the push into the configuration. edgec states the time of
//! `SOURCE_DATE_EPOCH`, or the beginning of 1970, so that two pushes are the same.

use edgec_artifact::{Sha256Digest, UnixTime};
use serde::Serialize;
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload};

use super::manifest::Manifest;
use super::push_error::PushError;
use super::{descriptor, media};
use crate::Descriptor;
use crate::checked::shown;

/// The platforms under which an index lists the program besides its own. Wasm tools ask for the
/// first entry of `linux` with the architecture of their machine.
const ASKED_FOR: [&str; 2] = ["amd64", "arm64"];

/// The portable program, ready to be sent.
pub(crate) struct Portable {
    /// The manifest.
    pub(crate) manifest: Vec<u8>,
    /// The configuration, with its descriptor.
    pub(crate) config: (Descriptor, Vec<u8>),
    /// The descriptor of the program.
    pub(crate) layer: Descriptor,
    /// `wasip2` for a component, `wasip1` for a core module.
    os: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: String,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Component>,
}

#[derive(Default, Serialize)]
struct Component {
    exports: Vec<String>,
    imports: Vec<String>,
}

impl Portable {
    /// Describes a program. `created` is the time that its configuration states.
    ///
    /// # Errors
    ///
    /// [`PushError::NotWasm`].
    pub(crate) fn new(program: &[u8], created: Option<UnixTime>) -> Result<Self, PushError> {
        let component = component(program)?;
        let os = match component {
            Some(_) => "wasip2",
            None => "wasip1",
        };
        let layer = Descriptor::of_bytes(media::WASM, program);
        let config = super::decode::encode(&Config {
            created: created.unwrap_or(UnixTime::EPOCH).to_string(),
            architecture: "wasm",
            os,
            layer_digests: vec![layer.digest.clone()],
            component,
        });
        let described = Descriptor::of_bytes(media::WASM_CONFIG, &config);
        let manifest = Manifest::new(described.clone(), vec![layer.clone()]);
        Ok(Self {
            manifest: manifest.encode(),
            config: (described, config),
            layer,
            os,
        })
    }

    /// The digest of the manifest.
    pub(crate) fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.manifest)
    }

    /// The descriptor of the manifest.
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor::of_bytes(media::MANIFEST, &self.manifest)
    }

    /// Its entries of an index, which come first.
    pub(crate) fn entries(&self) -> Vec<Descriptor> {
        let entry = |os, architecture| descriptor::on(self.descriptor(), os, architecture);
        let asked_for = ASKED_FOR.map(|architecture| entry("linux", architecture));
        let own = [entry(self.os, "wasm")];
        asked_for.into_iter().chain(own).collect()
    }
}

/// A program from which the artifacts were not made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OtherProgram {
    /// SHA-256 of the program.
    pub(crate) found: Sha256Digest,
    /// SHA-256 of the one from which they were made.
    pub(crate) wanted: Sha256Digest,
}

/// Refuses a program that is not the one of each of these statements. A push compares it, and so
/// does a pull that verifies.
pub(crate) fn is_source(
    found: Sha256Digest,
    stated: impl IntoIterator<Item = Sha256Digest>,
) -> Result<(), OtherProgram> {
    let other = stated.into_iter().find(|it| *it != found);
    other.map_or(Ok(()), |wanted| Err(OtherProgram { found, wanted }))
}

/// What a component imports and exports. `None` for a core module.
fn component(program: &[u8]) -> Result<Option<Component>, PushError> {
    let not_wasm = |error: wasmparser::BinaryReaderError| PushError::NotWasm {
        what: shown(&error.to_string()),
    };
    if !program.starts_with(b"\0asm") {
        let what = "it does not begin with `\\0asm`".to_owned();
        return Err(PushError::NotWasm { what });
    }
    let mut found = Component::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(program) {
        match payload.map_err(not_wasm)? {
            Payload::Version { encoding, .. } if depth == 0 => {
                if encoding == Encoding::Module {
                    return Ok(None);
                }
                depth = 1;
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(not_wasm)?;
                    if is_named(import.ty) {
                        found.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(not_wasm)?;
                    found.exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(Some(found))
}

/// Whether a world would name the import. Types are imported for other imports.
fn is_named(import: ComponentTypeRef) -> bool {
    matches!(
        import,
        ComponentTypeRef::Instance(_) | ComponentTypeRef::Func(_)
    )
}
