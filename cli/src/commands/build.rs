//! `edgec build`: from an input to signed artifacts, one for each target.
//!
//! The pipeline once, then for each target: compile, package, sign, verify. Targets that allow the
//! same CPU features share the code. The artifacts of one input are written when all of them exist.

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
use edgec_compiler::{Names, ValidComponent};
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
use crate::trust::self_check;
use crate::{Outcome, signals, workers};

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let (quiet, verbose) = (arguments.quiet, arguments.verbose);
    let plan = Plan::new(arguments)?;
    if let Some(fleet) = plan
        .fleet
        .as_ref()
        .filter(|_| format == Format::Text && !quiet)
    {
        out!("{}", fleet.text());
    }
    if verbose && format == Format::Text {
        out!("{}\n", workers::confinement());
    }
    let mut summary = Summary::new(&plan.signer, plan.fleet.as_ref());
    let mut worst: Option<Exit> = None;
    let progress = Progress::new(quiet);
    for job in &plan.jobs {
        let input = render::path(&job.input);
        let result = guarded(|| build(job, &plan, &progress));
        progress.clear();
        let report = match result {
            Ok(report) => {
                report.print_warnings();
                if format == Format::Text && !quiet {
                    report.print_notes();
                    out!("{}", report.text());
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                let failure = failure.or_about(&input);
                failure.tell(format);
                InputReport::failed(input, failure)
            }
        };
        summary.inputs.push(report);
    }
    match format {
        Format::Json => render::json(&summary),
        Format::Text if !quiet => out!("{}", summary.closing()),
        Format::Text => {}
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

fn build(job: &Job, plan: &Plan, progress: &Progress) -> Result<InputReport, Failure> {
    let recipe = &plan.recipe;
    let targets = || job.outputs.iter().map(|(target, _)| *target);
    // The last step is to package and sign.
    progress.begin(&job.name, recipe.steps(targets()) + 1);
    let (whole, mut clock) = (Clock::start(), Clock::start());
    let mut times = Times::default();
    let input = files::read(&job.input)?;
    times.reading = clock.lap();
    let prepared = recipe.prepare(input, progress)?;
    plan.check_kept(&prepared)?;
    clock.lap();
    let (prepared, names, named) = prepared.take_names();
    times.naming = clock.lap();

    let (cold_start, compiled) = compile(job, plan, &prepared, named.as_ref(), progress);
    drop(named);
    times.compiling = clock.lap();
    let compiled = compiled?;
    let (cold_start, linting) = cold_start;
    times.linting = linting;
    // A program that signs may write to the terminal itself.
    match plan.signer.may_speak() {
        true => progress.clear(),
        false => progress.step("packaging and signing"),
    }

    let packaged = package_all(job, plan, &prepared, &names, compiled)?;
    clock.lap();
    let checked = Checks::of(plan).all(packaged)?;
    times.checking = clock.lap();
    let (artifacts, files) = reported(job, checked);
    clock.lap();
    write(files)?;
    times.writing = clock.lap();
    times.total = whole.elapsed();
    Ok(InputReport::new(
        job,
        recipe.level,
        prepared,
        cold_start,
        artifacts,
        times,
    ))
}

/// Compiles for all targets. The lint, which needs the names, runs beside the compiler in a process
/// of its own: the compiler leaves processors idle at its beginning and at its end. Gives the
/// findings of the lint with the time that it took.
fn compile(
    job: &Job,
    plan: &Plan,
    prepared: &Prepared,
    named: Option<&ValidComponent>,
    progress: &Progress,
) -> ((ColdStart, Duration), Result<Vec<Compiled>, Failure>) {
    let recipe = &plan.recipe;
    let targets = job.outputs.iter().map(|(target, _)| *target);
    let told = |target: &Target| progress.compiling(target);
    let lint = || {
        let clock = Clock::start();
        let program = named.unwrap_or(&prepared.optimized.component);
        let limits = recipe.compiler.worker.limits();
        let found = ColdStart::of_program(program, &prepared.input, limits);
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
fn reported(job: &Job, checked: Vec<Packaged>) -> (Vec<ArtifactReport>, Vec<NewFile>) {
    let (mut reports, mut files) = (Vec::new(), Vec::new());
    for ((target, path), done) in job.outputs.iter().zip(checked) {
        let Packaged {
            signed,
            debug_file,
            times,
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

/// Stages every file before the first one takes its place. If one cannot, every old file is where it
/// was, and the folders that were made go again.
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
struct Packaged {
    signed: SignedArtifact,
    debug_file: Option<(PathBuf, Vec<u8>)>,
    times: ArtifactTimes,
}

/// Packages several artifacts at a time. Signs one after the other, since a signer may ask the user
/// for something. All stay in memory until all of them exist, so a build that is stopped writes
/// nothing.
fn package_all(
    job: &Job,
    plan: &Plan,
    prepared: &Prepared,
    names: &Names,
    compiled: Vec<Compiled>,
) -> Result<Vec<Packaged>, Failure> {
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
    let names = plan.debug_file.then_some(names);
    let packaged = at_once(images, |(compiled, path)| {
        package(&manifests, names, compiled, path)
    });
    let signed = packaged?.into_iter().map(|packaged| sign(plan, packaged));
    signed.collect()
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

fn sign(plan: &Plan, packaged: Unsigned) -> Result<Packaged, Failure> {
    let Unsigned {
        unsigned,
        debug_file,
        mut times,
    } = packaged;
    let clock = Clock::start();
    let signed = plan.signer.attach(unsigned, Vec::new())?;
    times.signing = clock.elapsed();
    Ok(Packaged {
        signed,
        debug_file,
        times,
    })
}

/// The checks of an artifact before it is written.
struct Checks<'a> {
    signer: PublicKey,
    fleet: Option<&'a FleetPlan>,
    self_audit: bool,
}

impl<'a> Checks<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self {
            signer: plan.signer.public(),
            fleet: plan.fleet.as_ref(),
            self_audit: plan.self_audit,
        }
    }

    /// Checks every artifact, several at a time. The first that fails is the failure.
    fn all(&self, artifacts: Vec<Packaged>) -> Result<Vec<Packaged>, Failure> {
        at_once(artifacts, |mut artifact| {
            self.one(&mut artifact)?;
            Ok(artifact)
        })
    }

    /// As a host would, and as an auditor.
    fn one(&self, artifact: &mut Packaged) -> Result<(), Failure> {
        let mut clock = Clock::start();
        let signed = artifact.signed.as_bytes();
        let manifest = self_check(signed, &self.signer)?;
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
