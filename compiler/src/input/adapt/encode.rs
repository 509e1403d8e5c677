//! Makes a component of a core module, with the adapter that it needs.

use std::error::Error;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use super::{AdaptError, Adapter};
use crate::input::invalid::ValidateError;
use crate::{ValidComponent, validate};

/// How an adapter gets its memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Realloc {
    /// From the module's `cabi_realloc`, if it has one.
    OfModule,
    /// Grows the module's memory, whatever the module exports.
    Grow,
}

/// Makes the component, validates it, and checks that it exports something that a host can call.
pub(super) fn made(
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

/// Why a component that the encoder made cannot be used. If it is invalid, the encoder is at fault.
/// Otherwise the program's component types ask for something that edgec or its engine lacks.
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

/// An error and its causes on one line, the outermost first.
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
