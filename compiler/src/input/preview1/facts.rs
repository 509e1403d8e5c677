//! The facts that the rule uses about a core module: from its sections, and from one pass over its
//! code.

use std::collections::BTreeSet;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1;
use wasmparser::{
    BinaryReaderError, ConstExpr, Element, ElementItems, ElementKind, Export, ExternalKind,
    FuncType, FunctionBody, Import, KnownCustom, MemoryType, Name, Operator, Parser, Payload,
    TableInit, TypeRef,
};

/// The sections of a core module, without its code.
#[derive(Default)]
pub(super) struct Facts<'a> {
    /// The types; `None` for types that are not function types.
    pub(super) types: Vec<Option<FuncType>>,
    pub(super) imports: Vec<Import<'a>>,
    /// The imported functions, as indices into `imports`.
    imported: Vec<usize>,
    /// The type of every function.
    functions: Vec<u32>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) start: Option<u32>,
    /// The functions that a section refers to.
    referenced: BTreeSet<u32>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    names: Option<wasmparser::NameSectionReader<'a>>,
    /// Whether the module carries component types.
    pub(super) component_types: bool,
}

impl<'a> Facts<'a> {
    pub(super) fn of(wasm: &'a [u8]) -> Result<Self, BinaryReaderError> {
        let mut facts = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            facts.read(payload?)?;
        }
        Ok(facts)
    }

    fn read(&mut self, payload: Payload<'a>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        self.types.push(match ty.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(import?);
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    if let TableInit::Expr(init) = table?.init {
                        self.constant(&init)?;
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.constant(&global?.init_expr)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.exports.push(export?);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) => {
                if section.name().starts_with("component-type") {
                    self.component_types = true;
                }
                if let KnownCustom::Name(names) = section.as_known() {
                    self.names = Some(names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: Import<'a>) {
        match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                self.imported.push(self.imports.len());
                self.functions.push(ty);
            }
            TypeRef::Memory(ty) => self.memories.push(ty),
            _ => {}
        }
        self.imports.push(import);
    }

    fn element(&mut self, element: Element<'a>) -> Result<(), BinaryReaderError> {
        if let ElementKind::Active { offset_expr, .. } = &element.kind {
            self.constant(offset_expr)?;
        }
        match element.items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    self.referenced.insert(function?);
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    self.constant(&expression?)?;
                }
            }
        }
        Ok(())
    }

    fn constant(&mut self, expression: &ConstExpr<'a>) -> Result<(), BinaryReaderError> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.referenced.insert(function_index);
            }
        }
        Ok(())
    }

    /// The import of a function, if the function is imported.
    pub(super) fn imported_function(&self, function: u32) -> Option<&Import<'a>> {
        let place = self.imported.get(function as usize)?;
        self.imports.get(*place)
    }

    /// Whether a function is `proc_exit`.
    fn is_exit(&self, function: u32) -> bool {
        let import = self.imported_function(function);
        import.is_some_and(|import| import.module == PREVIEW1 && import.name == "proc_exit")
    }

    /// The code of a function that is not imported.
    pub(super) fn body(&self, function: u32) -> Option<&FunctionBody<'a>> {
        let place = (function as usize).checked_sub(self.imported.len())?;
        self.bodies.get(place)
    }

    /// The index of the function with this body.
    fn index(&self, body: usize) -> u32 {
        u32::try_from(self.imported.len() + body).unwrap_or(u32::MAX)
    }

    pub(super) fn function_type(&self, function: u32) -> Option<&FuncType> {
        let ty = self.functions.get(function as usize)?;
        self.types.get(*ty as usize)?.as_ref()
    }

    /// The index of the item of this kind with this export name.
    pub(super) fn export(&self, name: &str, kind: ExternalKind) -> Option<u32> {
        let mut exports = self.exports.iter();
        let found = exports.find(|export| export.name == name && export.kind == kind)?;
        Some(found.index)
    }

    /// A function's name in messages: its index, and its own name if it has one.
    pub(super) fn named(&self, function: u32) -> String {
        let subsections = self.names.clone().into_iter().flatten().flatten();
        let maps = subsections.filter_map(|subsection| match subsection {
            Name::Function(map) => Some(map),
            _ => None,
        });
        let mut names = maps.flat_map(|map| map.into_iter().flatten());
        match names.find(|naming| naming.index == function) {
            Some(naming) => format!("function {function} `{}`", naming.name),
            None => format!("function {function}"),
        }
    }
}

/// A function that contains `memory.size` or `memory.grow`, and how often.
pub(super) struct Asker {
    pub(super) function: u32,
    pub(super) sizes: usize,
    pub(super) grows: usize,
}

/// Facts about all of the code.
pub(super) struct Code {
    /// The functions that something refers to. An indirect call may call any of them.
    pub(super) referenced: BTreeSet<u32>,
    /// In the order of the module.
    pub(super) askers: Vec<Asker>,
    /// Whether the program may call `proc_exit` with a code other than 0 and 1.
    pub(super) exits_with_any_code: bool,
}

impl Code {
    pub(super) fn of(facts: &Facts<'_>) -> Result<Self, BinaryReaderError> {
        let mut code = Self {
            referenced: facts.referenced.clone(),
            askers: Vec::new(),
            exits_with_any_code: false,
        };
        for (place, body) in facts.bodies.iter().enumerate() {
            code.read(facts, facts.index(place), body)?;
        }
        code.exits_with_any_code |= code.referenced.iter().any(|it| facts.is_exit(*it));
        Ok(code)
    }

    fn read(
        &mut self,
        facts: &Facts<'_>,
        function: u32,
        body: &FunctionBody<'_>,
    ) -> Result<(), BinaryReaderError> {
        let (mut sizes, mut grows) = (0, 0);
        // The operator directly before a call gives the call's last operand. A jump between the two
        // could only land at an `end`, an `else` or a `loop`, which would be that operator.
        let mut known = false;
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            match operator {
                Operator::MemorySize { .. } => sizes += 1,
                Operator::MemoryGrow { .. } => grows += 1,
                Operator::RefFunc { function_index } => {
                    self.referenced.insert(function_index);
                }
                Operator::Call { function_index } | Operator::ReturnCall { function_index }
                    if !known && facts.is_exit(function_index) =>
                {
                    self.exits_with_any_code = true;
                }
                _ => {}
            }
            known = gives_0_or_1(&operator);
        }
        if sizes + grows > 0 {
            self.askers.push(Asker {
                function,
                sizes,
                grows,
            });
        }
        Ok(())
    }

    /// Whether the program may ask for more memory.
    pub(super) fn grows(&self) -> bool {
        self.askers.iter().any(|asker| asker.grows > 0)
    }
}

/// Whether an operator gives 0 or 1: a constant or a comparison.
fn gives_0_or_1(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Const { value: 0 | 1 }
            | Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtS
            | Operator::I32LtU
            | Operator::I32GtS
            | Operator::I32GtU
            | Operator::I32LeS
            | Operator::I32LeU
            | Operator::I32GeS
            | Operator::I32GeU
            | Operator::I64Eqz
            | Operator::I64Eq
            | Operator::I64Ne
    )
}
