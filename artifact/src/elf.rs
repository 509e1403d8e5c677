//! Reads an image strictly: only an ELF file as Wasmtime 48 writes it is accepted.
//!
//! If two sections have one name, the engine takes the last one, and it ignores bytes between
//! sections. Two readers of such a file could see two programs. Here names are unique and known,
//! the regions do not overlap, and all bytes between them are zero.
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

use crate::ProgramKind;

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
    pub kind: ProgramKind,
    /// The sections in file order.
    pub sections: Vec<Section>,
    /// The engine's statements about its settings.
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
    /// The mark of the engine is missing, or the image is marked as both or neither of module and
    /// component.
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
    /// A required section is missing, or is too short. Some sections are required in every image,
    /// others in images with code.
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
    /// The flags of a section differ from its use: `.text` is executable, no other section is, and
    /// none is writable.
    #[error(
        "the access flags of section `{name}` are wrong: only `.text` is executable, and no section is writable"
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

/// The tables of an image with code. Without them the engine would run the code, and end the host's
/// process instead of the guest.
const TABLES: [&str; 2] = [".wasmtime.exceptions", ".wasmtime.traps"];
/// Each of these tables begins with two counts. This is their length in bytes.
const COUNTS: u64 = 8;

impl ElfImage {
    /// Reads an image's headers. It does not read the code.
    ///
    /// # Errors
    ///
    /// [`ElfError`] if the layout of the image is not Wasmtime 48's.
    pub fn parse(image: &[u8]) -> Result<Self, ElfError> {
        let header = FileHeader64::<LE>::parse(image).map_err(|_| malformed("file header"))?;
        let kind = kind(header)?;
        let machine = header.e_machine.get(LE);
        let arch = Arch::of_elf_machine(machine).ok_or(ElfError::NotWasmtime {
            what: "e_machine",
            found: machine.into(),
        })?;
        if header.e_phoff.get(LE) != 0 || header.e_phnum.get(LE) != 0 {
            return Err(malformed("program headers, which an image never has"));
        }

        let table = header
            .sections(LE, image)
            .map_err(|_| malformed("section table"))?;
        if table.len() > MAX_SECTIONS {
            return Err(malformed("section table, which is too long"));
        }
        // The engine's files have no counts that do not fit into the header, and no tables that
        // cannot be read in place.
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
                return Err(malformed(
                    "code, which does not begin and end at a page boundary",
                ));
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

fn kind(header: &FileHeader64<LE>) -> Result<ProgramKind, ElfError> {
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
    // The engine tests only the bit that it wants. An image with both bits would be a module to one
    // caller and a component to another.
    match header.e_flags.get(LE) {
        EF_WASMTIME_MODULE => Ok(ProgramKind::Module),
        EF_WASMTIME_COMPONENT => Ok(ProgramKind::Component),
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
    // The engine makes `.text` executable whatever its flags say, unless it has the lowest flag
    // (`SH_WASMTIME_NOT_EXECUTED`, ELF's `SHF_WRITE`). Here the flags of every section state its
    // use.
    let access = section.sh_flags(LE) & u64::from(SHF_WRITE | SHF_EXECINSTR);
    let expected = match name {
        ".text" => u64::from(SHF_EXECINSTR),
        _ => 0,
    };
    if access != expected {
        return Err(ElfError::Access { name: name.into() });
    }
    // The engine goes by names, and uses these like any other section.
    match section.sh_type(LE) {
        SHT_NOBITS => Err(malformed("section without bytes")),
        SHT_NULL => Err(malformed("section of type SHT_NULL")),
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
    /// `u8` 0, `u8` length, version, then postcard: triple, shared flags, ISA flags. The engine
    /// compares the tunables and features after them.
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
