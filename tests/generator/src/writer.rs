//! Writes functions that compute much.
//!
//! More than 400 lines: statements and expressions contain each other.

use wasm_encoder::Instruction::{I32Add, I32Rotl, I32Sub, I32Xor, I64Add, I64Rotl, I64Sub, I64Xor};
use wasm_encoder::{BlockType, Encode as _, Function, Instruction, MemArg, ValType};

use crate::arithmetic::Added;
use crate::operators::{DIVISIONS, Kinds, Operator};
use crate::random::Random;

/// The bits of an address. Most addresses that are written should also be read.
const ADDRESSES: [i32; 3] = [0x1c, 0xf8, 0x7ff8];

/// Writes one function.
pub struct Writer<'a> {
    random: &'a mut Random,
    kinds: &'a Kinds,
    /// Whether there is a memory of at least one page.
    memory: bool,
    /// A function that may be called.
    callee: Option<&'a Added>,
    /// The types of the locals. The last is the counter of loops.
    locals: Vec<ValType>,
    in_loop: bool,
    code: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A function: its type, without its number, and its body. It may use a memory, if there is
    /// one, and call `callee`.
    pub fn function(
        random: &'a mut Random,
        kinds: &'a Kinds,
        memory: bool,
        callee: Option<&'a Added>,
    ) -> (Added, Function) {
        let mut parameters = vec![ValType::I32, ValType::I64];
        for _ in 0..random.below(3) {
            parameters.push(random.pick(kinds.scalars()));
        }
        let mut locals = parameters.clone();
        let missing = kinds.types().iter().filter(|ty| !parameters.contains(ty));
        locals.extend(missing.filter(|_| random.chance(70)));
        for _ in 0..random.below(4) {
            locals.push(random.pick(kinds.types()));
        }
        locals.push(ValType::I32);
        let mut writer = Writer {
            random,
            kinds,
            memory,
            callee,
            locals,
            in_loop: false,
            code: Vec::new(),
        };
        // The other locals start with 0.
        for local in parameters.len()..writer.locals.len() - 1 {
            writer.begin(writer.locals[local]);
            writer.say(Instruction::LocalSet(local as u32));
        }
        for _ in 0..writer.random.pick(&[2, 4, 7]) {
            writer.statement(2);
        }
        let result = match writer.random.chance(85) {
            true => writer.digest(),
            false => {
                let local = writer.random.below(parameters.len());
                writer.say(Instruction::LocalGet(local as u32));
                parameters[local]
            }
        };
        writer.say(Instruction::End);
        let own = writer.locals[parameters.len()..].iter().map(|ty| (1, *ty));
        let mut body = Function::new(own);
        body.raw(writer.code);
        let signature = Added {
            number: 0,
            parameters,
            result,
        };
        (signature, body)
    }

    fn say(&mut self, instruction: Instruction<'_>) {
        instruction.encode(&mut self.code);
    }

    /// The number of a local that may be set.
    fn local(&mut self) -> usize {
        self.random.below(self.locals.len() - 1)
    }

    fn counter(&self) -> u32 {
        self.locals.len() as u32 - 1
    }

    /// The initial value of a local, which depends on the parameters.
    fn begin(&mut self, ty: ValType) {
        let whole = self.random.pick(&[0, 1]);
        self.say(Instruction::LocalGet(whole));
        let constant = self.random.number() as i64;
        match (ty, whole) {
            (ValType::I32, 0) => self.say(Instruction::I32Clz),
            (ValType::I32, _) => self.say(Instruction::I32WrapI64),
            (ValType::I64, 0) => self.say(Instruction::I64ExtendI32S),
            (ValType::I64, _) => {
                self.say(Instruction::I64Const(constant));
                self.say(Instruction::I64Xor);
            }
            (ValType::F32, 0) => self.say(Instruction::F32ConvertI32S),
            (ValType::F32, _) => self.say(Instruction::F32ConvertI64S),
            (ValType::F64, 0) => self.say(Instruction::F64ConvertI32S),
            (ValType::F64, _) => self.say(Instruction::F64ConvertI64S),
            (_, whole) => {
                self.say(match whole {
                    0 => Instruction::I32x4Splat,
                    _ => Instruction::I64x2Splat,
                });
                self.say(Instruction::V128Const(i128::from(constant) << 47));
                self.say(Instruction::V128Xor);
            }
        }
    }

    fn statement(&mut self, depth: usize) {
        let depth = depth.saturating_sub(1);
        match self.random.below(100) {
            0..15 if self.memory => self.store(),
            15..27 if depth > 0 => {
                self.condition(2);
                self.say(Instruction::If(BlockType::Empty));
                self.statement(depth);
                if self.random.chance(50) {
                    self.say(Instruction::Else);
                    self.statement(depth);
                }
                self.say(Instruction::End);
            }
            27..37 if depth > 0 && !self.in_loop => {
                let rounds = self.random.pick(&[1, 2, 3, 8]);
                self.say(Instruction::I32Const(rounds));
                self.say(Instruction::LocalSet(self.counter()));
                self.say(Instruction::Loop(BlockType::Empty));
                self.in_loop = true;
                for _ in 0..1 + self.random.below(3) {
                    self.statement(depth);
                }
                self.in_loop = false;
                self.say(Instruction::LocalGet(self.counter()));
                self.say(Instruction::I32Const(1));
                self.say(Instruction::I32Sub);
                self.say(Instruction::LocalTee(self.counter()));
                self.say(Instruction::BrIf(0));
                self.say(Instruction::End);
            }
            37..42 => {
                let ty = self.random.pick(self.kinds.types());
                self.expression(ty, 3);
                self.say(Instruction::Drop);
            }
            _ => {
                let local = self.local();
                let ty = self.locals[local];
                // The old value of an integer often stays a part of the new one.
                let more: &[Instruction<'_>] = match ty {
                    ValType::I32 => &[I32Add, I32Sub, I32Xor, I32Rotl],
                    ValType::I64 => &[I64Add, I64Sub, I64Xor, I64Rotl],
                    _ => &[],
                };
                let more = (!more.is_empty() && self.random.chance(60))
                    .then(|| more[self.random.below(more.len())].clone());
                if more.is_some() {
                    self.say(Instruction::LocalGet(local as u32));
                }
                let depth = self.random.pick(&[2, 3, 3, 4]);
                self.computed(ty, depth);
                if let Some(more) = more {
                    self.say(more);
                }
                self.say(Instruction::LocalSet(local as u32));
            }
        }
    }

    /// A value of this type.
    fn expression(&mut self, ty: ValType, depth: usize) {
        if depth == 0 {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.random.below(100) {
            0..12 => self.leaf(ty),
            _ => self.computed(ty, depth),
        }
    }

    /// A value of this type that is neither a constant nor only a local.
    fn computed(&mut self, ty: ValType, depth: usize) {
        match self.random.below(100) {
            0..6 => {
                self.expression(ty, depth);
                self.expression(ty, depth);
                self.condition(depth);
                self.say(Instruction::Select);
            }
            6..9 => {
                self.condition(depth);
                self.say(Instruction::If(BlockType::Result(ty)));
                self.expression(ty, depth);
                self.say(Instruction::Else);
                self.expression(ty, depth);
                self.say(Instruction::End);
            }
            9..15 => {
                let local = self.local();
                self.operator(ty, depth);
                if self.locals[local] == ty {
                    self.say(Instruction::LocalTee(local as u32));
                }
            }
            15..25 if self.memory => self.load(ty),
            25..30 if !self.in_loop => match self.callee {
                Some(callee) if callee.result == ty => {
                    for parameter in &callee.parameters {
                        self.expression(*parameter, 1);
                    }
                    self.say(Instruction::Call(callee.number));
                }
                _ => self.operator(ty, depth),
            },
            _ => self.operator(ty, depth),
        }
    }

    /// An i32 as a condition: mostly the comparison of two integers.
    fn condition(&mut self, depth: usize) {
        let (ty, first) = self
            .random
            .pick(&[(ValType::I32, 0x46), (ValType::I64, 0x51)]);
        if self.random.chance(30) {
            return self.expression(ValType::I32, depth);
        }
        self.expression(ty, depth);
        match self.random.chance(50) {
            true => self.constant(ty),
            false => self.expression(ty, depth),
        }
        self.code.push(first + self.random.below(10) as u8);
    }

    fn operator(&mut self, ty: ValType, depth: usize) {
        let operator = Operator::of(self.random, self.kinds, ty);
        for (place, ty) in operator.operands.iter().enumerate() {
            match place == 1 && self.random.chance(35) {
                true => self.constant(*ty),
                false => self.expression(*ty, depth),
            }
        }
        // Most divisions are by an odd number.
        if DIVISIONS.contains(&operator.code) && self.random.chance(99) {
            let (one, or) = match ty {
                ValType::I32 => (Instruction::I32Const(1), Instruction::I32Or),
                _ => (Instruction::I64Const(1), Instruction::I64Or),
            };
            self.say(one);
            self.say(or);
        }
        operator.encode(&mut self.code);
    }

    fn leaf(&mut self, ty: ValType) {
        let known = self.locals.len() - usize::from(!self.in_loop);
        let own = self.locals[..known].iter().enumerate();
        let own: Vec<usize> = own.filter(|it| *it.1 == ty).map(|it| it.0).collect();
        match !own.is_empty() && self.random.chance(85) {
            true => {
                let local = self.random.pick(&own) as u32;
                self.say(Instruction::LocalGet(local));
            }
            false => self.constant(ty),
        }
    }

    fn constant(&mut self, ty: ValType) {
        let bits = self.random.pick(&[0, 1, 7, 8, 15, 16, 31, 32, 33, 63]);
        let any = self.random.number() as i64;
        let values = [
            bits,
            1 << bits,
            (1_i64 << bits).wrapping_sub(1),
            -1,
            -bits,
            any >> bits,
        ];
        let value = self.random.pick(&values);
        match ty {
            ValType::I32 => self.say(Instruction::I32Const(value as i32)),
            ValType::I64 => self.say(Instruction::I64Const(value)),
            ValType::F32 => {
                let special = [-0.0, 0.5, f32::INFINITY, f32::MIN_POSITIVE, value as f32];
                let value = self.random.pick(&special);
                self.say(Instruction::F32Const(value.into()));
            }
            ValType::F64 => {
                let special = [-0.0, 0.5, f64::INFINITY, f64::MIN_POSITIVE, value as f64];
                let value = self.random.pick(&special);
                self.say(Instruction::F64Const(value.into()));
            }
            _ => {
                let value = i128::from(value) << 64 | i128::from(any >> bits) & 0xffff_ffff;
                self.say(Instruction::V128Const(value));
            }
        }
    }

    /// Writes an address, and returns the offset to add to it.
    fn address(&mut self) -> MemArg {
        self.expression(ValType::I32, 1);
        let mask = self.random.pick(&ADDRESSES);
        self.say(Instruction::I32Const(mask));
        self.say(Instruction::I32And);
        MemArg {
            offset: self.random.pick(&[0, 1, 4, 1000]),
            align: 0,
            memory_index: 0,
        }
    }

    fn load(&mut self, ty: ValType) {
        let at = self.address();
        let loads = match ty {
            ValType::I32 => vec![
                Instruction::I32Load(at),
                Instruction::I32Load8S(at),
                Instruction::I32Load8U(at),
                Instruction::I32Load16S(at),
                Instruction::I32Load16U(at),
            ],
            ValType::I64 => vec![
                Instruction::I64Load(at),
                Instruction::I64Load8S(at),
                Instruction::I64Load8U(at),
                Instruction::I64Load16S(at),
                Instruction::I64Load16U(at),
                Instruction::I64Load32S(at),
                Instruction::I64Load32U(at),
            ],
            ValType::F32 => vec![Instruction::F32Load(at)],
            ValType::F64 => vec![Instruction::F64Load(at)],
            _ => vec![
                Instruction::V128Load(at),
                Instruction::V128Load8x8S(at),
                Instruction::V128Load8x8U(at),
                Instruction::V128Load16x4S(at),
                Instruction::V128Load32x2U(at),
                Instruction::V128Load8Splat(at),
                Instruction::V128Load64Splat(at),
                Instruction::V128Load32Zero(at),
            ],
        };
        let load = loads[self.random.below(loads.len())].clone();
        self.say(load);
    }

    fn store(&mut self) {
        let at = self.address();
        let ty = self.random.pick(self.kinds.types());
        self.expression(ty, 2);
        let stores = match ty {
            ValType::I32 => vec![
                Instruction::I32Store(at),
                Instruction::I32Store8(at),
                Instruction::I32Store16(at),
            ],
            ValType::I64 => vec![
                Instruction::I64Store(at),
                Instruction::I64Store8(at),
                Instruction::I64Store16(at),
                Instruction::I64Store32(at),
            ],
            ValType::F32 => vec![Instruction::F32Store(at)],
            ValType::F64 => vec![Instruction::F64Store(at)],
            _ => vec![Instruction::V128Store(at)],
        };
        let store = stores[self.random.below(stores.len())].clone();
        self.say(store);
    }

    /// Writes a number that depends on every local. Returns its type.
    fn digest(&mut self) -> ValType {
        self.say(Instruction::I64Const(1));
        for (local, ty) in self.locals.clone().into_iter().enumerate() {
            let local = Instruction::LocalGet(local as u32);
            self.say(local.clone());
            match ty {
                ValType::I32 => self.say(Instruction::I64ExtendI32U),
                ValType::F32 => {
                    self.say(Instruction::I32ReinterpretF32);
                    self.say(Instruction::I64ExtendI32U);
                }
                ValType::F64 => self.say(Instruction::I64ReinterpretF64),
                ValType::V128 => {
                    self.say(Instruction::I64x2ExtractLane(0));
                    self.say(local);
                    self.say(Instruction::I64x2ExtractLane(1));
                    self.say(Instruction::I64Const(1));
                    self.say(Instruction::I64Rotl);
                    self.say(Instruction::I64Xor);
                }
                _ => {}
            }
            self.say(Instruction::I64Xor);
            self.say(Instruction::I64Const(7));
            self.say(Instruction::I64Rotl);
        }
        ValType::I64
    }
}
