//! Whether a start function can only do a little: the adapter of WASI preview 1 has one that
//! grows the memory by its stack, and that is not worth a word.

use std::ops::Range;

use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

/// So many instructions are a little, those of functions that are called included.
const LITTLE: usize = 1000;

/// Whether `start` ends after a few instructions, whatever happens: no loops, no calls of
/// what is not in the module, nothing whose time depends on a length.
pub(super) fn is_little(wasm: &[u8], start: u32) -> bool {
    let (imported, bodies) = functions(wasm);
    let mut left = LITTLE;
    // A recursion runs out of instructions, too.
    let mut calls = vec![start];
    while let Some(function) = calls.pop() {
        let body = function
            .checked_sub(imported)
            .and_then(|defined| bodies.get(usize::try_from(defined).ok()?))
            .and_then(|range| Some((range.start, wasm.get(range.clone())?)));
        let Some((offset, bytes)) = body else {
            return false;
        };
        let body = FunctionBody::new(BinaryReader::new(bytes, offset));
        let Ok(operators) = body.get_operators_reader() else {
            return false;
        };
        for operator in operators {
            let Some(rest) = left.checked_sub(1) else {
                return false;
            };
            left = rest;
            match operator {
                Ok(Operator::Call { function_index }) => calls.push(function_index),
                Ok(operator) if is_quick(&operator) => {}
                _ => return false,
            }
        }
    }
    true
}

/// How many functions a module imports, and where the bodies of its own are.
fn functions(wasm: &[u8]) -> (u32, Vec<Range<usize>>) {
    let (mut imported, mut bodies) = (0u32, Vec::new());
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().map_while(Result::ok);
                let functions = imports
                    .filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                imported = functions.fold(0, |count, _| count.saturating_add(1));
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range()),
            _ => {}
        }
    }
    (imported, bodies)
}

/// What takes the same time whatever its operands are, but for calls.
fn is_quick(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
            | Operator::Nop
            | Operator::Drop
            | Operator::Select
            | Operator::LocalGet { .. }
            | Operator::LocalSet { .. }
            | Operator::LocalTee { .. }
            | Operator::GlobalGet { .. }
            | Operator::GlobalSet { .. }
            | Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::I32Load { .. }
            | Operator::I64Load { .. }
            | Operator::I32Store { .. }
            | Operator::I64Store { .. }
            | Operator::MemorySize { .. }
            | Operator::MemoryGrow { .. }
            | Operator::I32Eqz
            | Operator::I32Eq
            | Operator::I32Ne
            | Operator::I32LtU
            | Operator::I32GtU
            | Operator::I32LeU
            | Operator::I32GeU
            | Operator::I32Add
            | Operator::I32Sub
            | Operator::I32Mul
            | Operator::I32And
            | Operator::I32Or
            | Operator::I32Shl
            | Operator::I32ShrU
    )
}
