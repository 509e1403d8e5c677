//! The reader of debug files.

use edgec_compiler::{DebugInfo, Lookup};

/// A debug file has one spelling, and a lookup of any address ends.
pub fn debug_file(data: &[u8]) {
    let info = match DebugInfo::read(data) {
        Ok(info) => info,
        Err(error) => return drop(error.to_string()),
    };
    assert!(info.write() == data, "another file reads the same");
    for offset in [0, 1, 64, 4096, 5000, 1 << 16, u64::MAX] {
        let _ = (info.at_image_offset(offset), info.at_text_offset(offset));
    }
    let lookup = Lookup::new(&info);
    for index in [0, 1, u32::MAX] {
        let _ = (lookup.at_index(index).count(), lookup.at_wasm_offset(index));
    }
}
