//! Which WebAssembly features edgec supports, and which of them a program uses.
//!
//! Supported is exactly what Wasmtime 48 has on by default. The used set is the smallest
//! under which the program is still valid: it goes into the manifest, tells Binaryen
//! what it may emit, and is all that the engine gets to know, because an engine writes
//! every *enabled* feature into the image and a host without it would refuse the image.

use wasmparser::{
    AbstractHeapType, BlockType, FunctionBody, HeapType, Operator, Parser, Payload, RefType,
    Result, ValType, WasmFeatures,
};

use crate::bodies;
use crate::validate::{self, Outside};

/// Wasmtime 48's default set (`Config::features` in its source).
pub(crate) const SUPPORTED: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_ASYNC);

/// What a scan finds in code though edgec does not support it. `engine_limits` refuses a program
/// with it: the engine's front end does not see it.
pub(crate) const ONLY_SCANNED: WasmFeatures = WasmFeatures::CUSTOM_DESCRIPTORS;

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
    match validate::found(wasm, None) {
        Some(found) => found.features,
        // The scan may miss a use.
        None => asked(wasm),
    }
}

/// The same, by asking the validator about every feature, which is exact, but slow.
pub(crate) fn asked(wasm: &[u8]) -> WasmFeatures {
    with_collector(shrink(SUPPORTED, ALWAYS, |set| valid(wasm, set)))
}

/// What a program seems to use.
pub(crate) struct Scanned<'a> {
    /// The features that a scan finds in its code.
    pub(crate) in_code: WasmFeatures,
    /// These and what else it needs outside of code. Only the validator can say whether the code is
    /// valid with them too.
    pub(crate) used: WasmFeatures,
    /// What is outside of code, validated with these.
    pub(crate) outside: Outside<'a>,
}

/// What a program seems to use; `in_code` if its code was scanned already. `None` when code cannot
/// be read, or when what is outside of it is not valid.
pub(crate) fn scanned(wasm: &[u8], in_code: Option<WasmFeatures>) -> Option<Scanned<'_>> {
    let in_code = match in_code {
        Some(in_code) => in_code,
        None => scan_code(wasm).ok()?,
    };
    let keep = ALWAYS.union(in_code);
    let outside = |set| validate::outside(wasm, set);
    let (used, outside) = match grow(SUPPORTED, keep, outside) {
        Some(found) => found,
        None => {
            // `shrink` walks through the program many times, so a program that is not valid is
            // refused first.
            outside(SUPPORTED.union(keep)).ok()?;
            let used = shrink(SUPPORTED, keep, |set| outside(set).is_ok());
            (used, outside(used).ok()?)
        }
    };
    Some(Scanned {
        in_code,
        used,
        outside,
    })
}

/// Adds the engine's garbage collector if it is needed: it also owns exceptions.
pub(crate) fn with_collector(mut used: WasmFeatures) -> WasmFeatures {
    if used.intersects(WasmFeatures::EXCEPTIONS | WasmFeatures::GC) {
        used.insert(WasmFeatures::GC_TYPES);
    }
    used
}

/// What [`shrink`] finds, with few calls of `validate` that succeed: failing ends where the feature
/// is used, success at the end of the program. `validate` says which feature is missing, if it
/// knows. `None` when that is not enough to be sure of the same answer.
///
/// The answer is the same because a program that is valid with fewer features is valid with more.
/// Every feature of the answer is needed by itself: without it, all others do not suffice. So
/// `shrink` keeps it. Every other feature `shrink` takes away, since the answer is left and
/// suffices.
fn grow<T>(
    from: WasmFeatures,
    keep: WasmFeatures,
    validate: impl Fn(WasmFeatures) -> Result<T, Option<WasmFeatures>>,
) -> Option<(WasmFeatures, T)> {
    let mut set = keep;
    let valid = loop {
        let missing = match validate(set) {
            Ok(valid) => break valid,
            Err(missing) => missing?,
        };
        if set.contains(missing) || !from.contains(missing) {
            return None;
        }
        set.insert(missing);
    };
    let all = from.union(keep);
    let mut added = from.iter_names().map(|(_, flag)| flag);
    let is_needed = |flag| validate(all.difference(flag).union(keep)).is_err();
    added
        .all(|flag| keep.contains(flag) || !set.contains(flag) || is_needed(flag))
        .then_some((set, valid))
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

    /// What needs a feature, alone or beside others, nearly always outside of code.
    const FRAGMENTS: [&str; 14] = [
        r#"(global (export "g") (mut i32) (i32.const 0))"#,
        "(type (func (result i32 i32)))",
        "(memory i64 1)",
        "(memory 1)",
        "(memory 1 1 shared)",
        "(table 1 funcref)",
        "(table 1 externref)",
        "(type (struct (field i32)))",
        // Function references or garbage collection: one of them is enough.
        "(type $t (func)) (global (ref null $t) (ref.null $t))",
        "(tag)",
        "(type (func (param v128)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        r#"(data "passive")"#,
        "(func (drop (i32.extend8_s (i32.const 0))))",
    ];

    /// Whether [`grow`] answers. If it does, the answer is that of [`shrink`].
    fn is_grown(text: &str) -> bool {
        let wasm = wat::parse_str(text).unwrap();
        let in_code = ALWAYS | scan_code(&wasm).unwrap();
        let outside = |set| validate::outside(&wasm, set);
        let exact = shrink(SUPPORTED, in_code, |set| outside(set).is_ok());
        let grown = grow(SUPPORTED, in_code, outside);
        assert!(
            grown.as_ref().is_none_or(|(set, _)| *set == exact),
            "{text}"
        );
        grown.is_some()
    }

    #[test]
    fn the_short_way_to_the_used_set_ends_where_the_long_way_does() {
        let mut modules = Vec::new();
        for set in 0u32..1 << FRAGMENTS.len() {
            if set.count_ones() <= 3 || set + 1 == 1 << FRAGMENTS.len() {
                let fragments = FRAGMENTS.iter().zip(0u32..);
                let fragments = fragments.filter(|(_, number)| set & (1u32 << *number) != 0);
                modules.push(fragments.map(|(text, _)| *text).collect::<String>());
            }
        }
        let mut grown = 0;
        for module in &modules {
            grown += usize::from(is_grown(&format!("(module {module})")));
            is_grown(&format!("(component (core module {module}))"));
        }
        assert!(grown > modules.len() / 4, "{grown} of {}", modules.len());
        for text in [
            "(module)",
            "(component)",
            "(module (memory i64 1))",
            "(component (type (stream u8)))",
        ] {
            assert!(is_grown(text), "{text}");
        }
    }

    #[test]
    fn exact_types_in_code_are_found_and_refused() {
        for body in [
            "(drop (ref.null (exact $s)))",
            "(local (ref null (exact $s)))",
        ] {
            let text = format!("(module (type $s (struct)) (func {body}))");
            let wasm = wat::parse_str(text).unwrap();
            assert!(used(&wasm).intersects(ONLY_SCANNED), "{body}");
            let refused = crate::validate(wasm);
            let by_engine = matches!(refused, Err(crate::ValidateError::Engine { .. }));
            assert!(by_engine, "{body}");
        }
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
