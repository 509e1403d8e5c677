//! The SLSA provenance of a build (`docs/provenance.md`).
//!
//! The manifest already says how an image was made, so most of a provenance comes from it. The
//! caller adds what only the caller knows: the builder, the source, and the names of files.

use std::ffi::OsStr;
use std::path::Path;

use edgec_artifact::{
    AskedBuild, BuildSource, Image, Manifest, Material, Provenance, Sha256Digest, Stage,
};
use edgec_compiler::{ENGINE_VERSION, Flatten, PruneImports, WitFile, WorldSource};
use edgec_packager::{KeyIdHint, Signer, UnsignedAttestation};

use crate::recipe::Recipe;
use crate::stages::added_world;

/// What the caller of a build knows about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Origin {
    /// The input's file name, without folders.
    pub input: String,
    /// The builder's identity, a URI.
    pub builder: String,
    /// The source of the input, if the caller states it.
    pub source: BuildSource,
    /// The run of the build, a URI.
    pub invocation: Option<String>,
    /// Programs that the caller named, by the names of tools in manifests, such as `wasm-opt`.
    /// Those that no stage used are not stated.
    pub tools: Vec<Material>,
    /// What the caller made of the input beside the artifacts, such as bills of materials.
    pub byproducts: Vec<Material>,
    /// The file name of each artifact, in the order of the plan's targets.
    pub files: Vec<String>,
}

impl Origin {
    /// A build from the input file of this name, by this builder.
    pub fn new(input: impl Into<String>, builder: impl Into<String>, files: Vec<String>) -> Self {
        Self {
            input: input.into(),
            builder: builder.into(),
            source: BuildSource::default(),
            invocation: None,
            tools: Vec::new(),
            byproducts: Vec::new(),
            files,
        }
    }

    /// The provenance of an artifact, before it is signed. `file` is the artifact's file name, and
    /// `debug_file` is the debug file that the build made.
    pub(crate) fn draft(
        &self,
        recipe: &Recipe,
        manifest: &Manifest,
        file: &str,
        debug_file: Option<&[u8]>,
    ) -> Draft {
        let stages = &manifest.builder.stages;
        let mut provenance = Provenance::new(
            self.asked(recipe, manifest),
            stages.clone(),
            self.builder.as_str(),
        );
        let input = Material::of_bytes(self.input.as_str(), manifest.source.input.sha256);
        provenance.materials.push(input);
        provenance.materials.extend(of_source(&self.source));
        let adapters = stages.iter().filter_map(of_adapter);
        provenance.materials.extend(adapters);
        if added_world(stages).is_some() {
            let files = recipe.wit.iter().flat_map(of_wit);
            provenance.materials.extend(files);
        }
        let is_used = |tool: &&Material| stages.iter().any(|stage| stage.tool == tool.name);
        let tools = self.tools.iter().filter(is_used);
        provenance.materials.extend(tools.cloned());
        for (tool, version) in [
            ("edgec", env!("CARGO_PKG_VERSION")),
            ("wasmtime", ENGINE_VERSION),
        ] {
            let version = version.to_owned();
            provenance.versions.insert(tool.to_owned(), version);
        }
        provenance.invocation.clone_from(&self.invocation);
        let optimized = manifest.source.optimized.sha256;
        let optimized = Material::of_bytes("optimized.wasm", optimized);
        provenance.byproducts.push(optimized);
        if let Some(bytes) = debug_file {
            let debug_file = Material::of_bytes("debug file", Sha256Digest::of(bytes));
            provenance.byproducts.push(debug_file);
        }
        provenance
            .byproducts
            .extend(self.byproducts.iter().cloned());
        Draft {
            provenance,
            file: file.to_owned(),
            image: manifest.image.clone(),
        }
    }

    fn asked(&self, recipe: &Recipe, manifest: &Manifest) -> AskedBuild {
        let mut asked = AskedBuild::new(
            self.input.as_str(),
            manifest.name.as_str(),
            manifest.target.id.as_str(),
            manifest.engine.profile.as_str(),
        );
        asked.source = self.source.clone().into_stated();
        asked.version = manifest.version;
        asked.display_version.clone_from(&manifest.display_version);
        asked.channel.clone_from(&manifest.channel);
        asked.validity = manifest.validity;
        asked.kind = recipe.kind.name().to_owned();
        asked.level = recipe.level.name().to_owned();
        asked.flatten = recipe.flatten == Flatten::Merge;
        asked.prune_imports = recipe.prune_imports == PruneImports::Unused;
        asked.init.clone_from(&recipe.init);
        asked.keep_modules = recipe.tools.optimizer.spared.iter().copied().collect();
        asked
    }
}

/// The source as a material. A revision that is the id of a commit is its digest too.
fn of_source(source: &BuildSource) -> Option<Material> {
    let repository = source.repository.as_deref()?;
    let mut material = Material::at("source", repository);
    if let Some(revision) = source.revision.as_ref().filter(|it| is_commit(it)) {
        let algorithm = "gitCommit".to_owned();
        material.digest.insert(algorithm, revision.clone());
    }
    Some(material)
}

/// Whether a revision is the id of a Git commit: SHA-1 or SHA-256 in lowercase hexadecimal.
fn is_commit(revision: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    matches!(revision.len(), 40 | 64) && revision.bytes().all(is_digit)
}

/// The adapter that made a component of a core module, if one did.
fn of_adapter(stage: &Stage) -> Option<Material> {
    let version = stage.settings.get("adapterVersion")?;
    let name = stage.settings.get("adapter")?;
    let package = "pkg:cargo/wasi-preview1-component-adapter-provider";
    Some(Material::at(
        format!("adapter {name}"),
        format!("{package}@{version}"),
    ))
}

/// The files of WIT that gave a core module its component types. Folders are left out of their
/// names, as with the input.
fn of_wit(wit: &WorldSource) -> Vec<Material> {
    let packages = match wit {
        WorldSource::Files { packages, .. } => packages.as_slice(),
        WorldSource::Wasi(_) => &[],
    };
    let files = packages.iter().flat_map(|package| &package.files);
    let material = |file: &WitFile| {
        let name = Path::new(&file.name).file_name();
        let name = name.map_or_else(|| file.name.as_str().into(), OsStr::to_string_lossy);
        Material::of_bytes(format!("wit {name}"), Sha256Digest::of(&file.bytes))
    };
    files.map(material).collect()
}

/// A provenance that lacks the digest of its artifact, which is known when the artifact is signed.
#[derive(Debug)]
pub(crate) struct Draft {
    provenance: Provenance,
    file: String,
    image: Image,
}

impl Draft {
    /// The signed provenance of a signed artifact.
    pub(crate) fn sign<S: Signer>(&self, artifact: &[u8], signer: &S) -> Result<Vec<u8>, S::Error> {
        let sha256 = Sha256Digest::of(artifact);
        let payload = self.provenance.payload(&self.file, sha256, &self.image);
        let unsigned = UnsignedAttestation::new(payload);
        Ok(unsigned.sign(signer, KeyIdHint::LeftOut)?.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_of_a_commit_is_a_digest() {
        let material = |revision: &str| {
            let repository = Some("https://example.com/shop".to_owned());
            of_source(&BuildSource::new(repository, Some(revision.to_owned()))).unwrap()
        };
        let commit = "4a".repeat(20);
        assert_eq!(material(&commit).digest["gitCommit"], commit);
        for other in ["v1.2", "r4711", &commit[1..], &commit.to_uppercase()] {
            assert!(material(other).digest.is_empty(), "{other}");
        }
        let revision = Some(commit);
        assert_eq!(of_source(&BuildSource::new(None, revision)), None);
    }
}
