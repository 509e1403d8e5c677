//! What `edgec sync` is made of, from its file and its command line.

use std::path::Path;
use std::time::Duration;

use edgec_loader::store::{ArtifactStore, PolicySource};
use edgec_registry::{AdmitOptions, ConnectOptions, Retries, Timeouts};
use edgec_sync::config::is_host_name;
use edgec_sync::{FleetConfig, Policies, RegistrySource, Trouble};
use edgec_verifier::{HostProfile, error_chain, read_guarded};

use crate::failure::Failure;
use crate::failures::sync::config_failure;
use crate::failures::verifier::guard_failure;
use crate::file_kind::Wanted;
use crate::files;
use crate::trust::followed;

/// A look that fails is repeated anyway, and another place may answer: so a dead registry must not
/// take long.
const ATTEMPTS: u32 = 3;
/// The longest times before the first and before any repetition of a request.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// The longest times for a connection, and for the next part of a transfer.
const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// Where Linux keeps the name of the machine.
const MACHINE: &str = "/proc/sys/kernel/hostname";

/// What stands before each line of the hint in [`Failure::finding`].
const HINT: &str = "\nhint: ";

/// Reads a `FLEET.toml`.
pub(super) fn read_config(path: &Path) -> Result<FleetConfig, Failure> {
    config_in(path, read_bytes(path)?)
}

/// Reads the bytes of a `FLEET.toml`. It decides what a host runs and which programs it starts, so
/// no other user may be able to write it.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read_guarded(path);
    bytes.map_err(|error| guard_failure(&error, path, Wanted::Policy))
}

/// What these bytes of a `FLEET.toml` say.
pub(super) fn config_in(path: &Path, bytes: Vec<u8>) -> Result<FleetConfig, Failure> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = format!("it is not text (UTF-8), from byte {at}");
        Failure::new(crate::failure::Exit::Rejected, "not-text", text).in_file(path)
    })?;
    let config = FleetConfig::from_toml(&text);
    let mut config = config.map_err(|error| config_failure(&error, path))?;
    config.in_folder(path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

/// The name of this host in the fleet.
pub(super) fn name(named: Option<&str>, config: &FleetConfig) -> Result<String, Failure> {
    let name = match named.or(config.name.as_deref()) {
        Some(name) => name.to_owned(),
        None => std::fs::read_to_string(MACHINE).unwrap_or_default(),
    };
    let name = name.trim();
    match is_host_name(name) {
        true => Ok(name.to_owned()),
        false => {
            let text = format!("`{name}` is not the name of a host");
            let hint = "write --name NAME, with letters, digits, `-`, `.` and `_`: the position \
                        of a host in its fleet follows from its name";
            Err(Failure::usage("usage", text).hint(hint))
        }
    }
}

/// Where the policy comes from: the command line, or the file.
pub(super) fn policies(
    config: &FleetConfig,
    given: Option<&PolicySource>,
) -> Result<Box<Policies>, Failure> {
    let source = match (given, &config.policy) {
        (Some(given), _) => given.clone(),
        (None, Some(policy)) => followed(&policy.file, &policy.roots, policy.state.clone())?,
        (None, None) => {
            let text = "nothing says whose signatures count";
            let hint = "write `[policy]` in the file, or name a trust policy with --trust or a \
                        public key with --key (docs/sync.md)";
            return Err(Failure::usage("no-trust", text).hint(hint));
        }
    };
    Ok(Box::new(move || {
        source.policy().map_err(|error| {
            let text = format!("the trust policy cannot be used: {}", error_chain(&error));
            Trouble::environment(error.code(), text)
        })
    }))
}

/// Where releases come from.
pub(super) fn source(
    config: &FleetConfig,
    store: &ArtifactStore,
    host: HostProfile,
) -> Result<RegistrySource, Failure> {
    let registry = &config.registry;
    let mut options = ConnectOptions::default()
        .plain_http(registry.plain_http)
        .retries(Retries::new(ATTEMPTS, PAUSES.0, PAUSES.1))
        .timeouts(Timeouts::new(TIMEOUTS.0, TIMEOUTS.1));
    for path in &registry.ca {
        options = options.ca(files::read_short(path)?);
    }
    let mut admit = AdmitOptions::default();
    if let Some(differences) = registry.differences {
        admit.differences = differences;
    }
    Ok(RegistrySource::new(options, store.clone(), host).with_options(admit))
}

/// A failure in one line of a log: what is wrong with what, where, what to do, and the code.
pub(super) fn text(failure: &Failure) -> String {
    let finding = failure.finding();
    let (what, hints) = match finding.message.split_once(HINT) {
        Some((what, hints)) => (what, format!("; {}", hints.replace(HINT, " "))),
        None => (&*finding.message, String::new()),
    };
    // Further lines show the text around the place.
    let what = what.lines().next().unwrap_or_default();
    let is_placed = what.contains(", column ");
    let place = finding.place.line_text().filter(|_| !is_placed);
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    format!("{what}{place}{hints} [{}]", failure.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;
    use crate::place::Place;

    #[test]
    fn a_failure_is_one_line_with_its_place_and_its_hint() {
        let failure = Failure::new(Exit::Rejected, "sync-config", "unclosed array");
        let failure = failure.in_file(Path::new("pop.toml"));
        let failure = failure.at(Place::in_text(4, 12)).hint("write\n`]`");
        assert_eq!(
            text(&failure),
            "pop.toml: unclosed array (line 4:12); write `]` [sync-config]"
        );
        let failure = Failure::usage("usage", "line 2, column 1: unknown name\n  |\n2 | x");
        assert_eq!(text(&failure), "line 2, column 1: unknown name [usage]");
    }
}
