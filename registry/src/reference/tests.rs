//! How references are written, and what is wrong with others.

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(text: &str) -> Result<Reference, ReferenceError> {
    text.parse()
}

#[test]
fn references_print_as_they_were_written() {
    for text in [
        "registry.example/shop",
        "registry.example/shop:v1",
        "localhost:5000/a/b-c/d__e:v1.2_3",
        "127.0.0.1:5000/shop:latest",
        "[::1]:5000/shop:v1",
        "docker.io/library/shop:v1",
        "Registry/shop:v1",
        "oci-layout:dir",
        "oci-layout:/some where/dir:v1",
        "oci-layout:C:\\dir",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
        let text = format!("{text}@sha256:{HEX}");
        assert_eq!(parse(&text).unwrap().to_string(), text);
    }
}

#[test]
fn parts_are_where_they_belong() {
    let it = parse(&format!("Registry.example:5000/a/b:v1@sha256:{HEX}")).unwrap();
    assert_eq!(it.registry(), Some("registry.example:5000"));
    assert_eq!((it.repository(), it.folder()), (Some("a/b"), None));
    assert_eq!((it.tag(), it.tag_to_write()), (Some("v1"), Some("v1")));
    assert_eq!(it.which(), Which::Digest(HEX.parse().unwrap()));
    assert_eq!(it.place(), "registry.example:5000/a/b");
    assert_eq!(it.with_tag("v2").unwrap().which(), Which::Tag("v2".into()));
    for text in ["docker.io/shop", "Docker.IO/shop"] {
        let it = parse(text).unwrap();
        assert_eq!(it.place(), "docker.io/library/shop");
        assert_eq!(it.which(), Which::Tag("latest".into()));
    }
    let it = parse("oci-layout:a/b:v1").unwrap();
    assert_eq!(it.folder(), Some(Path::new("a/b")));
    assert_eq!((it.registry(), it.repository()), (None, None));
    assert_eq!(it.with_digest(Sha256Digest([0; 32])).tag_to_write(), None);
}

#[test]
fn what_follows_from_a_reference_prints_as_what_reads_the_same() {
    // The last colon of this folder belongs to its name.
    let it = parse("oci-layout:a:b:v1").unwrap();
    let it = it.with_digest(Sha256Digest([0; 32]));
    assert_eq!(parse(&it.to_string()).unwrap(), it);
    // Docker Hub adds a part to the name.
    let long = format!("docker.io/{}", "a".repeat(237));
    assert_eq!(parse(&long).unwrap().to_string().len(), 255);
    let error = parse(&format!("{long}a")).unwrap_err();
    assert_eq!(error, ReferenceError::NameTooLong { len: 256 });
}

#[test]
fn a_password_is_not_repeated() {
    let digest = format!("user:secret@r.example/shop@sha256:{HEX}");
    for text in [
        "user:secret@r.example/shop",
        "user:secret@r.example:5000/a/b:v1",
        "https://user:secret@r.example/shop",
        "user:sec@secret@r.example/shop",
        "user:secret/secret@r.example/shop",
        "secret://secret@r.example/shop",
        "user:secret@localhost",
        &digest,
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(error.contains("docker login"), "{error}");
    }
    let error = parse("user:secret@r.example/shop:v1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "leave out what is before `@r.example/shop:v1`: credentials belong in Docker's \
         configuration (`docker login`)"
    );
}

#[test]
fn every_error_names_what_is_wrong() {
    let long = format!("r.example/{}", "a".repeat(250));
    let folder = format!("oci-layout:a@sha256:abc/dir:v1@sha256:{HEX}");
    let cases = [
        ("", "no name"),
        (":v1", "no name"),
        ("oci-layout:", "no name"),
        ("oci-layout::v1", "no name"),
        ("https://registry.example/shop", "leave out `https://`"),
        ("shop:v1", "`shop` names no registry"),
        ("team/shop", "docker.io/team/shop"),
        ("regis try.example/shop", "not a host name"),
        ("localhost:99999/shop", "not a host name"),
        ("localhost:/shop", "not a host name"),
        ("[::g]:1/shop", "not a host name"),
        ("-a.example/shop", "not a host name"),
        ("r.example/", "not a repository name"),
        ("r.example/Shop", "not a repository name"),
        ("r.example/a//b", "not a repository name"),
        ("r.example/../b", "not a repository name"),
        ("r.example/a?b", "not a repository name"),
        (long.as_str(), "has 260 bytes"),
        ("r.example/shop:", "not a tag"),
        ("r.example/shop:.v1", "not a tag"),
        ("oci-layout:dir:a b", "not a tag"),
        ("r.example/shop@sha256:abc", "64 lowercase"),
        ("r.example/shop@sha512:abc", "64 lowercase"),
        ("oci-layout:dir@sha256:abc", "64 lowercase"),
        (folder.as_str(), "`sha256:abc/dir` is not"),
        ("oci-layout:dir@sha256", "`sha256` is not"),
    ];
    for (text, part) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(error.code(), "registry-reference");
    }
    let error = parse(&"a".repeat(5000)).unwrap_err();
    assert_eq!(error, ReferenceError::TooLong);
}
