//! `edgec host`: the profile of this machine, with which artifacts are compared.

use std::path::PathBuf;
use std::process::ExitCode;

use edgec_loader::EngineProfile;
use edgec_verifier::HostProfile;

use crate::Outcome;
use crate::failure::{Exit, Failure};
use crate::file_kind::Wanted;
use crate::files;
use crate::render::out;
use crate::workers;

/// Describe this machine in a host profile, for `edgec check`, `verify --host` and `build --fleet`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the profile to this file, not to standard output
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// What the host is called [default: the profile's file name without its ending]
    #[arg(long)]
    name: Option<String>,
    /// An engine profile that the host runs, or several with commas [default: all]
    #[arg(long = "profile", value_name = "default|edge", value_delimiter = ',')]
    profiles: Vec<EngineProfile>,
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
    let text = host
        .to_toml()
        .map_err(|error| Failure::new(Exit::Environment, "host-profile", error.to_string()))?;
    match &arguments.save {
        Some(path) => {
            if path.as_os_str() == files::STDIN {
                let failure = Failure::usage("output", "standard output is not written to");
                return Err(failure.about("--save -").hint("leave --save out"));
            }
            files::refuse_other(path, Wanted::HostProfile)?;
            files::write(path, text.as_bytes(), Wanted::HostProfile)?;
        }
        // A comment, so that what is printed is a profile.
        None => out!("{text}\n# {}\n", workers::confinement()),
    }
    Ok(ExitCode::SUCCESS)
}
