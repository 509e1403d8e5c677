//! From the bytes of an input to native images: what `build` makes, and `verify --rebuild` makes
//! again.
//!
//! validate, initialize on request, optimize, order, then for each target precompile, strip, trim.
//! All of it runs in processes with limits, before one deadline for the program.

mod failures;
mod init;
mod manifest;
mod recipe;
mod room;

use std::time::{Duration, Instant};

use edgec_artifact::Bytes;
use edgec_compiler::{
    Adapter, Assembler, Choice, CompilerProcess, Deadline, DebugInfo, DebugSections, EngineProfile,
    Finished, FrontEnd, Fronted, Interface, KeptFunction, Kind, KindChoice, Level, Names,
    NativeImage, Next, Optimized, Optimizer, Resources, Steps, Stripped, ValidComponent,
};
use edgec_targets::Target;

pub(crate) use self::failures::MORE_TIME;
use self::failures::{assemble_failure, defect, optimize_failure, precompile_failure};
pub(crate) use self::init::{Init, Initialized};
pub(crate) use self::manifest::{Manifests, Release};
pub(crate) use self::recipe::recipe;
pub(crate) use self::room::check as check_room;
use crate::commands::validate::front_failure;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::render::safe;

/// What decides an image, besides the input and the target.
pub(crate) struct Recipe {
    pub(crate) kind: KindChoice,
    pub(crate) init: Option<Init>,
    pub(crate) level: Level,
    pub(crate) profile: EngineProfile,
    /// How long all of the work on an input may take.
    pub(crate) timeout: Duration,
    pub(crate) front_end: FrontEnd,
    pub(crate) optimizer: Optimizer,
    pub(crate) assembler: Assembler,
    pub(crate) compiler: CompilerProcess,
}

/// An input on its way: all that targets share is done.
pub(crate) struct Prepared {
    /// When the rest must be done.
    deadline: Deadline,
    pub(crate) input: Bytes,
    pub(crate) from_text: bool,
    pub(crate) kind: Kind,
    pub(crate) adapter: Option<Adapter>,
    /// What a core module became, and why.
    pub(crate) choice: Option<Choice>,
    /// Length of the component, before it was initialized or optimized.
    pub(crate) before: usize,
    pub(crate) initialized: Option<Initialized>,
    /// The program without the names of functions.
    pub(crate) optimized: Optimized,
    /// The program with names, if it has any.
    pub(crate) named: Option<ValidComponent>,
    pub(crate) names: Names,
    pub(crate) interface: Interface,
    pub(crate) resources: Resources,
    pub(crate) validating: Duration,
    pub(crate) optimizing: Duration,
    pub(crate) naming: Duration,
}

/// An image, and what its debug information is made of.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) image: NativeImage,
    pub(crate) debug_sections: DebugSections,
    /// How long compiling took: the worker process, from its start to its end, but for the rest.
    pub(crate) compiling: Duration,
    /// How long stripping and trimming took.
    pub(crate) stripping: Duration,
}

impl Compiled {
    /// The same for a target that allows the same CPU features: it takes no time. `None` for other
    /// targets.
    fn for_target(self, target: &'static Target) -> Option<Self> {
        let same = self.image.target().id == target.id;
        let time = |time| if same { time } else { Duration::ZERO };
        Some(Self {
            image: self.image.for_target(target)?,
            debug_sections: self.debug_sections,
            compiling: time(self.compiling),
            stripping: time(self.stripping),
        })
    }
}

/// The image for each of these targets, `None` where nothing was compiled for it. Of targets that
/// share an image, the last gets the image itself and the others get copies.
pub(crate) fn for_each(
    compiled: Vec<Compiled>,
    targets: &[&'static Target],
) -> Vec<Option<Compiled>> {
    let mut compiled: Vec<Option<Compiled>> = compiled.into_iter().map(Some).collect();
    let image = |(number, &target): (usize, &&'static Target)| {
        let fits = |it: &Compiled| it.image.target().has_code_of(target);
        let mut slots = compiled.iter_mut();
        let slot = slots.find(|slot| slot.as_ref().is_some_and(fits))?;
        let mut later = targets.iter().skip(number + 1);
        let found = match later.any(|later| later.has_code_of(target)) {
            true => slot.clone(),
            false => slot.take(),
        };
        found?.for_target(target)
    };
    targets.iter().enumerate().map(image).collect()
}

impl Recipe {
    /// The number of steps until an input is compiled for these targets, as [`Progress`] counts
    /// them.
    pub(crate) fn steps(&self, targets: impl IntoIterator<Item = &'static Target>) -> usize {
        let validate = 1;
        let init = usize::from(self.init.is_some());
        let optimize = usize::from(self.level != Level::O0);
        validate + init + optimize + different(targets).len()
    }

    /// What is done between validation and the compiler.
    fn middle(&self) -> Steps {
        Steps {
            level: self.level,
            reads: self.optimizer.reads,
            spared: self.optimizer.spared.clone(),
            order: self.profile == EngineProfile::Edge,
        }
    }

    /// Does once what all targets share.
    pub(crate) fn prepare(&self, bytes: Vec<u8>, progress: &Progress) -> Result<Prepared, Failure> {
        let deadline = Deadline::after(self.timeout);
        let begin = Instant::now();
        progress.step("validating");
        let described = Bytes::of(&bytes);
        let steps = self.middle();
        let (facts, ahead, initialized, validating) = match &self.init {
            Some(init) => {
                let fronted = self.front_end.adapt(bytes, self.kind, deadline);
                let fronted = fronted.map_err(|not| front_failure(&not))?;
                let Fronted { component, facts } = fronted;
                check_room(&facts)?;
                let validating = begin.elapsed();
                progress.step(&format!("calling {}", safe(&init.function)));
                let (ahead, done) = init.run(&component, &self.front_end, steps, deadline)?;
                (facts, ahead, Some(done), validating)
            }
            None => {
                let prepared = self.front_end.prepare(bytes, self.kind, steps, deadline);
                let (facts, ahead) = prepared.map_err(|not| front_failure(&not))?;
                check_room(&facts)?;
                let validating = begin.elapsed().saturating_sub(ahead.planning);
                (facts, ahead, None, validating)
            }
        };

        let begin = Instant::now();
        if self.level != Level::O0 {
            progress.step("optimizing");
        }
        let finished = self.finish(ahead.next, deadline, progress)?;
        let optimizing = begin.elapsed() + ahead.planning;
        let Finished {
            optimized,
            named,
            names,
            interface,
            resources,
            naming,
        } = finished;
        Ok(Prepared {
            deadline,
            input: described,
            from_text: facts.from_text,
            kind: facts.kind,
            adapter: facts.adapter,
            choice: facts.choice,
            before: facts.length,
            initialized,
            optimized,
            named,
            names,
            interface,
            resources,
            validating,
            optimizing: optimizing.saturating_sub(naming),
            naming,
        })
    }

    /// Runs the optimizer on what it gets, and puts the program together.
    fn finish(
        &self,
        next: Next,
        deadline: Deadline,
        progress: &Progress,
    ) -> Result<Finished, Failure> {
        let planned = match next {
            Next::Optimize(planned) => planned,
            Next::Compile(finished) => return Ok(*finished),
        };
        let told = |number, length| progress.optimizing(number, length);
        let returned = planned.optimize(self.level, &self.optimizer, deadline, told);
        let returned = returned.map_err(|error| optimize_failure(&error))?;
        let order = self.profile == EngineProfile::Edge;
        let finished = self.assembler.assemble(returned, order, deadline);
        finished.map_err(|error| assemble_failure(&error))
    }

    /// The images for these targets: one for all that allow the same CPU features.
    pub(crate) fn compile(
        &self,
        prepared: &Prepared,
        targets: impl IntoIterator<Item = &'static Target>,
        told: impl Fn(&[&'static Target]) + Sync + Send,
    ) -> Result<Vec<Compiled>, Failure> {
        let different = different(targets);
        let component = &prepared.optimized.component;
        let compiler = &self.compiler;
        let deadline = prepared.deadline;
        let images = compiler.precompile_all(component, &different, self.profile, deadline, told);
        let images = images.map_err(|error| precompile_failure(&error))?;
        Ok(images.into_iter().map(Compiled::from).collect())
    }
}

impl From<Stripped> for Compiled {
    fn from(stripped: Stripped) -> Self {
        Self {
            image: stripped.image,
            debug_sections: stripped.debug_sections,
            compiling: stripped.compiling,
            stripping: stripped.stripping,
        }
    }
}

impl Prepared {
    /// When all work on the program must be done.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The core modules that the optimizer left as they were.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (usize, &edgec_compiler::Failure)> {
        use edgec_compiler::ModuleOutcome;
        let modules = self.optimized.modules.iter().enumerate();
        modules.filter_map(|(number, module)| match &module.outcome {
            ModuleOutcome::Kept(failure) => Some((number, failure)),
            ModuleOutcome::Optimized { .. } => None,
        })
    }

    /// The functions that the optimizer was not given, with the numbers of their core modules.
    pub(crate) fn kept_functions(&self) -> impl Iterator<Item = (usize, &KeptFunction)> {
        let modules = self.optimized.modules.iter().enumerate();
        modules.flat_map(|(number, module)| {
            let kept = module.functions_kept.iter();
            kept.map(move |function| (number, function))
        })
    }
}

/// The targets to compile for: of targets with the same code, the first.
fn different(targets: impl IntoIterator<Item = &'static Target>) -> Vec<&'static Target> {
    let mut different: Vec<&'static Target> = Vec::new();
    for target in targets {
        if !different.iter().any(|it| it.has_code_of(target)) {
            different.push(target);
        }
    }
    different
}

/// The debug file of an image, under the digest by which the image is known.
pub(crate) fn debug_file(
    debug_sections: &DebugSections,
    names: &Names,
    image: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut debug = debug_info(debug_sections, names)?;
    let build_id = edgec_artifact::verity::digest(image).0;
    let placed = debug.place(image, build_id);
    placed.map_err(|error| defect(&error))?;
    Ok(debug.write())
}

/// What debugging an image needs.
pub(crate) fn debug_info(
    debug_sections: &DebugSections,
    names: &Names,
) -> Result<DebugInfo<'static>, Failure> {
    let debug = debug_sections.debug_info(names);
    debug.map_err(|error| defect(&error))
}
