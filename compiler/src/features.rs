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

/// The same for a valid program, by asking the validator about all of it, code too. That is exact,
/// but slower.
pub(crate) fn asked(wasm: &[u8]) -> WasmFeatures {
    let found = smallest(SUPPORTED, ALWAYS, |set| validate::whole(wasm, set));
    with_collector(found.map_or(SUPPORTED | ALWAYS, |(set, ())| set))
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
    let (used, outside) = smallest(SUPPORTED, keep, |set| validate::outside(wasm, set))?;
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

/// The smallest set found: `from` without each feature, latest first, that can be taken away from
/// what is then left of it. What is in `keep` stays. `validate` says which feature is missing, if
/// it knows. `None` if the program is not valid with all of them.
///
/// Few validations reach the end of the program, and those that fail end where the missing feature
/// is used. A program that is valid with fewer features is valid with more. So once a set is known
/// with which it is valid, any other feature can be taken away without asking.
fn smallest<T>(
    from: WasmFeatures,
    keep: WasmFeatures,
    validate: impl Fn(WasmFeatures) -> Result<T, Option<WasmFeatures>>,
) -> Option<(WasmFeatures, T)> {
    let all = from.union(keep);
    // A part of `set` with which the program is valid, and what its validation gave.
    let (mut enough, mut valid) = match grown(from, keep, &validate) {
        Some(found) => found,
        None => (all, validate(all).ok()?),
    };
    let mut set = all;
    for flag in latest_first(from) {
        let smaller = set.difference(flag).union(keep);
        if smaller.contains(enough) {
            set = smaller;
        } else if let Ok(found) = validate(smaller) {
            set = smaller;
            (enough, valid) = (smaller, found);
        }
    }
    debug_assert_eq!(set, enough, "a feature is left that is not needed");
    Some((enough, valid))
}

/// A set with which the program is valid: `keep`, and one after the other the features that the
/// validator misses. `None` when it does not say which.
fn grown<T>(
    from: WasmFeatures,
    keep: WasmFeatures,
    validate: &impl Fn(WasmFeatures) -> Result<T, Option<WasmFeatures>>,
) -> Option<(WasmFeatures, T)> {
    let mut set = keep;
    loop {
        let missing = match validate(set) {
            Ok(valid) => return Some((set, valid)),
            Err(missing) => missing?,
        };
        if set.contains(missing) || !from.contains(missing) {
            return None;
        }
        set.insert(missing);
    }
}

/// Features in the order in which they are taken away: later proposals build on earlier ones.
fn latest_first(set: WasmFeatures) -> Vec<WasmFeatures> {
    let mut flags: Vec<WasmFeatures> = set.iter_names().map(|(_, flag)| flag).collect();
    flags.reverse();
    flags
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
    use std::cell::Cell;
    use std::fs;
    use std::path::Path;

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

    fn valid(wasm: &[u8], features: WasmFeatures) -> bool {
        validate::is_valid(wasm, features)
    }

    /// What [`smallest`] is to find, by asking about every feature.
    fn shrink(keep: WasmFeatures, holds: impl Fn(WasmFeatures) -> bool) -> WasmFeatures {
        let start = SUPPORTED.union(keep);
        assert!(holds(start));
        latest_first(SUPPORTED)
            .into_iter()
            .fold(start, |set, flag| {
                let smaller = set.difference(flag).union(keep);
                if smaller != set && holds(smaller) {
                    smaller
                } else {
                    set
                }
            })
    }

    /// Checks that both short ways to the used set end where the long ways do. Returns how often
    /// the program was validated to its end.
    fn is_exact(wasm: &[u8], what: &str) -> usize {
        let in_code = ALWAYS | scan_code(wasm).unwrap();
        let passed = Cell::new(0);
        let outside = |set| {
            let valid = validate::outside(wasm, set);
            passed.set(passed.get() + usize::from(valid.is_ok()));
            valid
        };
        let (found, _) = smallest(SUPPORTED, in_code, outside).unwrap();
        let passed = passed.get();
        let exact = shrink(in_code, |set| validate::outside(wasm, set).is_ok());
        assert_eq!(names(found), names(exact), "{what}");
        let exact = with_collector(shrink(ALWAYS, |set| valid(wasm, set)));
        assert_eq!(names(asked(wasm)), names(exact), "{what}");
        passed
    }

    #[test]
    fn the_short_way_to_the_used_set_ends_where_the_long_way_does() {
        let mut modules = Vec::new();
        for set in 0u32..1 << FRAGMENTS.len() {
            if set.count_ones() <= 2 || set + 1 == 1 << FRAGMENTS.len() {
                let fragments = FRAGMENTS.iter().zip(0u32..);
                let fragments = fragments.filter(|(_, number)| set & (1u32 << *number) != 0);
                modules.push(fragments.map(|(text, _)| *text).collect::<String>());
            }
        }
        for module in &modules {
            for text in [
                format!("(module {module})"),
                format!("(component (core module {module}))"),
            ] {
                let wasm = wat::parse_str(&text).unwrap();
                // The validator always says what it misses, so no validation passes but the one
                // that is needed, and seldom one that finds a feature replaceable.
                let passed = is_exact(&wasm, &text);
                assert!((1..=2).contains(&passed), "{passed}: {text}");
            }
        }
    }

    #[test]
    fn so_it_does_for_whole_programs() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut programs = 0;
        for folder in [
            "examples",
            "fuzz/seeds/component",
            "fuzz/seeds/reencode",
            "fuzz/regressions/reencode",
        ] {
            for file in fs::read_dir(root.join(folder)).unwrap() {
                let path = file.unwrap().path();
                let kind = path.extension().and_then(|kind| kind.to_str());
                if kind == Some("wat") || kind == Some("wasm") {
                    let wasm = wat::parse_file(&path).unwrap();
                    if valid(&wasm, SUPPORTED) {
                        is_exact(&wasm, &path.display().to_string());
                        programs += 1;
                    }
                }
            }
        }
        for text in [
            "(component (type (stream u8)))",
            "(module (type $a (sub (struct))) (type $b (sub $a (struct (field i32)))) \
             (func (result (ref null $a)) (ref.null $b)))",
            "(module (rec (type $a (struct (field (ref null $b)))) (type $b (array (mut i8)))) \
             (global (ref null $a) (ref.null $a)))",
            // Neither the table nor the code alone tells which proposal its references are of.
            "(module (type $t (func)) (table 1 (ref null $t)) \
             (func (param (ref null $t)) (call_ref $t (local.get 0))))",
            "(module (tag $e (param i32)) (func (throw $e (i32.const 0))))",
            "(module (memory i64 1) (memory 1) (func (drop (i64.load (i64.const 0)))))",
        ] {
            is_exact(&wat::parse_str(text).unwrap(), text);
            programs += 1;
        }
        assert!(programs > 12, "{programs}");
    }

    #[test]
    fn what_is_not_valid_uses_nothing() {
        for text in [
            "(module (export \"a\" (func 0)))",
            "(module (memory 1 (pagesize 1)))",
        ] {
            let wasm = wat::parse_str(text).unwrap();
            assert!(scanned(&wasm, None).is_none(), "{text}");
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
