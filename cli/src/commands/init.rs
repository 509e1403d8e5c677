//! `edgec init`: writes the first `edgec.toml` of a folder, from what is in the folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edgec_builder::project::{
    CARGO_FOLDER, Found, FoundProgram, cargo_output, javascript_output, python_output, template,
};
use serde::Serialize;

use super::build::PROJECT_FILE;
use crate::failure::{Exit, Failure};
use crate::file_kind::Wanted;
use crate::render::{self, Format, cell};
use crate::{Outcome, document, files, signals};

/// Write a project, edgec.toml, for the programs of a folder
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder [default: .]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The format of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The maximum number of programs in a new project. In a folder with more, most are no components.
const MOST_PROGRAMS: usize = 20;

/// The longest file of a toolchain that is read, in bytes (1 MiB).
const MAX_LEN: u64 = 1 << 20;

/// What was written, and from what.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    project: String,
    components: Vec<Component>,
    /// Programs of the folder that are not in the project.
    left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    name: String,
    input: String,
    /// Whether the program is there already.
    exists: bool,
    because: String,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let folder = arguments.folder.as_deref().unwrap_or(Path::new(""));
    let file = folder.join(PROJECT_FILE);
    refuse_existing(&file)?;
    let (found, left_out) = look(folder)?;
    let text = template(&found);
    signals::uninterrupted(|| {
        let staged = files::stage(&file, text.as_bytes(), Wanted::Project)?;
        match staged.commit_if_absent()? {
            true => Ok(()),
            false => Err(exists(&file)),
        }
    })?;
    let report = Report::new(&file, folder, found, left_out);
    document::answer(true, &report, arguments.format, Report::text);
    Ok(ExitCode::SUCCESS)
}

fn refuse_existing(file: &Path) -> Result<(), Failure> {
    match file.symlink_metadata() {
        Ok(_) => Err(exists(file)),
        Err(_) => Ok(()),
    }
}

fn exists(file: &Path) -> Failure {
    Failure::new(Exit::Usage, "project", "this folder has a project already")
        .about(file.display())
        .hint("change the file, or move it away first; docs/project.md describes every name")
}

/// What the folder has, and how many programs more than a project gets.
fn look(folder: &Path) -> Result<(Found, usize), Failure> {
    let names = names_in(folder)?;
    let mut programs = Vec::new();
    for name in &names {
        if name.ends_with(".wasm") || name.ends_with(".wat") {
            programs.push((name.clone(), "a file of this folder".to_owned()));
        }
    }
    let cargo = folder.join(CARGO_FOLDER);
    let built = match cargo.is_dir() {
        true => names_in(&cargo)?,
        false => BTreeSet::new(),
    };
    for name in built.iter().filter(|name| name.ends_with(".wasm")) {
        let because = "cargo build --release --target wasm32-wasip2".to_owned();
        programs.push((format!("{CARGO_FOLDER}/{name}"), because));
    }
    programs.extend(expected(folder));
    let mut found = Found::default();
    let mut taken = BTreeSet::new();
    for (input, because) in programs {
        let stem = Path::new(&input).file_stem().and_then(|stem| stem.to_str());
        let name = stem.filter(|stem| edgec_artifact::check_name(stem).is_ok());
        if let Some(name) = name.filter(|name| taken.insert((*name).to_owned())) {
            found
                .programs
                .push(FoundProgram::new(name, &input, &because));
        }
    }
    let left_out = found.programs.len().saturating_sub(MOST_PROGRAMS);
    found.programs.truncate(MOST_PROGRAMS);
    found.key = key(&names);
    let named = |name: &str| names.contains(name).then(|| name.to_owned());
    found.policy = named("edgec-trust.toml");
    found.fleet = named("fleet.toml");
    Ok((found, left_out))
}

/// The names of the files in a folder, sorted. Names that are not text are left out.
fn names_in(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let shown = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let cannot = |error: std::io::Error| {
        Failure::environment("io", &error)
            .about(shown.display())
            .hint("name a folder that exists and that you can read")
    };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(shown).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let is_file = entry.path().is_file();
        if let Some(name) = entry.file_name().to_str().filter(|_| is_file) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

/// The programs that the toolchains of the folder make, also if they are not there yet.
fn expected(folder: &Path) -> Vec<(String, String)> {
    type Output = fn(&str) -> Option<String>;
    let toolchains: [(&str, Output, &str); 4] = [
        (
            "Cargo.toml",
            cargo_output,
            "cargo build --release --target wasm32-wasip2",
        ),
        ("package.json", javascript_output, "jco componentize"),
        ("pyproject.toml", python_output, "componentize-py"),
        ("requirements.txt", python_output, "componentize-py"),
    ];
    let outputs = toolchains.into_iter().filter_map(|(file, output, tool)| {
        let input = output(&read(&folder.join(file))?)?;
        Some((input, format!("{file}: {tool}")))
    });
    outputs.collect()
}

/// The text of a toolchain's file, if there is one that can be read.
fn read(file: &Path) -> Option<String> {
    let fits = file.metadata().ok()?.len() <= MAX_LEN;
    std::fs::read_to_string(file).ok().filter(|_| fits)
}

/// A private key beside its public half, as `edgec keygen` writes them. It is not read.
fn key(names: &BTreeSet<String>) -> Option<String> {
    let mut keys = names.iter().filter(|name| {
        let stem = name.strip_suffix(".pem");
        stem.is_some_and(|stem| names.contains(&format!("{stem}.pub.pem")))
    });
    keys.next().cloned()
}

impl Report {
    fn new(file: &Path, folder: &Path, found: Found, left_out: usize) -> Self {
        let components = found.programs.into_iter().map(|program| Component {
            exists: folder.join(&program.input).is_file(),
            name: program.name,
            input: program.input,
            because: program.because,
        });
        Self {
            project: render::path(file),
            components: components.collect(),
            left_out,
            key: found.key,
            policy: found.policy,
            fleet: found.fleet,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("wrote {}\n", self.project);
        let components = self.components.iter().map(|component| {
            let because = match component.exists {
                true => component.because.clone(),
                false => format!("not there yet; {}", component.because),
            };
            let name = format!("  {}", cell(&component.name));
            vec![name, cell(&component.input), render::safe(&because)]
        });
        let mut rows: Vec<Vec<String>> = components.collect();
        let others = [
            ("key", &self.key),
            ("policy", &self.policy),
            ("fleet", &self.fleet),
        ];
        for (what, file) in others {
            let row = |file: &String| vec![format!("  ({what})"), cell(file)];
            rows.extend(file.as_ref().map(row));
        }
        text.push_str(&render::table(&rows));
        if self.left_out > 0 {
            let programs = render::count(self.left_out, "more program");
            text.push_str(&format!("  {programs} of this folder are not in it\n"));
        }
        text.push_str(match self.components.as_slice() {
            [] => "no program was found: name yours there, then run `edgec build`\n",
            _ => "read it, then build: edgec build\n",
        });
        text
    }
}
