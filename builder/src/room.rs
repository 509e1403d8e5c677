//! Checks that a program's manifest will fit, before anything is optimized or compiled.
//!
//! No reader takes an envelope of more than 4 MiB. The limits here make every envelope fit, with
//! all signatures that it may get. Later stages only remove: no program gains an import or an
//! instance. Exports need no limit, since a long list is summed up.

use edgec_compiler::Facts;
use serde::Serialize;

use super::manifest;
use crate::bounds::excerpt;
use crate::failure::{Exit, Failure};
use crate::render::{count, size};

/// The longest list of imports in a manifest, in bytes of JSON (2 MiB).
const MAX_IMPORTS_LEN: u64 = 2 << 20;

/// The longest lists of memories and tables together, in bytes of JSON (512 KiB).
const MAX_RESOURCES_LEN: u64 = 512 << 10;

// Imports, resources, listed exports and extensions, and 128 KiB for all else, in base64; 64
// signatures.
const _: () = {
    let program = MAX_IMPORTS_LEN + MAX_RESOURCES_LEN + edgec_artifact::MAX_EXPORT_LIST_LEN;
    let payload = program + edgec_artifact::MAX_EXTENSIONS_LEN + (128 << 10);
    assert!(payload / 3 * 4 + 64 * 256 < edgec_artifact::MAX_ENVELOPE_LEN);
};

/// Refuses a program whose manifest would be too long for every reader.
pub(crate) fn check(program: &Facts) -> Result<(), Failure> {
    let imports = &program.interface.imports;
    let length = json_len(imports);
    if length > MAX_IMPORTS_LEN {
        let longest = imports.iter().max_by_key(|name| name.len());
        let longest = longest.map_or(0, String::len);
        let some: Vec<String> = imports.iter().take(3).map(|name| quoted(name)).collect();
        let message = format!(
            "its {} take {} in a manifest ({length} bytes), and {} is the limit ({MAX_IMPORTS_LEN}); the first are \
             {}, the longest has {longest} bytes",
            count(imports.len(), "import"),
            size(length),
            size(MAX_IMPORTS_LEN),
            some.join(", "),
        );
        let failure = Failure::new(Exit::Rejected, "too-many-imports", message).with_safe_message();
        return Err(failure.hint(
            "every import is signed by name, since policies decide over imports: link what is imported into the \
             program, or give the imports shorter names",
        ));
    }
    let resources = manifest::resources(&program.resources);
    let length = json_len(&resources.memories) + json_len(&resources.tables);
    if length > MAX_RESOURCES_LEN {
        let message = format!(
            "the {} memories and {} tables of its {} core instances take {} in a manifest ({length} bytes), and {} is \
             the limit ({MAX_RESOURCES_LEN})",
            resources.memories.len(),
            resources.tables.len(),
            resources.core_instances,
            size(length),
            size(MAX_RESOURCES_LEN),
        );
        return Err(Failure::new(Exit::Rejected, "too-many-memories", message).hint(
            "a pool of instances is planned by every memory and table: instantiate fewer core modules, or share memories",
        ));
    }
    Ok(())
}

fn json_len(value: &impl Serialize) -> u64 {
    // Serializing names and numbers never fails.
    serde_json::to_vec(value).map_or(0, |json| json.len() as u64)
}

/// A name in backticks, made safe, cut to 40 bytes.
fn quoted(name: &str) -> String {
    format!("`{}`", excerpt(name, 40))
}
