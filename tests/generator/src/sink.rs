//! Makes computed values visible, as the checksum of Csmith does.
//!
//! Most values that functions of `wasm-smith` compute are not used. If an optimizer computed them
//! wrongly, no test would notice. So some values are mixed into a sum, which is a global that the
//! host sees. These are values that are dropped, that are set, that a branch, a store or a call
//! uses, and that an operator just gave.
//!
//! Apart from this, the rewritten program does the same as before. Not every program is rewritten,
//! and the shares differ from program to program: an optimizer removes what is dropped, and needs
//! something to remove.
//!
//! The sum is computed with `xor` and `rotl` of i64, so both the values and their order count. The
//! functions for it are small enough to be inlined.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Encode as _, ExportKind, Function, FunctionSection,
    GlobalSection, GlobalType, Instruction, TypeSection,
};
use wasmparser::{
    FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, Parser, Payload, RefType,
    ValType, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use crate::program::export;
use crate::random::Random;
use crate::sections::{CODE, FUNCTIONS, GLOBALS, Sections, TYPES, sized};

const VECTOR: u8 = 0xfd;

/// The name of the exported sum, or the beginning of its name.
const SUM: &str = "sum";
/// By how many bits the sum is rotated after each value.
const ROTATION: i64 = 7;

/// How many of 100 values are made visible.
struct Shares {
    /// Of values that the program drops.
    dropped: usize,
    /// Of values that go to a local or a global.
    set: usize,
    /// Of values that decide on a branch, and of the last operands of stores, calls and returns.
    used: usize,
    /// Of values that an operator just gave.
    computed: usize,
    /// How many of the dropped values are mixed in without a call.
    inline: usize,
}

/// The module of a seed. `percent` of 100 modules export a sum of values.
pub fn shown(module: &[u8], seed: u64, percent: usize) -> Vec<u8> {
    match visible(module, &mut Random::new(seed, "sum"), percent) {
        Some((module, sum)) => export(&module, SUM, ExportKind::Global, sum),
        None => module.to_vec(),
    }
}

/// The module with a sum of some of its values, and the number of the sum's global. `None` if there
/// are no such values, and in 100 - `percent` of 100 cases.
pub fn visible(module: &[u8], random: &mut Random, percent: usize) -> Option<(Vec<u8>, u32)> {
    if !random.chance(percent) {
        return None;
    }
    let shares = Shares {
        dropped: random.pick(&[30, 70, 100, 100]),
        set: random.pick(&[0, 0, 15, 40]),
        used: random.pick(&[0, 0, 10, 25]),
        computed: random.pick(&[0, 0, 5, 15]),
        inline: random.pick(&[0, 0, 30, 100]),
    };
    let mut sinks = Sinks {
        first: 0,
        kinds: Vec::new(),
        sum: 0,
        used: false,
        shares: &shares,
        random,
    };
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut allocations = FuncValidatorAllocations::default();
    let mut types = 0;
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        if let Payload::CodeSectionStart { .. } = payload {
            let known = validator.types(0)?;
            types = known.core_type_count_in_module();
            sinks.first = known.function_count();
            sinks.sum = known.global_count();
        }
        if let ValidPayload::Func(function, body) = validator.payload(&payload).ok()? {
            let mut function = function.into_validator(allocations);
            bodies.push(sized(&sinks.rewritten(module, &mut function, &body)?));
            allocations = function.into_allocations();
        }
    }
    if !sinks.used {
        return None;
    }
    let mut sections = Sections::of(module).with_entries(CODE, &bodies);
    add_sinks(&mut sections, &sinks.kinds, types, sinks.sum);
    Some((sections.bytes(), sinks.sum))
}

/// Adds the sum's global, and a function for each kind of value.
fn add_sinks(sections: &mut Sections, kinds: &[ValType], types: u32, sum: u32) {
    let mut global = GlobalSection::new();
    let ty = GlobalType {
        val_type: wasm_encoder::ValType::I64,
        mutable: true,
        shared: false,
    };
    global.global(ty, &ConstExpr::i64_const(1));
    sections.add(GLOBALS, &global);
    for (number, kind) in kinds.iter().enumerate() {
        let ty = wasm_encoder::ValType::try_from(*kind).expect("a number");
        let mut signature = TypeSection::new();
        signature.ty().function([ty], [ty]);
        sections.add(TYPES, &signature);
        let mut function = FunctionSection::new();
        function.function(types + number as u32);
        sections.add(FUNCTIONS, &function);
        let mut code = CodeSection::new();
        let mut body = Function::new([]);
        for instruction in sink(*kind, sum) {
            body.instruction(&instruction);
        }
        code.function(&body);
        sections.add(CODE, &code);
    }
}

/// The body of a function that mixes its argument into the sum, and returns it.
fn sink(kind: ValType, sum: u32) -> Vec<Instruction<'static>> {
    let value = Instruction::LocalGet(0);
    let mut body = match kind {
        ValType::I32 => vec![value.clone(), Instruction::I64ExtendI32U],
        ValType::I64 => vec![value.clone()],
        // Every NaN counts as the same.
        ValType::F32 => vec![
            value.clone(),
            value.clone(),
            Instruction::F32Eq,
            Instruction::If(BlockType::Result(wasm_encoder::ValType::I64)),
            value.clone(),
            Instruction::I32ReinterpretF32,
            Instruction::I64ExtendI32U,
            Instruction::Else,
            Instruction::I64Const(0x7fc0_0000),
            Instruction::End,
        ],
        ValType::F64 => vec![
            value.clone(),
            Instruction::I64ReinterpretF64,
            Instruction::I64Const(0x7ff8_0000_0000_0000),
            value.clone(),
            value.clone(),
            Instruction::F64Eq,
            Instruction::Select,
        ],
        _ => {
            let mut body = vec![value.clone(), Instruction::I64x2ExtractLane(0)];
            body.extend(mixed(sum));
            body.extend([value.clone(), Instruction::I64x2ExtractLane(1)]);
            body
        }
    };
    body.extend(mixed(sum));
    body.extend([value, Instruction::End]);
    body
}

/// Mixes an i64 into the sum.
fn mixed(sum: u32) -> [Instruction<'static>; 5] {
    [
        Instruction::GlobalGet(sum),
        Instruction::I64Xor,
        Instruction::I64Const(ROTATION),
        Instruction::I64Rotl,
        Instruction::GlobalSet(sum),
    ]
}

/// The functions that are added, and the values that are mixed in.
struct Sinks<'a> {
    /// The number of the first function.
    first: u32,
    /// The types of the functions' only parameter.
    kinds: Vec<ValType>,
    /// The number of the sum's global.
    sum: u32,
    /// Whether anything goes into the sum.
    used: bool,
    shares: &'a Shares,
    random: &'a mut Random,
}

impl Sinks<'_> {
    /// The body of a function without its length, with some values mixed into the sum.
    fn rewritten(
        &mut self,
        module: &[u8],
        validator: &mut FuncValidator<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Option<Vec<u8>> {
        validator.read_locals(&mut body.get_binary_reader()).ok()?;
        let mut reader = body.get_operators_reader().ok()?;
        let mut new = module[body.range().start..reader.original_position()].to_vec();
        while !reader.eof() {
            let from = reader.original_position();
            let operator = reader.read().ok()?;
            let bytes = &module[from..reader.original_position()];
            let before = top(validator).filter(|_| self.random.chance(self.shares.of(&operator)));
            let dropped = matches!(operator, Operator::Drop);
            match before {
                Some(ty) if dropped => self.drop(ty, &mut new),
                Some(ty) => self.look(ty, &mut new),
                None => {}
            }
            if before.is_none() || !dropped {
                new.extend_from_slice(bytes);
            }
            validator.op(from, &operator).ok()?;
            if gives_a_number(bytes)
                && let Some(ty) = top(validator)
                && self.random.chance(self.shares.computed)
            {
                self.look(ty, &mut new);
            }
        }
        Some(new)
    }

    /// Mixes a number into the sum, and leaves it on the stack.
    fn look(&mut self, ty: ValType, new: &mut Vec<u8>) {
        if !matches!(ty, ValType::Ref(_)) {
            Instruction::Call(self.sink(ty)).encode(new);
        }
    }

    /// Mixes a value into the sum instead of dropping it. For a reference, only whether it is null.
    fn drop(&mut self, ty: ValType, new: &mut Vec<u8>) {
        let inline = self.random.chance(self.shares.inline);
        let ty = match ty {
            ValType::Ref(RefType::FUNCREF | RefType::EXTERNREF) => {
                Instruction::RefIsNull.encode(new);
                ValType::I32
            }
            ty => ty,
        };
        match ty {
            ValType::I32 if inline => Instruction::I64ExtendI32U.encode(new),
            ValType::I64 if inline => {}
            _ => {
                self.look(ty, new);
                Instruction::Drop.encode(new);
                return;
            }
        }
        self.used = true;
        for instruction in mixed(self.sum) {
            instruction.encode(new);
        }
    }

    /// The number of the function for values of this type.
    fn sink(&mut self, ty: ValType) -> u32 {
        self.used = true;
        let place = self.kinds.iter().position(|kind| *kind == ty);
        let place = place.unwrap_or_else(|| {
            self.kinds.push(ty);
            self.kinds.len() - 1
        });
        self.first + place as u32
    }
}

impl Shares {
    /// How often the last operand of this operator is made visible.
    fn of(&self, operator: &Operator<'_>) -> usize {
        match operator {
            Operator::Drop => self.dropped,
            Operator::LocalSet { .. } | Operator::LocalTee { .. } | Operator::GlobalSet { .. } => {
                self.set
            }
            Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::End
            | Operator::Select
            | Operator::TypedSelect { .. }
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::I32Store { .. }
            | Operator::I32Store8 { .. }
            | Operator::I32Store16 { .. }
            | Operator::I64Store { .. }
            | Operator::I64Store8 { .. }
            | Operator::I64Store16 { .. }
            | Operator::I64Store32 { .. }
            | Operator::F32Store { .. }
            | Operator::F64Store { .. }
            | Operator::V128Store { .. } => self.used,
            _ => 0,
        }
    }
}

/// The type of the value on top of the stack that the current block may take. `None` in unreachable
/// code.
fn top(validator: &FuncValidator<ValidatorResources>) -> Option<ValType> {
    let frame = validator.get_control_frame(0)?;
    let own = validator.operand_stack_height() as usize > frame.height;
    let known = own && !frame.unreachable;
    known.then(|| validator.get_operand_type(0)).flatten()?
}

/// Whether an operator is a comparison, arithmetic, a conversion, or an operator of vectors.
fn gives_a_number(operator: &[u8]) -> bool {
    match operator {
        [0x45..=0xc4 | VECTOR, ..] => true,
        // Conversions that saturate.
        [0xfc, conversion, ..] => *conversion < 8,
        _ => false,
    }
}
