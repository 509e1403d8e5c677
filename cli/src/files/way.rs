//! What to do if other users can replace a file that must be trusted.

use edgec_files::WayError;

/// The hint for an unsafe way to a file.
pub(crate) fn remedy_of_way(error: &WayError) -> String {
    remedy(error, "move the file to")
}

/// The hint for an unsafe way to the place of a new key.
#[cfg(unix)]
pub(super) fn remedy_of_place(error: &WayError) -> String {
    remedy(error, "make the key in")
}

fn remedy(error: &WayError, instead: &str) -> String {
    let elsewhere = format!(
        "{instead} a folder that only you and root can change, such as a new one of `mktemp -d`"
    );
    match error {
        WayError::Writable { at, .. } => format!("chmod go-w {}, or {elsewhere}", at.display()),
        WayError::List { at, .. } => format!("setfacl -b {}, or {elsewhere}", at.display()),
        _ => elsewhere,
    }
}
