//! SLSA provenance of an artifact: who built it, from what, and how it was asked to.
//!
//! Source: <https://slsa.dev/spec/v1.0/provenance>. `docs/provenance.md` describes each field, and
//! [`BUILD_TYPE`]. A provenance is the predicate of an attestation with two subjects: the file, and
//! its image. The file changes when it gets another signature, and the image does not.

mod claims;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::claims::{ProvenanceClaims, ProvenanceError};
use crate::attestation::{Wire, image_subject};
use crate::{
    AttestedSubject, ExtensionError, ExtensionValue, Extensions, Image, Sha256Digest, Stage,
    Validity,
};

/// The predicate type of SLSA provenance, version 1.
pub const PROVENANCE_PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// The build type of `edgec build`. It says what the parameters of a build mean.
pub const BUILD_TYPE: &str = "https://edgec.dev/build/v1";
/// The builder of a build whose caller named none. It says nothing about the machine.
pub const UNNAMED_BUILDER: &str = "https://edgec.dev/builder/unnamed/v1";

/// The media types of bills of materials, as a provenance lists them: CycloneDX and SPDX, in JSON.
pub const SBOM_MEDIA_TYPES: [&str; 2] = ["application/vnd.cyclonedx+json", "application/spdx+json"];

/// The longest bill of materials, in bytes (16 MiB).
pub const MAX_SBOM_LEN: u64 = 16 << 20;

/// The extension of a manifest that states the source of its input.
pub const SOURCE_EXTENSION: &str = "edgec.dev/source";

/// What a builder states about the build of one artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// What the caller of the build decided.
    pub asked: AskedBuild,
    /// What edgec decided: the stages of the manifest.
    pub stages: Vec<Stage>,
    /// What the build read: the input first.
    pub materials: Vec<Material>,
    /// The builder's identity, a URI.
    pub builder: String,
    /// The versions of the tools that decide the image, by their names.
    pub versions: BTreeMap<String, String>,
    /// The run of the build, a URI, if the caller names it.
    pub invocation: Option<String>,
    /// What else the build made.
    pub byproducts: Vec<Material>,
}

/// What the caller of a build decided (`externalParameters`). It holds neither keys nor variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AskedBuild {
    /// The input's file name, without folders.
    pub input: String,
    /// The source of the input, as the caller named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<BuildSource>,
    /// The application's name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Its version as people write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_version: Option<String>,
    /// Its release channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// When it may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
    /// The target's id.
    pub target: String,
    /// The engine profile.
    pub profile: String,
    /// What a core module should become: `auto`, `component` or `module`.
    pub kind: String,
    /// The optimization level.
    pub level: String,
    /// Whether core modules were to be merged.
    pub flatten: bool,
    /// Whether imports that nothing uses were to be removed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prune_imports: bool,
    /// The export to call at build time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// The core modules that were not to be optimized, by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep_modules: Vec<usize>,
}

/// Where an input comes from, as the caller of the build states it. edgec does not check it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BuildSource {
    /// The repository, a URI.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repository: Option<String>,
    /// The revision, such as the id of a commit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<String>,
}

/// Something that a build read or made: in-toto's `ResourceDescriptor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Material {
    /// Its name in this build.
    pub name: String,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its digests, by in-toto's names of algorithms.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// What kind of file it is.
    #[serde(rename = "mediaType", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    build_definition: Definition<'a>,
    run_details: Details<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition<'a> {
    build_type: &'static str,
    external_parameters: &'a AskedBuild,
    internal_parameters: Internal<'a>,
    resolved_dependencies: &'a [Material],
}

#[derive(Serialize)]
struct Internal<'a> {
    stages: &'a [Stage],
}

#[derive(Serialize)]
struct Details<'a> {
    builder: BuilderOf<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    byproducts: &'a [Material],
}

#[derive(Serialize)]
struct BuilderOf<'a> {
    id: &'a str,
    version: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    invocation_id: &'a str,
}

impl Provenance {
    /// A provenance with all that is required. Optional statements are fields.
    pub fn new(asked: AskedBuild, stages: Vec<Stage>, builder: impl Into<String>) -> Self {
        Self {
            asked,
            stages,
            materials: Vec::new(),
            builder: builder.into(),
            versions: BTreeMap::new(),
            invocation: None,
            byproducts: Vec::new(),
        }
    }

    /// The payload of the attestation about this file, which holds this image of the application.
    pub fn payload(&self, file: &str, sha256: Sha256Digest, image: &Image) -> Vec<u8> {
        let subjects = vec![
            AttestedSubject::file(file, sha256),
            image_subject(&self.asked.name, image),
        ];
        let invocation = self.invocation.as_deref();
        let predicate = Predicate {
            build_definition: Definition {
                build_type: BUILD_TYPE,
                external_parameters: &self.asked,
                internal_parameters: Internal {
                    stages: &self.stages,
                },
                resolved_dependencies: &self.materials,
            },
            run_details: Details {
                builder: BuilderOf {
                    id: &self.builder,
                    version: &self.versions,
                },
                metadata: invocation.map(|invocation_id| Metadata { invocation_id }),
                byproducts: &self.byproducts,
            },
        };
        Wire::encode(subjects, PROVENANCE_PREDICATE_TYPE, predicate)
    }
}

impl AskedBuild {
    /// A build of this application from a file, for a target and an engine profile, with the
    /// defaults of `edgec build`.
    pub fn new(
        input: impl Into<String>,
        name: impl Into<String>,
        target: impl Into<String>,
        profile: impl Into<String>,
    ) -> Self {
        Self {
            input: input.into(),
            source: None,
            name: name.into(),
            version: 0,
            display_version: None,
            channel: None,
            validity: None,
            target: target.into(),
            profile: profile.into(),
            kind: "auto".to_owned(),
            level: "1".to_owned(),
            flatten: true,
            prune_imports: false,
            init: None,
            keep_modules: Vec::new(),
        }
    }
}

impl BuildSource {
    /// A repository and a revision, or one of them.
    pub fn new(repository: Option<String>, revision: Option<String>) -> Self {
        Self {
            repository,
            revision,
        }
    }

    /// The same statement for a manifest, whose `extensions` tell it to people and tools. `None` if
    /// nothing is stated. No rule of a policy reads it: rules read a provenance.
    ///
    /// # Errors
    ///
    /// [`ExtensionError::Length`] if the texts are too long.
    pub fn extensions(&self) -> Result<Option<Extensions>, ExtensionError> {
        let fields = [
            ("repository", &self.repository),
            ("revision", &self.revision),
        ];
        let stated = fields.into_iter().filter_map(|(name, text)| {
            let text = ExtensionValue::String(text.clone()?);
            Some((name.to_owned(), text))
        });
        let stated: BTreeMap<String, ExtensionValue> = stated.collect();
        if stated.is_empty() {
            return Ok(None);
        }
        let value = ExtensionValue::Object(stated);
        Extensions::new([(SOURCE_EXTENSION.to_owned(), value)].into()).map(Some)
    }

    /// `None` if nothing is stated.
    pub fn into_stated(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

impl Material {
    /// Bytes with this SHA-256.
    pub fn of_bytes(name: impl Into<String>, sha256: Sha256Digest) -> Self {
        Self {
            name: name.into(),
            uri: None,
            digest: [("sha256".to_owned(), sha256.to_string())].into(),
            media_type: None,
        }
    }

    /// The same, as a file of this kind.
    #[must_use]
    pub fn of_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// Something that a URI identifies.
    pub fn at(name: impl Into<String>, uri: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uri: Some(uri.into()),
            digest: BTreeMap::new(),
            media_type: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> String {
        let mut asked = AskedBuild::new("app.wasm", "acme/shop", "x86_64", "default");
        let repository = Some("https://example.com/shop".to_owned());
        asked.source = BuildSource::new(repository, None).into_stated();
        let mut provenance = Provenance::new(asked, Vec::new(), "https://example.com/ci");
        provenance.materials = vec![Material::of_bytes("app.wasm", Sha256Digest::of(b"in"))];
        provenance.invocation = Some("https://example.com/ci/1".to_owned());
        let sbom = Material::of_bytes("shop.cdx.json", Sha256Digest::of(b"bill"));
        provenance.byproducts = vec![
            Material::of_bytes("debug file", Sha256Digest::of(b"debug")),
            sbom.of_type(SBOM_MEDIA_TYPES[0]),
        ];
        let image = Image::of(b"image");
        let bytes = provenance.payload("shop.cwasm", Sha256Digest::of(b"file"), &image);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_provenance_is_read_back() {
        let claims = ProvenanceClaims::decode(payload().as_bytes()).unwrap();
        assert_eq!(claims.builder, "https://example.com/ci");
        assert_eq!(
            claims.source.repository.as_deref(),
            Some("https://example.com/shop")
        );
        assert_eq!(claims.source.revision, None);
        assert!(claims.is_about(Image::of(b"image").fsverity));
        assert!(!claims.is_about(Image::of(b"other").fsverity));
        assert!(claims.subjects[0].has_sha256(Sha256Digest::of(b"file")));
        assert_eq!(claims.subjects[1].name, "acme/shop");
        assert_eq!(claims.sboms, [Sha256Digest::of(b"bill")]);
    }

    #[test]
    fn a_source_is_an_extension_too() {
        let shown = |source: BuildSource| {
            let extensions = source.extensions().unwrap()?;
            let (name, value) = extensions.iter().next()?;
            Some(format!("{name}: {value}"))
        };
        let revision = Some("4ac1".to_owned());
        assert_eq!(
            shown(BuildSource::new(None, revision)).as_deref(),
            Some("edgec.dev/source: {\"revision\":\"4ac1\"}")
        );
        assert_eq!(shown(BuildSource::default()), None);
        let long = BuildSource::new(Some("x".repeat(1 << 16)), None);
        assert!(matches!(
            long.extensions(),
            Err(ExtensionError::Length { .. })
        ));
    }

    #[test]
    fn each_error_has_a_case() {
        let decode = |text: String| ProvenanceClaims::decode(text.as_bytes()).unwrap_err();
        for (from, to) in [
            ("\"runDetails\"", "\"details\""),
            ("\"id\":", "\"name\":"),
            ("\"source\":{", "\"source\":{\"repository\":1,"),
        ] {
            let error = decode(payload().replace(from, to));
            assert!(matches!(error, ProvenanceError::Json(_)), "{error}");
        }
        let other = payload().replace("https://edgec.dev/build/v1", "https://example.com/v1");
        assert!(matches!(decode(other), ProvenanceError::BuildType { .. }));
        let other = payload().replace("slsa.dev/provenance/v1", "slsa.dev/provenance/v0.2");
        assert!(matches!(decode(other), ProvenanceError::Statement(_)));
    }
}
