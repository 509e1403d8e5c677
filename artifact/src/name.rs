//! The names of applications and channels.
//!
//! A name may have folders in front, as in `tenant/shop`, which policies match with
//! `tenant/*`. It never leads out of a folder that it is appended to.

/// The longest application name, in bytes.
const MAX_NAME: usize = 128;

/// A text that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot name an application or a channel: 1 to {MAX_NAME} bytes, parts between slashes not \
     empty and with no dot in front, no control character, backslash or asterisk"
)]
pub struct NameError {
    /// The text.
    pub name: String,
}

/// Whether `name` can be an application's name, or a channel's.
///
/// # Errors
///
/// [`NameError`] when it is empty, longer than 128 bytes, could leave a folder, or could be
/// taken for a pattern.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let refused = |c: char| c.is_control() || matches!(c, '\\' | '*');
    let fits = name.len() <= MAX_NAME
        && !name.contains(refused)
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'));
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
