//! What a difference makes is the image, and bytes that are no difference do no harm.

use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};

use crate::{DifferenceError, HEADER_LENGTH, Header, apply, make, memory_for};

/// Numbers that look random, the same in each run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        // Few values, so that much occurs twice.
        let values = [2, 16, 256][self.below(3)];
        (0..length)
            .map(|_| u8::try_from(self.below(values)).unwrap())
            .collect()
    }

    /// An image after some changes: bytes changed, added, removed and moved.
    fn changed(&mut self, base: &[u8]) -> Vec<u8> {
        let mut new = base.to_vec();
        for _ in 0..self.below(8) {
            let at = self.below(new.len() + 1);
            let length = self.below(1 + (new.len() - at).min(5000));
            match self.below(4) {
                0 => new[at..at + length]
                    .iter_mut()
                    .step_by(9)
                    .for_each(|byte| *byte ^= 0x55),
                1 => drop(new.drain(at..at + length)),
                2 => {
                    let fresh = self.bytes(length);
                    drop(new.splice(at..at, fresh));
                }
                _ => {
                    let moved = new[at..at + length].to_vec();
                    let to = self.below(new.len() + 1);
                    drop(new.splice(to..to, moved));
                }
            }
        }
        new
    }
}

fn difference(base: &[u8], new: &[u8]) -> Vec<u8> {
    make(base, new, 3, &mut |_| ()).unwrap()
}

fn applied(base: &[u8], difference: &[u8], length: usize) -> Result<Vec<u8>, DifferenceError> {
    let mut made = Vec::new();
    apply(
        &mut Cursor::new(base),
        difference,
        length as u64,
        memory_for(),
        &mut made,
    )?;
    Ok(made)
}

#[test]
fn what_is_applied_is_the_new_image() {
    let mut chance = Chance(0x5eed);
    for round in 0..300 {
        let length = [0, 1, 20, 1000, 40_000][round % 5];
        let base = chance.bytes(length);
        let new = if round % 7 == 0 {
            let length = chance.below(3000);
            chance.bytes(length)
        } else {
            chance.changed(&base)
        };
        let difference = difference(&base, &new);
        assert!(
            applied(&base, &difference, new.len()).unwrap() == new,
            "round {round}"
        );
    }
}

/// Longer than a part, so that steps are cut; all bytes are changed, so that parts are full.
#[test]
fn images_longer_than_a_part() {
    let mut chance = Chance(7);
    let base: Vec<u8> = (0..9 << 20)
        .map(|_| chance.next().to_le_bytes()[0])
        .collect();
    let mut new = base.clone();
    new.iter_mut()
        .step_by(3)
        .for_each(|byte| *byte = byte.wrapping_add(1));
    new.extend((0..5 << 20).map(|_| chance.next().to_le_bytes()[0]));
    let difference = make(&base, &new, 1, &mut |_| ()).unwrap();
    assert!(applied(&base, &difference, new.len()).unwrap() == new);
}

#[test]
fn a_small_change_is_a_small_difference_however_much_moves() {
    let mut chance = Chance(99);
    let base: Vec<u8> = (0..100_000)
        .map(|_| chance.next().to_le_bytes()[0])
        .collect();
    let mut new = base.clone();
    new.splice(50_000..50_000, [1, 2, 3, 4]);
    // Every address moves with it.
    for byte in new[60_000..].iter_mut().step_by(40) {
        *byte = byte.wrapping_add(4);
    }
    assert!(difference(&base, &new).len() < 500);
    assert_eq!(difference(&base, &new), difference(&base, &new));
    assert!(difference(&base, &base).len() < HEADER_LENGTH + 60);
}

#[test]
fn progress_grows() {
    let mut seen = Vec::new();
    let mut chance = Chance(3);
    let (base, new) = (chance.bytes(5000), chance.bytes(5000));
    make(&base, &new, 1, &mut |done| seen.push(done)).unwrap();
    assert!(seen.is_sorted() && seen.last().is_some_and(|last| *last <= 5000));
}

/// Every flipped bit and every truncation: an error or an image, never more than its length.
#[test]
fn damaged_differences_make_no_more_than_the_image() {
    let mut chance = Chance(12);
    let base = chance.bytes(3000);
    let new = chance.changed(&base);
    let good = difference(&base, &new);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let mut made = Vec::new();
        let _ = apply(
            &mut Cursor::new(&base),
            &*bad,
            new.len() as u64,
            memory_for(),
            &mut made,
        );
        assert!(made.len() <= new.len(), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(
            applied(&base, &good[..length], new.len()).is_err(),
            "{length} bytes"
        );
    }
}

/// A difference of these parts, compressed.
fn handmade(length: u64, parts: &[[&[u8]; 4]], behind: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for part in parts {
        for column in part {
            content.extend(u32::try_from(column.len()).unwrap().to_le_bytes());
        }
        content.extend(part.concat());
    }
    content.extend(behind);
    let mut made = Header::new(100, length).encode();
    made.extend(zstd::encode_all(&*content, 1).unwrap());
    made
}

fn damage(length: u64, parts: &[[&[u8]; 4]], behind: &[u8]) -> String {
    let base = [7; 100];
    let length_here = usize::try_from(length).unwrap_or(usize::MAX);
    match applied(&base, &handmade(length, parts, behind), length_here) {
        Err(DifferenceError::Damaged { what, .. }) => what.to_owned(),
        Err(error) => format!("{error}"),
        Ok(made) => format!("made {made:?}"),
    }
}

#[test]
fn each_column_is_checked() {
    const NONE: &[u8] = &[];
    let cases: &[(&str, u64, [&[u8]; 4])] = &[
        ("made [7, 8, 7, 1]", 4, [&[3, 1, 0], &[1], &[1], &[1]]),
        ("a part has no steps", 4, [NONE, NONE, NONE, &[1]]),
        ("a step is incomplete", 4, [&[3, 1], NONE, NONE, &[1]]),
        ("a step is incomplete", 4, [&[3, 1, 0x80], NONE, NONE, &[1]]),
        (
            "a step makes too much or nothing",
            4,
            [&[0, 0, 0, 4, 0, 0], NONE, NONE, NONE],
        ),
        (
            "a step makes too much or nothing",
            4,
            [&[3, 2, 0], NONE, NONE, &[1, 2]],
        ),
        (
            "a step begins outside the base",
            4,
            [&[4, 0, 1], NONE, NONE, NONE],
        ),
        (
            "a step ends outside the base",
            4,
            [&[4, 0, 0xc2, 1], NONE, NONE, NONE],
        ),
        ("new bytes are missing", 4, [&[3, 1, 0], NONE, NONE, NONE]),
        (
            "changes are missing or invalid",
            4,
            [&[4, 0, 0], &[1], NONE, NONE],
        ),
        (
            "changes are missing or invalid",
            4,
            [&[4, 0, 0], &[0x80], &[1], NONE],
        ),
        (
            "a part has more than its steps use",
            4,
            [&[4, 0, 0], &[4], &[1], NONE],
        ),
        (
            "a part has more than its steps use",
            4,
            [&[4, 0, 0], NONE, &[1], NONE],
        ),
        (
            "a part has more than its steps use",
            4,
            [&[4, 0, 0], NONE, NONE, &[1]],
        ),
    ];
    for (expected, length, part) in cases {
        assert_eq!(damage(*length, &[*part], NONE), *expected, "{part:?}");
    }
    // The largest numbers.
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let huge = [most.as_slice(), &most, &most].concat();
    let part = [huge.as_slice(), NONE, NONE, NONE];
    assert_eq!(
        damage(u64::MAX, &[part], NONE),
        "a step makes too much or nothing"
    );
    let far = [&[1, 0], most.as_slice()].concat();
    let part = [far.as_slice(), NONE, NONE, NONE];
    assert_eq!(
        damage(u64::MAX, &[part], NONE),
        "a step begins outside the base"
    );
    let two: [[&[u8]; 4]; 2] = [[&[2, 0, 0], NONE, NONE, NONE]; 2];
    assert_eq!(damage(4, &two, NONE), "made [7, 7, 7, 7]");
    assert_eq!(damage(4, &two, &[0]), "it goes on behind the image");
}

#[test]
fn a_part_states_a_length_that_is_allowed() {
    let mut content = vec![0xff; 16];
    content[..4].copy_from_slice(&[3, 0, 0, 0]);
    let mut bad = Header::new(0, 4).encode();
    bad.extend(zstd::encode_all(&*content, 1).unwrap());
    let error = applied(&[], &bad, 4).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the difference is damaged: a part is too long, after 0 bytes of the image"
    );
}

#[test]
fn bytes_behind_the_frame_are_an_error() {
    let base = [7; 100];
    let mut longer = handmade(4, &[[&[4, 0, 0], &[], &[], &[]]], &[]);
    longer.push(0);
    let error = applied(&base, &longer, 4).unwrap_err();
    assert!(
        matches!(error, DifferenceError::Damaged { made: 4, .. }),
        "{error}"
    );
}

#[test]
fn the_header_must_be_as_expected() {
    let (base, new) = ([1; 50], [2; 60]);
    let good = difference(&base, &new);
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        applied(&base, &bad, new.len()).unwrap_err()
    };
    for at in 0..16 {
        assert!(matches!(with(at, 0xee), DifferenceError::NotADifference));
    }
    assert!(matches!(
        with(16, 2),
        DifferenceError::Version { version: 2 }
    ));
    for (at, byte) in [(17, 9), (17, 28), (18, 1), (23, 1)] {
        assert!(matches!(
            with(at, byte),
            DifferenceError::Damaged { made: 0, .. }
        ));
    }
    assert!(matches!(
        with(24, 51),
        DifferenceError::Base {
            stated: 51,
            actual: 50
        }
    ));
    assert!(matches!(
        with(32, 61),
        DifferenceError::Length {
            stated: 61,
            expected: 60
        }
    ));
    let error = with(17, 27);
    assert!(matches!(error, DifferenceError::Memory { .. }), "{error}");
    assert_eq!(error.code(), "difference");
    assert!(matches!(
        applied(&base, &[], 60),
        Err(DifferenceError::NotADifference)
    ));
}

/// A frame that wants a larger window than the header states is not decompressed.
#[test]
fn the_window_is_that_of_the_header() {
    let mut encoder = zstd::Encoder::new(Header::new(0, 4).encode(), 1).unwrap();
    encoder.window_log(26).unwrap();
    encoder.write_all(&[0; 20]).unwrap();
    let bad = encoder.finish().unwrap();
    let error = applied(&[], &bad, 4).unwrap_err();
    assert!(matches!(error, DifferenceError::Read { .. }), "{error}");
}

/// Fails at every read and write.
struct Failing(Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::Other.into())
    }
}

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn failures_around_it_are_errors() {
    let base = vec![1; 50];
    let new = [1; 60];
    let good = difference(&base, &new);
    let failing = || Failing(Cursor::new(base.clone()));
    let mut cursor = Cursor::new(&base);
    let room = memory_for();
    let read = apply(&mut cursor, failing(), 60, room, &mut Vec::new()).unwrap_err();
    assert!(
        matches!(read, DifferenceError::Read { made: 0, .. }),
        "{read}"
    );
    let base = apply(&mut failing(), &*good, 60, room, &mut Vec::new()).unwrap_err();
    assert!(matches!(base, DifferenceError::ReadBase(_)), "{base}");
    let write = apply(&mut cursor, &*good, 60, room, &mut failing()).unwrap_err();
    assert!(
        matches!(write, DifferenceError::Write { made: 0, .. }),
        "{write}"
    );
    assert_eq!(write.code(), "io");
}

#[test]
fn memory_is_that_of_the_window_and_a_part() {
    assert_eq!(memory_for(), (8 + 4 + 2) << 20);
}
