//! Compiled functions that are kept for the next compilation of the same application.
//!
//! Cranelift asks for a function by the hash of everything that decides its code, once it has
//! translated the function from WebAssembly. So translation, hashing and linking remain
//! (`docs/cache.md` has the measurements). All functions of a compilation are in one
//! *pack*, because many small files or requests would take longer than the compiler.
//!
//! ```text
//! for each function: key 32 │ length of the code 4, little-endian │ code
//! ```
//!
//! Source: cranelift-codegen 0.135, `incremental_cache.rs`; wasmtime-environ 48, `CacheStore`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Mutex;

use wasmtime::CacheStore;

/// What Cranelift calls a function by.
pub type FunctionKey = [u8; 32];

/// The functions in a pack: what Cranelift calls each by, and its code as Cranelift keeps it. What
/// cannot be read ends the list.
pub fn functions_in(mut pack: &[u8]) -> impl Iterator<Item = (FunctionKey, &[u8])> {
    std::iter::from_fn(move || {
        let (key, length, after) = entry_head(pack)?;
        let (code, behind) = after.split_at_checked(length)?;
        pack = behind;
        Some((key, code))
    })
}

/// The functions of the last compilation, and those of this one.
#[derive(Debug, Default)]
pub(crate) struct FunctionPack {
    bytes: Vec<u8>,
    /// Where the functions of the last compilation are in the bytes.
    known: HashMap<FunctionKey, Range<usize>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The functions of the last compilation that are needed again.
    used: BTreeMap<FunctionKey, Range<usize>>,
    /// The functions that were compiled.
    new: BTreeMap<FunctionKey, Vec<u8>>,
}

impl FunctionPack {
    /// Reads a pack. What cannot be read is left out: it is compiled again.
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let mut known = HashMap::new();
        let mut rest = bytes.as_slice();
        while let Some((key, length, after)) = entry_head(rest) {
            let Some((_, behind)) = after.split_at_checked(length) else {
                break;
            };
            let start = bytes.len() - after.len();
            known.insert(key, start..start + length);
            rest = behind;
        }
        Self {
            bytes,
            known,
            state: Mutex::default(),
        }
    }

    /// The functions of this compilation as a pack, in the order of their keys. `None` if none of
    /// them is new: the old pack has all of them.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let state = self.state.lock().ok()?;
        if state.new.is_empty() {
            return None;
        }
        let mut pack = Vec::new();
        for (key, place) in &state.used {
            put(&mut pack, key, self.bytes.get(place.clone())?)?;
        }
        for (key, code) in &state.new {
            put(&mut pack, key, code)?;
        }
        Some(pack)
    }
}

fn put(pack: &mut Vec<u8>, key: &FunctionKey, code: &[u8]) -> Option<()> {
    pack.extend_from_slice(key);
    pack.extend_from_slice(&u32::try_from(code.len()).ok()?.to_le_bytes());
    pack.extend_from_slice(code);
    Some(())
}

/// The key and the length of the first function, and the bytes behind them.
fn entry_head(bytes: &[u8]) -> Option<(FunctionKey, usize, &[u8])> {
    let (key, rest) = bytes.split_first_chunk::<32>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((*key, length, rest))
}

impl CacheStore for FunctionPack {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let key: FunctionKey = key.try_into().ok()?;
        let mut state = self.state.lock().ok()?;
        if let Some(place) = self.known.get(&key) {
            state.used.insert(key, place.clone());
            return self.bytes.get(place.clone()).map(Cow::Borrowed);
        }
        // Two functions of one program may be the same.
        state.new.get(&key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let (Ok(key), Ok(mut state)) = (key.try_into(), self.state.lock()) else {
            return false;
        };
        state.new.insert(key, value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_come_back_as_long_as_they_are_needed() {
        let first = FunctionPack::default();
        assert!(first.write().is_none());
        for (key, code) in [(1, &b"one"[..]), (2, b""), (3, b"three")] {
            assert!(first.get(&[key; 32]).is_none());
            assert!(first.insert(&[key; 32], code.to_vec()));
            assert_eq!(first.get(&[key; 32]).unwrap(), code);
        }
        let second = FunctionPack::read(first.write().unwrap());
        assert_eq!(second.get(&[1; 32]).unwrap(), &b"one"[..]);
        assert_eq!(second.get(&[2; 32]).unwrap(), &b""[..]);
        // Everything was there already.
        assert!(second.write().is_none());
        assert!(second.insert(&[4; 32], b"four".to_vec()));
        let third = FunctionPack::read(second.write().unwrap());
        assert_eq!(third.get(&[4; 32]).unwrap(), &b"four"[..]);
        // The second compilation did not need it.
        assert!(third.get(&[3; 32]).is_none());
    }

    #[test]
    fn a_damaged_pack_has_fewer_functions() {
        let pack = FunctionPack::default();
        pack.insert(&[1; 32], b"one".to_vec());
        pack.insert(&[2; 32], b"two".to_vec());
        let bytes = pack.write().unwrap();
        let all = [([1; 32], &b"one"[..]), ([2; 32], b"two")];
        assert_eq!(functions_in(&bytes).collect::<Vec<_>>(), all);
        let cut = bytes.get(..bytes.len() - 1).unwrap();
        assert_eq!(functions_in(cut).collect::<Vec<_>>(), all[..1]);
        for end in 0..bytes.len() {
            let cut = FunctionPack::read(bytes.get(..end).unwrap().to_vec());
            assert!(cut.get(&[2; 32]).is_none(), "{end}");
            assert_eq!(cut.get(&[1; 32]).is_some(), end >= 39, "{end}");
        }
        assert!(FunctionPack::default().get(b"short").is_none());
        assert!(!FunctionPack::default().insert(b"short", Vec::new()));
    }
}
