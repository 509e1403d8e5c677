//! The sizes of types.

/// A type, or an item of that type.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// How many parts it has, including the parts of all types that it refers to.
    pub(super) parts: u64,
    /// The number of its list of exports.
    pub(super) exports: Option<usize>,
}

impl Type {
    pub(super) const fn of(parts: u64) -> Self {
        Self {
            parts,
            exports: None,
        }
    }
}

impl Default for Type {
    fn default() -> Self {
        SIMPLE
    }
}

pub(super) const SIMPLE: Type = Type::of(1);

/// Each use creates a new resource, and rewrites everything that refers to it. This takes as long
/// as ten parts.
pub(super) const RESOURCE: Type = Type::of(10);
