//! The plan that the arguments of a build result in.

use std::path::{Path, PathBuf};

use edgec_builder::project::{Budgets, Capabilities, Previous};
use edgec_builder::{DebugFiles, Lanes, Origin, SelfAudit, Tools};
use edgec_verifier::TrustPolicy;

use super::arguments::Arguments;
use super::budgets;
use super::concerns;
use super::origin;
use super::project::Opened;
use super::release;
use super::request::Request;
use super::sbom;
use super::targets::{self, Chosen, Fleets};
use crate::caching::{BuildCache, Inputs};
use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::fleet::FleetPlan;
use crate::naming::{self, Job, Output, Signing};
use crate::signer::NamedSigner;
use crate::{files, secrets, trust};

/// The resolved arguments. No later code parses a string in them.
pub(super) struct Plan {
    pub(super) jobs: Vec<Planned>,
    pub(super) fleets: Vec<FleetPlan>,
    pub(super) lanes: Lanes,
    pub(super) cache: Option<BuildCache>,
    pub(super) signing: Signing,
    /// The file of the project that is built. Its artifacts are written together or not at all.
    pub(super) project: Option<PathBuf>,
}

/// An input, and how it is built.
pub(super) struct Planned {
    pub(super) job: Job,
    pub(super) build: edgec_builder::Plan,
    /// The number of the signer, counted from 0.
    pub(super) signer: usize,
    /// What is known about the build, if its provenance is to be written.
    pub(super) origin: Option<Origin>,
    /// The bills of materials that are written: the format and the file of each.
    pub(super) sboms: Vec<(edgec_sbom::Format, PathBuf)>,
    /// The serial and the floor of the release that is to be written.
    pub(super) release: Option<(u64, u64)>,
    /// A policy that must accept the artifacts, and its file.
    pub(super) policy: Option<(PathBuf, TrustPolicy)>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) budgets: Budgets,
    /// Advisories that do not refuse a build for the edge.
    pub(super) allowed_advisories: Vec<String>,
    /// The artifacts with which the new ones are compared.
    pub(super) previous: Vec<Previous>,
}

impl Plan {
    /// Finds everything that can be wrong with the arguments and the project, before any work
    /// begins. Only the key itself can cause later errors: it is read when the programs are
    /// compiled.
    pub(super) fn new(arguments: &Arguments) -> Result<(Self, Vec<NamedSigner>), Failure> {
        concerns::known(&arguments.allow_advisory)?;
        let opened = match arguments.inputs.is_empty() {
            true => Some(Opened::find(
                arguments.project.as_deref(),
                &arguments.components,
            )?),
            false => None,
        };
        let mut requests = requests(arguments, opened.as_ref());
        for request in &mut requests {
            arguments.replace(&mut request.settings);
        }
        let mut fleets = Fleets::default();
        let chosen = requests
            .iter()
            .map(|request| choose(arguments, request, &mut fleets));
        let chosen: Vec<Chosen> = chosen.collect::<Result<_, _>>()?;
        let fleets = fleets.into_plans();
        refuse_one_name(arguments, opened.as_ref())?;
        let folder = opened
            .as_ref()
            .map_or(Path::new(""), |opened| opened.folder.as_path());
        let stated = arguments.origin.stated()?;
        let releases = requests
            .iter()
            .map(|request| release::of(arguments, request, folder, &stated));
        let releases: Vec<edgec_builder::Release> = releases.collect::<Result<_, _>>()?;
        take_keys(arguments, &mut requests);
        // An unsigned build reads no key, even if the environment names one.
        let signer = match arguments.signing() {
            Signing::Unsigned => Vec::new(),
            Signing::Signed => arguments.signer.reads(),
        };
        let read: Vec<PathBuf> = [arguments.inputs.clone(), signer.clone()].concat();
        files::refuse_stdin_twice(&read)?;
        let jobs = jobs(arguments, &requests, &chosen, !fleets.is_empty())?;

        let inputs = jobs.iter().map(|job| job.input.clone());
        let hosts = fleets.iter().flat_map(|fleet| fleet.files.iter().cloned());
        let policies = requests.iter().filter_map(|request| request.policy.clone());
        let keys = requests.iter().filter_map(|request| request.key.clone());
        let project = opened.iter().map(|opened| opened.file.clone());
        let project = project.chain(arguments.cache.reads());
        let read = inputs.chain(signer).chain(hosts);
        let read = read.chain(policies).chain(keys).chain(project);
        let read: Vec<PathBuf> = read.collect();
        let is_attested = is_attested(arguments, opened.as_ref());
        sbom::refuse_alone(arguments, is_attested)?;
        let sboms = jobs.iter().map(|job| sbom::files(arguments, job));
        let sboms: Vec<_> = sboms.collect::<Result<_, _>>()?;
        for (_, path) in sboms.iter().flatten() {
            files::spare(&read, path, Wanted::Sbom)?;
        }
        for (job, request) in jobs.iter().zip(&requests) {
            spare_for_artifacts(job, &read)?;
            if request.settings.debug_files == DebugFiles::Made {
                spare_for_debug_files(job, &read)?;
            }
            if is_attested {
                origin::spare(job, &read)?;
            }
        }
        let wasm_opt = opened.as_ref().and_then(|opened| {
            let name = opened.project.wasm_opt.as_deref()?;
            Some(opened.of_machine(name))
        });
        let mut tools = arguments.workers.tools_or(wasm_opt)?;
        let inputs = shared_inputs(&jobs, &requests, &chosen);
        let cache = arguments.cache.open(&tools.program, inputs)?;
        if let Some(cache) = &cache {
            cache.serve(&mut tools);
        }
        let stated = match is_attested {
            true => Some(stated.with_tools(&tools)?),
            false => None,
        };
        let (signers, numbers) = signers(arguments, &requests)?;
        let mut planned = Vec::new();
        let parts = requests.into_iter().zip(chosen).zip(releases).zip(numbers);
        let parts = parts.zip(sboms);
        for (job, ((((request, chosen), release), signer), sboms)) in jobs.into_iter().zip(parts) {
            let mut build = build(arguments, &request, chosen, release, &tools);
            build.gate = arguments.gate.gate_or(&request.demands, folder)?;
            let (wit, world) = (request.wit.as_deref(), request.wit_world.as_deref());
            build.recipe.wit = arguments.wit.source_or(wit, world)?;
            let origin = stated.as_ref().map(|stated| stated.of(&job));
            let policy = request.policy.map(|file| {
                let policy = trust::read_policy(&file, &[])?.before_publication();
                Ok::<_, Failure>((file, policy))
            });
            let previous = match &arguments.baseline {
                Some(baseline) => budgets::previous(baseline, &job, &tools.program)?,
                None => Vec::new(),
            };
            planned.push(Planned {
                job,
                build,
                signer,
                origin,
                sboms,
                release: arguments
                    .release
                    .map(|it| (it, arguments.floor.unwrap_or(0))),
                policy: policy.transpose()?,
                capabilities: request.capabilities,
                budgets: request.budgets,
                allowed_advisories: arguments.allow_advisory.clone(),
                previous,
            });
        }
        let plan = Self {
            jobs: planned,
            fleets,
            lanes: arguments.lanes(),
            cache,
            signing: arguments.signing(),
            project: opened.map(|opened| opened.file),
        };
        Ok((plan, signers))
    }
}

/// The inputs of the command line, or else the components of the project.
fn requests(arguments: &Arguments, opened: Option<&Opened>) -> Vec<Request> {
    match opened {
        Some(opened) => {
            let components = opened.components();
            components
                .map(|(name, component)| Request::of_component(name, component, opened))
                .collect()
        }
        None => {
            let inputs = arguments.inputs.iter();
            inputs.map(|input| Request::of_input(input)).collect()
        }
    }
}

/// Whether provenances are written: on request, but never for an unsigned artifact, which has no
/// signer to answer for it.
fn is_attested(arguments: &Arguments, opened: Option<&Opened>) -> bool {
    let of_project = opened.is_some_and(|opened| opened.project.provenance);
    let is_asked = arguments.origin.provenance || of_project;
    is_asked && arguments.signing() == Signing::Signed
}

/// The targets of an input: those of the command line, or else those of the project.
fn choose(
    arguments: &Arguments,
    request: &Request,
    fleets: &mut Fleets,
) -> Result<Chosen, Failure> {
    let profile = request.settings.profile;
    if let Some((file, wanted)) = arguments.fleet.named() {
        return fleets.choose(file, wanted, profile);
    }
    if !arguments.targets.is_empty() {
        return Ok(Chosen {
            targets: targets::named(&arguments.targets)?,
            fleet: None,
        });
    }
    match &request.fleet {
        Some(file) => fleets.choose(file, None, profile),
        None => Ok(Chosen {
            targets: request.targets.clone(),
            fleet: None,
        }),
    }
}

/// Refuses one name for several applications.
fn refuse_one_name(arguments: &Arguments, opened: Option<&Opened>) -> Result<(), Failure> {
    if arguments.name.is_none() {
        return Ok(());
    }
    if let Some(opened) = opened {
        let message = "--name names one input, and a project names its components";
        return Err(Failure::usage("name", message)
            .hint(format!("change `name` in {}", opened.file.display())));
    }
    match arguments.inputs.len() {
        0 | 1 => Ok(()),
        inputs => {
            let message = format!("--name names one program, and there are {inputs} inputs");
            Err(Failure::usage("name", message).hint("build each of them on its own"))
        }
    }
}

/// Hides the variables of keys that the project names, and forgets these keys if something else
/// names the signers, or if there are none.
fn take_keys(arguments: &Arguments, requests: &mut [Request]) {
    let is_unsigned = arguments.signing() == Signing::Unsigned;
    let is_named = is_unsigned || arguments.signer.is_named();
    for request in requests {
        let key = request.key.as_deref().and_then(Path::to_str);
        if let Some(variable) = key.and_then(|key| key.strip_prefix(files::VARIABLE_PREFIX)) {
            secrets::hide_variable(variable);
        }
        if is_named {
            request.key = None;
        }
    }
}

/// All signers, and the number of the signer for each request. An unsigned build has none.
fn signers(
    arguments: &Arguments,
    requests: &[Request],
) -> Result<(Vec<NamedSigner>, Vec<usize>), Failure> {
    if arguments.signing() == Signing::Unsigned {
        return Ok((Vec::new(), vec![0; requests.len()]));
    }
    let mut keys: Vec<Option<&Path>> = Vec::new();
    let mut signers = Vec::new();
    let mut numbers = Vec::new();
    for request in requests {
        let key = request.key.as_deref();
        let known = keys.iter().position(|known| *known == key);
        numbers.push(known.unwrap_or(keys.len()));
        if known.is_none() {
            keys.push(key);
            signers.push(arguments.signer.named_or(key)?);
        }
    }
    Ok((signers, numbers))
}

/// Names every application and artifact.
fn jobs(
    arguments: &Arguments,
    requests: &[Request],
    chosen: &[Chosen],
    varying: bool,
) -> Result<Vec<Job>, Failure> {
    let artifacts: usize = chosen.iter().map(|chosen| chosen.targets.len()).sum();
    let output = Output::new(arguments.output.as_deref(), artifacts, varying)?;
    let mut names = naming::Names::new(arguments.signing());
    let jobs = requests.iter().zip(chosen).map(|(request, chosen)| {
        let own = request.output.clone().map(Output::Folder);
        let own = own.filter(|_| arguments.output.is_none());
        let name = arguments.name.as_ref().or(request.name.as_ref());
        let output = own.as_ref().unwrap_or(&output);
        let name = name.map(String::as_str);
        names.job(&request.input, name, &chosen.targets, output)
    });
    jobs.collect()
}

/// What names the answers of this build for other machines.
fn shared_inputs(jobs: &[Job], requests: &[Request], chosen: &[Chosen]) -> Inputs {
    let settings = requests.iter().zip(chosen).flat_map(|(request, chosen)| {
        let targets = chosen.targets.iter().map(|target| target.id.to_string());
        let settings = format!("{:?}", request.settings);
        [settings].into_iter().chain(targets).collect::<Vec<_>>()
    });
    Inputs {
        files: jobs.iter().map(|job| job.input.clone()).collect(),
        applications: jobs.iter().map(|job| job.name.clone()).collect(),
        settings: settings.collect(),
    }
}

/// How an input is built.
fn build(
    arguments: &Arguments,
    request: &Request,
    chosen: Chosen,
    release: edgec_builder::Release,
    tools: &Tools,
) -> edgec_builder::Plan {
    let recipe = request.settings.recipe(tools.clone());
    let mut build = edgec_builder::Plan::new(recipe, chosen.targets);
    build.release = release;
    build.fleet = chosen.fleet;
    build.debug_files = request.settings.debug_files;
    if arguments.no_self_audit {
        build.self_audit = SelfAudit::Skipped;
    }
    build
}

/// Refuses to write an artifact over an input, a key or another kind of file, and to read standard
/// input twice.
fn spare_for_artifacts(job: &Job, read: &[PathBuf]) -> Result<(), Failure> {
    let mut outputs = job.outputs.iter();
    outputs.try_for_each(|(_, path)| files::spare(read, path, Wanted::Artifact))
}

/// The same for the debug files beside the artifacts.
fn spare_for_debug_files(job: &Job, read: &[PathBuf]) -> Result<(), Failure> {
    let mut outputs = job.outputs.iter();
    outputs
        .try_for_each(|(_, path)| files::spare(read, &naming::debug_file(path)?, Wanted::DebugFile))
}
