//! Strips an image: removes the parts that no load reads. A debug file can keep them.
//!
//! The symbol table is for debuggers and profilers. The address map says where in the WebAssembly
//! an instruction came from. That WebAssembly existed only during the build. So without the debug
//! file, offsets in a backtrace are useless.
//!
//! Sources: `wasmtime` 48, `code_memory.rs`, `trap.rs`; `wasmtime-environ` 48, `address_map.rs`.

use std::sync::Arc;

use object::LittleEndian as LE;
use object::elf::{STT_FUNC, Sym64};
use serde::{Deserialize, Serialize};

use crate::image::debug_info::{Symbol, parse_name, symbol_name};
use crate::worker::wire::{Place, Reader, Writer};
use crate::{DebugInfo, Image, ImageError, Names, NativeImage};

// Sections that are not needed to run the code.
const SYMBOLS: &str = ".symtab";
const STRINGS: &str = ".strtab";
const ADDRESS_MAP: &str = ".wasmtime.addrmap";

/// The parts that were stripped from an image. Debug information is made from them only on request,
/// because that takes time and few builds need it.
#[derive(Clone, Debug)]
pub struct DebugSections(Arc<Removed>);

#[derive(Debug)]
struct Removed {
    /// `e_machine` of the image.
    machine: u16,
    /// Where the code began in the image, and the code's length.
    text: (u64, u64),
    symbols: Vec<u8>,
    strings: Vec<u8>,
    address_map: Vec<u8>,
}

/// The head in front of the bytes, for another process.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    machine: u16,
    text: (u64, u64),
    symbols: Place,
    strings: Place,
    address_map: Place,
}

/// The maximum average length of a symbol's name, in bytes: names may overlap, and are copied.
const AVERAGE_NAME: usize = 256;

impl NativeImage {
    /// Removes the parts that only debugging needs from the image, and returns them.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn strip(&mut self) -> Result<DebugSections, ImageError> {
        let (stripped, removed) = strip(self.bytes())?;
        self.bytes = stripped;
        Ok(DebugSections(Arc::new(removed)))
    }
}

impl DebugSections {
    /// The address map, to be changed.
    pub(crate) fn address_map(&mut self) -> Option<&mut Vec<u8>> {
        let removed = Arc::get_mut(&mut self.0)?;
        Some(&mut removed.address_map)
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Head {
        let removed = &*self.0;
        Head {
            machine: removed.machine,
            text: removed.text,
            symbols: out.put(removed.symbols.clone()),
            strings: out.put(removed.strings.clone()),
            address_map: out.put(removed.address_map.clone()),
        }
    }

    /// `None` if bytes are missing.
    pub(crate) fn read(head: &Head, from: &mut Reader<'_>) -> Option<Self> {
        let removed = Removed {
            machine: head.machine,
            text: head.text,
            symbols: from.take(head.symbols)?,
            strings: from.take(head.strings)?,
            address_map: from.take(head.address_map)?,
        };
        Some(Self(Arc::new(removed)))
    }

    /// The debug information of the image. [`DebugInfo::place`] then says to which stripped image
    /// it belongs. That image must not change afterwards.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn debug_info(&self, names: &Names) -> Result<DebugInfo<'static>, ImageError> {
        let removed = &*self.0;
        let modules = (0..names.modules()).filter_map(|module| {
            let name = symbol_name(names.module(module)?);
            Some((module, name.into_owned().into()))
        });
        Ok(DebugInfo {
            build_id: [0; 32],
            machine: removed.machine,
            text: removed.text,
            modules: modules.collect(),
            symbols: symbols(removed, names)?,
            address_map: removed.address_map.clone().into(),
        })
    }
}

impl DebugInfo<'_> {
    /// Says to which image this belongs: an image with the same code, which may lie elsewhere in
    /// it.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn place(&mut self, image: &[u8], build_id: [u8; 32]) -> Result<(), ImageError> {
        let image = Image::parse(image)?;
        (self.build_id, self.machine, self.text) = (build_id, image.machine(), image.text());
        Ok(())
    }
}

fn strip(image: &[u8]) -> Result<(Vec<u8>, Removed), ImageError> {
    let mut image = Image::parse(image)?;
    let copy = |name: &str| image.section(name).unwrap_or_default().to_vec();
    let removed = Removed {
        machine: image.machine(),
        text: image.text(),
        symbols: copy(SYMBOLS),
        strings: copy(STRINGS),
        address_map: copy(ADDRESS_MAP),
    };
    for name in [SYMBOLS, STRINGS, ADDRESS_MAP] {
        image.drop_section(name);
    }
    Ok((image.write()?, removed))
}

/// The functions of the symbol table, sorted by address, with the program's names for them.
fn symbols(removed: &Removed, names: &Names) -> Result<Vec<Symbol<'static>>, ImageError> {
    let malformed = || ImageError::Malformed {
        what: "symbol table",
    };
    let strings = removed.strings.as_slice();
    let table: &[Sym64<LE>] =
        object::slice_from_all_bytes(&removed.symbols).map_err(|()| malformed())?;
    let room = table.len().saturating_mul(AVERAGE_NAME);
    let mut room = room.saturating_add(strings.len());
    let mut symbols = Vec::new();
    for symbol in table {
        if symbol.st_info & 0xf != STT_FUNC {
            continue;
        }
        let name = usize::try_from(symbol.st_name.get(LE)).ok();
        let name = name.and_then(|at| strings.get(at..)?.split(|byte| *byte == 0).next());
        let name = name.ok_or_else(malformed)?;
        room = room.checked_sub(name.len()).ok_or_else(malformed)?;
        let name = std::str::from_utf8(name).map_err(|_| malformed())?;
        let given = parse_name(name).and_then(|(module, function, _)| {
            let given = symbol_name(names.function(module, function)?);
            Some(format!("wasm[{module}]::function[{function}]::{given}"))
        });
        symbols.push(Symbol {
            start: symbol.st_value.get(LE),
            size: symbol.st_size.get(LE),
            name: given
                .unwrap_or_else(|| symbol_name(name).into_owned())
                .into(),
        });
    }
    symbols.sort_by_key(|symbol| (symbol.start, symbol.size));
    // Identical functions share their code. The first name is kept.
    symbols.dedup_by_key(|symbol| symbol.start);
    Ok(symbols)
}
