//! Counts what it costs the validator to compare operands with long lists, before it compares them.
//!
//! The validator compares the operands of an instruction with the list of a label or a function
//! type. For a jump table, it does this for each target. For a reference to a defined type, it
//! walks the supertypes, of which a type may have 63. So one target, which takes one byte of code,
//! may cost 1,000 operands times 63 supertypes. A program of 50 KB took a minute, and another
//! minute for each CPU target.
//!
//! Lists that cost up to [`LONG`] steps are not counted. They cost little for each byte, and real
//! programs have no others: the longest list in 75 programs has 91 parameters. If no type has a
//! long list, the code is not read.
//!
//! Two kinds of operands are counted. The first are those that instructions push or leave on the
//! stack: results of calls, the operands at the start and end of functions and blocks, and those
//! that branches leave. The second are those that instructions pop, counted once for each operand.
//! In most code, they were pushed before. But after `unreachable`, an instruction can pop operands
//! that do not exist. Arrays of 50 million elements together took 0.6 s, and a single
//! `array.new_fixed`, in 8 bytes, can make an array of four billion elements.
//!
//! Source: wasmparser 0.254, `validator/operators.rs` (`visit_br_table`, `visit_array_new_fixed`)
//! and `validator/types.rs` (`id_is_subtype`).

#[cfg(test)]
pub(crate) mod tests;

use wasmparser::{
    BlockType, CompositeInnerType, FunctionBody, HeapType, Operator, Payload, Result, SubType,
    TypeRef, ValType,
};

/// The maximum number of steps that a list may cost without being counted.
const LONG: u64 = 128;

/// The lists of a core module's types, and which of them its functions have.
#[derive(Default)]
pub(crate) struct Operands {
    types: Vec<Signature>,
    /// The maximum number of supertypes of a type.
    depth: u64,
    /// Whether a type has a long list, or is an array type: instructions state the lengths of
    /// arrays.
    is_long: bool,
    /// The types of all functions, if there is a long list.
    functions: Vec<u32>,
    /// The types of all tags, if there is a long list.
    tags: Vec<u32>,
    /// The function whose body is next.
    next: usize,
}

/// A function type. For a struct type, the parameters are the fields, which `struct.new` takes.
#[derive(Clone, Copy, Default)]
struct Signature {
    parameters: List,
    results: List,
    /// The number of the type's supertypes.
    depth: u64,
}

#[derive(Clone, Copy, Default)]
struct List {
    values: u64,
    /// How many of them are references to defined types.
    references: u64,
}

impl List {
    fn of(types: &[ValType]) -> Self {
        Self {
            values: types.len() as u64,
            references: types.iter().filter(|ty| is_reference(ty)).count() as u64,
        }
    }

    /// The steps to compare operands with the list.
    fn steps(self, depth: u64) -> u64 {
        self.values
            .saturating_add(self.references.saturating_mul(depth))
    }
}

/// Whether a type is a reference to a defined type.
fn is_reference(ty: &ValType) -> bool {
    match ty {
        ValType::Ref(ty) => matches!(ty.heap_type(), HeapType::Concrete(_) | HeapType::Exact(_)),
        _ => false,
    }
}

impl Operands {
    /// Reads the next part of the module. For a function body, returns the steps that its
    /// instructions take for long lists.
    ///
    /// # Errors
    ///
    /// The part cannot be read.
    pub(crate) fn read(&mut self, payload: &Payload<'_>) -> Result<u64> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    for ty in group?.types() {
                        self.define(ty);
                    }
                }
                let depth = self.depth;
                let is_long = |list: List| list.steps(depth) > LONG;
                let mut types = self.types.iter();
                self.is_long |= types.any(|ty| is_long(ty.parameters) || is_long(ty.results));
            }
            Payload::ImportSection(section) if self.is_long => {
                for import in section.clone().into_imports() {
                    match import?.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => self.functions.push(ty),
                        TypeRef::Tag(tag) => self.tags.push(tag.func_type_idx),
                        _ => {}
                    }
                }
                self.next = self.functions.len();
            }
            Payload::FunctionSection(section) if self.is_long => {
                for ty in section.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::TagSection(section) if self.is_long => {
                for tag in section.clone() {
                    self.tags.push(tag?.func_type_idx);
                }
            }
            Payload::CodeSectionEntry(body) if self.is_long => {
                let ty = self.functions.get(self.next);
                let function = ty.map(|ty| self.signature(*ty)).unwrap_or_default();
                self.next = self.next.saturating_add(1);
                return self.steps(body, function);
            }
            _ => {}
        }
        Ok(0)
    }

    /// The index of the function whose body was read last, if the module has a long list.
    pub(crate) fn last_read(&self) -> Option<usize> {
        self.next.checked_sub(1).filter(|_| self.is_long)
    }

    fn define(&mut self, ty: &SubType) {
        let above = ty.supertype_idx.and_then(|index| index.as_module_index());
        let depth = above.map_or(0, |above| self.signature(above).depth.saturating_add(1));
        self.depth = self.depth.max(depth);
        let (parameters, results) = match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => (List::of(ty.params()), List::of(ty.results())),
            CompositeInnerType::Struct(ty) => {
                let fields = List {
                    values: ty.fields.len() as u64,
                    references: 0,
                };
                (fields, List::default())
            }
            CompositeInnerType::Array(_) => {
                self.is_long = true;
                (List::default(), List::default())
            }
            CompositeInnerType::Cont(_) => (List::default(), List::default()),
        };
        self.types.push(Signature {
            parameters,
            results,
            depth,
        });
    }

    fn signature(&self, index: u32) -> Signature {
        let index = usize::try_from(index).ok();
        let known = index.and_then(|index| self.types.get(index));
        known.copied().unwrap_or_default()
    }

    /// The steps to push the results of a function type.
    fn results(&self, ty: u32) -> u64 {
        self.signature(ty).results.steps(self.depth)
    }

    /// The type of a function.
    fn function_type(&self, function: u32) -> Option<u32> {
        self.functions.get(usize::try_from(function).ok()?).copied()
    }

    /// How many operands an instruction pops, as a type or the instruction itself states.
    fn taken(&self, operator: &Operator<'_>) -> u64 {
        let ty = match *operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.function_type(function_index)
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => Some(type_index),
            Operator::Throw { tag_index } => {
                let tag = usize::try_from(tag_index).ok();
                tag.and_then(|tag| self.tags.get(tag)).copied()
            }
            Operator::StructNew { struct_type_index } => Some(struct_type_index),
            Operator::ArrayNewFixed { array_size, .. } => return array_size.into(),
            _ => None,
        };
        ty.map_or(0, |ty| self.signature(ty).parameters.values)
    }

    /// The larger cost of a block's start and end.
    fn block(&self, ty: BlockType) -> u64 {
        match ty {
            BlockType::Empty | BlockType::Type(_) => 1,
            BlockType::FuncType(index) => {
                let ty = self.signature(index);
                let begin = ty.parameters.steps(self.depth);
                begin.max(ty.results.steps(self.depth))
            }
        }
    }

    /// The steps that a function and its instructions take for long lists.
    fn steps(&self, body: &FunctionBody<'_>, function: Signature) -> Result<u64> {
        // The highest cost of a label so far.
        let mut label = function.results.steps(self.depth);
        // The function begins with its parameters, which are not compared, and ends with its
        // results.
        let parameters = counted(function.parameters.values, 1);
        let mut all = parameters.saturating_add(counted(label, 1));
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let (list, times) = match &operator {
                Operator::Block { blockty }
                | Operator::Loop { blockty }
                | Operator::If { blockty } => {
                    let block = self.block(*blockty);
                    label = label.max(block);
                    (block, 2)
                }
                Operator::TryTable { try_table } => {
                    label = label.max(self.block(try_table.ty));
                    (label, (try_table.catches.len() as u64).saturating_add(2))
                }
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    let ty = self.function_type(*function_index);
                    (ty.map_or(0, |ty| self.results(ty)), 1)
                }
                Operator::CallIndirect { type_index, .. }
                | Operator::ReturnCallIndirect { type_index, .. }
                | Operator::CallRef { type_index }
                | Operator::ReturnCallRef { type_index } => (self.results(*type_index), 1),
                Operator::BrTable { targets } => {
                    (label, u64::from(targets.len()).saturating_add(1))
                }
                Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::BrOnNull { .. }
                | Operator::BrOnNonNull { .. }
                | Operator::BrOnCast { .. }
                | Operator::BrOnCastFail { .. }
                | Operator::Else
                | Operator::Return => (label, 1),
                _ => (0, 0),
            };
            all = all.saturating_add(counted(list, times));
            all = all.saturating_add(counted(self.taken(&operator), 1));
        }
        Ok(all)
    }
}

/// The steps for a list that is used this many times, if the list is long.
fn counted(list: u64, times: u64) -> u64 {
    match list > LONG {
        true => list.saturating_mul(times),
        false => 0,
    }
}
