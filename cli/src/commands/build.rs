//! `edgec build`: from an input to signed artifacts, one for each target.
//!
//! The pipeline once, then for each target: compile, package, sign, verify. Targets that allow the
//! same CPU features share the code. The artifacts of one input are written when all of them exist.
//!
//! All inputs are compiled before the key is read, and the key is overwritten when all artifacts
//! are signed. So no key is in this process while it works on programs that are not trusted, or
//! looks at their code.

mod audit;
mod concerns;
mod plan;
mod report;
mod times;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use edgec_artifact::PublicKey;
use edgec_compiler::Names;
use edgec_packager::{SignedArtifact, UnsignedArtifact};
use edgec_targets::Target;

pub(crate) use self::plan::Arguments;
use self::plan::Plan;
use self::report::{ArtifactReport, InputReport, Summary};
use self::times::{ArtifactTimes, Clock, Times};
use crate::at_once::at_once;
use crate::cold_start::ColdStart;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders};
use crate::fleet::FleetPlan;
use crate::naming::{self, Job};
use crate::panics::guarded;
use crate::pipeline::{Compiled, Manifests, Prepared, debug_file, for_each};
use crate::progress::Progress;
use crate::render::out;
use crate::render::{self, Format};
use crate::signer::Signer;
use crate::trust::self_check;
use crate::{Outcome, signals, workers};

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let (quiet, verbose) = (arguments.quiet, arguments.verbose);
    let (plan, signer) = Plan::new(arguments)?;
    if let Some(fleet) = plan
        .fleet
        .as_ref()
        .filter(|_| format == Format::Text && !quiet)
    {
        out!("{}", fleet.text());
    }
    let confinement = verbose.then(workers::confinement);
    if let Some(confinement) = confinement.as_ref().filter(|_| format == Format::Text) {
        out!("{confinement}\n");
    }
    let progress = Progress::new(quiet);
    let compiled = plan.jobs.iter().map(|job| {
        let compiled = attempt(job, format, &progress, || compile(job, &plan, &progress));
        (job, compiled)
    });
    let compiled: Vec<(&Job, Result<Done<Unsigned>, Failure>)> = compiled.collect();
    let signer = match compiled.iter().any(|(_, compiled)| compiled.is_ok()) {
        true => Some(signer.open()?),
        // There is nothing to sign.
        false => None,
    };
    let mut summary = Summary::new(signer.as_ref(), plan.fleet.as_ref(), confinement);
    let signed = compiled.into_iter().filter_map(|(job, compiled)| {
        let signed = match (compiled, &signer) {
            (Ok(unsigned), Some(signer)) => {
                attempt(job, format, &progress, || sign_all(signer, unsigned))
            }
            // Where anything was compiled, there is a signer.
            (Ok(_), None) => return None,
            (Err(failure), _) => Err(failure),
        };
        Some((job, signed))
    });
    let signed: Vec<(&Job, Result<Done<Signed>, Failure>)> = signed.collect();
    // The key is overwritten.
    drop(signer);
    let mut worst: Option<Exit> = None;
    for (job, signed) in signed {
        let written = signed.and_then(|signed| {
            attempt(job, format, &progress, || {
                check_and_write(job, &plan, signed, &progress)
            })
        });
        let report = match written {
            Ok(report) => {
                report.print_warnings();
                if format == Format::Text && !quiet {
                    out!("{}", report.text());
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                InputReport::failed(render::path(&job.input), failure)
            }
        };
        summary.inputs.push(report);
    }
    match format {
        Format::Json => render::json(&summary),
        Format::Text if !quiet => {
            out!("{}", summary.closing());
            // Behind all results, also where both streams go to one place.
            summary.inputs.iter().for_each(InputReport::print_notes);
        }
        Format::Text => {}
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

/// Does a part of the work on one input. A failure is this input's, and is told at once.
fn attempt<T>(
    job: &Job,
    format: Format,
    progress: &Progress,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let result = guarded(work);
    progress.clear();
    result.map_err(|failure| {
        let failure = failure.or_about_safe(render::path(&job.input));
        failure.tell(format);
        failure
    })
}

/// The number of steps, as [`Progress`] counts them. The last one is to check.
fn steps(job: &Job, plan: &Plan) -> usize {
    let targets = job.outputs.iter().map(|(target, _)| *target);
    plan.recipe.steps(targets) + 1
}

/// What was done with one input up to here. Its artifacts stay in memory until all inputs are as
/// far.
struct Done<A> {
    artifacts: Vec<A>,
    report: InputReport,
    times: Times,
    elapsed: Duration,
}

/// From an input to artifacts without signatures.
fn compile(job: &Job, plan: &Plan, progress: &Progress) -> Result<Done<Unsigned>, Failure> {
    let recipe = &plan.recipe;
    progress.begin(&job.name, steps(job, plan));
    let (whole, mut clock) = (Clock::start(), Clock::start());
    let mut times = Times::default();
    let input = files::read(&job.input)?;
    times.reading = clock.lap();
    let mut prepared = recipe.prepare(input, progress)?;
    plan.check_kept(&prepared)?;
    times.naming = prepared.naming;
    clock.lap();

    let (cold_start, compiled) = compile_all(job, plan, &prepared, progress);
    prepared.named = None;
    times.compiling = clock.lap();
    let compiled = compiled?;
    let (cold_start, linting) = cold_start;
    times.linting = linting;
    progress.step("packaging");
    let artifacts = package_all(job, plan, &prepared, compiled)?;
    Ok(Done {
        artifacts,
        report: InputReport::compiled(job, recipe.level, prepared, cold_start),
        times,
        elapsed: whole.elapsed(),
    })
}

/// Signs one artifact after the other, since a signer may ask the user for something.
fn sign_all(signer: &Signer, unsigned: Done<Unsigned>) -> Result<Done<Signed>, Failure> {
    let clock = Clock::start();
    let artifacts = unsigned.artifacts.into_iter();
    let signed: Result<Vec<Signed>, Failure> = artifacts.map(|it| sign(signer, it)).collect();
    Ok(Done {
        artifacts: signed?,
        report: unsigned.report,
        times: unsigned.times,
        elapsed: unsigned.elapsed + clock.elapsed(),
    })
}

/// Writes the artifacts of an input if all of them pass the checks.
fn check_and_write(
    job: &Job,
    plan: &Plan,
    signed: Done<Signed>,
    progress: &Progress,
) -> Result<InputReport, Failure> {
    let Done {
        artifacts,
        report,
        mut times,
        elapsed,
    } = signed;
    let (whole, mut clock) = (Clock::start(), Clock::start());
    progress.last(&job.name, steps(job, plan), "checking");
    let checked = Checks::of(plan).all(artifacts)?;
    times.checking = clock.lap();
    let (artifacts, files) = reported(job, checked);
    clock.lap();
    write(files)?;
    times.writing = clock.lap();
    times.total = elapsed + whole.elapsed();
    Ok(report.written(artifacts, times))
}

/// Compiles for all targets. The lint, which needs the names, runs beside the compiler in a process
/// of its own: the compiler leaves processors idle at its beginning and at its end. Gives the
/// findings of the lint with the time that it took.
fn compile_all(
    job: &Job,
    plan: &Plan,
    prepared: &Prepared,
    progress: &Progress,
) -> ((ColdStart, Duration), Result<Vec<Compiled>, Failure>) {
    let recipe = &plan.recipe;
    let targets = job.outputs.iter().map(|(target, _)| *target);
    let told = |targets: &[&'static Target]| progress.compiling(targets);
    let lint = || {
        let clock = Clock::start();
        let named = prepared.named.as_ref();
        let program = named.unwrap_or(&prepared.optimized.component);
        let limits = recipe.compiler.worker.limits();
        let (is_adapted, input) = (prepared.adapter.is_some(), &prepared.input);
        let deadline = prepared.deadline();
        let found = ColdStart::of_program(program, is_adapted, input, limits, deadline);
        (found, clock.elapsed())
    };
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, lint);
        let compiled = recipe.compile(prepared, targets, told);
        // Without a thread for it, it runs here.
        let found = beside.map_or_else(|_| Ok(lint()), ScopedJoinHandle::join);
        let found = found.unwrap_or_else(|panic| resume_unwind(panic));
        (found, compiled)
    })
}

/// A file that is complete in memory.
struct NewFile {
    path: PathBuf,
    bytes: Vec<u8>,
    kind: Wanted,
}

/// The report on each artifact, and the files to write.
fn reported(job: &Job, checked: Vec<Signed>) -> (Vec<ArtifactReport>, Vec<NewFile>) {
    let (mut reports, mut files) = (Vec::new(), Vec::new());
    for ((target, path), done) in job.outputs.iter().zip(checked) {
        let Signed {
            signed,
            debug_file,
            times,
            ..
        } = done;
        let debug_path = debug_file.as_ref().map(|(path, _)| path.as_path());
        reports.push(ArtifactReport::new(
            target, path, &signed, debug_path, times,
        ));
        files.push(NewFile {
            path: path.clone(),
            bytes: signed.into_bytes(),
            kind: Wanted::Artifact,
        });
        files.extend(debug_file.map(|(path, bytes)| NewFile {
            path,
            bytes,
            kind: Wanted::DebugFile,
        }));
    }
    (reports, files)
}

/// Stages every file before the first one takes its place. If one cannot, every old file is where
/// it was, and the folders that were made are removed again.
fn write(files: Vec<NewFile>) -> Result<(), Failure> {
    signals::uninterrupted(|| {
        let mut folders = NewFolders::default();
        for file in &files {
            if let Some(folder) = file.path.parent() {
                folders.make(folder)?;
            }
        }
        // Most of the time goes to waiting for the disk.
        let staged = at_once(files, |file| {
            files::stage(&file.path, &file.bytes, file.kind)
        });
        files::commit_all(staged?)?;
        folders.keep();
        Ok(())
    })
}

/// A signed artifact, and the debug file beside it.
struct Signed {
    signed: SignedArtifact,
    by: PublicKey,
    debug_file: Option<(PathBuf, Vec<u8>)>,
    times: ArtifactTimes,
}

/// Packages several artifacts at a time. All stay in memory until all of them exist, so a build
/// that is stopped writes nothing.
fn package_all(
    job: &Job,
    plan: &Plan,
    prepared: &Prepared,
    compiled: Vec<Compiled>,
) -> Result<Vec<Unsigned>, Failure> {
    let manifests = Manifests::new(&plan.release, &job.name, &plan.recipe, prepared);
    let targets: Vec<&'static Target> = job.outputs.iter().map(|(target, _)| *target).collect();
    let mut images = Vec::new();
    for ((target, path), compiled) in job.outputs.iter().zip(for_each(compiled, &targets)) {
        let Some(compiled) = compiled else {
            let message = format!("nothing was compiled for {}", target.id);
            return Err(Failure::new(Exit::Rejected, "internal", message));
        };
        images.push((compiled, path.as_path()));
    }
    let names = plan.debug_file.then_some(&prepared.names);
    at_once(images, |(compiled, path)| {
        package(&manifests, names, compiled, path)
    })
}

/// An artifact without a signature, and the debug file beside it.
struct Unsigned {
    unsigned: UnsignedArtifact,
    debug_file: Option<(PathBuf, Vec<u8>)>,
    times: ArtifactTimes,
}

/// Packages one image; with a debug file if there are `names`.
fn package(
    manifests: &Manifests<'_>,
    names: Option<&Names>,
    compiled: Compiled,
    path: &Path,
) -> Result<Unsigned, Failure> {
    let mut times = ArtifactTimes {
        compiling: compiled.compiling,
        stripping: compiled.stripping,
        ..ArtifactTimes::default()
    };
    let Compiled {
        image,
        debug_sections,
        ..
    } = compiled;
    let manifest = manifests.of(&image);
    let mut clock = Clock::start();
    let bytes = image.into_bytes();
    let debug_file = match names {
        Some(names) => {
            let place = naming::debug_file(path)?;
            Some((place, debug_file(&debug_sections, names, &bytes)?))
        }
        None => None,
    };
    drop(debug_sections);
    times.debug_file = clock.lap();
    let unsigned = UnsignedArtifact::new(bytes, manifest);
    times.packaging = clock.lap();
    Ok(Unsigned {
        unsigned,
        debug_file,
        times,
    })
}

fn sign(signer: &Signer, packaged: Unsigned) -> Result<Signed, Failure> {
    let Unsigned {
        unsigned,
        debug_file,
        mut times,
    } = packaged;
    let clock = Clock::start();
    let signed = signer.attach(unsigned, Vec::new())?;
    times.signing = clock.elapsed();
    Ok(Signed {
        signed,
        by: signer.public(),
        debug_file,
        times,
    })
}

/// The checks of an artifact before it is written.
struct Checks<'a> {
    fleet: Option<&'a FleetPlan>,
    self_audit: bool,
}

impl<'a> Checks<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self {
            fleet: plan.fleet.as_ref(),
            self_audit: plan.self_audit,
        }
    }

    /// Checks every artifact, several at a time. The first that fails is the failure.
    fn all(&self, artifacts: Vec<Signed>) -> Result<Vec<Signed>, Failure> {
        at_once(artifacts, |mut artifact| {
            self.one(&mut artifact)?;
            Ok(artifact)
        })
    }

    /// As a host would, and as an auditor.
    fn one(&self, artifact: &mut Signed) -> Result<(), Failure> {
        let mut clock = Clock::start();
        let signed = artifact.signed.as_bytes();
        let manifest = self_check(signed, &artifact.by)?;
        artifact.times.verifying = clock.lap();
        if self.self_audit {
            audit::check(signed, &manifest)?;
            artifact.times.auditing = clock.lap();
        }
        match self.fleet {
            Some(fleet) => fleet.check(&manifest),
            None => Ok(()),
        }
    }
}
