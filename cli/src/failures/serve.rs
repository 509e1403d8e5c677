//! Failures of `serve`: its configuration, and a host that cannot start.

use std::net::SocketAddr;
use std::path::Path;

use edgec_host::{ConfigError, ConfigFileError, HostError};
use edgec_loader::store::PolicySourceError;
use edgec_verifier::GuardError;

use super::loader::{file_failure, load_failure, store_failure};
use super::verifier::{guard_failure, policy_failure, state_failure};
use crate::failure::{Exit, Failure, chain};
use crate::file_kind::Wanted;
use crate::files::{cannot, remedy};
use crate::place::Place;

/// Where the configuration is described.
const DESCRIBED: &str = "docs/serve.md describes the file";

/// Why a configuration cannot be used.
pub(crate) fn config_failure(error: &ConfigError, file: &Path) -> Failure {
    // The line is not shown: it may hold the password of a server.
    let failure = Failure::rejected("serve-config", error).quoting();
    let failure = failure.in_file(file).hint(DESCRIBED);
    match error.place() {
        Some(place) => failure.at(Place::in_text(place.line, place.column)),
        None => failure,
    }
}

/// Why a file with a configuration cannot be used.
pub(crate) fn config_file_failure(error: &ConfigFileError) -> Failure {
    match error {
        ConfigFileError::Guard { path, source } => match source {
            GuardError::TooLong => Failure::rejected("serve-config", source)
                .in_file(path)
                .hint(DESCRIBED),
            source => guard_failure(source, path, Wanted::Policy),
        },
        ConfigFileError::Config { path, source } => config_failure(source, path),
        error => Failure::rejected("not-text", error),
    }
}

/// Why a host cannot start.
pub(crate) fn host_failure(error: &HostError) -> Failure {
    match error {
        HostError::Store(error) => store_failure(error),
        HostError::Load {
            application,
            source,
        } => load_failure(source).or_about(application),
        HostError::File { path, source, .. } => file_failure(source, path),
        HostError::NotEdge { .. } => Failure::rejected(error.code(), error)
            .hint("build it with `edgec build --profile edge`"),
        HostError::NoFit { .. } => Failure::rejected(error.code(), error).hint(format!(
            "build it for this one: `edgec build --profile edge --target {}`",
            std::env::consts::ARCH
        )),
        HostError::Engine { .. } | HostError::AddressSpace { .. } => {
            Failure::new(Exit::Environment, error.code(), chain(error))
                .hint("a pool reserves address space: lower `limits.instances`")
        }
        HostError::Listen { address, source } => {
            let failure = Failure::new(Exit::Environment, error.code(), chain(error));
            match source.kind() {
                std::io::ErrorKind::AddrInUse => {
                    failure.hint("another process listens there: name another address")
                }
                std::io::ErrorKind::PermissionDenied if has_low_port(address) => failure.hint(
                    "ports below 1024 need a right: name a port from 1024 on, give edgec \
                     CAP_NET_BIND_SERVICE, or let systemd pass the socket (`listen.systemd`)",
                ),
                kind => match remedy(kind) {
                    Some(remedy) => failure.hint(remedy),
                    None => failure,
                },
            }
        }
        HostError::NoListener => Failure::usage(error.code(), chain(error))
            .hint("name an address with --addr, or in `[listen]`"),
        HostError::NoPolicy => Failure::usage(error.code(), chain(error))
            .hint("name a public key with --key, or a trust policy with --trust or in `[policy]`"),
        HostError::TlsFile { role, path, source } => cannot("read", path, source).hint(format!(
            "this is the {role} that --tls-cert and --tls-key, or `listen.tls`, name"
        )),
        HostError::Tls { .. } => Failure::rejected(error.code(), error).hint(
            "--tls-cert and --tls-key, or `listen.tls`, name a certificate and its private key, \
             both in PEM",
        ),
        HostError::Policy {
            path,
            state,
            source,
        } => match &**source {
            PolicySourceError::File(error) => policy_failure(error, path),
            PolicySourceError::State(error) => {
                let state = state.as_deref().unwrap_or(path);
                state_failure(error, state).in_file(path)
            }
            PolicySourceError::Clock(error) => Failure::environment(source.code(), error),
            other => Failure::rejected(other.code(), other).in_file(path),
        },
        HostError::Root { path, source } => match source.downcast_ref() {
            Some(guard) => guard_failure(guard, path, Wanted::PublicKey),
            None => Failure::rejected(error.code(), source.as_ref()).in_file(path),
        },
        HostError::System { .. } => Failure::environment(error.code(), error),
        _ => Failure::rejected(error.code(), error),
    }
}

/// Whether an address has a port that only some users may use.
fn has_low_port(address: &str) -> bool {
    let address = address.parse::<SocketAddr>();
    address.is_ok_and(|address| (1..1024).contains(&address.port()))
}
