//! What the making of a bill of materials may cost.

/// The longest custom section that is read, in bytes (1 MiB). Longer ones of other names are
/// passed over.
pub const MAX_SECTION_LEN: usize = 1 << 20;
/// The longest text of registry metadata, in bytes (64 KiB).
pub const MAX_TEXT_LEN: usize = 64 << 10;
/// How long the lists of crates of all modules may be together, decompressed, in bytes (16 MiB).
pub const MAX_CRATES_LEN: usize = 16 << 20;
/// The number of modules and components in a program, with the program itself.
pub const MAX_PARTS: usize = 10_000;
/// How deep components lie in components.
pub const MAX_DEPTH: usize = 100;
/// The number of names that a program imports, and that it exports.
pub const MAX_NAMES: usize = 100_000;
/// The number of entries in one `producers` section.
pub const MAX_PRODUCERS: usize = 1_000;
