//! The sizes of types.

/// A type, or something of that type.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// How many parts it has, with those of all that it refers to.
    pub(super) parts: u64,
    /// What it exports: the number of the list.
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

/// Each use makes a new resource, and rewrites what refers to it. That takes as long as many parts.
pub(super) const RESOURCE: Type = Type::of(10);
