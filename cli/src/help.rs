//! `--help`: examples for every verb, and the option that every verb has.

mod examples;

use clap::Command;

use self::examples::EXAMPLES;
use crate::color;
use crate::commands::version;

/// The command line as users meet it.
pub(crate) fn finish(command: Command) -> Command {
    let command = command.version(version::line()).color(color::of_parser());
    with_examples(with_color(command), "")
}

/// Adds `--color` to every verb except `run`: behind an artifact, it is the program's own option.
fn with_color(command: Command) -> Command {
    let verbs: Vec<String> = command
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .filter(|name| name != "run")
        .collect();
    let command = verbs.iter().fold(command, |command, verb| {
        command.mut_subcommand(verb, with_color)
    });
    command.arg(color::option())
}

/// Adds examples after the options of every verb that has examples, before any existing text. A
/// group of verbs shows the first example of each of its verbs.
fn with_examples(command: Command, path: &str) -> Command {
    let verbs: Vec<String> = command
        .get_subcommands()
        .map(|verb| verb.get_name().to_owned())
        .collect();
    let command = verbs.iter().fold(command, |command, verb| {
        let path = format!("{path} {verb}");
        command.mut_subcommand(verb, |verb| with_examples(verb, path.trim_start()))
    });
    let text = |(_, what, line): &(&str, &str, &str)| format!("  {what}:\n    {line}\n");
    let own = EXAMPLES.iter().filter(|(verb, ..)| *verb == path);
    let mut examples: Vec<String> = own.map(text).collect();
    if !path.is_empty() {
        let verbs = verbs.iter().map(|verb| format!("{path} {verb}"));
        let first = |path: String| EXAMPLES.iter().find(|(verb, ..)| *verb == path);
        examples.extend(verbs.filter_map(first).map(text));
    }
    if examples.is_empty() {
        return command;
    }
    let before = command.get_after_long_help().or(command.get_after_help());
    let before = before.map(|text| format!("\n{text}"));
    let examples = examples.join("\n");
    command.after_long_help(format!(
        "Examples:\n{examples}{}",
        before.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    /// Every verb that is not a group, with its path.
    fn verbs(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        if !command.has_subcommands() {
            found.push((path.trim_start().to_owned(), command.clone()));
        }
        for verb in command
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help")
        {
            verbs(verb, &format!("{path} {}", verb.get_name()), found);
        }
    }

    #[test]
    fn every_verb_has_examples_that_are_accepted() {
        let mut found = Vec::new();
        verbs(&command(), "", &mut found);
        for (verb, _) in &found {
            assert!(EXAMPLES.iter().any(|(of, ..)| of == verb), "{verb}");
        }
        for (verb, _, line) in EXAMPLES {
            let known = verb.is_empty() || found.iter().any(|(of, _)| of == verb);
            assert!(known, "there is no verb {verb}");
            let words = shlex::split(line).unwrap();
            let accepted = command().try_get_matches_from(words);
            assert!(accepted.is_ok(), "{line}: {}", accepted.unwrap_err());
        }
    }

    #[test]
    fn groups_of_verbs_have_an_example_of_each() {
        let mut command = command();
        for group in ["keys", "store", "policy", "cache"] {
            let group = command.find_subcommand_mut(group).unwrap();
            let verbs: Vec<String> = group
                .get_subcommands()
                .map(|verb| verb.get_name().to_owned())
                .filter(|verb| verb != "help")
                .collect();
            let help = group.render_long_help().to_string();
            for verb in verbs {
                let path = format!("{} {verb}", group.get_name());
                let example = EXAMPLES.iter().find(|(of, ..)| *of == path).unwrap();
                assert!(help.contains(example.2), "{path}: {help}");
            }
        }
    }

    /// A verb with many options groups them under headings. The same option has the same heading
    /// everywhere.
    #[test]
    fn options_have_headings() {
        let mut found = Vec::new();
        verbs(&command(), "", &mut found);
        for (verb, command) in &found {
            // Every verb, or every verb of a group, has these.
            let own = |id: &str| !["help", "version", "color", "store"].contains(&id);
            let options = command
                .get_opts()
                .filter(|option| own(option.get_id().as_str()));
            let options: Vec<_> = options.collect();
            let headed = options.iter().filter(|it| it.get_help_heading().is_some());
            let headed = headed.count();
            assert!(
                headed == 0 || headed == options.len(),
                "{verb}: some options have no heading"
            );
            assert!(
                options.len() < 10 || headed > 0,
                "{verb} has many options and no headings"
            );
            for option in &options {
                let long = option.get_long().unwrap_or_default();
                let heading = option.get_help_heading();
                for (names, wanted) in HEADINGS {
                    if names.contains(&long) && headed > 0 {
                        assert_eq!(heading, Some(*wanted), "{verb} --{long}");
                    }
                }
            }
        }
    }

    const HEADINGS: &[(&[&str], &str)] = &[
        (
            &["format", "quiet", "verbose", "output", "debug-file"],
            "Output",
        ),
        (
            &["passphrase-file", "signer", "public-key", "pkcs11-module"],
            "Who signs",
        ),
        (&["trust", "root", "trust-state"], "Trust"),
        (
            &["compile-timeout", "optimizer-timeout", "worker-memory"],
            "Limits and tools",
        ),
    ];
}
