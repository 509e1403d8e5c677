//! The names of applications in a store.

use edgec_verifier::artifact::Release;
use edgec_verifier::{Manifest, Sha256Digest, check_name};

use super::StoreError;

/// An application in a store: its name, its channel, and a version; without a version, the current
/// one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Application {
    pub(crate) name: String,
    pub(crate) channel: Option<String>,
    pub(crate) version: Option<u64>,
}

impl Application {
    /// The application's current version, among the artifacts without a channel.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            channel: None,
            version: None,
        }
    }

    /// The same application in this channel.
    #[must_use]
    pub fn in_channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// This version of the application, whether it is current or not.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// The application and channel of a release.
    pub(crate) fn of_release(release: &Release) -> Self {
        Self {
            name: release.application.clone(),
            channel: release.channel.clone(),
            version: None,
        }
    }

    /// The current version of it.
    pub(crate) fn without_version(mut self) -> Self {
        self.version = None;
        self
    }

    pub(crate) fn unknown(&self) -> StoreError {
        let what = self.to_string();
        StoreError::Unknown { what }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_name(&self.name)?;
        if let Some(channel) = &self.channel {
            check_name(channel)?;
        }
        Ok(())
    }

    /// The name of the application's folder.
    pub(crate) fn folder(&self) -> String {
        folder_of(&self.name, self.channel.as_deref())
    }

    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            channel: manifest.channel.clone(),
            version: Some(manifest.version),
        }
    }
}

/// The name of the folder of an application in a channel.
pub(super) fn folder_of(name: &str, channel: Option<&str>) -> String {
    let channel = channel.unwrap_or("");
    Sha256Digest::of(format!("{name}\0{channel}").as_bytes()).to_string()
}

impl From<&str> for Application {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl std::fmt::Display for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.name)?;
        if let Some(channel) = &self.channel {
            write!(f, " of channel `{channel}`")?;
        }
        match self.version {
            Some(version) => write!(f, ", version {version}"),
            None => Ok(()),
        }
    }
}
