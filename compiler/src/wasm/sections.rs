//! The sections of a program, for stages that copy everything that they do not change, byte for
//! byte.

use wasm_encoder::{RawSection, Section as _};
use wasmparser::{Chunk, FromReader, Parser, Payload, SectionLimited};

/// A section of a component, or its header.
pub(crate) struct Section<'a> {
    /// Its content.
    pub(crate) payload: Payload<'a>,
    /// All of its bytes in the file.
    pub(crate) bytes: &'a [u8],
    /// The core module or component in it.
    pub(crate) nested: Option<&'a [u8]>,
}

/// The outermost sections of a component, in order. They are not collected, because a hostile
/// component has many. The last item is `None` if the bytes are not a component.
pub(crate) fn sections(component: &[u8]) -> Sections<'_> {
    Sections {
        parser: Parser::new(0),
        rest: Some(component),
    }
}

/// The iterator that [`sections`] returns.
pub(crate) struct Sections<'a> {
    parser: Parser,
    /// The unread bytes. `None` after the last section.
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Sections<'a> {
    type Item = Option<Section<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        match next_section(&mut self.parser, rest) {
            Some((Some(section), rest)) => {
                self.rest = Some(rest);
                Some(Some(section))
            }
            Some((None, _)) => None,
            None => Some(None),
        }
    }
}

/// The next section, unless the component ends here, and the bytes after it.
fn next_section<'a>(
    parser: &mut Parser,
    rest: &'a [u8],
) -> Option<(Option<Section<'a>>, &'a [u8])> {
    let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).ok()? else {
        return None;
    };
    // These bytes are a whole section, or the head of a section before a nested binary.
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
        Payload::End(_) => return Some((None, rest)),
        _ => None,
    };
    let length = consumed.checked_add(nested.map_or(0, <[u8]>::len))?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    let section = Section {
        payload,
        bytes,
        nested,
    };
    Some((Some(section), rest))
}

/// The entries of a component's section, each with its bytes. An item is `None` if an entry cannot
/// be read.
pub(crate) fn entries<'a, T: FromReader<'a>>(
    component: &'a [u8],
    section: SectionLimited<'a, T>,
) -> impl Iterator<Item = Option<(T, &'a [u8])>> {
    let end = section.range().end;
    let mut entries = section.into_iter_with_offsets().peekable();
    std::iter::from_fn(move || {
        let Ok((start, entry)) = entries.next()? else {
            return Some(None);
        };
        let end = match entries.peek() {
            Some(Ok((next, _))) => *next,
            _ => end,
        };
        Some(component.get(start..end).map(|bytes| (entry, bytes)))
    })
}

/// A component that is put together again, section by section. Nothing is copied before the first
/// section that changes.
pub(crate) struct Rewritten<'a> {
    component: &'a [u8],
    /// The length of the sections so far, in the old component.
    passed: usize,
    new: Option<Vec<u8>>,
}

impl<'a> Rewritten<'a> {
    /// Starts with the sections of `component`. Each of them must be kept or replaced, in order.
    pub(crate) fn new(component: &'a [u8]) -> Self {
        Self {
            component,
            passed: 0,
            new: None,
        }
    }

    /// Keeps the next section.
    pub(crate) fn keep(&mut self, section: &Section<'_>) {
        self.passed = self.passed.saturating_add(section.bytes.len());
        if let Some(new) = &mut self.new {
            new.extend_from_slice(section.bytes);
        }
    }

    /// Replaces the next section. The caller appends the new section to the returned bytes.
    pub(crate) fn replace(&mut self, section: &Section<'_>) -> &mut Vec<u8> {
        let (component, passed) = (self.component, self.passed);
        self.passed = passed.saturating_add(section.bytes.len());
        self.new.get_or_insert_with(|| {
            let mut new = Vec::with_capacity(component.len());
            new.extend_from_slice(component.get(..passed).unwrap_or_default());
            new
        })
    }

    /// The new component. `None` if no section was replaced.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.new
    }
}

/// What to do with a section of a core module.
pub(crate) enum Becomes {
    /// Keep it.
    Itself,
    /// Remove it.
    Nothing,
    /// Replace its content.
    Bytes(Vec<u8>),
}

/// A core module with the sections that `change` decides. `None` if `change` returns `None`, or if
/// the bytes are not a module.
pub(crate) fn with_sections<'a>(
    module: &'a [u8],
    mut change: impl FnMut(Payload<'a>) -> Option<Becomes>,
) -> Option<Vec<u8>> {
    // As long as the module, because little is added: growing would copy most of it again.
    let mut out = Vec::with_capacity(module.len());
    out.extend_from_slice(&wasm_encoder::Module::HEADER);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        match change(payload)? {
            Becomes::Itself => {
                let data = module.get(range)?;
                RawSection { id, data }.append_to(&mut out);
            }
            Becomes::Bytes(data) => RawSection { id, data: &data }.append_to(&mut out),
            Becomes::Nothing => {}
        }
    }
    Some(out)
}
