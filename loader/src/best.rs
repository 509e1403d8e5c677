//! Chooses, from several artifacts of one release, the one that fits this host best: as a store
//! does, but for files.

use edgec_verifier::{HostProfile, Manifest};

use crate::{LoadError, VerifiedFile};

/// Returns the index of the verified file that uses most features of `host`; if two use as many,
/// the first. A host without an engine yet is [`HostProfile::here`], one with an engine
/// [`HostEngine::host`](crate::HostEngine::host).
///
/// All files are verified first, also those that are not chosen. Otherwise a user who can plant a
/// file could decide which of the others runs.
///
/// # Errors
///
/// [`LoadError::Mixed`] when the files are not of one release (application, channel and version);
/// [`LoadError::NoneFits`] says of each what is in the way.
pub fn best_of(
    host: &HostProfile,
    mut files: Vec<VerifiedFile>,
) -> Result<(usize, VerifiedFile), LoadError> {
    let mut releases = files.iter().map(|file| release(file.manifest()));
    if let Some(first) = releases.next()
        && let Some(other) = releases.find(|other| *other != first)
    {
        return Err(LoadError::Mixed { first, other });
    }
    match host.best(files.iter().map(VerifiedFile::manifest)) {
        Some(place) => Ok((place, files.swap_remove(place))),
        None => {
            let unfit = files.iter().filter_map(|file| {
                let manifest = file.manifest();
                let unfit = host.can_run(manifest).err()?;
                Some((manifest.target.id.clone(), unfit))
            });
            let unfit = unfit.collect();
            Err(LoadError::NoneFits { unfit })
        }
    }
}

fn release(manifest: &Manifest) -> String {
    let channel = manifest.channel.iter();
    let channel: String = channel
        .map(|name| format!(" of channel `{name}`"))
        .collect();
    format!("`{}`{channel}, version {}", manifest.name, manifest.version)
}
