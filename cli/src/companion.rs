//! Statements that lie beside artifacts: releases, timestamps, and notaries' statements. Reads the
//! files that a verb names, and signs and writes new ones.

use std::path::{Path, PathBuf};

use edgec_artifact::{CompanionError, Manifest, Release, ReleaseNumbers, ReleasedArtifact};
#[cfg(feature = "serve")]
use edgec_host::config::StatementFiles;
use edgec_packager::UnsignedCompanion;
use edgec_verifier::{
    Expected, TrustPolicy, UnixTime, describe_unsigned, verify_release, verify_timestamp,
};

use crate::failure::{Exit, Failure};
use crate::failures::verifier::verify_failure_of;
use crate::file_kind::{Wanted, explain};
use crate::render;
use crate::signer::SignerArguments;
use crate::two_steps::TwoSteps;
use crate::{files, keys};

/// The statements that came with artifacts.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct StatementArguments {
    /// The release that the artifacts belong to (docs/releases-and-timestamps.md)
    #[arg(long = "release", value_name = "FILE")]
    releases: Vec<PathBuf>,
    /// The timestamp of the release
    #[arg(long = "timestamp", value_name = "FILE")]
    timestamps: Vec<PathBuf>,
    /// The statement of a notary that has rebuilt an artifact; repeatable, for several artifacts
    #[arg(
        long = "notary",
        value_name = "FILE",
        requires = "trust",
        conflicts_with = "key"
    )]
    rebuilds: Vec<PathBuf>,
}

impl StatementArguments {
    /// What the caller expects, with these statements.
    pub(crate) fn given(&self, mut expected: Expected) -> Result<Expected, Failure> {
        for path in &self.releases {
            expected = expected.with_release(files::read_attestation(path)?);
        }
        for path in &self.timestamps {
            expected = expected.with_timestamp(files::read_attestation(path)?);
        }
        for path in &self.rebuilds {
            expected = expected.with_rebuild(files::read_attestation(path)?);
        }
        Ok(expected)
    }

    /// The files, for a host that reads them again while it runs.
    #[cfg(feature = "serve")]
    pub(crate) fn files(&self) -> StatementFiles {
        let mut files = StatementFiles::default();
        files.release.clone_from(&self.releases);
        files.timestamp.clone_from(&self.timestamps);
        files.notary.clone_from(&self.rebuilds);
        files
    }

    /// What was given that keys alone can have signed, in words.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            (&self.releases, "the release"),
            (&self.timestamps, "the timestamp"),
        ];
        let given = given.into_iter().filter(|(files, _)| !files.is_empty());
        given.map(|(_, what)| what)
    }

    /// The files of the statements.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &PathBuf> {
        let first = self.releases.iter().chain(&self.timestamps);
        first.chain(&self.rebuilds)
    }
}

/// When the given timestamps were issued, as far as a policy accepts them.
pub(crate) fn issued(policy: &TrustPolicy, expected: &Expected, now: UnixTime) -> Vec<UnixTime> {
    let releases = expected
        .releases()
        .filter_map(|bytes| verify_release(bytes, policy, now).ok());
    let issued = releases.flat_map(|release| {
        let stamps = expected.timestamps();
        let stamps = stamps.filter_map(|bytes| verify_timestamp(bytes, &release, policy, now).ok());
        stamps
            .map(|stamp| stamp.timestamp.issued)
            .collect::<Vec<_>>()
    });
    issued.collect()
}

/// What `--serial` and `build --release` take.
pub(crate) const SERIAL: &str = "write a whole number that is higher than that of the last release";
/// What `--floor` takes.
pub(crate) const FLOOR: &str = "write the lowest version that hosts may still run";

/// The release of these artifacts, which must belong together. Each has a name for messages.
pub(crate) fn release_of<'a>(
    files: impl IntoIterator<Item = (String, &'a [u8])>,
    serial: u64,
    floor: u64,
) -> Result<Release, Failure> {
    let mut listed = Vec::new();
    let mut first: Option<Manifest> = None;
    for (name, file) in files {
        let (manifest, artifact) = described(file).map_err(|failure| failure.about(&name))?;
        if let Some(first) = &first {
            same_release(first, &manifest).map_err(|failure| failure.about(&name))?;
        }
        listed.push(artifact);
        first.get_or_insert(manifest);
    }
    // Callers have at least one artifact.
    let first = first.ok_or_else(|| Failure::usage("release-artifacts", "no artifact is named"))?;
    let numbers = ReleaseNumbers {
        version: first.version,
        serial,
        floor,
    };
    let (version, program) = (first.version, first.source.input);
    let release = Release::new(first.name, first.channel, numbers, program, listed);
    release.map_err(|error| {
        let failure = Failure::rejected("release-artifacts", &error);
        match version {
            0 => failure.hint("a release needs a version: build with --app-version"),
            _ => failure,
        }
    })
}

/// The manifest of an artifact, and how a release lists it. Signatures are not checked.
fn described(file: &[u8]) -> Result<(Manifest, ReleasedArtifact), Failure> {
    let described = describe_unsigned(file).map_err(|error| verify_failure_of(&error, file))?;
    let listed = ReleasedArtifact::of(&described.manifest, &described.payload);
    Ok((described.manifest, listed))
}

fn same_release(first: &Manifest, other: &Manifest) -> Result<(), Failure> {
    let version = |it: &Manifest| it.version.to_string();
    let channel = |it: &Manifest| it.channel.clone().unwrap_or_default();
    let program = |it: &Manifest| it.source.input.sha256.to_string();
    for (what, one, two) in [
        ("name", first.name.clone(), other.name.clone()),
        ("channel", channel(first), channel(other)),
        ("version", version(first), version(other)),
        ("program", program(first), program(other)),
    ] {
        if one != two {
            let message = format!("its {what} is `{two}`, that of the first artifact `{one}`");
            return Err(Failure::new(Exit::Rejected, "release-artifacts", message)
                .hint("a release has one program, under one name, channel and version"));
        }
    }
    Ok(())
}

/// How a statement is signed, and where it is written.
#[derive(Debug, clap::Args)]
pub(crate) struct SigningArguments {
    #[command(flatten)]
    signer: SignerArguments,
    #[command(flatten)]
    steps: TwoSteps,
    /// Keep the signatures that the output file has on the same statement
    #[arg(long, conflicts_with = "export_pae", help_heading = "Signatures")]
    append: bool,
    /// The file for the statement
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present = "export_pae",
        help_heading = "Output"
    )]
    output: Option<PathBuf>,
}

/// A statement that was signed and written.
pub(crate) struct Written {
    /// The file, safe to show.
    pub(crate) file: String,
    /// The key that has signed.
    pub(crate) key_id: String,
    /// The ids of the signer's other keys.
    pub(crate) more_key_ids: Vec<String>,
}

impl SigningArguments {
    /// Every file that is read besides the verb's own inputs.
    pub(crate) fn reads(&self) -> Vec<PathBuf> {
        let mut read = self.signer.reads();
        read.extend(self.steps.attached().map(Path::to_owned));
        read
    }

    /// The file whose statement stays, and gets another signature.
    pub(crate) fn appends_to(&self) -> Option<&Path> {
        self.output.as_deref().filter(|_| self.append)
    }

    /// Whether this is one of two steps, which must state the same.
    pub(crate) fn is_in_two_steps(&self) -> bool {
        self.steps.is_export() || self.steps.attached().is_some()
    }

    /// Signs a statement and writes it. `code` is the failure of a file that is no such statement.
    /// `inputs` are the files that the verb has read. `None` if the bytes to sign were written
    /// instead.
    pub(crate) fn sign(
        &self,
        mut unsigned: UnsignedCompanion,
        code: &'static str,
        inputs: &[PathBuf],
    ) -> Result<Option<Written>, Failure> {
        let read = [&self.reads(), inputs].concat();
        let Some(output) = &self.output else {
            self.steps.export(&unsigned.pae(), &read, Wanted::Pae)?;
            return Ok(None);
        };
        files::spare(&read, output, Wanted::Attestation)?;
        if self.append {
            unsigned = with_signatures_in(unsigned, code, output)?;
        }
        let signer = self.signer.signer_or_attached(self.steps.attached())?;
        let signed = unsigned.sign(&signer);
        let signed = signed.map_err(|failure: Failure| match self.steps.attached() {
            Some(attached) => failure.or_about(attached.display()),
            None => failure,
        })?;
        files::write(output, signed.as_bytes(), Wanted::Attestation)?;
        let (key_id, more_key_ids) = keys::ids(&signer.public());
        Ok(Some(Written {
            file: render::path(output),
            key_id,
            more_key_ids,
        }))
    }
}

/// The statement with the signatures of the file that it replaces.
fn with_signatures_in(
    unsigned: UnsignedCompanion,
    code: &'static str,
    output: &Path,
) -> Result<UnsignedCompanion, Failure> {
    let earlier = files::read_attestation(output)?;
    let both = unsigned.with_signatures_of(&earlier);
    let both = both.map_err(|error| malformed(code, &error, output, &earlier))?;
    both.ok_or_else(|| other_statement(output, "the file there states something else"))
}

/// The failure for a file whose statement cannot get another signature.
pub(crate) fn other_statement(output: &Path, message: &str) -> Failure {
    Failure::new(Exit::Rejected, "other-statement", message)
        .about(output.display())
        .hint("leave out --append to replace it")
}

/// The failure for a file that is no statement of the wanted kind.
pub(crate) fn malformed(
    code: &'static str,
    error: &CompanionError,
    path: &Path,
    bytes: &[u8],
) -> Failure {
    let failure = Failure::rejected(code, error).about(path.display());
    explain(failure, bytes, Wanted::Attestation)
}
