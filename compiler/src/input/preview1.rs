//! Proves that a core module of WASI preview 1 behaves the same as a component.
//!
//! An engine runs a core module with its own preview 1, and the module's memory belongs to the
//! module alone. In a component, an adapter implements the imports. The adapter has its stack and
//! its state in the module's memory. It takes one page at instantiation and one more at the first
//! call, both by `memory.grow`. So four kinds of programs behave differently: a program that uses
//! everything up to `memory.size` overwrites the adapter's pages; a program whose memory cannot
//! grow traps; a program whose start section calls an import finds no adapter; and WASI 0.2 has
//! only two exit codes.
//!
//! The adapter also implements some functions of preview 1 differently from the engine.
//!
//! The rule depends only on the module. It either proves that no function asks where the memory
//! ends, or it names an obstacle. Everything that it does not know is an obstacle. A core module is
//! correct in every case. The rule assumes that programs use only their own memory. A program that
//! reads or writes beyond its memory traps as a core module, but may reach the adapter's pages in a
//! component.
//!
//! With some obstacles, a component still works: lost exit codes, different results of some
//! functions, and an allocator that is recognized by parts of its code ([`Lacks`]). Such a
//! component is made only if the user asks for it or the module carries component types. The build
//! then warns.
//!
//! A module's `cabi_realloc` proves nothing. The adapter would call it before the program's own
//! start, and nothing says that it works then, or what it returns. So the encoder is told to grow
//! the memory instead. In a module with component types, `cabi_realloc` is made for this purpose,
//! and the adapter gets its memory from it.
//!
//! Source: `wit-component` 0.254, `src/encoding.rs` and `src/gc.rs`; Wasmtime 48,
//! `wasi-preview1-component-adapter`.

mod allocators;
mod facts;
mod functions;
mod obstacle;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use edgec_targets::import_text;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasmparser::{BinaryReaderError, ExternalKind, FuncType, MemoryType, Operator, TypeRef};

use self::facts::{Code, Facts};
pub use self::obstacle::{Allocator, HostNeed, Lacks, Obstacle};

/// The result of the rule for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The obstacle to any component.
    pub(crate) component: Result<(), Obstacle>,
    /// How a component differs if there is no such obstacle. If this is empty, it behaves the same.
    pub(crate) lacks: Vec<Obstacle>,
}

impl Judgement {
    /// No component works.
    fn refused(obstacle: Obstacle) -> Self {
        Self {
            component: Err(obstacle),
            lacks: Vec::new(),
        }
    }
}

/// Whether a valid core module imports WASI preview 1.
pub(crate) fn imports_preview1(interface: &crate::Interface) -> bool {
    // The first `::` ends the module's name.
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

/// What a host must offer to run a valid core module.
pub(crate) fn need_of_host(wasm: &[u8]) -> HostNeed {
    let Ok(mut facts) = Facts::of(wasm) else {
        return HostNeed::Imports;
    };
    // `edgec run` offers the predecessor of preview 1 as well.
    facts.imports.retain(|import| import.module != PREDECESSOR);
    match (imports(&facts), start(&facts)) {
        (Err(_), _) => HostNeed::Imports,
        (Ok(()), Err(_)) => HostNeed::Calls,
        (Ok(()), Ok(())) => HostNeed::Preview1,
    }
}

/// The earlier name of preview 1.
const PREDECESSOR: &str = "wasi_unstable";

/// Applies the rule to a valid core module.
pub(crate) fn judge(wasm: &[u8]) -> Judgement {
    // Everything that cannot be read is an obstacle.
    judgement(wasm).unwrap_or_else(|error| Judgement::refused(unreadable(&error)))
}

/// Applies the rule to a valid core module that imports WASI preview 1 and carries component types.
/// It is meant to become a component, but perhaps not with an adapter.
pub(crate) fn judge_with_types(wasm: &[u8]) -> Judgement {
    judgement_with_types(wasm).unwrap_or_else(|error| Judgement::refused(unreadable(&error)))
}

fn judgement(wasm: &[u8]) -> Result<Judgement, BinaryReaderError> {
    let facts = Facts::of(wasm)?;
    let memory = match sections(&facts) {
        Ok(memory) => memory,
        Err(obstacle) => return Ok(Judgement::refused(obstacle)),
    };
    let code = Code::of(&facts)?;
    let allocator = shares(&facts, &code, memory)?;
    Ok(with_allocator(allocator, lacks(&facts, &code)))
}

fn judgement_with_types(wasm: &[u8]) -> Result<Judgement, BinaryReaderError> {
    let facts = Facts::of(wasm)?;
    let code = Code::of(&facts)?;
    // A library can run only as a component, so nothing is lost.
    let lacks = match facts.export("_start", ExternalKind::Func) {
        Some(_) => lacks(&facts, &code),
        None => Vec::new(),
    };
    let allocates = |name| facts.export(name, ExternalKind::Func).is_some();
    if REALLOC.into_iter().any(allocates) {
        // The adapter gets its memory from the program. A start section that calls an import fails
        // with an error.
        return Ok(Judgement {
            component: Ok(()),
            lacks,
        });
    }
    let allocator = match memory(&facts, &["memory", "cm32p2_memory"]) {
        Ok(memory) => shares(&facts, &code, memory)?,
        Err(obstacle) => Err(obstacle),
    };
    Ok(with_allocator(allocator, lacks))
}

/// Whether the adapter can work in the program's memory. If so, returns the program's allocator, if
/// it has one.
fn shares(
    facts: &Facts<'_>,
    code: &Code,
    memory: MemoryType,
) -> Result<Result<Option<Allocator>, Obstacle>, BinaryReaderError> {
    if let Some(import) = start_section(facts, code)? {
        return Ok(Err(Obstacle::StartSection { import }));
    }
    Ok(room(memory, code).and_then(|()| allocators::recognized(facts, code)))
}

fn with_allocator(
    allocator: Result<Option<Allocator>, Obstacle>,
    mut lacks: Vec<Obstacle>,
) -> Judgement {
    match allocator {
        Ok(allocator) => {
            lacks.extend(allocator.map(|like| Obstacle::LikelyAllocator { like }));
            Judgement {
                component: Ok(()),
                lacks,
            }
        }
        Err(obstacle) => Judgement::refused(obstacle),
    }
}

/// How a component differs in the answers of WASI.
fn lacks(facts: &Facts<'_>, code: &Code) -> Vec<Obstacle> {
    let mut lacks = Vec::new();
    if code.exits_with_any_code {
        lacks.push(Obstacle::ExitCode);
    }
    let imports = facts.imports.iter();
    let different = imports
        .filter(|it| it.module == PREVIEW1 && functions::DIFFERENT.contains(&it.name))
        .map(|it| import_text(it.module, it.name));
    // A module may import a function twice.
    let imports: Vec<String> = BTreeSet::from_iter(different).into_iter().collect();
    if !imports.is_empty() {
        lacks.push(Obstacle::DifferentFunction { imports });
    }
    lacks
}

fn unreadable(error: &BinaryReaderError) -> Obstacle {
    Obstacle::Encoder {
        reason: error.message().to_owned(),
    }
}

/// Checks all sections except the code. Returns the memory.
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
    memory(facts, &["memory"])
}

/// Whether the adapter can get its pages.
fn room(memory: MemoryType, code: &Code) -> Result<(), Obstacle> {
    let initial = memory.initial;
    let maximum = memory.maximum.unwrap_or(MAX_PAGES);
    if maximum.saturating_sub(initial) < ADAPTER_PAGES {
        return Err(Obstacle::FixedMemory { initial, maximum });
    }
    match memory.maximum {
        Some(maximum) if code.grows() => Err(Obstacle::Maximum { maximum }),
        _ => Ok(()),
    }
}

/// The maximum number of pages of a 32-bit memory: 4 GiB.
const MAX_PAGES: u64 = 1 << 16;

/// The adapter's pages: one for its stack, and one for its state.
const ADAPTER_PAGES: u64 = 2;

/// The exports from which the encoder lets the adapter get memory.
const REALLOC: [&str; 3] = ["cabi_realloc", "cabi_realloc_adapter", "cm32p2_realloc"];

/// The beginnings of export names that have a meaning for the encoder. `memory` has one too.
const RESERVED: [&str; 5] = [
    "_initialize",
    "cabi_",
    "canonical_abi_",
    "cm32p2",
    "__wasm_init_",
];

fn imports(facts: &Facts<'_>) -> Result<(), Obstacle> {
    let adapter = Facts::of(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER);
    // The adapter is a constant, which the encoder reads as well.
    let adapter = adapter.map_err(|error| unreadable(&error))?;
    for import in &facts.imports {
        let name = import_text(import.module, import.name);
        if import.module != PREVIEW1 {
            return Err(Obstacle::OtherImport { import: name });
        }
        let unknown = || Obstacle::UnknownFunction {
            import: name.clone(),
        };
        let TypeRef::Func(ty) = import.ty else {
            return Err(unknown());
        };
        if !functions::exists(import.name) {
            return Err(unknown());
        }
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

/// The memory that is exported under one of these names.
fn memory(facts: &Facts<'_>, names: &[&str]) -> Result<MemoryType, Obstacle> {
    let mut found = names.iter();
    let found = found.find_map(|name| facts.export(name, ExternalKind::Memory));
    let Some(index) = found else {
        let memories = facts.exports.iter();
        let memories = memories.filter(|export| export.kind == ExternalKind::Memory);
        let others = memories.map(|export| export.name.to_owned()).collect();
        return Err(Obstacle::NoMemory { others });
    };
    let unusable = |what: &'static str| Err(Obstacle::Memory { what: what.into() });
    match facts.memories.get(index as usize) {
        Some(memory) if memory.memory64 => unusable("64-bit"),
        Some(memory) if memory.shared => unusable("shared"),
        Some(memory) if memory.page_size_log2.is_some_and(|log2| log2 != 16) => {
            unusable("of pages that are not 64 KiB")
        }
        // The rule would have to find out which memory a function asks about.
        Some(_) if facts.memories.len() > 1 => unusable("one of several"),
        Some(memory) => Ok(*memory),
        None => unusable("not known"),
    }
}

/// An import that may be called while the start section runs. An indirect call may call every
/// function that something refers to. These are added once, for any number of indirect calls.
fn start_section(facts: &Facts<'_>, code: &Code) -> Result<Option<String>, BinaryReaderError> {
    let mut left = Vec::from_iter(facts.start);
    let mut seen = BTreeSet::new();
    let mut indirect = false;
    while let Some(function) = left.pop() {
        if !seen.insert(function) {
            continue;
        }
        if let Some(import) = facts.imported_function(function) {
            return Ok(Some(import_text(import.module, import.name)));
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
                | Operator::ReturnCallRef { .. }
                    if !indirect =>
                {
                    indirect = true;
                    left.extend(&code.referenced);
                }
                _ => {}
            }
        }
    }
    Ok(None)
}
