//! What is fuzzed: one function for each reader of untrusted bytes.
//!
//! Each function takes any bytes, and panics if a law is broken. A panic, an overflow or a hang in
//! the reader is a finding as well. The programs in `targets/` give the functions to libFuzzer.
//! `tests/it/regressions.rs` repeats earlier findings.

mod audit;
mod debug_file;
mod difference;
mod flatten;
mod fleet;
mod gate;
mod hosts;
mod program;
mod registry;
mod sbom;
mod trust;

pub use audit::audit;
pub use debug_file::debug_file;
pub use difference::{difference, difference_seeds};
pub use flatten::{DEFECTS, flatten, merged};
pub use fleet::{fleet, host_status, metrics};
pub use gate::{gate, wit};
pub use hosts::hosts;
pub use program::{component, reencode};
pub use registry::{registry_index, registry_words};
pub use sbom::sbom;
pub use trust::{SECRET_KEY, SIGNED, judge};
pub use trust::{
    artifact, companion, elf, envelope, log_proof, manifest, policy, public_key, signed, verify,
};

/// A target: its name, which is also the name of its folder of seeds, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 25] = [
    ("artifact", artifact),
    ("envelope", envelope),
    ("elf", elf),
    ("manifest", manifest),
    ("companion", companion),
    ("policy", policy),
    ("log_proof", log_proof),
    ("public_key", public_key),
    ("verify", verify),
    ("signed", signed),
    ("component", component),
    ("reencode", reencode),
    ("debug_file", debug_file),
    ("difference", difference),
    ("audit", audit),
    ("hosts", hosts),
    ("flatten", flatten),
    ("wit", wit),
    ("gate", gate),
    ("sbom", sbom),
    ("registry_index", registry_index),
    ("registry_words", registry_words),
    ("fleet", fleet),
    ("host_status", host_status),
    ("metrics", metrics),
];
