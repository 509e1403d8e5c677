//! `edgec pull --store`: admits the artifacts of a reference to a host's store.

use std::path::Path;
use std::process::ExitCode;

use edgec_loader::store::{ArtifactStore, NewStore};
use edgec_registry::{Admitted, Fetched, Offer, Reference, Traffic, Way};
use serde::Serialize;

use super::Arguments;
use crate::Outcome;
use crate::commands::store::add;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::failures::loader::store_failure;
use crate::failures::registry::pull_failure;
use crate::render::{Format, out, safe, size};
use crate::trust::Trust;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    /// The digest of the index.
    digest: String,
    artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<Release>,
    requests: u64,
    bytes_fetched: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    #[serde(flatten)]
    admission: add::Report,
    /// `kept`, `difference` or `whole`.
    way: &'static str,
    /// The image that the difference is against.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    bytes_fetched: u64,
    image_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    serial: u64,
    version: u64,
    /// What hosts of the current version need, and the store lacks.
    missing: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, reference: &Reference, at: &Path) -> Outcome {
    let trust = arguments.trust.resolve()?;
    let host = arguments.host()?;
    let session = arguments.registry.session()?;
    let offer = super::open(&session, reference)?;
    let (store, new) = opened(at)?;
    let progress = arguments.progress();
    let steps = progress.begin(&reference.to_string(), 0);
    let (policy, expected) = (&trust.policy, &trust.expected);
    let mut report = Report {
        reference: safe(&reference.to_string()),
        digest: format!("sha256:{}", offer.digest()),
        artifacts: Vec::new(),
        release: None,
        requests: 0,
        bytes_fetched: 0,
    };
    let options = arguments.ways();
    let mut new = new;
    for profile in arguments.profiles(&offer, &host) {
        let admitted = offer.admit(&store, policy, expected, &host, profile, &options, &steps);
        let admitted = admitted.map_err(|error| pull_failure(&error).or_about(reference))?;
        if let Some(new) = new.take() {
            new.keep();
        }
        report.include(admitted, &trust);
    }
    drop(steps);
    report.finish(&offer);
    match arguments.format {
        Format::Text => report.print(offer.traffic()),
        _ => document::print(true, &report),
    }
    Ok(ExitCode::SUCCESS)
}

/// The store, and what was made if it is new.
fn opened(at: &Path) -> Result<(ArtifactStore, Option<NewStore>), Failure> {
    match ArtifactStore::open(at) {
        Ok(store) => Ok((store, None)),
        Err(error) if add::is_no_store_yet(&error) => {
            ArtifactStore::create_new(at).map_err(|error| add::not_made(&error))
        }
        Err(error) => Err(store_failure(&error)),
    }
}

impl Report {
    fn include(&mut self, admitted: Admitted, trust: &Trust) {
        let both = admitted.admissions.into_iter().zip(admitted.fetched);
        self.artifacts.extend(both.map(|(admission, fetched)| {
            for why in &fetched.failed {
                let message = format!("a difference was not used: {}", safe(why));
                Failure::new(Exit::Rejected, "difference", message)
                    .or_about(&fetched.what)
                    .hint("edgec went on with another difference, or fetched the whole image")
                    .print_warning();
            }
            let artifact = self.reference.clone();
            Artifact::new(add::Report::of(artifact, admission, trust), &fetched)
        }));
        self.release = admitted.release.map(|newest| {
            let release = &newest.release.release;
            Release {
                serial: release.serial,
                version: release.version,
                missing: newest.missing.iter().map(|it| safe(it)).collect(),
            }
        });
    }

    fn finish(&mut self, offer: &Offer) {
        let traffic = offer.traffic();
        self.requests = traffic.requests;
        self.bytes_fetched = traffic.fetched;
    }

    fn print(&self, traffic: Traffic) {
        for artifact in &self.artifacts {
            add::print_report(&artifact.admission);
            out!("  {}\n", artifact.came());
        }
        if let Some(release) = &self.release {
            out!(
                "  release {}, version {}\n",
                release.serial,
                release.version
            );
        }
        out!("  {}\n", super::fetched(traffic));
    }
}

impl Artifact {
    fn new(admission: add::Report, fetched: &Fetched) -> Self {
        let (way, base) = match fetched.way {
            Way::Kept => ("kept", None),
            Way::Difference { base } => ("difference", Some(base.to_string())),
            _ => ("whole", None),
        };
        Self {
            admission,
            way,
            base,
            bytes_fetched: fetched.bytes,
            image_bytes: fetched.length,
        }
    }

    /// How the image came, for people.
    fn came(&self) -> String {
        let (bytes, image) = (size(self.bytes_fetched), size(self.image_bytes));
        match (self.way, &self.base) {
            ("kept", _) => format!("image of {image}: the store had it"),
            (_, Some(base)) => {
                format!("image of {image}: {bytes} fetched, as a difference against {base}")
            }
            _ => format!("image of {image}: {bytes} fetched"),
        }
    }
}
