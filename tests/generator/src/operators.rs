//! The numeric operators of WebAssembly with their types.
//!
//! Source: WebAssembly 3.0, "Numeric Instructions" and "Vector Instructions" of the binary format.

use std::ops::Range;

use wasm_encoder::Encode as _;
use wasm_encoder::ValType::{self, F32, F64, I32, I64, V128};

use crate::random::Random;

/// The prefix of conversions that saturate, and the one of vector operators.
const SATURATING: u8 = 0xfc;
const VECTOR: u8 = 0xfd;
/// The codes that read a lane. The lane's number follows.
const LANES: Range<u32> = 21..35;

const COMPARISONS: Range<u32> = 0x45..0x67;
const VECTOR_COMPARISONS: Range<u32> = 35..77;

/// Divisions of integers, which trap at 0.
pub const DIVISIONS: [Code; 8] = [
    (None, 0x6d),
    (None, 0x6e),
    (None, 0x6f),
    (None, 0x70),
    (None, 0x7f),
    (None, 0x80),
    (None, 0x81),
    (None, 0x82),
];

/// The prefix of an operator's code, and the code.
type Code = (Option<u8>, u32);
/// Operands, the result, and the codes.
type Row = (&'static [ValType], ValType, Range<u32>);

/// Conversions to integers that trap are left out, because they would mostly trap.
const SCALARS: &[Row] = &[
    (&[I32], I32, 0x45..0x46),
    (&[I32, I32], I32, 0x46..0x50),
    (&[I64], I32, 0x50..0x51),
    (&[I64, I64], I32, 0x51..0x5b),
    (&[F32, F32], I32, 0x5b..0x61),
    (&[F64, F64], I32, 0x61..0x67),
    (&[I32], I32, 0x67..0x6a),
    (&[I32, I32], I32, 0x6a..0x79),
    (&[I64], I64, 0x79..0x7c),
    (&[I64, I64], I64, 0x7c..0x8b),
    (&[F32], F32, 0x8b..0x92),
    (&[F32, F32], F32, 0x92..0x99),
    (&[F64], F64, 0x99..0xa0),
    (&[F64, F64], F64, 0xa0..0xa7),
    (&[I64], I32, 0xa7..0xa8),
    (&[I32], I64, 0xac..0xae),
    (&[I32], F32, 0xb2..0xb4),
    (&[I64], F32, 0xb4..0xb6),
    (&[F64], F32, 0xb6..0xb7),
    (&[I32], F64, 0xb7..0xb9),
    (&[I64], F64, 0xb9..0xbb),
    (&[F32], F64, 0xbb..0xbc),
    (&[F32], I32, 0xbc..0xbd),
    (&[F64], I64, 0xbd..0xbe),
    (&[I32], F32, 0xbe..0xbf),
    (&[I64], F64, 0xbf..0xc0),
];
const SIGNS: &[Row] = &[(&[I32], I32, 0xc0..0xc2), (&[I64], I64, 0xc2..0xc5)];
/// With the prefix [`SATURATING`].
const SATURATIONS: &[Row] = &[
    (&[F32], I32, 0..2),
    (&[F64], I32, 2..4),
    (&[F32], I64, 4..6),
    (&[F64], I64, 6..8),
];
/// With the prefix [`VECTOR`]: operators of integers.
const VECTORS: &[Row] = &[
    (&[V128, V128], V128, 14..15),
    (&[I32], V128, 15..18),
    (&[I64], V128, 18..19),
    (&[V128], I32, 21..23),
    (&[V128], I32, 24..26),
    (&[V128], I32, 27..28),
    (&[V128], I64, 29..30),
    (&[V128, V128], V128, 35..65),
    (&[V128], V128, 77..78),
    (&[V128, V128], V128, 78..82),
    (&[V128, V128, V128], V128, 82..83),
    (&[V128], I32, 83..84),
    (&[V128], V128, 96..99),
    (&[V128], I32, 99..101),
    (&[V128, V128], V128, 101..103),
    (&[V128, I32], V128, 107..110),
    (&[V128, V128], V128, 110..116),
    (&[V128, V128], V128, 118..122),
    (&[V128, V128], V128, 123..124),
    (&[V128], V128, 124..130),
    (&[V128, V128], V128, 130..131),
    (&[V128], I32, 131..133),
    (&[V128, V128], V128, 133..135),
    (&[V128], V128, 135..139),
    (&[V128, I32], V128, 139..142),
    (&[V128, V128], V128, 142..148),
    (&[V128, V128], V128, 149..154),
    (&[V128, V128], V128, 155..160),
    (&[V128], V128, 160..162),
    (&[V128], I32, 163..165),
    (&[V128], V128, 167..171),
    (&[V128, I32], V128, 171..174),
    (&[V128, V128], V128, 174..175),
    (&[V128, V128], V128, 177..178),
    (&[V128, V128], V128, 181..187),
    (&[V128, V128], V128, 188..192),
    (&[V128], V128, 192..194),
    (&[V128], I32, 195..197),
    (&[V128], V128, 199..203),
    (&[V128, I32], V128, 203..206),
    (&[V128, V128], V128, 206..207),
    (&[V128, V128], V128, 209..210),
    (&[V128, V128], V128, 213..224),
];
/// With the prefix [`VECTOR`]: operators of floats.
const FLOATS: &[Row] = &[
    (&[F32], V128, 19..20),
    (&[F64], V128, 20..21),
    (&[V128], F32, 31..32),
    (&[V128], F64, 33..34),
    (&[V128, V128], V128, 65..77),
    (&[V128], V128, 94..96),
    (&[V128], V128, 103..107),
    (&[V128], V128, 116..118),
    (&[V128], V128, 122..123),
    (&[V128], V128, 148..149),
    (&[V128], V128, 224..226),
    (&[V128], V128, 227..228),
    (&[V128, V128], V128, 228..236),
    (&[V128], V128, 236..238),
    (&[V128], V128, 239..240),
    (&[V128, V128], V128, 240..248),
    (&[V128], V128, 248..256),
];

/// What a program may compute with.
#[derive(Clone, Copy)]
pub struct Kinds {
    /// Floats.
    pub floats: bool,
    /// Vectors.
    pub vectors: bool,
    /// Sign extension of parts of integers.
    pub signs: bool,
    /// Conversions that saturate.
    pub saturations: bool,
}

impl Kinds {
    /// The number types, without vectors.
    pub fn scalars(&self) -> &'static [ValType] {
        match self.floats {
            true => &[I32, I64, F32, F64],
            false => &[I32, I64],
        }
    }

    /// The number types.
    pub fn types(&self) -> &'static [ValType] {
        match (self.floats, self.vectors) {
            (true, true) => &[I32, I64, F32, F64, V128],
            (false, true) => &[I32, I64, V128],
            (_, false) => self.scalars(),
        }
    }

    fn tables(&self) -> impl Iterator<Item = (Option<u8>, &'static Row)> {
        [
            (true, None, SCALARS),
            (self.signs, None, SIGNS),
            (
                self.floats && self.saturations,
                Some(SATURATING),
                SATURATIONS,
            ),
            (self.vectors, Some(VECTOR), VECTORS),
            (self.vectors && self.floats, Some(VECTOR), FLOATS),
        ]
        .into_iter()
        .filter(|(allowed, ..)| *allowed)
        .flat_map(|(_, prefix, rows)| rows.iter().map(move |row| (prefix, row)))
    }

    /// Whether all of a row's types are allowed.
    fn allow(&self, (operands, result, _): &Row) -> bool {
        let types = self.types();
        types.contains(result) && operands.iter().all(|ty| types.contains(ty))
    }
}

/// An operator.
pub struct Operator {
    /// The types of its operands.
    pub operands: &'static [ValType],
    /// Its code.
    pub code: Code,
}

impl Operator {
    /// An operator that gives a value of this type. Mostly, its operands have that type too.
    pub fn of(random: &mut Random, kinds: &Kinds, ty: ValType) -> Self {
        let same = random.chance(60);
        let operators = kinds.tables().filter(|(_, row)| {
            let (operands, result, _) = row;
            *result == ty && kinds.allow(row) && (!same || operands.iter().all(|it| *it == ty))
        });
        let operators = operators.flat_map(|(prefix, (operands, _, codes))| {
            let codes = codes.clone();
            codes.map(move |code| Operator {
                operands,
                code: (prefix, code),
            })
        });
        let mut operators: Vec<Operator> = operators.collect();
        // Comparisons keep little of their operands.
        if !random.chance(35) && operators.iter().any(|it| !it.compares()) {
            operators.retain(|it| !it.compares());
        }
        operators.swap_remove(random.below(operators.len()))
    }

    fn compares(&self) -> bool {
        match self.code {
            (None, code) => COMPARISONS.contains(&code),
            (Some(VECTOR), code) => VECTOR_COMPARISONS.contains(&code),
            _ => false,
        }
    }

    /// Writes the operator.
    pub fn encode(&self, code: &mut Vec<u8>) {
        let (prefix, number) = self.code;
        match prefix {
            None => code.push(number as u8),
            Some(prefix) => {
                code.push(prefix);
                number.encode(code);
                if prefix == VECTOR && LANES.contains(&number) {
                    code.push(0);
                }
            }
        }
    }
}
