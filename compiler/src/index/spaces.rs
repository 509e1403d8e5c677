//! The index spaces of a component and of the components around it, with what a pass knows about
//! each entry.
//!
//! Source: component model, `Explainer.md`, "Index Spaces". Core types are not followed: no pass
//! asks about them.

use wasmparser::{
    CanonicalFunction, ComponentExternalKind, ComponentOuterAliasKind, Encoding, ExternalKind,
};

/// An index space of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sort {
    Module,
    CoreInstance,
    CoreFunc,
    CoreTable,
    CoreMemory,
    CoreGlobal,
    CoreTag,
    Component,
    Instance,
    Func,
    Type,
}

/// The number of index spaces.
const SORTS: usize = 11;

impl Sort {
    /// The index space for a definition of this encoding.
    pub(crate) fn of_definition(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Module => Self::Module,
            Encoding::Component => Self::Component,
        }
    }

    /// The index space for an import or export of a component. `None` for values, which are not
    /// followed.
    pub(crate) fn of(kind: ComponentExternalKind) -> Option<Self> {
        match kind {
            ComponentExternalKind::Module => Some(Self::Module),
            ComponentExternalKind::Component => Some(Self::Component),
            ComponentExternalKind::Instance => Some(Self::Instance),
            ComponentExternalKind::Func => Some(Self::Func),
            ComponentExternalKind::Type => Some(Self::Type),
            ComponentExternalKind::Value => None,
        }
    }

    /// The index space for an alias of an entry of an outer component.
    pub(crate) fn of_outer(kind: ComponentOuterAliasKind) -> Option<Self> {
        match kind {
            ComponentOuterAliasKind::CoreModule => Some(Self::Module),
            ComponentOuterAliasKind::Component => Some(Self::Component),
            ComponentOuterAliasKind::Type => Some(Self::Type),
            ComponentOuterAliasKind::CoreType => None,
        }
    }

    /// The index space for an alias of an export of a core instance.
    pub(crate) fn of_core(kind: ExternalKind) -> Self {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Self::CoreFunc,
            ExternalKind::Table => Self::CoreTable,
            ExternalKind::Memory => Self::CoreMemory,
            ExternalKind::Global => Self::CoreGlobal,
            ExternalKind::Tag => Self::CoreTag,
        }
    }

    /// Whether it is an index space of core WebAssembly.
    pub(crate) fn is_core(self) -> bool {
        match self {
            Self::Module
            | Self::CoreInstance
            | Self::CoreFunc
            | Self::CoreTable
            | Self::CoreMemory
            | Self::CoreGlobal
            | Self::CoreTag => true,
            Self::Component | Self::Instance | Self::Func | Self::Type => false,
        }
    }

    /// The index space for a canonical function.
    pub(crate) fn of_canonical(function: &CanonicalFunction) -> Self {
        match function {
            CanonicalFunction::Lift { .. } => Self::Func,
            _ => Self::CoreFunc,
        }
    }
}

/// The index spaces of one component, or of one component or instance type.
#[derive(Debug)]
pub(crate) struct Scope<K> {
    spaces: [Vec<K>; SORTS],
}

impl<K> Default for Scope<K> {
    fn default() -> Self {
        Self {
            spaces: Default::default(),
        }
    }
}

impl<K: Clone + Default> Scope<K> {
    /// Adds an entry.
    pub(crate) fn add(&mut self, sort: Sort, known: K) {
        if let Some(space) = self.spaces.get_mut(sort as usize) {
            space.push(known);
        }
    }

    /// What is known about an entry. If it does not exist, nothing.
    pub(crate) fn get(&self, sort: Sort, index: u32) -> K {
        let space = self.spaces.get(sort as usize);
        let index = usize::try_from(index).ok();
        let known = space.zip(index).and_then(|(space, index)| space.get(index));
        known.cloned().unwrap_or_default()
    }
}

/// The index spaces of the component that is being read, and of those around it.
#[derive(Debug)]
pub(crate) struct Spaces<K> {
    /// The innermost component is the last.
    scopes: Vec<Scope<K>>,
}

impl<K> Default for Spaces<K> {
    fn default() -> Self {
        Self { scopes: Vec::new() }
    }
}

impl<K: Clone + Default> Spaces<K> {
    /// A component begins, or a type with its own index spaces.
    pub(crate) fn begin(&mut self) {
        self.scopes.push(Scope::default());
    }

    /// The component or type that began last ends.
    pub(crate) fn end(&mut self) {
        self.scopes.pop();
    }

    /// Adds an entry to the component that is being read.
    pub(crate) fn add(&mut self, sort: Sort, known: K) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.add(sort, known);
        }
    }

    /// Like [`add`](Self::add). Ignores values, which are not followed.
    pub(crate) fn add_item(&mut self, kind: ComponentExternalKind, known: K) {
        if let Some(sort) = Sort::of(kind) {
            self.add(sort, known);
        }
    }

    /// What is known about an entry of the component that is being read.
    pub(crate) fn get(&self, sort: Sort, index: u32) -> K {
        self.outer(sort, 0, index)
    }

    /// Like [`get`](Self::get). Nothing is known about values.
    pub(crate) fn item(&self, kind: ComponentExternalKind, index: u32) -> K {
        Sort::of(kind).map_or_else(K::default, |sort| self.get(sort, index))
    }

    /// What is known about an entry of the component `count` levels further out.
    pub(crate) fn outer(&self, sort: Sort, count: u32, index: u32) -> K {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let scope = self.scopes.iter().rev().nth(count);
        scope.map_or_else(K::default, |scope| scope.get(sort, index))
    }

    /// The index that the next entry gets.
    pub(crate) fn next_index(&self, sort: Sort) -> u32 {
        let scope = self.scopes.last();
        let space = scope.and_then(|scope| scope.spaces.get(sort as usize));
        u32::try_from(space.map_or(0, Vec::len)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_indices_in_a_space_of_their_component() {
        let mut spaces = Spaces::default();
        spaces.begin();
        spaces.add(Sort::Module, 7);
        spaces.add(Sort::Func, 8);
        spaces.begin();
        spaces.add_item(ComponentExternalKind::Module, 9);
        spaces.add_item(ComponentExternalKind::Value, 10);
        assert_eq!(spaces.get(Sort::Module, 0), 9);
        assert_eq!(spaces.outer(Sort::Module, 1, 0), 7);
        assert_eq!(spaces.outer(Sort::Func, 1, 0), 8);
        assert_eq!(spaces.next_index(Sort::Module), 1);
        assert_eq!(spaces.next_index(Sort::Func), 0);
        // Nothing is known about an entry that does not exist.
        assert_eq!(spaces.get(Sort::Module, 1), 0);
        assert_eq!(spaces.outer(Sort::Module, 2, 0), 0);
        assert_eq!(spaces.item(ComponentExternalKind::Value, 0), 0);
        spaces.end();
        assert_eq!(spaces.get(Sort::Module, 0), 7);
    }

    #[test]
    fn each_sort_has_a_space() {
        // The last one.
        assert_eq!(Sort::Type as usize + 1, SORTS);
    }
}
