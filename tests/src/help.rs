//! The verbs, options and arguments of the command line, read from its help.

use crate::Sandbox;

/// An option that takes a value, or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `--name`.
    Long(String),
    /// `-n`.
    Short(String),
    /// An argument without an option.
    Positional,
}

/// A verb, with its options and arguments.
#[derive(Clone, Debug)]
pub struct Verb {
    /// Its name, after the names of the verbs that it belongs to.
    pub path: Vec<String>,
    /// Its options and arguments, each with the name of the value in the help.
    pub places: Vec<(Place, String)>,
}

impl Verb {
    /// A command line of the verb, with these arguments.
    pub fn line(&self, arguments: &[&str]) -> Vec<String> {
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        self.path.iter().cloned().chain(arguments).collect()
    }
}

/// Every verb in the help.
pub fn verbs(sandbox: &Sandbox) -> Vec<Verb> {
    let mut found = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = sandbox.ok(&arguments);
        let mut verb = Verb {
            path: path.clone(),
            places: Vec::new(),
        };
        let mut section = "";
        for line in help.lines() {
            let text = line.trim();
            if !line.starts_with(' ') {
                section = text;
            } else if section == "Commands:" && line.starts_with("  ") && !line.starts_with("   ") {
                let name = text.split(' ').next().unwrap();
                if name != "help" {
                    waiting.push([&path[..], &[name.to_owned()]].concat());
                }
            } else if text.starts_with('-') && text.contains('<') {
                let names = text.split('<').next().unwrap();
                let names = names
                    .split([' ', ',', '=', '['])
                    .filter(|name| name.len() > 1);
                let value = text.split('<').nth(1).unwrap_or_default().to_owned();
                verb.places
                    .extend(names.map(|name| match name.starts_with("--") {
                        true => (Place::Long(name.to_owned()), value.clone()),
                        false => (Place::Short(name.to_owned()), value.clone()),
                    }));
            } else if section == "Arguments:" && text.starts_with(['<', '[']) {
                let value = text.split(['>', ']']).next().unwrap_or_default().to_owned();
                verb.places.push((Place::Positional, value));
            }
        }
        found.push(verb);
    }
    found
}
