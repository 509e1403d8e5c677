//! Proves that a core module of WASI preview 1 behaves the same as a component.
//!
//! An engine runs a core module with its own preview 1, and the module has its memory for itself.
//! In a component, an adapter implements the imports. The adapter has its stack and its state in
//! the module's memory. It takes one page at instantiation and one more at the first call, both by
//! `memory.grow`. So four kinds of programs behave differently. A program that uses everything up
//! to `memory.size` overwrites the adapter's pages. A program whose memory cannot grow traps. A
//! program whose start section calls an import finds no adapter. And WASI 0.2 has only two exit
//! codes.
//!
//! The rule is a pure function of the module. It returns a proof or an obstacle; whatever it does
//! not know is an obstacle. A core module is right in every case. The rule assumes that programs
//! keep to their own memory. A program that reads or writes beyond its memory traps as a core
//! module, and may reach the adapter's pages in a component.
//!
//! A module's `cabi_realloc` proves nothing. The adapter would call it before the program's own
//! start. Nothing says that it works then, or what it returns. So the encoder is told to grow the
//! memory instead.
//!
//! Source: `wit-component` 0.254, `src/encoding.rs` and `src/gc.rs`; Wasmtime 48,
//! `wasi-preview1-component-adapter`.

mod allocators;
mod facts;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasmparser::{BinaryReaderError, ExternalKind, FuncType, MemoryType, Operator, TypeRef};

use self::facts::{Code, Facts};

/// Why a component behaves as the core module does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// No function asks for the memory's size or for more memory.
    StaticMemory,
    /// Only `sbrk` and `dlmalloc` of wasi-libc do, since wasi-sdk 20. They use the memory that the
    /// linker gave them, and what `memory.grow` returns. They expect that others grow the memory in
    /// between.
    WasiLibc,
    /// Only the allocator of Zig's standard library does. It divides what `memory.grow` returns,
    /// and never asks where the memory ends.
    Zig,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proof::StaticMemory => "it never asks for its memory's size or for more memory",
            Proof::WasiLibc => "its allocator is wasi-libc's, which takes no memory but its own",
            Proof::Zig => "its allocator is Zig's, which takes no memory but its own",
        })
    }
}

/// Why a component might not behave as the core module does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// An import that no adapter implements.
    #[error("it imports `{import}`, which is not of WASI preview 1")]
    OtherImport {
        /// `module::name`.
        import: String,
    },
    /// An import of `wasi_snapshot_preview1` that WASI preview 1 does not have.
    #[error("it imports `{import}`, which WASI preview 1 does not have")]
    UnknownFunction {
        /// `module::name`.
        import: String,
    },
    /// An import of `wasi_snapshot_preview1` with the wrong type.
    #[error("it imports `{import}` with the type {found}, WASI preview 1 has it as {expected}")]
    ImportType {
        /// `module::name`.
        import: String,
        /// Its type in the module.
        found: String,
        /// Its type in WASI.
        expected: String,
    },
    /// No `_start`: nothing that a component could export.
    #[error("it exports no `_start`: it is a library, and a component of it would export nothing")]
    NoStart,
    /// A `_start` of another type than a command's, which is a function () -> ().
    #[error("its `_start` is {found}, a command's is a function () -> ()")]
    StartType {
        /// What it is.
        found: String,
    },
    /// No memory that WASI could read and write.
    #[error(
        "it exports no memory as `memory`, which WASI preview 1 works on{}",
        named(others)
    )]
    NoMemory {
        /// The names under which it exports memories.
        others: Vec<String>,
    },
    /// A memory that the adapter cannot use.
    #[error("its memory is {what}, which the adapter cannot use")]
    Memory {
        /// For example, `64-bit`.
        what: &'static str,
    },
    /// A memory without room for the adapter.
    #[error("its memory has {} and may have {maximum}: the adapter needs two more", pages(*initial))]
    FixedMemory {
        /// Pages of 64 KiB at instantiation.
        initial: u64,
        /// Pages of 64 KiB at most.
        maximum: u64,
    },
    /// A memory that the program may fill up before the adapter has its pages.
    #[error(
        "its memory may have at most {}, and it may grow to that before the adapter has its own",
        pages(*maximum)
    )]
    Maximum {
        /// Pages of 64 KiB at most.
        maximum: u64,
    },
    /// A start section that may call an import: in a component, the adapter does not exist yet.
    #[error("its start section may call `{import}`, before there is an adapter that answers")]
    StartSection {
        /// `module::name`.
        import: String,
    },
    /// An export that the encoder would call.
    #[error("it exports `{name}`, a name with a meaning of its own in a component")]
    ReservedExport {
        /// The export.
        name: String,
    },
    /// A function that may use the adapter's pages as the program's own.
    #[error("{function} {asks}, and may take the adapter's memory for the program's")]
    Allocator {
        /// The first such function: its index, and its name where the module has one.
        function: String,
        /// What it does.
        asks: &'static str,
    },
    /// An exit code that WASI 0.2 does not have. If this is the only obstacle, a component is still
    /// made when the user asks for one.
    #[error("it may exit with other codes than 0 and 1, and a component has no others")]
    ExitCode,
    /// Something else that the encoder does not accept.
    #[error("{reason}")]
    Encoder {
        /// The encoder's errors, the outermost first.
        reason: String,
    },
}

fn named(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!(" (it exports one as `{}`)", others.join("`, `")),
    }
}

fn pages(count: u64) -> String {
    match count {
        1 => "1 page".to_owned(),
        count => format!("{count} pages"),
    }
}

/// What the rule says about a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The proof, or the obstacle to any component.
    pub(crate) component: Result<Proof, Obstacle>,
    /// What a working component would lack.
    pub(crate) lacks: Option<Obstacle>,
}

/// Whether a valid core module imports WASI preview 1.
pub(crate) fn imports_preview1(interface: &crate::Interface) -> bool {
    let mut modules = interface.imports.iter().map(|name| name.split("::").next());
    modules.any(|module| module == Some(PREVIEW1))
}

/// Whether a core module carries component types, as `wit-bindgen` writes them.
pub(crate) fn has_component_types(wasm: &[u8]) -> bool {
    Facts::of(wasm).is_ok_and(|facts| facts.component_types)
}

/// The first import that WASI preview 1 does not have.
pub(crate) fn other_import(wasm: &[u8]) -> Option<Obstacle> {
    imports(&Facts::of(wasm).ok()?).err()
}

/// Judges a valid core module.
pub(crate) fn judge(wasm: &[u8]) -> Judgement {
    match judgement(wasm) {
        Ok(judgement) => judgement,
        // Whatever cannot be read is an obstacle.
        Err(error) => Judgement {
            component: Err(unreadable(&error)),
            lacks: None,
        },
    }
}

fn judgement(wasm: &[u8]) -> Result<Judgement, BinaryReaderError> {
    let facts = Facts::of(wasm)?;
    let memory = match sections(&facts) {
        Ok(memory) => memory,
        Err(obstacle) => {
            return Ok(Judgement {
                component: Err(obstacle),
                lacks: None,
            });
        }
    };
    let code = Code::of(&facts)?;
    let component = match start_section(&facts, &code)? {
        Some(import) => Err(Obstacle::StartSection { import }),
        None => room(memory, &code).and_then(|()| allocators::proof(&facts, &code)),
    };
    Ok(Judgement {
        component,
        lacks: code.exits_with_any_code.then_some(Obstacle::ExitCode),
    })
}

fn unreadable(error: &BinaryReaderError) -> Obstacle {
    Obstacle::Encoder {
        reason: error.message().to_owned(),
    }
}

/// Judges all sections except the code. Returns the memory.
fn sections(facts: &Facts<'_>) -> Result<MemoryType, Obstacle> {
    imports(facts)?;
    start(facts)?;
    for export in &facts.exports {
        let name = export.name;
        if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
            let name = name.to_owned();
            return Err(Obstacle::ReservedExport { name });
        }
    }
    memory(facts)
}

/// Whether the adapter can get its pages.
fn room(memory: MemoryType, code: &Code) -> Result<(), Obstacle> {
    let initial = memory.initial;
    match memory.maximum {
        Some(maximum) if maximum.saturating_sub(initial) < ADAPTER_PAGES => {
            Err(Obstacle::FixedMemory { initial, maximum })
        }
        Some(maximum) if code.grows() => Err(Obstacle::Maximum { maximum }),
        _ => Ok(()),
    }
}

/// The adapter's pages: one for its stack, and one for its state.
const ADAPTER_PAGES: u64 = 2;

/// How the names of exports begin that have a meaning for the encoder. `memory` has one too.
const RESERVED: [&str; 5] = [
    "_initialize",
    "cabi_",
    "canonical_abi_",
    "cm32p2",
    "__wasm_init_",
];

fn imports(facts: &Facts<'_>) -> Result<(), Obstacle> {
    let adapter = Facts::of(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER);
    // The adapter is a constant, and the encoder reads it as well.
    let adapter = adapter.map_err(|error| unreadable(&error))?;
    for import in &facts.imports {
        let name = format!("{}::{}", import.module, import.name);
        if import.module != PREVIEW1 {
            return Err(Obstacle::OtherImport { import: name });
        }
        let unknown = || Obstacle::UnknownFunction {
            import: name.clone(),
        };
        let TypeRef::Func(ty) = import.ty else {
            return Err(unknown());
        };
        let of_adapter = adapter.export(import.name, ExternalKind::Func);
        let expected = of_adapter.and_then(|function| adapter.function_type(function));
        let expected = expected.ok_or_else(unknown)?;
        match facts.types.get(ty as usize) {
            Some(Some(found)) if found == expected => {}
            found => {
                return Err(Obstacle::ImportType {
                    import: name,
                    found: found
                        .and_then(Option::as_ref)
                        .map_or("no function".to_owned(), signature),
                    expected: signature(expected),
                });
            }
        }
    }
    Ok(())
}

fn start(facts: &Facts<'_>) -> Result<(), Obstacle> {
    let Some(export) = facts.exports.iter().find(|it| it.name == "_start") else {
        return Err(Obstacle::NoStart);
    };
    let ty = match export.kind {
        ExternalKind::Func => facts.function_type(export.index),
        _ => None,
    };
    match ty {
        Some(ty) if ty.params().is_empty() && ty.results().is_empty() => Ok(()),
        ty => Err(Obstacle::StartType {
            found: ty.map_or("no function".to_owned(), |ty| {
                format!("a function {}", signature(ty))
            }),
        }),
    }
}

/// `(i32, i64) -> (i32)`.
fn signature(ty: &FuncType) -> String {
    let list = |types: &[wasmparser::ValType]| {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        format!("({})", types.join(", "))
    };
    format!("{} -> {}", list(ty.params()), list(ty.results()))
}

fn memory(facts: &Facts<'_>) -> Result<MemoryType, Obstacle> {
    let Some(index) = facts.export("memory", ExternalKind::Memory) else {
        let memories = facts.exports.iter();
        let memories = memories.filter(|export| export.kind == ExternalKind::Memory);
        let others = memories.map(|export| export.name.to_owned()).collect();
        return Err(Obstacle::NoMemory { others });
    };
    let unusable = |what| Err(Obstacle::Memory { what });
    match facts.memories.get(index as usize) {
        Some(memory) if memory.memory64 => unusable("64-bit"),
        Some(memory) if memory.shared => unusable("shared"),
        Some(memory) if memory.page_size_log2.is_some_and(|log2| log2 != 16) => {
            unusable("of pages that are not 64 KiB")
        }
        // The rule would have to follow which of them a function asks about.
        Some(_) if facts.memories.len() > 1 => unusable("one of several"),
        Some(memory) => Ok(*memory),
        None => unusable("not known"),
    }
}

/// An import that may be called while the start section runs. An indirect call may call every
/// function that something refers to.
fn start_section(facts: &Facts<'_>, code: &Code) -> Result<Option<String>, BinaryReaderError> {
    let mut left = Vec::from_iter(facts.start);
    let mut seen = BTreeSet::new();
    while let Some(function) = left.pop() {
        if !seen.insert(function) {
            continue;
        }
        if let Some(import) = facts.imported_function(function) {
            return Ok(Some(format!("{}::{}", import.module, import.name)));
        }
        let Some(body) = facts.body(function) else {
            continue;
        };
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    left.push(function_index);
                }
                Operator::CallIndirect { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::ReturnCallRef { .. } => left.extend(&code.referenced),
                _ => {}
            }
        }
    }
    Ok(None)
}
