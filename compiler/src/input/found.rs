//! Validates a program in as few walks as possible, and finds the features that it uses.

use wasmparser::WasmFeatures;

use crate::ProgramKind;
use crate::input::bodies;
use crate::input::features::{self, SUPPORTED};
use crate::input::walk::{WalkError, first, structure};

/// Facts about a program's function bodies. Each of them was already validated, in a module that
/// differs from this one at most in parts that do not affect bodies.
#[derive(Clone, Copy)]
pub(crate) struct KnownCode {
    /// The features with which all bodies are valid.
    pub(crate) valid_with: WasmFeatures,
    /// The result of a scan of the bodies, if it was made.
    pub(crate) uses: Option<WasmFeatures>,
}

/// The results of validating a program.
pub(crate) struct Found {
    pub(crate) kind: ProgramKind,
    /// The features that it uses.
    pub(crate) features: WasmFeatures,
    /// The result of a scan of its function bodies, if it was made.
    pub(crate) code: Option<WasmFeatures>,
}

/// Validates a program with the features that it seems to use. `None` if it is invalid with them.
pub(crate) fn found(bytes: &[u8], known: Option<KnownCode>) -> Option<Found> {
    let scanned = features::scanned(bytes, known.and_then(|known| known.uses))?;
    let features = features::with_collector(scanned.used);
    // Code that is valid with fewer features is also valid with more.
    let is_known = known.is_some_and(|known| features.contains(known.valid_with));
    if !is_known || cfg!(debug_assertions) {
        let error = bodies::first_error(scanned.outside.bodies);
        debug_assert!(error.is_none() || !is_known, "known code is not valid");
        if error.is_some() {
            return None;
        }
    }
    Some(Found {
        kind: scanned.outside.kind,
        features,
        code: Some(scanned.in_code),
    })
}

/// Validates a program.
pub(super) fn checked(bytes: &[u8]) -> Result<Found, WalkError> {
    // A program that is valid with fewer features is also valid with more. So most programs are
    // validated only once, with the features that they seem to use.
    if let Some(found) = found(bytes, None) {
        return Ok(found);
    }
    let mut bodies = Vec::new();
    let outside = structure(bytes, SUPPORTED, &mut bodies);
    Ok(Found {
        kind: first(bodies, outside)?,
        features: features::asked(bytes),
        code: None,
    })
}

/// The features that a valid program uses: the smallest set that is found.
pub(crate) fn used(wasm: &[u8]) -> WasmFeatures {
    match found(wasm, None) {
        Some(found) => found.features,
        // The scan may miss a use.
        None => features::asked(wasm),
    }
}
