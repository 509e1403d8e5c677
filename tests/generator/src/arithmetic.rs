//! Adds functions that compute much.
//!
//! The functions of `wasm-smith` end early or compute little. In two hundred of its modules, no
//! result depended on whether `i32.add` adds. So these functions consist of all numeric operators,
//! on parameters, locals, memory, and constants that optimizers treat specially. Most of them
//! return a digest of all their locals, as Csmith's programs print one of their variables.

use wasm_encoder::{BlockType, CodeSection, Function, TypeSection};
use wasm_encoder::{ExportKind, FunctionSection, MemArg, ValType};
use wasmparser::{Validator, WasmFeatures};

use crate::operators::Kinds;
use crate::program::export;
use crate::random::Random;
use crate::sections::{CODE, FUNCTIONS, Sections, TYPES};
use crate::writer::Writer;

/// The name under which the functions are exported. The comparison calls the names that come first.
const NAME: &str = "#";
/// Source: Knuth, MMIX, for the next number of a sequence.
const FACTOR: i64 = 6_364_136_223_846_793_005;

/// A function that was added.
pub struct Added {
    /// Its number in the module.
    pub number: u32,
    /// Number types, but no vectors.
    pub parameters: Vec<ValType>,
    /// A number type, but no vector.
    pub result: ValType,
}

/// The module with up to four more functions. The last one calls the others with many numbers. It
/// is exported, takes an i64, and returns an i64. The second result is its number.
pub fn added(module: &[u8], random: &mut Random, kinds: &Kinds) -> Option<(Vec<u8>, u32)> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let types = validator.validate_all(module).ok()?;
    let types = types.as_ref();
    let memory = (types.memory_count() > 0).then(|| types.memory_at(0));
    let memory = memory.is_some_and(|it| it.initial > 0 && !it.memory64 && !it.shared);
    let mut sections = Sections::of(module);
    let first = (types.core_type_count_in_module(), types.function_count());
    let mut number = first.1;
    let mut add = |signature: &Added, body: &Function| {
        let mut ty = TypeSection::new();
        let parameters = signature.parameters.iter().copied();
        ty.ty().function(parameters, [signature.result]);
        sections.add(TYPES, &ty);
        let mut function = FunctionSection::new();
        function.function(first.0 + number - first.1);
        sections.add(FUNCTIONS, &function);
        let mut code = CodeSection::new();
        code.function(body);
        sections.add(CODE, &code);
        number += 1;
    };
    let mut added: Vec<Added> = Vec::new();
    for place in 0..random.pick(&[1, 1, 2, 3]) {
        let (mut signature, body) = Writer::function(random, kinds, memory, added.last());
        add(&signature, &body);
        signature.number = first.1 + place;
        added.push(signature);
    }
    let (signature, body) = driver(random, &added, memory);
    add(&signature, &body);
    let driver = number - 1;
    let mut module = sections.bytes();
    for function in first.1..number {
        if function == driver || random.chance(30) {
            module = export(&module, NAME, ExportKind::Func, function);
        }
    }
    Some((module, driver))
}

/// A function that calls the others several times with different numbers. It returns a digest of
/// their results and of the part of memory to which they write most.
fn driver(random: &mut Random, functions: &[Added], memory: bool) -> (Added, Function) {
    let (number, sum, counter) = (0, 1, 2);
    let mut body = Function::new([(1, ValType::I64), (1, ValType::I32)]);
    let mut code = body.instructions();
    code.i32_const(random.pick(&[2, 4, 8]));
    code.local_set(counter);
    code.loop_(BlockType::Empty);
    for function in functions {
        for parameter in &function.parameters {
            code.local_get(number).i64_const(FACTOR).i64_mul();
            code.i64_const(random.number() as i64).i64_xor();
            code.i64_const(23).i64_rotl().local_tee(number);
            let mask = random.pick(&[-1, -1, -1, 0xff, 1 << 31, i64::MAX]);
            code.i64_const(mask).i64_and();
            let scale = random.pick(&[1.0, 0.37, 1e-18, 1e12]);
            match parameter {
                ValType::I32 => code.i32_wrap_i64(),
                ValType::I64 => &mut code,
                ValType::F32 => {
                    let scale = (scale as f32).into();
                    code.f32_convert_i64_s().f32_const(scale).f32_mul()
                }
                _ => code.f64_convert_i64_s().f64_const(scale.into()).f64_mul(),
            };
        }
        code.call(function.number);
        match function.result {
            ValType::I32 => code.i64_extend_i32_u(),
            ValType::I64 => &mut code,
            ValType::F32 => code.i32_reinterpret_f32().i64_extend_i32_u(),
            _ => code.i64_reinterpret_f64(),
        };
        code.local_get(sum).i64_xor();
        code.i64_const(7).i64_rotl().local_set(sum);
    }
    code.local_get(counter).i32_const(1).i32_sub();
    code.local_tee(counter).br_if(0);
    code.end().local_get(sum);
    for address in (0..if memory { 48 } else { 0 }).step_by(8) {
        code.i32_const(address).i64_load(MemArg {
            offset: 0,
            align: 0,
            memory_index: 0,
        });
        code.i64_xor().i64_const(7).i64_rotl();
    }
    code.end();
    let signature = Added {
        number: 0,
        parameters: vec![ValType::I64],
        result: ValType::I64,
    };
    (signature, body)
}
