//! Generates command programs of WASI preview 1 from a seed.
//!
//! `wasm-smith` makes functions and a memory. `_start` calls each function, and writes the results
//! and the final memory to standard output. So the output shows what the program did.

use wasm_encoder::reencode::Reencode;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    Instruction, MemArg, TypeSection, ValType,
};
use wasm_smith::Config;

use crate::program::{DROP, config, smith, with_operators};
use crate::random::Random;
use crate::sections::Sections;

const MEMORY_SIZE: u8 = 0x3f;
const MEMORY_GROW: u8 = 0x40;
const I32_CONST: u8 = 0x41;
const MINUS_ONE: u8 = 0x7f;

/// The functions that `wasm-smith` should write.
const SHAPE: &str = r#"(module
    (memory (export "memory") 2 40)
    (func (export "a") (result i32))
    (func (export "b") (param i32 i64) (result i64))
    (func (export "c") (param i32 i32) (result i32))
    (func (export "d") (param i64 i32 f64) (result f64)))"#;
/// Their parameters and results.
const FUNCTIONS: &[(&[ValType], ValType)] = &[
    (&[], ValType::I32),
    (&[ValType::I32, ValType::I64], ValType::I64),
    (&[ValType::I32, ValType::I32], ValType::I32),
    (&[ValType::I64, ValType::I32, ValType::F64], ValType::F64),
];
/// The functions of the host that the program calls: the name, the number of parameters, and
/// whether there is a result. All types are i32.
const HOST: &[(&str, usize, bool)] = &[
    ("fd_write", 4, true),
    ("proc_exit", 1, false),
    ("args_sizes_get", 2, true),
    ("args_get", 2, true),
];

/// The addresses of results, of the vector for `fd_write`, and of arguments.
const RESULTS: i32 = 1024;
const VECTOR: i32 = 1000;
const ARGUMENTS: i32 = 2048;
/// How much of the memory is written at the end, in bytes.
const MEMORY: i32 = 2 * 65536;

/// The program of a seed. `None` when the generator gave up.
pub fn command(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed, "command");
    let shape = wat::parse_str(shape()).expect("a module");
    let config = Config {
        module_shape: Some(shape),
        max_imports: 0,
        max_memories: 1,
        // Those of the shape are there already.
        min_memories: 0,
        min_funcs: 0,
        multi_value_enabled: true,
        allow_floats: true,
        reference_types_enabled: random.chance(50),
        allow_start_export: false,
        // Stock Wasmtime is compared where nothing traps.
        disallow_traps: random.chance(75),
        // The adapter's encoder reads neither of these.
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        ..config(&mut random)
    };
    let (module, _) = smith(config, &mut random)?;
    finished(&module, &mut random)
}

/// [`SHAPE`] with bodies, which a module in text must have.
fn shape() -> String {
    SHAPE
        .replace("(result i32))", "(result i32) unreachable)")
        .replace("(result i64))", "(result i64) unreachable)")
        .replace("(result f64))", "(result f64) unreachable)")
}

/// Puts the host's functions in front of the module's.
struct Behind(u32);

impl Reencode for Behind {
    type Error = std::convert::Infallible;

    fn function_index(
        &mut self,
        function: u32,
    ) -> Result<u32, wasm_encoder::reencode::Error<Self::Error>> {
        Ok(function + self.0)
    }
}

fn finished(module: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut whole = wasm_encoder::Module::new();
    let host = HOST.len() as u32;
    let parsed = wasmparser::Parser::new(0);
    Behind(host)
        .parse_core_module(&mut whole, parsed, module)
        .ok()?;
    let mut sections = of_fixed_memory(&Sections::of(&whole.finish()));
    for (name, parameters, result) in HOST {
        let mut types = TypeSection::new();
        let parameters = vec![ValType::I32; *parameters];
        types
            .ty()
            .function(parameters, result.then_some(ValType::I32));
        let ty = sections.add(1, &types);
        let mut import = ImportSection::new();
        import.import("wasi_snapshot_preview1", name, EntityType::Function(ty));
        sections.add(2, &import);
    }
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let ty = sections.add(1, &types);
    let mut function = FunctionSection::new();
    function.function(ty);
    let start = host + sections.add(3, &function);
    let mut code = CodeSection::new();
    code.function(&start_function(random));
    sections.add(10, &code);
    let mut export = ExportSection::new();
    export.export("_start", ExportKind::Func, start);
    sections.add(7, &export);
    Some(sections.bytes())
}

/// The module without instructions that ask for the memory's size or for more memory. With them, a
/// program would stay a core module, unless they are in a known allocator.
fn of_fixed_memory(sections: &Sections) -> Sections {
    with_operators(sections, |operator| match operator[0] {
        MEMORY_SIZE => Some(vec![I32_CONST, 2]),
        MEMORY_GROW => Some(vec![DROP, I32_CONST, MINUS_ONE]),
        _ => None,
    })
}

fn start_function(random: &mut Random) -> Function {
    let mut body = Function::new([]);
    let host = HOST.len() as u32;
    let i32 = |body: &mut Function, value: i32| {
        body.instruction(&Instruction::I32Const(value));
    };
    let memory = MemArg {
        offset: 0,
        align: 0,
        memory_index: 0,
    };
    // The arguments, which the host writes into the memory.
    for (get, one, two) in [
        (2, ARGUMENTS, ARGUMENTS + 4),
        (3, ARGUMENTS + 8, ARGUMENTS + 64),
    ] {
        i32(&mut body, one);
        i32(&mut body, two);
        body.instruction(&Instruction::Call(get));
        body.instruction(&Instruction::Drop);
    }
    for round in 0..2 {
        for (number, (parameters, result)) in FUNCTIONS.iter().enumerate() {
            // The address of the store behind the call.
            i32(&mut body, RESULTS + 8 * number as i32);
            for parameter in *parameters {
                let value = random.number();
                body.instruction(&match parameter {
                    ValType::I32 => Instruction::I32Const(value as i32 >> (value >> 59)),
                    ValType::I64 => Instruction::I64Const(value as i64 >> (value >> 58)),
                    _ => Instruction::F64Const((value as i64 as f64).into()),
                });
            }
            body.instruction(&Instruction::Call(host + number as u32));
            body.instruction(&match result {
                ValType::I32 => Instruction::I32Store(memory),
                ValType::I64 => Instruction::I64Store(memory),
                _ => Instruction::F64Store(memory),
            });
        }
        let (from, length) = match round {
            0 => (RESULTS, 8 * FUNCTIONS.len() as i32),
            _ => (0, MEMORY),
        };
        for (address, value) in [(VECTOR, from), (VECTOR + 4, length)] {
            i32(&mut body, address);
            i32(&mut body, value);
            body.instruction(&Instruction::I32Store(memory));
        }
        for value in [1, VECTOR, 1, VECTOR + 8] {
            i32(&mut body, value);
        }
        body.instruction(&Instruction::Call(0));
        body.instruction(&Instruction::Drop);
    }
    if random.chance(50) {
        i32(&mut body, random.pick(&[0, 1]));
        body.instruction(&Instruction::Call(1));
    }
    body.instruction(&Instruction::End);
    body
}
