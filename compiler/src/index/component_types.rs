//! The types of components: how deeply they are nested, and how many parts the validator walks for
//! their uses.
//!
//! The validator reads nested component and instance types by recursion: 5,000 nested types, in 15
//! KB, overflowed its stack. Each use of a type walks the type and all types that it refers to. A
//! type is used if something of that type is imported, exported or passed, if an alias takes it
//! from an outer component, or if a canonical function passes it. Imports and exports, also in a
//! component type, create all of their resources anew. The number of parts can double with each
//! type: 50 uses of a type with 131,072 parts, in 3 KB, took 4 s; 400 imports of a type with 500
//! resources, in 32 KB, took 15 s. So edgec first follows the index spaces and keeps only sizes. It
//! reads nested types without recursion. If an index or a name leads to nothing, the program is
//! invalid, and the validator will report it.
//!
//! Source: component model, `Binary.md`; wasmparser 0.254, `readers/component/types.rs` and
//! `validator/component.rs` (`prepare_instance_import`, `alias_type`, `finish`) and
//! `validator/component_types.rs` (`contains_ptr`).

mod size;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::iter::once;

use wasmparser::{
    BinaryReader, CanonicalFunction, ComponentDefinedType, ComponentExport, ComponentImport,
    ComponentInstance, ComponentType, ComponentTypeDeclaration, ComponentTypeRef, ComponentValType,
    Payload, Result, TypeBounds,
};

use self::size::{NAME, RESOURCE, SIMPLE, Type};
use crate::index::follow::Meaning;
use crate::index::spaces::{Sort, Spaces};

/// How deeply types may be nested, in place or by reference. Components have the same limit. The
/// validator has it for types of values. It keeps the depth of other types in 7 bits, and panics if
/// the depth does not fit into them.
const MAX_NESTING: usize = 100;

/// Counts the types of a component and of the components in it.
#[derive(Default)]
pub(crate) struct ComponentTypes<'a> {
    spaces: Spaces<Type>,
    uses: Uses<'a>,
    /// Where types are nested too deeply. The rest is not read.
    too_deep: Option<usize>,
}

/// The counts of the types.
#[derive(Default)]
struct Uses<'a> {
    /// The components and types that are being read, the innermost last.
    open: Vec<Open<'a>>,
    /// The exports of each component, and of each component or instance type.
    exports: Vec<HashMap<&'a str, Type>>,
    /// How many parts are walked for all uses so far.
    used: u64,
    /// How deeply types are nested so far.
    deepest: u32,
}

/// A component, or a component or instance type, that is being read.
#[derive(Default)]
struct Open<'a> {
    exports: HashMap<&'a str, Type>,
    /// Its type, made of those of its imports and exports.
    ty: Type,
}

impl<'a> ComponentTypes<'a> {
    /// A component begins.
    pub(crate) fn begin(&mut self) {
        self.spaces.begin();
        self.uses.begin();
    }

    /// A component ends, at this offset.
    pub(crate) fn end(&mut self, offset: usize) {
        let ty = self.finish();
        self.spaces.add(Sort::Component, ty);
        self.check_depth(offset);
    }

    /// Keeps the offset if types are nested too deeply.
    fn check_depth(&mut self, offset: usize) {
        if self.uses.deepest as usize > MAX_NESTING {
            self.too_deep.get_or_insert(offset);
        }
    }

    /// The type of the component or type that ends.
    fn finish(&mut self) -> Type {
        self.spaces.end();
        self.uses.finish()
    }

    /// If types are nested too deeply: the limit and the offset.
    pub(crate) fn too_deep(&self) -> Option<(usize, usize)> {
        self.too_deep.map(|offset| (MAX_NESTING, offset))
    }

    /// Reads a section of a component. Returns how many parts the validator walks for it.
    ///
    /// # Errors
    ///
    /// The section cannot be read.
    pub(crate) fn read(&mut self, wasm: &'a [u8], payload: &Payload<'a>) -> Result<u64> {
        let before = self.uses.used;
        match payload {
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let bytes = wasm.get(range.clone()).unwrap_or_default();
                self.types(BinaryReader::new(bytes, range.start))?;
            }
            // Entries of this section have no type here, and there may be many of them.
            Payload::InstanceSection(_) => {}
            payload => {
                self.spaces.read(payload, &mut self.uses)?;
                let range = payload.as_section().map(|(_, range)| range);
                self.check_depth(range.map_or(0, |range| range.start));
            }
        }
        Ok(self.uses.used.saturating_sub(before))
    }

    /// Reads the types of a section.
    fn types(&mut self, mut reader: BinaryReader<'a>) -> Result<()> {
        // How many types are left to read in the section, and how many declarations in each type
        // that is being read.
        let mut left = vec![reader.read_var_u32()?];
        while let Some(last) = left.last_mut() {
            let Some(less) = last.checked_sub(1) else {
                left.pop();
                if !left.is_empty() {
                    let ty = self.finish();
                    self.spaces.add(Sort::Type, ty);
                    self.check_depth(reader.original_position());
                }
                continue;
            };
            *last = less;
            if left.len() > 1 {
                // A type declaration follows this byte. No other declaration contains types.
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
                    let ty = plain(&self.spaces, &ty);
                    self.uses.deepest = self.uses.deepest.max(ty.depth);
                    self.spaces.add(Sort::Type, ty);
                    self.check_depth(reader.original_position());
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, declaration: &ComponentTypeDeclaration<'a>) {
        match declaration {
            ComponentTypeDeclaration::Alias(alias) => self.spaces.alias(alias, &mut self.uses),
            ComponentTypeDeclaration::Export { name, ty } => {
                let size = stated(&self.spaces, *ty);
                self.uses.export(name.name, size);
                self.spaces.add_item(ty.kind(), size);
            }
            ComponentTypeDeclaration::Import(import) => {
                let size = stated(&self.spaces, import.ty);
                self.uses.import(size);
                self.spaces.add_item(import.ty.kind(), size);
            }
            ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Type(_) => {}
        }
    }
}

impl<'a> Meaning<'a> for Uses<'a> {
    type Known = Type;

    fn import(&mut self, spaces: &Spaces<Type>, import: &ComponentImport<'a>) -> Type {
        let ty = stated(spaces, import.ty);
        Uses::import(self, ty);
        ty
    }

    fn export(&mut self, spaces: &Spaces<Type>, export: &ComponentExport<'a>) -> Type {
        let ty = match export.ty {
            Some(ty) => stated(spaces, ty),
            None => spaces.item(export.kind, export.index),
        };
        Uses::export(self, export.name.name, ty);
        ty
    }

    fn alias(&mut self, instance: &Type, name: &'a str) -> Type {
        let exports = instance.exports.and_then(|list| self.exports.get(list));
        let ty = exports.and_then(|exports| exports.get(name));
        ty.copied().unwrap_or(SIMPLE)
    }

    fn outer(&mut self, sort: Sort, known: Type) -> Type {
        if sort != Sort::Module {
            self.uses(known);
        }
        known
    }

    fn instance(&mut self, spaces: &Spaces<Type>, instance: &ComponentInstance<'a>) -> Type {
        match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                for argument in args.iter() {
                    self.uses(spaces.item(argument.kind, argument.index));
                }
                // The instance exports no more than the component.
                let ty = spaces.get(Sort::Component, *component_index);
                self.uses(ty);
                ty
            }
            ComponentInstance::FromExports(exports) => {
                self.begin();
                for export in exports.iter() {
                    let ty = spaces.item(export.kind, export.index);
                    Uses::export(self, export.name.name, ty);
                }
                self.finish()
            }
        }
    }

    fn canonical(&mut self, spaces: &Spaces<Type>, function: &CanonicalFunction) -> Type {
        let ty = match function {
            CanonicalFunction::Lift { type_index, .. } => spaces.get(Sort::Type, *type_index),
            CanonicalFunction::Lower { func_index, .. } => spaces.get(Sort::Func, *func_index),
            // The validator searches types that are read or returned for pointers.
            CanonicalFunction::TaskReturn {
                result: Some(ComponentValType::Type(ty)),
                ..
            }
            | CanonicalFunction::StreamRead { ty, .. }
            | CanonicalFunction::FutureRead { ty, .. } => spaces.get(Sort::Type, *ty),
            _ => return SIMPLE,
        };
        self.uses(ty);
        ty
    }
}

impl<'a> Uses<'a> {
    fn begin(&mut self) {
        self.open.push(Open::default());
    }

    /// An import or export is used, and is a part of the component or type around it.
    fn import(&mut self, ty: Type) {
        self.uses(ty);
        if let Some(open) = self.open.last_mut() {
            open.ty.contains(ty);
        }
    }

    fn export(&mut self, name: &'a str, ty: Type) {
        self.import(ty);
        if let Some(open) = self.open.last_mut() {
            open.exports.insert(name, ty);
        }
    }

    fn uses(&mut self, ty: Type) {
        self.used = self.used.saturating_add(ty.parts);
    }

    /// The type of the component or type that ends.
    fn finish(&mut self) -> Type {
        let open = self.open.pop().unwrap_or_default();
        let number = self.exports.len();
        self.exports.push(open.exports);
        self.deepest = self.deepest.max(open.ty.depth);
        Type {
            exports: Some(number),
            ..open.ty
        }
    }
}

/// The type of values, functions or resources.
fn plain(spaces: &Spaces<Type>, ty: &ComponentType<'_>) -> Type {
    let value = |ty: &ComponentValType| match ty {
        ComponentValType::Primitive(_) => SIMPLE,
        ComponentValType::Type(index) => spaces.get(Sort::Type, *index),
    };
    match ty {
        ComponentType::Resource { .. } => RESOURCE,
        ComponentType::Component(_) | ComponentType::Instance(_) => SIMPLE,
        ComponentType::Func(ty) => {
            let params = ty.params.iter().map(|(_, ty)| ty);
            Type::around(params.chain(&ty.result).map(value))
        }
        ComponentType::Defined(ty) => match ty {
            ComponentDefinedType::Primitive(_)
            | ComponentDefinedType::Own(_)
            | ComponentDefinedType::Borrow(_) => SIMPLE,
            ComponentDefinedType::Record(fields) => {
                Type::around(fields.iter().map(|(_, ty)| value(ty)))
            }
            ComponentDefinedType::Variant(cases) => {
                Type::around(cases.iter().filter_map(|case| case.ty.as_ref().map(value)))
            }
            ComponentDefinedType::List(ty)
            | ComponentDefinedType::FixedLengthList(ty, _)
            | ComponentDefinedType::Option(ty) => Type::around(once(value(ty))),
            ComponentDefinedType::Map(key, ty) => Type::around([key, ty].into_iter().map(value)),
            ComponentDefinedType::Tuple(types) => Type::around(types.iter().map(value)),
            ComponentDefinedType::Flags(names) | ComponentDefinedType::Enum(names) => {
                Type::around(names.iter().map(|_| NAME))
            }
            ComponentDefinedType::Result { ok, err } => {
                Type::around(ok.iter().chain(err).map(value))
            }
            ComponentDefinedType::Future(ty) | ComponentDefinedType::Stream(ty) => {
                Type::around(ty.iter().map(value))
            }
        },
    }
}

/// The type that an import or export states.
fn stated(spaces: &Spaces<Type>, ty: ComponentTypeRef) -> Type {
    match ty {
        ComponentTypeRef::Func(index)
        | ComponentTypeRef::Instance(index)
        | ComponentTypeRef::Component(index)
        | ComponentTypeRef::Type(TypeBounds::Eq(index)) => spaces.get(Sort::Type, index),
        ComponentTypeRef::Type(TypeBounds::SubResource) => RESOURCE,
        ComponentTypeRef::Module(_) | ComponentTypeRef::Value(_) => SIMPLE,
    }
}

/// The next byte.
fn peek(reader: &BinaryReader<'_>) -> Result<u8> {
    reader.clone().read_u8()
}
