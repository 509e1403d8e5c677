//! The index spaces in which types are looked up, with the sizes of the types.

use std::collections::HashMap;

use wasmparser::ComponentExternalKind;

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

pub(super) const SIMPLE: Type = Type::of(1);

/// Each use makes a new resource, and rewrites what refers to it. That takes as long as many parts.
pub(super) const RESOURCE: Type = Type::of(10);

/// The index spaces of a component, or of a component or instance type.
#[derive(Default)]
pub(super) struct Scope<'a> {
    types: Vec<Type>,
    functions: Vec<Type>,
    instances: Vec<Type>,
    components: Vec<Type>,
    pub(super) exports: HashMap<&'a str, Type>,
    /// The parts of what is imported and exported.
    pub(super) parts: u64,
}

impl Scope<'_> {
    pub(super) fn add(&mut self, kind: ComponentExternalKind, ty: Type) {
        match kind {
            ComponentExternalKind::Type => self.types.push(ty),
            ComponentExternalKind::Func => self.functions.push(ty),
            ComponentExternalKind::Instance => self.instances.push(ty),
            ComponentExternalKind::Component => self.components.push(ty),
            ComponentExternalKind::Module | ComponentExternalKind::Value => {}
        }
    }

    pub(super) fn get(&self, kind: ComponentExternalKind, index: u32) -> Type {
        let space = match kind {
            ComponentExternalKind::Type => &self.types,
            ComponentExternalKind::Func => &self.functions,
            ComponentExternalKind::Instance => &self.instances,
            ComponentExternalKind::Component => &self.components,
            ComponentExternalKind::Module | ComponentExternalKind::Value => return SIMPLE,
        };
        let index = usize::try_from(index).ok();
        let ty = index.and_then(|index| space.get(index));
        ty.copied().unwrap_or(SIMPLE)
    }
}
