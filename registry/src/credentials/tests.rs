//! Which login is found, and what an error shows of it.

use std::fs;
use std::path::Path;

use super::docker_file::DockerFile;
use super::*;

fn basic(name: &str, password: &str) -> Option<Login> {
    Some(Login::Basic {
        name: name.to_owned(),
        password: password.to_owned(),
    })
}

fn login(text: &str, registry: &str, repository: &str) -> Result<Option<Login>, RegistryError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, text).unwrap();
    find(&Credentials::File(path), registry, repository)
}

fn is_same(found: Result<Option<Login>, RegistryError>, expected: Option<Login>) -> bool {
    found.is_ok_and(|it| it == expected)
}

#[test]
fn logins_are_found_under_every_key_that_tools_write() {
    // `a:b`, `hub:c` and `team:d`.
    let text = r#"{ "other": 1, "auths": {
        "registry.example:5000": { "auth": "YTpi" },
        "https://index.docker.io/v1/": { "auth": "aHViOmM=", "email": "x" },
        "https://old.example/v2/": { "username": "u", "password": "p" },
        "shared.example": { "identitytoken": "identity" },
        "shared.example/team": { "auth": "dGVhbTpk" },
        "token.example": { "registrytoken": "token" },
        "empty.example": {} } }"#;
    let cases = [
        ("registry.example:5000", "shop", basic("a", "b")),
        ("docker.io", "library/shop", basic("hub", "c")),
        ("old.example", "shop", basic("u", "p")),
        (
            "shared.example",
            "shop",
            Some(Login::Identity("identity".into())),
        ),
        ("shared.example", "team/shop", basic("team", "d")),
        (
            "shared.example",
            "teams/shop",
            Some(Login::Identity("identity".into())),
        ),
        ("token.example", "shop", Some(Login::Token("token".into()))),
        ("empty.example", "shop", None),
        ("registry.example", "shop", None),
    ];
    for (registry, repository, expected) in cases {
        let found = login(text, registry, repository);
        assert!(is_same(found, expected), "{registry}/{repository}");
    }
}

#[test]
fn errors_name_the_file_and_no_secret() {
    for text in [
        r#"{ "auths": { "r.example": { "auth": ["hunter2"] } } }"#,
        r#"{ "auths": { "r.example": { "auth": "hunter2!" } } }"#,
        r#"{ "auths": { "r.example": { "auth": "aHVudGVyMg==" } } }"#,
        r#"{ "auths": "hunter2" }"#,
        "hunter2",
    ] {
        let error = login(text, "r.example", "shop").err().unwrap();
        assert_eq!(error.code(), "registry-credentials");
        let text = error.to_string();
        assert!(
            text.contains("config.json") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let absent = find(
        &Credentials::File("/nowhere/config.json".into()),
        "r.example",
        "shop",
    );
    assert!(absent.is_err());
    assert!(DockerFile::read(Path::new("/nowhere/config.json")).is_ok_and(|it| it.is_none()));
}

#[test]
fn other_sources_hold_for_every_registry() {
    let given = Credentials::Basic {
        name: "n".into(),
        password: "p".into(),
    };
    assert!(is_same(find(&given, "any.example", "x"), basic("n", "p")));
    assert!(is_same(
        find(&Credentials::Anonymous, "any.example", "x"),
        None
    ));
}

#[test]
fn a_helper_that_cannot_run_is_named() {
    let text = r#"{ "credHelpers": { "r.example": "edgec-none" } }"#;
    let error = login(text, "r.example", "shop").err().unwrap();
    assert!(
        error.to_string().contains("docker-credential-edgec-none"),
        "{error}"
    );
    assert!(is_same(login(text, "other.example", "shop"), None));
    let text = r#"{ "credsStore": "../../evil" }"#;
    let error = login(text, "r.example", "shop").err().unwrap();
    assert!(
        error.to_string().contains("not the name of a helper"),
        "{error}"
    );
}
