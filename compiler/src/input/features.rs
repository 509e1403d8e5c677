//! The WebAssembly features that edgec supports, and those that a program uses.
//!
//! edgec supports exactly the features that Wasmtime 48 enables by default. The used set is the
//! smallest set with which the program is still valid. It goes into the manifest, tells Binaryen
//! which features its output may use, and is all that the engine gets. The reason for the latter:
//! an engine writes every *enabled* feature into the image, and a host without it would refuse the
//! image.

mod scan;
#[cfg(test)]
mod tests;

use wasmparser::WasmFeatures;

pub(crate) use self::scan::proposal;
use self::scan::scan_code;
use crate::input::walk::{self, Outside};

/// Wasmtime 48's default set (`Config::features` in its source).
pub(crate) const SUPPORTED: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .union(OF_COMPONENTS);

/// The supported features that only components have, and no core module.
pub(crate) const OF_COMPONENTS: WasmFeatures =
    WasmFeatures::COMPONENT_MODEL.union(WasmFeatures::CM_ASYNC);

/// A feature that a scan may find in code although edgec does not support it. `engine_limits`
/// refuses such a program, because the engine's front end does not notice the feature.
pub(crate) const ONLY_SCANNED: WasmFeatures = WasmFeatures::CUSTOM_DESCRIPTORS;

/// Exceptions from before the standard. No engine of edgec compiles them, but an optimizer may
/// translate them.
pub(crate) const LEGACY_EXCEPTIONS: WasmFeatures = WasmFeatures::LEGACY_EXCEPTIONS;

/// The names of all supported features, in wasmparser's spelling, sorted.
pub fn supported_feature_names() -> Vec<String> {
    names(SUPPORTED)
}

/// Switches of wasmparser that are not proposals. They are on for every program.
const ALWAYS: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::BULK_MEMORY_OPT);

pub(crate) fn names(features: WasmFeatures) -> Vec<String> {
    let mut names: Vec<String> = features
        .difference(ALWAYS)
        .iter_names()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    names.sort();
    names
}

/// The features that a valid program uses. Asks the validator about all of it, including code. This
/// is exact, but slower.
pub(crate) fn asked(wasm: &[u8]) -> WasmFeatures {
    let found = smallest(SUPPORTED, ALWAYS, |set| walk::whole(wasm, set));
    with_collector(found.map_or(SUPPORTED | ALWAYS, |(set, ())| set))
}

/// The features that a core module with legacy exceptions uses beside these. `None` if it is valid
/// without them, or invalid with them. Asks the validator about all of it, including code.
pub(crate) fn beside_legacy_exceptions(module: &[u8]) -> Option<WasmFeatures> {
    let all = SUPPORTED | LEGACY_EXCEPTIONS;
    let (used, ()) = smallest(all, ALWAYS, |set| walk::whole(module, set))?;
    let is_legacy = used.contains(LEGACY_EXCEPTIONS);
    is_legacy.then(|| used.difference(LEGACY_EXCEPTIONS))
}

/// The features that a program seems to use.
pub(crate) struct Scanned<'a> {
    /// The features that a scan finds in its code.
    pub(crate) in_code: WasmFeatures,
    /// These features, and those that it needs outside of code. Only the validator can say whether
    /// the code is valid with them.
    pub(crate) used: WasmFeatures,
    /// Everything outside of code, validated with these features.
    pub(crate) outside: Outside<'a>,
}

/// The features that a program seems to use. `in_code` has those of its code, if the code was
/// already scanned. `None` if code cannot be read, or if something outside of code is invalid.
pub(crate) fn scanned(wasm: &[u8], in_code: Option<WasmFeatures>) -> Option<Scanned<'_>> {
    let in_code = match in_code {
        Some(in_code) => in_code,
        None => scan_code(wasm).ok()?,
    };
    let keep = ALWAYS.union(in_code);
    let (used, outside) = smallest(SUPPORTED, keep, |set| walk::outside(wasm, set))?;
    Some(Scanned {
        in_code,
        used,
        outside,
    })
}

/// Adds the engine's garbage collector if it is needed. Exceptions need it too.
pub(crate) fn with_collector(mut used: WasmFeatures) -> WasmFeatures {
    if used.intersects(WasmFeatures::EXCEPTIONS | WasmFeatures::GC) {
        used.insert(WasmFeatures::GC_TYPES);
    }
    used
}

/// The smallest set that is found. Starting with `from`, it removes each feature that can be
/// removed, latest first. Features in `keep` stay. `validate` says which feature is missing, if it
/// knows. `None` if the program is invalid with all of them.
///
/// Few validations reach the end of the program, and those that fail end where the missing feature
/// is used. A program that is valid with fewer features is also valid with more. So after a set is
/// found with which it is valid, all features outside that set can be removed without validation.
fn smallest<T>(
    from: WasmFeatures,
    keep: WasmFeatures,
    validate: impl Fn(WasmFeatures) -> Result<T, Option<WasmFeatures>>,
) -> Option<(WasmFeatures, T)> {
    let all = from.union(keep);
    // A part of `set` with which the program is valid, and the result of that validation.
    let (mut enough, mut valid) = match grown(from, keep, &validate) {
        Some(found) => found,
        None => (all, validate(all).ok()?),
    };
    let mut set = all;
    for flag in latest_first(from) {
        let smaller = set.difference(flag).union(keep);
        if smaller.contains(enough) {
            set = smaller;
        } else if let Ok(found) = validate(smaller) {
            set = smaller;
            (enough, valid) = (smaller, found);
        }
    }
    debug_assert_eq!(set, enough, "a feature is left that is not needed");
    Some((enough, valid))
}

/// A set with which the program is valid. It contains `keep`, and the features that the validator
/// misses, added one after the other. `None` if the validator does not say which feature is
/// missing.
fn grown<T>(
    from: WasmFeatures,
    keep: WasmFeatures,
    validate: &impl Fn(WasmFeatures) -> Result<T, Option<WasmFeatures>>,
) -> Option<(WasmFeatures, T)> {
    let mut set = keep;
    loop {
        let missing = match validate(set) {
            Ok(valid) => return Some((set, valid)),
            Err(missing) => missing?,
        };
        if set.contains(missing) || !from.contains(missing) {
            return None;
        }
        set.insert(missing);
    }
}

/// Features in the order in which they are removed: later proposals build on earlier ones.
fn latest_first(set: WasmFeatures) -> Vec<WasmFeatures> {
    let mut flags: Vec<WasmFeatures> = set.iter_names().map(|(_, flag)| flag).collect();
    flags.reverse();
    flags
}
