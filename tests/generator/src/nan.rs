//! Makes programs use a single NaN. The specification does not say which NaN arithmetic gives, so
//! an optimizer may compute another one than the CPU.
//!
//! If an operator can give a NaN, its result is multiplied by one. The engine of the comparison
//! gives the same NaN for every multiplication. So does Binaryen, which computes a multiplication
//! only if both factors are known. The specification does say which sign a negation gives to a NaN.
//! But an optimizer may move it across a multiplication, so a negation is multiplied too.

use crate::sections::{CODE, Sections, number, operators, sized};

const F32_CONST: u8 = 0x43;
const F32_MUL: u8 = 0x94;
const F64_CONST: u8 = 0x44;
const F64_MUL: u8 = 0xa2;
const VECTOR: u8 = 0xfd;
const V128_CONST: u8 = 0x0c;

/// The module with a single NaN.
pub fn one(module: &[u8]) -> Vec<u8> {
    let sections = Sections::of(module);
    let bodies = sections.entries(CODE).unwrap_or_default();
    let bodies = bodies.iter().map(|body| {
        let (mut longer, operators) = operators(body).expect("a function");
        for operator in operators {
            longer.extend_from_slice(&operator);
            longer.extend(times_one(&operator));
        }
        sized(&longer)
    });
    let bodies: Vec<_> = bodies.collect();
    sections.with_entries(CODE, &bodies).bytes()
}

/// The operators that must follow this one.
fn times_one(operator: &[u8]) -> Vec<u8> {
    let single = 1_f32.to_le_bytes();
    let double = 1_f64.to_le_bytes();
    match *operator {
        // Negation, rounding, arithmetic and conversions from the other width.
        [0x8c..=0x97 | 0xb6] => [&[F32_CONST][..], &single, &[F32_MUL]].concat(),
        [0x9a..=0xa5 | 0xbb] => [&[F64_CONST][..], &double, &[F64_MUL]].concat(),
        [VECTOR, ref code @ ..] => match number(code).0 {
            94 | 103..=106 | 225 | 227..=233 | 261 | 262 | 269 | 270 => {
                vector(&[single; 4].concat(), 230)
            }
            95 | 116 | 117 | 122 | 148 | 237 | 239..=245 | 263 | 264 | 271 | 272 => {
                vector(&[double; 2].concat(), 242)
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn vector(ones: &[u8], multiply: u32) -> Vec<u8> {
    let mut behind = vec![VECTOR, V128_CONST];
    behind.extend_from_slice(ones);
    behind.push(VECTOR);
    wasm_encoder::Encode::encode(&multiply, &mut behind);
    behind
}
