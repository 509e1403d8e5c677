//! Generates core modules from a seed.
//!
//! `wasm-smith` makes the module. Its features and instructions differ from seed to seed, so that
//! some modules have much of one thing ("swarm testing"). It makes few segments close to the end of
//! a memory, and none with runs of zeros, which an optimizer splits. So this adds some.

use arbitrary::Unstructured;
use wasm_encoder::{
    ConstExpr, DataSection, ElementSection, Elements, ExportKind, ExportSection, Instruction,
};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};
use wasmparser::{DataKind, ElementItems, ElementKind, Parser, Payload, TypeRef};

use crate::arithmetic;
use crate::operators::Kinds;
use crate::random::Random;
use crate::sections::{CODE, DATA, ELEMENTS, EXPORTS, Sections, number, operators, sized};
use crate::sink;
use crate::terms::{FUEL, REFILL, goes_the_whole_way};

/// An operator.
pub const DROP: u8 = 0x1a;
/// The prefix of these operators.
const PREFIX: u8 = 0xfc;
const TABLE_INIT: u32 = 12;
const ELEM_DROP: u32 = 13;
const TABLE_COPY: u32 = 14;
const TABLE_FILL: u32 = 17;

/// The sizes of memories in bytes and of tables in entries: small, so that they can be examined
/// after each call.
const MEMORY: u64 = 4 * 65536;
const TABLE: u64 = 40;
/// How many of 100 modules have a sum of computed values, and functions that compute much.
const SUMS: usize = 75;
const ARITHMETIC: usize = 30;
/// How often the generator is tried for one module.
const ATTEMPTS: usize = 16;

/// The module of a seed. Every call of its functions ends. `None` if the generator gave up.
pub fn module(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed, "module");
    let config = Config {
        // Stock Wasmtime has more than one NaN.
        allow_floats: !goes_the_whole_way(seed) && random.chance(70),
        ..config(&mut random)
    };
    let kinds = kinds(&config);
    let (module, fuel) = smith(config, &mut random)?;
    let mut module = sink::shown(&module, seed, SUMS);
    let mut numbers = Random::new(seed, "arithmetic");
    if numbers.chance(ARITHMETIC)
        && let Some((more, _)) = arithmetic::added(&module, &mut numbers, &kinds)
    {
        module = more;
    }
    let mut sections = Sections::of(&module);
    // Half of them do not export the counter.
    if random.chance(50) {
        let mut export = ExportSection::new();
        export.export(FUEL, ExportKind::Global, fuel);
        sections.add(EXPORTS, &export);
    }
    add_segments(&mut sections, &mut random);
    Some(sections.bytes())
}

/// The numbers that a module may compute with.
pub fn kinds(config: &Config) -> Kinds {
    Kinds {
        floats: config.allow_floats,
        vectors: config.simd_enabled,
        signs: config.sign_extension_ops_enabled,
        saturations: config.saturating_float_to_int_enabled,
    }
}

/// The module with one more export, under an unused name.
pub fn export(module: &[u8], name: &str, kind: ExportKind, number: u32) -> Vec<u8> {
    let mut taken = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Ok(Payload::ExportSection(section)) = payload {
            let exports = section.into_iter().flatten();
            taken.extend(exports.map(|export| export.name.to_owned()));
        }
    }
    let mut name = name.to_owned();
    while taken.contains(&name) {
        name.push('+');
    }
    let mut sections = Sections::of(module);
    let mut export = ExportSection::new();
    export.export(&name, kind, number);
    sections.add(EXPORTS, &export);
    sections.bytes()
}

/// A module, and the number of the global that ends its calls. `wasm-smith` cannot make a module
/// from all bytes, so this tries several times.
pub fn smith(config: Config, random: &mut Random) -> Option<(Vec<u8>, u32)> {
    (0..ATTEMPTS).find_map(|_| {
        let length = random.pick(&[4000, 16000, 40000]);
        let bytes = random.bytes(length);
        let mut module = Module::new(config.clone(), &mut Unstructured::new(&bytes)).ok()?;
        let fuel = module.ensure_termination(REFILL).ok()?;
        let mut module = module.to_bytes();
        if random.chance(90) {
            module = with_operators(&Sections::of(&module), dropped).bytes();
        }
        // Binaryen does not accept other modules, so only few of those are made.
        ((fits(&module) && has_active_segments(&module)) || random.chance(5))
            .then_some((module, fuel))
    })
}

/// Whether no element segment is passive or declares functions by expressions.
fn has_active_segments(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).all(|payload| {
        let Ok(Payload::ElementSection(section)) = payload else {
            return true;
        };
        section.into_iter().flatten().all(|element| {
            let functions = matches!(element.items, ElementItems::Functions(_));
            match element.kind {
                ElementKind::Active { .. } => true,
                ElementKind::Declared => functions,
                ElementKind::Passive => false,
            }
        })
    })
}

/// Replaces an operator that Binaryen 116 does not read: drops its operands.
fn dropped(operator: &[u8]) -> Option<Vec<u8>> {
    let &[PREFIX, ref code @ ..] = operator else {
        return None;
    };
    match number(code).0 {
        TABLE_INIT | TABLE_COPY | TABLE_FILL => Some(vec![DROP; 3]),
        ELEM_DROP => Some(Vec::new()),
        _ => None,
    }
}

/// The module, with operators replaced if `instead` returns others.
pub fn with_operators(sections: &Sections, instead: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Sections {
    let bodies = sections.entries(CODE).unwrap_or_default();
    let bodies = bodies.iter().map(|body| {
        let (mut other, operators) = operators(body).expect("a function");
        for operator in operators {
            other.extend(instead(&operator).unwrap_or(operator));
        }
        sized(&other)
    });
    let bodies: Vec<_> = bodies.collect();
    sections.with_entries(CODE, &bodies)
}

/// Whether every data segment is at most as long as its memory, if the module defines that memory.
fn fits(module: &[u8]) -> bool {
    let Some(space) = space(module) else {
        return true;
    };
    let own = space.memories.iter();
    let own = own.filter(|(memory, _)| *memory >= space.imported_memories);
    let size = |memory| own.clone().find(|(it, _)| *it == memory);
    Parser::new(0).parse_all(module).all(|payload| {
        let Ok(Payload::DataSection(section)) = payload else {
            return true;
        };
        section.into_iter().flatten().all(|data| match data.kind {
            DataKind::Active { memory_index, .. } => {
                size(memory_index).is_none_or(|(_, size)| data.data.len() as u64 <= *size)
            }
            DataKind::Passive => true,
        })
    })
}

/// The limits and features of a module.
pub fn config(random: &mut Random) -> Config {
    Config {
        // Few functions, because most end early, and Binaryen takes most of the time.
        min_funcs: random.pick(&[1, 2, 4]),
        max_funcs: random.pick(&[5, 7]),
        max_instructions: random.pick(&[15, 50, 120]),
        min_types: random.pick(&[1, 3]),
        max_types: random.pick(&[3, 12]),
        max_imports: random.pick(&[0, 3, 10]),
        min_globals: random.pick(&[0, 2]),
        max_globals: random.pick(&[2, 10]),
        max_memories: random.pick(&[1, 1, 3]),
        min_memories: random.pick(&[0, 1]),
        max_memory32_bytes: MEMORY,
        max_memory64_bytes: MEMORY.into(),
        max_tables: random.pick(&[1, 3]),
        min_tables: random.pick(&[0, 1]),
        max_table_elements: TABLE,
        max_data_segments: random.pick(&[0, 2, 5]),
        max_element_segments: random.pick(&[0, 2, 5]),
        max_elements: 8,
        max_exports: random.pick(&[6, 20]),
        min_exports: random.pick(&[2, 6]),
        export_everything: random.chance(50),
        allow_start_export: random.chance(30),
        disallow_traps: random.chance(50),
        memory_offset_choices: random.pick(&[(90, 9, 1), (60, 30, 10)]).into_choices(),
        allowed_instructions: instructions(random),
        bulk_memory_enabled: random.chance(60),
        extended_const_enabled: random.chance(70),
        multi_value_enabled: random.chance(35),
        reference_types_enabled: random.chance(55),
        saturating_float_to_int_enabled: random.chance(80),
        sign_extension_ops_enabled: random.chance(80),
        simd_enabled: random.chance(45),
        relaxed_simd_enabled: random.chance(35),
        tail_call_enabled: random.chance(40),
        threads_enabled: random.chance(5),
        // Modules that Binaryen 116 does not read are not optimized, so only few of those are made.
        exceptions_enabled: random.chance(1),
        gc_enabled: random.chance(1),
        memory64_enabled: random.chance(1),
        min_uleb_size: random.pick(&[1, 1, 1, 5]),
        generate_custom_sections: random.chance(10),
        ..Config::default()
    }
}

trait IntoChoices {
    fn into_choices(self) -> MemoryOffsetChoices;
}

impl IntoChoices for (u32, u32, u32) {
    fn into_choices(self) -> MemoryOffsetChoices {
        MemoryOffsetChoices(self.0, self.1, self.2)
    }
}

fn instructions(random: &mut Random) -> InstructionKinds {
    let kinds = [
        InstructionKind::Numeric,
        InstructionKind::Vector,
        InstructionKind::Reference,
        InstructionKind::Parametric,
        InstructionKind::Variable,
        InstructionKind::Table,
        InstructionKind::Memory,
        InstructionKind::Control,
        InstructionKind::Aggregate,
    ];
    let share = random.pick(&[65, 100]);
    let mut kept = kinds.to_vec();
    kept.retain(|_| random.chance(share));
    InstructionKinds::new(&kept)
}

/// The memories and tables for segments.
#[derive(Default)]
struct Space {
    /// The initial sizes of 32-bit memories, in bytes, by their numbers.
    memories: Vec<(u32, u64)>,
    /// The number of imported memories.
    imported_memories: u32,
    /// The initial sizes of 32-bit tables of functions, in entries, by their numbers.
    tables: Vec<(u32, u64)>,
    /// Imported constants of type i32.
    offsets: Vec<u32>,
    functions: u32,
}

fn space(module: &[u8]) -> Option<Space> {
    let mut space = Space::default();
    let (mut memories, mut tables, mut globals) = (0, 0, 0);
    let mut memory = |space: &mut Space, ty: wasmparser::MemoryType| {
        if !ty.memory64 && !ty.shared {
            space.memories.push((memories, ty.initial * 65536));
        }
        memories += 1;
    };
    let mut table = |space: &mut Space, ty: wasmparser::TableType| {
        if !ty.table64 && ty.element_type == wasmparser::RefType::FUNCREF {
            space.tables.push((tables, ty.initial));
        }
        tables += 1;
    };
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import.ok()?.ty {
                        TypeRef::Memory(ty) => {
                            memory(&mut space, ty);
                            space.imported_memories += 1;
                        }
                        TypeRef::Table(ty) => table(&mut space, ty),
                        TypeRef::Func(_) => space.functions += 1,
                        TypeRef::Global(ty) => {
                            if ty.content_type == wasmparser::ValType::I32 && !ty.mutable {
                                space.offsets.push(globals);
                            }
                            globals += 1;
                        }
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(section) => space.functions += section.count(),
            Payload::MemorySection(section) => {
                section
                    .into_iter()
                    .try_for_each(|ty| ty.map(|ty| memory(&mut space, ty)))
                    .ok()?;
            }
            Payload::TableSection(section) => {
                let mut types = section.into_iter();
                types
                    .try_for_each(|it| it.map(|it| table(&mut space, it.ty)))
                    .ok()?;
            }
            _ => {}
        }
    }
    Some(space)
}

/// Adds active segments: of zeros, with zeros in them, and empty ones. They overlap, or lie at the
/// end or beyond it.
fn add_segments(sections: &mut Sections, random: &mut Random) {
    let Some(space) = space(&sections.bytes()) else {
        return;
    };
    // So most programs start.
    let beyond = random.chance(25);
    for _ in 0..random.pick(&[0, 1, 3]) {
        if !space.memories.is_empty() && random.chance(75) {
            let (memory, size) = random.pick(&space.memories);
            let content = content(random);
            if content.len() as u64 > size && random.chance(95) {
                continue;
            }
            let offset = offset(random, &space, size, content.len() as u64, beyond);
            let mut data = DataSection::new();
            data.active(memory, &offset, content);
            sections.add(DATA, &data);
        } else if !space.tables.is_empty() {
            let (table, size) = random.pick(&space.tables);
            let length = random.below(4);
            let functions = std::iter::repeat_with(|| random.below(space.functions as usize));
            let functions: Vec<u32> = functions.take(length).map(|it| it as u32).collect();
            let offset = offset(random, &space, size, length as u64, beyond);
            let mut elements = ElementSection::new();
            let table = (table > 0).then_some(table);
            elements.active(table, &offset, Elements::Functions(functions.into()));
            sections.add(ELEMENTS, &elements);
        }
    }
}

fn content(random: &mut Random) -> Vec<u8> {
    let zeros = random.pick(&[0, 3, 20, 100]);
    let (before, after) = (random.pick(&[0, 1, 9]), random.pick(&[0, 0, 5]));
    let (before, after) = (random.bytes(before), random.bytes(after));
    [before, vec![0; zeros], after].concat()
}

fn offset(random: &mut Random, space: &Space, size: u64, length: u64, beyond: bool) -> ConstExpr {
    let last = size.saturating_sub(length) as i32;
    if !beyond {
        return ConstExpr::i32_const(random.pick(&[0, 0, last / 2, last, last.min(7)]));
    }
    if !space.offsets.is_empty() && random.chance(60) {
        let global = Instruction::GlobalGet(random.pick(&space.offsets));
        return match random.chance(50) {
            true => ConstExpr::extended([global]),
            false => {
                let more = Instruction::I32Const(random.pick(&[0, 1, last, -1]));
                ConstExpr::extended([global, more, Instruction::I32Add])
            }
        };
    }
    let offsets = [
        last,
        last + 1,
        size as i32,
        size as i32 + 1,
        -1,
        i32::MIN,
        0,
    ];
    ConstExpr::i32_const(random.pick(&offsets))
}
