//! The summary of a build, for people and for machines.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use edgec_compiler::{Adapter, Level};
use edgec_packager::SignedArtifact;
use edgec_targets::Target;
use edgec_verifier::{ENGINE_VERSION, SHIPPED};
use serde::Serialize;

use crate::cold_start::ColdStart;
use crate::commands::validate::kind_name;
use crate::failure::Failure;
use crate::fleet::FleetPlan;
use crate::naming::Job;
use crate::pipeline::Prepared;
use crate::render::{self, count, safe, seconds, size};
use crate::signer::Signer;

/// A whole run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary<'a> {
    key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    development_key: Option<String>,
    #[serde(skip)]
    new_key: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<&'a FleetPlan>,
    pub(super) inputs: Vec<InputReport>,
}

/// What became of one input.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputReport {
    input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    built: Option<Built>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Built {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    adapter: Option<&'static str>,
    input_bytes: usize,
    component_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    init: Option<InitReport>,
    optimized_bytes: usize,
    level: &'static str,
    modules: usize,
    modules_kept: Vec<KeptModule>,
    functions_kept: Vec<KeptFunction>,
    /// Of each core module.
    exports_removed: Vec<usize>,
    duplicates_removed: usize,
    validate_seconds: f64,
    optimize_seconds: f64,
    /// Known faults of the engine's code generation that concern what was made.
    advisories: Vec<Concern>,
    cold_start: ColdStart,
    artifacts: Vec<ArtifactReport>,
}

/// The call of a function before everything else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitReport {
    function: String,
    component_bytes: usize,
    seconds: f64,
}

#[derive(Serialize)]
struct Concern {
    target: &'static str,
    id: &'static str,
    title: &'static str,
}

#[derive(Serialize)]
struct KeptModule {
    module: usize,
    reason: String,
}

/// A function that the optimizer was not given.
#[derive(Serialize)]
struct KeptFunction {
    module: usize,
    /// In the program as it was.
    function: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    reason: String,
}

/// One artifact that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactReport {
    target: &'static str,
    path: String,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug_file: Option<String>,
    compile_seconds: f64,
    package_seconds: f64,
}

impl<'a> Summary<'a> {
    pub(super) fn new(signer: &Signer, fleet: Option<&'a FleetPlan>) -> Self {
        Self {
            key_id: signer.public().id().to_string(),
            development_key: signer.development.as_deref().map(render::path),
            new_key: signer.new,
            fleet,
            inputs: Vec::new(),
        }
    }

    /// Which key signed, and how to check that.
    pub(super) fn closing(&self) -> String {
        let built = self.inputs.iter().filter_map(|input| input.built.as_ref());
        let Some(artifact) = built.flat_map(|built| &built.artifacts).next() else {
            return String::new();
        };
        let Some(public) = &self.development_key else {
            return format!("signed by key {}\n", self.key_id);
        };
        let made = if self.new_key { "the new" } else { "your" };
        format!(
            "signed by {made} development key {}\n  \
             check it: edgec verify --key {public} {}\n",
            self.key_id, artifact.path
        )
    }
}

impl InputReport {
    pub(super) fn failed(input: String, failure: Failure) -> Self {
        Self {
            input,
            error: Some(failure),
            built: None,
        }
    }

    pub(super) fn new(
        job: &Job,
        level: Level,
        prepared: Prepared,
        cold_start: ColdStart,
        artifacts: Vec<ArtifactReport>,
    ) -> Self {
        let optimized = &prepared.optimized;
        let modules_kept = prepared.kept().map(|(module, failure)| KeptModule {
            module,
            reason: safe(&failure.to_string()),
        });
        let functions_kept = prepared
            .kept_functions()
            .map(|(module, kept)| KeptFunction {
                module,
                function: kept.index,
                name: kept.name.as_deref().map(safe),
                reason: kept.reason.to_string(),
            });
        let features = optimized.component.feature_names();
        let concerns = job.outputs.iter().flat_map(|(target, _)| {
            let concerning = SHIPPED
                .iter()
                .filter(|a| a.concerns(ENGINE_VERSION, target.triple(), &features));
            concerning.map(|advisory| Concern {
                target: target.id,
                id: advisory.id,
                title: advisory.title,
            })
        });
        let built = Built {
            name: job.name.clone(),
            kind: kind_name(prepared.kind),
            adapter: prepared.adapter.map(Adapter::name),
            input_bytes: prepared.input.len(),
            component_bytes: prepared.before,
            init: prepared.initialized.as_ref().map(|init| InitReport {
                function: init.function.clone(),
                component_bytes: init.bytes,
                seconds: init.time.as_secs_f64(),
            }),
            optimized_bytes: optimized.component.bytes().len(),
            level: level.name(),
            modules: optimized.modules.len(),
            modules_kept: modules_kept.collect(),
            functions_kept: functions_kept.collect(),
            exports_removed: optimized
                .modules
                .iter()
                .map(|module| module.exports_removed)
                .collect(),
            duplicates_removed: optimized.shared,
            validate_seconds: prepared.validating.as_secs_f64(),
            optimize_seconds: prepared.optimizing.as_secs_f64(),
            advisories: concerns.collect(),
            cold_start,
            artifacts,
        };
        Self {
            input: render::path(&job.input),
            error: None,
            built: Some(built),
        }
    }

    /// What went less well than it could, on standard error.
    pub(super) fn print_warnings(&self) {
        let Some(built) = &self.built else { return };
        for kept in &built.modules_kept {
            eprintln!(
                "warning: {}: core module {} is left as it is: {}",
                self.input, kept.module, kept.reason
            );
        }
        for concern in &built.advisories {
            eprintln!(
                "warning: {}: {} concerns the code for {}: {} (`edgec advisories`)",
                self.input, concern.id, concern.target, concern.title
            );
        }
    }

    /// What the optimizer was not given, and what instantiating it takes longer for than it could, on standard error.
    pub(super) fn print_notes(&self) {
        if let Some(built) = &self.built {
            built.print_functions_kept(&self.input);
            built.cold_start.print(&self.input);
        }
    }

    pub(super) fn text(&self) -> String {
        let Some(built) = &self.built else {
            return String::new();
        };
        let row = |name: &str, what: String, time: f64| {
            let time = seconds(Duration::from_secs_f64(time));
            vec![format!("  {name}"), what, time]
        };
        let adapted = match built.adapter {
            Some("none") => ", wrapped".to_owned(),
            Some(adapter) => format!(", with {adapter}"),
            None => String::new(),
        };
        let mut rows = vec![row(
            "validate",
            format!("{}{adapted}", built.kind),
            built.validate_seconds,
        )];
        let mut before = built.component_bytes;
        if let Some(init) = &built.init {
            rows.push(row(
                "init",
                format!(
                    "{}, {} -> {}",
                    safe(&init.function),
                    size(before as u64),
                    size(init.component_bytes as u64)
                ),
                init.seconds,
            ));
            before = init.component_bytes;
        }
        if built.modules > 0 {
            let optimized = built.modules - built.modules_kept.len();
            let mut gone = Vec::new();
            for (removed, what) in [
                (built.exports_removed.iter().sum(), "unused export"),
                (built.duplicates_removed, "duplicate"),
            ] {
                if removed > 0 {
                    gone.push(count(removed, what));
                }
            }
            let kept = match built.functions_kept.len() {
                0 => String::new(),
                kept => format!(", all but {}", count(kept, "function")),
            };
            let gone = match gone.as_slice() {
                [] => String::new(),
                gone => format!(" without {}", gone.join(" and ")),
            };
            rows.push(row(
                "optimize",
                format!(
                    "-O{}, {optimized} of {}{gone}{kept}, {} -> {}",
                    built.level,
                    count(built.modules, "core module"),
                    size(before as u64),
                    size(built.optimized_bytes as u64)
                ),
                built.optimize_seconds,
            ));
        }
        for artifact in &built.artifacts {
            rows.push(row(
                artifact.target,
                format!("{} ({})", artifact.path, size(artifact.bytes as u64)),
                artifact.compile_seconds + artifact.package_seconds,
            ));
            if let Some(path) = &artifact.debug_file {
                rows.push(vec!["  debug".to_owned(), path.clone()]);
            }
        }
        format!(
            "{} ({}) -> {}\n{}",
            self.input,
            size(built.input_bytes as u64),
            count(built.artifacts.len(), "artifact"),
            render::table(&rows)
        )
    }
}

impl Built {
    /// One line for each module and reason.
    fn print_functions_kept(&self, input: &str) {
        let mut alike = BTreeMap::<(usize, &str), Vec<&KeptFunction>>::new();
        for kept in &self.functions_kept {
            let alike = alike
                .entry((kept.module, kept.reason.as_str()))
                .or_default();
            alike.push(kept);
        }
        for ((module, reason), functions) in alike {
            let Some(first) = functions.first() else {
                continue;
            };
            let first = match &first.name {
                Some(name) => format!("`{name}`"),
                None => format!("number {}", first.function),
            };
            let which = match functions.len() {
                1 => format!("function {first}"),
                more => format!("{more} functions (the first is {first})"),
            };
            eprintln!(
                "note: {input}: core module {module}: not optimized: {which}, because of {reason}"
            );
        }
    }
}

impl ArtifactReport {
    pub(super) fn new(
        target: &'static Target,
        path: &Path,
        signed: &SignedArtifact,
        debug_file: Option<&Path>,
        compiling: Duration,
        packaging: Duration,
    ) -> Self {
        Self {
            target: target.id,
            path: render::path(path),
            bytes: signed.as_bytes().len(),
            debug_file: debug_file.map(render::path),
            compile_seconds: compiling.as_secs_f64(),
            package_seconds: packaging.as_secs_f64(),
        }
    }
}
