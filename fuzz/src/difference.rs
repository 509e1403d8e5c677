//! Differences between images.

use std::io::Cursor;

use edgec_differences::{HEADER_LENGTH, Header, apply, make, memory_for};

/// The base of every difference.
const BASE: &[u8; 4096] = &base();
/// The longest image that is made, in bytes.
const MOST: u64 = 1 << 20;

const fn base() -> [u8; 4096] {
    let mut base = [0; 4096];
    let mut at = 0;
    while at < base.len() {
        base[at] = (at * at >> 5) as u8;
        at += 1;
    }
    base
}

/// Bytes are taken as a difference, and as the content of one that is not compressed. It makes no
/// more bytes than are asked for. If it makes an image, a new difference makes the same one.
pub fn difference(data: &[u8]) {
    let stated = data.first_chunk::<HEADER_LENGTH>();
    let stated = stated.and_then(|start| Header::decode(start).ok());
    if let Some(header) = stated {
        applied(data, header.length.min(MOST));
    }
    let Some((length, content)) = data.split_first_chunk::<2>() else {
        return;
    };
    let length = u16::from_le_bytes(*length).into();
    if let Some(whole) = uncompressed(length, content) {
        applied(&whole, length);
    }
}

/// Seeds: differences, and contents of some.
pub fn difference_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut moved = BASE.to_vec();
    moved.splice(1000..1000, *b"a function");
    for byte in moved.iter_mut().skip(1500).step_by(40) {
        *byte = byte.wrapping_add(10);
    }
    let difference = make(BASE, &moved, 19, &mut |_| ()).expect("images are short");
    // Steps, gaps, changes and new bytes, behind their lengths.
    let part = |columns: [&[u8]; 4]| {
        let lengths = columns.map(|column| [u8::try_from(column.len()).unwrap_or(0), 0, 0, 0]);
        [lengths.concat(), columns.concat()].concat()
    };
    let steps = [3, 1, 0, 2, 0, 5];
    let first = part([&steps, &[1, 2], &[1, 255], &[9]]);
    let second = part([&[0, 2, 0], &[], &[], &[1, 2]]);
    vec![
        ("moved", difference),
        ("part", [&[6, 0], &*first].concat()),
        ("parts", [&[8, 0], &*first, &*second].concat()),
    ]
}

fn applied(difference: &[u8], length: u64) {
    let mut made = Vec::new();
    let done = apply(
        &mut Cursor::new(BASE),
        difference,
        length,
        memory_for(),
        &mut made,
    );
    assert!(made.len() as u64 <= length, "more than was asked for");
    if let Err(error) = done {
        drop(error.to_string());
        return;
    }
    assert_eq!(made.len() as u64, length, "less than was asked for");
    let again = make(BASE, &made, 1, &mut |_| ()).expect("images are short");
    let mut same = Vec::new();
    let base = &mut Cursor::new(BASE);
    apply(base, &*again, length, memory_for(), &mut same).expect("it was just made");
    assert!(same == made, "another image");
}

/// A difference of this content, in a frame of one block that is stored as it is (RFC 8878,
/// section 3.1.1). `None` if the content is longer than a block.
fn uncompressed(length: u64, content: &[u8]) -> Option<Vec<u8>> {
    let block = u32::try_from(content.len())
        .ok()
        .filter(|it| *it <= 1 << 17)?;
    let header = make(BASE, &[], 1, &mut |_| ()).ok()?;
    let mut whole = header.get(..HEADER_LENGTH - 8)?.to_vec();
    whole.extend(length.to_le_bytes());
    // The frame's magic number; no content size; a window of 128 KiB; the last block, raw.
    whole.extend([0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3]);
    whole.extend((block << 3 | 1).to_le_bytes().iter().take(3));
    whole.extend(content);
    Some(whole)
}
