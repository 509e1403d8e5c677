//! The line of a source file from which an instruction was compiled.
//!
//! A module with debug information has it in custom sections, in DWARF. Addresses are bytes from
//! the start of the code section's content. Sources: DWARF 5, section 6.2; "DWARF for WebAssembly".
//! The information comes with the program, so it may be wrong: it only goes into a message.

use gimli::{ColumnType, Dwarf, EndianSlice, LittleEndian, SectionId, Unit};
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// The maximum length of a file's name, in characters.
const MAX_FILE_LEN: usize = 300;

/// A place in a source file, as the program states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// The file, with its folder if that is known.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The column, counted from 1.
    pub column: Option<u64>,
}

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The source of the instruction at `offset` in a module. `None` if the module does not state it.
pub(super) fn find(module: &[u8], offset: usize) -> Option<SourceLine> {
    let mut code = None;
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload {
            Ok(Payload::CodeSectionStart { range, .. }) => code = Some(range.start),
            Ok(Payload::CustomSection(section)) if section.name().starts_with(".debug_") => {
                sections.push((section.name(), section.data()));
            }
            Ok(Payload::End(_)) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let address = u64::try_from(offset.checked_sub(code?)?).ok()?;
    let load = |id: SectionId| -> Result<Bytes<'_>, gimli::Error> {
        let found = sections.iter().find(|(name, _)| *name == id.name());
        let data: &[u8] = found.map_or(&[], |(_, data)| *data);
        Ok(EndianSlice::new(data, LittleEndian))
    };
    let dwarf = Dwarf::load(load).ok()?;
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        let unit = dwarf.unit(header).ok();
        let found = unit.and_then(|unit| in_unit(&dwarf, &unit, address));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A row of the table of lines. It holds up to the address of the next row.
struct Row {
    address: u64,
    file: u64,
    line: Option<u64>,
    column: Option<u64>,
}

fn in_unit<'a>(
    dwarf: &Dwarf<Bytes<'a>>,
    unit: &Unit<Bytes<'a>>,
    address: u64,
) -> Option<SourceLine> {
    let mut rows = unit.line_program.clone()?.rows();
    let mut before: Option<Row> = None;
    // Linkers leave the lines of removed functions, which then begin at 0. No code does: the
    // number of functions comes first.
    let mut is_removed = false;
    while let Ok(Some((header, row))) = rows.next_row() {
        let holds = |before: &Row| before.address <= address && address < row.address();
        if let Some(found) = before.take().filter(|before| !is_removed && holds(before)) {
            let file = header.file(found.file)?;
            let name = text(dwarf, unit, file.path_name())?;
            let folder = file.directory(header);
            let folder = folder.and_then(|folder| text(dwarf, unit, folder));
            let whole = match folder {
                Some(folder) if !name.starts_with('/') => format!("{folder}/{name}"),
                _ => name,
            };
            return Some(SourceLine {
                file: whole.chars().take(MAX_FILE_LEN).collect(),
                line: found.line?,
                column: found.column,
            });
        }
        if row.end_sequence() {
            is_removed = false;
            continue;
        }
        if row.address() == 0 {
            is_removed = true;
        }
        before = Some(Row {
            address: row.address(),
            file: row.file_index(),
            line: row.line().map(u64::from),
            column: match row.column() {
                ColumnType::LeftEdge => None,
                ColumnType::Column(column) => Some(column.into()),
            },
        });
    }
    None
}

fn text<'a>(
    dwarf: &Dwarf<Bytes<'a>>,
    unit: &Unit<Bytes<'a>>,
    value: gimli::AttributeValue<Bytes<'a>>,
) -> Option<String> {
    let bytes = dwarf.attr_string(unit, value).ok()?;
    Some(bytes.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CustomSection, Section as _};

    use crate::input::invalid::ValidateError;
    use crate::validate;

    /// A unit with one file and one line from `address` on, in DWARF 4.
    fn sections(address: u32) -> [(&'static str, Vec<u8>); 3] {
        // A compile unit with a table of lines.
        let abbreviations = vec![0x01, 0x11, 0x00, 0x10, 0x17, 0x00, 0x00, 0x00];
        let info = [
            &12_u32.to_le_bytes()[..],
            &4_u16.to_le_bytes(),
            &0_u32.to_le_bytes(),
            &[4, 0x01],
            &0_u32.to_le_bytes(),
        ]
        .concat();
        let tables = [
            &[1, 1, 1, 0xfb, 14, 13][..],
            &[0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1],
            b"src\0\0",
            b"lib.rs\0\x01\0\0\0",
        ]
        .concat();
        let program = [
            // The address, the line 10, the column 5, a row; then 20 bytes on, the end.
            &[0x00, 5, 0x02][..],
            &address.to_le_bytes(),
            &[0x03, 9, 0x05, 5, 0x01],
            &[0x02, 20, 0x00, 1, 0x01],
        ]
        .concat();
        let header = u32::try_from(tables.len()).unwrap();
        let rest = [&header.to_le_bytes()[..], &tables, &program].concat();
        let length = u32::try_from(2 + rest.len()).unwrap();
        let line = [&length.to_le_bytes()[..], &4_u16.to_le_bytes(), &rest].concat();
        [
            (".debug_abbrev", abbreviations),
            (".debug_info", info),
            (".debug_line", line),
        ]
    }

    fn source(address: u32) -> Option<(String, u64, Option<u64>)> {
        let mut module = wat::parse_str("(module (func nop drop))").unwrap();
        for (name, data) in sections(address) {
            let section = CustomSection {
                name: name.into(),
                data: data.into(),
            };
            section.append_to(&mut module);
        }
        let ValidateError::Invalid { location, .. } = validate(module).unwrap_err() else {
            panic!("not invalid");
        };
        let source = location.source?;
        Some((source.file, source.line, source.column))
    }

    /// The content of the code section begins at 20, and `drop` is at 24.
    #[test]
    fn debug_information_names_the_line() {
        let expected = Some(("src/lib.rs".to_owned(), 10, Some(5)));
        assert_eq!(source(4), expected);
        assert_eq!(source(3), expected);
        assert_eq!(source(5), None);
    }

    #[test]
    fn lines_of_removed_functions_do_not_count() {
        assert_eq!(source(0), None);
    }
}
