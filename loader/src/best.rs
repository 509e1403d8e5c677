//! Chooses the artifact that fits this host best, from several artifacts of one release. A store
//! makes the same choice; this is for files.

use edgec_verifier::{HostProfile, Manifest};

use crate::{LoadError, VerifiedFile};

/// Returns the index of the verified file that uses most features of `host`. If several use the
/// same number, it is the first. Before a host has an engine, use [`HostProfile::here`], and
/// afterwards [`HostEngine::host`](crate::HostEngine::host).
///
/// All files are verified first, including those that are not chosen. Otherwise a user who can add
/// a file could decide which of the others runs.
///
/// # Errors
///
/// [`LoadError::Mixed`] if the files are not of one release (application, channel and version);
/// [`LoadError::NoneFits`] has the problem of each file.
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
