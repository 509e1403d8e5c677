//! One input of a build, from the command line or from a project.

use std::path::{Path, PathBuf};

use edgec_builder::project::{
    Budgets, Capabilities, Component, Settings, TargetChoice, TextFrom, VersionFrom,
};
use edgec_targets::Target;

use super::project::Opened;
use crate::gate::Demands;

/// What is asked of an input, before the options of the command line.
pub(super) struct Request {
    pub(super) input: PathBuf,
    /// The application's name, if a project states it.
    pub(super) name: Option<String>,
    /// The key that signs, if a project states it.
    pub(super) key: Option<PathBuf>,
    /// The folder for the artifacts, if a project states it.
    pub(super) output: Option<PathBuf>,
    pub(super) targets: Vec<&'static Target>,
    /// A fleet that chooses other targets.
    pub(super) fleet: Option<PathBuf>,
    pub(super) settings: Settings,
    /// The WIT for a core module, if a project states it, and the world in it.
    pub(super) wit: Option<PathBuf>,
    pub(super) wit_world: Option<String>,
    /// What a project demands of the program.
    pub(super) demands: Demands,
    pub(super) channel: Option<String>,
    pub(super) version: Option<VersionFrom>,
    pub(super) display_version: Option<TextFrom>,
    /// When the artifacts expire, as a project writes it.
    pub(super) expires: Option<String>,
    pub(super) policy: Option<PathBuf>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) budgets: Budgets,
}

impl Request {
    /// An input that the command line names.
    pub(super) fn of_input(input: &Path) -> Self {
        Self {
            input: input.to_owned(),
            name: None,
            key: None,
            output: None,
            targets: edgec_targets::default_targets(),
            fleet: None,
            settings: Settings::default(),
            wit: None,
            wit_world: None,
            demands: Demands::default(),
            channel: None,
            version: None,
            display_version: None,
            expires: None,
            policy: None,
            capabilities: None,
            budgets: Budgets::default(),
        }
    }

    /// A component of a project.
    pub(super) fn of_component(name: &str, component: &Component, opened: &Opened) -> Self {
        let (targets, fleet) = match &component.targets {
            TargetChoice::Named(targets) => (targets.clone(), None),
            TargetChoice::Fleet(file) => (Vec::new(), Some(opened.path(file))),
            _ => (Vec::new(), None),
        };
        Self {
            input: opened.path(&component.input),
            name: Some(name.to_owned()),
            key: component.key.as_deref().map(|key| opened.of_machine(key)),
            output: Some(opened.path(&component.output)),
            targets,
            fleet,
            settings: component.settings.clone(),
            wit: component.wit.as_deref().map(|wit| opened.path(wit)),
            wit_world: component.wit_world.clone(),
            demands: Demands {
                world: component.world.clone(),
                imports: component.allow_imports.clone(),
                limits: component.limits,
            },
            channel: component.channel.clone(),
            version: component.version.clone(),
            display_version: component.display_version.clone(),
            expires: component.expires.clone(),
            policy: component
                .policy
                .as_deref()
                .map(|policy| opened.path(policy)),
            capabilities: component.capabilities.clone(),
            budgets: component.budgets.clone(),
        }
    }
}
