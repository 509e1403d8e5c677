//! What a manifest says of how its image was made.

use std::collections::BTreeMap;

use edgec_artifact::{
    Builder, Bytes, Capabilities, Engine, Exports, Extensions, Image, Kind, LimitRange, Manifest,
    Resources, Sha256Digest, Source, Stage, TargetCpu, Validity,
};
use edgec_compiler::{
    ADAPTER_VERSION, Adapter, Choice, ENCODER_VERSION, ENGINE_VERSION, EngineProfile, Interface,
    Level, NativeImage, TEXT_VERSION, WIZER_VERSION,
};
use edgec_targets::Target;

use super::{Initialized, Prepared, Recipe};

/// What a release says of itself; the same for every target.
pub(crate) struct Release {
    pub(crate) version: u64,
    pub(crate) display_version: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) validity: Validity,
    /// A build has none; a rebuild repeats those of the artifact.
    pub(crate) extensions: Option<Extensions>,
}

/// The manifests of a program, one for each image. What the program itself says is read once.
pub(crate) struct Manifests<'a> {
    release: &'a Release,
    name: &'a str,
    recipe: &'a Recipe,
    prepared: &'a Prepared,
    optimized: Bytes,
    interface: Interface,
    resources: Resources,
}

impl<'a> Manifests<'a> {
    pub(crate) fn new(
        release: &'a Release,
        name: &'a str,
        recipe: &'a Recipe,
        prepared: &'a Prepared,
    ) -> Self {
        let program = &prepared.optimized.component;
        Self {
            release,
            name,
            recipe,
            prepared,
            optimized: Bytes::of(program.bytes()),
            interface: prepared.interface.clone(),
            resources: resources(&prepared.resources),
        }
    }

    /// The manifest of `image`, but for the image's digests.
    pub(crate) fn of(&self, image: &NativeImage) -> impl FnOnce(Image) -> Manifest + use<> {
        let (release, interface) = (self.release, self.interface.clone());
        let mut manifest = Manifest {
            name: self.name.to_owned(),
            version: release.version,
            display_version: release.display_version.clone(),
            channel: release.channel.clone(),
            kind: kind(image.kind()),
            image: Image {
                length: 0,
                sha256: Sha256Digest([0; 32]),
                fsverity: edgec_artifact::VerityDigest([0; 32]),
            },
            source: Source {
                input: self.prepared.input.clone(),
                optimized: self.optimized.clone(),
            },
            target: target(image.target()),
            engine: Engine {
                name: "wasmtime".to_owned(),
                version: ENGINE_VERSION.to_owned(),
                profile: image.profile().name().to_owned(),
                tunables: settings(image.tunables().iter().cloned()),
                compatibility_hash: Sha256Digest(image.compatibility_hash()),
            },
            capabilities: Capabilities {
                imports: interface.imports.into_iter().collect(),
                exports: Exports::of(interface.exports),
            },
            resources: self.resources.clone(),
            wasm_features: self.prepared.optimized.component.feature_names(),
            validity: release.validity.into_stated(),
            builder: Builder {
                edgec: env!("CARGO_PKG_VERSION").to_owned(),
                stages: stages(self.recipe, self.prepared),
            },
            extensions: release.extensions.clone(),
        };
        move |digests| {
            manifest.image = digests;
            manifest
        }
    }
}

fn target(target: &Target) -> TargetCpu {
    let mut cpu_features: Vec<String> = target.features.iter().map(|f| f.name.to_owned()).collect();
    cpu_features.sort();
    TargetCpu {
        id: target.id.to_owned(),
        triple: target.triple().to_owned(),
        level: target.level.to_owned(),
        cpu_features,
    }
}

const fn kind(kind: edgec_compiler::Kind) -> Kind {
    match kind {
        edgec_compiler::Kind::Component => Kind::Component,
        edgec_compiler::Kind::Module => Kind::Module,
    }
}

/// The stages that the input went through.
fn stages(recipe: &Recipe, prepared: &Prepared) -> Vec<Stage> {
    let edge = recipe.profile == EngineProfile::Edge;
    let stages = [
        prepared
            .from_text
            .then(|| stage("parse", "wat", TEXT_VERSION, [])),
        prepared
            .choice
            .as_ref()
            .map(|choice| kind_stage(choice, prepared.kind)),
        prepared.adapter.map(adapt_stage),
        prepared.initialized.as_ref().map(init_stage),
        (recipe.level != Level::O0).then(|| optimize_stage(recipe, prepared)),
        edge.then(|| own_stage("order", [("functions", "escaping-first".to_owned())])),
        Some(stage(
            "precompile",
            "wasmtime",
            ENGINE_VERSION,
            [("optLevel", "speed".to_owned())],
        )),
        edge.then(|| own_stage("trim", [("metadata", "escaping".to_owned())])),
    ];
    stages.into_iter().flatten().collect()
}

fn kind_stage(choice: &Choice, chosen: edgec_compiler::Kind) -> Stage {
    // A rebuild asks for the same kind, and gets the same answer.
    let mut stage = own_stage(
        "kind",
        [
            ("asked", choice.asked.name().to_owned()),
            ("chosen", kind(chosen).name().to_owned()),
            ("because", choice.why.to_string()),
        ],
    );
    let lacks = choice.lacks.as_ref();
    let lacks = lacks.map(|lacks| ("lacks".to_owned(), lacks.to_string()));
    stage.settings.extend(lacks);
    stage
}

fn adapt_stage(adapter: Adapter) -> Stage {
    let mut chosen = vec![("adapter", adapter.name().to_owned())];
    if adapter != Adapter::None {
        chosen.push(("adapterVersion", ADAPTER_VERSION.to_owned()));
    }
    stage("adapt", "wit-component", ENCODER_VERSION, chosen)
}

fn init_stage(init: &Initialized) -> Stage {
    let settings = [
        ("function", init.function.clone()),
        ("imports", "trap".to_owned()),
        ("nanCanonicalization", "true".to_owned()),
    ];
    stage("init", "wasmtime-wizer", WIZER_VERSION, settings)
}

fn optimize_stage(recipe: &Recipe, prepared: &Prepared) -> Stage {
    let mut chosen = vec![("level", recipe.level.name().to_owned())];
    if let Some(list) = recipe.level.list() {
        chosen.push(("passes", list.to_owned()));
    }
    if prepared.optimized.component.kind() == edgec_compiler::Kind::Component {
        chosen.push(("shareModules", "true".to_owned()));
        chosen.push(("trimExports", "true".to_owned()));
    }
    let left: Vec<String> = prepared
        .kept()
        .map(|(number, _)| number.to_string())
        .collect();
    if !left.is_empty() {
        // They were left on request, or the optimizer failed on them. A rebuild needs their
        // numbers.
        chosen.push(("modulesKept", left.join(",")));
    }
    let mut functions = BTreeMap::<usize, usize>::new();
    for (number, _) in prepared.kept_functions() {
        *functions.entry(number).or_default() += 1;
    }
    if !functions.is_empty() {
        // The number in each module. Which functions, and why, follows from the input and the
        // list of passes.
        let kept = functions
            .iter()
            .map(|(number, kept)| format!("{number}:{kept}"));
        let kept: Vec<String> = kept.collect();
        chosen.push(("functionsKept", kept.join(",")));
    }
    let optimizer = &recipe.optimizer;
    stage(
        "optimize",
        optimizer.tool.name(),
        &optimizer.version,
        chosen,
    )
}

/// A stage of edgec's own.
fn own_stage(name: &str, settings: impl IntoIterator<Item = (&'static str, String)>) -> Stage {
    stage(name, "edgec", env!("CARGO_PKG_VERSION"), settings)
}

fn stage(
    name: &str,
    tool: &str,
    version: &str,
    settings: impl IntoIterator<Item = (&'static str, String)>,
) -> Stage {
    Stage {
        name: name.to_owned(),
        tool: tool.to_owned(),
        version: version.to_owned(),
        settings: self::settings(settings),
    }
}

fn settings(pairs: impl IntoIterator<Item = (&'static str, String)>) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What an instance needs, as a manifest has it.
pub(super) fn resources(needs: &edgec_compiler::Resources) -> Resources {
    let ranges = |limits: &[edgec_compiler::Limits]| {
        let range = |limits: &edgec_compiler::Limits| LimitRange {
            minimum: limits.minimum,
            maximum: limits.maximum,
        };
        limits.iter().map(range).collect()
    };
    Resources {
        core_instances: needs.core_instances,
        memories: ranges(&needs.memories),
        tables: ranges(&needs.tables),
        complete: needs.complete,
    }
}
