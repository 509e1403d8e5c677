//! Reads a project, and fills in what components share.

use std::collections::BTreeSet;
use std::ops::Range;

use edgec_compiler::{Flatten, PruneImports};
use edgec_configuration::{Form, TextError, TextPlace};
use edgec_targets::{Target, default_targets};
use toml::Spanned;

use super::budget::Capabilities;
use super::error::ProjectError;
use super::file::{Entry, File, Shared};
use super::model::{Component, Project, Settings, TargetChoice};
use super::values::{
    Import, Inside, Kind, Line, Name, OfMachine, Profile, Relative, TargetName, World,
};
use super::version::{ComponentName, TextFrom};
use crate::plan::DebugFiles;

/// The only edition of the file format so far.
pub(super) const SCHEMA: u32 = 1;

const FORM: Form = Form {
    schema: SCHEMA,
    list: "component",
    nearest: edgec_targets::nearest_name,
};

/// The folder for artifacts of a project that names none.
const OUTPUT: &str = "dist";

impl Project {
    /// Reads the text of an `edgec.toml`.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] for everything that `docs/project.md` does not describe.
    pub fn from_toml(text: &str) -> Result<Self, ProjectError> {
        let File {
            project: shared,
            component: entries,
            ..
        } = FORM.read(text)?;
        let place = |span: Range<usize>| TextPlace::of(text, &span);
        if let (Some(fleet), Some(_)) = (&shared.fleet, &shared.targets) {
            let at = place(fleet.span());
            return Err(ProjectError::TwoChoices { at });
        }
        let mut names = BTreeSet::new();
        let mut components = Vec::new();
        for entry in entries {
            // Other names are known when a build begins.
            if let ComponentName(TextFrom::Here(name)) = entry.name.get_ref()
                && !names.insert(name.clone())
            {
                let (name, at) = (name.clone(), place(entry.name.span()));
                return Err(ProjectError::SameName { name, at });
            }
            if let (Some(fleet), Some(_)) = (&entry.fleet, &entry.targets) {
                let at = place(fleet.span());
                return Err(ProjectError::TwoChoices { at });
            }
            if let (Some(world), None) = (&entry.wit_world, &entry.wit) {
                let what = "this names a world in `wit`, which is missing";
                return Err(TextError::value(what, text, &world.span()).into());
            }
            components.push(component(entry, &shared));
        }
        if components.is_empty() {
            return Err(ProjectError::NoComponent);
        }
        Ok(Self {
            wasm_opt: shared.wasm_opt.map(|OfMachine(name)| name),
            provenance: shared.provenance.unwrap_or_default(),
            components,
        })
    }
}

/// A component, with what it does not say itself.
fn component(entry: Entry, shared: &Shared) -> Component {
    let ComponentName(name) = entry.name.into_inner();
    let Relative(input) = entry.input;
    let output = entry.output.or_else(|| shared.output.clone());
    let output = output.map_or_else(|| OUTPUT.to_owned(), |Inside(output)| output);
    let key = entry.key.or_else(|| shared.key.clone());
    let relative = |it: Option<Relative>| it.map(|Relative(path)| path);
    let own_fleet = relative(entry.fleet.map(Spanned::into_inner));
    let shared_fleet = || relative(shared.fleet.clone().map(Spanned::into_inner));
    let targets = match (own_fleet, entry.targets, &shared.targets) {
        (Some(fleet), ..) => TargetChoice::Fleet(fleet),
        (None, Some(targets), _) => named(targets),
        (None, None, Some(targets)) => named(targets.clone()),
        (None, None, None) => match shared_fleet() {
            Some(fleet) => TargetChoice::Fleet(fleet),
            None => TargetChoice::Named(default_targets()),
        },
    };
    let defaults = Settings::default();
    let profile = entry.profile.or(shared.profile);
    let level = entry.optimize.or(shared.optimize);
    let settings = Settings {
        kind: entry.kind.map_or(defaults.kind, |Kind(kind)| kind),
        init: entry.init.map(|Line(function)| function),
        level: level.map_or(defaults.level, |level| level.0),
        flatten: match entry.flatten.or(shared.flatten) {
            Some(false) => Flatten::Leave,
            _ => defaults.flatten,
        },
        prune_imports: match entry.prune_imports.or(shared.prune_imports) {
            Some(true) => PruneImports::Unused,
            _ => defaults.prune_imports,
        },
        spared: entry.keep_modules,
        profile: profile.map_or(defaults.profile, |Profile(profile)| profile),
        debug_files: match entry.debug_file.or(shared.debug_file) {
            Some(true) => DebugFiles::Made,
            _ => defaults.debug_files,
        },
    };
    let channel = entry.channel.or_else(|| shared.channel.clone());
    let version = entry.version.or_else(|| shared.version.clone());
    let display_version = entry.display_version;
    let display_version = display_version.or_else(|| shared.display_version.clone());
    let expires = entry.expires.or_else(|| shared.expires.clone());
    let world = entry.world.or_else(|| shared.world.clone());
    let wit_world = entry.wit_world.map(Spanned::into_inner);
    let patterns = |list: Vec<Import>| {
        let patterns = list.into_iter().map(|Import(pattern)| pattern);
        patterns.collect::<Vec<_>>()
    };
    let allow_imports = entry.allow_imports.or_else(|| shared.allow_imports.clone());
    let capabilities = entry.capabilities.or_else(|| shared.capabilities.clone());
    Component {
        name,
        input,
        wit: relative(entry.wit),
        wit_world: wit_world.map(|Line(world)| world),
        key: key.map(|OfMachine(key)| key),
        output,
        targets,
        settings,
        channel: channel.map(|Name(channel)| channel),
        version: version.map(|version| version.0),
        display_version: display_version.map(|version| version.0),
        expires: expires.map(|Line(expires)| expires),
        policy: relative(entry.policy.or_else(|| shared.policy.clone())),
        world: world.map(|World(world)| world),
        allow_imports: allow_imports.map(patterns),
        limits: entry.limits.or(&shared.limits),
        capabilities: capabilities.map(patterns).map(Capabilities),
        budgets: entry.budgets.budgets().or(&shared.budgets.budgets()),
    }
}

/// Each target once. An empty list means the default targets, as on the command line.
fn named(targets: Vec<TargetName>) -> TargetChoice {
    let mut different: Vec<&'static Target> = Vec::new();
    for TargetName(target) in targets {
        if !different.contains(&target) {
            different.push(target);
        }
    }
    TargetChoice::Named(match different.is_empty() {
        true => default_targets(),
        false => different,
    })
}
