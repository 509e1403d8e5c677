//! Validates a program with as few walks as can be, and finds the features that it uses.

use wasmparser::WasmFeatures;

use crate::Kind;
use crate::input::bodies;
use crate::input::features::{self, SUPPORTED};
use crate::input::walk::{WalkError, first, structure};

/// What is known of a program's function bodies. Each of them was validated already, in a module
/// that differs from its own at most in parts that no body depends on.
#[derive(Clone, Copy)]
pub(crate) struct KnownCode {
    /// The features with which all of them are valid.
    pub(crate) valid_with: WasmFeatures,
    /// What a scan finds in them, if that is known.
    pub(crate) uses: Option<WasmFeatures>,
}

/// What validation finds out about a program.
pub(crate) struct Found {
    pub(crate) kind: Kind,
    /// The features that it uses.
    pub(crate) features: WasmFeatures,
    /// What a scan finds in its function bodies, if that is known.
    pub(crate) code: Option<WasmFeatures>,
}

/// Validates a program with the features that it seems to use. `None` unless it is valid with them.
pub(crate) fn found(bytes: &[u8], known: Option<KnownCode>) -> Option<Found> {
    let scanned = features::scanned(bytes, known.and_then(|known| known.uses))?;
    let features = features::with_collector(scanned.used);
    // What is valid with fewer features is valid with more.
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
    // A program that is valid with fewer features is valid with more. So most programs are only
    // validated once, with the features that they seem to use.
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

/// The features that a valid program uses: the smallest set found under which it is
/// still valid.
pub(crate) fn used(wasm: &[u8]) -> WasmFeatures {
    match found(wasm, None) {
        Some(found) => found.features,
        // The scan may miss a use.
        None => features::asked(wasm),
    }
}
