//! Stripping an image: removes what no load reads. A debug file can keep it.
//!
//! The symbol table is for debuggers and profilers. The address map says where in the WebAssembly
//! an instruction came from. That WebAssembly was made during the build and is gone after it. So
//! offsets in a backtrace lead nowhere without the debug file.
//!
//! Sources: `wasmtime` 48, `code_memory.rs`, `trap.rs`; `wasmtime-environ` 48, `address_map.rs`.

use std::sync::Arc;

use object::LittleEndian as LE;
use object::elf::{STT_FUNC, Sym64};

use crate::debug_info::{Symbol, parse_name, symbol_name};
use crate::{DebugInfo, Image, ImageError, Names, NativeImage};

/// The sections that running the code does not need.
const UNREAD: [&str; 3] = [".symtab", ".strtab", ".wasmtime.addrmap"];

/// An image before it was stripped. Its debug information is only read on request, since that takes
/// time and few builds ask for it.
#[derive(Clone, Debug)]
pub struct Unstripped(Arc<Vec<u8>>);

impl NativeImage {
    /// Removes from the image what only debugging needs. Returns the image as it was.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn strip(&mut self) -> Result<Unstripped, ImageError> {
        let stripped = strip(self.bytes())?;
        let whole = std::mem::replace(self.bytes_mut(), stripped);
        Ok(Unstripped(Arc::new(whole)))
    }
}

impl Unstripped {
    /// What debugging the image needs. [`DebugInfo::place`] then says which stripped image it is
    /// about; nothing may change that image afterwards.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn debug_info(&self, names: &Names) -> Result<DebugInfo<'static>, ImageError> {
        let image = Image::parse(&self.0)?;
        let modules = (0..names.modules()).filter_map(|module| {
            let name = symbol_name(names.module(module)?);
            Some(format!("wasm[{module}]::{name}").into())
        });
        let address_map = image.section(UNREAD[2]).unwrap_or_default();
        Ok(DebugInfo {
            build_id: [0; 32],
            machine: image.machine(),
            text: image.text(),
            modules: modules.collect(),
            symbols: symbols(&image, names)?,
            address_map: address_map.to_vec().into(),
        })
    }
}

impl DebugInfo<'_> {
    /// Says which image this is about: one with the code that it was taken from, wherever that lies now.
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

fn strip(image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut image = Image::parse(image)?;
    for name in UNREAD {
        image.drop_section(name);
    }
    image.write()
}

/// The functions of the symbol table, by address, with the program's names for them.
fn symbols(image: &Image<'_>, names: &Names) -> Result<Vec<Symbol<'static>>, ImageError> {
    let malformed = || ImageError::Malformed {
        what: "symbol table",
    };
    let strings = image.section(UNREAD[1]).unwrap_or_default();
    let table = image.section(UNREAD[0]).unwrap_or_default();
    let table: &[Sym64<LE>] = object::slice_from_all_bytes(table).map_err(|()| malformed())?;
    let mut symbols = Vec::new();
    for symbol in table {
        if symbol.st_info & 0xf != STT_FUNC {
            continue;
        }
        let name = usize::try_from(symbol.st_name.get(LE)).ok();
        let name = name.and_then(|at| strings.get(at..)?.split(|byte| *byte == 0).next());
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let name = name.ok_or_else(malformed)?;
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
    // Functions that were found to be the same share their code; the first name stands.
    symbols.dedup_by_key(|symbol| symbol.start);
    Ok(symbols)
}
