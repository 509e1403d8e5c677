//! What `--cache` and its variables name: a folder, a shared cache behind it, or no cache at all.

use std::path::{Path, PathBuf};

use super::{CACHE_URL_VARIABLE, OFF};
use crate::failure::Failure;

/// The folder and the shared cache that were named.
pub(super) enum Places {
    Off,
    Named {
        folder: Option<PathBuf>,
        /// The URL as it was written. It may have a password in it, so no message repeats it.
        url: Option<String>,
    },
}

/// Whether a value names a shared cache: a URL.
pub(crate) fn is_url(value: &[u8]) -> bool {
    value.windows(3).any(|part| part == b"://")
}

/// Sorts the values of `--cache`. The variable names a shared cache if none of them does.
pub(super) fn places(named: &[PathBuf]) -> Result<Places, Failure> {
    if named.iter().any(|path| path.as_os_str() == OFF) {
        return Ok(Places::Off);
    }
    let is_url = |path: &&Path| is_url(path.as_os_str().as_encoded_bytes());
    let (urls, folders): (Vec<&Path>, Vec<&Path>) =
        named.iter().map(PathBuf::as_path).partition(is_url);
    if urls.len() > 1 || folders.len() > 1 {
        let what = if urls.len() > 1 { "URLs" } else { "folders" };
        let message = format!("--cache names several {what}");
        return Err(Failure::usage("cache-twice", message)
            .about("the build cache")
            .hint("name one folder, and one URL of a shared cache behind it"));
    }
    let url = urls.first().map(|url| url.to_string_lossy().into_owned());
    let of_variable = || {
        let value = std::env::var_os(CACHE_URL_VARIABLE).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().into_owned())
    };
    Ok(Places::Named {
        folder: folders.first().map(|folder| (*folder).to_owned()),
        url: url.or_else(of_variable),
    })
}
