//! The artifact that a caller expects.

/// The artifact that a caller expects. A valid artifact of another application must not take its
/// place. A policy cannot turn this off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    application: Option<String>,
    channel: Option<String>,
}

impl Expected {
    /// Any artifact that the policy accepts.
    pub fn anything() -> Self {
        Self {
            application: None,
            channel: None,
        }
    }

    /// An artifact of this application.
    pub fn application(name: impl Into<String>) -> Self {
        Self {
            application: Some(name.into()),
            channel: None,
        }
    }

    /// An artifact of this release channel.
    #[must_use]
    pub fn in_channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// The expected application, if there is one.
    pub fn wanted_application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The expected channel, if there is one.
    pub fn wanted_channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }
}
