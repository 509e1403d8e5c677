//! Makes an image again from its input, and compares the two.
//!
//! Everything that the manifest says about the program is made again too: source, target, engine,
//! capabilities, needs and stages. The publisher's statements about the release (name, version,
//! channel, validity, extensions) are copied.

use edgec_artifact::{Bytes, Image, Manifest, ProgramKind};
use edgec_compiler::Image as Elf;
use edgec_compiler::{DebugInfo, Flatten, Gate, KindChoice, Level, PruneImports, WorldSource};
use edgec_targets::Target;

use crate::difference::{self, Difference, Differences, Place, Within};
use crate::error::{BuildError, RebuildError, UnknownSetting};
use crate::manifest::{Manifests, Release};
use crate::pipeline;
use crate::prepared::Compiled;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::stages;
use crate::tools::Tools;

/// An artifact's manifest, and the input that the artifact should come from.
///
/// ```no_run
/// use edgec_builder::verifier::{Clock as _, Expected, SystemClock, TrustPolicy, verify};
/// use edgec_builder::{Confinement, Limits, Rebuild, Tools, WorkerProgram};
///
/// # fn compare(policy: &TrustPolicy) -> Result<(), Box<dyn std::error::Error>> {
/// let (artifact, input) = (std::fs::read("shop.cwasm")?, std::fs::read("shop.wasm")?);
/// let expected = Expected::application("acme/shop");
/// let verified = verify(&artifact, policy, &expected, SystemClock.now()?)?;
///
/// let tools = Tools::new(WorkerProgram::find()?, &Limits::new(Confinement::Offered));
/// let rebuild = Rebuild::new(verified.manifest(), &input, &tools)?;
/// for difference in rebuild.differences(verified.image(), &())? {
///     println!("{:?}", difference.at);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Rebuild<'a> {
    manifest: &'a Manifest,
    input: &'a [u8],
    target: &'static Target,
    recipe: Recipe,
}

impl<'a> Rebuild<'a> {
    /// Reads the recipe that the manifest states.
    ///
    /// # Errors
    ///
    /// [`RebuildError`]: the input is a different one, or this edgec cannot follow the recipe.
    pub fn new(
        manifest: &'a Manifest,
        input: &'a [u8],
        tools: &Tools,
    ) -> Result<Self, RebuildError> {
        Self::with_wit(manifest, input, tools, None)
    }

    /// Like [`new`](Self::new), for an artifact whose core module got component types. The manifest
    /// states only their digest, so the world must be given again.
    ///
    /// # Errors
    ///
    /// The same as for [`new`](Self::new).
    pub fn with_wit(
        manifest: &'a Manifest,
        input: &'a [u8],
        tools: &Tools,
        wit: Option<WorldSource>,
    ) -> Result<Self, RebuildError> {
        let (stated, found) = (&manifest.source.input, Bytes::of(input));
        if *stated != found {
            return Err(RebuildError::OtherInput {
                found: found.sha256,
                stated: stated.sha256,
            });
        }
        let world = stages::added_world(&manifest.builder.stages);
        // An artifact without added types does not need the world.
        let wit = wit.filter(|_| world.is_some());
        if let Some(world) = world.filter(|_| wit.is_none()) {
            let world = world.to_owned();
            return Err(RebuildError::NoWit { world });
        }
        let target = edgec_targets::find(&manifest.target.id).map_err(RebuildError::Target)?;
        Ok(Self {
            manifest,
            input,
            target,
            recipe: recipe(manifest, tools, wit)?,
        })
    }

    /// How many steps a rebuild takes, as [`Progress`] counts them.
    pub fn steps(&self) -> usize {
        self.recipe.steps([self.target])
    }

    /// The differences between the artifact and what the input compiles to here. `a` is the
    /// artifact's value, and `b` is the new one. If the list is empty, both are the same, bit for
    /// bit.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: the build failed.
    pub fn differences(
        &self,
        image: &[u8],
        progress: &dyn Progress,
    ) -> Result<Vec<Difference>, BuildError> {
        let (manifest, target, gate) = (self.manifest, self.target, Gate::default());
        let prepared = pipeline::prepare(&self.recipe, &gate, self.input.to_vec(), progress)?;
        let mut compiled =
            stages::precompile::run(&self.recipe, &prepared, "", [target], progress)?;
        let Some(Compiled {
            image: made,
            debug_sections,
            ..
        }) = compiled.pop()
        else {
            return Err(BuildError::Missing { target: target.id });
        };

        let release = Release {
            version: manifest.version,
            display_version: manifest.display_version.clone(),
            channel: manifest.channel.clone(),
            validity: manifest.validity.unwrap_or_default(),
            extensions: manifest.extensions.clone(),
        };
        let manifests = Manifests::new(&release, &manifest.name, &self.recipe, &prepared);
        let rebuilt = manifests.of(&made).with(Image::of(made.bytes()));
        let Differences { named, more } = difference::of_manifests(manifest, &rebuilt);
        let mut found = named;
        if more > 0 {
            found.push(Difference {
                at: Place::Manifest,
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

/// The recipe of an image, as its manifest states it.
fn recipe(
    manifest: &Manifest,
    tools: &Tools,
    wit: Option<WorldSource>,
) -> Result<Recipe, UnknownSetting> {
    let profile = &manifest.engine.profile;
    let profile = profile
        .parse()
        .map_err(|_| UnknownSetting(format!("engine profile `{profile}`")))?;
    let mut recipe = Recipe {
        kind: match manifest.kind {
            ProgramKind::Component => KindChoice::Component,
            ProgramKind::Module => KindChoice::Module,
        },
        wit,
        init: None,
        level: Level::O0,
        flatten: Flatten::Leave,
        prune_imports: PruneImports::Nothing,
        profile,
        tools: tools.clone().without_answers(),
    };
    stages::read(&manifest.builder.stages, &mut recipe)?;
    Ok(recipe)
}

/// The sections in which two images differ, and the function with the first difference in the code.
fn in_images(stated: &[u8], made: &[u8], mut debug: DebugInfo<'_>) -> Vec<Difference> {
    let (Ok(a), Ok(b)) = (Elf::parse(stated), Elf::parse(made)) else {
        return vec![Difference {
            at: Place::Image,
            a: Some("not an image that this edgec reads".to_owned()),
            b: None,
        }];
    };
    // Without a code map, no function is named. That is no reason to stop.
    let _ = debug.place(made, [0; 32]);
    let sections = difference::of_sections(&a, &b);
    let mut found = Vec::new();
    for section in sections.iter().filter(|section| !section.same) {
        let first = section.first.filter(|_| section.name == ".text");
        let place = first.and_then(|offset| debug.at_text_offset(offset));
        let within = place.map(|place| Within {
            function: place.function.name.map(str::to_owned),
            number: place.function.index,
            distance: place.distance,
        });
        let length = |length: Option<u64>| length.map(|length| format!("{length} bytes"));
        found.push(Difference {
            at: Place::Section {
                name: section.name.clone(),
                first: section.first,
                within,
            },
            a: length(section.a),
            b: match section.a == section.b {
                true => Some("the same length, other bytes".to_owned()),
                false => length(section.b),
            },
        });
    }
    if found.is_empty() {
        found.push(Difference {
            at: Place::Layout,
            a: Some(format!("{} bytes", stated.len())),
            b: Some(format!("{} bytes", made.len())),
        });
    }
    found
}
