//! Chooses the files for the artifacts of a build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use edgec_targets::Target;

use crate::failure::Failure;
use crate::files::{self, STDIN};
use crate::render;

/// Whether the artifacts of a build are signed. Their names differ, so that users do not take
/// one for the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    /// `<name>.<target>.cwasm`.
    Signed,
    /// `<name>.<target>.unsigned.cwasm`: no host takes it.
    Unsigned,
}

impl Signing {
    fn ending(self) -> &'static str {
        match self {
            Self::Signed => "cwasm",
            Self::Unsigned => "unsigned.cwasm",
        }
    }
}

/// The meaning of `-o` for this build.
pub(crate) enum Output {
    /// The file of the only artifact.
    File(PathBuf),
    /// A folder for `<name>.<target>.cwasm`.
    Folder(PathBuf),
}

impl Output {
    /// Without `-o`, this is the current folder. A name with an ending is a file for one artifact.
    /// A name without an ending, or with a slash at its end, is a folder, and so is an existing
    /// folder. If the number of artifacts can change while the command line stays the same
    /// (`varying`), it must be a folder.
    pub(crate) fn new(
        option: Option<&Path>,
        artifacts: usize,
        varying: bool,
    ) -> Result<Self, Failure> {
        let Some(path) = option else {
            return Ok(Self::Folder(PathBuf::from(".")));
        };
        files::refuse_dash(path)?;
        let slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if slash || path.is_dir() || !path.exists() && !has_ending(path) {
            return Ok(Self::Folder(path.to_owned()));
        }
        if artifacts == 1 && !varying {
            return Ok(Self::File(path.to_owned()));
        }
        let message = match varying {
            true => "the artifacts of a fleet go into a folder".to_owned(),
            false => format!("{artifacts} artifacts do not fit into one file"),
        };
        let path = path.display();
        Err(Failure::usage("output", message).about(&path).hint(format!(
            "name a folder, such as {path}/, or build one input for one --target"
        )))
    }

    /// The place of an artifact.
    fn path(&self, name: &str, target: &Target, signing: Signing) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder(folder) => {
                // `tenant/app` is the application's name. The tenant is not part of the path.
                let last = name.rsplit('/').next().unwrap_or(name);
                folder.join(format!("{last}.{}.{}", target.id, signing.ending()))
            }
        }
    }
}

/// One input: its file, the application's name, and a file for each target.
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) name: String,
    pub(crate) outputs: Vec<(&'static Target, PathBuf)>,
}

/// Names every application and artifact before any work begins. It keeps the artifacts that have
/// been named, and the input that each is made from.
pub(crate) struct Names {
    signing: Signing,
    taken: BTreeMap<PathBuf, PathBuf>,
}

impl Names {
    pub(crate) fn new(signing: Signing) -> Self {
        let taken = BTreeMap::new();
        Self { signing, taken }
    }

    /// Names an application and its artifacts. No other input may have one of these.
    pub(crate) fn job(
        &mut self,
        input: &Path,
        name: Option<&str>,
        targets: &[&'static Target],
        output: &Output,
    ) -> Result<Job, Failure> {
        if let (Output::File(path), Signing::Unsigned) = (output, self.signing)
            && !path.to_string_lossy().ends_with(".unsigned.cwasm")
        {
            let message = "the name of an unsigned artifact ends with .unsigned.cwasm";
            return Err(Failure::usage("output", message)
                .about(path.display())
                .hint("name a folder, or a file such as NAME.unsigned.cwasm"));
        }
        let name = application(input, name)?;
        let mut outputs = Vec::new();
        for target in targets {
            let path = output.path(&name, target, self.signing);
            if let Some(other) = self.taken.insert(path.clone(), input.to_owned()) {
                return Err(Failure::usage(
                    "same-output",
                    format!("{} would become the same artifact", other.display()),
                )
                .about(input.display())
                .hint("build them in two runs, into two folders"));
            }
            outputs.push((*target, path));
        }
        Ok(Job {
            input: input.to_owned(),
            name,
            outputs,
        })
    }
}

/// The debug file of an artifact: beside it, with another ending.
pub(crate) fn debug_file(artifact: &Path) -> Result<PathBuf, Failure> {
    let debug = artifact.with_extension("debug");
    if debug == artifact {
        return Err(
            Failure::usage("output", "the debug file would have the same name")
                .about(artifact.display())
                .hint("give the artifact another name, such as NAME.cwasm"),
        );
    }
    Ok(debug)
}

/// The provenance of an artifact: beside it, with another ending.
pub(crate) fn provenance_file(artifact: &Path) -> Result<PathBuf, Failure> {
    let provenance = artifact.with_extension("provenance.json");
    if provenance == artifact {
        return Err(
            Failure::usage("output", "the provenance would have the same name")
                .about(artifact.display())
                .hint("give the artifact another name, such as NAME.cwasm"),
        );
    }
    Ok(provenance)
}

/// The release of artifacts: beside them, with their name without the target.
pub(crate) fn release_file(artifact: &Path, target: &str) -> Result<PathBuf, Failure> {
    of_all_targets(artifact, target, "release.json", "the release")
}

/// The bill of materials of a program, in a format whose files have this ending: beside its
/// artifacts, with their name without the target.
pub(crate) fn sbom_file(artifact: &Path, target: &str, ending: &str) -> Result<PathBuf, Failure> {
    of_all_targets(artifact, target, ending, "the bill of materials")
}

/// A file about the artifacts for all targets.
fn of_all_targets(
    artifact: &Path,
    target: &str,
    ending: &str,
    what: &str,
) -> Result<PathBuf, Failure> {
    let name = artifact.with_extension("");
    let without = name.extension().is_some_and(|ending| ending == target);
    let name = match without {
        true => name.with_extension(ending),
        false => artifact.with_extension(ending),
    };
    if name == artifact {
        let message = format!("{what} would have the same name");
        return Err(Failure::usage("output", message)
            .about(artifact.display())
            .hint("give the artifact another name, such as NAME.cwasm"));
    }
    Ok(name)
}

/// Whether a name has the ending of a file: `app.cwasm` has one, `release-1.2` does not.
fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ending.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// The application's name: the one that the user states, or else that of the input.
pub(crate) fn application(input: &Path, name: Option<&str>) -> Result<String, Failure> {
    let name = name.map_or_else(|| named_after(input), |name| Ok(name.to_owned()))?;
    check_name(&name)?;
    Ok(name)
}

/// The application's name, from the input's name. If this is not possible because the file does not
/// exist, the failure says so.
fn named_after(input: &Path) -> Result<String, Failure> {
    let name = stem(input).and_then(|name| check_name(&name).map(|()| name));
    name.map_err(|failure| files::unreadable(input).unwrap_or(failure))
}

/// Why an application cannot be named after an input.
fn nameless(input: &Path) -> Option<&'static str> {
    let of_system = ["/dev", "/proc"]
        .iter()
        .any(|folder| input.starts_with(folder));
    let special = || {
        let found = input.metadata();
        found.is_ok_and(|found| !found.is_file() && !found.is_dir())
    };
    if input.as_os_str() == STDIN {
        Some("standard input")
    } else if of_system || special() {
        Some("a pipe or a device")
    } else {
        None
    }
}

fn stem(input: &Path) -> Result<String, Failure> {
    if let Some(what) = nameless(input) {
        let message = format!("an application is named after its file, and this is {what}");
        return Err(Failure::usage("name", message)
            .about(input.display())
            .hint("name the application with --name"));
    }
    let stem = input.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned).ok_or_else(|| {
        Failure::usage(
            "name",
            "no application name can be made of this file's name",
        )
        .about(input.display())
        .hint("name the application with --name")
    })
}

fn check_name(name: &str) -> Result<(), Failure> {
    edgec_artifact::check_name(name).map_err(|error| {
        Failure::usage("name", render::safe(&error.to_string()))
            .with_safe_message()
            .hint("name the application with --name")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(inputs: &[&str], output: Option<&str>) -> Result<Vec<PathBuf>, Failure> {
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        let targets = edgec_targets::default_targets();
        let output = Output::new(output.map(Path::new), inputs.len() * targets.len(), false)?;
        let mut names = Names::new(Signing::Signed);
        let jobs = inputs.iter();
        let jobs = jobs.map(|input| names.job(input, None, &targets, &output));
        let jobs: Vec<Job> = jobs.collect::<Result<_, _>>()?;
        Ok(jobs
            .into_iter()
            .flat_map(|job| job.outputs)
            .map(|(_, path)| path)
            .collect())
    }

    #[test]
    fn artifacts_are_named_after_input_and_target() {
        let paths = plan_of(&["a/app.wasm"], Some("out")).unwrap();
        assert_eq!(
            paths,
            [
                Path::new("out/app.x86_64.cwasm"),
                Path::new("out/app.aarch64.cwasm")
            ]
        );
    }

    #[test]
    fn the_name_of_an_unsigned_artifact_says_so() {
        let plan = |output: &str| {
            let targets = &edgec_targets::default_targets()[..1];
            let output = Output::new(Some(Path::new(output)), 1, false)?;
            let mut names = Names::new(Signing::Unsigned);
            let job = names.job(Path::new("a.wasm"), None, targets, &output)?;
            Ok::<_, Failure>(job.outputs[0].1.clone())
        };
        let named = |output| plan(output).unwrap();
        assert_eq!(named("out"), Path::new("out/a.x86_64.unsigned.cwasm"));
        assert_eq!(named("b.unsigned.cwasm"), Path::new("b.unsigned.cwasm"));
        assert_eq!(plan("b.cwasm").unwrap_err().code(), "output");
    }

    #[test]
    fn two_inputs_never_share_an_artifact() {
        assert!(plan_of(&["a/app.wasm", "b/app.wat"], None).is_err());
        assert!(plan_of(&["a.wasm", "b.wasm"], None).is_ok());
    }

    #[test]
    fn a_name_without_an_ending_is_a_folder() {
        for folder in ["out", "dist-1.2", "out.d/", "a.b/out"] {
            let output = Output::new(Some(Path::new(folder)), 1, false);
            assert!(matches!(output, Ok(Output::Folder(_))), "{folder}");
        }
        let file = Path::new("no/app.cwasm");
        assert!(matches!(
            Output::new(Some(file), 1, false),
            Ok(Output::File(_))
        ));
        assert!(Output::new(Some(file), 2, false).is_err());
        assert!(Output::new(Some(file), 1, true).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_told_before_its_name() {
        let failure = |input| plan_of(&[input], None).unwrap_err();
        assert_eq!(failure("no/such/*.wasmx").code(), "io");
        for folder in [".", "..", "/"] {
            assert_eq!(failure(folder).code(), "not-a-file", "{folder}");
        }
        // If the name is good, the build reports the missing file, and goes on with the other
        // inputs.
        assert!(plan_of(&["no/such/app.wasm"], None).is_ok());
    }

    #[test]
    fn what_has_no_name_is_not_named_after_its_place() {
        for nameless in [
            "-",
            "/dev/stdin",
            "/dev/fd/63",
            "/proc/self/fd/0",
            "/dev/null",
        ] {
            assert!(plan_of(&[nameless], None).is_err(), "{nameless}");
        }
    }
}
