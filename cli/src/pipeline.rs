//! From the bytes of an input to native images: what `build` makes, and `verify --rebuild` makes
//! again.
//!
//! validate, initialize on request, optimize, order, then for each target precompile, strip, trim.

mod failures;
mod init;
mod manifest;
mod recipe;
mod room;

use std::time::{Duration, Instant};

use edgec_artifact::Bytes;
use edgec_compiler::{
    Adapter, Choice, CompilerProcess, DebugInfo, DebugSections, EngineProfile, FrontEnd, Fronted,
    KeptFunction, Kind, KindChoice, Level, Names, NativeImage, Optimized, Optimizer,
    ValidComponent,
};
use edgec_targets::Target;

use self::failures::{defect, optimize_failure, precompile_failure};
pub(crate) use self::init::{Init, Initialized};
pub(crate) use self::manifest::{Manifests, Release};
pub(crate) use self::recipe::recipe;
pub(crate) use self::room::check as check_room;
use crate::at_once::at_once;
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
    pub(crate) front_end: FrontEnd,
    pub(crate) optimizer: Optimizer,
    pub(crate) compiler: CompilerProcess,
}

/// An input on its way: all that targets share is done.
pub(crate) struct Prepared {
    pub(crate) input: Bytes,
    pub(crate) from_text: bool,
    pub(crate) kind: Kind,
    pub(crate) adapter: Option<Adapter>,
    /// What a core module became, and why.
    pub(crate) choice: Option<Choice>,
    /// Length of the component, before it was initialized or optimized.
    pub(crate) before: usize,
    pub(crate) initialized: Option<Initialized>,
    pub(crate) optimized: Optimized,
    pub(crate) validating: Duration,
    pub(crate) optimizing: Duration,
}

/// An image, and what its debug information is made of.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) image: NativeImage,
    pub(crate) debug_sections: DebugSections,
    /// How long compiling took: the worker process, from its start to its end.
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

    /// Does once what all targets share.
    pub(crate) fn prepare(&self, bytes: Vec<u8>, progress: &Progress) -> Result<Prepared, Failure> {
        let begin = Instant::now();
        progress.step("validating");
        let described = Bytes::of(&bytes);
        let fronted = self.front_end.adapt(bytes, self.kind);
        let Fronted { adapted, from_text } = fronted.map_err(|not| front_failure(&not))?;
        check_room(&adapted.component)?;
        let validating = begin.elapsed();

        let kind = adapted.component.kind();
        let before = adapted.component.bytes().len();
        let (component, initialized) = match &self.init {
            Some(init) => {
                progress.step(&format!("calling {}", safe(&init.function)));
                let (component, done) = init.run(&adapted.component)?;
                (component, Some(done))
            }
            None => (adapted.component, None),
        };

        let begin = Instant::now();
        if self.level != Level::O0 {
            progress.step("optimizing");
        }
        let told = |number, length| progress.optimizing(number, length);
        let optimized = edgec_compiler::optimize(component, self.level, &self.optimizer, told);
        let mut optimized = optimized.map_err(|error| optimize_failure(&error))?;
        if self.profile == EngineProfile::Edge {
            optimized.component = edgec_compiler::order(optimized.component);
        }
        let optimizing = begin.elapsed();
        Ok(Prepared {
            input: described,
            from_text,
            kind,
            adapter: adapted.adapter,
            choice: adapted.choice,
            before,
            initialized,
            optimized,
            validating,
            optimizing,
        })
    }

    /// The images for these targets: one for all that allow the same CPU features.
    pub(crate) fn compile(
        &self,
        prepared: &Prepared,
        targets: impl IntoIterator<Item = &'static Target>,
        told: impl Fn(&Target) + Sync + Send,
    ) -> Result<Vec<Compiled>, Failure> {
        let different = different(targets);
        let component = &prepared.optimized.component;
        let compiler = &self.compiler;
        let images = compiler.precompile_all(component, &different, self.profile, told);
        let images = images.map_err(|error| precompile_failure(&error))?;
        at_once(images, |(mut image, compiling)| {
            let begin = Instant::now();
            let debug_sections = image.strip().map_err(|error| defect(&error))?;
            image.trim().map_err(|error| defect(&error))?;
            Ok(Compiled {
                image,
                debug_sections,
                compiling,
                stripping: begin.elapsed(),
            })
        })
    }
}

impl Prepared {
    /// Takes out of the program what people call its functions: no image holds that. Gives back the
    /// program with its names as well, if it has any.
    pub(crate) fn take_names(mut self) -> (Self, Names, Option<ValidComponent>) {
        let (bare, names) = edgec_compiler::take_names(&self.optimized.component);
        let named = bare.map(|bare| std::mem::replace(&mut self.optimized.component, bare));
        (self, names, named)
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
