//! What goes wrong between this host and a registry, or with an OCI layout in a folder.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a place of manifests and blobs did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The place has no such manifest, blob or repository.
    #[error("{place} has no {what}")]
    Absent {
        /// The repository or folder.
        place: String,
        /// What it does not have, such as `tag v1` or `blob sha256:…`.
        what: String,
    },
    /// The registry wants other credentials, or does not allow this with these.
    #[error("{place} denied access (HTTP {status}, {}){}", with(*had_credentials), said(message))]
    Denied {
        /// The repository.
        place: String,
        /// The status of the answer: 401 or 403.
        status: u16,
        /// Whether credentials were sent.
        had_credentials: bool,
        /// What the registry says about it, cut to one line. It may be empty.
        message: String,
    },
    /// The registry refused a request, and would refuse it again.
    #[error("{place} refused to {request} (HTTP {status}){}", said(message))]
    Refused {
        /// The repository.
        place: String,
        /// What was asked for, such as `take the manifest of tag v1`.
        request: String,
        /// The status of the answer.
        status: u16,
        /// What the registry says about it, cut to one line. It may be empty.
        message: String,
    },
    /// The registry cannot serve now: it is overloaded or failing. Later it may.
    #[error(
        "{place} cannot serve now (HTTP {status}, {attempts} attempts){}{}",
        said(message), later(*retry_after)
    )]
    Unavailable {
        /// The repository.
        place: String,
        /// The status of the last answer: 408, 429, or 500 and above.
        status: u16,
        /// How often the request was sent.
        attempts: u32,
        /// What the registry says about it, cut to one line. It may be empty.
        message: String,
        /// How long the registry wants to be left alone, if it says so.
        retry_after: Option<Duration>,
    },
    /// No answer came: the name is unknown, nothing listens there, or the connection failed.
    #[error("cannot reach {host} ({attempts} attempts): {reason}")]
    Unreachable {
        /// The host, with its port if it is not the usual one.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// What failed last.
        reason: String,
    },
    /// The host was reached, and then nothing moved for too long.
    #[error("{host} stopped answering: {} ({attempts} attempts)", silence(*idle))]
    Silent {
        /// The host, with its port if it is not the usual one.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// How long nothing moved.
        idle: Duration,
    },
    /// The certificate of the host is not valid, or the host does not speak TLS.
    #[error("no secure connection to {host}: {reason}")]
    Tls {
        /// The host, with its port if it is not the usual one.
        host: String,
        /// What failed.
        reason: String,
    },
    /// A transfer broke off, again and again.
    #[error(
        "the transfer of {what} broke off after {received} of {expected} bytes \
         ({attempts} attempts): {reason}"
    )]
    CutShort {
        /// The blob.
        what: String,
        /// How many bytes came.
        received: u64,
        /// How many bytes there are.
        expected: u64,
        /// How often it was tried since the last noteworthy progress.
        attempts: u32,
        /// What failed last.
        reason: String,
    },
    /// Other bytes came than those that were asked for.
    #[error("{what} is damaged: its digest is sha256:{found}, not sha256:{expected}")]
    Digest {
        /// The manifest or blob, and its place.
        what: String,
        /// The digest that it should have, in lowercase hexadecimal.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// More or fewer bytes than the descriptor says.
    #[error("{what} has {found} bytes, but its descriptor says {expected}")]
    Size {
        /// The blob, and its place.
        what: String,
        /// Length in bytes that the descriptor states.
        expected: u64,
        /// Length in bytes that came, or that the place states. At most one byte more than
        /// expected was read.
        found: u64,
    },
    /// A manifest, a list of referrers or a token is longer than edgec reads.
    #[error("{what} is longer than {limit} bytes, which is the limit")]
    TooLong {
        /// What is too long, and its place.
        what: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// More manifests refer to one than edgec looks at. Each would be a request.
    #[error(
        "{place} lists more manifests that refer to sha256:{subject} than edgec reads (at most {most})"
    )]
    TooManyReferrers {
        /// The repository.
        place: String,
        /// The digest of the manifest that they refer to, in lowercase hexadecimal.
        subject: String,
        /// The limit.
        most: usize,
    },
    /// An answer breaks the protocol.
    #[error("the answer of {place} makes no sense: {what}")]
    Answer {
        /// The repository.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// The token service redirects the request for a token. edgec does not follow it: the request
    /// may have a password.
    #[error(
        "the token service {host} redirects (HTTP {status}), and edgec follows no redirect with a \
         request for a token"
    )]
    TokenMoved {
        /// The host of the token service, with its port if it is not the usual one.
        host: String,
        /// The status of the answer.
        status: u16,
    },
    /// An answer names an address without TLS, which would get credentials or content unprotected.
    #[error("{host} points at `{address}`, which has no TLS")]
    Insecure {
        /// The host that answered.
        host: String,
        /// The address, without its query, which may have a secret.
        address: String,
    },
    /// A descriptor names other places for its content. edgec takes content only from the
    /// repository that it was told.
    #[error("{digest} names another place for its content: `{url}`")]
    OtherPlace {
        /// The digest in the descriptor.
        digest: String,
        /// The first of the places.
        url: String,
    },
    /// A descriptor is not valid.
    #[error("the descriptor `{digest}` is invalid: {what}")]
    Descriptor {
        /// The digest in the descriptor, cut.
        digest: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The credentials for a registry cannot be read.
    #[error("cannot get credentials from {from}: {reason}")]
    Credentials {
        /// The file or the helper.
        from: String,
        /// What failed. It has no secrets.
        reason: String,
    },
    /// A certificate authority that the caller gave is not a certificate.
    #[error("the certificate authority is invalid: {reason}")]
    Ca {
        /// What is wrong with it.
        reason: String,
    },
    /// This host cannot make a client, for example because it has no more threads.
    #[error("cannot make an HTTP client: {reason}")]
    Client {
        /// What failed.
        reason: String,
    },
    /// The folder is not an OCI layout of a version that edgec knows, or is damaged.
    #[error("`{}` is not a valid OCI layout: {what}", path.display())]
    Layout {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("`{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The caller's writer did not take what was fetched.
    #[error("cannot write what was fetched")]
    Sink(#[source] io::Error),
}

impl RegistryError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "registry-absent",
            Self::Denied { .. } => "registry-denied",
            Self::Refused { .. } => "registry-refused",
            Self::Unavailable { .. } => "registry-unavailable",
            Self::Unreachable { .. } | Self::Silent { .. } => "registry-unreachable",
            Self::Tls { .. } => "registry-tls",
            Self::CutShort { .. } => "registry-cut-short",
            Self::Digest { .. } => "registry-digest",
            Self::Size { .. } => "registry-size",
            Self::TooLong { .. } => "registry-too-long",
            Self::TooManyReferrers { .. } => "registry-too-many",
            Self::Answer { .. } | Self::TokenMoved { .. } => "registry-answer",
            Self::Insecure { .. } => "registry-insecure",
            Self::OtherPlace { .. } => "registry-other-place",
            Self::Descriptor { .. } => "registry-descriptor",
            Self::Credentials { .. } => "registry-credentials",
            Self::Ca { .. } => "registry-ca",
            Self::Client { .. } => "registry-client",
            Self::Layout { .. } => "registry-layout",
            Self::Io { .. } | Self::Sink(_) => "io",
        }
    }

    /// Whether the place does not have what was asked for.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }

    /// Whether the same request may succeed later, although nothing is changed here: the registry
    /// or the way to it is at fault. All attempts that the options allow have been made.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::CutShort { .. }
        )
    }
}

fn with(had_credentials: bool) -> &'static str {
    match had_credentials {
        true => "with the credentials for it",
        false => "without credentials",
    }
}

fn said(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(": {message}"),
    }
}

/// What an error says of a peer that said nothing for so long.
pub(crate) fn silence(idle: Duration) -> String {
    format!("nothing moved for {} seconds", idle.as_secs_f32())
}

fn later(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |it| {
        format!("; it says to wait {} seconds", it.as_secs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_is_known() {
        let denied = |had_credentials, message: &str| {
            let denied = RegistryError::Denied {
                place: "r.example/shop".to_owned(),
                status: 401,
                had_credentials,
                message: message.to_owned(),
            };
            denied.to_string()
        };
        assert_eq!(
            denied(false, ""),
            "r.example/shop denied access (HTTP 401, without credentials)"
        );
        assert_eq!(
            denied(true, "log in"),
            "r.example/shop denied access (HTTP 401, with the credentials for it): log in"
        );
    }

    /// A test cannot take the threads or memory that a client needs.
    #[test]
    fn a_client_that_cannot_be_made_is_named() {
        let error = RegistryError::Client {
            reason: "no threads".to_owned(),
        };
        assert_eq!(error.code(), "registry-client");
        assert!(error.to_string().ends_with("no threads"));
    }
}
