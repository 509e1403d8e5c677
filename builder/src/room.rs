//! Checks that a program's manifest will not be too long, before anything is optimized or compiled.
//!
//! No reader accepts an envelope of more than 4 MiB. With the limits here, every envelope is
//! shorter, with all signatures that it may get. Later stages only remove imports and instances, so
//! they need no check. Exports need no limit, because a long list is replaced by its digest.

use edgec_compiler::Facts;
use serde::Serialize;

use crate::error::RoomError;
use crate::manifest;

/// The maximum length of the list of imports in a manifest, in bytes of JSON (2 MiB).
const MAX_IMPORTS_LEN: u64 = 2 << 20;

/// The maximum length of the lists of memories and tables together, in bytes of JSON (512 KiB).
const MAX_RESOURCES_LEN: u64 = 512 << 10;

// Imports, resources, listed exports and extensions, and 128 KiB for everything else, in base64;
// the signatures of 32 signers with two keys: of 64 and 3309 bytes in base64, with their key ids.
const _: () = {
    let program = MAX_IMPORTS_LEN + MAX_RESOURCES_LEN + edgec_artifact::MAX_EXPORT_LIST_LEN;
    let payload = program + edgec_artifact::MAX_EXTENSIONS_LEN + (128 << 10);
    let signatures = 32 * (256 + 3309 / 3 * 4 + 256);
    assert!(payload / 3 * 4 + signatures < edgec_artifact::MAX_ENVELOPE_LEN);
};

/// Refuses a program whose manifest would be too long for any reader.
///
/// # Errors
///
/// [`RoomError`].
pub fn check_room(program: &Facts) -> Result<(), RoomError> {
    let imports = &program.interface.imports;
    let length = json_len(imports);
    if length > MAX_IMPORTS_LEN {
        return Err(RoomError::Imports {
            count: imports.len(),
            length,
            limit: MAX_IMPORTS_LEN,
            first: imports.iter().take(3).cloned().collect(),
            longest: imports.iter().map(String::len).max().unwrap_or(0),
        });
    }
    let resources = manifest::resources(&program.resources);
    let length = json_len(&resources.memories) + json_len(&resources.tables);
    if length > MAX_RESOURCES_LEN {
        return Err(RoomError::Resources {
            memories: resources.memories.len(),
            tables: resources.tables.len(),
            instances: resources.core_instances,
            length,
            limit: MAX_RESOURCES_LEN,
        });
    }
    Ok(())
}

fn json_len(value: &impl Serialize) -> u64 {
    // Serializing names and numbers cannot fail.
    serde_json::to_vec(value).map_or(0, |json| json.len() as u64)
}
