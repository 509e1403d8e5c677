//! The mode of a Unix socket: who may connect.

use edgec_configuration::{Word, words};

/// The mode of a Unix socket, as `chmod` takes it: `"0660"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMode(u32);

words!(SocketMode);

impl SocketMode {
    /// The bits of the mode, at most 0o777.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Word for SocketMode {
    const WRITE: &'static str = "a mode in quotes, in octal digits, such as \"0660\"";

    fn read(text: &str) -> Result<Self, String> {
        let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let bits = u32::from_str_radix(text, 8).ok();
        let bits = bits.filter(|bits| is_octal && (3..=4).contains(&text.len()) && *bits <= 0o777);
        bits.map(Self)
            .ok_or_else(|| format!("write {}", Self::WRITE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_three_octal_digits() {
        assert_eq!(SocketMode::read("0660").unwrap().bits(), 0o660);
        assert_eq!(SocketMode::read("777").unwrap().bits(), 0o777);
        for text in ["", "66", "+66", "0o660", "1777", "888", "u=rw", "00660"] {
            assert!(SocketMode::read(text).is_err(), "{text}");
        }
    }
}
