//! What a caller wants an artifact to be.

/// What the caller wants an artifact to be: a valid artifact of another application must
/// not take its place. Always enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    application: Option<String>,
    channel: Option<String>,
}

impl Expected {
    /// Everything that the policy accepts.
    pub fn anything() -> Self {
        Self {
            application: None,
            channel: None,
        }
    }

    /// This application.
    pub fn application(name: impl Into<String>) -> Self {
        Self {
            application: Some(name.into()),
            channel: None,
        }
    }

    /// Of this release channel.
    #[must_use]
    pub fn in_channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// The application that is wanted, where one is.
    pub fn wanted_application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The channel that is wanted, where one is.
    pub fn wanted_channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }
}
