//! The version of the engine that this process links, and whether edge images were tested with it.
//!
//! A host may link a later patch of Wasmtime than the compiler does. Edge images lack metadata that
//! the engine does not read. That is shown for the source of one version (`docs/edge.md`), and
//! another version may read more.

use std::hash::{Hash as _, Hasher};

use edgec_verifier::{ENGINE_VERSION, EngineProfile, EngineVersion};
use wasmtime::ModuleVersionStrategy;

use crate::LoadError;

/// A hasher that keeps the hashed bytes.
#[derive(Default)]
struct Recorder(Vec<u8>);

impl Hasher for Recorder {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The engine's full version; `None` if the engine no longer states it.
///
/// Wasmtime has no constant for its version. `Engine::precompile_compatibility_hash` hashes the
/// version by hashing this strategy (`wasmtime` 48, `config.rs`), which engines without a compiler
/// have too.
pub(crate) fn running() -> Option<EngineVersion> {
    let mut recorder = Recorder::default();
    ModuleVersionStrategy::WasmtimeVersion.hash(&mut recorder);
    let digits = recorder.0.into_iter();
    // The end of a text is hashed too, as a byte that no text contains.
    let text = digits.take_while(|byte| byte.is_ascii_digit() || *byte == b'.');
    let text: String = text.map(char::from).collect();
    text.parse().ok()
}

/// Checks that an engine of version `running` may load images of `profile`. `stated` is the version
/// with which the host ran the tests of the images' readers.
pub(crate) fn tested(
    profile: EngineProfile,
    running: EngineVersion,
    stated: Option<EngineVersion>,
) -> Result<(), LoadError> {
    if profile == EngineProfile::Edge && running > ENGINE_VERSION && stated != Some(running) {
        return Err(LoadError::EngineUntested {
            running,
            tested: ENGINE_VERSION,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If a host links another version than this repository, its own test needs this assertion.
    #[test]
    fn the_engine_says_its_version() {
        assert_eq!(running(), Some(ENGINE_VERSION));
    }

    #[test]
    fn a_later_patch_needs_the_tests_of_this_very_patch() {
        let EngineVersion {
            major,
            minor,
            patch,
            ..
        } = ENGINE_VERSION;
        let later = |by| EngineVersion::new(major, minor, patch + by);
        let code = |profile, running, stated| {
            let tested = tested(profile, running, stated);
            tested.map_err(|error| error.code())
        };
        let untested = Err("engine-untested");
        let (edge, default) = (EngineProfile::Edge, EngineProfile::Default);
        assert_eq!(code(edge, ENGINE_VERSION, None), Ok(()));
        assert_eq!(code(edge, later(1), None), untested);
        assert_eq!(code(edge, later(1), Some(ENGINE_VERSION)), untested);
        assert_eq!(code(edge, later(2), Some(later(1))), untested);
        assert_eq!(code(edge, later(1), Some(later(2))), untested);
        assert_eq!(code(edge, later(1), Some(later(1))), Ok(()));
        assert_eq!(code(default, later(1), None), Ok(()));
    }
}
