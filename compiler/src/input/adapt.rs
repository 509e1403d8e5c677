//! Decides whether a core module becomes a component, and makes the component.
//!
//! A module that carries component types (`wit-bindgen` writes them) becomes the component that
//! they describe, unless an adapter could not work in its memory. A module that imports
//! `wasi_snapshot_preview1` becomes a component with Wasmtime's standard adapter if the rule of
//! [`crate::input::preview1`] proves that it behaves the same. All other modules stay core modules.

mod encode;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::encode::{Realloc, made};
use crate::input::invalid::ValidateError;
use crate::input::preview1::{self, HostNeed, Lacks, Obstacle};
use crate::input::wit::{WitError, WorldSource};
use crate::{Input, Interface, ProgramKind, ValidComponent, validate};

/// The version of Wasmtime that the adapters come from.
pub const ADAPTER_VERSION: &str = "48.0.8";
/// The version of `wit-component`, which makes components from core modules.
pub const ENCODER_VERSION: &str = "0.254.2";

/// What a core module should become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KindChoice {
    /// A component if the module carries component types or provably behaves the same as a
    /// component; else a core module.
    Auto,
    /// A component.
    Component,
    /// A core module.
    Module,
}

impl KindChoice {
    /// Every choice.
    pub const ALL: [KindChoice; 3] = [KindChoice::Auto, KindChoice::Component, KindChoice::Module];

    /// The choice's name on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            KindChoice::Auto => "auto",
            KindChoice::Component => "component",
            KindChoice::Module => "module",
        }
    }

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// A valid program, and how it was made from the input.
#[derive(Debug)]
pub struct Adapted {
    /// The program.
    pub component: ValidComponent,
    /// The adapter, if the input was a core module that needed one.
    pub adapter: Option<Adapter>,
    /// The kind that a core module became, and why; `None` for a component.
    pub choice: Option<Choice>,
    /// The component types that edgec added to a core module, if the user named them.
    pub added: Option<AddedTypes>,
}

/// Component types that edgec added to a core module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedTypes {
    /// The world that they are of.
    pub world: String,
    /// The SHA-256 digest of the types in the binary format, as the encoder wrote them.
    pub sha256: [u8; 32],
}

/// The kind that a core module became, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The kind that the user asked for.
    pub asked: KindChoice,
    /// The reason.
    pub why: Why,
    /// How the component differs from the core module. It differs only if the user or the module's
    /// component types ask for a component.
    pub lacks: Option<Lacks>,
}

/// Why a core module did or did not become a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The user asked for it.
    Asked,
    /// The module carries component types, so it is meant to become that component.
    ComponentTypes,
    /// The module behaves the same as a component: no function asks where its memory ends.
    Proved,
    /// The module might behave differently as a component.
    Obstacle(Obstacle),
    /// The module imports no function of WASI preview 1.
    NoPreview1,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Asked => f.write_str("as asked for"),
            Why::ComponentTypes => f.write_str("it carries component types"),
            Why::Proved => f.write_str("it never asks for its memory's size or for more memory"),
            Why::Obstacle(obstacle) => obstacle.fmt(f),
            Why::NoPreview1 => f.write_str("it imports nothing of WASI preview 1"),
        }
    }
}

/// The adapter that turned a core module into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adapter {
    /// `wasi_snapshot_preview1` for programs with `_start`.
    Command,
    /// `wasi_snapshot_preview1` for libraries.
    Reactor,
    /// No adapter, because the module imports no function of preview 1.
    None,
}

impl Adapter {
    /// The adapter's name in manifests and summaries.
    pub const fn name(self) -> &'static str {
        match self {
            Adapter::Command => "wasi_snapshot_preview1.command",
            Adapter::Reactor => "wasi_snapshot_preview1.reactor",
            Adapter::None => "none",
        }
    }
}

/// Why an input cannot become what the user asked for.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// The input is not valid WebAssembly.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    /// The user asked for a core module, and the input is a component.
    #[error("the input is a component and cannot become a core module")]
    ComponentToModule,
    /// The user named component types for an input that is a component.
    #[error("the input is a component and has types already: it takes none from WIT")]
    TypesForComponent,
    /// The user named component types for a module that carries some.
    #[error("the core module carries component types already: it takes none from WIT")]
    TypesTwice,
    /// The user named component types for a module that should stay a core module.
    #[error("a core module that stays one takes no component types from WIT")]
    TypesForModule,
    /// The component types that the user named cannot be read.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// The module would behave differently as a component.
    #[error("the core module cannot become a component: {obstacle}")]
    Obstacle {
        /// The reason.
        obstacle: Obstacle,
        /// What a host needs to run it as a core module.
        need: HostNeed,
    },
    /// The component would export nothing, so no host could use it.
    #[error("the core module cannot become a component: it would export nothing")]
    NoExports,
    /// The encoder cannot make the component of the module's component types.
    #[error("the core module cannot become a component: {reason}")]
    Encode {
        /// The encoder's errors, the outermost first.
        reason: String,
    },
    /// The encoder made an invalid component.
    #[error("the component that was made of the core module is not valid: {reason}")]
    Made {
        /// Why it is invalid. The user cannot use offsets in it, because this component is not a
        /// file.
        reason: String,
    },
    /// The encoder made a component with features that edgec or its engine lacks.
    #[error("the component that was made of the core module cannot be compiled: {reason}")]
    Unsupported {
        /// The missing feature, as in [`AdaptError::Made`].
        reason: String,
        /// The name of the feature that edgec does not support, if there is one.
        feature: Option<String>,
    },
}

impl AdaptError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Wit(error) => error.code(),
            Self::TypesForComponent | Self::TypesTwice | Self::TypesForModule => "wit",
            _ => "kind",
        }
    }
}

/// Validates an input and turns it into the kind `asked`.
///
/// # Errors
///
/// [`AdaptError`].
pub fn adapt(input: Input, asked: KindChoice) -> Result<Adapted, AdaptError> {
    let kind = input.kind();
    let program = validate(input.into_bytes())?;
    match (kind, asked) {
        (ProgramKind::Component, KindChoice::Module) => Err(AdaptError::ComponentToModule),
        (ProgramKind::Component, _) => Ok(Adapted {
            component: program,
            adapter: None,
            choice: None,
            added: None,
        }),
        (ProgramKind::Module, KindChoice::Module) => Ok(stays(program, asked, Why::Asked)),
        (ProgramKind::Module, _) => module(program, asked),
    }
}

/// Like [`adapt`], but a core module without component types first gets those of a world, as if
/// `wit-bindgen` had written them.
///
/// # Errors
///
/// [`AdaptError`]. A component, a module that carries component types, and a module that should
/// stay one are errors.
pub fn adapt_with_wit(
    input: Input,
    asked: KindChoice,
    wit: &WorldSource,
) -> Result<Adapted, AdaptError> {
    let kind = input.kind();
    let program = validate(input.into_bytes())?;
    match (kind, asked) {
        (ProgramKind::Component, _) => return Err(AdaptError::TypesForComponent),
        (ProgramKind::Module, KindChoice::Module) => return Err(AdaptError::TypesForModule),
        (ProgramKind::Module, KindChoice::Auto | KindChoice::Component) => {}
    }
    if preview1::has_component_types(program.bytes()) {
        return Err(AdaptError::TypesTwice);
    }
    let world = wit.open()?;
    let added = AddedTypes {
        world: world.name().to_owned(),
        sha256: Sha256::digest(world.encoded()?).into(),
    };
    // A custom section is added, which the engine ignores.
    let program = program.with_bytes(world.embedded(program.bytes())?);
    let adapted = module(program, asked)?;
    let added = Some(added);
    Ok(Adapted { added, ..adapted })
}

/// Decides whether a core module becomes a component.
fn module(program: ValidComponent, asked: KindChoice) -> Result<Adapted, AdaptError> {
    let interface = program.interface();
    if preview1::has_component_types(program.bytes()) {
        return with_component_types(&program, asked, adapter_for(&interface));
    }
    if preview1::imports_preview1(&interface) {
        return with_preview1(program, asked);
    }
    if asked == KindChoice::Auto {
        return Ok(stays(program, asked, Why::NoPreview1));
    }
    let import = preview1::other_import(program.bytes());
    Err(import.map_or(AdaptError::NoExports, |it| refused(&program, it)))
}

fn with_component_types(
    program: &ValidComponent,
    asked: KindChoice,
    adapter: Adapter,
) -> Result<Adapted, AdaptError> {
    let lacks = match adapter {
        Adapter::None => None,
        Adapter::Command | Adapter::Reactor => {
            let judgement = preview1::judge_with_types(program.bytes());
            let component = judgement.component;
            component.map_err(|obstacle| refused(program, obstacle))?;
            Lacks::new(judgement.lacks)
        }
    };
    let why = Why::ComponentTypes;
    let component = made(program, adapter, Realloc::OfModule)?;
    Ok(becomes(component, adapter, Choice { asked, why, lacks }))
}

fn with_preview1(program: ValidComponent, asked: KindChoice) -> Result<Adapted, AdaptError> {
    let judgement = preview1::judge(program.bytes());
    let adapter = Adapter::Command;
    if asked == KindChoice::Component {
        let component = judgement.component;
        component.map_err(|obstacle| refused(&program, obstacle))?;
        let (why, lacks) = (Why::Asked, Lacks::new(judgement.lacks));
        let component = made(&program, adapter, Realloc::Grow)?;
        return Ok(becomes(component, adapter, Choice { asked, why, lacks }));
    }
    let obstacle = judgement.component.err();
    if let Some(obstacle) = obstacle.or(judgement.lacks.into_iter().next()) {
        return Ok(stays(program, asked, Why::Obstacle(obstacle)));
    }
    Ok(match made(&program, adapter, Realloc::Grow) {
        Ok(component) => {
            let (why, lacks) = (Why::Proved, None);
            becomes(component, adapter, Choice { asked, why, lacks })
        }
        // The core module behaves correctly even if the encoder fails.
        Err(error) => {
            let reason = error.to_string();
            stays(program, asked, Why::Obstacle(Obstacle::Encoder { reason }))
        }
    })
}

fn refused(module: &ValidComponent, obstacle: Obstacle) -> AdaptError {
    let need = preview1::need_of_host(module.bytes());
    AdaptError::Obstacle { obstacle, need }
}

/// The program as a core module.
fn stays(program: ValidComponent, asked: KindChoice, why: Why) -> Adapted {
    let lacks = None;
    Adapted {
        component: program,
        adapter: None,
        choice: Some(Choice { asked, why, lacks }),
        added: None,
    }
}

/// The program as a component.
fn becomes(component: ValidComponent, adapter: Adapter, choice: Choice) -> Adapted {
    Adapted {
        component,
        adapter: Some(adapter),
        choice: Some(choice),
        added: None,
    }
}

fn adapter_for(interface: &Interface) -> Adapter {
    let imports_preview1 = preview1::imports_preview1(interface);
    match (imports_preview1, interface.exports.contains("_start")) {
        (false, _) => Adapter::None,
        (true, true) => Adapter::Command,
        (true, false) => Adapter::Reactor,
    }
}
