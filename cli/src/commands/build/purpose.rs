//! What a text of a project is for, which decides the code and the hint of a failure.

/// What a text is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Name,
    Version,
}

impl Use {
    /// The code of failures.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Version => "version",
        }
    }

    /// What a user can do instead.
    pub(super) const fn instead(self) -> &'static str {
        match self {
            Self::Name => "write the name in edgec.toml",
            Self::Version => "name the version with --app-version and --display-version",
        }
    }
}

/// The first line of a text, without space around it.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
