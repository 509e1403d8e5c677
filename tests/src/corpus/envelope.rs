//! Rows 1 to 11: the envelope, the keys and the signatures.
//!
//! More than 400 lines: one list of cases.

use edgec_artifact::{PAYLOAD_TYPE, Sha256Digest, pae};

use crate::corpus::{Case, Forge, Material, Trust, sealed_by, wrap};

/// Another in-toto statement.
const PROVENANCE: &str = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://slsa.dev/provenance/v1","predicate":{}}"#;

/// The encoding of the neutral element, which has order 1.
const SMALL_ORDER: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

pub(super) fn cases(forge: &Forge, material: &Material) -> Vec<Case> {
    let mut cases = missing(forge);
    cases.extend(counted_twice(forge, material));
    cases.extend(of_other_keys(forge, material));
    cases.extend(malleable(forge));
    cases.extend(other_statements(forge, material));
    cases.extend(downgrades(forge));
    cases
}

/// Row 1.
fn missing(forge: &Forge) -> Vec<Case> {
    let case = |name, file, code| Case::new(1, name, file, code);
    let text = forge.envelope();
    let at = text.find(r#","signatures""#).unwrap();
    vec![
        case(
            "the list is empty",
            forge.with_signatures(&[]),
            "no-signature",
        ),
        case(
            "the list is gone",
            forge.with_envelope(format!("{}}}", &text[..at])),
            "layout",
        ),
        case(
            "the list is null",
            forge.with_envelope(format!("{},\"signatures\":null}}", &text[..at])),
            "layout",
        ),
        case("the envelope is empty", forge.with_envelope(""), "layout"),
        case(
            "a signature of no bytes",
            forge.with_signatures(&[(&forge.key_id(), &[])]),
            "layout",
        ),
        case(
            "a signature of zeros",
            forge.with_signatures(&[(&forge.key_id(), &[0; 64])]),
            "bad-signature",
        ),
        case("the image alone", forge.image.clone(), "layout"),
    ]
}

/// Rows 2 and 3: one key that looks like two.
fn counted_twice(forge: &Forge, material: &Material) -> Vec<Case> {
    let (id, signature) = (forge.key_id(), forge.signature());
    let other = material.other.public().id().to_string();
    let upper = id.to_uppercase();
    let with = |ids: &[&str]| {
        let list: Vec<(&str, &[u8])> = ids.iter().map(|id| (*id, &signature[..])).collect();
        forge.with_signatures(&list)
    };
    let case =
        |row, name, ids: &[&str], code| Case::new(row, name, with(ids), code).trusting(Trust::Both);
    let pem = forge.key.public().to_pem();
    let key =
        |name: &str, pem: &str| format!("[[key]]\nname = \"{name}\"\npem = \"\"\"{pem}\"\"\"\n");
    let policy = |second: &str| {
        let keys = [key("one", &pem), key("two", second)].concat();
        Trust::Policy(format!("threshold = 2\n{keys}"))
    };
    let genuine =
        |name, trust| Case::new(3, name, forge.file.to_vec(), "trust-policy").trusting(trust);
    vec![
        case(2, "one signature twice", &[&id, &id], "same-key-twice"),
        case(2, "one signature, two wanted", &[&id], "threshold").saying("1 of 2"),
        case(2, "one key under two ids", &[&id, &other], "bad-signature"),
        case(
            3,
            "its own id and an unknown one",
            &[&id, &"0".repeat(64)],
            "threshold",
        ),
        case(3, "its own id in capitals", &[&id, &upper], "threshold").saying("1 of 2"),
        case(3, "only its id in capitals", &[&upper], "threshold").saying("0 of 2"),
        genuine("one key under two names", policy(&pem)),
        genuine(
            "one key in two spellings",
            policy(&pem.replace('\n', "\r\n")),
        ),
        genuine(
            "a second encoding of a point",
            policy(&spki([0xf0, 0xff, 0x7f])),
        ),
    ]
}

/// A public key in PEM: the first byte, the ones between, the last.
fn spki([first, between, last]: [u8; 3]) -> String {
    use base64::Engine as _;
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, first,
    ];
    der.extend([between; 30]);
    der.push(last);
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

/// Rows 4 and 10.
fn of_other_keys(forge: &Forge, material: &Material) -> Vec<Case> {
    let id = forge.key_id();
    let message = pae(PAYLOAD_TYPE, &forge.payload);
    let theirs = material.attacker.sign(&message);
    let their_id = material.attacker.public().id().to_string();
    let (own, other) = (forge.signature(), material.other.public().id().to_string());
    let case = |row, name, list: &[(&str, &[u8])], code| {
        Case::new(row, name, forge.with_signatures(list), code)
    };
    vec![
        case(
            4,
            "an untrusted key's",
            &[(&their_id, &theirs)],
            "threshold",
        )
        .saying("0 of 1"),
        case(
            4,
            "under the trusted key's id",
            &[(&id, &theirs)],
            "bad-signature",
        ),
        case(4, "under no id", &[("", &theirs)], "threshold"),
        case(4, "a genuine one under no id", &[("", &own)], "threshold"),
        case(
            4,
            "an id that clears screens",
            &[("\u{1b}[2J", &theirs)],
            "threshold",
        ),
        case(
            4,
            "a genuine one, and one under a second trusted id",
            &[(&id, &own), (&other, &theirs)],
            "bad-signature",
        )
        .trusting(Trust::Both),
        case(
            10,
            "the other trusted key's under this id",
            &[(&id, &material.other.sign(&message))],
            "bad-signature",
        ),
        case(
            10,
            "each of two keys' under the other's id",
            &[(&id, &material.other.sign(&message)), (&other, &own)],
            "bad-signature",
        )
        .trusting(Trust::Both),
        case(
            10,
            "this key's over another message",
            &[(&id, &forge.key.sign(b"another message"))],
            "bad-signature",
        ),
        case(
            10,
            "this key's over the bare payload",
            &[(&id, &forge.key.sign(&forge.payload))],
            "bad-signature",
        ),
    ]
}

/// Rows 5 and 6: signatures that lax verification accepts.
fn malleable(forge: &Forge) -> Vec<Case> {
    let (id, genuine) = (forge.key_id(), forge.signature());
    let mut small_r = genuine;
    small_r[..32].copy_from_slice(&SMALL_ORDER);
    // R is the neutral element and S is zero: valid for every message under a small-order key.
    let mut universal = [0; 64];
    universal[..32].copy_from_slice(&SMALL_ORDER);
    let weak = Trust::Policy(format!(
        "threshold = 1\n[[key]]\nname = \"weak\"\npem = \"\"\"{}\"\"\"\n",
        spki([1, 0, 0])
    ));
    let weak_id = {
        let mut der = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        der.extend(SMALL_ORDER);
        Sha256Digest::of(&der).to_string()
    };
    let case = |row, name, id: &str, signature: &[u8; 64], code| {
        Case::new(row, name, forge.with_signatures(&[(id, signature)]), code)
    };
    let mut once = genuine;
    add_order(&mut once);
    let mut high = genuine;
    high[63] |= 0xe0;
    vec![
        case(5, "R of small order", &id, &small_r, "bad-signature"),
        case(
            5,
            "R of small order, S zero",
            &id,
            &universal,
            "bad-signature",
        ),
        case(
            5,
            "a key of small order",
            &weak_id,
            &universal,
            "trust-policy",
        )
        .trusting(weak),
        case(6, "S and the group order", &id, &once, "bad-signature"),
        case(6, "the high bits of S", &id, &high, "bad-signature"),
    ]
}

/// Adds the order of the group (RFC 8032, section 5.1) to S, which keeps the residue.
fn add_order(signature: &mut [u8; 64]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

/// Rows 7, 8 and 9.
fn other_statements(forge: &Forge, material: &Material) -> Vec<Case> {
    let id = forge.key_id();
    let of_type = |payload_type: &str, payload: &[u8]| {
        let signature = forge.key.sign(&pae(payload_type, payload));
        forge.with_envelope(wrap(payload_type, payload, &[(&id, &signature)]))
    };
    let both = |payload: &[u8]| {
        forge.with_envelope(sealed_by(payload, &[&material.signer, &material.other]))
    };
    let empty = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://edgec.dev/manifest/v1","predicate":{}}"#;
    let two_subjects = {
        let text = String::from_utf8(forge.payload.clone()).unwrap();
        let from = text.find("[{").unwrap() + 1;
        let to = text.find("}}]").unwrap() + 2;
        let subject = &text[from..to];
        text.replacen(subject, &format!("{subject},{subject}"), 1)
    };
    let evil = Forge::new(&material.evil, &material.signer);
    let mut same_length = forge.image.clone();
    same_length[0x1100] ^= 1;
    let same_length = Forge {
        image: same_length,
        ..Forge::of(material)
    };
    vec![
        Case::new(
            7,
            "another payload type, signed",
            of_type("application/vnd.edgec.trust-policy.v1+toml", &forge.payload),
            "layout",
        )
        .saying("payload type"),
        Case::new(
            7,
            "the type changed after signing",
            forge.with_envelope_text("in-toto+json", "in-toto+jsom"),
            "layout",
        ),
        Case::new(
            7,
            "provenance",
            forge.with_payload(PROVENANCE.as_bytes()),
            "statement",
        )
        .saying("slsa.dev"),
        Case::new(
            8,
            "provenance by a whole threshold",
            both(PROVENANCE.as_bytes()),
            "statement",
        )
        .trusting(Trust::Both),
        Case::new(8, "an empty manifest", both(empty.as_bytes()), "statement")
            .trusting(Trust::Both),
        Case::new(8, "an empty payload", both(b""), "statement").trusting(Trust::Both),
        Case::new(
            8,
            "a manifest and a second subject",
            both(two_subjects.as_bytes()),
            "statement",
        )
        .trusting(Trust::Both),
        Case::new(
            8,
            "a subject that is not the manifest's",
            forge.with_payload_text(r#""name":"hello""#, r#""name":"other""#),
            "statement",
        ),
        Case::new(
            9,
            "another program under this envelope",
            evil.with_envelope(forge.envelope()),
            "image-digest",
        ),
        Case::new(
            9,
            "this program under another one's envelope",
            forge.with_envelope(evil.envelope()),
            "image-digest",
        ),
        Case::new(
            9,
            "one bit of the code",
            same_length.with_envelope(forge.envelope()),
            "image-digest",
        ),
        Case::new(
            9,
            "a longer image",
            Forge::new(&material.foreign, &material.signer).with_envelope(forge.envelope()),
            "image-length",
        ),
        Case::new(
            9,
            "a signed digest of something else",
            forge.with_manifest(|m| m.image.fsverity = edgec_artifact::verity::digest(b"else")),
            "image-digest",
        ),
    ]
}

/// Row 11.
fn downgrades(forge: &Forge) -> Vec<Case> {
    let case = |name, file, code| Case::new(11, name, file, code);
    let id = forge.key_id();
    let der = [0x30; 70];
    vec![
        case("format version 0", forge.with_footer(24, &[0]), "layout").saying("version 0"),
        case("format version 2", forge.with_footer(24, &[2]), "layout").saying("version 2"),
        case(
            "format version 2^32 - 1",
            forge.with_footer(24, &[0xff; 4]),
            "layout",
        ),
        case("the reserved field", forge.with_footer(28, &[1]), "layout").saying("reserved"),
        case(
            "a signature of another algorithm's length",
            forge.with_signatures(&[(&id, &der)]),
            "bad-signature",
        ),
        case(
            "an algorithm's name in the envelope",
            forge.with_envelope_text("\"keyid\"", "\"alg\":\"none\",\"keyid\""),
            "layout",
        ),
        case(
            "a critical field in the envelope",
            forge.with_envelope_text("\"payload\"", "\"critical\":[\"x\"],\"payload\""),
            "layout",
        ),
        case(
            "a critical field in the manifest",
            forge.with_payload_text(r#""kind":"#, r#""critical":true,"kind":"#),
            "statement",
        )
        .saying("unknown field"),
        case(
            "an older statement",
            forge.with_payload_text("Statement/v1", "Statement/v0.1"),
            "statement",
        ),
        case(
            "an older manifest",
            forge.with_payload_text("manifest/v1", "manifest/v0"),
            "statement",
        ),
        case(
            "a weaker digest",
            forge.with_payload_text(r#""sha256":"#, r#""sha1":"#),
            "statement",
        ),
        case(
            "no digest",
            forge.with_payload_text(r#""fsverity-sha256-12":"#, r#""x":"#),
            "statement",
        ),
    ]
}
