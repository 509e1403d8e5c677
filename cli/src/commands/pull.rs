//! `edgec pull`: fetches artifacts from a registry, into a folder or into a host's store.

mod admit;
mod folder;
mod select;

use std::path::PathBuf;

use edgec_registry::{AdmitOptions, Offer, Reference, Session, Traffic};
use edgec_targets::EngineProfile;

use crate::Outcome;
use crate::failure::Failure;
use crate::failures::registry::pull_failure;
use crate::number::number;
use crate::progress::Progress;
use crate::registry::{RegistryArguments, reference};
use crate::render::{Format, count, size};
use crate::trust::TrustArguments;

/// Pull artifacts from an OCI registry (docs/registries.md)
///
/// With --store, a host takes the artifact that fits it best: edgec verifies release, timestamp and
/// signatures before it fetches the image, and the store verifies the whole artifact. Nothing is
/// fetched that the store has or the policy does not read. Without --store, edgec writes the
/// artifacts and what travels with them to a folder; nothing is verified, unless a key or a policy
/// is named. Exit codes: 0 done; 1 refused, or an answer of the registry is wrong; 2 usage; 3 the
/// registry cannot be reached, or a file cannot be written.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is pulled: REGISTRY/REPOSITORY:TAG, or oci-layout:DIR:TAG
    #[arg(value_name = "REF")]
    reference: String,
    /// The store that admits the artifact; it is made if there is none
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    store: Option<PathBuf>,
    /// The folder for the artifacts and what travels with them [default: the current folder]
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["store"], help_heading = "Output")]
    output: Option<PathBuf>,
    /// Also write the portable program to this file
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "store",
        help_heading = "Output"
    )]
    component: Option<PathBuf>,
    /// The host for which an artifact is chosen (`edgec host --save`) [default: this machine]
    #[arg(long, value_name = "FILE", help_heading = "Choice")]
    host: Option<PathBuf>,
    /// Only artifacts of this engine profile [default: every profile that there is]
    #[arg(long, value_name = "default|edge", help_heading = "Choice")]
    profile: Option<EngineProfile>,
    /// The artifact for this target instead of the best for a host; repeatable
    #[arg(short, long = "target", value_name = "TARGET", conflicts_with_all = ["store", "host"], help_heading = "Choice")]
    targets: Vec<String>,
    /// The artifacts for all targets
    #[arg(long, conflicts_with_all = ["store", "host", "targets"], help_heading = "Choice")]
    all_targets: bool,
    /// Fetch whole images, also if the store has similar ones
    #[arg(
        long,
        requires = "store",
        conflicts_with = "output",
        help_heading = "Differences"
    )]
    no_differences: bool,
    /// How much memory the use of a difference may take [default: 256]
    #[arg(long, value_name = "MIB", requires = "store", conflicts_with = "output", value_parser = number(1..=1 << 20, MEMORY), help_heading = "Differences")]
    difference_memory: Option<u64>,
    #[command(flatten, next_help_heading = "Trust")]
    trust: TrustArguments,
    #[command(flatten, next_help_heading = "Registry")]
    registry: RegistryArguments,
    /// Print no progress
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
}

/// What `--difference-memory` takes.
const MEMORY: &str = "write the memory in MiB";

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let reference = reference(&arguments.reference)?;
    match &arguments.store {
        Some(store) => admit::run(arguments, &reference, store),
        None => folder::run(arguments, &reference),
    }
}

/// Opens what is pulled.
fn open(session: &Session, reference: &Reference) -> Result<Offer, Failure> {
    let offer = session.open(reference);
    offer.map_err(|error| pull_failure(&error).or_about(reference))
}

impl Arguments {
    /// How images are fetched.
    fn ways(&self) -> AdmitOptions {
        let mut options = AdmitOptions::default();
        options.differences = !self.no_differences;
        if let Some(mib) = self.difference_memory {
            options.difference_memory = mib << 20;
        }
        options
    }

    fn progress(&self) -> Progress {
        Progress::new(self.quiet)
    }
}

/// What was fetched, for people.
fn fetched(traffic: Traffic) -> String {
    let requests = usize::try_from(traffic.requests).unwrap_or(usize::MAX);
    format!(
        "fetched {} in {}",
        size(traffic.fetched),
        count(requests, "request")
    )
}
