//! What registries, layouts in folders and users write.

use edgec_registry::readers::{
    Challenge, Listed, Login, challenges, index, layout, login, manifest, native, next_page, tagged,
};
use edgec_registry::{Descriptor, Reference, RegistryError, Which};
use serde_json::{Value, json};
use url::Url;

/// The greatest number of entries of an index, and of layers of a manifest with its configuration.
const MOST: [usize; 2] = [1024, 257];
/// The longest reference, in bytes.
const MAX_REFERENCE: usize = 4096;
/// The longest text of an annotation that is read, in bytes.
const MAX_TEXT: usize = 256;

/// An index or a manifest has a limited number of entries, all of them with a SHA-256 and without
/// other places, and one that is read and written again reads the same. The index of a layout keeps
/// its other fields, and a tag that is given to an entry changes no other one.
pub fn registry_index(data: &[u8]) {
    let read: [fn(&[u8]) -> _; 2] = [index, manifest];
    for (read, most) in read.into_iter().zip(MOST) {
        match read(data) {
            Ok(listed) => {
                assert!(listed.descriptors.len() <= most, "too many entries");
                for it in &listed.descriptors {
                    assert!(it.urls.is_empty() && is_digest(&it.digest), "{it:?}");
                }
                entries(&listed.descriptors);
                assert_eq!(read(&listed.again), Ok(listed), "it reads as another one");
            }
            Err(error) => assert!(error.to_string().len() < 500, "{error}"),
        }
    }
    match layout(data, None) {
        Ok(listed) => layout_index(data, &listed),
        Err(error) => drop(error.to_string()),
    }
}

/// A native image says what it is for, in few words.
fn entries(all: &[Descriptor]) {
    for entry in all {
        match native(entry) {
            Ok(Some(native)) => {
                let engine = native.engine.as_ref();
                for text in [&native.target, &native.profile].into_iter().chain(engine) {
                    assert!((1..=MAX_TEXT).contains(&text.len()), "{text}");
                }
                assert_eq!(entry.digest, format!("sha256:{}", native.digest));
            }
            Ok(None) => {}
            Err(error) => drop(error.to_string()),
        }
    }
}

fn layout_index(data: &[u8], listed: &Listed) {
    let again = layout(&listed.again, None).expect("it was just written");
    assert_eq!(again.descriptors, listed.descriptors, "other entries");
    let rest = |bytes: &[u8]| {
        let mut value: Value = serde_json::from_slice(bytes).ok()?;
        value.as_object_mut()?.remove("manifests");
        Some(value)
    };
    // What an entry has beside the known fields is skipped, even if no reader of JSON takes it.
    if let Some(before) = rest(data) {
        assert_eq!(rest(&listed.again), Some(before), "other fields");
    }

    let entry: Descriptor = serde_json::from_value(json!({
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": format!("sha256:{}", "0".repeat(64)),
        "size": 1,
    }))
    .expect("a descriptor");
    let name = |it: &Descriptor| it.annotations.get(REF_NAME).cloned();
    let tags = listed.descriptors.iter().filter_map(name);
    for tag in tags.take(4).chain(["new".to_owned()]) {
        let changed = layout(data, Some((&tag, &entry))).expect("it was read before");
        let found = tagged(&changed.again, &tag).expect("it was just tagged");
        assert_eq!(
            (found.digest, found.size),
            (entry.digest.clone(), entry.size)
        );
        let others = |it: &Listed| {
            let all = it.descriptors.iter().cloned();
            all.filter(|it| name(it).as_ref() != Some(&tag))
                .collect::<Vec<_>>()
        };
        assert_eq!(others(&changed), others(listed), "other entries changed");
    }
}

/// The annotation with an entry's tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|it| b"0123456789abcdef".contains(&it))
}

/// The texts around registries: references, the headers `WWW-Authenticate` and `Link`, and the file
/// with logins.
pub fn registry_words(data: &[u8]) {
    docker_file(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    reference(text);
    challenge(text);
    link(text);
}

/// A reference prints as what reads the same, and keeps within its limits. No error repeats what is
/// before an `@`.
fn reference(text: &str) {
    match text.parse::<Reference>() {
        Ok(it) => {
            same(&it);
            assert!(it.tag().is_none_or(|tag| tag.len() <= 128), "a long tag");
            let name = it.registry().zip(it.repository());
            assert_eq!(name.is_none(), it.folder().is_some());
            if let Some((registry, repository)) = name {
                let name = format!("{registry}/{repository}");
                assert!(name.len() <= 255, "a long name");
                let known = |it: char| it.is_ascii_graphic() && !"@?#%\\".contains(it);
                assert!(name.chars().all(known), "{name}");
                assert!(!name.contains("..") && !name.contains("//"), "{name}");
            }
            let digest = edgec_artifact::Sha256Digest([7; 32]);
            let by_digest = it.with_digest(digest);
            same(&by_digest);
            assert_eq!(by_digest.which(), Which::Digest(digest));
            let tagged = it.with_tag("v1.2_3-4").expect("a tag");
            same(&tagged);
            assert_eq!(tagged.which(), Which::Tag("v1.2_3-4".to_owned()));
            for other in [by_digest, tagged] {
                assert_eq!(other.place(), it.place(), "another place");
            }
        }
        Err(error) => drop(error.to_string()),
    }
    let secret = format!("user:hunter2@{text}").parse::<Reference>();
    let shown = secret.map_or_else(|error| error.to_string(), |it| it.to_string());
    assert!(
        text.contains("hunter2") || !shown.contains("hunter2"),
        "{shown}"
    );
}

fn same(it: &Reference) {
    // With a tag or digest, the name of a folder may become too long.
    if it.to_string().len() > MAX_REFERENCE {
        return;
    }
    let again = it.to_string().parse::<Reference>();
    assert_eq!(again.as_ref(), Ok(it), "`{it}` reads as another one");
}

/// Challenges that are written again, with quotes, read the same.
fn challenge(text: &str) {
    let found = challenges(text);
    assert!(found.len() <= text.len());
    let quoted = |name: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    };
    let written = found.iter().map(|it| match it {
        Challenge::Basic => "Basic".to_owned(),
        Challenge::Bearer {
            realm,
            service,
            scope,
        } => {
            let service = service.as_ref().map(|it| quoted("service", it));
            let scope = scope.as_ref().map(|it| quoted("scope", it));
            let parameters = [Some(quoted("realm", realm)), service, scope];
            let parameters: Vec<String> = parameters.into_iter().flatten().collect();
            format!("Bearer {}", parameters.join(","))
        }
    });
    let written: Vec<String> = written.collect();
    assert_eq!(challenges(&written.join(", ")), found);
}

/// The next page is at the same registry.
fn link(text: &str) {
    let at = Url::parse("https://registry.example:5000/v2/shop/referrers/x").expect("an address");
    if let Some(next) = next_page(text, &at) {
        let place = |it: &Url| (it.host_str().map(str::to_owned), it.port());
        assert_eq!((next.scheme(), place(&next)), ("https", place(&at)));
    }
}

/// A login that is written again reads the same. An error names a place, and shows nothing of the
/// file.
fn docker_file(data: &[u8]) {
    let found = match login(data, "registry.example", "team/shop") {
        Ok(None) => return,
        Ok(Some(found)) => found,
        Err(RegistryError::Credentials { from, reason }) => {
            let numbers = |it: char| it.is_ascii_digit();
            let known = [
                "line , column  is not as Docker writes it",
                "`registry.example`: `auth` is not base",
                "`registry.example`: `auth` has no colon",
            ];
            assert!(known.contains(&&*reason.replace(numbers, "")), "{reason}");
            return assert_eq!(from, "`file`");
        }
        Err(error) => panic!("{error}"),
    };
    let entry = match &found {
        // Docker writes a name without a password in another way.
        Login::Basic { name, password } if name.is_empty() || password.is_empty() => return,
        Login::Basic { name, password } => json!({ "username": name, "password": password }),
        Login::Identity(token) => json!({ "identitytoken": token }),
        Login::Token(token) => json!({ "registrytoken": token }),
    };
    let file = json!({ "auths": { "https://registry.example/v1/": entry } }).to_string();
    let again = login(file.as_bytes(), "registry.example", "team/shop");
    assert!(again.is_ok_and(|it| it == Some(found)), "another login");
}
