//! `edgec build`: compiles an input to signed artifacts, one for each target.
//!
//! First the pipeline, once. Then for each target: compile, package, sign, verify. Targets that
//! allow the same CPU features share the code. The artifacts of an input are written when all of
//! them exist.
//!
//! edgec compiles all inputs before it reads the key, and overwrites the key when all artifacts are
//! signed. So this process holds no key while it works on untrusted programs or checks their code.

mod concerns;
mod origin;
mod plan;
mod report;

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use edgec_builder::{BuildError, Built, BuiltArtifact, Signed, Unsigned};

pub(crate) use self::plan::Arguments;
use self::plan::Plan;
use self::report::{ArtifactReport, FileTimes, InputReport, Summary};
use crate::caching::BuildCache;
use crate::failure::{Exit, Failure, code};
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders, Staged};
use crate::naming::{self, Job};
use crate::panics::guarded;
use crate::progress::Progress;
use crate::render::out;
use crate::render::{self, Format};
use crate::signer::{NamedSigner, Signer};
use crate::{Outcome, document, sarif, signals, sum, workers};

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
    let stays_unsigned = signer.is_none();
    // If no input was compiled, there is nothing to sign.
    let is_any = compiled.iter().any(|(_, compiled)| compiled.is_ok());
    let signer = signer
        .filter(|_| is_any)
        .map(NamedSigner::open)
        .transpose()?;
    let mut summary = Summary::new(signer.as_ref(), plan.fleet.as_ref(), confinement);
    summary.unsigned = stays_unsigned;
    let signed = compiled.into_iter().map(|(job, compiled)| {
        let signed = compiled.and_then(|unsigned| match &signer {
            Some(signer) => attempt(job, format, &progress, || {
                sign_all(signer, unsigned).map(|signed| signed.map(Finished::Signed))
            }),
            None => Ok(unsigned.map(Finished::Unsigned)),
        });
        (job, signed)
    });
    let signed: Vec<(&Job, Result<Done<Finished>, Failure>)> = signed.collect();
    // This overwrites the key.
    drop(signer);
    let mut worst: Option<Exit> = None;
    for (job, signed) in signed {
        let written = signed.and_then(|signed| {
            attempt(job, format, &progress, || {
                check_and_write(job, &plan, signed, &progress, format)
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
    summary.cache = plan.cache.as_ref().map(BuildCache::report);
    match format {
        Format::Json => document::print(worst.is_none(), &summary),
        Format::Sarif => {
            let findings: Vec<_> = summary.failures().map(Failure::finding).collect();
            sarif::print(&findings, worst);
        }
        Format::Text if !quiet => {
            out!("{}", summary.closing());
            // After all results, even if both streams go to the same place.
            summary.inputs.iter().for_each(InputReport::print_notes);
        }
        Format::Text => {}
    }
    if format == Format::Text {
        let failed: Vec<_> = summary.failures().map(Failure::summary).collect();
        if let Some(line) = sum::line(&failed, summary.inputs.len()) {
            eprintln!("{line}");
        }
    }
    if let Some(cache) = &plan.cache {
        cache.tidy();
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

/// Does a part of the work on one input. A failure belongs to this input, and is printed at once.
fn attempt<T>(
    job: &Job,
    format: Format,
    progress: &Progress,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let result = guarded(work);
    progress.clear();
    result.map_err(|failure| {
        let failure = failure.or_in_file(&job.input);
        failure.tell(format);
        failure
    })
}

/// The number of steps, as [`Progress`] counts them. The last step is the check.
fn steps(plan: &Plan) -> usize {
    let targets = plan.build.targets.iter().copied();
    plan.build.recipe.steps(targets) + 1
}

/// The work on one input so far. Its artifacts stay in memory until all inputs have reached the
/// same point.
struct Done<A> {
    artifacts: A,
    report: InputReport,
    /// How long it took to read the input.
    reading: Duration,
}

impl<A> Done<A> {
    /// The same work, with the artifacts in another state.
    fn map<B>(self, change: impl FnOnce(A) -> B) -> Done<B> {
        Done {
            artifacts: change(self.artifacts),
            report: self.report,
            reading: self.reading,
        }
    }
}

/// Artifacts that get no more signatures in this build.
enum Finished {
    Signed(Signed),
    /// On request: no host takes them.
    Unsigned(Unsigned),
}

impl Finished {
    fn check(self, plan: &Plan) -> Result<Built, BuildError> {
        match self {
            Self::Signed(signed) => signed.check(&plan.build),
            Self::Unsigned(unsigned) => unsigned.leave_unsigned(&plan.build),
        }
    }
}

/// Compiles an input to unsigned artifacts.
fn compile(job: &Job, plan: &Plan, progress: &Progress) -> Result<Done<Unsigned>, Failure> {
    progress.begin(&job.name, steps(plan));
    let begin = Instant::now();
    let input = files::read(&job.input)?;
    let reading = begin.elapsed();
    let (program, artifacts) = plan.build.compile(&job.name, input, progress)?;
    let artifacts = match &plan.provenance {
        Some(stated) => artifacts.with_provenance(&plan.build, &stated.of(job))?,
        None => artifacts,
    };
    Ok(Done {
        artifacts,
        report: InputReport::compiled(job, plan.build.recipe.level, program),
        reading,
    })
}

/// Signs one artifact after the other, because a signer may ask the user something.
fn sign_all(signer: &Signer, unsigned: Done<Unsigned>) -> Result<Done<Signed>, Failure> {
    Ok(Done {
        artifacts: unsigned.artifacts.sign(signer)?,
        report: unsigned.report,
        reading: unsigned.reading,
    })
}

/// Checks the artifacts of an input, and writes them if all of them pass.
fn check_and_write(
    job: &Job,
    plan: &Plan,
    signed: Done<Finished>,
    progress: &Progress,
    format: Format,
) -> Result<InputReport, Failure> {
    let Done {
        artifacts,
        report,
        reading,
    } = signed;
    progress.last(&job.name, steps(plan), "checking");
    let built = artifacts.check(plan)?;
    let (artifacts, files) = reported(job, built.artifacts, format)?;
    let begin = Instant::now();
    write(&files)?;
    let with_files = FileTimes {
        reading,
        writing: begin.elapsed(),
    };
    Ok(report.written(artifacts, built.times, with_files))
}

/// A file that is complete in memory.
struct NewFile {
    path: PathBuf,
    bytes: Vec<u8>,
    kind: Wanted,
}

/// A report on each artifact, and the files to write.
fn reported(
    job: &Job,
    built: Vec<BuiltArtifact>,
    format: Format,
) -> Result<(Vec<ArtifactReport>, Vec<NewFile>), Failure> {
    let (mut reports, mut files) = (Vec::new(), Vec::new());
    for ((_, path), artifact) in job.outputs.iter().zip(built) {
        let debug_path = match artifact.debug_file {
            Some(_) => Some(naming::debug_file(path)?),
            None => None,
        };
        let provenance_path = match artifact.provenance {
            Some(_) => Some(naming::provenance_file(path)?),
            None => None,
        };
        let mut report = ArtifactReport::new(&artifact, path, debug_path.as_deref(), format);
        report.provenance = provenance_path.as_deref().map(render::path);
        reports.push(report);
        files.push(NewFile {
            path: path.clone(),
            bytes: artifact.bytes,
            kind: Wanted::Artifact,
        });
        let debug_file = debug_path.zip(artifact.debug_file);
        files.extend(debug_file.map(|(path, bytes)| NewFile {
            path,
            bytes,
            kind: Wanted::DebugFile,
        }));
        let provenance = provenance_path.zip(artifact.provenance);
        files.extend(provenance.map(|(path, bytes)| NewFile {
            path,
            bytes,
            kind: Wanted::Attestation,
        }));
    }
    Ok((reports, files))
}

/// Stages every file before the first one is put in place. If one cannot be put in place, all old
/// files are put back, and the new folders are removed.
fn write(files: &[NewFile]) -> Result<(), Failure> {
    signals::uninterrupted(|| {
        let mut folders = NewFolders::default();
        for file in files {
            if let Some(folder) = file.path.parent() {
                files::make_folder(&mut folders, folder)?;
            }
        }
        files::commit_all(staged(files)?)?;
        folders.keep();
        Ok(())
    })
}

/// Stages the files at the same time, because each waits for the disk most of the time. The failure
/// is that of the first file that failed.
fn staged(files: &[NewFile]) -> Result<Vec<Staged>, Failure> {
    let stage = |file: &NewFile| files::stage(&file.path, &file.bytes, file.kind);
    thread::scope(|scope| {
        let started = files.iter().map(|file| {
            let started = thread::Builder::new().spawn_scoped(scope, move || stage(file));
            (file, started)
        });
        // All threads are started before the first one is waited for.
        let started: Vec<_> = started.collect();
        let staged = started.into_iter().map(|(file, started)| match started {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // If the system starts no more threads, this one does the rest.
            Err(_) => stage(file),
        });
        staged.collect()
    })
}
