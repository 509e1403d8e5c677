//! What to do if other users can put another file in the place of one that is to be relied on.

use edgec_verifier::way::WayError;

/// What to do about the way to a file.
pub(crate) fn remedy_of_way(error: &WayError) -> String {
    let elsewhere = "move the file to a folder that only you and root can change, such as a new \
                     one of `mktemp -d`";
    match error {
        WayError::Writable { at, .. } => format!("chmod go-w {}, or {elsewhere}", at.display()),
        _ => elsewhere.to_owned(),
    }
}
