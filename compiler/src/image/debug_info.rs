//! Debug files: data that a backtrace needs and a load does not, in a file beside the artifact.
//!
//! A debug file is an ELF file that other tools can read. Its symbols have offsets in the image as
//! values, which are also offsets in the file that a host maps. Its build id is the fs-verity
//! digest of the image. It also has the engine's address map. The reader accepts only files that
//! the writer here could have written.
//!
//! Sources: System V gABI, chapter 4; the build id note of `ld --build-id`; `wasmtime` 48,
//! `compile.rs` (names of symbols).

mod lookup;
mod read;
mod write;

use std::borrow::Cow;

pub use lookup::Lookup;
pub use read::DebugError;

/// The maximum length of a symbol's name, in bytes. Longer names are cut.
const MAX_NAME_LEN: usize = 4096;

/// Everything that is known about the code of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugInfo<'a> {
    /// The fs-verity digest of the image.
    pub build_id: [u8; 32],
    /// `e_machine` of the image.
    pub(crate) machine: u16,
    /// Where the code begins in the image, and the code's length.
    pub(crate) text: (u64, u64),
    /// The numbers and names of the core modules that have names, sorted by number.
    pub(crate) modules: Vec<(u32, Cow<'a, str>)>,
    /// Functions, sorted by address. They do not overlap.
    pub(crate) symbols: Vec<Symbol<'a>>,
    /// The engine's `.wasmtime.addrmap`; empty if there is none.
    pub(crate) address_map: Cow<'a, [u8]>,
}

/// A piece of code that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbol<'a> {
    /// Its start, from the start of the code.
    pub(crate) start: u64,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// The engine's name. For a function, `::` and the program's name follow.
    pub(crate) name: Cow<'a, str>,
}

/// A place in compiled code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The function or piece that contains the place.
    pub function: Function<'a>,
    /// The distance from the function's start, in bytes of native code.
    pub distance: u64,
    /// The offset in the WebAssembly that was compiled, from the first byte of the whole program.
    pub wasm_offset: Option<u32>,
}

/// A function of a core module, or a piece of the engine's own code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// The number of the core module, and the function's index in it; `None` for the engine's code.
    pub index: Option<(u32, u32)>,
    /// The core module's own name.
    pub module: Option<&'a str>,
    /// The program's name for it, or the engine's name for its own code.
    pub name: Option<&'a str>,
}

impl DebugInfo<'_> {
    /// The place at an offset of the image, which is also an offset of the file that a host maps.
    pub fn at_image_offset(&self, offset: u64) -> Option<Place<'_>> {
        self.at_text_offset(offset.checked_sub(self.text.0)?)
    }

    /// The place at an offset of the code.
    pub fn at_text_offset(&self, offset: u64) -> Option<Place<'_>> {
        let after = self.symbols.partition_point(|s| s.start <= offset);
        let symbol = self.symbols.get(after.checked_sub(1)?)?;
        let distance = offset - symbol.start;
        if distance >= symbol.size {
            return None;
        }
        let position = usize::try_from(offset).ok();
        let position =
            position.and_then(|at| wasmtime_environ::lookup_file_pos(&self.address_map, at));
        Some(Place {
            function: self.function(symbol),
            distance,
            wasm_offset: position.and_then(wasmtime_environ::FilePos::file_offset),
        })
    }

    fn function<'s>(&'s self, symbol: &'s Symbol<'_>) -> Function<'s> {
        let Some((module, function, name)) = parse_name(&symbol.name) else {
            return Function {
                index: None,
                module: None,
                name: Some(&symbol.name),
            };
        };
        Function {
            index: Some((module, function)),
            module: self.module(module),
            name,
        }
    }

    /// The name of a core module.
    fn module(&self, number: u32) -> Option<&str> {
        let found = self
            .modules
            .binary_search_by_key(&number, |(known, _)| *known);
        let (_, name) = self.modules.get(found.ok()?)?;
        Some(name)
    }
}

/// The number and the name of a core module, from a symbol's name such as `wasm[0]::name`.
fn parse_module_name(name: &str) -> Option<(u32, &str)> {
    let (module, name) = name.strip_prefix("wasm[")?.split_once("]::")?;
    Some((module.parse().ok()?, name))
}

/// The module's number, the function's index and the program's name, from a symbol's name such as
/// `wasm[0]::function[7]::main`.
pub(crate) fn parse_name(name: &str) -> Option<(u32, u32, Option<&str>)> {
    let (module, rest) = name.strip_prefix("wasm[")?.split_once("]::function[")?;
    let (function, rest) = rest.split_once(']')?;
    let name = match rest {
        "" => None,
        _ => Some(rest.strip_prefix("::")?),
    };
    Some((module.parse().ok()?, function.parse().ok()?, name))
}

/// A name in the form that a symbol can have: strings end at a zero, and names in programs have no
/// limit.
#[cfg(any(feature = "precompile", test))]
pub(crate) fn symbol_name(name: &str) -> Cow<'_, str> {
    let end = name.floor_char_boundary(MAX_NAME_LEN);
    let name = name.get(..end).unwrap_or_default();
    match name.contains('\0') {
        true => name.replace('\0', "?").into(),
        false => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> DebugInfo<'static> {
        let symbol = |start, size, name: &'static str| Symbol {
            start,
            size,
            name: name.into(),
        };
        DebugInfo {
            build_id: [7; 32],
            machine: object::elf::EM_X86_64,
            text: (4096, 8192),
            modules: vec![(1, "app".into())],
            symbols: vec![
                symbol(0, 16, "wasm[0]::function[3]"),
                symbol(16, 16, "wasm[1]::function[3]::main::run"),
                symbol(64, 8, "wasm[1]::array_to_wasm_trampoline[3]"),
            ],
            address_map: Cow::Borrowed(&[]),
        }
    }

    #[test]
    fn addresses_are_found() {
        let info = sample();
        let place = info.at_image_offset(4096 + 20).unwrap();
        assert_eq!((place.distance, place.wasm_offset), (4, None));
        assert_eq!(place.function.index, Some((1, 3)));
        assert_eq!(place.function.module, Some("app"));
        assert_eq!(place.function.name, Some("main::run"));
        let own = info.at_text_offset(64).unwrap().function;
        assert_eq!(own.name, Some("wasm[1]::array_to_wasm_trampoline[3]"));
        for nowhere in [0, 4095, 4096 + 32, 4096 + 72, u64::MAX] {
            assert_eq!(info.at_image_offset(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn names_are_cut_and_have_no_zeros() {
        assert_eq!(symbol_name("a\0b"), "a?b");
        let long = "é".repeat(MAX_NAME_LEN);
        assert_eq!(symbol_name(&long).len(), MAX_NAME_LEN);
        assert_eq!(symbol_name(&format!("a{long}")).len(), MAX_NAME_LEN - 1);
    }
}
