//! Current versions that were read before. One look at a file's name shows whether a version is
//! still the same. Reading it again takes two openings and a parser.
//!
//! The store never writes a version's file again, but replaces it with another file. The file that
//! was read stays open here. As long as it is open, the kernel gives its number to no other file.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use edgec_files::{Folder, Identity};

use super::application::Application;
use super::version::{CURRENT, StoredVersion};

/// The highest number of kept versions. Each is an open file of the process.
const MOST: usize = 256;

/// The versions, by applications without a version.
#[derive(Debug, Default)]
pub(super) struct KnownVersions(Mutex<HashMap<Application, Arc<Known>>>);

#[derive(Debug)]
struct Known {
    /// The name of the application's folder.
    folder: String,
    identity: Identity,
    stored: Arc<StoredVersion>,
    _open: File,
}

impl KnownVersions {
    /// The application's current version, if it was read before and is still the same unchanged
    /// file.
    pub(super) fn get(
        &self,
        names: &Folder,
        application: &Application,
    ) -> Option<Arc<StoredVersion>> {
        let known = {
            let versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(versions.get(application)?)
        };
        // A user who may change the folder may change `current`. So the folder is checked like when
        // it is opened.
        names.judge_inner(&known.folder).ok()?;
        let place = format!("{}/{CURRENT}", known.folder);
        let same = names.identity(&place) == Some(known.identity);
        same.then(|| Arc::clone(&known.stored))
    }

    pub(super) fn put(&self, application: &Application, file: File, stored: &Arc<StoredVersion>) {
        // If the kernel does not identify the file, the version counts as unknown.
        let Some(identity) = Identity::of(&file) else {
            return;
        };
        let known = Known {
            folder: application.folder(),
            identity,
            stored: Arc::clone(stored),
            _open: file,
        };
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.len() >= MOST && !versions.contains_key(application) {
            let any = versions.keys().next().cloned();
            any.and_then(|any| versions.remove(&any));
        }
        versions.insert(application.clone(), Arc::new(known));
    }
}
