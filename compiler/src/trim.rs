//! Leaving out of the engine's metadata what no load, instantiation or call reads.
//!
//! Two thirds of a load is the decoding of `.wasmtime.info`, and most of that is one entry
//! after the other for every function. The engine asks for a function's type and place when it
//! makes a reference to it, which it does only for functions that *escape*; calls inside
//! a module were linked when it was compiled. So of the functions behind the last one that
//! escapes nothing is kept ([`crate::order`] puts them there), and of the others neither
//! where they came from nor what they were called.
//!
//! What is left of the readers, all in `wasmtime` 48 (`docs/edge.md` has the list): backtraces
//! that a host forces although they are off see fewer frames, profilers fewer functions, and
//! `Module::functions` gives those that are kept. None of them fails.

use std::ops::Range;

use postcard::{from_bytes, to_allocvec};
use serde::{Deserialize, Serialize};
use wasmtime_environ::component::ComponentArtifacts;
use wasmtime_environ::{
    CompiledFunctionsTable, CompiledModuleInfo, DefinedFuncIndex, EntityRef as _, FuncKey,
    FuncKeyIndex, FuncKeyKind, FuncKeyNamespace, FunctionType, Module, ModuleTypes,
};

use crate::{Image, ImageError, Kind};

const METADATA: &str = ".wasmtime.info";
const NAMES: &str = ".name.wasm";

/// Why an image cannot be trimmed: each is a defect, of this crate or of the compiler.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrimError {
    /// The image cannot be read or written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The metadata is not as the engine of this version writes it.
    #[error("the engine's metadata: {0}")]
    Metadata(#[from] postcard::Error),
    /// What came out would not have been what went in.
    #[error("trimmed metadata differs: {0}")]
    Differs(&'static str),
}

/// An image without what only backtraces, debuggers and profilers read.
pub(crate) fn trim(image: &[u8], kind: Kind) -> Result<Vec<u8>, TrimError> {
    let mut image = Image::parse(image)?;
    let before = image.section(METADATA).unwrap_or_default();
    let after = match kind {
        Kind::Component => trimmed::<ComponentArtifacts>(before)?,
        Kind::Module => trimmed::<ModuleArtifacts>(before)?,
    };
    image.replace(METADATA, after)?;
    image.drop_section(NAMES);
    Ok(image.write()?)
}

/// What `.wasmtime.info` of a core module holds (`wasmtime`, `runtime/module.rs`).
type ModuleArtifacts = (CompiledModuleInfo, CompiledFunctionsTable, ModuleTypes);

/// Either kind of metadata.
trait Artifacts: Serialize + for<'a> Deserialize<'a> {
    fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>);
}

impl Artifacts for ComponentArtifacts {
    fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>) {
        let modules = self.static_modules.iter_mut().map(|(_, module)| module);
        (&mut self.table, modules.collect())
    }
}

impl Artifacts for ModuleArtifacts {
    fn parts(&mut self) -> (&mut CompiledFunctionsTable, Vec<&mut CompiledModuleInfo>) {
        (&mut self.1, vec![&mut self.0])
    }
}

fn trimmed<A: Artifacts>(metadata: &[u8]) -> Result<Vec<u8>, TrimError> {
    let mut artifacts: A = from_bytes(metadata)?;
    let (table, modules) = artifacts.parts();
    let mut rows: Table = convert(table)?;
    for info in modules {
        let kept = kept(&info.module);
        let mut functions: Vec<FunctionType> = convert(&info.module.functions)?;
        functions.truncate(info.module.num_imported_funcs.saturating_add(kept));
        info.module.functions = convert(&functions)?;
        info.func_names = Vec::new();
        rows.cut(defined_functions(&info.module), kept)?;
    }
    *table = convert(&rows)?;
    let trimmed = to_allocvec(&artifacts)?;
    check::<A>(metadata, &trimmed)?;
    Ok(trimmed)
}

/// How many of the functions that a module defines are kept: up to the last that escapes.
fn kept(module: &Module) -> usize {
    let escaping = module
        .functions
        .iter()
        .filter(|(_, function)| function.is_escaping());
    let last = escaping.last().map_or(0, |(index, _)| index.index() + 1);
    last.saturating_sub(module.num_imported_funcs)
}

fn defined_functions(module: &Module) -> FuncKeyNamespace {
    FuncKey::DefinedWasmFunction(module.module_index, DefinedFuncIndex::new(0)).namespace()
}

/// From one type to another with the same encoding.
fn convert<T: for<'a> Deserialize<'a>>(value: &impl Serialize) -> Result<T, postcard::Error> {
    from_bytes(&to_allocvec(value)?)
}

/// The engine's table of functions ([`CompiledFunctionsTable`], whose fields are private).
///
/// A namespace is a kind of function, and the module where there is one. Its rows begin in
/// `locations` at the entry of `starts` and end where the next one's begin. In some a row's
/// number is the function's, with gaps; in the others `sparse` has the numbers.
#[derive(Serialize, Deserialize)]
struct Table {
    namespaces: Vec<FuncKeyNamespace>,
    starts: Vec<u32>,
    sparse_starts: Vec<u32>,
    source_starts: Vec<u32>,
    sparse: Vec<FuncKeyIndex>,
    /// Offset and length in the code.
    locations: Vec<(u32, u32)>,
    sources: Vec<u32>,
}

impl Table {
    /// The ends of a list's parts.
    fn part(starts: &[u32], namespace: usize, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(*starts.get(namespace)?).ok()?;
        let end = match starts.get(namespace.checked_add(1)?) {
            Some(end) => usize::try_from(*end).ok()?,
            None => len,
        };
        (start <= end && end <= len).then_some(start..end)
    }

    /// Cuts a namespace of functions with source places down to `kept` rows, and forgets the
    /// places. A namespace that is left without rows goes, so that a look-up by place never
    /// takes it for the one that begins there.
    fn cut(&mut self, namespace: FuncKeyNamespace, kept: usize) -> Result<(), TrimError> {
        let malformed = TrimError::Differs("the table of functions is not understood");
        let found = self.namespaces.iter().position(|it| *it == namespace);
        let Some(at) = found else {
            return Ok(());
        };
        let rows = Self::part(&self.starts, at, self.locations.len());
        let sources = Self::part(&self.source_starts, at, self.sources.len());
        let (Some(rows), Some(sources)) = (rows, sources) else {
            return Err(malformed);
        };
        if rows.len() != sources.len() {
            return Err(malformed);
        }
        let kept = kept.min(rows.len());
        let cut = rows.len() - kept;
        self.locations.drain(rows.start + kept..rows.end);
        self.sources.drain(sources.start + kept..sources.end);
        // Read only by a backtrace, which expects that there is one.
        if let Some(places) = self.sources.get_mut(sources.start..sources.start + kept) {
            places.fill(0);
        }
        let cut = u32::try_from(cut).map_err(|_| malformed)?;
        for starts in [&mut self.starts, &mut self.source_starts] {
            for start in starts.iter_mut().skip(at + 1) {
                *start = start.saturating_sub(cut);
            }
        }
        if kept == 0 {
            self.namespaces.remove(at);
            self.starts.remove(at);
            self.sparse_starts.remove(at);
            self.source_starts.remove(at);
        }
        Ok(())
    }

    /// Every key that the table has a row for.
    fn keys(&self) -> Option<Vec<FuncKey>> {
        let mut keys = Vec::new();
        for (at, namespace) in self.namespaces.iter().enumerate() {
            let rows = Self::part(&self.starts, at, self.locations.len())?;
            let sparse = Self::part(&self.sparse_starts, at, self.sparse.len())?;
            for row in 0..rows.len() {
                let index = if sparse.is_empty() {
                    FuncKeyIndex::from_raw(u32::try_from(row).ok()?)
                } else {
                    *self.sparse.get(sparse.start.checked_add(row)?)?
                };
                keys.push(FuncKey::from_parts(*namespace, index));
            }
        }
        Some(keys)
    }
}

/// Holds the trimmed metadata against what it was made of, by the engine's own look-ups:
///
/// - every function that the runtime can ask for is where it was, and no other answer is wrong;
/// - with what was cut put back, it is the same, byte for byte.
fn check<A: Artifacts>(before: &[u8], after: &[u8]) -> Result<(), TrimError> {
    let mut old: A = from_bytes(before)?;
    let mut new: A = from_bytes(after)?;
    let (old_table, old_modules) = old.parts();
    let (new_table, new_modules) = new.parts();
    let may_go = |key: FuncKey| match key {
        FuncKey::DefinedWasmFunction(module, function) => {
            let mut modules = old_modules.iter().map(|info| &info.module);
            let module = modules.find(|it| it.module_index == module);
            module.is_some_and(|module| {
                let function = module.functions.get(module.func_index(function));
                function.is_some_and(|function| !function.is_escaping())
            })
        }
        _ => false,
    };
    let keys = convert::<Table>(old_table)?.keys();
    let keys = keys.ok_or(TrimError::Differs("the table of functions"))?;
    for key in keys {
        let place = |table: &CompiledFunctionsTable| table.func_loc(key).copied();
        let (was, is) = (place(old_table), place(new_table));
        if was != is && !(is.is_none() && may_go(key)) {
            return Err(TrimError::Differs("the place of a function"));
        }
        // A backtrace that finds a function asks where it came from.
        let found = was.and_then(|was| new_table.func_by_text_offset(was.start));
        if found != is.map(|_| key) {
            return Err(TrimError::Differs("the function at a place"));
        }
        let defined = key.kind() == FuncKeyKind::DefinedWasmFunction;
        if defined && is.is_some() && new_table.src_loc(key).is_none() {
            return Err(TrimError::Differs("the origin of a function"));
        }
    }
    std::mem::swap(old_table, new_table);
    if old_modules.len() != new_modules.len() {
        return Err(TrimError::Differs("the modules"));
    }
    for (old, new) in old_modules.into_iter().zip(new_modules) {
        if !new.func_names.is_empty() {
            return Err(TrimError::Differs("the names of functions"));
        }
        let prefix = |module: &Module, len: usize| -> Result<Vec<u8>, postcard::Error> {
            let functions: Vec<&FunctionType> = module.functions.values().take(len).collect();
            to_allocvec(&functions)
        };
        let len = new.module.functions.len();
        let needed = old.module.num_imported_funcs + kept(&old.module);
        if len < needed || prefix(&old.module, len)? != prefix(&new.module, len)? {
            return Err(TrimError::Differs("the functions of a module"));
        }
        std::mem::swap(&mut old.module.functions, &mut new.module.functions);
        std::mem::swap(&mut old.func_names, &mut new.func_names);
    }
    if to_allocvec(&new)? != before {
        return Err(TrimError::Differs("something that was not to be trimmed"));
    }
    Ok(())
}
