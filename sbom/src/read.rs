//! Walks the sections of a program, also of nested modules and components.

use wasmparser::{Encoding, Parser, Payload};

use crate::custom;
use crate::digest::sha256;
use crate::error::SbomError;
use crate::limits::{MAX_CRATES_LEN, MAX_DEPTH, MAX_NAMES, MAX_PARTS};
use crate::program::{Part, PartKind, Program};

/// A part that has not ended.
struct Open {
    /// Its place in the list of parts.
    part: usize,
    /// How many parts have begun directly in it.
    children: usize,
}

impl Program {
    /// Reads a component or a core module in the binary format. Only sections are read: whether it
    /// is valid is not checked.
    ///
    /// # Errors
    ///
    /// [`SbomError`], with the byte offset.
    pub fn read(bytes: &[u8]) -> Result<Self, SbomError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(SbomError::NotWasm);
        }
        let mut walk = Walk {
            bytes,
            program: Self {
                parts: Vec::new(),
                imports: Vec::new(),
                exports: Vec::new(),
                sha256: sha256(bytes),
            },
            open: Vec::new(),
            crates_left: MAX_CRATES_LEN,
        };
        for payload in Parser::new(0).parse_all(bytes) {
            walk.take(payload?)?;
        }
        Ok(walk.program)
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    program: Program,
    open: Vec<Open>,
    /// How many bytes of lists of crates may still come.
    crates_left: usize,
}

impl Walk<'_> {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), SbomError> {
        match payload {
            Payload::Version { encoding, .. } if self.open.is_empty() => {
                let kind = match encoding {
                    Encoding::Component => PartKind::Component,
                    Encoding::Module => PartKind::Module,
                };
                self.begin(kind, 0..self.bytes.len())?;
            }
            Payload::ModuleSection {
                unchecked_range: range,
                ..
            } => self.begin(PartKind::Module, range)?,
            Payload::ComponentSection {
                unchecked_range: range,
                ..
            } => self.begin(PartKind::Component, range)?,
            Payload::End(_) => {
                self.open.pop();
            }
            Payload::CustomSection(section) => {
                let part = self.open.last().map(|open| open.part);
                if let Some(part) = part.and_then(|part| self.program.parts.get_mut(part)) {
                    custom::read(&section, part, &mut self.crates_left)?;
                }
            }
            Payload::ImportSection(section) if self.is_outside() => {
                for import in section.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    let name = format!("{} {}", import.module, import.name);
                    add(&mut self.program.imports, name, "imports", offset)?;
                }
            }
            Payload::ExportSection(section) if self.is_outside() => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    let name = export.name.to_owned();
                    add(&mut self.program.exports, name, "exports", offset)?;
                }
            }
            Payload::ComponentImportSection(section) if self.is_outside() => {
                for import in section.into_iter_with_offsets() {
                    let (offset, import) = import?;
                    let name = import.name.name.to_owned();
                    add(&mut self.program.imports, name, "imports", offset)?;
                }
            }
            Payload::ComponentExportSection(section) if self.is_outside() => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    let name = export.name.name.to_owned();
                    add(&mut self.program.exports, name, "exports", offset)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the sections are those of the program itself.
    fn is_outside(&self) -> bool {
        self.open.len() == 1
    }

    fn begin(&mut self, kind: PartKind, range: std::ops::Range<usize>) -> Result<(), SbomError> {
        let too_many = |what, most| {
            let offset = range.start;
            Err(SbomError::TooMany { what, offset, most })
        };
        if self.program.parts.len() >= MAX_PARTS {
            return too_many("modules and components", MAX_PARTS);
        }
        if self.open.len() >= MAX_DEPTH {
            return too_many("components in one another", MAX_DEPTH);
        }
        let mut path = Vec::new();
        if let Some(around) = self.open.last_mut() {
            let parent = self.program.parts.get(around.part);
            path.extend(parent.iter().flat_map(|part| &part.path));
            path.push(around.children);
            around.children += 1;
        }
        let mut part = Part::new(kind, path, range.clone());
        if kind == PartKind::Module && !self.open.is_empty() {
            // Core modules have nothing nested in them, so each byte is digested once.
            part.sha256 = self.bytes.get(range).map(sha256);
        }
        self.open.push(Open {
            part: self.program.parts.len(),
            children: 0,
        });
        self.program.parts.push(part);
        Ok(())
    }
}

fn add(
    names: &mut Vec<String>,
    name: String,
    what: &'static str,
    offset: usize,
) -> Result<(), SbomError> {
    if names.len() >= MAX_NAMES {
        let most = MAX_NAMES;
        return Err(SbomError::TooMany { what, offset, most });
    }
    names.push(name);
    Ok(())
}
