//! Reads debug files. A debug file has only one spelling, as everything that edgec writes.

use object::LittleEndian as LE;
use object::elf::{
    ELFMAG, EM_AARCH64, EM_X86_64, FileHeader64, STT_FILE, STT_FUNC, SectionHeader64, Sym64,
};
use object::read::elf::FileHeader as _;

use super::write::{ADDRESS_MAP, BUILD_ID, NOTE_HEAD, SECTIONS};
use super::{DebugInfo, MAX_NAME_LEN, Symbol, parse_module_name};

/// Why a file is not a debug file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DebugError {
    /// A structure does not parse, or edgec would write it differently.
    #[error("not a debug file of edgec: {what}")]
    Malformed {
        /// The part that was read when it failed.
        what: &'static str,
    },
    /// Everything can be read, but edgec would write it differently.
    #[error("not a debug file of edgec: another program wrote or changed it")]
    Spelling,
}

fn malformed(what: &'static str) -> DebugError {
    DebugError::Malformed { what }
}

impl DebugInfo<'_> {
    /// Whether a file begins like a debug file. It may be damaged. A debug file has the build ID
    /// right after the header, where other files have segments. Examines the first 80 bytes.
    pub fn begins(file: &[u8]) -> bool {
        let note = file.get(size_of::<FileHeader64<LE>>()..);
        file.starts_with(&ELFMAG) && note.is_some_and(|note| note.starts_with(&NOTE_HEAD))
    }
}

impl<'a> DebugInfo<'a> {
    /// Reads a debug file.
    ///
    /// # Errors
    ///
    /// [`DebugError`] for every file that [`DebugInfo::write`] cannot have written.
    pub fn read(file: &'a [u8]) -> Result<Self, DebugError> {
        let header = FileHeader64::<LE>::parse(file).map_err(|_| malformed("file header"))?;
        let machine = header.e_machine.get(LE);
        if header.is_big_endian() || ![EM_X86_64, EM_AARCH64].contains(&machine) {
            return Err(malformed("file header"));
        }
        let table = header.section_headers(LE, file);
        let table = table.map_err(|_| malformed("section table"))?;
        let [_, note, text, map, symbols, strings, _] = table else {
            return Err(malformed("section table"));
        };
        let build_id = bytes(file, note).and_then(|note| note.strip_prefix(&NOTE_HEAD[..]));
        let build_id = build_id.and_then(|id| id.try_into().ok());
        let build_id = build_id.ok_or_else(|| malformed(BUILD_ID))?;
        let text = (text.sh_addr.get(LE), text.sh_size.get(LE));
        let address_map = bytes(file, map).ok_or_else(|| malformed(ADDRESS_MAP))?;
        let strings = bytes(file, strings)
            .and_then(|strings| std::str::from_utf8(strings).ok()?.strip_prefix('\0'))
            .ok_or_else(|| malformed(".strtab"))?;
        let symbols = bytes(file, symbols).filter(|symbols| symbols.len() % 24 == 0);
        let symbols = symbols.and_then(|s| object::slice_from_all_bytes::<Sym64<LE>>(s).ok());
        let symbols = symbols.ok_or_else(|| malformed(".symtab"))?;

        let mut info = Self {
            build_id,
            machine,
            text,
            modules: Vec::new(),
            symbols: Vec::new(),
            address_map: address_map.into(),
        };
        info.name(symbols, strings)?;
        match info.write() == file {
            true => Ok(info),
            false => Err(DebugError::Spelling),
        }
    }

    /// Adds the names of modules, and the functions.
    fn name(&mut self, symbols: &[Sym64<LE>], mut strings: &'a str) -> Result<(), DebugError> {
        let (begin, length) = self.text;
        let text_end = begin.checked_add(length);
        let text_end = text_end.ok_or_else(|| malformed(SECTIONS[1]))?;
        let mut end = begin;
        for symbol in symbols.iter().skip(1) {
            // The names have the same order as the symbols. The check of the spelling covers the
            // places that the symbols state.
            let name = strings.split_once('\0');
            let (name, rest) = name.ok_or_else(|| malformed("symbol name"))?;
            // The name of a module or a function, after the engine's name.
            if name.len() > MAX_NAME_LEN + 64 {
                return Err(malformed("symbol name"));
            }
            strings = rest;
            match symbol.st_info & 0xf {
                STT_FILE if self.symbols.is_empty() => {
                    // Sorted by number, because lookups use binary search.
                    let module = parse_module_name(name).filter(|(number, _)| {
                        let last = self.modules.last();
                        last.is_none_or(|(last, _)| last < number)
                    });
                    let (number, name) = module.ok_or_else(|| malformed("module name"))?;
                    self.modules.push((number, name.into()));
                }
                STT_FUNC => {
                    let (start, size) = (symbol.st_value.get(LE), symbol.st_size.get(LE));
                    let next = start.checked_add(size).filter(|next| *next <= text_end);
                    let (Some(next), true) = (next, start >= end) else {
                        return Err(malformed("symbol"));
                    };
                    self.symbols.push(Symbol {
                        start: start - begin,
                        size,
                        name: name.into(),
                    });
                    end = next;
                }
                _ => return Err(malformed("symbol")),
            }
        }
        Ok(())
    }
}

fn bytes<'a>(file: &'a [u8], section: &SectionHeader64<LE>) -> Option<&'a [u8]> {
    let start = usize::try_from(section.sh_offset.get(LE)).ok()?;
    let len = usize::try_from(section.sh_size.get(LE)).ok()?;
    file.get(start..start.checked_add(len)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let file = sample().write();
        assert_eq!(DebugInfo::read(&file), Ok(sample()));
        assert!(DebugInfo::begins(&file[..80]) && !DebugInfo::begins(&file[..79]));
    }

    #[test]
    fn nothing_else_is_read() {
        let file = sample().write();
        for length in 0..file.len() {
            assert!(DebugInfo::read(&file[..length]).is_err(), "{length}");
        }
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            // A changed build id, name or number gives another debug file. It never gives this one,
            // and never a panic.
            assert_ne!(DebugInfo::read(&changed), Ok(sample()), "{at}");
        }
        let longer = [&file[..], &[0]].concat();
        assert_eq!(DebugInfo::read(&longer), Err(DebugError::Spelling));
        let error = DebugInfo::read(b"no").unwrap_err();
        assert_eq!(error, malformed("file header"));
    }

    #[test]
    fn modules_are_in_order() {
        let of = |numbers: &[u32]| {
            let mut info = sample();
            let names = numbers.iter().map(|number| (*number, "app".into()));
            info.modules = names.collect();
            info.write()
        };
        let file = of(&[0, 1, 7]);
        let info = DebugInfo::read(&file).unwrap();
        assert_eq!(info.module(7), Some("app"));
        assert_eq!(info.module(6), None);
        for numbers in [&[1, 0][..], &[1, 1]] {
            let file = of(numbers);
            let error = DebugInfo::read(&file).unwrap_err();
            assert_eq!(error, malformed("module name"), "{numbers:?}");
        }
    }

    #[test]
    fn symbols_overlap_nowhere_and_lie_in_the_code() {
        let with = |start, size| {
            let mut info = sample();
            info.symbols[1].start = start;
            info.symbols[1].size = size;
            info.write()
        };
        for (start, size) in [(8, 16), (16, 49), (100, 1), (16, u64::MAX)] {
            let file = with(start, size);
            let error = DebugInfo::read(&file).unwrap_err();
            assert_eq!(error, malformed("symbol"), "{start} {size}");
        }
    }
}
