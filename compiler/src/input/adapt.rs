//! Decides whether a core module becomes a component, and makes the component.
//!
//! A module that carries component types (`wit-bindgen` writes them) becomes the component that
//! they describe, unless an adapter could not work in its memory. A module that imports
//! `wasi_snapshot_preview1` becomes a component with Wasmtime's standard adapter if the rule of
//! [`crate::input::preview1`] proves that it behaves the same. All other modules stay core modules.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::input::invalid::ValidateError;
use crate::input::preview1::{self, HostNeed, Lacks, Obstacle};
use crate::{Input, Interface, Kind, ValidComponent, validate};

/// The version of Wasmtime that the adapters come from.
pub const ADAPTER_VERSION: &str = "48.0.8";
/// The version of `wit-component`, which makes a component of a core module.
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

    /// The name on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            KindChoice::Auto => "auto",
            KindChoice::Component => "component",
            KindChoice::Module => "module",
        }
    }
}

/// A valid program and how it came to be one.
#[derive(Debug)]
pub struct Adapted {
    /// The program.
    pub component: ValidComponent,
    /// The adapter that went in, if the input was a core module that needed one.
    pub adapter: Option<Adapter>,
    /// What a core module became, and why; `None` for a component.
    pub choice: Option<Choice>,
}

/// What a core module became, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The kind that the user asked for.
    pub asked: KindChoice,
    /// What decided.
    pub why: Why,
    /// How the component differs from the core module. Only a component that the user or the
    /// module's component types ask for may differ.
    pub lacks: Option<Lacks>,
}

/// What decided whether a core module became a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The user asked for it.
    Asked,
    /// The module carries component types: it is meant to become that component.
    ComponentTypes,
    /// The module behaves the same as a component: no function asks where its memory ends.
    Proved,
    /// The module might not behave the same as a component.
    Obstacle(Obstacle),
    /// The module imports nothing of WASI preview 1.
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

/// What turned a core module into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adapter {
    /// `wasi_snapshot_preview1` for programs with `_start`.
    Command,
    /// `wasi_snapshot_preview1` for libraries.
    Reactor,
    /// No imports of preview 1: the module was only wrapped.
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

/// Why an input cannot become what was asked for.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// The input is not valid WebAssembly.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    /// A component was to become a core module.
    #[error("the input is a component and cannot become a core module")]
    ComponentToModule,
    /// The module would not behave the same as a component.
    #[error("the core module cannot become a component: {obstacle}")]
    Obstacle {
        /// Why not.
        obstacle: Obstacle,
        /// What runs it as a core module.
        need: HostNeed,
    },
    /// The component would export nothing, so no host could use it.
    #[error("the core module cannot become a component: it would export nothing")]
    NoExports,
    /// The encoder cannot make the component that the module's component types describe.
    #[error("the core module cannot become a component: {reason}")]
    Encode {
        /// The encoder's errors, the outermost first.
        reason: String,
    },
    /// The encoder made a component that is not valid.
    #[error("the component that was made of the core module is not valid: {reason}")]
    Made {
        /// What is wrong with it. Offsets in it mean nothing to the user, who does not have this
        /// component as a file.
        reason: String,
    },
    /// The encoder made a component that needs what edgec or its engine does not have.
    #[error("the component that was made of the core module cannot be compiled: {reason}")]
    Unsupported {
        /// What is missing, as in [`AdaptError::Made`].
        reason: String,
        /// The feature that edgec does not support, if it is one.
        feature: Option<String>,
    },
}

/// Validates an input and converts it to the kind that `asked` names.
///
/// # Errors
///
/// [`AdaptError`].
pub fn adapt(input: Input, asked: KindChoice) -> Result<Adapted, AdaptError> {
    let kind = input.kind();
    let program = validate(input.into_bytes())?;
    match (kind, asked) {
        (Kind::Component, KindChoice::Module) => Err(AdaptError::ComponentToModule),
        (Kind::Component, _) => Ok(Adapted {
            component: program,
            adapter: None,
            choice: None,
        }),
        (Kind::Module, KindChoice::Module) => Ok(stays(program, asked, Why::Asked)),
        (Kind::Module, _) => module(program, asked),
    }
}

/// Decides about a core module that may become a component.
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
        // The core module behaves right even if the encoder fails.
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

/// A core module stays one.
fn stays(program: ValidComponent, asked: KindChoice, why: Why) -> Adapted {
    let lacks = None;
    Adapted {
        component: program,
        adapter: None,
        choice: Some(Choice { asked, why, lacks }),
    }
}

/// A core module becomes a component.
fn becomes(component: ValidComponent, adapter: Adapter, choice: Choice) -> Adapted {
    Adapted {
        component,
        adapter: Some(adapter),
        choice: Some(choice),
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

/// Where an adapter gets its memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Realloc {
    /// From the module's `cabi_realloc`, if it has one.
    OfModule,
    /// It grows the module's memory, whatever the module exports.
    Grow,
}

/// Makes the component, validates it, and checks that a host can call something in it.
fn made(
    module: &ValidComponent,
    adapter: Adapter,
    realloc: Realloc,
) -> Result<ValidComponent, AdaptError> {
    let bytes = encode(module, adapter, realloc).map_err(|error| AdaptError::Encode {
        reason: chain(&*error),
    })?;
    let component = validate(bytes).map_err(unusable)?;
    match component.interface().exports.is_empty() {
        true => Err(AdaptError::NoExports),
        false => Ok(component),
    }
}

/// Why a component that the encoder made is of no use. Only one that is not valid is the encoder's
/// fault: what the program's component types ask for may be beyond edgec or its engine.
fn unusable(error: ValidateError) -> AdaptError {
    match error {
        ValidateError::Invalid {
            message: reason,
            unsupported_feature: None,
            ..
        } => AdaptError::Made { reason },
        ValidateError::Invalid {
            message: reason,
            unsupported_feature: feature,
            ..
        } => AdaptError::Unsupported { reason, feature },
        ValidateError::Engine { message: reason }
        | ValidateError::Limit {
            message: reason, ..
        }
        | ValidateError::Fault {
            message: reason, ..
        } => {
            let feature = None;
            AdaptError::Unsupported { reason, feature }
        }
    }
}

/// An error and its causes, the outermost first, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}

fn encode(
    module: &ValidComponent,
    adapter: Adapter,
    realloc: Realloc,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut encoder = ComponentEncoder::default().module(module.bytes())?;
    let bytes = match adapter {
        Adapter::Command => Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        Adapter::Reactor => Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        Adapter::None => None,
    };
    if let Some(bytes) = bytes {
        encoder = encoder.adapter(PREVIEW1, bytes)?;
    }
    let encoder = encoder.realloc_via_memory_grow(realloc == Realloc::Grow);
    Ok(encoder.validate(false).encode()?)
}
