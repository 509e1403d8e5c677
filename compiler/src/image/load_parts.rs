//! What the description of an image consists of. The engine decodes all of it at each load, which
//! is most of a load, so its parts show which core module a load spends its time on.
//!
//! The description is one stream without an index. So each part is written again to learn its
//! length: an image that the engine wrote has the same bytes.

use postcard::to_allocvec;
use serde::{Deserialize, Serialize};

use crate::ProgramKind;
use crate::image::metadata::Metadata;

/// A part of the description that an engine decodes at each load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPart {
    /// What it describes.
    pub item: LoadItem,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a part of the description describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LoadItem {
    /// The component: its imports and exports, and how its instances are made.
    Component,
    /// The types, which the engine registers.
    Types,
    /// The places of the functions in the code.
    Functions,
    /// The core module of this number.
    Module(u32),
}

/// The parts of the description in a section `.wasmtime.info`.
pub(crate) fn load_parts(info: &[u8], kind: ProgramKind) -> Result<Vec<LoadPart>, postcard::Error> {
    let mut parts = Vec::new();
    let mut add = |item, bytes: Vec<u8>| {
        let bytes = bytes.len() as u64;
        parts.push(LoadPart { item, bytes });
    };
    match Metadata::read(info, kind)? {
        Metadata::Component(artifacts) => {
            add(LoadItem::Component, to_allocvec(&artifacts.info)?);
            add(LoadItem::Types, to_allocvec(&artifacts.types)?);
            add(LoadItem::Functions, to_allocvec(&artifacts.table)?);
            for (number, module) in (0u32..).zip(artifacts.static_modules.values()) {
                add(LoadItem::Module(number), to_allocvec(module)?);
            }
        }
        Metadata::Module(artifacts) => {
            let (module, functions, types) = artifacts.as_ref();
            add(LoadItem::Types, to_allocvec(types)?);
            add(LoadItem::Functions, to_allocvec(functions)?);
            add(LoadItem::Module(0), to_allocvec(module)?);
        }
    }
    Ok(parts)
}
