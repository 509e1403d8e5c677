//! The targets of a build, by their names or for a fleet.

use std::path::{Path, PathBuf};

use edgec_compiler::EngineProfile;
use edgec_targets::{Cover, Target};

use crate::failure::Failure;
use crate::fleet::FleetPlan;

/// The fleets of a build. Each file is read once for each profile.
#[derive(Default)]
pub(super) struct Fleets(Vec<(PathBuf, EngineProfile, FleetPlan)>);

/// The targets of an input.
pub(super) struct Chosen {
    pub(super) targets: Vec<&'static Target>,
    /// The hosts that must be able to load the artifacts.
    pub(super) fleet: Option<edgec_builder::FleetPlan>,
}

impl Fleets {
    /// The targets that the fleet in this file needs for code of this profile.
    pub(super) fn choose(
        &mut self,
        file: &Path,
        wanted: Option<Cover>,
        profile: EngineProfile,
    ) -> Result<Chosen, Failure> {
        let mut known = self.0.iter();
        if let Some((.., fleet)) = known.find(|it| it.0 == file && it.1 == profile) {
            return Ok(Chosen::of(fleet));
        }
        let fleet = FleetPlan::read(file, wanted, profile)?;
        let chosen = Chosen::of(&fleet);
        self.0.push((file.to_owned(), profile, fleet));
        Ok(chosen)
    }

    pub(super) fn into_plans(self) -> Vec<FleetPlan> {
        self.0.into_iter().map(|(.., fleet)| fleet).collect()
    }
}

impl Chosen {
    fn of(fleet: &FleetPlan) -> Self {
        Self {
            targets: fleet.plan.targets().to_vec(),
            fleet: Some(fleet.plan.clone()),
        }
    }
}

/// The targets of these names, each once. Without names, the default targets.
pub(super) fn named(names: &[String]) -> Result<Vec<&'static Target>, Failure> {
    if names.is_empty() {
        return Ok(edgec_targets::default_targets());
    }
    let mut targets: Vec<&'static Target> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name.is_empty() {
            let message = "the name of a target is missing";
            return Err(Failure::usage("unknown-target", message)
                .about("--target")
                .hint("put commas between names, as in `-t x86_64,aarch64`"));
        }
        let target = edgec_targets::find(name).map_err(|error| {
            let failure = Failure::usage("unknown-target", error.to_string());
            match (error.left_out, error.nearest.as_slice()) {
                (Some(reason), _) => failure.hint(format!("left out: {reason} (docs/targets.md)")),
                (None, _) if matches!(name, "native" | "host") => {
                    failure.hint("`edgec targets --host` lists what this machine runs, best first")
                }
                (None, []) => failure.hint("`edgec targets` lists them"),
                (None, nearest) => failure.hint(format!(
                    "did you mean {}? `edgec targets` lists all",
                    nearest.join(", ")
                )),
            }
        })?;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    Ok(targets)
}
