//! The bytes of a debug file.

use object::LittleEndian as LE;
use object::elf::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, ELFOSABI_SYSV, ET_DYN, EV_CURRENT, FileHeader64, Ident,
    NT_GNU_BUILD_ID, SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHT_NOTE, SHT_NULL, SHT_PROGBITS,
    SHT_STRTAB, SHT_SYMTAB, STB_LOCAL, STT_FILE, STT_FUNC, Sym64,
};
use object::pod::bytes_of;
use object::{U16, U32, U64};

use super::DebugInfo;
use crate::image::elf::{append, section};

pub(super) const BUILD_ID: &str = ".note.gnu.build-id";
pub(super) const ADDRESS_MAP: &str = ".wasmtime.addrmap";
/// The sections, in order.
pub(super) const SECTIONS: [&str; 6] = [
    BUILD_ID,
    ".text",
    ADDRESS_MAP,
    ".symtab",
    ".strtab",
    ".shstrtab",
];
const TEXT_INDEX: u16 = 2;
const STRINGS_INDEX: u32 = 5;
/// The length of the name, the length of the id, and the type; then the name.
pub(super) const NOTE_HEAD: [u8; 16] = {
    let [a, b, c, d] = NT_GNU_BUILD_ID.to_le_bytes();
    [4, 0, 0, 0, 32, 0, 0, 0, a, b, c, d, b'G', b'N', b'U', 0]
};

impl DebugInfo<'_> {
    /// The debug file.
    pub fn write(&self) -> Vec<u8> {
        let (symbols, strings) = self.symbol_table();
        let symbol_bytes: Vec<u8> = symbols.iter().flat_map(bytes_of).copied().collect();
        let note = [&NOTE_HEAD[..], &self.build_id].concat();
        let mut names = vec![0];
        let name_offsets = SECTIONS.map(|name| append(&mut names, name));
        let contents: [&[u8]; 6] = [
            &note,
            &[],
            &self.address_map,
            &symbol_bytes,
            &strings,
            &names,
        ];

        let mut out = vec![0; size_of::<FileHeader64<LE>>()];
        let mut table = vec![section(0, SHT_NULL, 0, 0)];
        for ((name, content), text) in name_offsets.into_iter().zip(contents).zip(SECTIONS) {
            let (kind, align) = match text {
                BUILD_ID => (SHT_NOTE, 4),
                ".text" => (SHT_NOBITS, 1),
                ".symtab" => (SHT_SYMTAB, 8),
                ".strtab" | ".shstrtab" => (SHT_STRTAB, 1),
                _ => (SHT_PROGBITS, 1),
            };
            out.resize(out.len().next_multiple_of(align), 0);
            let mut entry = section(name, kind, out.len() as u64, content.len() as u64);
            entry.sh_addralign.set(LE, align as u64);
            match text {
                ".text" => {
                    entry.sh_flags.set(LE, u64::from(SHF_ALLOC | SHF_EXECINSTR));
                    entry.sh_addr.set(LE, self.text.0);
                    entry.sh_size.set(LE, self.text.1);
                }
                ".symtab" => {
                    entry.sh_link.set(LE, STRINGS_INDEX);
                    entry.sh_entsize.set(LE, size_of::<Sym64<LE>>() as u64);
                    // All symbols are local.
                    let count = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
                    entry.sh_info.set(LE, count);
                }
                _ => {}
            }
            out.extend_from_slice(content);
            table.push(entry);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let header = self.header(out.len() as u64);
        if let Some(head) = out.get_mut(..size_of::<FileHeader64<LE>>()) {
            head.copy_from_slice(bytes_of(&header));
        }
        out.extend(table.iter().flat_map(bytes_of));
        out
    }

    /// The symbols, and the strings that they refer to.
    fn symbol_table(&self) -> (Vec<Sym64<LE>>, Vec<u8>) {
        let mut strings = vec![0];
        let mut symbols = vec![symbol(0, 0, 0, 0, 0)];
        for (module, name) in &self.modules {
            let name = append(&mut strings, &format!("wasm[{module}]::{name}"));
            // A symbol without a section (`SHN_ABS`), as for the names of source files.
            symbols.push(symbol(name, STT_FILE, 0xfff1, 0, 0));
        }
        for known in &self.symbols {
            let name = append(&mut strings, &known.name);
            let address = self.text.0.wrapping_add(known.start);
            symbols.push(symbol(name, STT_FUNC, TEXT_INDEX, address, known.size));
        }
        (symbols, strings)
    }

    fn header(&self, table: u64) -> FileHeader64<LE> {
        let zero = U64::new(LE, 0);
        let number = |number| U16::new(LE, number);
        FileHeader64 {
            e_ident: Ident {
                magic: ELFMAG,
                class: ELFCLASS64,
                data: ELFDATA2LSB,
                version: EV_CURRENT,
                os_abi: ELFOSABI_SYSV,
                abi_version: 0,
                padding: [0; 7],
            },
            e_type: number(ET_DYN),
            e_machine: number(self.machine),
            e_version: U32::new(LE, EV_CURRENT.into()),
            e_entry: zero,
            e_phoff: zero,
            e_shoff: U64::new(LE, table),
            e_flags: U32::new(LE, 0),
            e_ehsize: number(64),
            e_phentsize: number(0),
            e_phnum: number(0),
            e_shentsize: number(64),
            e_shnum: number(7),
            e_shstrndx: number(6),
        }
    }
}

fn symbol(name: u32, kind: u8, index: u16, address: u64, size: u64) -> Sym64<LE> {
    Sym64 {
        st_name: U32::new(LE, name),
        st_info: (STB_LOCAL << 4) | kind,
        st_other: 0,
        st_shndx: U16::new(LE, index),
        st_value: U64::new(LE, address),
        st_size: U64::new(LE, size),
    }
}
