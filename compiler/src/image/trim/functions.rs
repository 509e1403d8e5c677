//! The engine's table of functions, and how it is cut.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use wasmtime_environ::{FuncKey, FuncKeyIndex, FuncKeyNamespace};

use super::TrimError;

/// Namespaces from this number on belong to other kinds of functions than those of core modules.
/// The upper bits have the kind, which is 0 for functions of core modules, and the lower bits have
/// the module (`wasmtime-environ` 48, `key.rs`).
const OTHER_KINDS: u32 = 1 << 28;

/// The engine's table of functions (`CompiledFunctionsTable`, whose fields are private).
///
/// A namespace is a kind of function, together with the module if the kind has one. Its rows begin
/// in `locations` at its entry of `starts`, and end where the next namespace begins. In some
/// namespaces, a row's number is the function's number, so rows may be empty. In the others,
/// `sparse` has the functions' numbers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Table {
    namespaces: Vec<FuncKeyNamespace>,
    starts: Vec<u32>,
    sparse_starts: Vec<u32>,
    source_starts: Vec<u32>,
    sparse: Vec<FuncKeyIndex>,
    /// Offset and length in the code.
    pub(super) locations: Vec<(u32, u32)>,
    pub(super) sources: Vec<u32>,
}

/// A place in the WebAssembly after a move. Some code has no place.
pub(crate) fn moved(place: u32, by: i64) -> u32 {
    const NONE: u32 = u32::MAX;
    match place {
        NONE => NONE,
        place => u32::try_from(i64::from(place).saturating_add(by)).unwrap_or(NONE),
    }
}

impl Table {
    /// The range of one namespace in a list.
    fn part(starts: &[u32], namespace: usize, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(*starts.get(namespace)?).ok()?;
        let end = match starts.get(namespace.checked_add(1)?) {
            Some(end) => usize::try_from(*end).ok()?,
            None => len,
        };
        (start <= end && end <= len).then_some(start..end)
    }

    /// Cuts a namespace of functions with source places down to `kept` rows, and removes the
    /// places. A namespace without rows is removed, so that a lookup by place never confuses it
    /// with the namespace that begins at the same place.
    pub(super) fn cut(
        &mut self,
        namespace: FuncKeyNamespace,
        kept: usize,
    ) -> Result<(), TrimError> {
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
        // Only a backtrace reads the place, and it expects one to exist.
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

    /// Moves the source places of the functions that a core module defines, in bytes.
    pub(crate) fn move_sources(&mut self, module: u32, by: i64) {
        let namespaces = self.namespaces.iter();
        let mut numbers = namespaces.map(|namespace| namespace.into_raw());
        let Some(at) = numbers.position(|number| number == module) else {
            return;
        };
        let places = Self::part(&self.source_starts, at, self.sources.len());
        let places = places.and_then(|places| self.sources.get_mut(places));
        for place in places.unwrap_or_default() {
            *place = moved(*place, by);
        }
    }

    /// The functions of core modules: the number of the module, the function's number among those
    /// that the module defines, its start in the code, and its length. Impossible rows are left
    /// out.
    pub(crate) fn defined(&self) -> Vec<(u32, u32, u32, u32)> {
        let mut functions = Vec::new();
        for (at, namespace) in self.namespaces.iter().enumerate() {
            let module = namespace.into_raw();
            let rows = Self::part(&self.starts, at, self.locations.len());
            let (true, Some(rows)) = (module < OTHER_KINDS, rows) else {
                continue;
            };
            let rows = self.locations.get(rows).unwrap_or_default();
            for (number, (start, size)) in (0..).zip(rows) {
                if *size > 0 {
                    functions.push((module, number, *start, *size));
                }
            }
        }
        functions
    }

    /// The places where the engine enters the code, sorted: the start of every function of any
    /// kind.
    pub(crate) fn entries(&self) -> Vec<u32> {
        let there = self.locations.iter().filter(|(_, size)| *size > 0);
        let mut entries: Vec<u32> = there.map(|(start, _)| *start).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    /// Every key that has a row in the table.
    pub(super) fn keys(&self) -> Option<Vec<FuncKey>> {
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
