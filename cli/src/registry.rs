//! Registries on the command line: references, how they are reached, and sessions.

use std::path::PathBuf;

use edgec_registry::{ConnectOptions, Reference, ReferenceError, Session};

use crate::failure::Failure;
use crate::failures::registry::reference_failure;
use crate::files;

/// How registries are reached.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RegistryArguments {
    /// Talk to the registry without TLS; anyone in between can read what is sent. On this machine
    /// (localhost), that is the default
    #[arg(long)]
    plain_http: bool,
    /// A certificate authority to trust besides the public ones (PEM or DER); repeatable
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
}

impl RegistryArguments {
    /// A session. Credentials come from the configuration of Docker or Podman.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        let mut options = ConnectOptions::default().plain_http(self.plain_http);
        for path in &self.ca {
            options = options.ca(files::read_short(path)?);
        }
        Ok(Session::new(options))
    }
}

/// A reference that a user has written.
pub(crate) fn reference(text: &str) -> Result<Reference, Failure> {
    let parsed = text.parse();
    parsed.map_err(|error| {
        let failure = reference_failure(&error);
        match error {
            // A password does not belong in a log.
            ReferenceError::Credentials { rest } => failure.about(format!("…@{rest}")),
            _ => failure.about(text),
        }
    })
}
