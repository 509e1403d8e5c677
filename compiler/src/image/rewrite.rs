//! Rewrites an image: packs it closely, and leaves out the parts that a load does not read.
//!
//! The engine's writer aligns code to the largest page of the CPU family, and puts only its
//! settings before the code. On aarch64 this leaves 64 KiB of zeros, three times. Here, sections
//! keep their bytes, their alignment and their order in the table. Sections that fit are moved into
//! the gap before the code.
//!
//! Sources: System V gABI, chapter 4; `wasmtime` 48, `code_memory.rs` (the engine's requirements on
//! sections), and `wasmtime-internal-cranelift` 48, `obj.rs` (unwind information directly follows
//! the code).

use std::borrow::Cow;

use object::LittleEndian as LE;
use object::elf::{FileHeader64, SHT_NULL, SHT_STRTAB, SectionHeader64};
use object::pod::bytes_of;
use object::read::elf::{FileHeader as _, SectionHeader as _};

use crate::image::elf;

const TEXT: &str = ".text";
const UNWIND: &str = ".eh_frame";
const NAMES: &str = ".shstrtab";
const HEADER_LEN: u64 = size_of::<FileHeader64<LE>>() as u64;
/// The largest alignment that is accepted, in bytes: no CPU has larger pages for code.
const MAX_ALIGN: u64 = 1 << 16;
/// The maximum number of sections: more than any compiler writes.
const MAX_SECTIONS: usize = 64;
/// The maximum length of a section's name, in bytes. Names are copied, and may overlap in the file.
const MAX_NAME_LEN: usize = 64;

/// An image, split into sections.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    header: FileHeader64<LE>,
    sections: Vec<Section<'a>>,
}

#[derive(Clone, Debug)]
struct Section<'a> {
    name: String,
    header: SectionHeader64<LE>,
    data: Cow<'a, [u8]>,
}

/// Why an image cannot be read or rewritten.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// It is not an ELF file as the engine writes it.
    #[error("malformed image: {what}")]
    Malformed {
        /// The part that was read when it failed.
        what: &'static str,
    },
    /// The section does not exist.
    #[error("the image has no section `{name}`")]
    Missing {
        /// The section's name.
        name: String,
    },
    /// A section refers to other sections by their numbers or places, which change.
    #[error("section `{name}` depends on the places of others, and cannot be kept")]
    Bound {
        /// The section's name.
        name: String,
    },
}

impl<'a> Image<'a> {
    /// Splits an image into sections.
    ///
    /// # Errors
    ///
    /// [`ImageError::Malformed`].
    pub fn parse(image: &'a [u8]) -> Result<Self, ImageError> {
        let malformed = |what| ImageError::Malformed { what };
        let header = FileHeader64::<LE>::parse(image).map_err(|_| malformed("file header"))?;
        if header.is_big_endian() || header.e_phnum.get(LE) != 0 {
            return Err(malformed("file header"));
        }
        let table = header.sections(LE, image);
        let table = table.map_err(|_| malformed("section table"))?;
        if table.len() > MAX_SECTIONS {
            return Err(malformed("section table"));
        }
        let mut sections: Vec<Section<'a>> = Vec::new();
        for section in table.iter().skip(1) {
            let name = table.section_name(LE, section).ok();
            let name = name.filter(|name| name.len() <= MAX_NAME_LEN);
            let name = name.and_then(|name| std::str::from_utf8(name).ok());
            let name = name.ok_or_else(|| malformed("section name"))?;
            let data = section.data(LE, image);
            let data = data.map_err(|_| malformed("section data"))?;
            let align = section.sh_addralign(LE);
            if !(align == 0 || align.is_power_of_two() && align <= MAX_ALIGN) {
                return Err(malformed("section alignment"));
            }
            if sections.iter().any(|known| known.name == name) {
                return Err(malformed("section name"));
            }
            // This section is written again.
            if name != NAMES {
                sections.push(Section {
                    name: name.to_owned(),
                    header: *section,
                    data: data.into(),
                });
            }
        }
        Ok(Self {
            header: *header,
            sections,
        })
    }

    fn find(&self, name: &str) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Every section that has bytes: its name and the bytes.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let sections = self.sections.iter();
        sections.map(|section| (&*section.name, &*section.data))
    }

    /// A section's bytes.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        self.find(name).map(|section| &*section.data)
    }

    /// A section's alignment in bytes.
    pub(crate) fn section_align(&self, name: &str) -> Option<u64> {
        self.find(name).map(Section::align)
    }

    /// `e_machine`, which names the CPU family.
    pub fn machine(&self) -> u16 {
        self.header.e_machine.get(LE)
    }

    /// The offset and the length of the code in the image that was parsed.
    pub fn text(&self) -> (u64, u64) {
        let text = self.find(TEXT).map(|text| &text.header);
        text.map_or((0, 0), |text| (text.sh_offset(LE), text.sh_size(LE)))
    }

    /// Removes a section. Returns whether it existed.
    pub fn drop_section(&mut self, name: &str) -> bool {
        let before = self.sections.len();
        self.sections.retain(|section| section.name != name);
        self.sections.len() != before
    }

    /// Replaces a section's bytes.
    ///
    /// # Errors
    ///
    /// [`ImageError::Missing`].
    pub fn replace(&mut self, name: &str, data: Vec<u8>) -> Result<(), ImageError> {
        let section = self.sections.iter_mut().find(|known| known.name == name);
        let section = section.ok_or_else(|| ImageError::Missing { name: name.into() })?;
        section.data = data.into();
        Ok(())
    }

    /// The image with a new layout. The same sections give the same bytes.
    ///
    /// # Errors
    ///
    /// [`ImageError::Bound`] for symbol tables and relocations, which refer to sections by number,
    /// and for unwind information, which depends on its distance to the code.
    pub fn write(&self) -> Result<Vec<u8>, ImageError> {
        for section in &self.sections {
            let header = &section.header;
            let numbers = header.sh_link.get(LE) != 0 || header.sh_info.get(LE) != 0;
            if numbers || section.name == UNWIND {
                let name = section.name.clone();
                return Err(ImageError::Bound { name });
            }
        }
        let (offsets, end) = self.layout();
        let names_at = end;
        let mut names = vec![0];
        let mut table = vec![elf::section(0, SHT_NULL, 0, 0)];
        for (section, offset) in self.sections.iter().zip(&offsets) {
            let mut entry = section.header;
            let name = elf::append(&mut names, &section.name);
            entry.sh_name.set(LE, name);
            entry.sh_offset.set(LE, *offset);
            entry.sh_size.set(LE, section.data.len() as u64);
            table.push(entry);
        }
        let name = elf::append(&mut names, NAMES);
        let mut entry = elf::section(name, SHT_STRTAB, names_at, names.len() as u64);
        entry.sh_addralign.set(LE, 1);
        table.push(entry);

        let table_at = align_up(names_at + names.len() as u64, 8);
        let count = u16::try_from(table.len());
        let count = count.map_err(|_| ImageError::Malformed {
            what: "section table",
        })?;
        let mut header = self.header;
        header.e_shoff.set(LE, table_at);
        header.e_shnum.set(LE, count);
        header.e_shstrndx.set(LE, count - 1);

        let parts = self.sections.iter().zip(&offsets);
        let mut parts: Vec<(u64, &[u8])> = parts.map(|(part, at)| (*at, &*part.data)).collect();
        parts.sort_by_key(|(at, data)| (*at, data.len()));
        let len = usize::try_from(table_at).unwrap_or(0);
        let mut out = Vec::with_capacity(len.saturating_add(size_of_val(table.as_slice())));
        out.extend_from_slice(bytes_of(&header));
        for (at, data) in parts {
            pad_to(&mut out, at);
            if !data.is_empty() {
                out.extend_from_slice(data);
            }
        }
        pad_to(&mut out, names_at);
        out.extend_from_slice(&names);
        pad_to(&mut out, table_at);
        for entry in &table {
            out.extend_from_slice(bytes_of(entry));
        }
        Ok(out)
    }

    /// The start of each section, and the end of the last one.
    fn layout(&self) -> (Vec<u64>, u64) {
        let text = self.find(TEXT).filter(|text| !text.data.is_empty());
        let code_at = text.map_or(0, |text| align_up(HEADER_LEN, text.align()));
        let mut offsets = vec![0; self.sections.len()];
        // The gap before the code, as far as sections fit.
        let mut end = HEADER_LEN;
        let mut behind = Vec::new();
        for (offset, section) in offsets.iter_mut().zip(&self.sections) {
            // An empty section can lie anywhere, and has any alignment.
            if section.data.is_empty() {
                continue;
            }
            let at = align_up(end, section.align());
            let next = at + section.data.len() as u64;
            if section.name == TEXT || next > code_at {
                behind.push((offset, section));
            } else {
                (*offset, end) = (at, next);
            }
        }
        // First the code, then sections aligned to whole pages, then the rest.
        behind.sort_by_key(|(_, section)| (section.name != TEXT, u64::MAX - section.align()));
        for (offset, section) in behind {
            *offset = align_up(end, section.align());
            end = *offset + section.data.len() as u64;
            // Whole pages become executable, so nothing else may lie in them.
            if section.name == TEXT {
                end = align_up(end, section.align());
            }
        }
        (offsets, end)
    }
}

impl Section<'_> {
    fn align(&self) -> u64 {
        self.header.sh_addralign(LE).max(1)
    }
}

fn align_up(offset: u64, align: u64) -> u64 {
    offset.next_multiple_of(align)
}

/// Fills the space between sections with zeros.
fn pad_to(out: &mut Vec<u8>, offset: u64) {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    // An empty section may lie inside another one.
    if offset > out.len() {
        out.resize(offset, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = r#"(module
        (memory (export "memory") 1)
        (data (i32.const 16) "some data")
        (func (export "add") (param i32 i32) (result i32)
            local.get 0 local.get 1 i32.add i32.load))"#;
    const UNREAD: [&str; 3] = [".wasmtime.addrmap", ".symtab", ".strtab"];

    fn compiled(target: &str) -> Vec<u8> {
        let program = crate::validate(wat::parse_str(PROGRAM).unwrap()).unwrap();
        let target = edgec_targets::find(target).unwrap();
        crate::precompile(&program, target, crate::EngineProfile::Default)
            .unwrap()
            .into_bytes()
    }

    fn stripped(image: &[u8]) -> Image<'_> {
        let mut image = Image::parse(image).unwrap();
        for name in UNREAD {
            assert!(image.drop_section(name), "{name}");
        }
        image
    }

    #[test]
    fn what_is_kept_keeps_its_bytes_and_its_alignment() {
        for target in ["x86_64", "aarch64"] {
            let old = compiled(target);
            let new = stripped(&old).write().unwrap();
            let (old, new) = (Image::parse(&old).unwrap(), Image::parse(&new).unwrap());
            let fixed = |image: &Image<'_>| {
                let header = image.header;
                (header.e_ident.os_abi, header.e_machine, header.e_flags)
            };
            assert_eq!(fixed(&new), fixed(&old));
            for section in &old.sections {
                if UNREAD.contains(&section.name.as_str()) {
                    assert!(new.find(&section.name).is_none());
                    continue;
                }
                let same = new.find(&section.name).unwrap();
                assert_eq!(same.data, section.data, "{}", section.name);
                assert_eq!(same.align(), section.align());
                if !same.data.is_empty() {
                    assert_eq!(same.header.sh_offset(LE) % same.align(), 0);
                }
            }
        }
    }

    #[test]
    fn writing_again_changes_nothing() {
        let image = compiled("aarch64");
        let once = stripped(&image).write().unwrap();
        assert_eq!(Image::parse(&once).unwrap().write().unwrap(), once);
        // One page before the code, one of code, one of data, and small sections only before the
        // code.
        assert!(once.len() < 3 * 65536 + 4096, "{}", once.len());
    }

    #[test]
    fn each_error_has_a_case() {
        let image = compiled("x86_64");
        let mut whole = Image::parse(&image).unwrap();
        assert_eq!(
            whole.write().unwrap_err().to_string(),
            "section `.symtab` depends on the places of others, and cannot be kept"
        );
        let mut unwinding = stripped(&image);
        unwinding.sections[0].name = UNWIND.to_owned();
        let name = UNWIND.to_owned();
        assert_eq!(unwinding.write(), Err(ImageError::Bound { name }));
        assert_eq!(
            whole.replace(".name.wasm", vec![]).unwrap_err().to_string(),
            "the image has no section `.name.wasm`"
        );
        for length in [0, 63, 100, image.len() - 1] {
            let error = Image::parse(&image[..length]).unwrap_err();
            assert!(matches!(error, ImageError::Malformed { .. }), "{error}");
        }
    }

    #[test]
    fn a_section_may_grow() {
        let image = compiled("aarch64");
        let mut image = stripped(&image);
        let grown = vec![7; 100_000];
        image.replace(".wasmtime.info", grown.clone()).unwrap();
        let written = image.write().unwrap();
        let again = Image::parse(&written).unwrap();
        assert_eq!(again.section(".wasmtime.info"), Some(&*grown));
    }
}
