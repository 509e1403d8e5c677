//! The examples in `--help`. A test parses each of them.

use clap::Command;

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

/// The verb, a description, and the command line.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "",
        "Build a program for x86-64 and aarch64, signed by a development key",
        "edgec build app.wasm -o out",
    ),
    (
        "",
        "Verify an artifact and run it",
        "edgec run --key release.pub.pem out/app.x86_64.cwasm",
    ),
    (
        "build",
        "For x86-64 and aarch64, into a folder, signed by your own key",
        "edgec build app.wasm --key release.pem -o out",
    ),
    (
        "build",
        "For one CPU, into a file",
        "edgec build app.wasm --target neoverse-n1 --key release.pem -o app.cwasm",
    ),
    (
        "build",
        "A release for hosts that serve requests",
        "edgec build app.wasm --profile edge --name acme/shop --app-version 7 --key release.pem -o out",
    ),
    (
        "build",
        "From a pipe; the name comes from the command line",
        "edgec build - --name app --key release.pem -o out",
    ),
    (
        "build",
        "All components of the project in this folder, four at a time",
        "edgec build -j 4",
    ),
    (
        "build",
        "One component, compared with its previous artifacts",
        "edgec build --project edgec.toml --component acme/shop --baseline previous",
    ),
    (
        "init",
        "A project for the programs of this folder",
        "edgec init",
    ),
    (
        "validate",
        "Two programs",
        "edgec validate programs/a.wasm programs/b.wasm",
    ),
    (
        "validate",
        "Everything that keeps a program from a host of wasi:http",
        "edgec validate app.wasm --world wasi:http/proxy --max-memory 64",
    ),
    (
        "keygen",
        "A key for releases, with a passphrase",
        "edgec keygen -o release.pem --encrypt",
    ),
    (
        "keys show",
        "Show the id of a key",
        "edgec keys show release.pub.pem",
    ),
    (
        "keys import",
        "A public key that OpenSSH wrote",
        "edgec keys import id_ed25519.pub -o ssh.pub.pem",
    ),
    (
        "keys export",
        "A public key as OpenSSH writes it",
        "edgec keys export release.pub.pem --as openssh",
    ),
    (
        "sign",
        "Add a second signature",
        "edgec sign app.cwasm --append --key second.pem",
    ),
    (
        "sign",
        "The first of two steps, if the key is on another machine",
        "edgec sign app.cwasm --export-pae app.pae",
    ),
    (
        "sign",
        "The second step",
        "edgec sign app.cwasm --attach app.sig --public-key release.pub.pem",
    ),
    (
        "verify",
        "Require a signature by this key, and the name of the application",
        "edgec verify --key release.pub.pem --name acme/shop app.cwasm",
    ),
    (
        "verify",
        "Verify under a trust policy",
        "edgec verify --trust edgec-trust.toml app.cwasm",
    ),
    (
        "verify",
        "Compile the program again, and compare bit for bit",
        "edgec verify --key release.pub.pem --rebuild app.wasm app.cwasm",
    ),
    (
        "sign-blob",
        "A file that is no artifact; this writes edgec.tar.gz.dsse.json",
        "edgec sign-blob edgec.tar.gz --key release.pem",
    ),
    (
        "verify-blob",
        "The same file somewhere else",
        "edgec verify-blob edgec.tar.gz --key release.pub.pem",
    ),
    (
        "verify-blob",
        "The provenance of an artifact, as other tools read it",
        "edgec verify-blob app.cwasm --bundle app.provenance.json --type https://slsa.dev/provenance/v1 --key release.pub.pem",
    ),
    (
        "audit",
        "Read the native code of an artifact",
        "edgec audit app.cwasm",
    ),
    (
        "inspect",
        "Show what an artifact states",
        "edgec inspect app.cwasm",
    ),
    (
        "inspect",
        "The same as JSON",
        "edgec inspect app.cwasm --format json",
    ),
    (
        "envelope",
        "For tools that read DSSE",
        "edgec envelope app.cwasm -o app.dsse",
    ),
    (
        "run",
        "With arguments, a folder and a variable for the program",
        "edgec run --key release.pub.pem --dir data::/data --env LANG=C app.cwasm input.txt",
    ),
    (
        "store add",
        "Keep artifacts that a policy accepts",
        "edgec store --store /var/lib/edgec add --trust edgec-trust.toml app.cwasm",
    ),
    (
        "store ls",
        "List the releases",
        "edgec store --store /var/lib/edgec ls",
    ),
    (
        "store path",
        "Print the paths of an application's images",
        "edgec store --store /var/lib/edgec path acme/shop",
    ),
    (
        "store verify",
        "Hash every image again",
        "edgec store --store /var/lib/edgec verify --trust edgec-trust.toml",
    ),
    (
        "store use",
        "Go back to version 6",
        "edgec store --store /var/lib/edgec use acme/shop --app-version 6",
    ),
    (
        "store rm",
        "Remove version 5",
        "edgec store --store /var/lib/edgec rm acme/shop --app-version 5",
    ),
    (
        "store gc",
        "Remove images without a name",
        "edgec store --store /var/lib/edgec gc",
    ),
    (
        "store plan",
        "A pool for 500 instances at one time",
        "edgec store --store /var/lib/edgec plan --instances 500",
    ),
    (
        "diff",
        "What changed between two releases",
        "edgec diff old.cwasm new.cwasm",
    ),
    (
        "symbolize",
        "The function at an address",
        "edgec symbolize app.debug app.cwasm+0x1234",
    ),
    (
        "targets",
        "The CPUs that this machine can run, best first",
        "edgec targets --host",
    ),
    (
        "host",
        "Describe this machine",
        "edgec host --save fra.toml",
    ),
    (
        "check",
        "Which hosts can load a release",
        "edgec check out/app.x86_64.cwasm out/app.aarch64.cwasm --host fra.toml ams.toml",
    ),
    (
        "policy sign",
        "With a root key",
        "edgec policy sign edgec-trust.toml --key root.pem -o edgec-trust.dsse",
    ),
    (
        "policy check",
        "Read a signed policy as a host would",
        "edgec policy check edgec-trust.dsse --root root.pub.pem",
    ),
    (
        "advisories",
        "All advisories as JSON",
        "edgec advisories --format json",
    ),
    (
        "advisories",
        "One advisory",
        "edgec advisories GHSA-mghf-wjfp-p5xm",
    ),
    (
        "explain",
        "What an error means, and what to do",
        "edgec explain image-digest",
    ),
    (
        "version",
        "The versions as JSON",
        "edgec version --format json",
    ),
    (
        "completions",
        "A script for bash, which `source` reads",
        "edgec completions bash",
    ),
    (
        "man",
        "Into the folder in which `man` finds the pages of this user",
        "edgec man ~/.local/share/man/man1",
    ),
];

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
        for group in ["keys", "store", "policy"] {
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
            let own = |id: &str| !["help", "version", "store"].contains(&id);
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
