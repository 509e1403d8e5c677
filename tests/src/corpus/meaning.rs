//! Rows 21, 22, 24, 25 and 32, without a policy: artifacts that are genuine or honestly signed, but
//! not for this host at this time.

use std::time::{SystemTime, UNIX_EPOCH};

use edgec_artifact::{MAX_VERSION, UnixTime, Validity};

use crate::corpus::{Case, Forge, Material};

pub(super) fn cases(forge: &Forge, material: &Material) -> Vec<Case> {
    let mut cases = misplaced(forge, material);
    cases.extend(versions(forge));
    cases.extend(times(forge));
    cases.extend(names(forge));
    cases
}

/// Rows 21 and 22.
fn misplaced(forge: &Forge, material: &Material) -> Vec<Case> {
    let foreign = Forge::new(&material.foreign, &material.signer);
    let module = Forge::new(&material.module, &material.signer);
    let mut cases = vec![
        Case::new(
            21,
            "an artifact for the other CPU family",
            foreign.file.to_vec(),
            "host",
        )
        .on_load(),
        Case::new(
            21,
            "a module that is no command",
            module.file.to_vec(),
            "not-a-command",
        )
        .on_load(),
        Case::new(
            21,
            "the other family's code under this manifest",
            forge.signed(&foreign.image, |image| {
                forge.manifest.clone().with_image(image)
            }),
            "contradiction",
        ),
        Case::new(
            21,
            "a module that would be a component",
            module.with_manifest(|manifest| manifest.kind = edgec_artifact::ProgramKind::Component),
            "contradiction",
        )
        .saying("kind"),
        Case::new(
            18,
            "an import that the manifest does not state",
            forge.with_manifest(|manifest| drop(manifest.capabilities.imports.pop())),
            "undeclared-import",
        )
        .on_load(),
        Case::new(
            22,
            "an engine profile that this host has not",
            forge.with_manifest(|manifest| manifest.engine.profile = "other".to_owned()),
            "profile",
        )
        .on_load(),
    ];
    // The size of a memory's reservation, 4 GiB, in postcard's encoding. Only the engine checks it.
    let (header, engine) = forge.section(".wasmtime.engine");
    let len = u64::from_le_bytes(forge.image[header + 32..header + 40].try_into().unwrap());
    let settings = &forge.image[engine..engine + usize::try_from(len).unwrap()];
    let reservation = settings
        .windows(5)
        .position(|five| five == b"\x80\x80\x80\x80\x10");
    let at = engine + reservation.unwrap() + 4;
    let file = forge.with_image(|image| image[at] = 0x20);
    cases.push(Case::new(22, "an engine setting changed", file, "engine").on_load());
    cases
}

/// Row 24, without a policy.
fn versions(forge: &Forge) -> Vec<Case> {
    let case = |name, version| {
        let file = forge.with_manifest(|manifest| manifest.version = version);
        Case::new(24, name, file, "statement").saying("version")
    };
    vec![
        case("version u64::MAX", u64::MAX),
        case("version 2^53", MAX_VERSION + 1),
    ]
}

/// Row 25, in hours, so that a clock's skew does not matter.
fn times(forge: &Forge) -> Vec<Case> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    let case = |name, not_before: Option<u64>, expires: Option<u64>, code| {
        let validity = Validity::default()
            .with_not_before(not_before.map(UnixTime::from_seconds))
            .with_expires(expires.map(UnixTime::from_seconds));
        let file = forge.with_manifest(|manifest| manifest.validity = Some(validity));
        Case::new(25, name, file, code)
    };
    vec![
        case("expired an hour ago", None, Some(now - 3600), "expired"),
        case("valid in an hour", Some(now + 3600), None, "not-yet-valid"),
        case("expired in 1970", None, Some(0), "expired"),
        case(
            "valid at the end of time",
            Some(u64::MAX),
            None,
            "not-yet-valid",
        ),
        case(
            "never valid",
            Some(now + 3600),
            Some(now - 3600),
            "not-yet-valid",
        ),
    ]
}

/// Row 32: a name that would lead out of a folder.
fn names(forge: &Forge) -> Vec<Case> {
    let case = |title, name: &str| {
        let file = forge.with_manifest(|manifest| manifest.name = name.to_owned());
        Case::new(32, title, file, "statement")
    };
    vec![
        case("a name that leads out", "../hello"),
        case("a name that leads out further in", "hello/../../x"),
        case("an absolute name", "/etc/passwd"),
        case("a name with a NUL", "hello\0"),
        case("a name that clears screens", "\u{1b}[2J"),
        case("no name", ""),
        case("a hidden name", ".bashrc"),
        case("a name of the other system", "..\\hello"),
        case("a pattern for a name", "*"),
    ]
}
