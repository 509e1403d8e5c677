//! The sections of a component, for stages that copy what they do not change byte for byte.

use wasmparser::{Chunk, Parser, Payload};

/// A section of a component, or its header.
pub(crate) struct Section<'a> {
    /// What it is.
    pub(crate) payload: Payload<'a>,
    /// All of its bytes as they stand in the file.
    pub(crate) bytes: &'a [u8],
    /// The core module or component in it.
    pub(crate) nested: Option<&'a [u8]>,
}

/// The outermost sections of a component; `None` when the bytes are none.
pub(crate) fn sections(component: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut sections = Vec::new();
    let mut parser = Parser::new(0);
    let mut rest = component;
    loop {
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).ok()? else {
            return None;
        };
        // A whole section, or the head of one that a nested binary follows.
        let nested = match &payload {
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => {
                let (_, after) = rest.split_at_checked(consumed)?;
                Some(after.get(..unchecked_range.len())?)
            }
            Payload::End(_) => return Some(sections),
            _ => None,
        };
        let length = consumed.checked_add(nested.map_or(0, <[u8]>::len))?;
        let (bytes, after) = rest.split_at_checked(length)?;
        sections.push(Section {
            payload,
            bytes,
            nested,
        });
        rest = after;
    }
}
