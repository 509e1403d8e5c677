//! What a core module says about its functions: which of them escape, and which types the engine
//! looks up.

use std::collections::BTreeSet;

use wasmparser::{
    CompositeInnerType, ElementItems, ExternalKind, FunctionBody, Operator, Parser, Payload,
    TableInit, TypeRef, TypeSectionReader,
};

use super::BRANCH_HINTS;
use super::types::compared;
use crate::wasm::module_parts::is_function;

/// What a module says about its functions.
#[derive(Default)]
pub(super) struct Functions<'a> {
    pub(super) imported: usize,
    /// Whether each function escapes, imported functions first.
    pub(super) escaping: Vec<bool>,
    /// The type of each function, imported functions first.
    types: Vec<u32>,
    /// The number of types.
    pub(super) type_count: u32,
    /// The types without parameters and results.
    empty_types: BTreeSet<u32>,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Functions<'a> {
    pub(super) fn read(module: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.ok()? {
                Payload::TypeSection(section) => this.read_types(section)?,
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        this.imported += usize::from(is_function(&import));
                        if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                            this.types.push(ty);
                        }
                    }
                    this.escaping = vec![false; this.imported];
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        this.types.push(ty.ok()?);
                    }
                    this.escaping = vec![false; this.types.len()];
                }
                Payload::CodeSectionEntry(body) => this.bodies.push(body),
                Payload::TableSection(section) => {
                    for table in section {
                        if let TableInit::Expr(expression) = table.ok()?.init {
                            this.constant(&expression)?;
                        }
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        this.constant(&global.ok()?.init_expr)?;
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                            this.escapes(export.index)?;
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        match element.ok()?.items {
                            ElementItems::Functions(functions) => {
                                for function in functions {
                                    this.escapes(function.ok()?)?;
                                }
                            }
                            ElementItems::Expressions(_, expressions) => {
                                for expression in expressions {
                                    this.constant(&expression.ok()?)?;
                                }
                            }
                        }
                    }
                }
                Payload::CustomSection(section) if section.name() == BRANCH_HINTS => return None,
                _ => {}
            }
        }
        Some(this)
    }

    fn read_types(&mut self, section: TypeSectionReader<'_>) -> Option<()> {
        for group in section {
            for ty in group.ok()?.into_types() {
                if let CompositeInnerType::Func(ty) = &ty.composite_type.inner
                    && ty.params().is_empty()
                    && ty.results().is_empty()
                {
                    self.empty_types.insert(self.type_count);
                }
                self.type_count = self.type_count.checked_add(1)?;
            }
        }
        Some(())
    }

    /// The types that the engine looks up: those of imported functions, of functions that escape,
    /// and of calls through tables. The engine also makes a function without parameters and results
    /// for a module that begins with work; its type comes first if the module has it.
    pub(super) fn types_looked_up(&self) -> Option<BTreeSet<u32>> {
        let mut types = compared(&self.bodies)?;
        let functions = self.types.iter().zip(&self.escaping).enumerate();
        let looked_up =
            functions.filter(|(index, (_, escapes))| *index < self.imported || **escapes);
        types.extend(looked_up.map(|(_, (ty, _))| *ty));
        types.extend(self.empty_types.first());
        Some(types)
    }

    fn constant(&mut self, expression: &wasmparser::ConstExpr<'_>) -> Option<()> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator.ok()? {
                self.escapes(function_index)?;
            }
        }
        Some(())
    }

    fn escapes(&mut self, function: u32) -> Option<()> {
        *self.escaping.get_mut(usize::try_from(function).ok()?)? = true;
        Some(())
    }
}
