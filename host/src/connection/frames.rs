//! The frames of an HTTP/2 connection that are no requests and no bodies. Each makes work for the
//! host, and none has a limit in the protocol, so a connection may send so many of them a second.
//!
//! A client that makes use of the host needs some: it opens its window for what it reads, and ends
//! requests. So requests and written bytes earn further ones. Source: RFC 9113, sections 4.1, 6 and
//! 10.5.

use std::time::Instant;

/// The first bytes of HTTP/2. Source: RFC 9113, section 3.4.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The bytes of a frame's head.
const HEAD: usize = 9;
/// The bytes of the payload of a control frame that cost as much as another frame: some settings.
const PAYLOAD: u64 = 64;
/// The frames that a request earns.
const REQUEST: u64 = 4;
/// The bytes of responses that earn a frame.
const WRITTEN: u64 = 2048;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// The control frames that a connection may still send.
#[derive(Debug)]
pub(super) struct Frames {
    /// A second's.
    most: u64,
    /// What is left of them, and what was earned.
    left: u64,
    /// When the last ones were added.
    filled: Instant,
    /// Bytes of responses that have earned nothing yet.
    written: u64,
    head: [u8; HEAD],
    /// The bytes of `head` that were read.
    begun: usize,
    /// The bytes to pass over: the preface, and payloads.
    skip: usize,
}

/// A connection has sent too many control frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many control frames")]
pub(super) struct Flood;

impl Frames {
    /// Of a connection that begins now, with at most so many in a second.
    pub(super) fn new(most: u32, now: Instant) -> Self {
        Self {
            most: most.into(),
            left: most.into(),
            filled: now,
            written: 0,
            head: [0; HEAD],
            begun: 0,
            skip: PREFACE.len(),
        }
    }

    /// The client has sent these bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Flood> {
        while !bytes.is_empty() {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = bytes.get(passed..).unwrap_or_default();
            let wanted = self.head.get_mut(self.begun..).unwrap_or_default();
            let part = wanted.len().min(bytes.len());
            let (Some(wanted), Some((read, rest))) =
                (wanted.get_mut(..part), bytes.split_at_checked(part))
            else {
                break;
            };
            wanted.copy_from_slice(read);
            self.begun += part;
            bytes = rest;
            if self.begun == HEAD {
                self.begun = 0;
                self.frame(now)?;
            }
        }
        Ok(())
    }

    /// The host has sent so many bytes.
    pub(super) fn wrote(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(bytes);
        self.earn(self.written / WRITTEN);
        self.written %= WRITTEN;
    }

    /// A frame begins.
    fn frame(&mut self, now: Instant) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        let cost = match kind {
            // Empty parts of a body are as cheap as other frames.
            DATA => u64::from(length == 0 && flags & END_STREAM == 0),
            HEADERS => {
                self.earn(REQUEST);
                0
            }
            // The size of a head has a limit of its own.
            CONTINUATION => 1,
            _ => 1 + u64::from(length) / PAYLOAD,
        };
        self.spend(cost, now)
    }

    fn spend(&mut self, cost: u64, now: Instant) -> Result<(), Flood> {
        if cost > self.left {
            let passed = now.saturating_duration_since(self.filled).as_millis();
            let passed = u64::try_from(passed).unwrap_or(u64::MAX);
            self.earn(passed.saturating_mul(self.most) / 1000);
            self.filled = now;
        }
        self.left = self.left.checked_sub(cost).ok_or(Flood)?;
        Ok(())
    }

    fn earn(&mut self, more: u64) {
        self.left = self.left.saturating_add(more).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PING: u8 = 6;
    const SETTINGS: u8 = 4;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [.., high, middle, low] = length.to_be_bytes();
        let mut frame = vec![high, middle, low, kind, 0, 0, 0, 0, 0];
        frame.resize(HEAD + length, 0);
        frame
    }

    fn begun(most: u32) -> (Frames, Instant) {
        let now = Instant::now();
        let mut frames = Frames::new(most, now);
        frames.read(PREFACE, now).unwrap();
        (frames, now)
    }

    #[test]
    fn a_flood_ends_and_a_second_brings_further_frames() {
        for (frame, in_a_second) in [
            (frame(PING, 8), 10),
            (frame(200, 0), 10),
            (frame(SETTINGS, 256), 2),
            (frame(CONTINUATION, 100), 10),
            (frame(DATA, 0), 10),
        ] {
            let (mut frames, begin) = begun(10);
            for second in 0..3 {
                let now = begin + Duration::from_secs(second);
                for _ in 0..in_a_second {
                    assert_eq!(frames.read(&frame, now), Ok(()));
                }
                if second == 2 {
                    assert_eq!(frames.read(&frame, now), Err(Flood));
                }
            }
        }
    }

    #[test]
    fn frames_are_found_in_any_parts() {
        let (mut frames, now) = begun(3);
        let sent = [frame(DATA, 20), frame(PING, 8), frame(PING, 8)].concat();
        for byte in &sent {
            assert_eq!(frames.read(&[*byte], now), Ok(()));
        }
        assert_eq!(frames.left, 1);
        assert_eq!(
            frames.read(&[sent, frame(PING, 8)].concat(), now),
            Err(Flood)
        );
    }

    #[test]
    fn requests_and_responses_earn_frames() {
        let (mut frames, now) = begun(4);
        for _ in 0..100 {
            frames.read(&frame(HEADERS, 30), now).unwrap();
            for _ in 0..4 {
                frames.read(&frame(PING, 8), now).unwrap();
            }
            for _ in 0..4 {
                frames.wrote(512);
            }
            frames.read(&frame(PING, 8), now).unwrap();
        }
        assert_eq!(frames.read(&frame(PING, 8), now), Err(Flood));
    }
}
