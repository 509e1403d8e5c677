//! Making an image again from its input, and comparing: `edgec verify --rebuild`.
//!
//! All that the manifest says of the program is made again too: source, target, engine,
//! capabilities, needs and stages. What a publisher says of a release (name, version, channel,
//! validity, extensions) is taken as it is stated.

use std::path::Path;

use edgec_artifact::{Bytes, Image, Manifest, Sha256Digest, verity};
use edgec_compiler::DebugInfo;
use edgec_compiler::Image as Elf;
use edgec_targets::Target;

use crate::differences::{self, Difference, Differences};
use crate::failure::{Exit, Failure};
use crate::files;
use crate::pipeline::{self, Compiled, Manifests, Release};
use crate::progress::Progress;
use crate::render::safe;
use crate::workers::{WorkerArguments, Workers};

/// An input that artifacts are said to be made from.
pub(crate) struct Rebuild {
    input: Vec<u8>,
    name: String,
    workers: Workers,
    progress: Progress,
}

impl Rebuild {
    pub(crate) fn new(
        input: &Path,
        workers: &WorkerArguments,
        quiet: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            input: files::read(input)?,
            name: input.display().to_string(),
            workers: Workers::new(workers)?,
            progress: Progress::new(quiet),
        })
    }

    /// What the input is called; not made safe.
    pub(crate) fn input(&self) -> &str {
        &self.name
    }

    /// Removes the progress line.
    pub(crate) fn end(&self) {
        self.progress.clear();
    }

    /// In what the artifact differs from what the input compiles to here; `a` is what is stated,
    /// `b` what was made. Nothing: both are the same, bit for bit.
    pub(crate) fn differences(
        &self,
        manifest: &Manifest,
        image: &[u8],
    ) -> Result<Vec<Difference>, Failure> {
        let (stated, found) = (&manifest.source.input, Bytes::of(&self.input));
        if *stated != found {
            let message = format!(
                "it is not what the artifact was made from: SHA-256 {}, and the manifest states {}",
                found.sha256, stated.sha256
            );
            return Err(Failure::new(Exit::Rejected, "rebuild-input", message)
                .about(&self.name)
                .hint(
                    "name the very file that was built, as it was before other tools changed it",
                ));
        }
        let id = &manifest.target.id;
        let target = edgec_targets::find(id).map_err(|error| {
            Failure::rejected("rebuild-unknown", &error)
                .hint("`edgec inspect` shows which edgec built it: use that one")
        })?;
        let recipe = pipeline::recipe(manifest, &self.workers)?;
        self.progress.begin(&manifest.name, recipe.steps([target]));
        let prepared = recipe.prepare(self.input.clone(), &self.progress)?;
        let told = |targets: &[&'static Target]| self.progress.compiling(targets);
        let mut compiled = recipe.compile(&prepared, [target], told)?;
        let Some(Compiled {
            image: made,
            debug_sections,
            ..
        }) = compiled.pop()
        else {
            let message = format!("nothing was compiled for {id}");
            return Err(Failure::new(Exit::Rejected, "internal", message));
        };

        let validity = manifest.validity.unwrap_or_default();
        let release = Release {
            version: manifest.version,
            display_version: manifest.display_version.clone(),
            channel: manifest.channel.clone(),
            validity,
            extensions: manifest.extensions.clone(),
        };
        let manifests = Manifests::new(&release, &manifest.name, &recipe, &prepared);
        let rebuilt = manifests.of(&made)(Image {
            length: made.bytes().len() as u64,
            sha256: Sha256Digest::of(made.bytes()),
            fsverity: verity::digest(made.bytes()),
        });
        let Differences { named, more } = differences::of_manifests(manifest, &rebuilt);
        let mut found = named;
        if more > 0 {
            found.push(Difference {
                at: "the manifest".to_owned(),
                a: Some(format!("{more} more places")),
                b: None,
            });
        }
        if image != made.bytes() {
            let debug = pipeline::debug_info(&debug_sections, &prepared.names)?;
            found.extend(in_images(image, made.bytes(), debug));
        }
        Ok(found)
    }
}

/// The sections in which two images differ, and the function in which the code begins to.
fn in_images(stated: &[u8], made: &[u8], mut debug: DebugInfo<'_>) -> Vec<Difference> {
    let (Ok(a), Ok(b)) = (Elf::parse(stated), Elf::parse(made)) else {
        return vec![Difference {
            at: "the image".to_owned(),
            a: Some("not an image that this edgec reads".to_owned()),
            b: None,
        }];
    };
    // Without it no function is named, which is no reason to stop.
    let _ = debug.place(made, [0; 32]);
    let sections = differences::of_sections(&a, &b);
    let mut found = Vec::new();
    for section in sections.iter().filter(|section| !section.same) {
        let first = section.first.filter(|_| section.name == ".text");
        let place = first.and_then(|offset| debug.at_text_offset(offset));
        let within = place.map(|place| {
            let name = place.function.name.unwrap_or("a function without a name");
            let number = match place.function.index {
                Some((module, index)) => format!(" (core module {module}, function {index})"),
                None => String::new(),
            };
            format!(", first in {name}{number} + {:#x}", place.distance)
        });
        let length = |length: Option<u64>| length.map(|length| format!("{length} bytes"));
        let first = section.first.map(|first| format!(" from {first:#x}"));
        found.push(Difference {
            at: safe(&format!(
                "section {}{}{}",
                section.name,
                first.unwrap_or_default(),
                within.unwrap_or_default()
            )),
            a: length(section.a),
            b: match section.a == section.b {
                true => Some("as many, and others".to_owned()),
                false => length(section.b),
            },
        });
    }
    if found.is_empty() {
        found.push(Difference {
            at: "the places of sections in the image".to_owned(),
            a: Some(format!("{} bytes", stated.len())),
            b: Some(format!("{} bytes", made.len())),
        });
    }
    found
}
