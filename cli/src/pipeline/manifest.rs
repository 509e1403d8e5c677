//! What a manifest says of how its image was made.

use std::collections::BTreeMap;

use edgec_artifact::{
    Builder, Bytes, Capabilities, Engine, Exports, Extensions, Image, Kind, LimitRange, Manifest,
    Resources, Sha256Digest, Source, Stage, TargetCpu, Validity,
};
use edgec_compiler::{
    ADAPTER_VERSION, Adapter, ENCODER_VERSION, ENGINE_VERSION, EngineProfile, Level, NativeImage,
    TEXT_VERSION, WIZER_VERSION,
};

use super::{Prepared, Recipe};

/// What a release says of itself; the same for every target.
pub(crate) struct Release {
    pub(crate) version: u64,
    pub(crate) display_version: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) validity: Validity,
    /// A build has none; a rebuild repeats those of the artifact.
    pub(crate) extensions: Option<Extensions>,
}

/// The manifest of `image`, but for the image's digests.
pub(crate) fn manifest(
    release: &Release,
    name: &str,
    recipe: &Recipe,
    prepared: &Prepared,
    image: &NativeImage,
) -> impl FnOnce(Image) -> Manifest + use<> {
    let program = &prepared.optimized.component;
    let interface = program.interface();
    let target = image.target();
    let mut cpu_features: Vec<String> = target.features.iter().map(|f| f.name.to_owned()).collect();
    cpu_features.sort();
    let mut manifest = Manifest {
        name: name.to_owned(),
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
            input: Bytes::of(&prepared.input),
            optimized: Bytes::of(program.bytes()),
        },
        target: TargetCpu {
            id: target.id.to_owned(),
            triple: target.triple().to_owned(),
            level: target.level.to_owned(),
            cpu_features,
        },
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
        resources: resources(&program.resources()),
        wasm_features: program.feature_names(),
        validity: release.validity.into_stated(),
        builder: Builder {
            edgec: env!("CARGO_PKG_VERSION").to_owned(),
            stages: stages(recipe, prepared),
        },
        extensions: release.extensions.clone(),
    };
    move |digests| {
        manifest.image = digests;
        manifest
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
    let mut stages = Vec::new();
    if prepared.from_text {
        stages.push(Stage {
            name: "parse".to_owned(),
            tool: "wat".to_owned(),
            version: TEXT_VERSION.to_owned(),
            settings: BTreeMap::new(),
        });
    }
    if let Some(choice) = &prepared.choice {
        // A rebuild asks for the same kind, and gets the same answer.
        let mut chosen = settings([
            ("asked", choice.asked.name().to_owned()),
            ("chosen", kind(prepared.kind).name().to_owned()),
            ("because", choice.why.to_string()),
        ]);
        if let Some(lacks) = &choice.lacks {
            chosen.insert("lacks".to_owned(), lacks.to_string());
        }
        stages.push(Stage {
            name: "kind".to_owned(),
            tool: "edgec".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: chosen,
        });
    }
    if let Some(adapter) = prepared.adapter {
        let mut chosen = settings([("adapter", adapter.name().to_owned())]);
        if adapter != Adapter::None {
            chosen.insert("adapterVersion".to_owned(), ADAPTER_VERSION.to_owned());
        }
        stages.push(Stage {
            name: "adapt".to_owned(),
            tool: "wit-component".to_owned(),
            version: ENCODER_VERSION.to_owned(),
            settings: chosen,
        });
    }
    if let Some(init) = &prepared.initialized {
        stages.push(Stage {
            name: "init".to_owned(),
            tool: "wasmtime-wizer".to_owned(),
            version: WIZER_VERSION.to_owned(),
            settings: settings([
                ("function", init.function.clone()),
                ("imports", "trap".to_owned()),
                ("nanCanonicalization", "true".to_owned()),
            ]),
        });
    }
    if recipe.level != Level::O0 {
        let mut chosen = settings([("level", recipe.level.name().to_owned())]);
        if let Some(list) = recipe.level.list() {
            chosen.insert("passes".to_owned(), list.to_owned());
        }
        if prepared.optimized.component.kind() == edgec_compiler::Kind::Component {
            chosen.insert("shareModules".to_owned(), "true".to_owned());
            chosen.insert("trimExports".to_owned(), "true".to_owned());
        }
        let left: Vec<String> = prepared
            .kept()
            .map(|(number, _)| number.to_string())
            .collect();
        if !left.is_empty() {
            // They were left on request, or the optimizer crashed on them. A rebuild needs their
            // numbers.
            chosen.insert("modulesKept".to_owned(), left.join(","));
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
            chosen.insert("functionsKept".to_owned(), kept.join(","));
        }
        stages.push(Stage {
            name: "optimize".to_owned(),
            tool: recipe.optimizer.tool.clone(),
            version: recipe.optimizer.version.clone(),
            settings: chosen,
        });
    }
    let edge = recipe.profile == EngineProfile::Edge;
    let own = |name: &str, setting, value: &str| Stage {
        name: name.to_owned(),
        tool: "edgec".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: settings([(setting, value.to_owned())]),
    };
    if edge {
        stages.push(own("order", "functions", "escaping-first"));
    }
    stages.push(Stage {
        name: "precompile".to_owned(),
        tool: "wasmtime".to_owned(),
        version: ENGINE_VERSION.to_owned(),
        settings: settings([("optLevel", "speed".to_owned())]),
    });
    if edge {
        stages.push(own("trim", "metadata", "escaping"));
    }
    stages
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
