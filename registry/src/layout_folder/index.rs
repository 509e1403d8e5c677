//! The files that make a folder a layout: `oci-layout`, `index.json`, and the folders of blobs.

use std::fs::File;
use std::path::Path;

use edgec_files::{
    Durability, FolderKind, Hold, NewFolders, NewMode, put_all, read_bounded, wait_for_lock,
    write_aside,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{blobs, io};
use crate::checked::{MAX_MANIFEST_LEN, require_storable};
use crate::{Descriptor, RegistryError, media};

/// The annotation with an entry's tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";

/// Source: OCI Image Specification 1.1, `image-layout.md`, "oci-layout file".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

/// `index.json`. Fields beside the entries stay as they are.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u32,
    manifests: Vec<Descriptor>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Whether the folder is a layout.
pub(super) fn is_layout(folder: &Path) -> Result<bool, RegistryError> {
    let path = folder.join("oci-layout");
    let Some((file, length)) = blobs::open(&path, MAX_MANIFEST_LEN)? else {
        return Ok(false);
    };
    let bytes = read_bounded(file, MAX_MANIFEST_LEN, length).map_err(|it| io(&path, it))?;
    let marker: Marker = parse(&path, &bytes)?;
    match marker.image_layout_version.starts_with("1.") {
        true => Ok(true),
        false => {
            let version = crate::checked::shown(&marker.image_layout_version);
            Err(damaged(
                &path,
                format!("it has version {version}, not 1.0.0"),
            ))
        }
    }
}

/// Makes the folder a layout, unless it is one. A folder with something else is refused: nothing of
/// it would be lost, but no one would expect these files there.
pub(super) fn make(folder: &Path) -> Result<(), RegistryError> {
    let mut folders = NewFolders::default();
    if is_layout(folder)? {
        make_blobs(folder, &mut folders)?;
        folders.keep();
        return Ok(());
    }
    if let Ok(mut entries) = folder.read_dir()
        && entries.any(|it| it.is_ok_and(|it| !is_ours(&it.file_name())))
    {
        let what = "the folder has other files; name an empty or new one".to_owned();
        return Err(damaged(folder, what));
    }
    make_blobs(folder, &mut folders)?;
    // The marker comes last: with it, the folder is a layout.
    let empty = Index {
        schema_version: 2,
        manifests: Vec::new(),
        rest: Map::from_iter([("mediaType".to_owned(), Value::from(media::INDEX))]),
    };
    put_if_absent(&folder.join("index.json"), &empty.bytes(folder)?)?;
    put_if_absent(&folder.join("oci-layout"), LAYOUT.as_bytes())?;
    folders.keep();
    Ok(())
}

/// Makes the folders of blobs, unless they are there. A layout without blobs is valid. A link in
/// their place is refused: blobs would be written to a folder that the caller did not name.
fn make_blobs(folder: &Path, folders: &mut NewFolders) -> Result<(), RegistryError> {
    let blobs = folder.join("blobs");
    let of_kind = blobs.join("sha256");
    for path in [&blobs, &of_kind] {
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                let what = "it is a symbolic link, and edgec writes through none".to_owned();
                return Err(damaged(path, what));
            }
            Ok(found) if !found.is_dir() => {
                return Err(damaged(path, "it is not a folder".to_owned()));
            }
            _ => {}
        }
    }
    let made = folders.make(&of_kind, FolderKind::Outputs);
    made.map_err(|error| io(&of_kind, error))
}

/// What a crash while making a layout leaves, or another process just makes.
fn is_ours(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    ["blobs", "index.json", "oci-layout"].contains(&name.as_ref()) || name.starts_with(".edgec-")
}

fn put_if_absent(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let aside = write_aside(path, bytes, NewMode::AsBefore, Durability::OnDisk);
    let put = aside.and_then(edgec_files::Aside::put_if_absent);
    put.map(|_| ()).map_err(|error| io(path, error))
}

/// Waits until no other process changes the layout. The lock ends with the value.
pub(super) fn lock(folder: &Path) -> Result<File, RegistryError> {
    let path = folder.join("oci-layout");
    let file = File::open(&path).map_err(|error| io(&path, error))?;
    wait_for_lock(&file, Hold::Exclusive).map_err(|error| io(&path, error))?;
    Ok(file)
}

impl Index {
    pub(super) fn read(folder: &Path) -> Result<Self, RegistryError> {
        let path = folder.join("index.json");
        let Some((file, length)) = blobs::open(&path, MAX_MANIFEST_LEN)? else {
            return Err(damaged(&path, "it is missing".to_owned()));
        };
        let bytes = read_bounded(file, MAX_MANIFEST_LEN, length).map_err(|it| io(&path, it))?;
        Self::parse(&path, &bytes)
    }

    /// The index in these bytes of the file at `path`.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, RegistryError> {
        parse(path, bytes)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), RegistryError> {
        let path = folder.join("index.json");
        let bytes = self.bytes(folder)?;
        require_storable(&format!("`{}`", path.display()), &bytes)?;
        let aside = write_aside(&path, &bytes, NewMode::AsBefore, Durability::OnDisk);
        let aside = aside.map_err(|error| io(&path, error))?;
        put_all(vec![aside]).map_err(|error| io(&path, error.source))
    }

    pub(crate) fn bytes(&self, folder: &Path) -> Result<Vec<u8>, RegistryError> {
        serde_json::to_vec(self).map_err(|error| damaged(folder, error.to_string()))
    }

    pub(crate) fn entries(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// The entry with a tag. If several have it, the last one.
    pub(crate) fn tagged(&self, tag: &str) -> Option<&Descriptor> {
        let is_tagged = |it: &&Descriptor| it.annotations.get(REF_NAME).is_some_and(|it| it == tag);
        self.manifests.iter().rev().find(is_tagged)
    }

    /// Gives a tag to an entry, and takes it from all others.
    pub(crate) fn tag(&mut self, tag: &str, mut entry: Descriptor) {
        let is_tagged = |it: &Descriptor| it.annotations.get(REF_NAME).is_some_and(|it| it == tag);
        let at = self.manifests.iter().position(is_tagged);
        self.manifests.retain(|it| !is_tagged(it));
        entry
            .annotations
            .insert(REF_NAME.to_owned(), tag.to_owned());
        let at = at.unwrap_or(self.manifests.len()).min(self.manifests.len());
        self.manifests.insert(at, entry);
    }

    /// Adds an entry without a tag, unless there is one.
    pub(super) fn list(&mut self, entry: Descriptor) {
        if !self.manifests.iter().any(|it| it.digest == entry.digest) {
            self.manifests.push(entry);
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = format!("line {}, column {}: {error}", error.line(), error.column());
        damaged(path, what)
    })
}

fn damaged(path: &Path, what: String) -> RegistryError {
    RegistryError::Layout {
        path: path.to_owned(),
        what,
    }
}
