//! The three steps of a build: from an input to unsigned artifacts, to signed ones, to checked
//! ones.
//!
//! Each step has its own type, because a caller may do work between two steps: `edgec build`
//! compiles all of its inputs before it reads the key, and overwrites the key before it checks the
//! code.

use std::iter::repeat;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use edgec_artifact::{Bytes, Manifest, SignerKeys};
use edgec_compiler::{Finding, Names, ReadError, ValidComponent};
use edgec_packager::{SignedArtifact, Signer, UnsignedArtifact};
use edgec_targets::Target;

use crate::at_once::at_once;
use crate::audit::self_audit;
use crate::built::{Built, BuiltArtifact};
use crate::check::self_check;
use crate::error::BuildError;
use crate::manifest::{Manifests, WithoutImage};
use crate::pipeline;
use crate::plan::{DebugFiles, Plan, SelfAudit};
use crate::prepared::{Compiled, Prepared, for_each};
use crate::progress::{Progress, Step};
use crate::provenance::{Draft, Origin};
use crate::stages;
use crate::times::{ArtifactTimes, Stopwatch, Times};

/// A compiled program, and what is known about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Program {
    /// The application's name.
    pub name: String,
    /// The program. [`Prepared::named`] is empty, because it is not needed any more.
    pub prepared: Prepared,
    /// What slows the program's instantiation, or why that is not known. Findings have offsets only
    /// if these are offsets in the input.
    pub lint: Result<Vec<Finding>, ReadError>,
}

/// The unsigned artifacts of a program.
#[derive(Debug)]
pub struct Unsigned {
    pub(crate) artifacts: Vec<Packaged<UnsignedArtifact>>,
    pub(crate) times: Times,
}

/// The artifacts of a program, signed but not checked.
#[derive(Debug)]
pub struct Signed {
    artifacts: Vec<Packaged<SignedArtifact>>,
    by: SignerKeys,
    times: Times,
}

/// An artifact in one of these states, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Packaged<A> {
    pub(crate) target: &'static Target,
    pub(crate) artifact: A,
    pub(crate) debug_file: Option<Vec<u8>>,
    /// The artifact's provenance, if the caller asks for one.
    provenance: Provenance,
    pub(crate) times: ArtifactTimes,
}

/// A provenance in each of its states.
#[derive(Debug)]
enum Provenance {
    None,
    Draft(Box<Draft>),
    Signed(Vec<u8>),
}

impl Plan {
    /// Builds a program: compiles it, signs its artifacts, and checks them.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn build<S: Signer>(
        &self,
        name: &str,
        input: Vec<u8>,
        signer: &S,
        progress: &dyn Progress,
    ) -> Result<(Program, Built), BuildError>
    where
        S::Error: std::error::Error + Send + Sync + 'static,
    {
        let (program, unsigned) = self.compile(name, input, progress)?;
        let signed = unsigned.sign(signer);
        let signed = signed.map_err(|error| BuildError::Sign(Box::new(error)))?;
        Ok((program, signed.check(self)?))
    }

    /// Compiles an input to unsigned artifacts of the application `name`.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn compile(
        &self,
        name: &str,
        input: Vec<u8>,
        progress: &dyn Progress,
    ) -> Result<(Program, Unsigned), BuildError> {
        edgec_artifact::check_name(name).map_err(BuildError::Name)?;
        let (whole, mut clock) = (Stopwatch::start(), Stopwatch::start());
        let mut times = Times::default();
        let mut prepared = pipeline::prepare(&self.recipe, &self.gate, input, progress)?;
        self.check_spared(&prepared)?;
        times.removing_names = prepared.removing_names;
        clock.lap();

        let ((lint, linting), compiled) = self.compile_all(name, &prepared, progress);
        prepared.named = None;
        times.compiling = clock.lap();
        times.linting = linting;
        let compiled = compiled?;
        progress.step(Step::Packaging);
        let artifacts = self.package_all(name, &prepared, compiled)?;
        times.total = whole.elapsed();
        let program = Program {
            name: name.to_owned(),
            prepared,
            lint,
        };
        Ok((program, Unsigned { artifacts, times }))
    }

    /// Compiles for all targets. The lint needs the names, and runs at the same time in a separate
    /// process, because the compiler leaves processors idle at its beginning and end.
    fn compile_all(
        &self,
        name: &str,
        prepared: &Prepared,
        progress: &dyn Progress,
    ) -> (Lint, Result<Vec<Compiled>, BuildError>) {
        let targets = self.targets.iter().copied();
        let lint = || self.lint(prepared);
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, lint);
            let compiled = stages::precompile::run(&self.recipe, prepared, name, targets, progress);
            // If no thread starts, the lint runs here.
            let found = beside.map_or_else(|_| Ok(lint()), ScopedJoinHandle::join);
            let found = found.unwrap_or_else(|panic| resume_unwind(panic));
            (found, compiled)
        })
    }

    /// Runs the lint, with the memory limit of a compiler's process and the rest of the program's
    /// time.
    fn lint(&self, prepared: &Prepared) -> Lint {
        let clock = Stopwatch::start();
        let named = prepared.named.as_ref();
        let program = named.unwrap_or(&prepared.optimized.component);
        let deadline = prepared.deadline.or_after(Duration::from_secs(60));
        let mut found = self.recipe.tools.lint.program(program, deadline);
        if let Ok(findings) = &mut found
            && !is(program, &prepared.input)
        {
            let causes = findings.iter_mut().filter_map(|it| it.cause.as_mut());
            causes.for_each(|cause| cause.offset = None);
        }
        (found, clock.elapsed())
    }

    /// Packages several artifacts at a time.
    fn package_all(
        &self,
        name: &str,
        prepared: &Prepared,
        compiled: Vec<Compiled>,
    ) -> Result<Vec<Packaged<UnsignedArtifact>>, BuildError> {
        let manifests = Manifests::new(&self.release, name, &self.recipe, prepared);
        let mut images = Vec::new();
        for (&target, compiled) in self.targets.iter().zip(for_each(compiled, &self.targets)) {
            let missing = BuildError::Missing { target: target.id };
            images.push((target, compiled.ok_or(missing)?));
        }
        let names = match self.debug_files {
            DebugFiles::Made => Some(&prepared.names),
            DebugFiles::None => None,
        };
        at_once(images, |(target, compiled)| {
            package(target, manifests.of(&compiled.image), names, compiled)
        })
    }
}

/// The lint's findings, and how long it took.
type Lint = (Result<Vec<Finding>, ReadError>, Duration);

/// Whether `described` describes the bytes of this program.
fn is(program: &ValidComponent, described: &Bytes) -> bool {
    program.bytes().len() as u64 == described.length && program.sha256() == described.sha256.0
}

/// Packages one image. If there are `names`, also makes a debug file.
fn package(
    target: &'static Target,
    manifest: WithoutImage<'_>,
    names: Option<&Names>,
    compiled: Compiled,
) -> Result<Packaged<UnsignedArtifact>, BuildError> {
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
    let mut clock = Stopwatch::start();
    let bytes = image.into_bytes();
    let debug_file = names.map(|names| pipeline::debug_file(&debug_sections, names, &bytes));
    let debug_file = debug_file.transpose()?;
    drop(debug_sections);
    times.debug_file = clock.lap();
    let artifact = UnsignedArtifact::new(bytes, |image| manifest.with(image));
    times.packaging = clock.lap();
    Ok(Packaged {
        target,
        artifact,
        debug_file,
        provenance: Provenance::None,
        times,
    })
}

impl Unsigned {
    /// Also makes and signs the provenance of each artifact. `plan` is the plan that compiled them.
    ///
    /// # Errors
    ///
    /// [`BuildError::SelfCheck`] if a manifest cannot be read back: a defect.
    pub fn with_provenance(mut self, plan: &Plan, origin: &Origin) -> Result<Self, BuildError> {
        let names = origin.files.iter().map(String::as_str);
        for (packaged, file) in self.artifacts.iter_mut().zip(names.chain(repeat("_"))) {
            let manifest = packaged.artifact.manifest();
            let manifest = manifest.map_err(|error| BuildError::SelfCheck(error.into()))?;
            let debug_file = packaged.debug_file.as_deref();
            let draft = origin.draft(&plan.recipe, &manifest, file, debug_file);
            packaged.provenance = Provenance::Draft(Box::new(draft));
        }
        Ok(self)
    }

    /// The native image for each target of the plan, in the plan's order.
    pub fn images(&self) -> impl Iterator<Item = (&'static Target, &[u8])> {
        let artifacts = self.artifacts.iter();
        artifacts.map(|packaged| (packaged.target, packaged.artifact.image()))
    }

    /// How much memory the artifacts and debug files take, in bytes.
    pub fn memory(&self) -> u64 {
        let debug = |packaged: &Packaged<UnsignedArtifact>| {
            let file = packaged.debug_file.as_ref();
            file.map_or(0, Vec::len) as u64
        };
        let artifacts = self.artifacts.iter();
        let lengths = artifacts.map(|it| it.artifact.image().len() as u64 + debug(it));
        lengths.sum()
    }

    /// Signs one artifact after the other, because a signer may ask the user something.
    ///
    /// # Errors
    ///
    /// The signer's error, or an error if the signature is not from the signer's key.
    pub fn sign<S: Signer>(self, signer: &S) -> Result<Signed, S::Error> {
        let Self {
            artifacts,
            mut times,
        } = self;
        let whole = Stopwatch::start();
        let sign = |packaged: Packaged<UnsignedArtifact>| {
            let clock = Stopwatch::start();
            let artifact = packaged.artifact.sign(signer, Vec::new())?;
            let provenance = match packaged.provenance {
                Provenance::Draft(draft) => {
                    Provenance::Signed(draft.sign(artifact.as_bytes(), signer)?)
                }
                other => other,
            };
            let mut times = packaged.times;
            times.signing = clock.elapsed();
            Ok::<_, S::Error>(Packaged {
                target: packaged.target,
                artifact,
                debug_file: packaged.debug_file,
                provenance,
                times,
            })
        };
        let signed: Result<Vec<_>, S::Error> = artifacts.into_iter().map(sign).collect();
        let artifacts = signed?;
        times.total += whole.elapsed();
        Ok(Signed {
            artifacts,
            by: signer.public(),
            times,
        })
    }
}

impl Signed {
    /// The whole file of each artifact, in the order of the plan's targets.
    pub fn files(&self) -> impl Iterator<Item = &[u8]> {
        self.artifacts.iter().map(|it| it.artifact.as_bytes())
    }

    /// Checks every artifact as a host, as an audit, and for the fleet of the plan. Checks several
    /// artifacts at a time, and returns the failure of the first one that failed.
    ///
    /// # Errors
    ///
    /// [`BuildError`]. In that case, use none of the artifacts.
    pub fn check(self, plan: &Plan) -> Result<Built, BuildError> {
        let Self {
            artifacts,
            by,
            mut times,
        } = self;
        let clock = Stopwatch::start();
        let artifacts = at_once(artifacts, |mut packaged| {
            let manifest = check(&mut packaged, &by, plan)?;
            Ok::<_, BuildError>(BuiltArtifact {
                target: packaged.target,
                stated: manifest.into(),
                bytes: packaged.artifact.into_bytes(),
                debug_file: packaged.debug_file,
                provenance: match packaged.provenance {
                    Provenance::Signed(bytes) => Some(bytes),
                    Provenance::None | Provenance::Draft(_) => None,
                },
                times: packaged.times,
            })
        })?;
        times.checking = clock.elapsed();
        times.total += times.checking;
        Ok(Built { artifacts, times })
    }
}

fn check(
    packaged: &mut Packaged<SignedArtifact>,
    by: &SignerKeys,
    plan: &Plan,
) -> Result<Manifest, BuildError> {
    let clock = Stopwatch::start();
    let signed = packaged.artifact.as_bytes();
    let manifest = self_check(signed, by)?;
    packaged.times.verifying = clock.elapsed();
    audit_and_place(signed, &manifest, plan, &mut packaged.times)?;
    Ok(manifest)
}

/// Audits an artifact's code, and checks that the hosts of the plan's fleet can load it.
pub(crate) fn audit_and_place(
    file: &[u8],
    manifest: &Manifest,
    plan: &Plan,
    times: &mut ArtifactTimes,
) -> Result<(), BuildError> {
    if plan.self_audit == SelfAudit::Required {
        let clock = Stopwatch::start();
        self_audit(file, manifest, &plan.recipe.tools.program)?;
        times.auditing = clock.elapsed();
    }
    match &plan.fleet {
        Some(fleet) => fleet.check(manifest).map_err(BuildError::Unserved),
        None => Ok(()),
    }
}
