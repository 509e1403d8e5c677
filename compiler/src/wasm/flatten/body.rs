//! What a function body uses, read in one pass; and whether it only passes its parameters on.
//!
//! The indices of every instruction are found by the re-encoder, which knows all instructions. So
//! none is missed.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasmparser::{ConstExpr, FunctionBody, Operator, RecGroup};

type Error = reencode::Error<Infallible>;

/// Something that code or a constant expression uses, by its index in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Type(u32),
    /// The function is called.
    Call(u32),
    /// The function is taken as a value.
    Function(u32),
    /// The global is read.
    Read(u32),
    /// The global may be written.
    Write(u32),
    /// A function in the table is called.
    CallTable(u32),
    /// The table or its size is read.
    ReadTable(u32),
    /// The table may change.
    WriteTable(u32),
    Memory(u32),
    Tag(u32),
    Data(u32),
    Element(u32),
}

/// Facts about a function body.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Everything that it uses, sorted, each once.
    pub(super) uses: Box<[Use]>,
    /// Where it passes its parameters, if it does nothing else.
    pub(super) forward: Option<Forward>,
    /// How many pairs `ref.func`, `global.set` it begins with: the functions and the globals. Empty
    /// for nearly all functions.
    pub(super) sets: Vec<(u32, u32)>,
    /// Whether there is nothing after these pairs.
    pub(super) only_sets: bool,
}

/// Where a function passes all of its parameters: to a function that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forward {
    /// The function in this place of a table.
    Table { table: u32, slot: u64, ty: u32 },
    /// The function in this global.
    Global { global: u32, ty: u32 },
}

impl Forward {
    /// The type with which the function is called.
    pub(super) fn ty(self) -> u32 {
        match self {
            Self::Table { ty, .. } | Self::Global { ty, .. } => ty,
        }
    }
}

impl Body {
    /// Reads the body of a function with this number of parameters. `None` if it cannot be read.
    pub(super) fn read(body: &FunctionBody<'_>, parameters: usize) -> Option<Self> {
        let mut recorder = Recorder::default();
        let mut has_locals = false;
        for local in body.get_locals_reader().ok()? {
            let (number, ty) = local.ok()?;
            has_locals |= number > 0;
            recorder.val_type(ty).ok()?;
        }
        let mut forward = Forwarding::new(parameters, has_locals);
        let mut sets = Sets::default();
        for operator in body.get_operators_reader().ok()? {
            let operator = operator.ok()?;
            forward.next(&operator);
            sets.next(&operator);
            recorder.operator(operator)?;
        }
        Some(Self {
            uses: recorder.finish(),
            forward: forward.found(),
            only_sets: sets.is_all(),
            sets: sets.pairs,
        })
    }
}

/// Everything that a constant expression uses.
pub(super) fn expression(expression: &ConstExpr<'_>) -> Option<Vec<Use>> {
    let mut recorder = Recorder::default();
    let mut operators = expression.get_operators_reader();
    while !operators.is_end_then_eof() {
        recorder.operator(operators.read().ok()?)?;
    }
    Some(recorder.finish().into_vec())
}

/// The types that a recursion group refers to, its own among them.
pub(super) fn group(group: &RecGroup) -> Option<Vec<u32>> {
    let mut recorder = Recorder::default();
    for ty in group.types() {
        recorder.sub_type(ty.clone()).ok()?;
    }
    Some(types(&recorder.finish()))
}

/// The types that a reference type, or another type outside of code, refers to.
pub(super) fn value_type(ty: wasmparser::ValType) -> Option<Vec<u32>> {
    let mut recorder = Recorder::default();
    recorder.val_type(ty).ok()?;
    Some(types(&recorder.finish()))
}

fn types(uses: &[Use]) -> Vec<u32> {
    let types = uses.iter().filter_map(|it| match it {
        Use::Type(ty) => Some(*ty),
        _ => None,
    });
    types.collect()
}

/// What an instruction does to the items that it names.
#[derive(Clone, Copy, Default, PartialEq)]
enum Does {
    /// Anything.
    #[default]
    Any,
    Call,
    Read,
}

#[derive(Default)]
struct Recorder {
    does: Does,
    uses: Vec<Use>,
    /// Nearly every instruction that uses a memory uses the same one.
    memories: Vec<u32>,
}

impl Recorder {
    fn operator(&mut self, operator: Operator<'_>) -> Option<()> {
        self.does = match operator {
            Operator::Call { .. }
            | Operator::ReturnCall { .. }
            | Operator::CallIndirect { .. }
            | Operator::ReturnCallIndirect { .. } => Does::Call,
            Operator::GlobalGet { .. } | Operator::TableGet { .. } | Operator::TableSize { .. } => {
                Does::Read
            }
            _ => Does::Any,
        };
        self.instruction(operator).ok().map(drop)
    }

    fn add(&mut self, used: Use) -> Result<u32, Error> {
        if self.uses.last() != Some(&used) {
            self.uses.push(used);
        }
        Ok(0)
    }

    fn finish(self) -> Box<[Use]> {
        let Self {
            mut uses, memories, ..
        } = self;
        uses.extend(memories.into_iter().map(Use::Memory));
        uses.sort_unstable();
        uses.dedup();
        uses.into_boxed_slice()
    }
}

impl Reencode for Recorder {
    type Error = Infallible;

    fn type_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(Use::Type(index))
    }

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(match self.does {
            Does::Call => Use::Call(index),
            _ => Use::Function(index),
        })
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(match self.does {
            Does::Read => Use::Read(index),
            _ => Use::Write(index),
        })
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(match self.does {
            Does::Call => Use::CallTable(index),
            Does::Read => Use::ReadTable(index),
            Does::Any => Use::WriteTable(index),
        })
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error> {
        if !self.memories.contains(&index) {
            self.memories.push(index);
        }
        Ok(0)
    }

    fn tag_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(Use::Tag(index))
    }

    fn data_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(Use::Data(index))
    }

    fn element_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(Use::Element(index))
    }
}

/// Follows a body for as long as it only passes its parameters on.
struct Forwarding {
    parameters: usize,
    state: State,
}

enum State {
    /// So many parameters were taken, in order.
    Parameters(usize),
    Slot(u64),
    Global(u32),
    Called(Forward),
    Done(Forward),
    Other,
}

impl Forwarding {
    fn new(parameters: usize, has_locals: bool) -> Self {
        let state = match has_locals {
            true => State::Other,
            false => State::Parameters(0),
        };
        Self { parameters, state }
    }

    fn next(&mut self, operator: &Operator<'_>) {
        self.state = match (&self.state, operator) {
            (State::Other, _) => return,
            (State::Parameters(taken), Operator::LocalGet { local_index })
                if *taken < self.parameters && usize::try_from(*local_index) == Ok(*taken) =>
            {
                State::Parameters(taken + 1)
            }
            (State::Parameters(taken), operator) if *taken == self.parameters => match operator {
                Operator::I32Const { value } => State::Slot(value.cast_unsigned().into()),
                Operator::I64Const { value } => State::Slot(value.cast_unsigned()),
                Operator::GlobalGet { global_index } => State::Global(*global_index),
                _ => State::Other,
            },
            (
                State::Slot(slot),
                Operator::CallIndirect {
                    type_index,
                    table_index,
                }
                | Operator::ReturnCallIndirect {
                    type_index,
                    table_index,
                },
            ) => State::Called(Forward::Table {
                table: *table_index,
                slot: *slot,
                ty: *type_index,
            }),
            (
                State::Global(global),
                Operator::CallRef { type_index } | Operator::ReturnCallRef { type_index },
            ) => State::Called(Forward::Global {
                global: *global,
                ty: *type_index,
            }),
            (State::Called(forward), Operator::End) => State::Done(*forward),
            _ => State::Other,
        };
    }

    fn found(self) -> Option<Forward> {
        match self.state {
            State::Done(forward) => Some(forward),
            _ => None,
        }
    }
}

/// Follows a body for as long as it only sets globals to functions.
#[derive(Default)]
struct Sets {
    pairs: Vec<(u32, u32)>,
    function: Option<u32>,
    state: Order,
}

#[derive(Default, PartialEq)]
enum Order {
    #[default]
    Pairs,
    Ended,
    Other,
}

impl Sets {
    fn next(&mut self, operator: &Operator<'_>) {
        if self.state == Order::Other {
            return;
        }
        match (self.function.take(), operator) {
            (None, Operator::RefFunc { function_index }) if self.state == Order::Pairs => {
                self.function = Some(*function_index);
            }
            (Some(function), Operator::GlobalSet { global_index }) => {
                self.pairs.push((function, *global_index));
            }
            (None, Operator::End) if self.state == Order::Pairs => self.state = Order::Ended,
            _ => self.state = Order::Other,
        }
    }

    fn is_all(&self) -> bool {
        self.state == Order::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::flatten::module::Module;

    /// Facts about the first function of a module.
    fn body(text: &str) -> Body {
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::read(&wasm).unwrap();
        let ty = module.func_type(module.functions[0]).unwrap();
        Body::read(&module.bodies[0], ty.params().len()).unwrap()
    }

    const TYPES: &str = "(type $t (func (param i32 i64) (result i32))) (table 9 funcref)
        (type $u (func (param i32)))";

    #[test]
    fn a_function_that_only_passes_its_parameters_on_is_found() {
        let forward = |body_text: &str| {
            body(&format!("(module {TYPES} (func (type $t) {body_text}))")).forward
        };
        let slot = Some(Forward::Table {
            table: 0,
            slot: 7,
            ty: 0,
        });
        let parameters = "local.get 0 local.get 1";
        for call in ["call_indirect", "return_call_indirect"] {
            assert_eq!(
                forward(&format!("{parameters} i32.const 7 {call} (type $t)")),
                slot
            );
        }
        for other in [
            // Something else happens too.
            format!("{parameters} i32.const 7 call_indirect (type $t) i32.const 1 i32.add"),
            format!("nop {parameters} i32.const 7 call_indirect (type $t)"),
            format!("(local i32) {parameters} i32.const 7 call_indirect (type $t)"),
            // The place is not known.
            format!("{parameters} local.get 0 call_indirect (type $t)"),
            // Not all parameters are passed, or not in their order.
            "local.get 0 local.get 0 i64.extend_i32_u i32.const 7 call_indirect (type $t)".into(),
            "local.get 0 i32.const 7 call_indirect (type $u) i32.const 1".into(),
            "unreachable".into(),
        ] {
            assert_eq!(forward(&other), None, "{other}");
        }
    }

    #[test]
    fn a_function_in_a_global_is_found() {
        let text = |call: &str| {
            format!(
                "(module (type $t (func (param i32))) (global $g (mut (ref null $t)) (ref.null $t))
                (func (type $t) local.get 0 global.get $g {call} $t))"
            )
        };
        let expected = Some(Forward::Global { global: 0, ty: 0 });
        assert_eq!(body(&text("call_ref")).forward, expected);
        assert_eq!(body(&text("return_call_ref")).forward, expected);
    }

    #[test]
    fn functions_that_globals_are_set_to_are_found() {
        let text = |more: &str| {
            format!(
                "(module (global $a (mut funcref) (ref.null func)) (global $b (mut funcref)
                (ref.null func)) (elem declare func $f $g) (func $f ref.func $g global.set $a
                ref.func $f global.set $b {more}) (func $g))"
            )
        };
        let all = body(&text(""));
        assert_eq!((all.sets, all.only_sets), (vec![(1, 0), (0, 1)], true));
        let more = body(&text("call $g ref.func $f global.set $a"));
        assert_eq!((more.sets, more.only_sets), (vec![(1, 0), (0, 1)], false));
    }

    #[test]
    fn every_use_is_recorded_once() {
        let body = body(
            "(module (memory 1) (memory 1) (global $g (mut i32) (i32.const 0)) (table $t 1 funcref)
            (type $u (func)) (elem $e func $f) (data $d \"\") (tag $x)
            (func $f (local i32) call $f call $f (drop (ref.func $f)) (call_indirect (type $u)
            (i32.const 0)) (global.set $g (global.get $g)) (drop (i32.load 1 (i32.const 0)))
            (drop (table.get $t (i32.const 0))) (drop (table.grow $t (ref.null func) (i32.const 1)))
            (elem.drop $e) (data.drop $d) (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
            (throw $x)))",
        );
        let expected = [
            Use::Type(0),
            Use::Call(0),
            Use::Function(0),
            Use::Read(0),
            Use::Write(0),
            Use::CallTable(0),
            Use::ReadTable(0),
            Use::WriteTable(0),
            Use::Memory(0),
            Use::Memory(1),
            Use::Tag(0),
            Use::Data(0),
            Use::Element(0),
        ];
        assert_eq!(*body.uses, expected);
    }
}
