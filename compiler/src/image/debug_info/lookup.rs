//! Finds functions for the lines of a backtrace. The functions are sorted once, because a backtrace
//! has many lines.

use wasmtime_environ::iterate_address_map;

use super::{DebugInfo, Function, parse_name};

/// The functions of a debug file, by index and by offset of the WebAssembly.
pub struct Lookup<'i> {
    info: &'i DebugInfo<'i>,
    /// A function's index in its core module, and the index of its symbol.
    indices: Vec<(u32, usize)>,
    /// An offset in the WebAssembly, and the first offset in the code that was compiled from it.
    offsets: Vec<(u32, u32)>,
}

impl<'i> Lookup<'i> {
    /// Sorts the functions.
    pub fn new(info: &'i DebugInfo<'i>) -> Self {
        let functions = info.symbols.iter().enumerate();
        let mut indices: Vec<(u32, usize)> = functions
            .filter_map(|(at, symbol)| Some((parse_name(&symbol.name)?.1, at)))
            .collect();
        indices.sort_unstable();
        let mut offsets: Vec<(u32, u32)> = iterate_address_map(&info.address_map)
            .into_iter()
            .flatten()
            .filter_map(|(at, position)| Some((position.file_offset()?, at)))
            .collect();
        offsets.sort_unstable();
        offsets.dedup_by_key(|(offset, _)| *offset);
        Self {
            info,
            indices,
            offsets,
        }
    }

    /// The functions that have this index in their core modules. A file can have any number of
    /// them.
    pub fn at_index(&self, index: u32) -> impl Iterator<Item = Function<'i>> {
        let info = self.info;
        let symbols = self.same(index).iter();
        let symbols = symbols.filter_map(move |(_, at)| info.symbols.get(*at));
        symbols.map(move |symbol| info.function(symbol))
    }

    /// How many functions [`Self::at_index`] returns. Takes the same time for any number.
    pub fn count_at_index(&self, index: u32) -> usize {
        self.same(index).len()
    }

    fn same(&self, index: u32) -> &[(u32, usize)] {
        let begin = self.indices.partition_point(|(known, _)| *known < index);
        let end = self.indices.partition_point(|(known, _)| *known <= index);
        self.indices.get(begin..end).unwrap_or_default()
    }

    /// The function that contains an offset of the WebAssembly.
    pub fn at_wasm_offset(&self, offset: u32) -> Option<Function<'i>> {
        let found = self
            .offsets
            .binary_search_by_key(&offset, |(known, _)| *known);
        let (_, at) = self.offsets.get(found.ok()?)?;
        Some(self.info.at_text_offset((*at).into())?.function)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn an_index_may_be_that_of_several_modules() {
        let info = sample();
        let lookup = Lookup::new(&info);
        let found: Vec<_> = lookup.at_index(3).map(|f| (f.index, f.name)).collect();
        assert_eq!(
            found,
            [(Some((0, 3)), None), (Some((1, 3)), Some("main::run"))]
        );
        assert_eq!(lookup.count_at_index(3), 2);
        assert_eq!(lookup.count_at_index(2), 0);
        assert_eq!(lookup.at_index(2).count(), 0);
        assert_eq!(lookup.at_index(4).count(), 0);
        // This file has no address map.
        assert_eq!(lookup.at_wasm_offset(0), None);
    }
}
