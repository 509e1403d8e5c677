//! Which WebAssembly features edgec supports, and which of them a program uses.
//!
//! Supported is exactly what Wasmtime 48 has on by default. The used set is the smallest
//! under which the program is still valid: it goes into the manifest, tells Binaryen
//! what it may emit, and is all that the engine gets to know, because an engine writes
//! every *enabled* feature into the image and a host without it would refuse the image.

use wasmparser::{
    AbstractHeapType, BlockType, FunctionBody, HeapType, Operator, Parser, Payload, RefType,
    Result, ValType, Validator, WasmFeatures,
};

use crate::{bodies, validate};

/// Wasmtime 48's default set (`Config::features` in its source).
pub(crate) const SUPPORTED: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_ASYNC);

/// The names of all supported features, in wasmparser's spelling, sorted.
pub fn supported_feature_names() -> Vec<String> {
    names(SUPPORTED)
}

/// Not proposals but switches of wasmparser's: on for every program.
const ALWAYS: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::BULK_MEMORY_OPT);

pub(crate) fn names(features: WasmFeatures) -> Vec<String> {
    let mut names: Vec<String> = features
        .difference(ALWAYS)
        .iter_names()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    names.sort();
    names
}

/// The features that a valid program uses: the smallest set found under which it is
/// still valid.
pub(crate) fn used(wasm: &[u8]) -> WasmFeatures {
    let scanned = scanned(wasm).filter(|used| valid(wasm, *used));
    // The scan may miss a use. To ask the validator about every feature is exact, but slow.
    with_collector(scanned.unwrap_or_else(|| shrink(SUPPORTED, ALWAYS, |set| valid(wasm, set))))
}

/// The features that a program seems to use. Only the validator can say whether the program is
/// valid with them. `None` when code cannot be read.
pub(crate) fn scanned(wasm: &[u8]) -> Option<WasmFeatures> {
    let in_code = ALWAYS | scan_code(wasm).ok()?;
    Some(shrink(SUPPORTED, in_code, |set| {
        valid_outside_code(wasm, set)
    }))
}

/// Adds the engine's garbage collector if it is needed: it also owns exceptions.
pub(crate) fn with_collector(mut used: WasmFeatures) -> WasmFeatures {
    if used.intersects(WasmFeatures::EXCEPTIONS | WasmFeatures::GC) {
        used.insert(WasmFeatures::GC_TYPES);
    }
    used
}

/// Takes away from `from`, one by one, each feature that is not in `keep` and without
/// which `holds` still holds.
fn shrink(
    from: WasmFeatures,
    keep: WasmFeatures,
    holds: impl Fn(WasmFeatures) -> bool,
) -> WasmFeatures {
    // Later proposals build on earlier ones, so they are taken away first.
    let mut flags: Vec<WasmFeatures> = from.iter_names().map(|(_, flag)| flag).collect();
    flags.reverse();
    flags
        .into_iter()
        .filter(|flag| !keep.contains(*flag))
        .fold(from.union(keep), |set, flag| {
            let smaller = set.difference(flag).union(keep);
            if smaller != set && holds(smaller) {
                smaller
            } else {
                set
            }
        })
}

fn valid(wasm: &[u8], features: WasmFeatures) -> bool {
    validate::is_valid(wasm, features)
}

fn valid_outside_code(wasm: &[u8], features: WasmFeatures) -> bool {
    let mut validator = Validator::new_with_features(features);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    parser
        .parse_all(wasm)
        .all(|payload| payload.is_ok_and(|payload| validator.payload(&payload).is_ok()))
}

/// The features that function bodies use, at any depth of nesting.
fn scan_code(wasm: &[u8]) -> Result<WasmFeatures> {
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

/// Features of an operator's immediates, which its proposal does not tell.
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
        // Not supported, and yet let through by the validator; see `engine_limits`.
        HeapType::Exact(_) => features.insert(WasmFeatures::CUSTOM_DESCRIPTORS),
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
                // The enum is `non_exhaustive`; the table is generated with it.
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
    // Not supported: a valid program has none of these.
    ($other:ident) => {
        WasmFeatures::empty()
    };
}

wasmparser::for_each_operator!(define_proposal);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let wasm = wat::parse_str(text).unwrap();
        let used = used(&wasm);
        assert!(valid(&wasm, used));
        assert_eq!(names(used), expected, "{text}");
    }

    #[test]
    fn the_used_set_is_small() {
        check("(module (func (local f32)))", &[]);
        check("(module (memory i64 1))", &["memory64"]);
        check(
            "(module (func (result i32) i32.const 0 i32.extend8_s))",
            &["sign_extension"],
        );
        check("(module (func (local v128)))", &["simd"]);
        check(
            "(module (func (param i32) (result i32 i32) local.get 0 local.get 0))",
            &["multi_value"],
        );
        check("(component)", &["component_model"]);
    }

    #[test]
    fn garbage_collection_is_told_from_function_tables() {
        let gc = |text: &str| used(&wat::parse_str(text).unwrap()).contains(WasmFeatures::GC_TYPES);
        assert!(!gc("(module (table 1 funcref))"));
        assert!(gc("(module (table 1 externref))"));
        assert!(gc("(module (type (struct)))"));
        assert!(gc("(module (func (local externref)))"));
        assert!(gc("(module (tag))"));
    }
}
