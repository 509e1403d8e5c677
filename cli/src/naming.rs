//! Where the artifacts of a build go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use edgec_targets::Target;

use crate::failure::Failure;
use crate::files::{self, STDIN};
use crate::render;

/// What `-o` means for this build.
pub(crate) enum Output {
    /// The one artifact's file.
    File(PathBuf),
    /// A folder for `<name>.<target>.cwasm`.
    Folder(PathBuf),
}

impl Output {
    /// One artifact and a name that is no folder: a file. Everything else: a folder; also where how many there
    /// are may change without the command line (`varying`).
    pub(crate) fn new(
        option: Option<&Path>,
        artifacts: usize,
        varying: bool,
    ) -> Result<Self, Failure> {
        let Some(path) = option else {
            return Ok(Self::Folder(PathBuf::from(".")));
        };
        files::refuse_dash(path)?;
        let folder = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if artifacts == 1 && !folder && !varying {
            return Ok(Self::File(path.to_owned()));
        }
        if path.exists() && !path.is_dir() {
            return Err(Failure::usage(
                "output",
                match varying {
                    true => "the artifacts of a fleet go into a folder".to_owned(),
                    false => format!("{artifacts} artifacts do not fit one file"),
                },
            )
            .about(path.display())
            .hint("name a folder with -o, or one input and one --target"));
        }
        Ok(Self::Folder(path.to_owned()))
    }

    fn path(&self, name: &str, target: &Target) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Folder(folder) => {
                // `tenant/app` is the application's name; the tenant is no folder of the user's.
                let last = name.rsplit('/').next().unwrap_or(name);
                folder.join(format!("{last}.{}.cwasm", target.id))
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

/// Names every application and artifact before any work begins.
pub(crate) fn plan(
    inputs: &[PathBuf],
    name: Option<&str>,
    targets: &[&'static Target],
    output: &Output,
) -> Result<Vec<Job>, Failure> {
    let mut taken: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    let mut jobs = Vec::new();
    for input in inputs {
        let name = match name {
            Some(name) => name.to_owned(),
            None => stem(input)?,
        };
        check_name(&name)?;
        let mut outputs = Vec::new();
        for target in targets {
            let path = output.path(&name, target);
            if let Some(other) = taken.insert(path.clone(), input) {
                return Err(Failure::usage(
                    "same-output",
                    format!("{} would become the same artifact", other.display()),
                )
                .about(input.display())
                .hint("build them in two runs, into two folders"));
            }
            outputs.push((*target, path));
        }
        jobs.push(Job {
            input: input.clone(),
            name,
            outputs,
        });
    }
    Ok(jobs)
}

/// Where the debug file of an artifact goes: beside it, with another ending.
pub(crate) fn debug_file(artifact: &Path) -> Result<PathBuf, Failure> {
    let debug = artifact.with_extension("debug");
    if debug == artifact {
        return Err(
            Failure::usage("output", "the debug file would have this very name")
                .about(artifact.display())
                .hint("name the artifact otherwise, such as NAME.cwasm"),
        );
    }
    Ok(debug)
}

fn stem(input: &Path) -> Result<String, Failure> {
    if input.as_os_str() == STDIN {
        return Ok("stdin".to_owned());
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
        let jobs = plan(&inputs, None, &targets, &output)?;
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
    fn two_inputs_never_share_an_artifact() {
        assert!(plan_of(&["a/app.wasm", "b/app.wat"], None).is_err());
        assert!(plan_of(&["a.wasm", "b.wasm"], None).is_ok());
    }
}
