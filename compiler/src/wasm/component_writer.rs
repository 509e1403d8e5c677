//! Writes a component entry by entry. Entries of the same kind in a row share a section.

use wasm_encoder::{ComponentSection, Encode as _};
use wasmparser::BinaryReader;

/// A component that is being written.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// The section of the last entries.
    open: Option<Open>,
}

struct Open {
    section: u8,
    entries: u32,
    contents: Vec<u8>,
}

impl Writer {
    /// Starts a component of about this length.
    pub(crate) fn new(length: usize) -> Self {
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&wasm_encoder::Component::HEADER);
        Self { bytes, open: None }
    }

    /// Adds an entry.
    pub(crate) fn entry(&mut self, section: u8, bytes: &[u8]) {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.section != section)
        {
            self.close();
        }
        let open = self.open.get_or_insert(Open {
            section,
            entries: 0,
            contents: Vec::new(),
        });
        open.entries = open.entries.saturating_add(1);
        open.contents.extend_from_slice(bytes);
    }

    /// Adds the only entry of a section.
    pub(crate) fn encoded(&mut self, section: &impl ComponentSection) -> Option<()> {
        self.entry(section.id(), &only_entry(section)?);
        Some(())
    }

    /// Adds a section with these contents.
    pub(crate) fn section(&mut self, section: u8, contents: &[u8]) {
        self.close();
        self.bytes.push(section);
        contents.encode(&mut self.bytes);
    }

    /// Adds a section with its header.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.close();
        self.bytes.extend_from_slice(bytes);
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let mut contents = Vec::with_capacity(open.contents.len().saturating_add(5));
            open.entries.encode(&mut contents);
            contents.extend_from_slice(&open.contents);
            self.bytes.push(open.section);
            contents.encode(&mut self.bytes);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.bytes
    }
}

/// The bytes of the only entry of a section. `None` if the section has several entries, or none.
pub(crate) fn only_entry(section: &impl ComponentSection) -> Option<Vec<u8>> {
    let mut contents = Vec::new();
    section.encode(&mut contents);
    let (_, rest) = leading_number(&contents)?;
    match leading_number(rest)? {
        (1, entry) => Some(entry.to_vec()),
        _ => None,
    }
}

/// The unsigned number at the beginning of some bytes, and the bytes after it.
fn leading_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut reader = BinaryReader::new(bytes, 0);
    let number = reader.read_var_u32().ok()?;
    Some((number, bytes.get(reader.original_position()..)?))
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{ComponentSectionId, InstanceSection, ModuleArg};

    use super::*;

    #[test]
    fn entries_in_a_row_share_a_section() {
        let mut writer = Writer::new(0);
        let instance: u8 = ComponentSectionId::CoreInstance.into();
        writer.section(
            ComponentSectionId::CoreModule.into(),
            &wasm_encoder::Module::HEADER,
        );
        for _ in 0..2 {
            let mut section = InstanceSection::new();
            section.instantiate(0, Vec::<(&str, ModuleArg)>::new());
            writer.encoded(&section).unwrap();
        }
        writer.entry(instance, &[0, 0, 0]);
        writer.raw(b"\x00\x02\x01x");
        writer.entry(instance, &[0, 0, 0]);
        let bytes = writer.finish();
        wasmparser::Validator::new().validate_all(&bytes).unwrap();
        let expected = [
            &wasm_encoder::Component::HEADER[..],
            &[1, 8],
            &wasm_encoder::Module::HEADER,
            &[2, 10, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            b"\x00\x02\x01x",
            &[2, 4, 1, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }

    #[test]
    fn a_section_of_several_entries_is_no_entry() {
        let mut section = InstanceSection::new();
        let none = || Vec::<(&str, ModuleArg)>::new();
        section.instantiate(0, none()).instantiate(0, none());
        assert_eq!(Writer::new(0).encoded(&section), None);
    }
}
