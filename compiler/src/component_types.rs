//! The types of components: how deep they are nested, and how many parts are walked for their uses.
//!
//! The validator reads component and instance types that are nested in each other by recursion:
//! 5,000 of them, 15 KB, overflowed its stack. And it walks a type with all that it refers to
//! wherever something of that type is imported, exported or passed, where the type itself is taken
//! from an outer component, and where a canonical function passes it. Imports and exports make all
//! resources in it again, in a component type as well. Types can double: 50 uses of a type of
//! 131,072 parts, 3 KB, took 4 s; 400 imports of one with 500 resources, 32 KB, took 15 s. So the
//! index spaces are followed here first, without recursion, and only sizes are kept. Where an index
//! or a name leads to nothing, the program is not valid, and the validator will say so.
//!
//! Source: component model, `Binary.md`; wasmparser 0.254, `readers/component/types.rs` and
//! `validator/component.rs` (`prepare_instance_import`, `alias_type`, `finish`) and
//! `validator/component_types.rs` (`contains_ptr`).

mod scope;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use wasmparser::{
    BinaryReader, CanonicalFunction, ComponentAlias, ComponentDefinedType, ComponentExternalKind,
    ComponentInstance, ComponentOuterAliasKind, ComponentType, ComponentTypeDeclaration,
    ComponentTypeRef, ComponentValType, Payload, Result, TypeBounds,
};

use self::scope::{RESOURCE, SIMPLE, Scope, Type};

/// How deep component and instance types may be nested. Components have the same limit.
const MAX_NESTING: usize = 100;

/// The types of a component and of those in it.
#[derive(Default)]
pub(crate) struct ComponentTypes<'a> {
    /// What is being read, the innermost last.
    scopes: Vec<Scope<'a>>,
    exports: Vec<HashMap<&'a str, Type>>,
    /// How many parts are walked for all uses so far.
    used: u64,
    /// Where types are nested too deep. What follows is not read.
    too_deep: Option<usize>,
}

impl<'a> ComponentTypes<'a> {
    /// A component begins.
    pub(crate) fn begin(&mut self) {
        self.scopes.push(Scope::default());
    }

    /// A component ends.
    pub(crate) fn end(&mut self) {
        let ty = self.finish();
        self.add(ComponentExternalKind::Component, ty);
    }

    /// Where types are nested too deep, if they are: the limit, and the offset.
    pub(crate) fn too_deep(&self) -> Option<(usize, usize)> {
        self.too_deep.map(|offset| (MAX_NESTING, offset))
    }

    /// Reads a section of a component. Returns how many parts are walked for it.
    ///
    /// # Errors
    ///
    /// The section cannot be read.
    pub(crate) fn read(&mut self, wasm: &'a [u8], payload: &Payload<'a>) -> Result<u64> {
        let before = self.used;
        match payload {
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let bytes = wasm.get(range.clone()).unwrap_or_default();
                self.types(BinaryReader::new(bytes, range.start))?;
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let ty = import?.ty;
                    self.import(ty.kind(), self.stated(ty));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    let ty = match export.ty {
                        Some(ty) => self.stated(ty),
                        None => self.get(export.kind, export.index),
                    };
                    self.export(export.name.name, export.kind, ty);
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    let ty = self.instance(&instance?);
                    self.add(ComponentExternalKind::Instance, ty);
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    self.canonical(&function?);
                }
            }
            _ => {}
        }
        Ok(self.used.saturating_sub(before))
    }

    /// Reads the types of a section.
    fn types(&mut self, mut reader: BinaryReader<'a>) -> Result<()> {
        // What is left to read of the section, and of each type that the reader is inside of.
        let mut left = vec![reader.read_var_u32()?];
        while let Some(last) = left.last_mut() {
            let Some(less) = last.checked_sub(1) else {
                left.pop();
                if !left.is_empty() {
                    let ty = self.finish();
                    self.add(ComponentExternalKind::Type, ty);
                }
                continue;
            };
            *last = less;
            if left.len() > 1 {
                // A type is declared behind this byte. No other declaration has types in it.
                if peek(&reader)? != 0x01 {
                    let declaration = reader.read::<ComponentTypeDeclaration<'a>>()?;
                    self.declare(&declaration);
                    continue;
                }
                reader.read_u8()?;
            }
            match peek(&reader)? {
                // A component or instance type.
                0x41 | 0x42 if left.len() > MAX_NESTING => {
                    self.too_deep = Some(reader.original_position());
                    return Ok(());
                }
                0x41 | 0x42 => {
                    reader.read_u8()?;
                    left.push(reader.read_var_u32()?);
                    self.begin();
                }
                _ => {
                    let ty = reader.read::<ComponentType<'a>>()?;
                    let ty = self.plain(&ty);
                    self.add(ComponentExternalKind::Type, ty);
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, declaration: &ComponentTypeDeclaration<'a>) {
        match declaration {
            ComponentTypeDeclaration::Alias(alias) => self.alias(alias),
            ComponentTypeDeclaration::Export { name, ty } => {
                self.export(name.name, ty.kind(), self.stated(*ty));
            }
            ComponentTypeDeclaration::Import(import) => {
                self.import(import.ty.kind(), self.stated(import.ty));
            }
            ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Type(_) => {}
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) {
        match *alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let instance = self.get(ComponentExternalKind::Instance, instance_index);
                let exports = instance.exports.and_then(|list| self.exports.get(list));
                let ty = exports.and_then(|exports| exports.get(name));
                let ty = ty.copied().unwrap_or(SIMPLE);
                self.add(kind, ty);
            }
            ComponentAlias::Outer { kind, count, index } => {
                let kind = match kind {
                    ComponentOuterAliasKind::Type => ComponentExternalKind::Type,
                    ComponentOuterAliasKind::Component => ComponentExternalKind::Component,
                    ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::CoreType => {
                        return;
                    }
                };
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let outer = self.scopes.iter().rev().nth(count);
                let ty = outer.map_or(SIMPLE, |outer| outer.get(kind, index));
                self.uses(ty);
                self.add(kind, ty);
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }

    fn instance(&mut self, instance: &ComponentInstance<'a>) -> Type {
        match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                for argument in args.iter() {
                    let ty = self.get(argument.kind, argument.index);
                    self.uses(ty);
                }
                // It exports no more than the component has.
                let ty = self.get(ComponentExternalKind::Component, *component_index);
                self.uses(ty);
                ty
            }
            ComponentInstance::FromExports(exports) => {
                self.begin();
                for export in exports.iter() {
                    let mut scopes = self.scopes.iter().rev();
                    let around = scopes.nth(1);
                    let ty = around.map_or(SIMPLE, |it| it.get(export.kind, export.index));
                    self.export(export.name.name, export.kind, ty);
                }
                self.finish()
            }
        }
    }

    /// A type that has no component or instance type in it.
    fn plain(&self, ty: &ComponentType<'_>) -> Type {
        let value = |ty: &ComponentValType| match ty {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(index) => self.get(ComponentExternalKind::Type, *index).parts,
        };
        let parts = match ty {
            ComponentType::Resource { .. } => return RESOURCE,
            ComponentType::Component(_) | ComponentType::Instance(_) => return SIMPLE,
            ComponentType::Func(ty) => {
                sum(ty.params.iter().map(|(_, ty)| ty).chain(&ty.result), value)
            }
            ComponentType::Defined(ty) => match ty {
                ComponentDefinedType::Primitive(_)
                | ComponentDefinedType::Own(_)
                | ComponentDefinedType::Borrow(_) => 0,
                ComponentDefinedType::Record(fields) => sum(fields.iter().map(|(_, ty)| ty), value),
                ComponentDefinedType::Variant(cases) => {
                    sum(cases.iter().filter_map(|case| case.ty.as_ref()), value)
                }
                ComponentDefinedType::List(ty)
                | ComponentDefinedType::FixedLengthList(ty, _)
                | ComponentDefinedType::Option(ty) => value(ty),
                ComponentDefinedType::Map(key, ty) => sum([key, ty].into_iter(), value),
                ComponentDefinedType::Tuple(types) => sum(types.iter(), value),
                ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
                    names.len() as u64
                }
                ComponentDefinedType::Result { ok, err } => sum(ok.iter().chain(err), value),
                ComponentDefinedType::Future(ty) | ComponentDefinedType::Stream(ty) => {
                    sum(ty.iter(), value)
                }
            },
        };
        Type::of(parts.saturating_add(1))
    }

    /// The type that an import or export states.
    fn stated(&self, ty: ComponentTypeRef) -> Type {
        match ty {
            ComponentTypeRef::Func(index)
            | ComponentTypeRef::Instance(index)
            | ComponentTypeRef::Component(index)
            | ComponentTypeRef::Type(TypeBounds::Eq(index)) => {
                self.get(ComponentExternalKind::Type, index)
            }
            ComponentTypeRef::Type(TypeBounds::SubResource) => RESOURCE,
            ComponentTypeRef::Module(_) | ComponentTypeRef::Value(_) => SIMPLE,
        }
    }

    fn get(&self, kind: ComponentExternalKind, index: u32) -> Type {
        let scope = self.scopes.last();
        scope.map_or(SIMPLE, |scope| scope.get(kind, index))
    }

    fn add(&mut self, kind: ComponentExternalKind, ty: Type) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.add(kind, ty);
        }
    }

    fn canonical(&mut self, function: &CanonicalFunction) {
        let ty = match function {
            CanonicalFunction::Lift { type_index, .. } => {
                let ty = self.get(ComponentExternalKind::Type, *type_index);
                self.add(ComponentExternalKind::Func, ty);
                ty
            }
            CanonicalFunction::Lower { func_index, .. } => {
                self.get(ComponentExternalKind::Func, *func_index)
            }
            // Types that are read or returned are searched for pointers.
            CanonicalFunction::TaskReturn {
                result: Some(ComponentValType::Type(ty)),
                ..
            }
            | CanonicalFunction::StreamRead { ty, .. }
            | CanonicalFunction::FutureRead { ty, .. } => {
                self.get(ComponentExternalKind::Type, *ty)
            }
            _ => return,
        };
        self.uses(ty);
    }

    /// What is imported or exported is used, and is a part of what is around it.
    fn import(&mut self, kind: ComponentExternalKind, ty: Type) {
        self.uses(ty);
        if let Some(scope) = self.scopes.last_mut() {
            scope.parts = scope.parts.saturating_add(ty.parts);
            scope.add(kind, ty);
        }
    }

    fn export(&mut self, name: &'a str, kind: ComponentExternalKind, ty: Type) {
        self.import(kind, ty);
        if let Some(scope) = self.scopes.last_mut() {
            scope.exports.insert(name, ty);
        }
    }

    fn uses(&mut self, ty: Type) {
        self.used = self.used.saturating_add(ty.parts);
    }

    /// The type of what was read.
    fn finish(&mut self) -> Type {
        let scope = self.scopes.pop().unwrap_or_default();
        let number = self.exports.len();
        self.exports.push(scope.exports);
        Type {
            parts: scope.parts.saturating_add(1),
            exports: Some(number),
        }
    }
}

fn sum<'t>(
    types: impl Iterator<Item = &'t ComponentValType>,
    parts: impl Fn(&ComponentValType) -> u64,
) -> u64 {
    types.fold(0, |all: u64, ty| all.saturating_add(parts(ty)))
}

/// The byte that comes next.
fn peek(reader: &BinaryReader<'_>) -> Result<u8> {
    reader.clone().read_u8()
}
