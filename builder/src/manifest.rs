//! Writes what a manifest says about how its image was made.

use edgec_artifact::{
    Builder, Bytes, Capabilities, Engine, Exports, Extensions, Image, LimitRange, Manifest,
    ProgramKind, Resources, Sha256Digest, Source, TargetCpu, Validity,
};
use edgec_compiler::{ENGINE_VERSION, NativeImage, ValidComponent};
use edgec_targets::Target;

use crate::prepared::Prepared;
use crate::recipe::Recipe;
use crate::stages;

/// The release that an artifact belongs to; the same for every target.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Release {
    /// A number that grows with each release.
    pub version: u64,
    /// The version in the form that people write.
    pub display_version: Option<String>,
    /// The release channel.
    pub channel: Option<String>,
    /// When the artifact may be used.
    pub validity: Validity,
    /// The publisher's own fields. A rebuild repeats those of the artifact.
    pub extensions: Option<Extensions>,
}

/// The manifests of a program, one for each image. Facts about the program itself are read once.
pub(crate) struct Manifests<'a> {
    release: &'a Release,
    name: &'a str,
    recipe: &'a Recipe,
    prepared: &'a Prepared,
    optimized: Bytes,
}

/// A manifest that lacks the facts about its image's bytes.
pub(crate) struct WithoutImage<'a> {
    of: &'a Manifests<'a>,
    kind: ProgramKind,
    target: TargetCpu,
    engine: Engine,
}

impl<'a> Manifests<'a> {
    pub(crate) fn new(
        release: &'a Release,
        name: &'a str,
        recipe: &'a Recipe,
        prepared: &'a Prepared,
    ) -> Self {
        Self {
            release,
            name,
            recipe,
            prepared,
            optimized: program(&prepared.optimized.component),
        }
    }

    /// The manifest of `image`, without the facts about its bytes.
    pub(crate) fn of(&'a self, image: &NativeImage) -> WithoutImage<'a> {
        WithoutImage {
            of: self,
            kind: image.kind(),
            target: target(image.target()),
            engine: Engine::wasmtime(
                ENGINE_VERSION,
                image.profile().name(),
                stages::settings(image.tunables().iter().cloned()),
                Sha256Digest(image.compatibility_hash()),
            ),
        }
    }
}

fn program(program: &ValidComponent) -> Bytes {
    let length = program.bytes().len() as u64;
    Bytes::new(length, Sha256Digest(program.sha256()))
}

impl WithoutImage<'_> {
    /// The whole manifest.
    pub(crate) fn with(self, image: Image) -> Manifest {
        let Manifests {
            release,
            name,
            recipe,
            prepared,
            optimized,
        } = self.of;
        let interface = prepared.interface.clone();
        let imports = interface.imports.into_iter().collect();
        let mut manifest = Manifest::new(
            *name,
            release.version,
            self.kind,
            image,
            Source::new(prepared.input.clone(), optimized.clone()),
            self.target,
            self.engine,
            Capabilities::new(imports, Exports::of(interface.exports)),
            Builder::new(env!("CARGO_PKG_VERSION"), stages::written(recipe, prepared)),
        );
        manifest.display_version = release.display_version.clone();
        manifest.channel = release.channel.clone();
        manifest.resources = resources(&prepared.resources);
        manifest.wasm_features = prepared.optimized.component.feature_names();
        manifest.validity = release.validity.into_stated();
        manifest.extensions = release.extensions.clone();
        manifest
    }
}

fn target(target: &Target) -> TargetCpu {
    let mut cpu_features: Vec<String> = target.features.iter().map(|f| f.name.to_owned()).collect();
    cpu_features.sort();
    TargetCpu::new(target.id, target.triple(), target.level, cpu_features)
}

/// The resources of an instance, in the manifest's form.
pub(crate) fn resources(needs: &edgec_compiler::Resources) -> Resources {
    let ranges = |limits: &[edgec_compiler::Limits]| {
        let range =
            |limits: &edgec_compiler::Limits| LimitRange::new(limits.minimum, limits.maximum);
        limits.iter().map(range).collect()
    };
    let (memories, tables) = (ranges(&needs.memories), ranges(&needs.tables));
    let mut resources = Resources::new(needs.core_instances, memories, tables);
    resources.complete = needs.complete;
    resources
}
