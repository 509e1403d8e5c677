//! The sizes of types.

/// A type, or an item of that type.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// How many parts it has, including the parts of all types that it refers to.
    pub(super) parts: u64,
    /// How deeply types are nested in it, whether in place or by reference. 1 if it contains none.
    pub(super) depth: u32,
    /// The number of its list of exports.
    pub(super) exports: Option<usize>,
}

impl Type {
    const fn leaf(parts: u64) -> Self {
        Self {
            parts,
            depth: 1,
            exports: None,
        }
    }

    /// A type that contains the others.
    pub(super) fn around(types: impl Iterator<Item = Self>) -> Self {
        let mut whole = Self::leaf(1);
        for ty in types {
            whole.contains(ty);
        }
        whole
    }

    /// Adds a type that this one contains.
    pub(super) fn contains(&mut self, ty: Self) {
        self.parts = self.parts.saturating_add(ty.parts);
        self.depth = self.depth.max(ty.depth.saturating_add(1));
    }
}

impl Default for Type {
    fn default() -> Self {
        SIMPLE
    }
}

pub(super) const SIMPLE: Type = Type::leaf(1);

/// A name in a type. It is a part, and nothing is nested in it.
pub(super) const NAME: Type = Type {
    parts: 1,
    depth: 0,
    exports: None,
};

/// Each use creates a new resource, and rewrites everything that refers to it. This takes as long
/// as ten parts.
pub(super) const RESOURCE: Type = Type::leaf(10);
