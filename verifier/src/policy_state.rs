//! The newest policy that a host has seen: older ones are refused.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use edgec_artifact::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::TrustPolicy;
use crate::guarded::{GuardError, read_guarded, refuse_unless_private};
use crate::way;

/// How often a lock is looked for that another process makes or removes at the same time.
const TRIES: usize = 8;

/// What a policy was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// Nothing: it is the first that this host has seen.
    First,
    /// The newest policy that this host had seen, which is not newer.
    Newest,
}

/// What a host remembers of the newest policy that it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    name: String,
    version: u64,
    sha256: Sha256Digest,
}

/// Why a policy is not followed, or could not be remembered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyStateError {
    /// The policy has no version that could be compared.
    #[error("the trust policy states no version, which could be compared with the newest one seen")]
    NoVersion,
    /// An older policy than the newest one seen.
    #[error("version {found} of the trust policy is older than {seen}, which this host has seen")]
    Older {
        /// The policy's version.
        found: u64,
        /// The newest version seen.
        seen: u64,
    },
    /// Another policy under the version that was seen.
    #[error("version {version} of the trust policy is another one than this host has seen")]
    Changed {
        /// The version of both.
        version: u64,
    },
    /// A policy of another name.
    #[error("the trust policy is named `{found}`, this host has seen `{seen}`")]
    OtherName {
        /// The policy's name.
        found: String,
        /// The name of the policy seen.
        seen: String,
    },
    /// What was remembered cannot be read any more.
    #[error("the file that remembers the newest trust policy is damaged: {0}")]
    Damaged(String),
    /// Others can have changed what was remembered.
    #[error("the file that remembers the newest trust policy")]
    Guard(#[from] GuardError),
    /// A file that is not this user's own lies under the name of the lock, or of the file's next
    /// content. It is neither waited for nor written to.
    #[error("`{}`, beside the file that remembers the newest trust policy", path.display())]
    Beside {
        /// The file beside it.
        path: PathBuf,
        /// What is wrong with it.
        source: GuardError,
    },
    /// The file cannot be read or written.
    #[error("cannot remember the newest trust policy")]
    Io(#[from] io::Error),
}

impl PolicyStateError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Guard(error) => error.code(),
            Self::Damaged(_) => "policy-state",
            Self::Beside { .. } => "policy-state-file",
            _ => "policy-rollback",
        }
    }
}

/// The newest policy that a process has followed. [`remember`] does the same in a file, beyond the
/// life of the process.
#[derive(Debug, Default)]
pub struct NewestPolicy(Option<Memory>);

impl NewestPolicy {
    /// Compares a policy with the newest one that was followed, and follows it unless it is older.
    /// A policy without a version is followed only until a policy with a version was.
    ///
    /// # Errors
    /// [`PolicyStateError`], except the errors about a file.
    pub fn follow(&mut self, policy: &TrustPolicy) -> Result<(), PolicyStateError> {
        let new = match Memory::of(policy) {
            Err(_) if self.0.is_none() => return Ok(()),
            new => new?,
        };
        if let Some(seen) = self.0.as_ref().filter(|seen| **seen != new) {
            seen.allows(&new)?;
        }
        self.0 = Some(new);
        Ok(())
    }
}

/// Compares a policy with the newest one that `path` remembers, and remembers it when it is
/// newer. The folder must exist, and no other user but root may be able to change it or one above
/// it. `<path>.lock` is created beside the file, so that of two processes the older policy never
/// wins.
///
/// # Errors
///
/// [`PolicyStateError`]; the file is then as it was.
pub fn remember(path: &Path, policy: &TrustPolicy) -> Result<Seen, PolicyStateError> {
    let new = Memory::of(policy)?;
    let path = &match way::place(path).map_err(GuardError::from) {
        Err(GuardError::Io(error)) => return Err(error.into()),
        place => place?,
    };
    let lock = lock(&beside(path, "lock"))?;
    lock.lock()?;
    let seen: Option<Memory> = match read_guarded(path) {
        Ok(bytes) => Some(
            serde_json::from_slice(&bytes)
                .map_err(|error| PolicyStateError::Damaged(error.to_string()))?,
        ),
        Err(GuardError::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    match seen {
        Some(seen) if seen == new => Ok(Seen::Newest),
        Some(seen) => {
            seen.allows(&new)?;
            replace(path, &new)?;
            Ok(Seen::Newest)
        }
        None => {
            replace(path, &new)?;
            Ok(Seen::First)
        }
    }
}

impl Memory {
    fn of(policy: &TrustPolicy) -> Result<Self, PolicyStateError> {
        let (Some(name), Some(version)) = (policy.name(), policy.version()) else {
            return Err(PolicyStateError::NoVersion);
        };
        Ok(Self {
            name: name.to_owned(),
            version,
            sha256: policy.digest(),
        })
    }

    fn allows(&self, new: &Self) -> Result<(), PolicyStateError> {
        if self.name != new.name {
            return Err(PolicyStateError::OtherName {
                found: new.name.clone(),
                seen: self.name.clone(),
            });
        }
        match new.version.cmp(&self.version) {
            std::cmp::Ordering::Greater => Ok(()),
            std::cmp::Ordering::Equal => Err(PolicyStateError::Changed {
                version: new.version,
            }),
            std::cmp::Ordering::Less => Err(PolicyStateError::Older {
                found: new.version,
                seen: self.version,
            }),
        }
    }
}

/// Under the lock: the old file or the new one, whatever happens.
fn replace(path: &Path, new: &Memory) -> Result<(), PolicyStateError> {
    let text = serde_json::to_string(new).map_err(io::Error::from)?;
    let staged = beside(path, "new");
    remove_left(&staged)?;
    let file = create(&staged)?;
    let written = write(file, &text).and_then(|()| fs::rename(&staged, path));
    if let Err(error) = written {
        // If it cannot be removed, the next change does it.
        let _ = fs::remove_file(&staged);
        return Err(error.into());
    }
    #[cfg(unix)]
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
    Ok(())
}

fn write(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Removes what a process left that ended in the middle of a change. A file of another user is none
/// of these.
fn remove_left(staged: &Path) -> Result<(), PolicyStateError> {
    match staged.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        found => {
            refuse_unless_private(&found?).map_err(|error| is_not_ours(staged, error))?;
            Ok(fs::remove_file(staged)?)
        }
    }
}

/// Opens the lock, or makes it. A file that another user put there is refused before it is opened
/// and again after: that user could hold the lock forever, and opening a pipe would wait.
fn lock(path: &Path) -> Result<File, PolicyStateError> {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let not_ours = |error| is_not_ours(path, error);
    for _ in 0..TRIES {
        match create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok(made?),
        }
        let file = match path.symlink_metadata() {
            Err(error) if missing(&error) => continue,
            found => {
                refuse_unless_private(&found?).map_err(not_ours)?;
                open(path)
            }
        };
        match file {
            Err(error) if missing(&error) => {}
            file => {
                let file = file?;
                refuse_unless_private(&file.metadata()?).map_err(not_ours)?;
                return Ok(file);
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::ResourceBusy).into())
}

fn is_not_ours(path: &Path, source: GuardError) -> PolicyStateError {
    let path = path.to_owned();
    PolicyStateError::Beside { path, source }
}

/// Creates a file of this user's alone, where there is nothing yet, not even a link.
#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Opens a file that is there, through no link and without waiting.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    File::options().create_new(true).write(true).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
