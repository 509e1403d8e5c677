//! Maps each piece of an image's code to a function of a core module.
//!
//! A debug file has all functions and their names. The engine's own table in the image has only
//! numbers, and in an image of the `edge` profile only the functions that a host can reach. It
//! always has the names of exports, because a host finds exports by name.
//!
//! The engine's types decode the table, and they trust it. So the table of an unverified image is
//! read in a separate process.

use std::collections::BTreeSet;
use std::ffi::OsString;

use postcard::{from_bytes, to_allocvec};
use serde::{Deserialize, Serialize};
use wasmtime_environ::CompiledFunctionsTable;

use crate::image::load_parts::{LoadPart, load_parts};
use crate::image::metadata::{self, Metadata};
use crate::image::trim::{Table, TrimError};
use crate::worker::deadline::Deadline;
use crate::worker::{self, ReadError, Worker};
use crate::{DebugInfo, Image, ProgramKind};

/// The code of one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCode {
    /// The number of the core module.
    pub module: u32,
    /// The function's index in it. Imported functions count.
    pub index: u32,
    /// The program's name for it, if known.
    pub name: Option<String>,
    /// Its start, in bytes from the start of the code.
    pub start: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// The process that reads an image's table: a program that calls [`code_map_worker`]. An unverified
/// image can make the decoder ask for any amount of memory.
#[derive(Clone, Debug)]
pub struct CodeMapProcess {
    /// How the process is started.
    pub worker: Worker,
}

/// The maximum length of an answer about functions, in bytes (8 MiB). A function takes about ten
/// bytes of it, and some hundred bytes of memory after it is read. The largest known program has
/// 75,000 functions.
const MAX_FUNCTIONS_LEN: u64 = 8 << 20;

/// The maximum length of a list of exports, in bytes (16 MiB). The longest known list takes seven
/// MiB.
const MAX_EXPORTS_LEN: u64 = 16 << 20;

impl CodeMapProcess {
    /// The functions in the engine's table of an image, sorted by their place. `info` is the
    /// content of the section `.wasmtime.info`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: [`Unreadable`](ReadError::Unreadable) if the engine of this version would
    /// write the table differently.
    pub fn functions(
        &self,
        info: &[u8],
        kind: ProgramKind,
        deadline: Deadline,
    ) -> Result<Vec<FunctionCode>, ReadError> {
        self.run("functions", info, kind, MAX_FUNCTIONS_LEN, deadline)
    }

    /// The places where the engine enters the code, in bytes from its start, as the engine's table
    /// states them. These are the functions of modules, and the code that the compiler adds between
    /// them and the host. `info` is the content of the section `.wasmtime.info`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: [`Unreadable`](ReadError::Unreadable) if the engine of this version would
    /// write the table differently.
    pub fn entries(
        &self,
        info: &[u8],
        kind: ProgramKind,
        deadline: Deadline,
    ) -> Result<Vec<u32>, ReadError> {
        self.run("entries", info, kind, MAX_FUNCTIONS_LEN, deadline)
    }

    /// The engine's names for the program's exports, sorted. `info` is the content of the section
    /// `.wasmtime.info`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: [`Unreadable`](ReadError::Unreadable) if the engine of this version would
    /// write the table differently.
    pub fn exports(
        &self,
        info: &[u8],
        kind: ProgramKind,
        deadline: Deadline,
    ) -> Result<Vec<String>, ReadError> {
        self.run("exports", info, kind, MAX_EXPORTS_LEN, deadline)
    }

    /// The parts of the description that an engine decodes at each load. `info` is the content of
    /// the section `.wasmtime.info`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: [`Unreadable`](ReadError::Unreadable) if the engine of this version would
    /// write the description differently.
    pub fn load_parts(
        &self,
        info: &[u8],
        kind: ProgramKind,
        deadline: Deadline,
    ) -> Result<Vec<LoadPart>, ReadError> {
        self.run("load-parts", info, kind, MAX_FUNCTIONS_LEN, deadline)
    }

    fn run<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        info: &[u8],
        kind: ProgramKind,
        most: u64,
        deadline: Deadline,
    ) -> Result<T, ReadError> {
        let arguments = [what, kind.name()];
        worker::read(&self.worker.ask(&arguments, info, most, deadline)?)
    }
}

/// The worker process: reads the arguments of [`CodeMapProcess`], and a table from standard input,
/// and answers on standard output.
///
/// # Errors
///
/// The arguments or the streams are invalid: edgec did not start this process.
pub fn code_map_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [what, kind] = worker::arguments(arguments)?;
    let kind = ProgramKind::named(&kind).ok_or_else(worker::usage)?;
    let info = worker::input()?;
    let unreadable = |error: postcard::Error| error.to_string();
    match what.as_str() {
        "functions" => worker::answer_read(functions(&info, kind).map_err(unreadable)),
        "entries" => worker::answer_read(entries(&info, kind).map_err(unreadable)),
        "load-parts" => worker::answer_read(load_parts(&info, kind).map_err(unreadable)),
        "exports" => worker::answer_read(exports(&info, kind).map_err(unreadable)),
        _ => Err(worker::usage()),
    }
}

impl Image<'_> {
    /// Like [`CodeMapProcess::functions`], for an image that was just compiled.
    ///
    /// # Errors
    ///
    /// [`TrimError::Metadata`] if the engine of this version would write the table differently.
    pub fn functions(&self, kind: ProgramKind) -> Result<Vec<FunctionCode>, TrimError> {
        let info = self.section(metadata::SECTION).unwrap_or_default();
        Ok(functions(info, kind)?)
    }

    /// Like [`CodeMapProcess::entries`], for an image that was just compiled.
    ///
    /// # Errors
    ///
    /// [`TrimError::Metadata`] if the engine of this version would write the table differently.
    pub fn entries(&self, kind: ProgramKind) -> Result<Vec<u32>, TrimError> {
        let info = self.section(metadata::SECTION).unwrap_or_default();
        Ok(entries(info, kind)?)
    }
}

fn functions(info: &[u8], kind: ProgramKind) -> Result<Vec<FunctionCode>, postcard::Error> {
    let metadata = Metadata::read(info, kind)?;
    let modules = metadata.modules();
    let mut functions = Vec::new();
    for (number, defined, start, size) in own(metadata.functions())?.defined() {
        let at = usize::try_from(number).ok();
        let module = at.and_then(|at| modules.get(at));
        let imported = module.map_or(0, |module| module.num_imported_funcs);
        let imported = u32::try_from(imported).unwrap_or(u32::MAX);
        functions.push(FunctionCode {
            module: number,
            index: defined.saturating_add(imported),
            name: None,
            start: start.into(),
            size: size.into(),
        });
    }
    functions.sort_by_key(|function| function.start);
    Ok(functions)
}

fn entries(info: &[u8], kind: ProgramKind) -> Result<Vec<u32>, postcard::Error> {
    let metadata = Metadata::read(info, kind)?;
    Ok(own(metadata.functions())?.entries())
}

fn exports(info: &[u8], kind: ProgramKind) -> Result<BTreeSet<String>, postcard::Error> {
    Ok(match Metadata::read(info, kind)? {
        Metadata::Component(artifacts) => {
            let exports = artifacts.info.component.exports.raw_iter();
            exports.map(|(name, _)| name.to_string()).collect()
        }
        Metadata::Module(artifacts) => {
            let module = &artifacts.0.module;
            let names = module.exports.keys();
            let names = names.filter_map(|name| module.strings.get(*name));
            names.map(str::to_owned).collect()
        }
    })
}

/// The same table in a type whose fields are accessible.
fn own(table: &CompiledFunctionsTable) -> Result<Table, postcard::Error> {
    from_bytes(&to_allocvec(table)?)
}

impl DebugInfo<'_> {
    /// The numbers and names of the core modules that have names, sorted by number.
    pub fn modules(&self) -> impl Iterator<Item = (u32, &str)> {
        let modules = self.modules.iter();
        modules.map(|(number, name)| (*number, name.as_ref()))
    }

    /// Every function of the program, sorted by its place.
    pub fn functions(&self) -> impl Iterator<Item = FunctionCode> {
        self.symbols.iter().filter_map(|symbol| {
            let (module, index, name) = crate::image::debug_info::parse_name(&symbol.name)?;
            Some(FunctionCode {
                module,
                index,
                name: name.map(str::to_owned),
                start: symbol.start,
                size: symbol.size,
            })
        })
    }
}
