//! `edgec pull` without a store: writes artifacts and what travels with them, all or none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Manifest, check_name};
use edgec_registry::{AttachedKind, NativeEntry, Offer, Reference, Statements, Taken};
use edgec_verifier::verify;
use serde::Serialize;

use super::Arguments;
use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::failures::registry::pull_failure;
use crate::failures::verifier::verify_failure;
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders, Staged};
use crate::render::{self, safe, size};
use crate::signals;
use crate::time;
use crate::trust::Trust;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    /// The digest of the index.
    digest: String,
    /// Whether a key or a policy was named, and accepts every artifact.
    verified: bool,
    artifacts: Vec<Artifact>,
    /// What travels with the artifacts.
    files: Vec<String>,
    requests: u64,
    bytes_fetched: u64,
    #[serde(skip)]
    fetched: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    artifact: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    version: u64,
    target: String,
    profile: String,
    image: String,
    bytes: u64,
}

/// The files that will be written.
#[derive(Default)]
struct Files {
    artifacts: Vec<(PathBuf, Artifact, Vec<u8>)>,
    beside: BTreeMap<PathBuf, (Wanted, Vec<u8>)>,
}

pub(super) fn run(arguments: &Arguments, reference: &Reference) -> Outcome {
    let trust = match arguments.trust.are_given() {
        true => Some(arguments.trust.resolve_with(&arguments.statements)?),
        false => None,
    };
    let folder = arguments.output.as_deref().unwrap_or(Path::new("."));
    files::refuse_dash(folder)?;
    let session = arguments.registry.session()?;
    let offer = super::open(&session, reference)?;
    let selected = arguments.selected(&offer)?;
    let failed = |error| pull_failure(&error).or_about(reference);
    let progress = arguments.progress();
    let steps = progress.begin(&reference.to_string(), 0);
    let statements = offer.release().map_err(failed)?;
    let mut files = Files::default();
    for entry in &selected {
        let taken = offer.take(entry, &steps).map_err(failed)?;
        if let Some(trust) = &trust {
            accepted(&taken, statements.as_ref(), trust)
                .map_err(|failure| failure.or_about(entry.fits()))?;
        }
        let of_target = selected.iter().filter(|it| it.target == entry.target);
        files.add(folder, entry, taken, of_target.count() == 1)?;
    }
    files.add_release(folder, statements)?;
    if let Some(path) = &arguments.component {
        let component = offer.fetch_component(&steps).map_err(failed)?;
        let component = component.ok_or_else(|| no_component(reference))?;
        files.put(path.clone(), Wanted::Program, component)?;
    }
    drop(steps);
    let report = Report::new(&offer, &files, trust.is_some());
    signals::uninterrupted(|| files.write(folder))?;
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

/// Verifies an artifact with everything that came with it.
fn accepted(taken: &Taken, statements: Option<&Statements>, trust: &Trust) -> Result<(), Failure> {
    let mut expected = trust.expected.clone();
    if let Some(statements) = statements {
        expected = expected.with_release(statements.release.clone());
        if let Some(timestamp) = &statements.timestamp {
            expected = expected.with_timestamp(timestamp.clone());
        }
    }
    for beside in &taken.beside {
        if beside.kind.is_read_by(&trust.policy) {
            expected = beside.kind.given(expected, beside.bytes.clone());
        }
    }
    let verified = verify(&taken.artifact, &trust.policy, &expected, time::now()?);
    verified.map(|_| ()).map_err(|error| verify_failure(&error))
}

fn no_component(reference: &Reference) -> Failure {
    let message = "there is no portable program";
    Failure::new(Exit::Rejected, "pull-no-component", message)
        .about(reference)
        .hint("`edgec push --component` pushes it")
}

impl Files {
    /// Adds an artifact and what travels with it, named as `edgec build` names them.
    fn add(
        &mut self,
        folder: &Path,
        entry: &NativeEntry,
        taken: Taken,
        is_alone: bool,
    ) -> Result<(), Failure> {
        let Taken {
            manifest,
            artifact,
            beside,
            ..
        } = taken;
        let stem = stem(&manifest)?;
        let target = one_part(&entry.target)?;
        let own = match is_alone {
            true => format!("{stem}.{target}"),
            false => format!("{stem}.{target}.{}", one_part(&entry.profile)?),
        };
        for file in beside {
            // A bill of materials is about the program, and so about all artifacts.
            let is_shared = matches!(file.kind, AttachedKind::CycloneDx | AttachedKind::Spdx);
            let name = if is_shared { &stem } else { &own };
            let path = folder.join(format!("{name}.{}", file.kind.ending()));
            let path = match file.kind {
                // The proofs of all artifacts travel with each: only the log's key tells which is
                // about which.
                AttachedKind::LogProof => self.numbered(path, &file.bytes),
                _ => path,
            };
            let wanted = match file.kind {
                AttachedKind::Debug => Wanted::DebugFile,
                AttachedKind::CycloneDx | AttachedKind::Spdx => Wanted::Sbom,
                _ => Wanted::Attestation,
            };
            self.put(path, wanted, file.bytes)?;
        }
        let path = folder.join(format!("{own}.cwasm"));
        let report = Artifact {
            artifact: render::path(&path),
            name: safe(&manifest.name),
            channel: manifest.channel.as_deref().map(safe),
            version: manifest.version,
            target: safe(&manifest.target.id),
            profile: safe(&manifest.engine.profile),
            image: manifest.image.fsverity.to_string(),
            bytes: artifact.len() as u64,
        };
        self.artifacts.push((path, report, artifact));
        Ok(())
    }

    fn add_release(
        &mut self,
        folder: &Path,
        statements: Option<Statements>,
    ) -> Result<(), Failure> {
        let first = self.artifacts.first().map(|(_, it, _)| it.name.clone());
        let (Some(statements), Some(name)) = (statements, first) else {
            return Ok(());
        };
        let stem = name.rsplit('/').next().unwrap_or_default().to_owned();
        let path = |ending| folder.join(format!("{stem}.{ending}"));
        self.put(
            path("release.json"),
            Wanted::Attestation,
            statements.release,
        )?;
        if let Some(timestamp) = statements.timestamp {
            self.put(path("timestamp.json"), Wanted::Attestation, timestamp)?;
        }
        Ok(())
    }

    /// The path of a file of which there may be several: the same, or the first with a number
    /// that is free or has the same content.
    fn numbered(&self, path: PathBuf, bytes: &[u8]) -> PathBuf {
        let is_free = |path: &PathBuf| self.beside.get(path).is_none_or(|(_, it)| it == bytes);
        let others = (2..).map(|number: usize| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            path.with_extension(format!("{number}.{ending}"))
        });
        let mut candidates = std::iter::once(path.clone()).chain(others);
        candidates.find(is_free).unwrap_or_else(|| path.clone())
    }

    /// Adds a file. Two artifacts may share one, but not two that differ.
    fn put(&mut self, path: PathBuf, wanted: Wanted, bytes: Vec<u8>) -> Result<(), Failure> {
        match self.beside.get(&path) {
            Some((_, there)) if *there != bytes => {
                let message = "two files of this name travel with the artifacts";
                let failure = Failure::new(Exit::Rejected, "pull-same-file", message);
                Err(failure
                    .about_safe(render::path(&path))
                    .hint("if they are about different artifacts, pull one target at a time"))
            }
            _ => {
                self.beside.insert(path, (wanted, bytes));
                Ok(())
            }
        }
    }

    /// Writes all files, or none.
    fn write(self, folder: &Path) -> Result<(), Failure> {
        let beside = self.beside.into_iter();
        let beside = beside.map(|(path, (wanted, bytes))| (path, wanted, bytes));
        let artifacts = self.artifacts.into_iter();
        let artifacts = artifacts.map(|(path, _, bytes)| (path, Wanted::Artifact, bytes));
        let all: Vec<_> = beside.chain(artifacts).collect();
        for (path, wanted, _) in &all {
            files::refuse_other(path, *wanted)?;
        }
        let mut new = NewFolders::default();
        files::make_folder(&mut new, folder)?;
        let staged = all
            .iter()
            .map(|(path, wanted, bytes)| files::stage(path, bytes, *wanted));
        let staged: Vec<Staged> = staged.collect::<Result<_, _>>()?;
        files::commit_all(staged)?;
        new.keep();
        Ok(())
    }
}

/// The last part of the application's name, without its tenant.
fn stem(manifest: &Manifest) -> Result<String, Failure> {
    let name = manifest.name.rsplit('/').next().unwrap_or_default();
    one_part(name)
}

/// A text of the registry as a part of a file name.
fn one_part(text: &str) -> Result<String, Failure> {
    match check_name(text) {
        Ok(()) if !text.contains('/') => Ok(text.to_owned()),
        _ => {
            let message = format!("`{text}` cannot be a part of a file name");
            Err(Failure::new(Exit::Rejected, "name", message))
        }
    }
}

impl Report {
    fn new(offer: &Offer, files: &Files, verified: bool) -> Self {
        let traffic = offer.traffic();
        let artifacts = files.artifacts.iter();
        Self {
            reference: safe(&offer.reference().to_string()),
            digest: format!("sha256:{}", offer.digest()),
            verified,
            artifacts: artifacts.map(|(_, it, _)| it.clone()).collect(),
            files: files.beside.keys().map(|it| render::path(it)).collect(),
            requests: traffic.requests,
            bytes_fetched: traffic.fetched,
            fetched: super::fetched(traffic),
        }
    }

    fn text(&self) -> String {
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
            text.push_str(&format!("{file}\n"));
        }
        text.push_str(&format!("  {}\n", self.fetched));
        if !self.verified {
            text.push_str("  no key or policy named: signatures were not verified\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_of_several_artifacts_have_numbers() {
        let mut files = Files::default();
        let path = PathBuf::from("shop.x86_64.tlog-proof");
        for (bytes, name) in [
            (b"a", "shop.x86_64.tlog-proof"),
            (b"b", "shop.x86_64.2.tlog-proof"),
            (b"a", "shop.x86_64.tlog-proof"),
            (b"c", "shop.x86_64.3.tlog-proof"),
        ] {
            let free = files.numbered(path.clone(), bytes);
            assert_eq!(free, Path::new(name));
            files
                .put(free, Wanted::Attestation, bytes.to_vec())
                .unwrap();
        }
    }
}
