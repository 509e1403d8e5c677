//! The features that an optimizer can read, and how it learns which of them a module uses.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

use crate::input::features;
use crate::wasm::kept::Failure;

/// The features that an optimizer can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reads {
    /// The features that Binaryen 116 reads.
    #[default]
    Binaryen116,
    /// Every feature that edgec supports. The optimizer reports what it cannot read.
    Everything,
}

/// Binaryen 116's name for each feature that it reads and writes in the form of today's
/// specification. Three features are left out on purpose: garbage collection and typed function
/// references, whose encoding was finished later; exceptions, of which it knows only the legacy
/// form; and 64-bit tables, which it lacks and which now belong to `memory64`.
const READABLE: &[(WasmFeatures, Option<&str>)] = &[
    (WasmFeatures::FLOATS, None),
    (WasmFeatures::GC_TYPES, None),
    (WasmFeatures::CALL_INDIRECT_OVERLONG, None),
    (WasmFeatures::BULK_MEMORY_OPT, None),
    (WasmFeatures::MUTABLE_GLOBAL, Some("mutable-globals")),
    (
        WasmFeatures::SATURATING_FLOAT_TO_INT,
        Some("nontrapping-float-to-int"),
    ),
    (WasmFeatures::SIGN_EXTENSION, Some("sign-ext")),
    (WasmFeatures::BULK_MEMORY, Some("bulk-memory")),
    (WasmFeatures::REFERENCE_TYPES, Some("reference-types")),
    (WasmFeatures::MULTI_VALUE, Some("multivalue")),
    (WasmFeatures::SIMD, Some("simd")),
    (WasmFeatures::RELAXED_SIMD, Some("relaxed-simd")),
    (WasmFeatures::THREADS, Some("threads")),
    (WasmFeatures::TAIL_CALL, Some("tail-call")),
    (WasmFeatures::EXTENDED_CONST, Some("extended-const")),
    (WasmFeatures::MULTI_MEMORY, Some(MEMORIES.0)),
];

/// The names of multiple memories, for the library and for the program.
const MEMORIES: (&str, &str) = ("multi-memory", "multimemory");

/// The names that later versions of Binaryen have for what 116 does not read.
const READABLE_LATER: &[(WasmFeatures, Option<&str>)] = &[
    (WasmFeatures::GC, Some("gc")),
    (WasmFeatures::FUNCTION_REFERENCES, Some("gc")),
    (WasmFeatures::EXCEPTIONS, Some("exception-handling")),
    (WasmFeatures::MEMORY64, Some("memory64")),
];

/// The `wasm-opt` arguments that enable exactly `features`.
pub(crate) fn feature_arguments(
    features: WasmFeatures,
    reads: Reads,
) -> Result<Vec<OsString>, Failure> {
    let later = match reads {
        Reads::Binaryen116 => &[],
        Reads::Everything => READABLE_LATER,
    };
    let names = || READABLE.iter().chain(later);
    let readable = names().fold(WasmFeatures::empty(), |all, (flag, _)| all | *flag);
    let beyond = features.difference(readable);
    if !beyond.is_empty() {
        return Err(Failure::Unsupported {
            features: features::names(beyond).join(", "),
        });
    }
    // Passive segments of functions came with bulk memory. Binaryen 116 takes them for a reference
    // type, and would refuse the module. Later versions do so with references to exceptions.
    const WITH_REFERENCES: WasmFeatures = WasmFeatures::BULK_MEMORY.union(WasmFeatures::EXCEPTIONS);
    let features = if features.intersects(WITH_REFERENCES) {
        features | WasmFeatures::REFERENCE_TYPES
    } else {
        features
    };
    let mut arguments = vec!["--mvp-features".into()];
    for (flag, name) in names() {
        if let (true, Some(name)) = (features.contains(*flag), name) {
            let name = match reads {
                Reads::Everything if *name == MEMORIES.0 => MEMORIES.1,
                _ => *name,
            };
            arguments.push(format!("--enable-{name}").into());
        }
    }
    Ok(arguments)
}

impl Reads {
    /// Checks that an optimizer can read a module that uses `features`.
    pub(crate) fn check(self, features: WasmFeatures) -> Result<(), Failure> {
        feature_arguments(features, self).map(drop)
    }
}
