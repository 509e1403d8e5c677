//! `edgec build`: compiles an input to signed artifacts, one for each target.
//!
//! First the pipeline, once. Then for each target: compile, package, sign, verify. Targets that
//! allow the same CPU features share the code. The artifacts of an input are written when all of
//! them exist, and those of a project when all components are built.
//!
//! edgec compiles all inputs before it reads the key, and overwrites the key when all artifacts are
//! signed. So this process holds no key while it works on untrusted programs or checks their code.

mod arguments;
mod bills;
mod budgets;
mod concerns;
mod git;
mod origin;
mod plan;
mod project;
mod purpose;
mod release;
mod report;
mod request;
mod sbom;
mod sign;
mod targets;
mod text;
mod work;
mod write;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use edgec_builder::project::exceeded;
use edgec_builder::{BuiltArtifact, Unsigned, peak_memory};
use edgec_verifier::{Expected, verify};

pub(crate) use self::arguments::Arguments;
use self::plan::{Plan, Planned};
pub(crate) use self::project::FILE as PROJECT_FILE;
use self::report::{ArtifactReport, FileTimes, InputReport, Summary};
use self::sign::{left_unsigned, lost, sign};
use self::work::{Done, Finished, Results, attempt, not_written, steps, told};
use self::write::{NewFile, reported, write};
use crate::caching::BuildCache;
use crate::failure::{Exit, Failure, code};
use crate::failures::verifier::verify_failure_of;
use crate::files;
use crate::naming::Signing;
use crate::panics::guarded;
use crate::progress::Progress;
use crate::render::out;
use crate::render::{self, Format, count};
use crate::{Outcome, document, sarif, sum, time, workers};

pub(crate) fn run(arguments: Arguments) -> Outcome {
    let format = arguments.format;
    let (quiet, verbose) = (arguments.quiet, arguments.verbose);
    let (plan, signers) = Plan::new(&arguments)?;
    let is_told = format == Format::Text && !quiet;
    if is_told {
        if let Some(project) = &plan.project {
            let components = count(plan.jobs.len(), "component");
            out!("{}: {components}\n", render::path(project));
        }
        plan.fleets
            .iter()
            .for_each(|fleet| out!("{}", fleet.text()));
    }
    let confinement = verbose.then(workers::confinement);
    if let Some(confinement) = confinement.as_ref().filter(|_| format == Format::Text) {
        out!("{confinement}\n");
    }
    let progress = Progress::new(quiet);
    let compiled = compile_all(&plan, format, &progress);
    // A project is written as a whole. If a component failed, there is nothing to sign.
    let is_lost = plan.project.is_some() && compiled.iter().any(|(_, it)| it.is_err());
    let mut summary = Summary::new(&plan.fleets, confinement);
    summary.unsigned = plan.signing == Signing::Unsigned;
    progress.expect(0);
    let finished = match (is_lost, plan.signing) {
        (true, _) => lost(compiled),
        (false, Signing::Unsigned) => left_unsigned(compiled),
        (false, Signing::Signed) => sign(compiled, signers, format, &mut summary)?,
    };
    let checked = finished.into_iter().map(|(planned, finished)| {
        let checked = finished.and_then(|finished| {
            attempt(planned, format, || {
                check(planned, finished, format, &progress)
            })
        });
        (planned, checked)
    });
    let mut worst: Option<Exit> = None;
    let mut tell = |planned: &Planned, written: Result<InputReport, Failure>| {
        let report = match written {
            Ok(report) => {
                report.print_warnings();
                if is_told {
                    out!("{}", report.text());
                }
                report
            }
            Err(failure) => {
                worst = worst.max(Some(failure.exit()));
                InputReport::failed(render::path(&planned.job.input), failure)
            }
        };
        summary.inputs.push(report);
    };
    match plan.project {
        None => checked.for_each(|(planned, checked)| {
            let written = checked.and_then(|checked| {
                attempt(planned, format, || {
                    let begin = Instant::now();
                    write(&checked.files.iter().collect::<Vec<_>>())?;
                    Ok(checked.written(begin.elapsed()))
                })
            });
            tell(planned, written);
        }),
        Some(_) => {
            let written = write_together(checked.collect(), format);
            for (planned, written) in written {
                tell(planned, written);
            }
        }
    }
    summary.cache = plan.cache.as_ref().map(BuildCache::report);
    // The others failed only because of these.
    let own = summary
        .failures()
        .filter(|it| it.code() != not_written().code());
    match format {
        Format::Json => document::print(worst.is_none(), &summary),
        Format::Sarif => {
            let findings: Vec<_> = own.map(Failure::finding).collect();
            sarif::print(&findings, worst);
        }
        Format::Text => {
            if !quiet {
                out!("{}", summary.closing());
                // After all results, even if both streams go to the same place.
                summary.inputs.iter().for_each(InputReport::print_notes);
            }
            let failed: Vec<_> = own.map(Failure::summary).collect();
            let line = match plan.project {
                Some(_) => sum::of_project(&failed, plan.jobs.len()),
                None => sum::line(&failed, plan.jobs.len()),
            };
            if let Some(line) = line {
                eprintln!("{line}");
            }
        }
    }
    if let Some(cache) = &plan.cache {
        cache.tidy();
    }
    Ok(worst.map_or(ExitCode::SUCCESS, code))
}

/// Compiles all inputs, several at a time. Failures are printed in the order of the inputs.
fn compile_all<'p>(
    plan: &'p Plan,
    format: Format,
    progress: &Progress,
) -> Results<'p, Done<Unsigned>> {
    progress.expect(plan.jobs.len());
    let peak = |planned: &&Planned| {
        // What has no length, such as standard input, may have any. What is missing takes nothing.
        let found = planned.job.input.metadata();
        let stdin = planned.job.input.as_os_str() == files::STDIN;
        match found {
            Ok(found) if found.is_file() => peak_memory(found.len()),
            Err(_) if !stdin => 0,
            _ => u64::MAX / 2,
        }
    };
    let kept = |compiled: &Result<Done<Unsigned>, Failure>| {
        compiled.as_ref().map_or(0, |done| done.artifacts.memory())
    };
    let planned: Vec<&Planned> = plan.jobs.iter().collect();
    let work = |planned: &'p Planned| guarded(|| compile(planned, progress));
    let compiled = plan.lanes.work(planned, peak, kept, work);
    let compiled = plan.jobs.iter().zip(compiled).map(|(planned, compiled)| {
        let compiled = compiled.map_err(|failure| told(planned, failure, format));
        (planned, compiled)
    });
    compiled.collect()
}

/// Compiles an input to unsigned artifacts, and compares them with its budgets.
fn compile(planned: &Planned, progress: &Progress) -> Result<Done<Unsigned>, Failure> {
    let (job, build) = (&planned.job, &planned.build);
    let shown = progress.begin(&job.name, steps(planned));
    let begin = Instant::now();
    let input = files::read(&job.input)?;
    let reading = begin.elapsed();
    let sboms = bills::documents(planned, &input)?;
    let (program, artifacts) = build.compile(&job.name, input, &shown)?;
    let images: Vec<_> = artifacts.images().collect();
    concerns::refuse(
        build,
        &planned.allowed_advisories,
        &program.prepared.optimized.component,
    )?;
    let excesses = exceeded(
        &planned.budgets,
        planned.capabilities.as_ref(),
        &program,
        &images,
        &planned.previous,
    );
    if !excesses.is_empty() {
        return Err(budgets::failure(&excesses));
    }
    let artifacts = match &planned.origin {
        Some(origin) => {
            artifacts.with_provenance(build, &bills::stated(planned, origin, &sboms))?
        }
        None => artifacts,
    };
    let is_compared = !planned.budgets.denies_new_capabilities() || !planned.previous.is_empty();
    let report = InputReport::compiled(job, build.recipe.level, program);
    Ok(Done {
        artifacts,
        report: report.with_comparison(is_compared).with_gate(&build.gate),
        reading,
        release: None,
        sboms,
    })
}

/// The artifacts of an input, ready to be written.
struct Checked {
    report: InputReport,
    artifacts: Vec<ArtifactReport>,
    files: Vec<NewFile>,
    times: edgec_builder::Times,
    reading: Duration,
}

impl Checked {
    /// The report, after the files were written in this time.
    fn written(self, writing: Duration) -> InputReport {
        let reading = self.reading;
        let with_files = FileTimes { reading, writing };
        self.report.written(self.artifacts, self.times, with_files)
    }
}

/// Checks the artifacts of an input.
fn check(
    planned: &Planned,
    finished: Done<Finished>,
    format: Format,
    progress: &Progress,
) -> Result<Checked, Failure> {
    let Done {
        artifacts,
        report,
        reading,
        release,
        sboms,
    } = finished;
    let job = &planned.job;
    let shown = progress.begin(&job.name, steps(planned));
    shown.last("checking");
    let is_signed = matches!(artifacts, Finished::Signed(_));
    let built = artifacts.check(&planned.build)?;
    if is_signed {
        built
            .artifacts
            .iter()
            .try_for_each(|artifact| accepted(planned, artifact, &sboms))?;
    }
    let times = built.times.clone();
    let (artifacts, mut files) = reported(job, built.artifacts, format)?;
    let release = NewFile::release(job, release)?;
    let sbom_paths = sboms.iter().map(NewFile::path).collect();
    let report = report.with_files(release.as_ref().map(NewFile::path), sbom_paths);
    files.extend(release.into_iter().chain(sboms));
    Ok(Checked {
        report,
        artifacts,
        files,
        times,
        reading,
    })
}

/// Asks the policy of an input, if it has one, whether it accepts an artifact.
fn accepted(planned: &Planned, artifact: &BuiltArtifact, sboms: &[NewFile]) -> Result<(), Failure> {
    let Some((file, policy)) = &planned.policy else {
        return Ok(());
    };
    let input = &planned.job.input;
    let mut expected = Expected::application(&planned.job.name);
    if let Some(provenance) = &artifact.provenance {
        expected = expected.with_provenance(provenance.as_slice());
        for sbom in sboms {
            expected = expected.with_sbom(sbom.bytes());
        }
    }
    let accepted = verify(&artifact.bytes, policy, &expected, time::now()?);
    accepted.map(drop).map_err(|error| {
        let failure = verify_failure_of(&error, &artifact.bytes);
        let policy = render::path(file);
        let failure = failure.about_safe(format!("{} under {policy}", render::path(input)));
        failure.annotated_in(input)
    })
}

/// Writes the artifacts of all components of a project, or none if any component failed.
fn write_together(checked: Results<'_, Checked>, format: Format) -> Results<'_, InputReport> {
    let has_failed = checked.iter().any(|(_, checked)| checked.is_err());
    let begin = Instant::now();
    let files = checked
        .iter()
        .flat_map(|(_, checked)| checked.as_ref().ok());
    let files: Vec<&NewFile> = files.flat_map(|checked| &checked.files).collect();
    let written = match has_failed {
        true => Err(None),
        false => guarded(|| write(&files)).map_err(Some),
    };
    let writing = begin.elapsed();
    // A failure that no component caused is told once.
    let (is_written, mut failure) = match written {
        Ok(()) => (true, None),
        Err(failure) => (false, failure),
    };
    if let Some(failure) = &failure {
        failure.tell(format);
    }
    let reports = checked.into_iter().map(|(planned, checked)| {
        let report = checked.and_then(|checked| match is_written {
            true => Ok(checked.written(writing)),
            false => Err(failure.take().unwrap_or_else(not_written)),
        });
        (planned, report)
    });
    reports.collect()
}
