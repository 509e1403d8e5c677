//! Current releases that were read before: one look at a file's name says whether a release is
//! still what it was, where reading it again takes two openings and a parser.
//!
//! A release's file is not written again, but replaced by another. The file that was read stays
//! open here, and while it does, the kernel gives no other file its number.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use edgec_files::{Folder, Identity};

use super::release::{Application, CURRENT, Release};

/// How many are kept: each is an open file of the process.
const MOST: usize = 256;

/// By applications that name no version.
#[derive(Debug, Default)]
pub(super) struct KnownReleases(Mutex<HashMap<Application, Arc<Known>>>);

#[derive(Debug)]
struct Known {
    /// The name of its folder.
    folder: String,
    identity: Identity,
    release: Arc<Release>,
    _open: File,
}

impl KnownReleases {
    /// The application's current release, if it was read before and is still the same file,
    /// unchanged.
    pub(super) fn get(&self, names: &Folder, application: &Application) -> Option<Arc<Release>> {
        let known = {
            let releases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(releases.get(application)?)
        };
        // A user who may change the folder may change `current`, so the folder is judged as when it
        // is opened.
        names.judge_inner(&known.folder).ok()?;
        let place = format!("{}/{CURRENT}", known.folder);
        let same = names.identity(&place) == Some(known.identity);
        same.then(|| Arc::clone(&known.release))
    }

    pub(super) fn put(&self, application: &Application, file: File, release: &Arc<Release>) {
        // Where the kernel does not say what file it is, nothing is known.
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
