//! The files of the state: one for each application, and a lock, so that one process keeps a store
//! current. A file is written aside, reaches the disk, and then takes the place of the old one.

use std::fs::File;
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use edgec_files::{Folder, FolderError, Hold};
use serde::{Deserialize, Serialize};

use super::Known;

/// The longest file of the state, in bytes (64 KiB).
pub(super) const MAX_LEN: u64 = 64 << 10;
/// The file that only exists as a lock.
const LOCK: &str = "lock";
/// The folder of unfinished files.
const TEMPORARY: &str = "temporary";

/// The folder of the state, which this process alone writes.
#[derive(Debug)]
pub struct StateFolder {
    folder: Folder,
    temporary: Folder,
    lock: File,
}

/// A process that was just started, such as a gate's command, may have the lock's descriptor until
/// it runs its program. So closing it is not enough.
impl Drop for StateFolder {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The folder or a file cannot be read or written, or other users can change it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Another process keeps the store current.
    #[error("another `edgec sync` keeps this store current (it holds `{}`)", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// A file is not as it was written.
    #[error("`{name}` is damaged: {what}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong with it.
        what: String,
    },
}

impl StateError {
    /// A short name for the error that does not change between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Folder(FolderError::Io { .. }) => "io",
            Self::Folder(_) => "sync-state",
            Self::Busy { .. } => "sync-busy",
            Self::Damaged { .. } => "sync-state",
        }
    }
}

/// A file of the state.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    schema: u32,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    channel: Option<String>,
    known: Known,
}

/// The field that every schema has.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

impl StateFolder {
    /// Opens the folder, makes it if it does not exist, and removes what a crash has left there.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let (folder, new) = Folder::root_or_new(path)?;
        new.keep();
        let Some(lock) = folder.try_locked(LOCK, Hold::Exclusive)? else {
            let path = path.join(LOCK);
            return Err(StateError::Busy { path });
        };
        let temporary = folder.folder_or_new(TEMPORARY)?;
        for name in temporary.names()? {
            temporary.clear(&name)?;
        }
        let state = Self {
            folder,
            temporary,
            lock,
        };
        state.clear_orders()?;
        Ok(state)
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What is known about an application: nothing, if there is no file.
    ///
    /// # Errors
    ///
    /// [`StateError`], also if the file is damaged.
    pub fn read(&self, name: &str, channel: Option<&str>) -> Result<Known, StateError> {
        read_known(&self.folder, name, channel)
    }

    /// Keeps what is known about an application. When it returns, the file is on the disk.
    ///
    /// # Errors
    ///
    /// [`StateError`]. Then the old file is unchanged.
    pub fn write(
        &self,
        name: &str,
        channel: Option<&str>,
        known: &Known,
    ) -> Result<(), StateError> {
        let file = file_name(name, channel);
        let failed = |error: serde_json::Error| StateError::Damaged {
            name: self.folder.name(&file),
            what: error.to_string(),
        };
        let content = Content {
            schema: 1,
            name: name.to_owned(),
            channel: channel.map(str::to_owned),
            known: known.clone(),
        };
        let bytes = serde_json::to_vec(&content).map_err(failed)?;
        Ok(self.folder.replace(&self.temporary, &file, &bytes)?)
    }
}

/// What the folder of a state says about an application: nothing, if there is no file.
pub(super) fn read_known(
    folder: &Folder,
    name: &str,
    channel: Option<&str>,
) -> Result<Known, StateError> {
    let file = file_name(name, channel);
    let bytes = match folder.read(&file, MAX_LEN) {
        Err(error) if error.is_absence() => return Ok(Known::default()),
        bytes => bytes?,
    };
    let damaged = |what: String| StateError::Damaged {
        name: folder.name(&file),
        what,
    };
    let malformed = |error: serde_json::Error| damaged(error.to_string());
    let head: Head = serde_json::from_slice(&bytes).map_err(malformed)?;
    if head.schema != 1 {
        let what = format!("its schema is {}, and this edgec reads 1", head.schema);
        return Err(damaged(what));
    }
    let content: Content = serde_json::from_slice(&bytes).map_err(malformed)?;
    if content.name != name || content.channel.as_deref() != channel {
        return Err(damaged("it is about another application".to_owned()));
    }
    Ok(content.known)
}

/// The name of the file about an application in a channel.
pub(super) fn file_name(name: &str, channel: Option<&str>) -> String {
    let channel = channel.unwrap_or("");
    let digest = Sha256Digest::of(format!("{name}\0{channel}").as_bytes());
    format!("{digest}.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Bad, End, Forgiven, Healthy, Newest, ReleaseId, Stage, Trial};
    use edgec_artifact::UnixTime;

    fn full() -> Known {
        let release = ReleaseId::new(3, 7, Sha256Digest::of(b"r"));
        Known {
            index: Some(Sha256Digest::of(b"i")),
            newest: Some(Newest {
                release,
                first_seen: UnixTime::from_seconds(5),
                issued: Some(UnixTime::from_seconds(4)),
            }),
            trial: Some(Trial {
                release,
                before: Some(2),
                stage: Stage::GoingBack {
                    reason: "exit code 1".to_owned(),
                },
                starts: 3,
                answered: true,
            }),
            healthy: Some(Healthy {
                release,
                since: UnixTime::from_seconds(1),
                before: None,
            }),
            bad: Some(Bad {
                release,
                at: UnixTime::from_seconds(9),
                reason: "no".to_owned(),
                end: End::WentBack(2),
            }),
            forgiven: Some(Forgiven {
                verdict: Bad {
                    release,
                    at: UnixTime::from_seconds(8),
                    reason: "no".to_owned(),
                    end: End::Stays {
                        why: "it is alone".to_owned(),
                    },
                },
                at: UnixTime::from_seconds(10),
            }),
            expires: Some(UnixTime::from_seconds(11)),
            reset: Some(1),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync");
        let state = StateFolder::open(&path).unwrap();
        assert_eq!(state.read("shop", None).unwrap(), Known::default());
        for known in [Known::default(), full()] {
            state.write("shop", Some("stable"), &known).unwrap();
            assert_eq!(state.read("shop", Some("stable")).unwrap(), known);
            assert_eq!(state.read("shop", None).unwrap(), Known::default());
        }
        // Another process would undo the work of this one.
        let error = StateFolder::open(&path).unwrap_err();
        assert!(matches!(error, StateError::Busy { .. }), "{error}");
        assert_eq!(error.code(), "sync-busy");
        drop(state);
        std::fs::write(path.join(TEMPORARY).join("1.2.3"), "half").unwrap();
        let state = StateFolder::open(&path).unwrap();
        assert_eq!(state.read("shop", Some("stable")).unwrap(), full());
        assert_eq!(std::fs::read_dir(path.join(TEMPORARY)).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        let file = file_name("shop", None);
        for (text, says) in [
            ("{", "EOF"),
            (r#"{"schema":2,"name":"shop"}"#, "schema is 2"),
            (
                r#"{"schema":1,"name":"blog","known":{}}"#,
                "another application",
            ),
            (
                r#"{"schema":1,"name":"shop","known":{"more":1}}"#,
                "unknown field",
            ),
        ] {
            state
                .folder
                .replace(&state.temporary, &file, text.as_bytes())
                .unwrap();
            let error = state.read("shop", None).unwrap_err();
            assert_eq!(error.code(), "sync-state");
            assert!(error.to_string().contains(&file), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
        let error = StateFolder::open(Path::new("/proc/nothing")).unwrap_err();
        assert!(matches!(error, StateError::Folder(_)), "{error}");
    }
}
