//! Finds the features that function bodies use, as far as their operators and types show them.
//!
//! A scan is faster than validation, and may miss a use. Some operators belong to one proposal or
//! to another, depending on the types around them.

use wasmparser::{
    AbstractHeapType, BlockType, FunctionBody, HeapType, Operator, Parser, Payload, RefType,
    Result, ValType, WasmFeatures,
};

use super::{ONLY_SCANNED, SUPPORTED};
use crate::input::bodies;

/// The features that function bodies use, at any depth of nesting.
pub(super) fn scan_code(wasm: &[u8]) -> Result<WasmFeatures> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload? {
            found.push(body);
        }
    }
    bodies::features(&found, scan_body)
}

fn scan_body(body: &FunctionBody<'_>) -> Result<WasmFeatures> {
    let mut used = WasmFeatures::empty();
    for local in body.get_locals_reader()? {
        used.insert(of_type(local?.1));
    }
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let operator = operators.read()?;
        used.insert(proposal(&operator));
        used.insert(of_immediates(&operator));
    }
    Ok(used)
}

/// The features of an operator's immediates, which the operator's proposal does not show.
fn of_immediates(operator: &Operator<'_>) -> WasmFeatures {
    match operator {
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            of_block(*blockty)
        }
        Operator::TryTable { try_table } => of_block(try_table.ty),
        Operator::TypedSelect { ty } => of_type(*ty),
        Operator::RefNull { hty }
        | Operator::RefTestNonNull { hty }
        | Operator::RefTestNullable { hty }
        | Operator::RefCastNonNull { hty }
        | Operator::RefCastNullable { hty } => {
            RefType::new(true, *hty).map_or(WasmFeatures::GC, |ty| of_type(ValType::Ref(ty)))
        }
        _ => WasmFeatures::empty(),
    }
}

fn of_block(block: BlockType) -> WasmFeatures {
    match block {
        BlockType::Empty => WasmFeatures::empty(),
        BlockType::Type(ty) => of_type(ty),
        BlockType::FuncType(_) => WasmFeatures::MULTI_VALUE,
    }
}

fn of_type(ty: ValType) -> WasmFeatures {
    let ValType::Ref(ty) = ty else {
        return if ty == ValType::V128 {
            WasmFeatures::SIMD
        } else {
            WasmFeatures::empty()
        };
    };
    let mut features = WasmFeatures::REFERENCE_TYPES;
    match ty.heap_type() {
        HeapType::Abstract {
            ty: AbstractHeapType::Func,
            ..
        } => {}
        HeapType::Abstract {
            ty: AbstractHeapType::Extern,
            ..
        } => features.insert(WasmFeatures::GC_TYPES),
        HeapType::Abstract {
            ty: AbstractHeapType::Exn | AbstractHeapType::NoExn,
            ..
        } => features.insert(WasmFeatures::EXCEPTIONS | WasmFeatures::GC_TYPES),
        HeapType::Abstract { .. } => features.insert(WasmFeatures::GC | WasmFeatures::GC_TYPES),
        HeapType::Exact(_) => features.insert(ONLY_SCANNED),
        _ => features.insert(WasmFeatures::FUNCTION_REFERENCES),
    }
    if !ty.is_nullable() {
        features.insert(WasmFeatures::FUNCTION_REFERENCES);
    }
    features
}

/// The proposal that an operator belongs to, from wasmparser's own table.
macro_rules! define_proposal {
    ($(@$proposal:ident $operator:ident $({ $($field:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*))*) => {
        pub(crate) fn proposal(operator: &Operator<'_>) -> WasmFeatures {
            match operator {
                $(Operator::$operator { .. } => feature!($proposal),)*
                // The enum is `non_exhaustive`; the table is generated together with it.
                _ => SUPPORTED,
            }
        }
    };
}

macro_rules! feature {
    (mvp) => {
        WasmFeatures::empty()
    };
    (sign_extension) => {
        WasmFeatures::SIGN_EXTENSION
    };
    (saturating_float_to_int) => {
        WasmFeatures::SATURATING_FLOAT_TO_INT
    };
    (bulk_memory) => {
        WasmFeatures::BULK_MEMORY
    };
    (reference_types) => {
        WasmFeatures::REFERENCE_TYPES
    };
    (tail_call) => {
        WasmFeatures::TAIL_CALL
    };
    (threads) => {
        WasmFeatures::THREADS
    };
    (simd) => {
        WasmFeatures::SIMD
    };
    (relaxed_simd) => {
        WasmFeatures::SIMD.union(WasmFeatures::RELAXED_SIMD)
    };
    (exceptions) => {
        WasmFeatures::EXCEPTIONS.union(WasmFeatures::GC_TYPES)
    };
    (function_references) => {
        WasmFeatures::FUNCTION_REFERENCES
    };
    (gc) => {
        WasmFeatures::GC.union(WasmFeatures::GC_TYPES)
    };
    // Not supported: no valid program has one of these.
    ($other:ident) => {
        WasmFeatures::empty()
    };
}

wasmparser::for_each_operator!(define_proposal);
