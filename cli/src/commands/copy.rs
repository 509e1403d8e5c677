//! `edgec copy`: copies what a reference names to another place, with the same digests.

use std::process::ExitCode;

use edgec_registry::Copied;
use serde::Serialize;

use crate::failures::registry::copy_failure;
use crate::progress::Progress;
use crate::registry::{RegistryArguments, reference};
use crate::render::{Format, count, safe, size};
use crate::{Outcome, document};

/// Copy what a reference names to another registry or folder (docs/registries.md)
///
/// Copies the index, everything that it lists, and what refers to it. Nothing is rewritten, so all
/// digests stay the same, and the tag moves last. A registry takes over what another of its
/// repositories has. Nothing is verified except digests. Exit codes: 0 done; 1 an answer of a
/// registry is wrong; 2 usage; 3 a registry cannot be reached, or a folder cannot be written.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is copied: REGISTRY/REPOSITORY:TAG, or oci-layout:DIR:TAG
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to
    #[arg(value_name = "TO")]
    to: String,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    from: String,
    to: String,
    /// The digest of what the tag names.
    digest: String,
    manifests: usize,
    /// How many of the manifests refer to others, such as signatures for other tools.
    referrers: usize,
    blobs_there: usize,
    blobs_mounted: usize,
    blobs_sent: usize,
    requests: u64,
    bytes_fetched: u64,
    bytes_sent: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let (from, to) = (reference(&arguments.from)?, reference(&arguments.to)?);
    let session = arguments.registry.session()?;
    let progress = Progress::new(arguments.quiet);
    let steps = progress.begin(&from.to_string(), 0);
    let copied = session.copy(&from, &to, &steps);
    drop(steps);
    let copied = copied.map_err(|error| copy_failure(&error).or_about(&from))?;
    let report = Report::new(safe(&from.to_string()), safe(&to.to_string()), &copied);
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn new(from: String, to: String, copied: &Copied) -> Self {
        Self {
            from,
            to,
            digest: format!("sha256:{}", copied.digest),
            manifests: copied.manifests,
            referrers: copied.referrers,
            blobs_there: copied.existed,
            blobs_mounted: copied.mounted,
            blobs_sent: copied.uploaded,
            requests: copied.from.requests.saturating_add(copied.to.requests),
            bytes_fetched: copied.from.fetched,
            bytes_sent: copied.to.sent,
        }
    }

    fn text(&self) -> String {
        let requests = usize::try_from(self.requests).unwrap_or(usize::MAX);
        format!(
            "{}: copied to {}\n  {}\n  {}, {} of them about others; {}: {} sent, {} mounted, {} \
             there before\n  fetched {} and sent {} in {}\n",
            self.from,
            self.to,
            self.digest,
            count(self.manifests, "manifest"),
            self.referrers,
            count(
                self.blobs_sent + self.blobs_mounted + self.blobs_there,
                "blob"
            ),
            self.blobs_sent,
            self.blobs_mounted,
            self.blobs_there,
            size(self.bytes_fetched),
            size(self.bytes_sent),
            count(requests, "request"),
        )
    }
}
