//! Core modules for the interpreter: decoded once, used for each of their instances.

use std::collections::HashMap;

use wasmparser::{
    BlockType, CompositeInnerType, CompositeType, ConstExpr, Data, Element, Export, FuncType,
    GlobalType, Import, MemoryType, Operator, Parser, Payload, Table, TypeRef, ValType,
};

/// A function type: how many parameters and results it has, and its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) params: usize,
    pub(super) results: usize,
    /// Types are the same if their recursion groups are equal and their places in these.
    pub(super) identity: String,
}

/// A function body.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    /// The number of local variables, without parameters.
    pub(super) locals: usize,
    pub(super) code: Vec<Operator<'a>>,
    /// The ends of blocks, and the `else` of each `if` that has one, by the places of their starts.
    pub(super) ends: HashMap<usize, (usize, Option<usize>)>,
}

/// A module.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) types: Vec<Type>,
    pub(super) imports: Vec<Import<'a>>,
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<Table<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) globals: Vec<(GlobalType, ConstExpr<'a>)>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Element<'a>>,
    pub(super) data: Vec<Data<'a>>,
    pub(super) bodies: Vec<Body<'a>>,
}

impl<'a> Module<'a> {
    /// Decodes a module. `None` if it has something that the interpreter does not know.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.ok()? {
                Payload::TypeSection(section) => {
                    for group in section {
                        let group = group.ok()?;
                        let types = group.types().map(|ty| &ty.composite_type);
                        let types: Vec<_> = types.collect();
                        for (place, ty) in group.types().enumerate() {
                            let (params, results) = match &ty.composite_type.inner {
                                CompositeInnerType::Func(ty) => {
                                    (ty.params().len(), ty.results().len())
                                }
                                _ => (0, 0),
                            };
                            module.types.push(Type {
                                params,
                                results,
                                identity: identity(place, &types),
                            });
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        if matches!(import.ty, TypeRef::Tag(_)) {
                            return None;
                        }
                        module.imports.push(import);
                    }
                }
                Payload::FunctionSection(section) => {
                    module.functions = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::TableSection(section) => {
                    module.tables = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::MemorySection(section) => {
                    module.memories = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        let global = global.ok()?;
                        module.globals.push((global.ty, global.init_expr));
                    }
                }
                Payload::ExportSection(section) => {
                    module.exports = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::StartSection { func, .. } => module.start = Some(func),
                Payload::ElementSection(section) => {
                    module.elements = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::DataSection(section) => {
                    module.data = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::CodeSectionEntry(body) => module.bodies.push(Body::new(&body)?),
                Payload::TagSection(_) => return None,
                _ => {}
            }
        }
        Some(module)
    }

    /// The numbers of parameters and results of a block.
    pub(super) fn block(&self, ty: BlockType) -> (usize, usize) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => match self.types.get(index as usize) {
                Some(ty) => (ty.params, ty.results),
                None => (0, 0),
            },
        }
    }
}

impl<'a> Body<'a> {
    fn new(body: &wasmparser::FunctionBody<'a>) -> Option<Self> {
        let mut read = Self::default();
        for local in body.get_locals_reader().ok()? {
            read.locals += local.ok()?.0 as usize;
        }
        let mut open: Vec<(usize, Option<usize>)> = Vec::new();
        for operator in body.get_operators_reader().ok()? {
            let operator = operator.ok()?;
            let place = read.code.len();
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    open.push((place, None));
                }
                Operator::Else => open.last_mut()?.1 = Some(place),
                Operator::End => {
                    if let Some((start, otherwise)) = open.pop() {
                        read.ends.insert(start, (place, otherwise));
                    }
                }
                _ => {}
            }
            read.code.push(operator);
        }
        Some(read)
    }
}

/// The identity of the type at a place of a recursion group.
fn identity(place: usize, group: &[&CompositeType]) -> String {
    format!("{place} {group:?}")
}

impl Type {
    /// The type of a function that is in no group with others.
    pub(super) fn alone(params: &[ValType], results: &[ValType]) -> Self {
        let function = FuncType::new(params.iter().copied(), results.iter().copied());
        let ty = CompositeType {
            inner: CompositeInnerType::Func(function),
            shared: false,
            descriptor_idx: None,
            describes_idx: None,
        };
        Self {
            params: params.len(),
            results: results.len(),
            identity: identity(0, &[&ty]),
        }
    }
}
