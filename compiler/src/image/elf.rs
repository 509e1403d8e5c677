//! Shared by the writers of ELF files: entries of section tables, and string tables.
//!
//! Source: System V gABI, chapter 4.

use object::LittleEndian as LE;
use object::elf::SectionHeader64;
use object::{U32, U64};

/// An entry of a section table. Its other fields are zero.
pub(crate) fn section(name: u32, kind: u32, offset: u64, size: u64) -> SectionHeader64<LE> {
    let (zero, wide) = (U32::new(LE, 0), U64::new(LE, 0));
    SectionHeader64 {
        sh_name: U32::new(LE, name),
        sh_type: U32::new(LE, kind),
        sh_flags: wide,
        sh_addr: wide,
        sh_offset: U64::new(LE, offset),
        sh_size: U64::new(LE, size),
        sh_link: zero,
        sh_info: zero,
        sh_addralign: wide,
        sh_entsize: wide,
    }
}

/// Appends a string to a string table, and returns its offset there.
pub(crate) fn append(strings: &mut Vec<u8>, text: &str) -> u32 {
    let at = strings.len();
    strings.extend_from_slice(text.as_bytes());
    strings.push(0);
    u32::try_from(at).unwrap_or(0)
}
