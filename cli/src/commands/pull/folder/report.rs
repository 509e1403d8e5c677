//! What a pull to a folder reports.

use std::path::PathBuf;

use edgec_registry::Offer;
use serde::Serialize;

use super::{File, Files};
use crate::render::{self, safe, size};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    reference: String,
    /// The digest of the index.
    digest: String,
    /// Whether a key or a policy was named, and accepts every artifact.
    verified: bool,
    artifacts: Vec<Artifact>,
    /// What travels with the artifacts.
    files: Vec<Listed>,
    requests: u64,
    bytes_fetched: u64,
    #[serde(skip)]
    fetched: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Artifact {
    pub(super) artifact: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    pub(super) version: u64,
    pub(super) target: String,
    pub(super) profile: String,
    pub(super) image: String,
    pub(super) bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Listed {
    file: String,
    /// Whether the key or the policy covers it. Absent if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
}

impl Listed {
    fn of((path, file): (&PathBuf, &File), is_verifying: bool) -> Self {
        Self {
            file: render::path(path),
            verified: is_verifying.then_some(file.verified),
        }
    }

    /// Whether it was verified, for people.
    fn standing(&self) -> &'static str {
        match self.verified {
            Some(true) => " (verified)",
            Some(false) => " (not verified)",
            None => "",
        }
    }
}

impl Report {
    pub(super) fn new(offer: &Offer, files: &Files<'_>, verified: bool) -> Self {
        let traffic = offer.traffic();
        let (artifacts, beside) = (files.artifacts.iter(), files.beside.iter());
        Self {
            reference: safe(&offer.reference().to_string()),
            digest: format!("sha256:{}", offer.digest()),
            verified,
            artifacts: artifacts.map(|(_, it, _)| it.clone()).collect(),
            files: beside.map(|it| Listed::of(it, verified)).collect(),
            requests: traffic.requests,
            bytes_fetched: traffic.fetched,
            fetched: super::super::fetched(traffic),
        }
    }

    pub(super) fn text(&self) -> String {
        let verified = match self.verified {
            true => "verified",
            false => "not verified",
        };
        let mut text = String::new();
        for it in &self.artifacts {
            text.push_str(&format!(
                "{}: {} version {} for {} ({}), {}; {verified}\n",
                it.artifact,
                it.name,
                it.version,
                it.target,
                it.profile,
                size(it.bytes)
            ));
        }
        for file in &self.files {
            text.push_str(&format!("{}{}\n", file.file, file.standing()));
        }
        text.push_str(&format!("  {}\n", self.fetched));
        if !self.verified {
            text.push_str("  no key or policy named: signatures were not verified\n");
        }
        text
    }
}
