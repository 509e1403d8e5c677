//! Core modules of WASI preview 1 become components.
//!
//! A module that imports `wasi_snapshot_preview1` gets Wasmtime's standard adapter, the
//! command one when it exports `_start`, else the reactor one. Other core modules stay
//! what they are.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::validate::ValidateError;
use crate::{Input, Interface, Kind, ValidComponent, validate};

/// The version of Wasmtime that the adapters come from.
pub const ADAPTER_VERSION: &str = "48.0.8";
/// The version of `wit-component`, which makes a component of a core module.
pub const ENCODER_VERSION: &str = "0.254.2";

/// What a core module is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindChoice {
    /// A component when it imports WASI preview 1, else what it is.
    Auto,
    /// A component.
    Component,
    /// A core module.
    Module,
}

/// A valid program and how it came to be one.
#[derive(Debug)]
pub struct Adapted {
    /// The program.
    pub component: ValidComponent,
    /// The adapter that went in, if the input was a core module that needed one.
    pub adapter: Option<Adapter>,
}

/// What turned a core module into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// The input is not valid WebAssembly.
    #[error(transparent)]
    Invalid(#[from] ValidateError),
    /// A component was to become a core module.
    #[error("the input is a component and cannot become a core module")]
    ComponentToModule,
    /// The encoder found no way to make a component of the module.
    #[error("the core module cannot become a component: {reason}")]
    Encode {
        /// What the encoder said.
        reason: String,
    },
}

/// Validates an input and makes of it what `choice` says.
///
/// # Errors
///
/// [`AdaptError`].
pub fn adapt(input: Input, choice: KindChoice) -> Result<Adapted, AdaptError> {
    let kind = input.kind();
    let program = validate(input.into_bytes())?;
    let unchanged = |component| {
        Ok(Adapted {
            component,
            adapter: None,
        })
    };
    let adapter = match (kind, choice) {
        (Kind::Component, KindChoice::Module) => return Err(AdaptError::ComponentToModule),
        (Kind::Component, _) | (Kind::Module, KindChoice::Module) => return unchanged(program),
        (Kind::Module, _) => adapter_for(&program.interface()),
    };
    if adapter == Adapter::None && choice == KindChoice::Auto {
        return unchanged(program);
    }
    let component = encode(&program, adapter).map_err(|error| AdaptError::Encode {
        // The encoder's chain of causes, outermost first, on one line.
        reason: format!("{error:#}").replace('\n', " "),
    })?;
    Ok(Adapted {
        component: validate(component)?,
        adapter: Some(adapter),
    })
}

fn adapter_for(interface: &Interface) -> Adapter {
    let imports_preview1 = interface
        .imports
        .iter()
        .any(|import| import.split("::").next() == Some(PREVIEW1));
    match (imports_preview1, interface.exports.contains("_start")) {
        (false, _) => Adapter::None,
        (true, true) => Adapter::Command,
        (true, false) => Adapter::Reactor,
    }
}

fn encode(
    module: &ValidComponent,
    adapter: Adapter,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut encoder = ComponentEncoder::default().module(module.bytes())?;
    let bytes = match adapter {
        Adapter::Command => Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
        Adapter::Reactor => Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        Adapter::None => None,
    };
    if let Some(bytes) = bytes {
        encoder = encoder.adapter(PREVIEW1, bytes)?;
    }
    Ok(encoder.validate(false).encode()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(text: &str, choice: KindChoice) -> Result<Adapted, AdaptError> {
        adapt(crate::read(text.as_bytes()).unwrap(), choice)
    }

    const COMMAND: &str = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1) (func (export "_start")))"#;

    #[test]
    fn preview1_decides_what_a_module_becomes() {
        let command = adapted(COMMAND, KindChoice::Auto).unwrap();
        assert_eq!(command.adapter, Some(Adapter::Command));
        assert_eq!(command.component.kind(), Kind::Component);
        let exports = command.component.interface().exports;
        assert!(exports.iter().any(|name| name.starts_with("wasi:cli/run@")));

        let reactor = COMMAND.replace("_start", "_initialize");
        let reactor = adapted(&reactor, KindChoice::Auto).unwrap();
        assert_eq!(reactor.adapter, Some(Adapter::Reactor));

        let plain = adapted("(module)", KindChoice::Auto).unwrap();
        assert_eq!(
            (plain.adapter, plain.component.kind()),
            (None, Kind::Module)
        );
    }

    #[test]
    fn the_choice_decides_where_both_fit() {
        let module = adapted(COMMAND, KindChoice::Module).unwrap();
        assert_eq!(module.component.kind(), Kind::Module);
        let wrapped = adapted("(module)", KindChoice::Component).unwrap();
        assert_eq!(wrapped.component.kind(), Kind::Component);
    }

    #[test]
    fn each_error_has_a_case() {
        let error = |text, choice| adapted(text, choice).unwrap_err();
        assert!(matches!(
            error("(module (func (result i32)))", KindChoice::Auto),
            AdaptError::Invalid(_)
        ));
        assert!(matches!(
            error("(component)", KindChoice::Module),
            AdaptError::ComponentToModule
        ));
        let foreign = r#"(module (import "env" "f" (func)))"#;
        assert!(matches!(
            error(foreign, KindChoice::Component),
            AdaptError::Encode { .. }
        ));
    }
}
