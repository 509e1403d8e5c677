//! Rows 12 to 17 and 20: the regions of the file, and the JSON in it.

use edgec_artifact::PAYLOAD_TYPE;

use crate::corpus::{Case, Forge, wrap};

pub(super) fn cases(forge: &Forge) -> Vec<Case> {
    let mut cases = strange_bytes(forge);
    cases.extend(json_of_the_envelope(forge));
    cases.extend(json_of_the_manifest(forge));
    cases.extend(lengths(forge));
    cases.extend(padding(forge));
    cases.extend(absurd_sizes(forge));
    cases
}

/// Row 12.
fn strange_bytes(forge: &Forge) -> Vec<Case> {
    let case = |name, file| Case::new(12, name, file, "layout");
    let file = forge.file;
    let footer = file.len() - 40;
    let envelope = forge.image.len().next_multiple_of(8);
    let inserted = |at: usize| [&file[..at], &[0; 8], &file[at..]].concat();
    let moved = |at: usize, by: &[(usize, u64)]| {
        let mut file = inserted(at);
        for (field, value) in by {
            let at = file.len() - 40 + field;
            file[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        file
    };
    let (image_len, envelope_at) = (forge.image.len() as u64, envelope as u64);
    let spaced = |text: String| forge.with_envelope(text);
    vec![
        case("in front", inserted(0)),
        case("behind", [file, &[0; 8]].concat()),
        case("a line end behind", [file, b"\n"].concat()),
        case("in front of the envelope", inserted(envelope)),
        case("behind the envelope", inserted(footer)),
        case(
            "a gap that the footer names",
            moved(envelope, &[(8, envelope_at + 8)]),
        ),
        case(
            "zeros that the envelope's length covers",
            moved(footer, &[(16, (footer - envelope) as u64 + 8)]),
        ),
        case(
            "a space in front of the JSON",
            spaced(format!(" {}", forge.envelope())),
        ),
        case(
            "a line end behind the JSON",
            spaced(forge.envelope() + "\n"),
        ),
        case("two documents", spaced(forge.envelope().repeat(2))),
        Case::new(
            12,
            "zeros that the image's length covers",
            moved(
                forge.image.len(),
                &[(0, image_len + 8), (8, (image_len + 8).next_multiple_of(8))],
            ),
            "image-length",
        ),
        case("another file of the same kind behind", file.repeat(2)),
        case("a text file", b"not an artifact".to_vec()),
        case(
            "a text file of some length",
            b"not an artifact\n".repeat(99),
        ),
    ]
}

/// Rows 13 and 14, before any signature was looked at.
fn json_of_the_envelope(forge: &Forge) -> Vec<Case> {
    let text = forge.envelope();
    let edit = |row, name, from: &str, to: &str| {
        Case::new(row, name, forge.with_envelope_text(from, to), "layout")
    };
    let whole = |name, bytes: Vec<u8>| Case::new(14, name, forge.with_envelope(bytes), "layout");
    let id = forge.key_id();
    let mut bad_utf8 = text.clone().into_bytes();
    let at = text.find(&id).unwrap();
    bad_utf8[at] = 0xff;
    vec![
        edit(
            13,
            "a field twice",
            "\"payloadType\"",
            "\"payload\":\"\",\"payloadType\"",
        ),
        edit(
            13,
            "a field of a signature twice",
            "\"sig\"",
            "\"keyid\":\"\",\"sig\"",
        ),
        edit(14, "an unknown field", "\"payload\"", "\"x\":1,\"payload\""),
        edit(14, "a space", "\":", "\": "),
        edit(14, "an escape", "payloadType", "payload\\u0054ype"),
        edit(
            14,
            "base64 of the other alphabet",
            "\"sig\":\"",
            "\"sig\":\"-_",
        ),
        edit(14, "base64 without padding", "=\"", "\""),
        whole(
            "a byte-order mark",
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ),
        whole("bad UTF-8", bad_utf8),
        whole("deep nesting", vec![b'['; 1 << 20]),
        whole("deeply nested objects", b"{\"a\":".repeat(100_000)),
        whole("not a number", b"{\"payload\":NaN}".to_vec()),
        whole(
            "a huge number",
            format!("{{\"payload\":{}}}", "9".repeat(10_000)).into(),
        ),
        whole("a list", format!("[{text}]").into()),
        whole(
            "fields in another order",
            text.replacen("{\"payload\":", "{\"payloadType\":", 1)
                .into(),
        ),
        whole("zeros", vec![0; 100]),
    ]
}

/// Rows 13 and 14, signed by a trusted key.
fn json_of_the_manifest(forge: &Forge) -> Vec<Case> {
    let edit = |row, name, from: &str, to: &str| {
        Case::new(row, name, forge.with_payload_text(from, to), "statement")
    };
    let whole = |name, bytes: Vec<u8>| Case::new(14, name, forge.with_payload(&bytes), "statement");
    let text = String::from_utf8(forge.payload.clone()).unwrap();
    let mut bad_utf8 = text.clone().into_bytes();
    let at = text.rfind("hello").unwrap();
    bad_utf8[at] = 0xff;
    vec![
        edit(
            13,
            "a field of the manifest twice",
            r#""kind":"#,
            r#""kind":"module","kind":"#,
        ),
        edit(
            13,
            "the same field twice",
            r#""version":0"#,
            r#""version":0,"version":0"#,
        ),
        edit(
            14,
            "an unknown field, signed",
            r#""kind":"#,
            r#""x":1,"kind":"#,
        ),
        edit(14, "a space, signed", r#""version":0"#, r#""version": 0"#),
        edit(14, "a fraction", r#""version":0"#, r#""version":0.0"#),
        edit(14, "an exponent", r#""version":0"#, r#""version":0e0"#),
        edit(14, "a negative number", r#""version":0"#, r#""version":-1"#),
        edit(14, "minus zero", r#""version":0"#, r#""version":-0"#),
        edit(14, "a leading zero", r#""version":0"#, r#""version":00"#),
        edit(
            14,
            "no number, signed",
            r#""version":0"#,
            r#""version":NaN"#,
        ),
        edit(
            14,
            "an infinite number",
            r#""version":0"#,
            r#""version":1e999"#,
        ),
        edit(
            14,
            "2^64",
            r#""version":0"#,
            r#""version":18446744073709551616"#,
        ),
        edit(14, "a null", r#""kind":"#, r#""channel":null,"kind":"#),
        edit(14, "an escaped letter", r#""hello""#, r#""hell\u006f""#),
        edit(14, "half a character", r#""hello""#, r#""hell\ud800""#),
        edit(
            14,
            "a number for a name",
            r#""name":"hello","v"#,
            r#""name":1,"v"#,
        ),
        whole(
            "a byte-order mark, signed",
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ),
        whole("bad UTF-8, signed", bad_utf8),
        whole("deep nesting, signed", vec![b'['; 500_000]),
        whole("bytes behind it", [text.as_bytes(), b"\n"].concat()),
        whole("a NUL behind it", [text.as_bytes(), b"\0"].concat()),
        whole("half of it", text.as_bytes()[..text.len() / 2].to_vec()),
    ]
}

/// Rows 15 and 16: the numbers of the footer.
fn lengths(forge: &Forge) -> Vec<Case> {
    let case = |row, name, file| Case::new(row, name, file, "layout");
    let footer = |row, name, fields: &[(usize, u64)]| {
        let mut file = forge.file.to_vec();
        for (field, value) in fields {
            let at = file.len() - 40 + field;
            file[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        case(row, name, file)
    };
    let image = forge.image.len() as u64;
    let envelope = image.next_multiple_of(8);
    let end = forge.file.len() as u64 - 40;
    let footers = [forge.file, &forge.file[forge.file.len() - 40..]].concat();
    vec![
        footer(15, "an image that ends early", &[(0, image - 8)]),
        footer(
            15,
            "the envelope in the image",
            &[(0, image - 8), (8, envelope - 8)],
        ),
        footer(
            15,
            "the envelope begins in the image and ends where it did",
            &[(0, image - 8), (8, envelope - 8), (16, end - envelope + 8)],
        ),
        footer(
            15,
            "an envelope that ends early",
            &[(16, end - envelope - 8)],
        ),
        footer(15, "an envelope of 2^64 - 1 bytes", &[(16, u64::MAX)]),
        Case::new(
            15,
            "a manifest about the image's beginning",
            forge.signed(&forge.image, |_| {
                let prefix = &forge.image[..forge.image.len() - 8];
                let image = edgec_artifact::Image::of(prefix);
                forge.manifest.clone().with_image(image)
            }),
            "image-length",
        ),
        Case::new(
            15,
            "the image's length, without its digest",
            forge.with_manifest(|manifest| manifest.image.length += 1),
            "image-length",
        ),
        footer(16, "the envelope over the image", &[(8, 0), (16, end)]),
        footer(16, "the image over the envelope", &[(0, end)]),
        footer(16, "an image of 2^64 - 1 bytes", &[(0, u64::MAX)]),
        footer(
            16,
            "an image of 2^64 - 8 bytes",
            &[(0, u64::MAX - 7), (8, u64::MAX - 7)],
        ),
        footer(16, "an envelope at 2^64 - 8", &[(8, u64::MAX - 7)]),
        footer(
            16,
            "an envelope whose end wraps to the footer",
            &[(0, u64::MAX - 7), (8, u64::MAX - 7), (16, end + 8)],
        ),
        footer(16, "an envelope behind the footer", &[(8, end + 40)]),
        case(16, "two footers", footers),
        case(
            16,
            "the footer alone",
            forge.file[forge.file.len() - 40..].to_vec(),
        ),
        footer(16, "everything zero", &[(0, 0), (8, 0), (16, 0)]),
    ]
}

/// Row 17. The image of the example ends at a multiple of eight: it is made longer, by
/// zeros that belong to no section.
fn padding(forge: &Forge) -> Vec<Case> {
    let odd = forge.with_image(|image| image.push(0));
    let at = forge.image.len() + 1;
    let with = |at: usize, byte: u8| {
        let mut file = odd.clone();
        file[at] = byte;
        Case::new(17, "a byte of the padding", file, "layout").saying("padding")
    };
    (at..at.next_multiple_of(8))
        .map(|at| with(at, 1))
        .chain([with(at, 0x80), with(at, b'{')])
        .collect()
}

/// Row 20, as far as a file in memory goes.
fn absurd_sizes(forge: &Forge) -> Vec<Case> {
    let case = |name, file| Case::new(20, name, file, "layout");
    let id = forge.key_id();
    let signature = forge.signature();
    let signatures: Vec<(&str, &[u8])> = vec![(&id, &signature[..]); 65];
    let thousands: Vec<(&str, &[u8])> = vec![("", &signature[..]); 9000];
    vec![
        case("65 signatures", forge.with_signatures(&signatures)).saying("65 signatures"),
        case("9,000 signatures", forge.with_signatures(&thousands)),
        case(
            "an envelope of 5 MiB",
            forge.with_envelope(vec![b' '; 5 << 20]),
        ),
        case(
            "a payload of 4 MiB",
            forge.with_envelope(wrap(PAYLOAD_TYPE, &vec![b' '; 4 << 20], &[])),
        ),
        case("64 MiB of zeros", vec![0; 64 << 20]),
        case(
            "an envelope of 2^40 bytes",
            forge.with_footer(16, &(1u64 << 40).to_le_bytes()),
        ),
        case("nothing", Vec::new()),
        Case::new(
            20,
            "a key id of 100,000 bytes",
            forge.with_signatures(&[(&"a".repeat(100_000), &signature)]),
            "threshold",
        ),
        Case::new(
            20,
            "a name of 500,000 bytes, signed",
            forge.with_manifest(|manifest| manifest.name = "a".repeat(250_000)),
            "statement",
        ),
    ]
}
