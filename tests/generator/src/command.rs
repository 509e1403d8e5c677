//! Generates command programs of WASI preview 1 from a seed.
//!
//! `wasm-smith` makes functions and a memory. `_start` calls each function and some functions of
//! preview 1, and writes the results and the memory to standard output. So the output shows what
//! the program did.
//!
//! Most of the programs can become components of edgec. Some do what only core modules may do: they
//! ask for the memory's size, exit with other codes, or call functions for which the adapter has
//! different results.

use wasm_encoder::reencode::Reencode;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    MemArg, TypeSection, ValType,
};
use wasm_smith::Config;

use crate::arithmetic;
use crate::calls::Host;
use crate::program::{DROP, config, kinds, smith, with_operators};
use crate::random::Random;
use crate::sections::{CODE, EXPORTS, IMPORTS, Sections, TYPES};
use crate::sink;

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
/// The functions of the host that every program calls: the name, the number of parameters, and
/// whether it has a result. All types are i32.
const HOST: &[(&str, usize, bool)] = &[("fd_write", 4, true), ("proc_exit", 1, false)];
const FD_WRITE: u32 = 0;
const PROC_EXIT: u32 = 1;

/// The place of results, their number of bytes, and the place of the vector for `fd_write`.
const RESULTS: i32 = 1024;
const LENGTH: i32 = 8 * (FUNCTIONS.len() as i32 + 2);
const VECTOR: i32 = 1000;
/// The initial size of the memory, in bytes. All of it is printed at the end.
const MEMORY: i32 = 2 * 65536;
/// How many of 100 programs have a sum of computed values, and a function that computes much.
const SUMS: usize = 60;
const ARITHMETIC: usize = 40;

/// The program of a seed. `None` if the generator gave up.
pub fn command(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed, "command");
    let shape = wat::parse_str(shape()).expect("a module");
    let config = Config {
        module_shape: Some(shape),
        max_imports: 0,
        max_memories: 1,
        // The memories of the shape are enough.
        min_memories: 0,
        min_funcs: 0,
        multi_value_enabled: true,
        allow_floats: true,
        reference_types_enabled: random.chance(50),
        allow_start_export: false,
        // Programs can be compared with stock Wasmtime only if nothing traps.
        disallow_traps: random.chance(75),
        // The adapter's encoder reads neither of these.
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        ..config(&mut random)
    };
    let kinds = kinds(&config);
    let (mut module, _) = smith(config, &mut random)?;
    let different = random.chance(8);
    let mut program = Program {
        driver: None,
        sum: None,
        host: Host::new(&mut random, different),
    };
    if let Some((visible, sum)) = sink::visible(&module, &mut random, SUMS) {
        module = visible;
        program.sum = Some(sum);
    }
    if random.chance(ARITHMETIC)
        && let Some((more, driver)) = arithmetic::added(&module, &mut random, &kinds)
    {
        module = more;
        program.driver = Some(driver);
    }
    program.finished(&module, &mut random)
}

/// [`SHAPE`] with bodies, which a module in the text format needs.
fn shape() -> String {
    SHAPE
        .replace("(result i32))", "(result i32) unreachable)")
        .replace("(result i64))", "(result i64) unreachable)")
        .replace("(result f64))", "(result f64) unreachable)")
}

/// Puts the host's functions before the module's.
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

/// What `_start` calls and reads in addition to [`FUNCTIONS`].
struct Program {
    /// A function that computes much, from an i64 to an i64.
    driver: Option<u32>,
    /// A global of type i64.
    sum: Option<u32>,
    host: Host,
}

impl Program {
    fn finished(mut self, module: &[u8], random: &mut Random) -> Option<Vec<u8>> {
        let own = HOST.iter().map(|(name, parameters, result)| {
            let parameters = vec![ValType::I32; *parameters];
            (*name, parameters, result.then_some(ValType::I32))
        });
        let more = self
            .host
            .imports()
            .map(|(name, parameters)| (name, parameters, Some(ValType::I32)));
        let imports: Vec<_> = own.chain(more).collect();
        let host = imports.len() as u32;
        let mut whole = wasm_encoder::Module::new();
        let parsed = wasmparser::Parser::new(0);
        Behind(host)
            .parse_core_module(&mut whole, parsed, module)
            .ok()?;
        let mut sections = Sections::of(&whole.finish());
        if random.chance(90) {
            sections = of_fixed_memory(&sections);
        }
        for (name, parameters, result) in imports {
            let mut types = TypeSection::new();
            types.ty().function(parameters, result);
            let ty = sections.add(TYPES, &types);
            let mut import = ImportSection::new();
            import.import("wasi_snapshot_preview1", name, EntityType::Function(ty));
            sections.add(IMPORTS, &import);
        }
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let ty = sections.add(TYPES, &types);
        let mut function = FunctionSection::new();
        function.function(ty);
        let start = host + sections.add(crate::sections::FUNCTIONS, &function);
        let mut code = CodeSection::new();
        code.function(&self.start(host, random));
        sections.add(CODE, &code);
        let mut export = ExportSection::new();
        export.export("_start", ExportKind::Func, start);
        sections.add(EXPORTS, &export);
        Some(sections.bytes())
    }

    /// The function `_start`. `host` is the number of imported functions.
    fn start(&mut self, host: u32, random: &mut Random) -> Function {
        let mut body = Function::new([]);
        let mut code = body.instructions();
        let memory = MemArg {
            offset: 0,
            align: 0,
            memory_index: 0,
        };
        let share = random.pick(&[0, 0, 25, 100]);
        for round in 0..2 {
            for (number, (parameters, result)) in FUNCTIONS.iter().enumerate() {
                // Many of these functions trap. Then the two kinds need not behave the same.
                if !random.chance(share) {
                    continue;
                }
                // The address for the store after the call.
                code.i32_const(RESULTS + 8 * number as i32);
                for parameter in *parameters {
                    let value = random.number();
                    match parameter {
                        ValType::I32 => code.i32_const(value as i32 >> (value >> 59)),
                        ValType::I64 => code.i64_const(value as i64 >> (value >> 58)),
                        _ => code.f64_const((value as i64 as f64).into()),
                    };
                }
                code.call(host + number as u32);
                match result {
                    ValType::I32 => code.i32_store(memory),
                    ValType::I64 => code.i64_store(memory),
                    _ => code.f64_store(memory),
                };
            }
            for _ in 0..random.pick(&[0, 3, 10]) {
                let first = HOST.len() as u32;
                self.host.call(&mut code, random, first, MEMORY);
            }
            let more = RESULTS + 8 * FUNCTIONS.len() as i32;
            if let Some(driver) = self.driver {
                code.i32_const(more).i64_const(random.number() as i64);
                code.call(host + driver).i64_store(memory);
            }
            if let Some(sum) = self.sum {
                code.i32_const(more + 8).global_get(sum).i64_store(memory);
            }
            let (from, length) = match round {
                0 => (RESULTS, LENGTH),
                _ => (0, MEMORY),
            };
            for (address, value) in [(VECTOR, from), (VECTOR + 4, length)] {
                code.i32_const(address).i32_const(value).i32_store(memory);
            }
            for value in [1, VECTOR, 1, VECTOR + 8] {
                code.i32_const(value);
            }
            code.call(FD_WRITE).drop();
        }
        if random.chance(50) {
            let other = random.chance(20);
            code.i32_const(random.pick(match other {
                true => &[2, 10, 100],
                false => &[0, 1, 1],
            }));
            code.call(PROC_EXIT);
        }
        code.end();
        body
    }
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
