//! The passes of Binaryen that each level runs.
//!
//! edgec has its own list for every level, even if Binaryen has a preset of that name. Binaryen 116
//! cannot leave out a pass of a preset, and three passes change what programs do
//! (`docs/optimizer.md` explains how). No list contains these three:
//!
//! - `memory-packing` removes the traps of data segments, and writes part of what `memory.init`
//!   would not have written;
//! - `directize` reads tables, but ignores null entries and `table.grow`;
//! - `pick-load-signs` confuses the sign extension of a value with that of something computed from
//!   it.
//!
//! A pass whose name ends in `-optimizing` runs Binaryen's own preset on what it changed, and the
//! preset contains those three passes. So the lists use the name without that ending, and run the
//! passes of functions again afterwards.
//!
//! Source: Binaryen 116, `src/passes/pass.cpp`, `addDefaultOptimizationPasses`.

use serde::{Deserialize, Serialize};
use wasmparser::WasmFeatures;

/// How much to optimize. The names are the same as in `wasm-opt`; edgec has its own lists of
/// passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// No optimization: the program is compiled unchanged.
    O0,
    /// Only quick passes: for whole functions, unused parts, and branches.
    O1,
    /// Most passes.
    O2,
    /// All passes, for speed.
    O3,
    /// Like O3, after a costly flattening.
    O4,
    /// For size.
    Os,
    /// For size above all.
    Oz,
}

impl Level {
    /// Every level.
    pub const ALL: [Level; 7] = [
        Level::O0,
        Level::O1,
        Level::O2,
        Level::O3,
        Level::O4,
        Level::Os,
        Level::Oz,
    ];

    /// The level's name, as it follows `-O` on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Level::O0 => "0",
            Level::O1 => "1",
            Level::O2 => "2",
            Level::O3 => "3",
            Level::O4 => "4",
            Level::Os => "s",
            Level::Oz => "z",
        }
    }

    /// The level of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The name of edgec's lists of passes, which manifests state. `None` when the level runs no
    /// passes.
    pub const fn list(self) -> Option<&'static str> {
        match self {
            Level::O0 => None,
            _ => Some(NAME),
        }
    }
}

/// The name of the lists in manifests. It changes when a list changes, or a rule about what is kept
/// from Binaryen.
pub(crate) const NAME: &str = "edgec-6";

/// The passes of `-O1`: those whose effect remains in native code. The rest of Binaryen's own `-O1`
/// is repeated by Cranelift inside functions. `optimize-instructions` makes native code longer and
/// slower (`docs/optimizer.md` has the numbers).
const QUICK: &[&str] = &[
    "duplicate-function-elimination",
    "remove-unused-names",
    "remove-unused-brs",
    "remove-unused-names",
    "vacuum",
    // Some functions may have become identical.
    "duplicate-function-elimination",
    "duplicate-import-elimination",
    "simplify-globals",
    "remove-unused-module-elements",
];

/// These run before [`QUICK`] if a module uses several values at once. In Binaryen, such values
/// become locals, and a function with many of them becomes many times as long. In other modules,
/// these passes would take two fifths of the time, and change only some bytes of the native code.
const SEVERAL_VALUES: &[&str] = &[
    "dce",
    "vacuum",
    "coalesce-locals",
    "reorder-locals",
    "vacuum",
];

/// How hard the passes try: Binaryen's `--optimize-level` and `--shrink-level`. `-O1` does not set
/// them.
const fn efforts(level: Level) -> Option<(u8, u8)> {
    match level {
        Level::O0 | Level::O1 => None,
        Level::O2 => Some((2, 0)),
        Level::O3 => Some((3, 0)),
        Level::O4 => Some((4, 0)),
        Level::Os => Some((2, 1)),
        Level::Oz => Some((2, 2)),
    }
}

/// The arguments of `wasm-opt` for a level and a module that uses `features`.
pub(crate) fn arguments(level: Level, features: WasmFeatures) -> Vec<String> {
    let mut arguments = Vec::new();
    let passes = match (level, efforts(level)) {
        (Level::O0, _) => Vec::new(),
        (_, None) if features.contains(WasmFeatures::MULTI_VALUE) => {
            [SEVERAL_VALUES, QUICK].concat()
        }
        (_, None) => QUICK.to_vec(),
        (_, Some((optimize, shrink))) => {
            arguments.extend(["-ol".to_owned(), optimize.to_string()]);
            arguments.extend(["-s".to_owned(), shrink.to_string()]);
            preset(optimize, shrink)
        }
    };
    arguments.extend(passes.iter().map(|pass| format!("--{pass}")));
    arguments
}

/// Binaryen's preset without the three passes that the head of this file names.
fn preset(optimize: u8, shrink: u8) -> Vec<&'static str> {
    let mut passes = vec!["duplicate-function-elimination", "once-reduction"];
    functions(&mut passes, optimize, shrink);
    passes.extend(["dae", "inlining"]);
    functions(&mut passes, optimize, shrink);
    passes.extend([
        "duplicate-function-elimination",
        "duplicate-import-elimination",
    ]);
    if shrink >= 2 {
        passes.push("merge-similar-functions");
    }
    passes.extend([
        "simplify-globals",
        // The previous pass replaced globals of known value by constants.
        "precompute",
        "vacuum",
        "remove-unused-module-elements",
        "reorder-globals",
        "generate-stack-ir",
        "optimize-stack-ir",
    ]);
    passes
}

/// The passes that work inside functions.
fn functions(passes: &mut Vec<&'static str>, optimize: u8, shrink: u8) {
    let hard = optimize >= 3 || shrink >= 2;
    let precompute = match hard {
        true => "precompute-propagate",
        false => "precompute",
    };
    if optimize >= 3 || shrink >= 1 {
        passes.push("ssa-nomerge");
    }
    if optimize >= 4 {
        passes.extend(["flatten", "simplify-locals-notee-nostructure", "local-cse"]);
    }
    passes.extend([
        "dce",
        "remove-unused-names",
        "remove-unused-brs",
        "remove-unused-names",
        "optimize-instructions",
        precompute,
        "code-pushing",
        "simplify-locals-nostructure",
        "vacuum",
        "reorder-locals",
        "remove-unused-brs",
    ]);
    if hard {
        passes.push("merge-locals");
    }
    passes.push("coalesce-locals");
    if optimize >= 3 || shrink >= 1 {
        passes.push("local-cse");
    }
    passes.extend([
        "simplify-locals",
        "vacuum",
        "reorder-locals",
        "coalesce-locals",
        "reorder-locals",
        "vacuum",
    ]);
    if optimize >= 3 || shrink >= 1 {
        passes.push("code-folding");
    }
    passes.extend([
        "merge-blocks",
        "remove-unused-brs",
        "remove-unused-names",
        "merge-blocks",
        precompute,
        "optimize-instructions",
        "rse",
        "vacuum",
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_runs_what_changes_programs() {
        for level in Level::ALL {
            let arguments = arguments(level, WasmFeatures::all());
            assert_eq!(arguments.is_empty(), level == Level::O0);
            for argument in &arguments {
                // There is no preset, and no pass that runs one internally.
                assert!(!argument.starts_with("-O"), "{argument}");
                assert!(!argument.ends_with("-optimizing"), "{argument}");
            }
            for left_out in ["--memory-packing", "--directize", "--pick-load-signs"] {
                assert!(!arguments.iter().any(|it| it == left_out), "{level:?}");
            }
        }
    }

    #[test]
    fn several_values_at_once_cost_passes_of_their_own() {
        let number = |features| arguments(Level::O1, features).len();
        let several = number(WasmFeatures::MULTI_VALUE);
        assert_eq!(
            several,
            number(WasmFeatures::empty()) + SEVERAL_VALUES.len()
        );
    }

    #[test]
    fn the_levels_differ_as_binaryens_do() {
        let has = |level, pass: &str| {
            arguments(level, WasmFeatures::all())
                .iter()
                .any(|it| *it == format!("--{pass}"))
        };
        assert!(!has(Level::O2, "merge-locals") && has(Level::O3, "merge-locals"));
        assert!(!has(Level::O3, "flatten") && has(Level::O4, "flatten"));
        assert!(has(Level::Os, "code-folding") && !has(Level::Os, "merge-similar-functions"));
        assert!(has(Level::Oz, "merge-similar-functions"));
    }
}
