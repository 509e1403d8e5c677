//! Where exceptions continue: the engine jumps to these places.
//!
//! Source: `wasmtime-internal-unwinder` 48, `exception_table.rs`. The section has two counts, of
//! call sites and of handlers, and then six arrays of little-endian `u32`: three of call sites
//! (places, frame offsets, ends of ranges) and three of handlers (tags, contexts, places).

/// The handlers as offsets into the code; `None` if the engine could not read the section. An empty
/// section has no handlers.
pub(super) fn read(section: &[u8]) -> Option<Vec<u32>> {
    let (words, rest) = section.as_chunks::<4>();
    let (Some((sites, words)), true) = (words.split_first(), rest.is_empty()) else {
        return section.is_empty().then(Vec::new);
    };
    let (handlers, words) = words.split_first()?;
    let sites = usize::try_from(u32::from_le_bytes(*sites)).ok()?;
    let handlers = usize::try_from(u32::from_le_bytes(*handlers)).ok()?;
    let before = sites
        .checked_mul(3)?
        .checked_add(handlers.checked_mul(2)?)?;
    let places = words.get(before..)?;
    (places.len() == handlers).then(|| places.iter().map(|it| u32::from_le_bytes(*it)).collect())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_whole_tables_are_read() {
        let table = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        assert_eq!(read(&[]), Some(Vec::new()));
        assert_eq!(read(&table(&[0, 0])), Some(Vec::new()));
        let good = table(&[1, 2, 16, 0, 2, 7, 7, 9, 9, 32, 48]);
        assert_eq!(read(&good), Some(vec![32, 48]));
        for bad in [
            &table(&[0]),
            &table(&[1, 0]),
            &table(&[0, 0, 0]),
            &table(&[u32::MAX, 1]),
        ] {
            assert_eq!(read(bad), None);
        }
        assert_eq!(read(&[0; 9]), None);
    }
}
