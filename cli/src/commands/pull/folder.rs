//! `edgec pull` without a store: writes artifacts and what travels with them, all or none.

mod report;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_artifact::{Manifest, Sha256Digest, check_name};
use edgec_files::Unnamed;
use edgec_registry::{
    AttachedKind, Demands, NativeEntry, PullError, Reference, Statements, Taken, Vouched,
};

use self::report::{Artifact, Report};
use super::Arguments;
use crate::Outcome;
use crate::document;
use crate::failure::{Exit, Failure};
use crate::failures::registry::pull_failure;
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders, Staged};
use crate::progress::Steps;
use crate::render::{self, safe};
use crate::signals;
use crate::time;

/// The files that will be written. None of them has a name before all are complete.
struct Files<'f> {
    folder: &'f Path,
    steps: &'f Steps<'f>,
    artifacts: Vec<(PathBuf, Artifact, Unnamed)>,
    beside: BTreeMap<PathBuf, File>,
}

/// A file that is not an artifact.
struct File {
    wanted: Wanted,
    /// What its content is known by.
    digest: String,
    /// Whether the key or the policy covers it, for all artifacts that it travels with.
    verified: bool,
    content: Unnamed,
}

pub(super) fn run(arguments: &Arguments, reference: &Reference) -> Outcome {
    let trust = match arguments.trust.are_given() {
        true => Some(arguments.trust.resolve()?),
        false => None,
    };
    let folder = arguments.output.as_deref().unwrap_or(Path::new("."));
    files::refuse_dash(folder)?;
    let session = arguments.registry.session()?;
    let offer = super::open(&session, reference)?;
    let selected = arguments.selected(&offer)?;
    let failed = |error| pull_failure(&error).or_about(reference);
    let demands = match &trust {
        Some(trust) => Some(Demands::new(&trust.policy, &trust.expected, time::now()?)),
        None => None,
    };
    let progress = arguments.progress();
    let steps = progress.begin(&reference.to_string(), 0);
    let mut files = Files {
        folder,
        steps: &steps,
        artifacts: Vec::new(),
        beside: BTreeMap::new(),
    };
    let mut programs = Vec::new();
    for entry in &selected {
        let taken = offer.take(entry, demands.as_ref()).map_err(failed)?;
        programs.extend(taken.signed_program());
        let of_target = selected.iter().filter(|it| it.target == entry.target);
        files.add(entry, &taken, of_target.count() == 1, &failed)?;
    }
    let vouched = demands.as_ref().map(|it| offer.vouched(it));
    let vouched = vouched.transpose().map_err(failed)?.unwrap_or_default();
    programs.extend(vouched.program);
    files.add_release(offer.release().map_err(failed)?, &vouched)?;
    if let Some(path) = &arguments.component {
        let digest = offer.component().map(|it| it.digest.to_string());
        let digest = digest.ok_or_else(|| no_component(reference))?;
        let verified = !programs.is_empty();
        files.put(path.clone(), Wanted::Program, digest, verified, |file| {
            let fetched = offer.fetch_component(&programs, file, &steps);
            fetched.map(|_| ()).map_err(failed)
        })?;
    }
    let report = Report::new(&offer, &files, trust.is_some());
    signals::uninterrupted(|| files.write())?;
    drop(steps);
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

fn no_component(reference: &Reference) -> Failure {
    let message = "there is no portable program";
    Failure::new(Exit::Rejected, "pull-no-component", message)
        .about(reference)
        .hint("`edgec push --component` pushes it")
}

impl Files<'_> {
    /// Adds an artifact and what travels with it, named as `edgec build` names them.
    fn add(
        &mut self,
        entry: &NativeEntry,
        taken: &Taken<'_>,
        is_alone: bool,
        failed: &impl Fn(PullError) -> Failure,
    ) -> Result<(), Failure> {
        let manifest = taken.manifest();
        let stem = stem(manifest)?;
        let target = one_part(&entry.target)?;
        let own = match is_alone {
            true => format!("{stem}.{target}"),
            false => format!("{stem}.{target}.{}", one_part(&entry.profile)?),
        };
        let path = self.folder.join(format!("{own}.cwasm"));
        let near = near(self.folder);
        let mut artifact = unnamed(near)?;
        let fetched = taken.fetch(&mut artifact, near, self.steps);
        fetched.map_err(failed)?;
        let report = Artifact {
            artifact: render::path(&path),
            name: safe(&manifest.name),
            channel: manifest.channel.as_deref().map(safe),
            version: manifest.version,
            target: safe(&manifest.target.id),
            profile: safe(&manifest.engine.profile),
            image: manifest.image.fsverity.to_string(),
            bytes: artifact.length(),
        };
        self.artifacts.push((path, report, artifact));
        for file in taken.beside() {
            // A bill of materials is about the program, and so about all artifacts.
            let is_shared = matches!(file.kind, AttachedKind::CycloneDx | AttachedKind::Spdx);
            let name = if is_shared { &stem } else { &own };
            let path = self.folder.join(format!("{name}.{}", file.ending()));
            let wanted = match file.kind {
                AttachedKind::Debug => Wanted::DebugFile,
                AttachedKind::CycloneDx | AttachedKind::Spdx => Wanted::Sbom,
                _ => Wanted::Attestation,
            };
            let steps = self.steps;
            let digest = file.digest().to_owned();
            self.put(path, wanted, digest, file.verified, |into| {
                let fetched = taken.fetch_beside(file, into, near, steps);
                fetched.map_err(failed)
            })?;
        }
        Ok(())
    }

    fn add_release(
        &mut self,
        statements: Option<Statements>,
        vouched: &Vouched,
    ) -> Result<(), Failure> {
        let first = self.artifacts.first().map(|(_, it, _)| it.name.clone());
        let (Some(statements), Some(name)) = (statements, first) else {
            return Ok(());
        };
        let stem = name.rsplit('/').next().unwrap_or_default().to_owned();
        let Statements {
            release, timestamp, ..
        } = statements;
        let parts = [
            ("release.json", Some(release), vouched.release),
            ("timestamp.json", timestamp, vouched.timestamp),
        ];
        for (ending, bytes, verified) in parts {
            let Some(bytes) = bytes else { continue };
            let path = self.folder.join(format!("{stem}.{ending}"));
            let digest = Sha256Digest::of(&bytes).to_string();
            self.put(
                path.clone(),
                Wanted::Attestation,
                digest,
                verified,
                |into| {
                    let written = into.write_all(&bytes);
                    written.map_err(|error| files::cannot("write", &path, &error))
                },
            )?;
        }
        Ok(())
    }

    /// Adds a file. Two artifacts may share one, but not two that differ.
    fn put(
        &mut self,
        path: PathBuf,
        wanted: Wanted,
        digest: String,
        verified: bool,
        fill: impl FnOnce(&mut Unnamed) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.beside.get_mut(&path) {
            Some(there) if there.digest != digest => {
                let message = "two files of this name travel with the artifacts";
                let failure = Failure::new(Exit::Rejected, "pull-same-file", message);
                Err(failure
                    .about_safe(render::path(&path))
                    .hint("if they are about different artifacts, pull one target at a time"))
            }
            Some(there) => {
                there.verified &= verified;
                Ok(())
            }
            None => {
                let mut content = unnamed(near(edgec_files::folder_of(&path)))?;
                fill(&mut content)?;
                let file = File {
                    wanted,
                    digest,
                    verified,
                    content,
                };
                self.beside.insert(path, file);
                Ok(())
            }
        }
    }

    /// Gives all files their names, or none.
    fn write(self) -> Result<(), Failure> {
        let beside = self.beside.into_iter();
        let beside = beside.map(|(path, it)| (path, it.wanted, it.content));
        let artifacts = self.artifacts.into_iter();
        let artifacts = artifacts.map(|(path, _, content)| (path, Wanted::Artifact, content));
        let all: Vec<_> = beside.chain(artifacts).collect();
        for (path, wanted, _) in &all {
            files::refuse_other(path, *wanted)?;
        }
        let mut new = NewFolders::default();
        files::make_folder(&mut new, self.folder)?;
        let staged = all.into_iter();
        let staged = staged.map(|(path, wanted, content)| files::name(&path, content, wanted));
        files::commit_all(staged.collect::<Result<Vec<Staged>, _>>()?)?;
        new.keep();
        Ok(())
    }
}

/// The folder, or the nearest one above it that exists: edgec makes the folder together with its
/// files, when they are complete.
fn near(folder: &Path) -> &Path {
    let mut above = folder.ancestors();
    above.find(|it| it.is_dir()).unwrap_or(Path::new("."))
}

/// A file for content that is on its way.
fn unnamed(folder: &Path) -> Result<Unnamed, Failure> {
    Unnamed::new_in(folder).map_err(|error| files::cannot("write", folder, &error))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn two_artifacts_share_a_file_only_if_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let progress = Progress::new(true);
        let mut files = Files {
            folder: folder.path(),
            steps: &progress.begin("", 0),
            artifacts: Vec::new(),
            beside: BTreeMap::new(),
        };
        let path = folder.path().join("shop.cdx.json");
        let mut put = |digest: &str| {
            let (path, digest) = (path.clone(), digest.to_owned());
            files.put(path, Wanted::Sbom, digest, false, |_| Ok(()))
        };
        assert!(put("a").is_ok() && put("a").is_ok());
        let failure = serde_json::to_value(put("b").unwrap_err()).unwrap();
        assert_eq!(failure["code"], "pull-same-file");
    }
}
