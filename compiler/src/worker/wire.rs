//! How the processes of a build exchange programs: a head that describes them, followed by their
//! bytes.
//!
//! One of the two processes works on a hostile program. So the other one limits the length of the
//! head that it reads, and takes no more bytes than there are.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The maximum length of a head, in bytes (128 MiB). The longest known one has the names of 200,000
/// functions, 20 MiB.
const MAX_HEAD_LEN: u64 = 128 << 20;

/// The place of a program's bytes.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Place {
    /// They are the bytes of the input.
    Input,
    /// They follow the head, and this is their number.
    Follow(u64),
}

/// The bytes that follow a head, in order.
pub(crate) struct Writer<'a> {
    input: &'a [u8],
    parts: Vec<Vec<u8>>,
}

impl<'a> Writer<'a> {
    /// For an answer to `input`. `input` is empty if the other side does not have it.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        let parts = Vec::new();
        Self { input, parts }
    }

    /// Adds bytes, unless they are the input.
    pub(crate) fn put(&mut self, bytes: Vec<u8>) -> Place {
        if bytes == self.input {
            return Place::Input;
        }
        let length = bytes.len() as u64;
        self.parts.push(bytes);
        Place::Follow(length)
    }

    /// The head and the bytes after it.
    pub(crate) fn message(self, head: &impl Serialize) -> Result<Vec<Vec<u8>>, postcard::Error> {
        let mut message = vec![front(head)?];
        message.extend(self.parts);
        Ok(message)
    }
}

/// A head, with bytes after it.
pub(crate) fn message(head: &impl Serialize, parts: &[&[u8]]) -> Result<Vec<u8>, postcard::Error> {
    let front = front(head)?;
    Ok([&[front.as_slice()][..], parts].concat().concat())
}

/// A head, with its length.
fn front(head: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    let head = postcard::to_allocvec(head)?;
    let length = (head.len() as u64).to_le_bytes();
    Ok([&length[..], &head].concat())
}

/// The bytes after a head.
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The head of a message, and the bytes after it. `None` if it is malformed. `input` is the
    /// input of the message, as the writer got it.
    pub(crate) fn new<T: DeserializeOwned>(
        message: &'a [u8],
        input: &'a [u8],
    ) -> Option<(T, Self)> {
        let (length, rest) = message.split_first_chunk::<8>()?;
        let length = Some(u64::from_le_bytes(*length)).filter(|it| *it <= MAX_HEAD_LEN)?;
        let (head, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let head = postcard::from_bytes(head).ok()?;
        Some((head, Self { input, rest }))
    }

    /// All remaining bytes.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The next bytes. `None` if there are too few.
    pub(crate) fn take(&mut self, place: Place) -> Option<Vec<u8>> {
        let Place::Follow(length) = place else {
            return Some(self.input.to_vec());
        };
        let length = usize::try_from(length).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_in_their_order() {
        let mut out = Writer::new(b"input");
        let places = ["one", "input", "", "two"].map(|text| out.put(text.into()));
        let message = out.message(&("head", places)).unwrap().concat();
        let (head, mut from) = Reader::new::<(String, [Place; 4])>(&message, b"input").unwrap();
        assert_eq!(head.0, "head");
        let back = head.1.map(|place| from.take(place).unwrap());
        assert_eq!(back, [&b"one"[..], b"input", b"", b"two"]);
        assert!(from.take(Place::Follow(1)).is_none());
        assert!(from.take(Place::Follow(u64::MAX)).is_none());
    }

    #[test]
    fn malformed_messages_are_refused() {
        let message = Writer::new(b"x").message(&"head").unwrap().concat();
        for end in 0..message.len() {
            let cut = message.get(..end).unwrap();
            assert!(Reader::new::<String>(cut, b"").is_none(), "{end}");
        }
        let long = (MAX_HEAD_LEN + 1).to_le_bytes();
        assert!(Reader::new::<()>(&long, b"").is_none());
    }
}
