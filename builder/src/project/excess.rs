//! Compares a compiled component with its budgets.

use std::collections::BTreeMap;

use edgec_compiler::{Image, defined_functions};
use edgec_targets::Target;
use serde::Serialize;

use super::budget::{Budgets, Capabilities};
use super::previous::{Lengths, Previous, notable};
use super::wire::{compressed, plain};
use crate::build::Program;

/// Something that a component may not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Budget {
    /// [`Budgets::image_bytes`].
    ImageBytes,
    /// [`Budgets::wire_bytes`].
    WireBytes,
    /// [`Budgets::functions`].
    Functions,
    /// [`Budgets::lost_fast_paths`].
    LostFastPaths,
    /// [`Budgets::new_capabilities`].
    NewCapabilities,
    /// The imports that a component may have.
    Capabilities,
}

impl Budget {
    /// Its name in a project.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageBytes => "image-bytes",
            Self::WireBytes => "wire-bytes",
            Self::Functions => "functions",
            Self::LostFastPaths => "lost-fast-paths",
            Self::NewCapabilities => "new-capabilities",
            Self::Capabilities => "capabilities",
        }
    }
}

/// A budget that a component exceeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Excess {
    /// The budget.
    pub budget: Budget,
    /// The target whose image exceeds it. `None` if the program does.
    pub target: Option<&'static str>,
    /// The limit: bytes, functions, notes or imports.
    pub allowed: u64,
    /// The value of this build. `None` if it is not known.
    pub now: Option<u64>,
    /// The value of the previous artifact, if there is one and it shows the value.
    pub before: Option<u64>,
    /// The causes, the largest first.
    pub why: Vec<Why>,
}

/// A cause of an excess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Why {
    /// A section of the image.
    Section {
        /// Its name.
        name: String,
        /// Its length in bytes: compressed, if the budget is [`Budget::WireBytes`].
        now: u64,
        /// Its length in the previous artifact, in bytes.
        before: Option<u64>,
    },
    /// A core module.
    Module {
        /// Its number in the optimized program, counted from 0 in file order.
        number: usize,
        /// How many functions it defines.
        functions: u64,
    },
    /// A note of the cold-start lint.
    Note(String),
    /// An import.
    Import(String),
    /// The value is not known, for this reason.
    Unknown(String),
}

/// The maximum number of causes that are sections or core modules.
const MOST_PARTS: usize = 3;

/// The budgets that a compiled program exceeds, in the order of [`Budget`]. `images` are its native
/// images. `previous` are the artifacts with which it is compared, at most one for each target.
pub fn exceeded(
    budgets: &Budgets,
    capabilities: Option<&Capabilities>,
    program: &Program,
    images: &[(&'static Target, &[u8])],
    previous: &[Previous],
) -> Vec<Excess> {
    let of_target = |target: &Target| previous.iter().find(|it| it.target == target.id);
    let images = || images.iter().copied();
    let plainly = images().filter_map(|(target, image)| {
        let before = of_target(target).map(|previous| &previous.image);
        too_long(
            Budget::ImageBytes,
            budgets.image_bytes?,
            target,
            image,
            before,
        )
    });
    let mut found: Vec<Excess> = plainly.collect();
    found.extend(images().filter_map(|(target, image)| {
        let before = of_target(target).and_then(|previous| previous.wire.as_ref());
        too_long(
            Budget::WireBytes,
            budgets.wire_bytes?,
            target,
            image,
            before,
        )
    }));
    found.extend(too_many_functions(budgets, program, previous));
    found.extend(too_many_losses(budgets, program, previous));
    found.extend(new_imports(budgets, program, previous));
    found.extend(capabilities.and_then(|allowed| refused_imports(allowed, program)));
    found
}

/// `before` has the lengths of the previous image, measured in the same way.
fn too_long(
    budget: Budget,
    allowed: u64,
    target: &'static Target,
    image: &[u8],
    before: Option<&Lengths>,
) -> Option<Excess> {
    let measure = match budget {
        Budget::WireBytes => compressed,
        _ => plain,
    };
    let now = measure(image);
    if now.is_some_and(|now| now <= allowed) {
        return None;
    }
    let why = match now {
        Some(_) => grown(image, measure, before),
        // What is not known is not within a limit.
        None => vec![Why::Unknown("the image cannot be compressed".to_owned())],
    };
    Some(Excess {
        budget,
        target: Some(target.id),
        allowed,
        now,
        before: before.map(|before| before.whole),
        why,
    })
}

/// The sections of an image that grew most.
fn grown(image: &[u8], measure: fn(&[u8]) -> Option<u64>, before: Option<&Lengths>) -> Vec<Why> {
    // An image that was just compiled has sections. Without them, only the causes would be missing.
    let lengths = Image::parse(image).ok();
    let lengths = lengths.and_then(|parsed| Lengths::of(&parsed, image, measure));
    let sections = lengths.map_or_else(BTreeMap::new, |lengths| lengths.sections);
    let mut parts: Vec<(u64, Why)> = sections
        .into_iter()
        .filter_map(|(name, now)| {
            let old = before.map(|before| before.sections.get(&name).copied().unwrap_or(0));
            let grown = now.checked_sub(old.unwrap_or(0)).filter(|by| *by > 0)?;
            let before = old;
            Some((grown, Why::Section { name, now, before }))
        })
        .collect();
    parts.sort_by_key(|(grown, _)| std::cmp::Reverse(*grown));
    let parts = parts.into_iter().map(|(_, why)| why);
    parts.take(MOST_PARTS).collect()
}

fn too_many_functions(
    budgets: &Budgets,
    program: &Program,
    previous: &[Previous],
) -> Option<Excess> {
    let allowed = budgets.functions?;
    let modules = defined_functions(&program.prepared.optimized.component);
    let now: u64 = modules.iter().sum();
    if now <= allowed {
        return None;
    }
    let mut modules: Vec<(usize, u64)> = modules.into_iter().enumerate().collect();
    modules.sort_by_key(|(_, functions)| std::cmp::Reverse(*functions));
    let why = modules.into_iter().take(MOST_PARTS);
    let why = why.map(|(number, functions)| Why::Module { number, functions });
    Some(Excess {
        budget: Budget::Functions,
        target: None,
        allowed,
        now: Some(now),
        before: previous.iter().find_map(|previous| previous.functions),
        why: why.collect(),
    })
}

fn too_many_losses(budgets: &Budgets, program: &Program, previous: &[Previous]) -> Option<Excess> {
    let allowed = budgets.lost_fast_paths?;
    let (now, why) = match &program.lint {
        Ok(findings) => {
            let notes: Vec<Why> = notable(findings)
                .map(|finding| Why::Note(finding.to_string()))
                .collect();
            (Some(notes.len() as u64), notes)
        }
        // What is not known is not within a limit.
        Err(error) => (None, vec![Why::Unknown(edgec_verifier::error_chain(error))]),
    };
    match now {
        Some(now) if now <= allowed => None,
        now => Some(Excess {
            budget: Budget::LostFastPaths,
            target: None,
            allowed,
            now,
            before: previous
                .iter()
                .find_map(|previous| previous.lost_fast_paths),
            why,
        }),
    }
}

fn new_imports(budgets: &Budgets, program: &Program, previous: &[Previous]) -> Option<Excess> {
    if !budgets.denies_new_capabilities() {
        return None;
    }
    let imports = &program.prepared.interface.imports;
    let is_new = |import: &&String| previous.iter().any(|it| !it.imports.contains(*import));
    let why: Vec<Why> = imports
        .iter()
        .filter(is_new)
        .cloned()
        .map(Why::Import)
        .collect();
    (!why.is_empty()).then_some(Excess {
        budget: Budget::NewCapabilities,
        target: None,
        allowed: 0,
        now: Some(why.len() as u64),
        before: None,
        why,
    })
}

fn refused_imports(allowed: &Capabilities, program: &Program) -> Option<Excess> {
    let refused = allowed.refused(&program.prepared.interface.imports);
    (!refused.is_empty()).then(|| Excess {
        budget: Budget::Capabilities,
        target: None,
        allowed: 0,
        now: Some(refused.len() as u64),
        before: None,
        why: refused.into_iter().map(Why::Import).collect(),
    })
}
