//! `edgec host`: writes the profile of this machine, which artifacts are compared with.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_loader::EngineProfile;
use edgec_verifier::{HostProfile, HostProfileError};
use serde::Serialize;

use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::file_kind::Wanted;
use crate::files;
use crate::render::{Format, out};
use crate::workers::{self, ConfinementReport};

/// Describe this machine in a host profile, for `edgec check`, `verify --host` and `build --fleet`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the profile to this file, not to standard output
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The host's name [default: the profile's file name without its ending]
    #[arg(long)]
    name: Option<String>,
    /// An engine profile that the host accepts, or several with commas [default: all]
    #[arg(long = "profile", value_name = "default|edge", value_delimiter = ',')]
    profiles: Vec<EngineProfile>,
    /// The format of the profile and of the list of what confines edgec's processes here
    #[arg(long, value_enum, default_value = "text", conflicts_with = "save")]
    format: Format,
}

/// The JSON document about this machine.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    /// The same fields as in the file of a host profile.
    profile: serde_json::Value,
    confinement: ConfinementReport,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let mut host = HostProfile::here();
    if let Some(name) = &arguments.name {
        edgec_artifact::check_name(name)
            .map_err(|error| Failure::usage("name", error.to_string()).about(name))?;
        host = host.named(name);
    }
    if !arguments.profiles.is_empty() {
        host = host.with_profiles(arguments.profiles.iter().map(|profile| profile.name()));
    }
    let unfit = |error: HostProfileError| {
        Failure::new(Exit::Environment, "host-profile", error.to_string())
    };
    if arguments.format == Format::Json {
        let content = Document {
            profile: host.to_json().map_err(unfit)?,
            confinement: workers::confinement(),
        };
        document::print(true, &content);
        return Ok(ExitCode::SUCCESS);
    }
    let text = host.to_toml().map_err(unfit)?;
    match &arguments.save {
        Some(path) => {
            if path.as_os_str() == files::STDIN {
                let failure = Failure::usage("output", "standard output is not written to");
                return Err(failure.about("--save -").hint("leave --save out"));
            }
            files::refuse_other(path, Wanted::HostProfile)?;
            files::write(path, text.as_bytes(), Wanted::HostProfile)?;
        }
        // The confinement is a comment, so that the output is a valid profile.
        None => out!("{text}\n# {}\n", workers::confinement()),
    }
    Ok(ExitCode::SUCCESS)
}
