//! Core modules of the public test suites with random changes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use wasm_mutate::WasmMutate;
use wasmparser::{Validator, WasmFeatures};

use crate::random::Random;
use crate::sink;

/// The maximum length of a module that is changed, in bytes.
const LONGEST: usize = 20_000;
/// The features that Binaryen 116 reads. Few modules have others.
const READ: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .difference(WasmFeatures::GC)
    .difference(WasmFeatures::FUNCTION_REFERENCES)
    .difference(WasmFeatures::EXCEPTIONS)
    .difference(WasmFeatures::MEMORY64);
/// How many of 100 mutations have a sum of computed values.
const SUMS: usize = 40;
/// How many modules are tried for one mutation.
const ATTEMPTS: usize = 16;

/// The core modules of the suites that the engine accepts.
pub struct Suites {
    folder: PathBuf,
    files: Vec<String>,
}

impl Suites {
    /// The suites in a folder, which contains their index.
    pub fn new(folder: &Path) -> Self {
        let index = std::fs::read_to_string(folder.join("index.tsv")).expect("an index");
        let lines = index.lines().skip(1).map(|line| line.split('\t').collect());
        let core = lines.filter(|fields: &Vec<&str>| fields[1] == "core" && fields[5] == "ok");
        let files: Vec<String> = core.map(|fields| fields[0].to_owned()).collect();
        assert!(!files.is_empty(), "no core modules in the suites");
        Self {
            folder: folder.to_owned(),
            files,
        }
    }

    /// The module of a seed: a module of the suites, with some changes. `None` if no change was
    /// possible.
    pub fn mutation(&self, seed: u64) -> Option<Vec<u8>> {
        let mut random = Random::new(seed, "mutation");
        (0..ATTEMPTS).find_map(|_| self.attempt(seed, &mut random))
    }

    fn attempt(&self, seed: u64, random: &mut Random) -> Option<Vec<u8>> {
        let file = &self.files[random.below(self.files.len())];
        let mut module = std::fs::read(self.folder.join(file)).expect("a file of the index");
        if module.len() > LONGEST {
            return None;
        }
        let read = Validator::new_with_features(READ).validate_all(&module);
        if read.is_err() && !random.chance(10) {
            return None;
        }
        let mut changes = 0;
        for _ in 0..random.pick(&[1, 2, 4, 8]) {
            let change = random.number();
            // `wasm-mutate` panics for some valid modules.
            let changed = catch_unwind(AssertUnwindSafe(|| changed(&module, change)));
            if let Ok(Some(changed)) = changed {
                changes += 1;
                module = changed;
            }
        }
        (changes > 0).then(|| sink::shown(&module, seed, SUMS))
    }
}

fn changed(module: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut mutate = WasmMutate::default();
    mutate.seed(seed).fuel(300);
    let changed = mutate.run(module).ok()?.next()?.ok()?;
    // An invalid module has no behaviour to compare.
    let features = WasmFeatures::WASM3 | WasmFeatures::GC_TYPES;
    let valid = Validator::new_with_features(features).validate_all(&changed);
    (changed != module && valid.is_ok()).then_some(changed)
}
