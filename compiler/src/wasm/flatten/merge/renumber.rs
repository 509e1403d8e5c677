//! Writes the items of one member with their new indices.

use std::collections::BTreeSet;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{ConstExpr, Elements, HeapType, Instruction};
use wasmparser::{DataKind, ElementItems, ElementKind, FunctionBody, Operator, TableInit};

use super::Sections;
use crate::wasm::flatten::facts::Whole;
use crate::wasm::flatten::layout::{Layout, Member};
use crate::wasm::flatten::module::{Module, Space, at, count};
use crate::wasm::flatten::value::{Value, value};

type Error = reencode::Error<Infallible>;

/// Something is inconsistent. Then the component stays as it is.
const NOT_VALID: Error = Error::InvalidCodeSectionSize;

/// Writes the items of a member with their new indices.
pub(super) struct Renumber<'m, 'l, 'a> {
    pub(super) whole: &'m Whole<'l, 'a>,
    pub(super) layout: &'m Layout,
    pub(super) member: &'m Member,
    pub(super) types: &'m [Option<u32>],
    /// The functions that were named as values, by their new indices.
    pub(super) functions: BTreeSet<u32>,
}

impl Renumber<'_, '_, '_> {
    /// Writes tables, memories, tags and globals.
    pub(super) fn definitions(
        &mut self,
        module: &Module<'_>,
        sections: &mut Sections,
    ) -> Result<(), Error> {
        let defined = |space: Space, place: usize| {
            let index = module.imported(space).checked_add(count(place))?;
            self.member.index(space, index)
        };
        let [tables, memories, tags, globals] =
            [Space::Table, Space::Memory, Space::Tag, Space::Global].map(|space| {
                let places = 0..module.defined(space);
                let stays = places.map(|place| defined(space, place).is_some());
                stays.collect::<Vec<bool>>()
            });
        for (table, _) in module.tables.iter().zip(tables).filter(|(_, stays)| *stays) {
            let ty = self.table_type(table.ty)?;
            match &table.init {
                TableInit::RefNull => sections.tables.table(ty),
                TableInit::Expr(init) => {
                    let init = self.const_expr(init.clone())?;
                    sections.tables.table_with_init(ty, &init)
                }
            };
        }
        for (memory, _) in (module.memories.iter().zip(memories)).filter(|(_, stays)| *stays) {
            sections.memories.memory(self.memory_type(*memory)?);
        }
        for (tag, _) in module.tags.iter().zip(tags).filter(|(_, stays)| *stays) {
            sections.tags.tag(self.tag_type(*tag)?);
        }
        for (global, _) in (module.globals.iter().zip(globals)).filter(|(_, stays)| *stays) {
            let init = self.const_expr(global.init_expr.clone())?;
            let ty = self.global_type(global.ty)?;
            sections.globals.global(ty, &init);
        }
        Ok(())
    }

    /// Writes element and data segments.
    pub(super) fn segments(
        &mut self,
        module: &Module<'_>,
        sections: &mut Sections,
    ) -> Result<(), Error> {
        let member = self.member;
        for (new, element) in member.elements.iter().zip(&module.elements) {
            if new.is_none() {
                continue;
            }
            let items = self.items(&element.items)?;
            match &element.kind {
                ElementKind::Active {
                    table_index,
                    offset_expr,
                } => {
                    let table = match self.table_index(table_index.unwrap_or(0))? {
                        0 => None,
                        table => Some(table),
                    };
                    let offset = self.const_expr(offset_expr.clone())?;
                    sections.elements.active(table, &offset, items);
                }
                ElementKind::Passive => {
                    sections.elements.passive(items);
                }
                ElementKind::Declared => {
                    sections.elements.declared(items);
                }
            }
        }
        for (new, data) in member.data.iter().zip(&module.data) {
            if new.is_none() {
                continue;
            }
            let bytes = data.data.iter().copied();
            match &data.kind {
                DataKind::Active {
                    memory_index,
                    offset_expr,
                } => {
                    let memory = self.memory_index(*memory_index)?;
                    let offset = self.const_expr(offset_expr.clone())?;
                    sections.data.active(memory, &offset, bytes);
                }
                DataKind::Passive => {
                    sections.data.passive(bytes);
                }
            }
        }
        Ok(())
    }

    fn items(&mut self, items: &ElementItems<'_>) -> Result<Elements<'static>, Error> {
        Ok(match items {
            ElementItems::Functions(functions) => {
                let mut new = Vec::new();
                for function in functions.clone() {
                    let function = self.function_index(function?)?;
                    self.functions.insert(function);
                    new.push(function);
                }
                Elements::Functions(new.into())
            }
            ElementItems::Expressions(ty, expressions) => {
                let mut new = Vec::new();
                for expression in expressions.clone() {
                    new.push(self.const_expr(expression?)?);
                }
                Elements::Expressions(self.ref_type(*ty)?, new.into())
            }
        })
    }

    /// Writes a function of this type, without so many instructions at its beginning.
    pub(super) fn code(
        &mut self,
        ty: u32,
        body: &FunctionBody<'_>,
        left_out: usize,
        sections: &mut Sections,
    ) -> Result<(), Error> {
        sections.functions.function(self.type_index(ty)?);
        let mut function = self.new_function_with_parsed_locals(body)?;
        let mut operators = body.get_operators_reader()?;
        for _ in 0..left_out {
            operators.read()?;
        }
        while !operators.eof() {
            function.instruction(&self.parse_instruction(&mut operators)?);
        }
        sections.code.function(&function);
        Ok(())
    }

    fn index(&self, space: Space, old: u32) -> Result<u32, Error> {
        self.member.index(space, old).ok_or(NOT_VALID)
    }
}

impl Reencode for Renumber<'_, '_, '_> {
    type Error = Infallible;

    fn type_index(&mut self, old: u32) -> Result<u32, Error> {
        at(self.types, old).copied().flatten().ok_or(NOT_VALID)
    }

    fn function_index(&mut self, old: u32) -> Result<u32, Error> {
        self.index(Space::Func, old)
    }

    fn table_index(&mut self, old: u32) -> Result<u32, Error> {
        self.index(Space::Table, old)
    }

    fn memory_index(&mut self, old: u32) -> Result<u32, Error> {
        self.index(Space::Memory, old)
    }

    fn global_index(&mut self, old: u32) -> Result<u32, Error> {
        self.index(Space::Global, old)
    }

    fn tag_index(&mut self, old: u32) -> Result<u32, Error> {
        self.index(Space::Tag, old)
    }

    fn element_index(&mut self, old: u32) -> Result<u32, Error> {
        let new = at(&self.member.elements, old).copied().flatten();
        new.ok_or(NOT_VALID)
    }

    fn data_index(&mut self, old: u32) -> Result<u32, Error> {
        let new = at(&self.member.data, old).copied().flatten();
        new.ok_or(NOT_VALID)
    }

    fn instruction<'i>(&mut self, operator: Operator<'i>) -> Result<Instruction<'i>, Error> {
        match operator {
            Operator::GlobalGet { global_index } => {
                let constant = at(&self.member.constants, global_index).copied().flatten();
                match constant.and_then(Value::instruction) {
                    Some(constant) => Ok(constant),
                    None => Ok(Instruction::GlobalGet(self.global_index(global_index)?)),
                }
            }
            Operator::RefFunc { function_index } => {
                let function = self.function_index(function_index)?;
                self.functions.insert(function);
                Ok(Instruction::RefFunc(function))
            }
            operator => utils::instruction(self, operator),
        }
    }

    /// A constant expression whose value is known becomes this value: the engine lays out segments
    /// at load time only if their offsets are single constants.
    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Result<ConstExpr, Error> {
        let node = self.member.node;
        let whole = self.whole;
        let known = value(&expression, node, |index| whole.value_in(node, index));
        match known {
            Some(Value::Function(node, function)) => {
                if let Some(function) = self.layout.index(node, Space::Func, function) {
                    self.functions.insert(function);
                    return Ok(ConstExpr::ref_func(function));
                }
            }
            Some(Value::Null(ty)) => {
                let ty = self.abstract_heap_type(ty)?;
                return Ok(ConstExpr::ref_null(HeapType::Abstract {
                    shared: false,
                    ty,
                }));
            }
            Some(value) => {
                if let Some(constant) = value.instruction() {
                    return Ok(ConstExpr::extended([constant]));
                }
            }
            None => {}
        }
        utils::const_expr(self, expression)
    }
}
