//! The names of applications and channels.
//!
//! A name may begin with folders, as in `tenant/shop`. Policies match those with `tenant/*`. If a
//! name is appended to a folder, the result always lies in that folder.

use unicode_normalization::is_nfc;

use crate::unseen::is_unseen;

/// The longest application name, in bytes.
const MAX_NAME: usize = 128;

/// A text that cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot name an application or a channel: a name has 1 to {MAX_NAME} bytes, in Unicode's \
     Normalization Form C; no part between slashes is empty, begins with a dot, or begins or ends with a \
     space; control characters, invisible characters, backslashes, asterisks, and white space other than \
     single spaces are not allowed"
)]
#[non_exhaustive]
pub struct NameError {
    /// The text.
    pub name: String,
}

/// Checks that `name` can be the name of an application or a channel.
///
/// # Errors
///
/// [`NameError`] if it is empty, is longer than 128 bytes, could leave a folder, could be taken for
/// a pattern, or could look like another name.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let refused = |c: char| is_unseen(c) || matches!(c, '\\' | '*');
    let fits = name.len() <= MAX_NAME
        && !name.contains(refused)
        && !name.contains("  ")
        && is_nfc(name)
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with(['.', ' ']) && !part.ends_with(' '));
    if fits {
        return Ok(());
    }
    Err(NameError {
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy's rule for a name must not miss a name that looks the same.
    #[test]
    fn names_that_look_like_others_are_refused() {
        for name in [
            " ",
            "app ",
            " app",
            "acme/app ",
            "acme/ app",
            "acme /app",
            " acme/app",
            "acme/app\u{a0}",
            "acme/a\u{a0}b",
            "acme/a\u{2003}b",
            "acme/a\u{3000}b",
            "acme/a\u{2028}b",
            "acme/app\u{200b}",
            "acme/a\u{200d}pp",
            "\u{feff}acme/app",
            "acme/\u{202e}ppa",
            "acme/\u{2066}app",
            "acme/a\u{ad}pp",
            "acme/app\u{2800}",
            "acme/app\u{3164}",
            "acme/app\u{fe0f}",
            "acme/app\u{e0061}",
            "acme/app\u{600}",
            "acme/app\u{e000}",
            "acme/app\u{ffff}",
            "acme/app\u{16fe4}",
            "acme/app\u{1d159}",
            "acme/app\u{7f}",
            "acme/app\u{9b}",
            "acme/app\t",
            "acme/a  b",
            "acme/shop   -        9        current  x86_64",
            "acme/cafe\u{301}",
            "acme/\u{212b}",
            "acme/e\u{301}\u{323}",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in [
            "a b",
            "acme corp/my app",
            "caf\u{e9}",
            "\u{1eb9}\u{301}k\u{1ecd}",
            "\u{1f980}",
            "\u{5e97}/\u{8349}",
            // This code point is not assigned. A later version of Unicode may make it a letter.
            "acme/\u{378}",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn names_that_would_leave_a_folder_are_refused() {
        let refused = [
            "", ".", "..", ".x", "a/../b", "/a", "a/", "a//b", "a\\b", "a\nb", "a*",
        ];
        for name in refused.into_iter().chain([&*"x".repeat(129)]) {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["app", "tenant/app", "app v2 (é)"] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
    }
}
