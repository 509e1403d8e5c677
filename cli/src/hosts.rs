//! The hosts that the command line names: profiles in files, fleets, this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use edgec_targets::Cover;
use edgec_verifier::{Fleet, FleetHost, HostProfile};

use crate::failure::Failure;
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files;
use crate::render::cell;

/// The name of this machine, if it has no other name.
const HERE: &str = "this machine";

/// A host with a name.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) profile: HostProfile,
    /// Whether the host is the machine that this program runs on. Its name then comes from edgec.
    is_here: bool,
}

impl Host {
    /// The machine that this program runs on.
    pub(crate) fn here() -> Self {
        Self {
            name: HERE.to_owned(),
            profile: HostProfile::here(),
            is_here: true,
        }
    }

    /// Reads a profile. If it has no name, it gets its file's name.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_text(path)
            .map_err(|failure| explain_file(failure, path, Wanted::HostProfile))?;
        let profile = HostProfile::from_toml(&text);
        let profile = profile.map_err(|error| {
            let failure = Failure::rejected("host-profile", &error).quoting();
            let failure = failure
                .in_file(path)
                .hint("docs/targets.md describes the fields; `edgec host --save FILE` writes one");
            explain(failure, text.as_bytes(), Wanted::HostProfile)
        })?;
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: profile
                .name()
                .map_or_else(|| stem().into_owned(), str::to_owned),
            profile,
            is_here: false,
        })
    }

    /// The host's name, as a cell of a table. It is quoted if it could be mistaken for other text.
    pub(crate) fn cell(&self) -> String {
        match self.is_here {
            true => self.name.clone(),
            false => cell(&self.name),
        }
    }
}

/// A fleet, with its profiles.
pub(crate) struct Hosts {
    pub(crate) mode: Option<Cover>,
    pub(crate) hosts: Vec<Host>,
    /// Every file that was read.
    pub(crate) files: Vec<PathBuf>,
}

/// Reads a fleet, and the profiles that it names, relative to the fleet's file.
pub(crate) fn read_fleet(path: &Path) -> Result<Hosts, Failure> {
    let text = files::read_text(path)?;
    let fleet = Fleet::from_toml(&text).map_err(|error| {
        let failure = Failure::rejected("fleet", &error).quoting();
        failure.in_file(path).hint(match HostProfile::from_toml(&text) {
            Ok(_) => "it describes one host: name it in a fleet, `[[host]]` and `file = …` (docs/targets.md)",
            Err(_) => "docs/targets.md describes the fields",
        })
    })?;
    let mut files = vec![path.to_owned()];
    let hosts = fleet.hosts.into_iter().map(|host| match host {
        FleetHost::Here(profile) => Ok(Host {
            name: profile.name().unwrap_or_default().to_owned(),
            profile: *profile,
            is_here: false,
        }),
        FleetHost::File(name) => {
            let file = path.parent().unwrap_or(Path::new("")).join(name);
            files.push(file.clone());
            Host::read(&file)
        }
    });
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    refuse_same_names(&hosts)?;
    Ok(Hosts {
        mode: fleet.mode,
        hosts,
        files,
    })
}

/// Refuses hosts with the same name: an answer names the host that it is about.
pub(crate) fn refuse_same_names(hosts: &[Host]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    match hosts.iter().find(|host| !seen.insert(&host.name)) {
        None => Ok(()),
        Some(host) => {
            let message = "two hosts have this name";
            Err(Failure::usage("same-host", message)
                .about(&host.name)
                .hint("`name` in a host's profile sets its name"))
        }
    }
}
