//! Current releases that were read before. One look at a file's name shows whether a release is
//! still the same. Reading it again takes two openings and a parser.
//!
//! The store never writes a release's file again, but replaces it with another file. The file that
//! was read stays open here. As long as it is open, the kernel gives its number to no other file.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use edgec_files::{Folder, Identity};

use super::release::{Application, CURRENT, Release};

/// The highest number of kept releases. Each is an open file of the process.
const MOST: usize = 256;

/// The releases, by applications without a version.
#[derive(Debug, Default)]
pub(super) struct KnownReleases(Mutex<HashMap<Application, Arc<Known>>>);

#[derive(Debug)]
struct Known {
    /// The name of the application's folder.
    folder: String,
    identity: Identity,
    release: Arc<Release>,
    _open: File,
}

impl KnownReleases {
    /// The application's current release, if it was read before and is still the same unchanged
    /// file.
    pub(super) fn get(&self, names: &Folder, application: &Application) -> Option<Arc<Release>> {
        let known = {
            let releases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(releases.get(application)?)
        };
        // A user who may change the folder may change `current`. So the folder is checked like when
        // it is opened.
        names.judge_inner(&known.folder).ok()?;
        let place = format!("{}/{CURRENT}", known.folder);
        let same = names.identity(&place) == Some(known.identity);
        same.then(|| Arc::clone(&known.release))
    }

    pub(super) fn put(&self, application: &Application, file: File, release: &Arc<Release>) {
        // If the kernel does not identify the file, the release counts as unknown.
        let Some(identity) = Identity::of(&file) else {
            return;
        };
        let known = Known {
            folder: application.folder(),
            identity,
            release: Arc::clone(release),
            _open: file,
        };
        let mut releases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if releases.len() >= MOST && !releases.contains_key(application) {
            let any = releases.keys().next().cloned();
            any.and_then(|any| releases.remove(&any));
        }
        releases.insert(application.clone(), Arc::new(known));
    }
}
