//! What a function body uses, read in one pass.
//!
//! The indices of every instruction are found by the re-encoder, which knows all instructions. So
//! none is missed.

use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasmparser::{ConstExpr, FunctionBody, Operator, RecGroup, ValType};

use super::forward::{Forward, Forwarding, Sets};

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
#[derive(Debug)]
pub(super) struct Body {
    /// Everything that it uses, sorted, each once.
    pub(super) uses: Box<[Use]>,
    /// Where it passes its parameters, if it does nothing else.
    pub(super) forward: Option<Forward>,
    /// The globals that it sets to functions before it does anything else.
    pub(super) sets: Sets,
}

impl Body {
    /// Reads a body. `None` if it cannot be read.
    pub(super) fn read(body: &FunctionBody<'_>) -> Option<Self> {
        let mut recorder = Recorder::default();
        let has_locals = recorder.locals(body)?;
        let mut forward = Forwarding::new(has_locals);
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
            sets: sets.found(),
        })
    }
}

/// What a body uses after this number of instructions.
pub(super) fn uses_after(body: &FunctionBody<'_>, instructions: usize) -> Option<Box<[Use]>> {
    let mut recorder = Recorder::default();
    recorder.locals(body)?;
    let operators = body.get_operators_reader().ok()?.into_iter();
    for operator in operators.skip(instructions) {
        recorder.operator(operator.ok()?)?;
    }
    Some(recorder.finish())
}

/// Whether a body does nothing after this number of instructions.
pub(super) fn is_empty_after(body: &FunctionBody<'_>, instructions: usize) -> bool {
    let Ok(operators) = body.get_operators_reader() else {
        return false;
    };
    let mut rest = operators.into_iter().skip(instructions);
    matches!(rest.next(), Some(Ok(Operator::End))) && rest.next().is_none()
}

/// Everything that a constant expression uses.
pub(super) fn expression(expression: &ConstExpr<'_>) -> Option<Box<[Use]>> {
    let mut recorder = Recorder::default();
    let mut operators = expression.get_operators_reader();
    while !operators.is_end_then_eof() {
        recorder.operator(operators.read().ok()?)?;
    }
    Some(recorder.finish())
}

/// The types that a recursion group refers to, perhaps its own among them.
pub(super) fn group(group: &RecGroup) -> Option<Vec<u32>> {
    let mut recorder = Recorder::default();
    for ty in group.types() {
        recorder.sub_type(ty.clone()).ok()?;
    }
    Some(types(&recorder.finish()).collect())
}

/// The types that a value's type refers to.
pub(super) fn value_type(ty: ValType) -> Option<Vec<u32>> {
    let mut recorder = Recorder::default();
    recorder.val_type(ty).ok()?;
    Some(types(&recorder.finish()).collect())
}

/// The types among what is used.
pub(super) fn types(uses: &[Use]) -> impl Iterator<Item = u32> {
    uses.iter().filter_map(|it| match it {
        Use::Type(ty) => Some(*ty),
        _ => None,
    })
}

/// What an instruction does to the items that it names.
#[derive(Clone, Copy, Default)]
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
    /// Records the types of local variables. Whether there are any.
    fn locals(&mut self, body: &FunctionBody<'_>) -> Option<bool> {
        let mut has_locals = false;
        for local in body.get_locals_reader().ok()? {
            let (number, ty) = local.ok()?;
            has_locals |= number > 0;
            self.val_type(ty).ok()?;
        }
        Some(has_locals)
    }

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
            Does::Any | Does::Read => Use::Function(index),
        })
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        self.add(match self.does {
            Does::Read => Use::Read(index),
            Does::Any | Does::Call => Use::Write(index),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::flatten::module::Module;

    const MODULE: &str = "(module (memory 1) (memory 1) (global $g (mut i32) (i32.const 0))
        (table $t 1 funcref) (type $u (func)) (elem $e func $f) (data $d \"\") (tag $x)
        (func $f (local i32)
            call $f call $f
            (drop (ref.func $f))
            (call_indirect (type $u) (i32.const 0))
            (global.set $g (global.get $g))
            (drop (i32.load 1 (i32.const 0)))
            (drop (table.get $t (i32.const 0)))
            (drop (table.grow $t (ref.null func) (i32.const 1)))
            (elem.drop $e) (data.drop $d)
            (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
            (throw $x)))";

    #[test]
    fn every_use_is_recorded_once() {
        let wasm = wat::parse_str(MODULE).unwrap();
        let module = Module::read(&wasm).unwrap();
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
        assert_eq!(*Body::read(&module.bodies[0]).unwrap().uses, expected);
        // The calls come first.
        let after = uses_after(&module.bodies[0], 2).unwrap();
        assert!(!after.contains(&Use::Call(0)));
        assert_eq!(after.len(), expected.len() - 1);
        assert!(!is_empty_after(&module.bodies[0], 2));
        let wasm = wat::parse_str("(module (func nop nop))").unwrap();
        let module = Module::read(&wasm).unwrap();
        let empty: Vec<bool> = (0..4)
            .map(|it| is_empty_after(&module.bodies[0], it))
            .collect();
        assert_eq!(empty, [false, false, true, false]);
    }

    #[test]
    fn types_and_expressions_are_read() {
        let wasm = wat::parse_str(
            "(module (type $a (struct)) (rec (type $b (struct (field (ref $a)))) (type $c (func)))
            (global (ref null $b) (ref.null $b)) (func $f) (global funcref (ref.func $f)))",
        );
        let wasm = wasm.unwrap();
        let module = Module::read(&wasm).unwrap();
        let referred: Vec<Vec<u32>> = module
            .groups
            .iter()
            .map(|(_, it)| group(it).unwrap())
            .collect();
        assert_eq!(referred, [vec![], vec![0], vec![]]);
        let first = &module.globals[0];
        assert_eq!(value_type(first.ty.content_type).unwrap(), [1]);
        assert_eq!(*expression(&first.init_expr).unwrap(), [Use::Type(1)]);
        let second = &module.globals[1];
        assert_eq!(*expression(&second.init_expr).unwrap(), [Use::Function(0)]);
    }
}
