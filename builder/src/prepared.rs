//! A program during a build: what all targets share, and what belongs to one target.

use std::time::Duration;

use edgec_artifact::Bytes;
use edgec_compiler::{
    Adapter, AddedTypes, Choice, Deadline, DebugSections, Failure, Interface, KeptFunction,
    ModuleOutcome, Names, NativeImage, Optimized, ProgramKind, Resources, Stripped, ValidComponent,
};
use edgec_targets::Target;

/// A program for which the work that all targets share is done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Prepared {
    /// When the remaining work must be done.
    pub deadline: Deadline,
    /// The input.
    pub input: Bytes,
    /// Whether the input was in the text format.
    pub from_text: bool,
    /// How its legacy exceptions were translated, if it had any.
    pub translated: Option<TranslatedExceptions>,
    /// What the program is.
    pub kind: ProgramKind,
    /// How a core module became a component, if it did.
    pub adapter: Option<Adapter>,
    /// The kind that was chosen for a core module, and why.
    pub choice: Option<Choice>,
    /// The component types that a core module got, if the recipe names them.
    pub added: Option<AddedTypes>,
    /// The component's length in bytes, before it was initialized or optimized.
    pub before: usize,
    /// The export that was called at build time.
    pub initialized: Option<Initialized>,
    /// The program without the names of functions.
    pub optimized: Optimized,
    /// The program without the data of its memories, if the compiler's answers are kept.
    pub bare: Option<ValidComponent>,
    /// The program with names, if it has names.
    pub named: Option<ValidComponent>,
    /// The names of functions.
    pub names: Names,
    /// How much shorter the program is without its names, in bytes.
    pub names_len: usize,
    /// What the program imports and exports.
    pub interface: Interface,
    /// What an instance needs.
    pub resources: Resources,
    /// How long reading, validating and adapting took.
    pub validating: Duration,
    /// How long optimizing took.
    pub optimizing: Duration,
    /// How long it took to remove the names.
    pub removing_names: Duration,
}

/// Legacy exceptions that were translated to standard ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TranslatedExceptions {
    /// The numbers of the core modules that had them, in file order.
    pub modules: Vec<usize>,
    /// How long it took to find them, translate them and validate the result.
    pub time: Duration,
}

/// An export that was called at build time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Initialized {
    /// The export.
    pub function: String,
    /// The program's length in bytes, with the new state.
    pub bytes: usize,
    /// How long the call took.
    pub time: Duration,
}

impl Prepared {
    /// The core modules that the optimizer did not change, by number, and why.
    pub fn kept(&self) -> impl Iterator<Item = (usize, &Failure)> {
        let modules = self.optimized.modules.iter().enumerate();
        modules.filter_map(|(number, module)| match &module.outcome {
            ModuleOutcome::Kept(failure) => Some((number, failure)),
            ModuleOutcome::Optimized { .. } => None,
        })
    }

    /// The functions that the optimizer did not get, with the numbers of their core modules.
    pub fn kept_functions(&self) -> impl Iterator<Item = (usize, &KeptFunction)> {
        let modules = self.optimized.modules.iter().enumerate();
        modules.flat_map(|(number, module)| {
            let kept = module.functions_kept.iter();
            kept.map(move |function| (number, function))
        })
    }
}

/// An image, and the sources of its debug information.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) image: NativeImage,
    pub(crate) debug_sections: DebugSections,
    /// How long the compiler's process ran, apart from stripping and trimming.
    pub(crate) compiling: Duration,
    /// How long stripping and trimming took.
    pub(crate) stripping: Duration,
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

impl Compiled {
    /// The same image for a target that allows the same CPU features, without the time it took.
    /// `None` for other targets.
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

/// The image for each of these targets, or `None` if nothing was compiled for it. If several
/// targets share an image, the last of them gets the image and the others get copies.
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
