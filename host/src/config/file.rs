//! A `serve.toml` on the disk, which a host reads again while it runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use edgec_loader::verifier::{GuardError, read_guarded};

use super::{ConfigError, ServeConfig};

/// A `serve.toml` on the disk. It decides what is served and what programs may reach, so it is read
/// only if no other user can have written it.
pub struct ConfigFile {
    path: PathBuf,
    adjust: Box<Adjust>,
    /// What was read last.
    last: Mutex<Option<Vec<u8>>>,
}

type Adjust = dyn Fn(&mut ServeConfig) + Send + Sync;

/// Why a `serve.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFileError {
    /// It cannot be read, or other users may write it.
    #[error("`{}`", path.display())]
    Guard {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: GuardError,
    },
    /// It is not text in UTF-8.
    #[error("`{}` is not text (UTF-8), from byte {offset}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is not text.
        offset: usize,
    },
    /// It is not a configuration.
    #[error("`{}`{}", path.display(), place(source))]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        #[source]
        source: ConfigError,
    },
}

/// The place of an error, behind the name of the file.
fn place(error: &ConfigError) -> String {
    error
        .place()
        .map(|place| format!(", line {}, column {}", place.line, place.column))
        .unwrap_or_default()
}

impl ConfigFile {
    /// The file at `path`. Relative paths in it are relative to its folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            adjust: Box::new(|_| {}),
            last: Mutex::default(),
        }
    }

    /// Changes each configuration that is read, for example by what a command line says.
    #[must_use]
    pub fn adjusted(self, adjust: impl Fn(&mut ServeConfig) + Send + Sync + 'static) -> Self {
        let adjust = Box::new(adjust);
        Self { adjust, ..self }
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`ConfigFileError`].
    pub fn read(&self) -> Result<ServeConfig, ConfigFileError> {
        let bytes = self.bytes()?;
        self.remember(&bytes);
        self.decode(bytes)
    }

    /// Reads it again. `None`: its bytes are those of the last time.
    pub(crate) fn changed(&self) -> Result<Option<ServeConfig>, ConfigFileError> {
        let bytes = self.bytes()?;
        if !self.remember(&bytes) {
            return Ok(None);
        }
        self.decode(bytes).map(Some)
    }

    /// Takes the bytes of the next reading as new.
    pub(crate) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn bytes(&self) -> Result<Vec<u8>, ConfigFileError> {
        read_guarded(&self.path).map_err(|source| ConfigFileError::Guard {
            path: self.path.clone(),
            source,
        })
    }

    /// Whether these bytes are new.
    fn remember(&self, bytes: &[u8]) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let new = last.as_deref() != Some(bytes);
        if new {
            *last = Some(bytes.to_vec());
        }
        new
    }

    fn decode(&self, bytes: Vec<u8>) -> Result<ServeConfig, ConfigFileError> {
        let path = || self.path.clone();
        let text = String::from_utf8(bytes).map_err(|error| ConfigFileError::NotText {
            path: path(),
            offset: error.utf8_error().valid_up_to(),
        })?;
        let config = ServeConfig::from_toml(&text);
        let mut config = config.map_err(|source| {
            let path = path();
            ConfigFileError::Config { path, source }
        })?;
        config.in_folder(self.path.parent().unwrap_or(Path::new("")));
        (self.adjust)(&mut config);
        Ok(config)
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use edgec_loader::error_chain;

    use super::*;

    const TEXT: &str = "schema = 1\n[[application]]\nname = \"a\"\nartifact = \"a.cwasm\"\n";

    /// A file with this mode, in a folder that its owner keeps.
    fn written(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        std::fs::write(&path, TEXT).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn it_is_read_again_when_its_bytes_change() {
        let (folder, path) = written(0o600);
        let file = ConfigFile::new(&path).adjusted(|config| config.limits.queue = 7);
        let config = file.read().unwrap();
        let artifact = config.applications[0].artifact.clone().unwrap();
        assert_eq!(artifact, folder.path().join("a.cwasm"));
        assert_eq!(config.limits.queue, 7);
        assert!(file.changed().unwrap().is_none());
        std::fs::write(&path, format!("{TEXT}path = \"/x\"\n")).unwrap();
        let config = file.changed().unwrap().unwrap();
        assert_eq!(config.applications[0].path.as_str(), "/x");
        // An error is one once, as long as the bytes stay.
        std::fs::write(&path, format!("{TEXT}x = 1\n")).unwrap();
        let error = file.changed().unwrap_err();
        let says = "serve.toml`, line 5, column 1: unknown name `x`";
        assert!(error_chain(&error).contains(says), "{error}");
        assert!(file.changed().unwrap().is_none());
        std::fs::write(&path, b"\xff").unwrap();
        let error = file.changed().unwrap_err();
        assert!(matches!(error, ConfigFileError::NotText { offset: 0, .. }));
    }

    #[test]
    fn nobody_else_may_write_it() {
        let (_folder, path) = written(0o666);
        let error = ConfigFile::new(&path).read().unwrap_err();
        let ConfigFileError::Guard { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(matches!(source, GuardError::Writable { mode: 0o666 }));
        std::fs::remove_file(&path).unwrap();
        let error = ConfigFile::new(&path).read().unwrap_err();
        let says = "serve.toml`: cannot read the file";
        assert!(error_chain(&error).contains(says), "{error}");
    }
}
