//! A layout in a folder: what is written is read again, and damage is named.

use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::checked::parse_digest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::of(MANIFEST, Sha256Digest::of(bytes), bytes.len() as u64)
}

fn tag(name: &str) -> Which {
    Which::Tag(name.to_owned())
}

struct Case {
    folder: tempfile::TempDir,
    layout: LayoutFolder,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = LayoutFolder::new(folder.path().join("new/layout"));
        Self { folder, layout }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("new/layout").join(name)
    }

    fn blob_path(&self, bytes: &[u8]) -> PathBuf {
        self.path(&format!("blobs/sha256/{}", Sha256Digest::of(bytes)))
    }
}

#[test]
fn what_is_written_is_read() {
    let case = Case::new();
    let layout = &case.layout;
    assert!(layout.manifest(&tag("v1"), None).unwrap_err().is_absence());
    assert!(!layout.has_blob(&descriptor(b"content")).unwrap());
    let put = || layout.put_blob(&descriptor(b"content"), &BlobSource::Bytes(b"content"));
    assert_eq!(put().unwrap(), Sent::Uploaded(7));
    assert_eq!(put().unwrap(), Sent::Existed);
    let mut into = Vec::new();
    layout.blob(&descriptor(b"content"), &mut into).unwrap();
    assert_eq!(into, b"content");
    let source = BlobSource::File(case.blob_path(b"content"));
    assert_eq!(
        layout.put_blob(&descriptor(b"content"), &source).unwrap(),
        Sent::Existed
    );

    for (name, bytes) in [
        ("v1", b"{\"a\":1}"),
        ("v2", b"{\"a\":2}"),
        ("v1", b"{\"a\":3}"),
    ] {
        layout.put_manifest(Some(name), INDEX, bytes).unwrap();
        let found = layout.manifest(&tag(name), None).unwrap().unwrap();
        assert_eq!(
            (found.bytes.as_slice(), found.media_type.as_str()),
            (&bytes[..], INDEX)
        );
        assert_eq!(
            layout.manifest(&tag(name), Some(found.digest)).unwrap(),
            None
        );
        let by_digest = layout
            .manifest(&Which::Digest(found.digest), None)
            .unwrap()
            .unwrap();
        assert_eq!(by_digest.bytes, bytes);
    }
    assert!(layout.manifest(&tag("v3"), None).unwrap_err().is_absence());
    let index = fs::read_to_string(case.path("index.json")).unwrap();
    assert_eq!(
        index.matches("org.opencontainers.image.ref.name").count(),
        2
    );
    assert!(
        fs::read_to_string(case.path("oci-layout"))
            .unwrap()
            .contains("1.0.0")
    );
}

#[test]
fn two_layouts_with_the_same_content_have_the_same_bytes() {
    let indexes = [(); 2].map(|()| {
        let case = Case::new();
        case.layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap();
        fs::read(case.path("index.json")).unwrap()
    });
    assert_eq!(indexes[0], indexes[1]);
}

#[test]
fn referrers_are_entries_or_under_the_fallback_tag() {
    let case = Case::new();
    let layout = &case.layout;
    let subject = Sha256Digest::of(b"{}");
    layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap();
    let bytes = |note: &str| {
        format!(r#"{{"note":"{note}","subject":{{"digest":"sha256:{subject}"}}}}"#).into_bytes()
    };
    let (a, b) = (bytes("a"), bytes("b"));
    for it in [&a, &b] {
        layout.put_manifest(None, MANIFEST, it).unwrap();
    }
    assert_eq!(layout.referrers(subject).unwrap(), []);
    layout.note_referrer(subject, &descriptor(&a)).unwrap();
    layout.note_referrer(subject, &descriptor(&a)).unwrap();
    layout
        .note_referrer(subject, &descriptor(b"not there"))
        .unwrap();
    assert_eq!(layout.referrers(subject).unwrap(), [descriptor(&a)]);
    let entries = serde_json::to_string(&[descriptor(&b), descriptor(&a)]).unwrap();
    let list = format!(r#"{{"schemaVersion":2,"manifests":{entries}}}"#);
    let fallback = fallback_tag(subject);
    layout
        .put_manifest(Some(&fallback), INDEX, list.as_bytes())
        .unwrap();
    assert_eq!(
        layout.referrers(subject).unwrap(),
        [descriptor(&a), descriptor(&b)]
    );
    assert_eq!(layout.referrers(Sha256Digest([1; 32])).unwrap(), []);
}

/// What is left out in silence could be a signature.
#[test]
fn a_list_of_referrers_that_cannot_be_read_is_an_error() {
    let subject = Sha256Digest::of(b"{}");
    let mut other = descriptor(b"other");
    other.digest = format!("sha512:{}", "0".repeat(128));
    let other = serde_json::to_string(&other).unwrap();
    let list = |entries: &str| format!(r#"{{"schemaVersion":2,"manifests":{entries}}}"#);
    for (list, code) in [
        ("not JSON".to_owned(), "registry-layout"),
        (list("{}"), "registry-layout"),
        (list("[{}]"), "registry-layout"),
        (list(&format!("[{other}]")), "registry-descriptor"),
        (list("null"), "none"),
    ] {
        let case = Case::new();
        let tag = fallback_tag(subject);
        let put = |media_type| {
            let put = case
                .layout
                .put_manifest(Some(&tag), media_type, list.as_bytes());
            put.unwrap();
            let found = case.layout.referrers(subject);
            found.map_or_else(
                |error| error.code(),
                |found| match found.is_empty() {
                    true => "none",
                    false => "some",
                },
            )
        };
        assert_eq!(put(INDEX), code, "{list}");
        // Something else under the tag is no list.
        assert_eq!(put(MANIFEST), "none", "{list}");
    }
}

/// Other programs share the folder, and one of them may be careless.
#[test]
fn an_entry_that_is_no_referrer_does_not_matter() {
    let case = Case::new();
    let layout = &case.layout;
    let subject = Sha256Digest::of(b"{}");
    layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap();
    let referrer = format!(r#"{{"subject":{{"digest":"sha256:{subject}"}}}}"#).into_bytes();
    layout.put_manifest(None, MANIFEST, &referrer).unwrap();
    layout
        .note_referrer(subject, &descriptor(&referrer))
        .unwrap();
    for bytes in [&b"damaged"[..], b"not JSON", b"short", b"long", b"folder"] {
        layout.put_manifest(None, MANIFEST, bytes).unwrap();
        let mut entry = descriptor(bytes);
        entry.size += u64::from(bytes == b"short");
        layout.note_referrer(subject, &entry).unwrap();
    }
    fs::write(case.blob_path(b"damaged"), b"other").unwrap();
    fs::write(case.blob_path(b"long"), vec![b' '; (4 << 20) + 1]).unwrap();
    fs::remove_file(case.blob_path(b"folder")).unwrap();
    fs::create_dir(case.blob_path(b"folder")).unwrap();
    assert_eq!(layout.referrers(subject).unwrap(), [descriptor(&referrer)]);
    // What says that it refers to the subject must be sound.
    let damaged = format!("{} ", String::from_utf8_lossy(&referrer));
    fs::write(case.blob_path(&referrer), damaged).unwrap();
    let error = layout.referrers(subject).unwrap_err();
    assert_eq!(error.code(), "registry-digest");
}

/// A layout from another user could lead a push to any folder.
#[test]
fn a_folder_of_blobs_elsewhere_is_not_written_to() {
    for name in ["blobs", "blobs/sha256"] {
        let case = Case::new();
        let elsewhere = case.folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let write = |it: &LayoutFolder| it.put_manifest(Some("v1"), INDEX, b"{}");
        write(&case.layout).unwrap();
        fs::remove_dir_all(case.path(name)).unwrap();
        // Without it, a layout is valid.
        write(&case.layout).unwrap();
        assert!(case.blob_path(b"{}").is_file());
        for is_layout in [true, false] {
            if !is_layout {
                fs::remove_file(case.path("oci-layout")).unwrap();
            }
            fs::remove_dir_all(case.path(name)).unwrap();
            std::os::unix::fs::symlink(&elsewhere, case.path(name)).unwrap();
            let error = write(&case.layout).unwrap_err();
            assert_eq!(error.code(), "registry-layout");
            assert!(error.to_string().contains("symbolic link"), "{error}");
            assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
            fs::remove_file(case.path(name)).unwrap();
            fs::create_dir(case.path(name)).unwrap();
        }
    }
}

#[test]
fn damaged_content_is_named() {
    let case = Case::new();
    let layout = &case.layout;
    layout
        .put_manifest(Some("v1"), INDEX, b"{\"a\":1}")
        .unwrap();
    layout
        .put_blob(&descriptor(b"content"), &BlobSource::Bytes(b"content"))
        .unwrap();
    fs::write(case.blob_path(b"{\"a\":1}"), b"{\"a\":2}").unwrap();
    fs::write(case.blob_path(b"content"), b"cOntent").unwrap();
    let error = layout.manifest(&tag("v1"), None).unwrap_err();
    assert_eq!(error.code(), "registry-digest");
    let error = layout
        .blob(&descriptor(b"content"), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-digest");
    fs::write(case.blob_path(b"content"), b"cut").unwrap();
    let error = layout
        .blob(&descriptor(b"content"), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-size");
    assert!(!layout.has_blob(&descriptor(b"content")).unwrap());
    // What is written again replaces it.
    layout
        .put_manifest(Some("v1"), INDEX, b"{\"a\":1}")
        .unwrap();
    layout
        .put_blob(&descriptor(b"content"), &BlobSource::Bytes(b"content"))
        .unwrap();
    layout
        .blob(&descriptor(b"content"), &mut Vec::new())
        .unwrap();
    layout.manifest(&tag("v1"), None).unwrap();
    fs::remove_file(case.blob_path(b"content")).unwrap();
    fs::create_dir(case.blob_path(b"content")).unwrap();
    let error = layout
        .blob(&descriptor(b"content"), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.code(), "registry-layout");
    let error = layout.has_blob(&descriptor(b"content")).unwrap_err();
    assert_eq!(error.code(), "registry-layout");
}

#[test]
fn damaged_indexes_are_named() {
    let case = Case::new();
    case.layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap();
    let code = || case.layout.manifest(&tag("v1"), None).unwrap_err().code();
    let entries = |size: u64, digest: &str| {
        let mut entry = descriptor(b"{}");
        entry.size = size;
        entry.digest = digest.to_owned();
        entry.annotations = BTreeMap::from([(index::REF_NAME.to_owned(), "v1".to_owned())]);
        let entries = serde_json::to_string(&[entry]).unwrap();
        format!(r#"{{"schemaVersion":2,"manifests":{entries}}}"#)
    };
    let good = descriptor(b"{}").digest;
    assert!(parse_digest(&good).is_some());
    for (text, expected) in [
        (entries(5, &good), "registry-size"),
        (entries(2, "sha256:../../x"), "registry-descriptor"),
        (
            entries(2, &format!("sha256:{}", "0".repeat(64))),
            "registry-absent",
        ),
        ("{}".to_owned(), "registry-layout"),
        ("not JSON".to_owned(), "registry-layout"),
        (" ".repeat((4 << 20) + 1), "registry-too-long"),
    ] {
        fs::write(case.path("index.json"), text).unwrap();
        assert_eq!(code(), expected);
    }
    fs::remove_file(case.path("index.json")).unwrap();
    assert_eq!(code(), "registry-layout");
    fs::write(case.path("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    assert_eq!(code(), "registry-layout");
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "mine").unwrap();
    let layout = LayoutFolder::new(folder.path().to_owned());
    let error = layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap_err();
    assert!(error.to_string().contains("other files"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::write(folder.path().join("file"), "").unwrap();
    let layout = LayoutFolder::new(folder.path().join("file/below"));
    let error = layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap_err();
    assert_eq!(error.code(), "io");
}

#[test]
fn a_layout_that_was_half_made_is_finished() {
    let case = Case::new();
    fs::create_dir_all(case.path("blobs/sha256")).unwrap();
    fs::write(case.path(".edgec-x"), "cut").unwrap();
    case.layout.put_manifest(Some("v1"), INDEX, b"{}").unwrap();
    assert!(case.layout.manifest(&tag("v1"), None).unwrap().is_some());
}

#[test]
fn several_writers_lose_nothing() {
    let case = Case::new();
    let names: Vec<String> = (0..16).map(|it| format!("v{it}")).collect();
    crate::in_parallel(8, &names, |name| {
        let other = LayoutFolder::new(case.layout.folder.clone());
        other.put_manifest(Some(name), INDEX, name.as_bytes())
    })
    .unwrap();
    for name in &names {
        let found = case.layout.manifest(&tag(name), None).unwrap().unwrap();
        assert_eq!(found.bytes, name.as_bytes());
    }
}

#[test]
fn sources_that_are_not_their_descriptor_are_refused() {
    let case = Case::new();
    let put = |source: &BlobSource<'_>| {
        let put = case.layout.put_blob(&descriptor(b"content"), source);
        put.unwrap_err().code()
    };
    assert_eq!(put(&BlobSource::Bytes(b"cOntent")), "registry-digest");
    assert_eq!(put(&BlobSource::Bytes(b"content!")), "registry-size");
    let path = case.folder.path().join("file");
    assert_eq!(put(&BlobSource::File(path.clone())), "io");
    fs::write(&path, "content!").unwrap();
    assert_eq!(put(&BlobSource::File(path)), "registry-size");
    let long = vec![b' '; (4 << 20) + 1];
    let error = case.layout.put_manifest(None, INDEX, &long).unwrap_err();
    assert_eq!(error.code(), "registry-too-long");
}
