//! The values of constant expressions, as far as they are known before anything runs.
//!
//! Source: WebAssembly 3.0, "Constant Expressions".

use wasm_encoder::Instruction;
use wasmparser::{AbstractHeapType, ConstExpr, HeapType, Operator};

use super::graph::Node;

/// A known value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    I32(i32),
    I64(i64),
    /// The bits of a number.
    F32(u32),
    F64(u64),
    V128(i128),
    /// A function of a core instance, by its index in the instance's module.
    Function(Node, u32),
    /// No function, or nothing from the host.
    Null(AbstractHeapType),
}

impl Value {
    /// The instruction that gives this value. `None` for references.
    pub(super) fn instruction(self) -> Option<Instruction<'static>> {
        Some(match self {
            Self::I32(value) => Instruction::I32Const(value),
            Self::I64(value) => Instruction::I64Const(value),
            Self::F32(bits) => Instruction::F32Const(wasm_encoder::Ieee32::new(bits)),
            Self::F64(bits) => Instruction::F64Const(wasm_encoder::Ieee64::new(bits)),
            Self::V128(value) => Instruction::V128Const(value),
            Self::Function(..) | Self::Null(_) => return None,
        })
    }

    /// The value as a place in a memory or table. Addresses are unsigned.
    pub(super) fn address(self) -> Option<u64> {
        match self {
            Self::I32(value) => Some(value.cast_unsigned().into()),
            Self::I64(value) => Some(value.cast_unsigned()),
            _ => None,
        }
    }
}

/// The value of a constant expression in an instance. `global` gives the values of the instance's
/// globals.
pub(super) fn value(
    expression: &ConstExpr<'_>,
    node: Node,
    global: impl Fn(u32) -> Option<Value>,
) -> Option<Value> {
    let mut stack = Vec::new();
    let mut operators = expression.get_operators_reader();
    while !operators.is_end_then_eof() {
        let next = match operators.read().ok()? {
            Operator::I32Const { value } => Value::I32(value),
            Operator::I64Const { value } => Value::I64(value),
            Operator::F32Const { value } => Value::F32(value.bits()),
            Operator::F64Const { value } => Value::F64(value.bits()),
            Operator::V128Const { value } => Value::V128(value.i128()),
            Operator::RefFunc { function_index } => Value::Function(node, function_index),
            Operator::RefNull { hty } => match hty {
                HeapType::Abstract { shared: false, ty } => Value::Null(ty),
                _ => return None,
            },
            Operator::GlobalGet { global_index } => global(global_index)?,
            operator => {
                let right = stack.pop()?;
                arithmetic(&operator, stack.pop()?, right)?
            }
        };
        stack.push(next);
    }
    match stack.as_slice() {
        [value] => Some(*value),
        _ => None,
    }
}

/// The length of an array that an engine can always make.
const SHORT: u32 = 4096;

/// Whether computing a constant expression may trap: an array may be too large.
///
/// Source: WebAssembly 3.0, "Constant Expressions"; no other constant instruction traps.
pub(super) fn may_trap(expression: &ConstExpr<'_>) -> bool {
    let mut operators = expression.get_operators_reader();
    let mut is_short = false;
    while !operators.is_end_then_eof() {
        // The length is the last operand.
        is_short = match operators.read() {
            Ok(Operator::I32Const { value }) => value.cast_unsigned() <= SHORT,
            Ok(Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. }) if !is_short => {
                return true;
            }
            Ok(_) => false,
            Err(_) => return true,
        };
    }
    false
}

fn arithmetic(operator: &Operator<'_>, left: Value, right: Value) -> Option<Value> {
    Some(match (operator, left, right) {
        (Operator::I32Add, Value::I32(a), Value::I32(b)) => Value::I32(a.wrapping_add(b)),
        (Operator::I32Sub, Value::I32(a), Value::I32(b)) => Value::I32(a.wrapping_sub(b)),
        (Operator::I32Mul, Value::I32(a), Value::I32(b)) => Value::I32(a.wrapping_mul(b)),
        (Operator::I64Add, Value::I64(a), Value::I64(b)) => Value::I64(a.wrapping_add(b)),
        (Operator::I64Sub, Value::I64(a), Value::I64(b)) => Value::I64(a.wrapping_sub(b)),
        (Operator::I64Mul, Value::I64(a), Value::I64(b)) => Value::I64(a.wrapping_mul(b)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::flatten::module::Module;

    /// The value of the last global of a module. Its imported global has the value 40.
    fn last(text: &str) -> Option<Value> {
        let text = format!(r#"(module (import "a" "b" (global $i i32)) (func $f) {text})"#);
        let wasm = wat::parse_str(text).unwrap();
        let module = Module::read(&wasm).unwrap();
        let last = module.globals.last().unwrap();
        value(&last.init_expr, Node(3), |index| {
            (index == 0).then_some(Value::I32(40))
        })
    }

    #[test]
    fn constants_are_computed() {
        for (text, expected) in [
            ("i32 (i32.const -1)", Value::I32(-1)),
            ("i64 (i64.mul (i64.const 3) (i64.const -2))", Value::I64(-6)),
            (
                "i32 (i32.sub (i32.add (global.get $i) (i32.const 3)) (i32.const 1))",
                Value::I32(42),
            ),
            ("f32 (f32.const 1)", Value::F32(1f32.to_bits())),
            ("f64 (f64.const -0.5)", Value::F64((-0.5f64).to_bits())),
            ("v128 (v128.const i64x2 5 0)", Value::V128(5)),
            ("funcref (ref.func $f)", Value::Function(Node(3), 0)),
            (
                "funcref (ref.null func)",
                Value::Null(AbstractHeapType::Func),
            ),
        ] {
            assert_eq!(last(&format!("(global {text})")), Some(expected), "{text}");
        }
        assert_eq!(Value::I32(-1).address(), Some(u64::from(u32::MAX)));
        assert_eq!(Value::I64(-1).address(), Some(u64::MAX));
    }

    #[test]
    fn only_long_arrays_may_trap() {
        for (length, expected) in [
            ("(i32.const 4096)", false),
            ("(i32.const 4097)", true),
            ("(i32.const -1)", true),
            ("(global.get $i)", true),
        ] {
            for new in ["array.new $a (i64.const 1)", "array.new_default $a"] {
                let text = format!(
                    r#"(module (import "a" "b" (global $i i32)) (type $a (array i64))
                    (global (ref $a) ({new} {length})))"#
                );
                let wasm = wat::parse_str(&text).unwrap();
                let module = Module::read(&wasm).unwrap();
                assert_eq!(may_trap(&module.globals[0].init_expr), expected, "{text}");
            }
        }
        let wasm = wat::parse_str("(module (global i32 (i32.const -1)))").unwrap();
        let module = Module::read(&wasm).unwrap();
        assert!(!may_trap(&module.globals[0].init_expr));
    }

    #[test]
    fn other_values_are_not_known() {
        let own = "(global $g i32 (i32.const 1)) (global i32 (global.get $g))";
        assert_eq!(last(own), None);
        let structure = "(type $s (struct)) (global (ref $s) (struct.new $s))";
        assert_eq!(last(structure), None);
        let concrete = "(type $s (struct)) (global (ref null $s) (ref.null $s))";
        assert_eq!(last(concrete), None);
        assert_eq!(Value::Null(AbstractHeapType::Func).address(), None);
        assert!(Value::Null(AbstractHeapType::Func).instruction().is_none());
    }
}
