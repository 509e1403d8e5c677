//! The custom sections that a bill of materials needs.

use std::collections::BTreeSet;

use wasmparser::{
    BinaryReader, ComponentName, CustomSectionReader, KnownCustom, Name, ProducersSectionReader,
};

use crate::crates;
use crate::error::SbomError;
use crate::limits::{MAX_PRODUCERS, MAX_SECTION_LEN, MAX_TEXT_LEN};
use crate::program::{Metadata, Part, Producer};

/// The section of `cargo auditable`.
const CRATES: &str = ".dep-v0";
const PRODUCERS: &str = "producers";

/// Adds what a custom section says to its part. Sections of other names are passed over. As in
/// `wasm-metadata`, the last section of a name counts, except that producers add up.
pub(crate) fn read(
    section: &CustomSectionReader<'_>,
    part: &mut Part,
    crates_left: &mut usize,
) -> Result<(), SbomError> {
    let (data, offset) = (section.data(), section.data_offset());
    match section.name() {
        PRODUCERS => {
            bounded(PRODUCERS, data, offset, MAX_SECTION_LEN)?;
            return producers(part, data, offset);
        }
        CRATES => {
            bounded(CRATES, data, offset, MAX_SECTION_LEN)?;
            part.crates = Some(crates::read(data, offset, crates_left)?);
        }
        "name" | "component-name" => {
            if let Some(name) = name(section).filter(|name| name.len() <= MAX_TEXT_LEN) {
                part.metadata.name = Some(name.to_owned());
            }
        }
        other => {
            if let Some((section, field)) = field(&mut part.metadata, other) {
                bounded(section, data, offset, MAX_TEXT_LEN)?;
                let text = std::str::from_utf8(data).map_err(|error| SbomError::Section {
                    section,
                    offset: offset.saturating_add(error.valid_up_to()),
                    message: "not UTF-8".to_owned(),
                })?;
                *field = Some(text.to_owned()).filter(|text| !text.is_empty());
            }
        }
    }
    Ok(())
}

/// The field for a section of registry metadata.
fn field<'m>(
    metadata: &'m mut Metadata,
    section: &str,
) -> Option<(&'static str, &'m mut Option<String>)> {
    Some(match section {
        "authors" => ("authors", &mut metadata.authors),
        "description" => ("description", &mut metadata.description),
        "licenses" => ("licenses", &mut metadata.licenses),
        "source" => ("source", &mut metadata.source),
        "homepage" => ("homepage", &mut metadata.homepage),
        "revision" => ("revision", &mut metadata.revision),
        "version" => ("version", &mut metadata.version),
        _ => return None,
    })
}

fn bounded(
    section: &'static str,
    data: &[u8],
    offset: usize,
    most: usize,
) -> Result<(), SbomError> {
    if data.len() > most {
        return Err(SbomError::Length {
            section,
            offset,
            most,
        });
    }
    Ok(())
}

/// The name of the module or component. Names are for people, so a damaged section has none.
fn name<'a>(section: &CustomSectionReader<'a>) -> Option<&'a str> {
    match section.as_known() {
        KnownCustom::Name(names) => names.into_iter().map_while(Result::ok).find_map(|it| {
            let Name::Module { name, .. } = it else {
                return None;
            };
            Some(name)
        }),
        KnownCustom::ComponentName(names) => {
            names.into_iter().map_while(Result::ok).find_map(|it| {
                let ComponentName::Component { name, .. } = it else {
                    return None;
                };
                Some(name)
            })
        }
        _ => None,
    }
}

fn producers(part: &mut Part, data: &[u8], offset: usize) -> Result<(), SbomError> {
    let malformed = |error: wasmparser::Error| SbomError::Section {
        section: PRODUCERS,
        offset: error.offset(),
        message: error.message().to_owned(),
    };
    let mut found: BTreeSet<Producer> = part.producers.drain(..).collect();
    let fields = ProducersSectionReader::new(BinaryReader::new(data, offset));
    for field in fields.map_err(malformed)? {
        let field = field.map_err(malformed)?;
        for value in field.values.into_iter_with_offsets() {
            let (offset, value) = value.map_err(malformed)?;
            if found.len() >= MAX_PRODUCERS {
                let (what, most) = ("producers", MAX_PRODUCERS);
                return Err(SbomError::TooMany { what, offset, most });
            }
            found.insert(Producer {
                field: field.name.to_owned(),
                name: value.name.to_owned(),
                version: value.version.to_owned(),
            });
        }
    }
    part.producers = found.into_iter().collect();
    Ok(())
}
