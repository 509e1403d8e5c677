//! Reading an image strictly: an ELF file as Wasmtime 48 writes it, and nothing else.
//!
//! The engine takes the last of two sections with one name and ignores bytes between
//! them; two readers of such a file could see two programs. Here names are unique and
//! known, the regions do not overlap, and what lies between them is zero.
//!
//! Sources: System V gABI, chapter 4 (ELF); `wasmtime-environ` 48, `obj.rs` (section
//! names, `e_flags`); `wasmtime` 48, `engine/serialization.rs` (`.wasmtime.engine`).

use edgec_targets::Arch;
use object::LittleEndian as LE;
use object::elf::{
    FileHeader64, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS, SHT_NULL, SHT_REL, SHT_RELA, SHT_STRTAB,
    SectionHeader64,
};
use object::read::SectionIndex;
use object::read::elf::{FileHeader as _, SectionHeader as _};
use serde::Deserialize;

use crate::Kind;

const ELFOSABI_WASMTIME: u8 = 200;
const EF_WASMTIME_MODULE: u32 = 1;
const EF_WASMTIME_COMPONENT: u32 = 2;
const ENGINE_SECTION: &str = ".wasmtime.engine";
/// A compiler writes about twenty sections.
const MAX_SECTIONS: usize = 64;
/// The longest section name that is read, in bytes: names are copied.
const MAX_NAME_LEN: usize = 64;
/// The longest engine section that is read, in bytes: a flag takes more memory than bytes.
const MAX_ENGINE_LEN: usize = 1 << 16;

/// What an image says about itself.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElfImage {
    /// The CPU family, from `e_machine`.
    pub arch: Arch,
    /// Component or module, from `e_flags`.
    pub kind: Kind,
    /// The sections in file order.
    pub sections: Vec<Section>,
    /// What the engine wrote about its settings.
    pub engine: EngineFacts,
}

/// One section of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// The name, for example `.text`.
    pub name: String,
    /// Where it begins, in bytes from the image's start.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its alignment in bytes.
    pub align: u64,
}

/// The head of `.wasmtime.engine`: which engine compiled it, and for which target.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineFacts {
    /// The engine's version as it writes it: the major version only.
    pub major: String,
    /// The target triple.
    pub triple: String,
    /// The Cranelift ISA flags that are on: features that the host must have.
    pub isa_flags: Vec<String>,
}

/// Why an image is not one that Wasmtime wrote.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// A structure does not parse.
    #[error("malformed ELF image: {what}")]
    Malformed {
        /// What was read when it failed.
        what: &'static str,
    },
    /// Not marked as the engine's, or marked as both or neither module and component.
    #[error("not a Wasmtime 48 image: {what} is {found:#x}")]
    NotWasmtime {
        /// The field of the ELF header.
        what: &'static str,
        /// Its value.
        found: u32,
    },
    /// A section that the engine does not know.
    #[error("unexpected section `{name}` in the image")]
    UnknownSection {
        /// The section's name.
        name: String,
    },
    /// A section that every image has, or every one with code, is not there, or is too short to be
    /// it.
    #[error("no section `{name}` in the image")]
    MissingSection {
        /// The section's name.
        name: &'static str,
    },
    /// Two sections have one name.
    #[error("two sections are called `{name}`")]
    DuplicateSection {
        /// The name.
        name: String,
    },
    /// A section whose flags say something else than what becomes of it: `.text` is executable, no
    /// other section is, and none is writable.
    #[error(
        "the access flags of section `{name}` are wrong: `.text` is executable, nothing else is, and nothing is writable"
    )]
    Access {
        /// The section's name.
        name: String,
    },
    /// A relocation outside debug information: code is position-independent.
    #[error("section `{name}` holds relocations")]
    Relocations {
        /// The section's name.
        name: String,
    },
    /// Two regions share bytes, or one reaches past the end.
    #[error("regions overlap at offset {offset:#x} of the image")]
    Overlap {
        /// Where the second begins.
        offset: u64,
    },
    /// Bytes that belong to no region are not zero.
    #[error("unclaimed bytes at offset {offset:#x} of the image are not zero")]
    Unclaimed {
        /// The first such byte.
        offset: u64,
    },
}

/// What an image with code has. Without these tables the engine would run the code, and end the
/// host's process where it should end the guest.
const TABLES: [&str; 2] = [".wasmtime.exceptions", ".wasmtime.traps"];
/// What each of them begins with, in bytes: two counts.
const COUNTS: u64 = 8;

impl ElfImage {
    /// Reads an image's headers; the code itself is not looked at.
    ///
    /// # Errors
    ///
    /// [`ElfError`] when the image is not laid out as Wasmtime 48 does.
    pub fn parse(image: &[u8]) -> Result<Self, ElfError> {
        let header = FileHeader64::<LE>::parse(image).map_err(|_| malformed("file header"))?;
        let kind = kind(header)?;
        let machine = header.e_machine.get(LE);
        let arch = Arch::of_elf_machine(machine).ok_or(ElfError::NotWasmtime {
            what: "e_machine",
            found: machine.into(),
        })?;
        if header.e_phoff.get(LE) != 0 || header.e_phnum.get(LE) != 0 {
            return Err(malformed("program headers, of which there are none"));
        }

        let table = header
            .sections(LE, image)
            .map_err(|_| malformed("section table"))?;
        if table.len() > MAX_SECTIONS {
            return Err(malformed("section table, which is too long"));
        }
        // Counts that do not fit into the header, and tables that cannot be read in place, are
        // for other files than the engine's.
        if table.len() != usize::from(header.e_shnum.get(LE)) || header.e_shoff.get(LE) % 8 != 0 {
            return Err(malformed("section table, which is extended or not aligned"));
        }
        let names = SectionIndex(header.e_shstrndx.get(LE).into());
        let names = table
            .section(names)
            .map_err(|_| malformed("section names"))?;
        if names.sh_type(LE) != SHT_STRTAB {
            return Err(malformed("section names"));
        }
        let table_len = (table.len() * size_of::<SectionHeader64<LE>>()) as u64;
        let mut regions = vec![
            (0, size_of::<FileHeader64<LE>>() as u64),
            (header.e_shoff.get(LE), table_len),
        ];
        let mut sections: Vec<Section> = Vec::new();
        let mut engine = None;
        for (index, section) in table.iter().enumerate() {
            if index == 0 {
                check_first(section)?;
                continue;
            }
            let name = table
                .section_name(LE, section)
                .ok()
                .filter(|name| name.len() <= MAX_NAME_LEN)
                .and_then(|name| std::str::from_utf8(name).ok())
                .ok_or_else(|| malformed("section name"))?;
            if sections.iter().any(|known| known.name == name) {
                return Err(ElfError::DuplicateSection { name: name.into() });
            }
            check_section(name, section)?;
            let data = section
                .data(LE, image)
                .map_err(|_| malformed("section data"))?;
            if name == ENGINE_SECTION {
                engine = Some(EngineFacts::parse(data)?);
            }
            let (offset, size) = (section.sh_offset(LE), section.sh_size(LE));
            // The engine makes whole pages executable.
            if name == ".text" && (offset | size) % arch.page_size() != 0 {
                return Err(malformed("code, which does not begin and end with a page"));
            }
            regions.push((offset, size));
            sections.push(Section {
                name: name.to_owned(),
                offset,
                size,
                align: section.sh_addralign(LE),
            });
        }
        let there = |name: &str| {
            let mut sections = sections.iter();
            sections.any(|section| section.name == name && section.size >= COUNTS)
        };
        let code = |section: &Section| section.name == ".text" && section.size > 0;
        if sections.iter().any(code)
            && let Some(name) = TABLES.iter().find(|name| !there(name))
        {
            return Err(ElfError::MissingSection { name });
        }
        check_tiling(image, regions)?;
        sections.sort_by_key(|section| section.offset);
        Ok(Self {
            arch,
            kind,
            sections,
            engine: engine.ok_or(ElfError::MissingSection {
                name: ENGINE_SECTION,
            })?,
        })
    }
}

fn malformed(what: &'static str) -> ElfError {
    ElfError::Malformed { what }
}

fn kind(header: &FileHeader64<LE>) -> Result<Kind, ElfError> {
    let not_wasmtime = |what, found| Err(ElfError::NotWasmtime { what, found });
    if header.is_big_endian() {
        return not_wasmtime("EI_DATA", header.e_ident.data.into());
    }
    if header.e_ident.os_abi != ELFOSABI_WASMTIME {
        return not_wasmtime("EI_OSABI", header.e_ident.os_abi.into());
    }
    if header.e_ident.abi_version != 0 {
        return not_wasmtime("EI_ABIVERSION", header.e_ident.abi_version.into());
    }
    // The engine tests only that the bit it wants is set; an image with both bits
    // would be a module to one caller and a component to another.
    match header.e_flags.get(LE) {
        EF_WASMTIME_MODULE => Ok(Kind::Module),
        EF_WASMTIME_COMPONENT => Ok(Kind::Component),
        found => not_wasmtime("e_flags", found),
    }
}

/// The entry that stands for no section (gABI, "Special Section Indexes").
fn check_first(section: &SectionHeader64<LE>) -> Result<(), ElfError> {
    let zero = section.sh_name.get(LE) == 0
        && section.sh_type.get(LE) == SHT_NULL
        && section.sh_flags.get(LE) == 0
        && section.sh_addr.get(LE) == 0
        && section.sh_offset.get(LE) == 0
        && section.sh_size.get(LE) == 0
        && section.sh_link.get(LE) == 0
        && section.sh_info.get(LE) == 0
        && section.sh_addralign.get(LE) == 0
        && section.sh_entsize.get(LE) == 0;
    match zero {
        true => Ok(()),
        false => Err(malformed("first section, which is not empty")),
    }
}

fn check_section(name: &str, section: &SectionHeader64<LE>) -> Result<(), ElfError> {
    let debug = name.starts_with(".debug_") || name.starts_with(".rela.debug_");
    let known = matches!(
        name,
        ".text"
            | ".eh_frame"
            | ".rodata.wasm"
            | ".name.wasm"
            | ".symtab"
            | ".strtab"
            | ".shstrtab"
            | ".wasmtime.engine"
            | ".wasmtime.info"
            | ".wasmtime.addrmap"
            | ".wasmtime.stackmap"
            | ".wasmtime.traps"
            | ".wasmtime.exceptions"
            | ".wasmtime.bti"
    );
    if !known && !debug {
        return Err(ElfError::UnknownSection { name: name.into() });
    }
    if matches!(section.sh_type(LE), SHT_REL | SHT_RELA) && !name.starts_with(".rela.debug_") {
        return Err(ElfError::Relocations { name: name.into() });
    }
    // The engine makes `.text` executable, whatever its flags say, or with the first of them not at
    // all. Here every section says what becomes of it.
    let access = section.sh_flags(LE) & u64::from(SHF_WRITE | SHF_EXECINSTR);
    let expected = match name {
        ".text" => u64::from(SHF_EXECINSTR),
        _ => 0,
    };
    if access != expected {
        return Err(ElfError::Access { name: name.into() });
    }
    // The engine goes by names and takes these for sections like any other.
    match section.sh_type(LE) {
        SHT_NOBITS => Err(malformed("section without bytes")),
        SHT_NULL => Err(malformed("section that is marked as none")),
        _ => Ok(()),
    }
}

/// Every byte belongs to one region or is zero.
fn check_tiling(image: &[u8], mut regions: Vec<(u64, u64)>) -> Result<(), ElfError> {
    regions.retain(|(_, size)| *size != 0);
    regions.sort_unstable();
    let mut end = 0;
    let image_len = image.len() as u64;
    for (offset, size) in regions.into_iter().chain([(image_len, 0)]) {
        let next = offset.checked_add(size).filter(|next| *next <= image_len);
        let (Some(next), true) = (next, offset >= end) else {
            return Err(ElfError::Overlap { offset });
        };
        let gap = usize::try_from(end)
            .ok()
            .zip(usize::try_from(offset).ok())
            .and_then(|(start, stop)| image.get(start..stop))
            .ok_or(ElfError::Overlap { offset })?;
        if let Some(at) = gap.iter().position(|byte| *byte != 0) {
            return Err(ElfError::Unclaimed {
                offset: end + at as u64,
            });
        }
        end = next;
    }
    Ok(())
}

/// `wasmtime_environ::FlagValue`, as postcard writes it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only booleans matter here; the others must parse")]
enum FlagValue<'a> {
    Enum(&'a str),
    Num(u8),
    Bool(bool),
}

type Flags<'a> = Vec<(&'a str, FlagValue<'a>)>;

impl EngineFacts {
    /// `u8` 0, `u8` length, version, then postcard: triple, shared flags, ISA flags;
    /// the tunables and features behind them are the engine's own to compare.
    fn parse(data: &[u8]) -> Result<Self, ElfError> {
        let bad = || malformed("engine section");
        if data.len() > MAX_ENGINE_LEN {
            return Err(bad());
        }
        let [0, len, rest @ ..] = data else {
            return Err(bad());
        };
        let (major, settings) = rest.split_at_checked((*len).into()).ok_or_else(bad)?;
        let major = std::str::from_utf8(major).map_err(|_| bad())?;
        let (head, _): ((&str, Flags<'_>, Flags<'_>), _) =
            postcard::take_from_bytes(settings).map_err(|_| bad())?;
        let (triple, _shared, isa) = head;
        Ok(Self {
            major: major.to_owned(),
            triple: triple.to_owned(),
            isa_flags: isa
                .into_iter()
                .filter(|(_, value)| !matches!(value, FlagValue::Bool(false)))
                .map(|(name, _)| name.to_owned())
                .collect(),
        })
    }
}
