//! The summary of a build, for people and for machines.

mod artifact;
mod flattened;
mod kept;
mod parts;
mod rows;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use edgec_builder::{Program, Times};
use edgec_compiler::{Adapter, Gate, Level};
use serde::Serialize;

pub(super) use self::artifact::ArtifactReport;
use self::flattened::FlattenReport;
use self::kept::{ImportsKept, KeptFunction, KeptModule, RemovedBy};
use self::parts::{InitReport, KindReport, TranslateReport, TypesReport};
use super::concerns::{self, Concern};
use crate::caching::CacheReport;
use crate::cold_start::{ColdStart, Modules};
use crate::commands::validate::kind_name;
use crate::failure::Failure;
use crate::fleet::FleetPlan;
use crate::gate::GateReport;
use crate::naming::Job;
use crate::render::{self, count, safe, size};
use crate::signer::Signer;
use crate::workers::ConfinementReport;

/// A whole run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary<'a> {
    /// The key that signed. `None` if no input was compiled, because then no key was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// The other keys, if the components of a project have several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_key_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    development_key: Option<String>,
    #[serde(skip)]
    new_key: bool,
    /// Whether the artifacts stay unsigned, on request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) unsigned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<&'a FleetPlan>,
    /// All fleets, if a project has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fleets: Vec<&'a FleetPlan>,
    /// What confined the processes of the build, if the user asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    confinement: Option<ConfinementReport>,
    /// How much the build cache was used, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<CacheReport>,
    pub(super) inputs: Vec<InputReport>,
}

/// The result for one input.
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
    /// For a core module: the kind that it became, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind_choice: Option<KindReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adapter: Option<&'static str>,
    /// The component types that edgec added to a core module.
    #[serde(skip_serializing_if = "Option::is_none")]
    component_types: Option<TypesReport>,
    /// What was demanded of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<GateReport>,
    input_bytes: u64,
    /// How exceptions from before the standard were translated.
    #[serde(skip_serializing_if = "Option::is_none")]
    translate: Option<TranslateReport>,
    component_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    init: Option<InitReport>,
    optimized_bytes: usize,
    level: &'static str,
    /// How core modules were merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    flatten: Option<FlattenReport>,
    modules: usize,
    modules_kept: Vec<KeptModule>,
    functions_kept: Vec<KeptFunction>,
    /// One number for each core module.
    exports_removed: Vec<usize>,
    /// Imports that were removed: of a core module by the optimizer, of a component on request.
    imports_removed: Vec<String>,
    #[serde(skip)]
    imports_removed_by: RemovedBy,
    /// Why unused imports were not removed, although the user asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    imports_kept: Option<ImportsKept>,
    duplicates_removed: usize,
    /// The length of the names of functions, which no artifact contains.
    names_bytes_removed: usize,
    validate_seconds: f64,
    optimize_seconds: f64,
    read_seconds: f64,
    write_seconds: f64,
    /// The total includes reading and writing.
    #[serde(flatten)]
    times: Times,
    /// Known faults of the engine's code generation that affect this program.
    advisories: Vec<Concern>,
    cold_start: ColdStart,
    /// Whether new capabilities are denied, and there is no previous artifact to compare with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    capabilities_not_compared: bool,
    artifacts: Vec<ArtifactReport>,
    /// The file of the release, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    /// The files of the bills of materials, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sboms: Vec<String>,
}

/// How long the command line worked with the files of an input, which the builder does not see.
pub(super) struct FileTimes {
    pub(super) reading: Duration,
    /// Writing all artifacts and debug files.
    pub(super) writing: Duration,
}

impl<'a> Summary<'a> {
    pub(super) fn new(fleets: &'a [FleetPlan], confinement: Option<ConfinementReport>) -> Self {
        Self {
            key_id: None,
            more_key_ids: Vec::new(),
            development_key: None,
            new_key: false,
            unsigned: false,
            fleet: fleets.first(),
            fleets: match fleets {
                [_, _, ..] => fleets.iter().collect(),
                _ => Vec::new(),
            },
            confinement,
            cache: None,
            inputs: Vec::new(),
        }
    }

    /// What failed.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.inputs.iter().filter_map(|input| input.error.as_ref())
    }

    /// Adds a signer that was opened.
    pub(super) fn add(&mut self, signer: &Signer) {
        for key in signer.public().iter() {
            let id = key.id().to_string();
            match &self.key_id {
                None => self.key_id = Some(id),
                Some(_) => self.more_key_ids.push(id),
            }
        }
        if let Some(development) = &signer.development {
            self.development_key = Some(render::path(development));
            self.new_key = signer.new;
        }
    }

    /// Which key signed, and how to check this.
    pub(super) fn closing(&self) -> String {
        let built = self.inputs.iter().filter_map(|input| input.built.as_ref());
        let artifact = built.flat_map(|built| &built.artifacts).next();
        let cached = self
            .cache
            .as_ref()
            .map(CacheReport::line)
            .unwrap_or_default();
        if let Some(artifact) = artifact.filter(|_| self.unsigned) {
            return format!(
                "{cached}not signed: no host takes these artifacts\n  \
                 sign one: edgec sign {} -o NAME.cwasm\n",
                word(&artifact.path)
            );
        }
        let (Some(artifact), Some(key_id)) = (artifact, &self.key_id) else {
            return String::new();
        };
        let Some(public) = &self.development_key else {
            let keys = [key_id].into_iter().chain(&self.more_key_ids);
            let signed = keys.map(|id| format!("signed by key {id}\n"));
            return [cached].into_iter().chain(signed).collect();
        };
        let made = if self.new_key { "the new" } else { "your" };
        format!(
            "{cached}signed by {made} development key {key_id}\n  \
             check it: edgec verify --key {} {}\n",
            word(public),
            word(&artifact.path)
        )
    }
}

/// A path, quoted if a shell would not take it as one word.
fn word(path: &str) -> Cow<'_, str> {
    shlex::try_quote(path).unwrap_or(Cow::Borrowed(path))
}

impl InputReport {
    pub(super) fn failed(input: String, failure: Failure) -> Self {
        Self {
            input,
            error: Some(failure),
            built: None,
        }
    }

    /// The report on a compiled input. [`Self::written`] adds the rest.
    pub(super) fn compiled(job: &Job, level: Level, program: Program) -> Self {
        let (prepared, lint) = (program.prepared, program.lint);
        let optimized = &prepared.optimized;
        let modules = optimized.modules.iter();
        let removed_imports = optimized.imports_removed.iter();
        let choice = prepared.choice.as_ref();
        let merged = optimized.flattened.as_ref();
        let origin = match prepared.adapter {
            Some(_) => Modules::Adapted { merged },
            None => Modules::Own,
        };
        let built = Built {
            name: job.name.clone(),
            kind: kind_name(prepared.kind),
            kind_choice: choice.map(|choice| KindReport::new(choice, prepared.kind)),
            adapter: prepared.adapter.map(Adapter::name),
            component_types: TypesReport::of(&prepared),
            gate: None,
            input_bytes: prepared.input.length,
            translate: TranslateReport::of(&prepared),
            component_bytes: prepared.before,
            init: InitReport::of(&prepared),
            optimized_bytes: optimized.component.bytes().len(),
            level: level.name(),
            flatten: merged.map(FlattenReport::new),
            modules: optimized.modules.len(),
            modules_kept: KeptModule::all(&prepared),
            functions_kept: KeptFunction::all(&prepared),
            exports_removed: modules.map(|module| module.exports_removed).collect(),
            imports_removed: removed_imports.map(|name| safe(name)).collect(),
            imports_removed_by: RemovedBy::of(optimized.component.kind()),
            imports_kept: optimized.not_pruned.map(ImportsKept::new),
            duplicates_removed: optimized.shared,
            names_bytes_removed: prepared.names_len,
            validate_seconds: prepared.validating.as_secs_f64(),
            optimize_seconds: prepared.optimizing.as_secs_f64(),
            read_seconds: 0.0,
            write_seconds: 0.0,
            times: Times::default(),
            advisories: concerns::of(job, &optimized.component),
            cold_start: ColdStart::of_program(lint, optimized.component.kind(), origin),
            capabilities_not_compared: false,
            artifacts: Vec::new(),
            release: None,
            sboms: Vec::new(),
        };
        Self {
            input: render::path(&job.input),
            error: None,
            built: Some(built),
        }
    }

    /// The same report, for a program that broke none of these demands.
    pub(super) fn with_gate(mut self, gate: &Gate) -> Self {
        if let Some(built) = &mut self.built {
            built.gate = GateReport::of(gate);
        }
        self
    }

    /// The same report, for a program whose capabilities were compared with those of a previous
    /// artifact, if that was asked for.
    pub(super) fn with_comparison(mut self, is_compared: bool) -> Self {
        if let Some(built) = &mut self.built {
            built.capabilities_not_compared = !is_compared;
        }
        self
    }

    /// The same report, with the file of the release, and those of bills of materials.
    pub(super) fn with_files(mut self, release: Option<&Path>, sboms: Vec<&Path>) -> Self {
        if let Some(built) = &mut self.built {
            built.release = release.map(render::path);
            built.sboms = sboms.into_iter().map(render::path).collect();
        }
        self
    }

    /// The same report, after the input's artifacts were written.
    pub(super) fn written(
        mut self,
        artifacts: Vec<ArtifactReport>,
        times: Times,
        with_files: FileTimes,
    ) -> Self {
        if let Some(built) = &mut self.built {
            let FileTimes { reading, writing } = with_files;
            built.artifacts = artifacts;
            built.read_seconds = reading.as_secs_f64();
            built.write_seconds = writing.as_secs_f64();
            built.times = times;
            built.times.total += reading + writing;
        }
        self
    }

    /// Prints to standard error what did not go as well as possible.
    pub(super) fn print_warnings(&self) {
        let Some(built) = &self.built else { return };
        if let Some(lacks) = built.kind_choice.iter().find_map(|it| it.lacks.as_ref()) {
            eprintln!(
                "warning: {}: the component may behave differently from the core module: {lacks}",
                self.input
            );
        }
        built.print_modules_kept(&self.input);
        built.print_imports_kept(&self.input);
        concerns::print(&built.advisories, &self.input);
    }

    /// Prints to standard error what was not merged, what the optimizer did not get, and what makes
    /// instantiation slower than necessary.
    pub(super) fn print_notes(&self) {
        if let Some(built) = &self.built {
            if let Some(flatten) = &built.flatten {
                flatten.print_kept(&self.input);
            }
            if built.capabilities_not_compared {
                eprintln!(
                    "note: {}: there is no previous artifact, so its imports were not compared \
                     (--baseline)",
                    self.input
                );
            }
            built.print_functions_kept(&self.input);
            built.print_imports_removed(&self.input);
            built.cold_start.print(&self.input);
        }
    }

    pub(super) fn text(&self) -> String {
        let Some(built) = &self.built else {
            return String::new();
        };
        let mut rows = Vec::new();
        rows.extend(built.translate_row());
        rows.push(built.validate_row());
        rows.extend(built.init_row());
        rows.extend(built.flatten.iter().filter_map(FlattenReport::row));
        rows.extend(built.optimize_row());
        rows.extend(built.prune_row());
        rows.extend(built.artifacts.iter().flat_map(ArtifactReport::rows));
        let release = |path: &String| vec!["  release".to_owned(), path.clone()];
        rows.extend(built.release.iter().map(release));
        let sbom = |path: &String| vec!["  sbom".to_owned(), path.clone()];
        rows.extend(built.sboms.iter().map(sbom));
        // Not in the table: the line would be so long that it moved the times far to the right.
        let choice = built.kind_choice.iter().filter(|choice| choice.told);
        let choice =
            choice.map(|choice| format!("  kind      {}: {}\n", built.kind, choice.because));
        format!(
            "{} ({}) -> {}\n{}{}",
            self.input,
            size(built.input_bytes),
            count(built.artifacts.len(), "artifact"),
            choice.collect::<String>(),
            render::table(&rows)
        )
    }
}
