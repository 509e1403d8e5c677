//! Whether a start function does only little work. The adapter of WASI preview 1 has such a
//! function, which grows the memory by the adapter's stack, and it is not worth reporting.

use std::ops::Range;

use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

/// The maximum number of instructions for little work, including those of called functions.
const LITTLE: usize = 1000;

/// Whether `start` always ends after a few instructions: it has no loops, no calls of imported
/// functions, and nothing whose time depends on a length.
pub(super) fn is_little(wasm: &[u8], start: u32) -> bool {
    let (imported, bodies) = functions(wasm);
    let mut left = LITTLE;
    // A recursion exceeds the number of instructions, too.
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

/// The number of imported functions, and the places of the bodies of defined functions.
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

/// Whether an operator takes the same time for all operands. Calls are handled separately.
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
