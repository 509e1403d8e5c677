//! Splits a core module into its sections, to which entries can be added.

use wasm_encoder::Encode;
use wasmparser::{BinaryReader, FunctionBody};

/// The sections' ids in the order of a module. Custom sections, which have id 0, can be anywhere.
const ORDER: [u8; 13] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
/// The section that counts the data segments.
const DATA_COUNT: u8 = 12;
/// Types.
pub const TYPES: u8 = 1;
/// Imports.
pub const IMPORTS: u8 = 2;
/// The types of functions.
pub const FUNCTIONS: u8 = 3;
/// Globals.
pub const GLOBALS: u8 = 6;
/// Exports.
pub const EXPORTS: u8 = 7;
/// Segments of tables.
pub const ELEMENTS: u8 = 9;
/// Functions.
pub const CODE: u8 = 10;
/// Segments of memories.
pub const DATA: u8 = 11;

/// The sections of a core module: their ids, and their bytes after the length.
#[derive(Clone)]
pub struct Sections(pub Vec<(u8, Vec<u8>)>);

impl Sections {
    /// The sections of a valid module.
    pub fn of(module: &[u8]) -> Self {
        let mut rest = &module[8..];
        let mut sections = Vec::new();
        while let Some((&id, behind)) = rest.split_first() {
            let (length, behind) = number(behind);
            let (body, behind) = behind.split_at(length as usize);
            sections.push((id, body.to_vec()));
            rest = behind;
        }
        Self(sections)
    }

    /// The module.
    pub fn bytes(&self) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (id, body) in &self.0 {
            module.push(*id);
            body.as_slice().encode(&mut module);
        }
        module
    }

    /// The number of entries in the section.
    pub fn count(&self, id: u8) -> u32 {
        let section = self.0.iter().find(|(other, _)| *other == id);
        section.map_or(0, |(_, body)| number(body).0)
    }

    /// Adds the only entry of an encoded section to the section with this id, which may be new.
    /// Returns the entry's number.
    pub fn add(&mut self, id: u8, section: &impl Encode) -> u32 {
        let mut encoded = Vec::new();
        section.encode(&mut encoded);
        let (_, body) = number(&encoded);
        let (count, entry) = number(body);
        assert_eq!(count, 1, "one entry at a time");
        let before = self.count(id);
        let rank = |id: u8| ORDER.iter().position(|other| *other == id);
        let body = match self.0.iter().position(|(other, _)| *other == id) {
            Some(place) => &mut self.0[place].1,
            None => {
                let later = |(other, _): &(u8, Vec<u8>)| rank(*other) > rank(id);
                let place = self.0.iter().position(later).unwrap_or(self.0.len());
                self.0.insert(place, (id, vec![0]));
                &mut self.0[place].1
            }
        };
        let mut longer = Vec::new();
        (before + 1).encode(&mut longer);
        longer.extend_from_slice(number(body).1);
        longer.extend_from_slice(entry);
        *body = longer;
        if id == DATA
            && let Some((_, count)) = self.0.iter_mut().find(|(other, _)| *other == DATA_COUNT)
        {
            count.clear();
            (before + 1).encode(count);
        }
        before
    }
}

/// A LEB128 number, and the bytes after it.
pub fn number(bytes: &[u8]) -> (u32, &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| byte & 0x80 == 0)
        .expect("a valid module")
        + 1;
    let (number, rest) = bytes.split_at(end);
    let digits = number.iter().enumerate();
    let value = digits.fold(0, |sum, (place, byte)| {
        sum | u64::from(byte & 0x7f) << (7 * place)
    });
    (u32::try_from(value).expect("a valid module"), rest)
}

impl Sections {
    /// The encoded entries of a section, if this can read sections of its kind.
    pub fn entries(&self, id: u8) -> Option<Vec<Vec<u8>>> {
        let (_, body) = self.0.iter().find(|(other, _)| *other == id)?;
        let reader = || BinaryReader::new(body, 0);
        let mut starts: Vec<usize> = Vec::new();
        macro_rules! starts {
            ($reader:ident) => {{
                let section = wasmparser::$reader::new(reader()).ok()?;
                for entry in section.into_iter_with_offsets() {
                    starts.push(entry.ok()?.0);
                }
            }};
        }
        match id {
            EXPORTS => starts!(ExportSectionReader),
            ELEMENTS => starts!(ElementSectionReader),
            DATA => starts!(DataSectionReader),
            CODE => starts!(CodeSectionReader),
            _ => return None,
        }
        let ends = starts.iter().skip(1).copied().chain([body.len()]);
        let entries = starts.iter().zip(ends);
        Some(
            entries
                .map(|(start, end)| body[*start..end].to_vec())
                .collect(),
        )
    }

    /// The module with these entries in that section.
    pub fn with_entries(&self, id: u8, entries: &[Vec<u8>]) -> Self {
        let mut sections = self.clone();
        for (other, body) in &mut sections.0 {
            if *other == id {
                body.clear();
                entries.len().encode(body);
                body.extend(entries.concat());
            }
            if (id, *other) == (DATA, DATA_COUNT) {
                body.clear();
                entries.len().encode(body);
            }
        }
        sections
    }
}

/// An encoded function with its length.
pub fn sized(body: &[u8]) -> Vec<u8> {
    let mut sized = Vec::new();
    body.encode(&mut sized);
    sized
}

/// The declarations of locals in an encoded function, and its operators.
pub fn operators(body: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let (_, body) = number(body);
    let function = FunctionBody::new(BinaryReader::new(body, 0));
    let mut reader = function.get_operators_reader().ok()?;
    let first = reader.original_position();
    let mut starts = Vec::new();
    while !reader.eof() {
        starts.push(reader.original_position());
        reader.read().ok()?;
    }
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    let operators = starts.iter().zip(ends);
    let operators = operators.map(|(start, end)| body[*start..end].to_vec());
    Some((body[..first].to_vec(), operators.collect()))
}
