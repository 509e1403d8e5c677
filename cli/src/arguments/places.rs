//! Says what each argument on the command line is for, and which verb the arguments name, from the
//! parser's own description. An option takes words unless the name of its value says that it takes
//! a file.

use std::ffi::OsString;

use clap::{Arg, Command};

/// What an argument is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file's name, or possibly one.
    File,
    /// A name or a text that the user chooses: 64 hexadecimal digits may be a digest.
    Name,
    /// A word, a number or a time that edgec knows. No such value looks like bytes.
    Word,
    /// Numbers, separated by commas.
    Numbers,
    /// The name of a variable. A value may follow after `=`, which belongs to the program.
    Variable,
    /// A program and its arguments.
    Command,
    /// An argument after the artifact of `run`. It belongs to the program that runs, or is an
    /// option of `run` in the wrong place.
    Argument,
    /// An argument after the artifact of `run` and after `--`. It belongs to the program that runs.
    Program,
}

/// Where an argument stands.
pub(super) struct Place<'a> {
    pub(super) kind: Kind,
    /// The option that this argument is or belongs to, without the dashes.
    pub(super) option: Option<&'a str>,
    /// Where the value begins, in bytes.
    begin: usize,
}

impl Place<'_> {
    pub(super) fn value<'a>(&self, argument: &'a [u8]) -> &'a [u8] {
        argument.get(self.begin..).unwrap_or_default()
    }
}

/// The place of each argument. If it is unclear, as after a misspelled option, the argument counts
/// as a file's name.
pub(super) fn places<'a>(command: &'a Command, arguments: &[OsString]) -> Vec<Place<'a>> {
    Walk::new(command, arguments).all(arguments)
}

/// The program and the verb that the arguments name, such as `edgec store add`.
pub(crate) fn verb(command: &Command, arguments: &[OsString]) -> String {
    let mut walk = Walk::new(command, arguments);
    walk.all(arguments);
    walk.path.join(" ")
}

/// The command line in the form that the parser takes, with the program's own name. If the first
/// argument for `run`'s program begins with a dash, `--` is added before it. Otherwise the parser
/// would take `--help` for itself.
pub(crate) fn for_parser(command: &Command, given: &[OsString]) -> Vec<OsString> {
    let arguments = given.get(1..).unwrap_or_default();
    let places = places(command, arguments);
    let first = places.iter().position(|it| it.kind == Kind::Argument);
    let mut line = given.to_vec();
    if let Some(first) = first
        && let Some(argument) = arguments.get(first)
        && argument.as_encoded_bytes().starts_with(b"-")
    {
        line.insert(first + 1, "--".into());
    }
    line
}

/// What the arguments so far say about the next one.
struct Walk<'a> {
    verb: &'a Command,
    /// The names of the program and of the verbs so far.
    path: Vec<&'a str>,
    /// Options of the outer verbs, which may follow the verb.
    around: Vec<&'a Arg>,
    /// The option that waits for its value.
    waiting: Option<&'a Arg>,
    /// After `--`, no argument is an option.
    behind: bool,
    /// After an unknown option, which may have been meant to take a value.
    misspelled: bool,
    positionals: usize,
    /// Whether `run` takes its program from a store.
    by_name: bool,
}

impl<'a> Walk<'a> {
    fn new(command: &'a Command, arguments: &[OsString]) -> Self {
        Self {
            verb: command,
            path: vec![command.get_name()],
            around: Vec::new(),
            waiting: None,
            behind: false,
            misspelled: false,
            positionals: 0,
            by_name: takes_from_store(arguments),
        }
    }

    fn all(&mut self, arguments: &[OsString]) -> Vec<Place<'a>> {
        let texts = arguments.iter().map(|argument| argument.to_string_lossy());
        texts.map(|text| self.step(&text)).collect()
    }

    fn step(&mut self, text: &str) -> Place<'a> {
        if self.behind {
            return self.positional();
        }
        if let Some(option) = self.waiting.take() {
            return of_value(option, 0);
        }
        if text == "--" {
            self.behind = true;
            return place(Kind::Word);
        }
        if let Some(found) = option(self.verb, &self.around, text) {
            let mut place = of_value(found.option, found.begin);
            if found.option.get_action().takes_values() && found.is_bare {
                self.waiting = Some(found.option);
                place.kind = Kind::Word;
            }
            return place;
        }
        if text.starts_with('-') && text != "-" {
            // After the artifact of `run`, an argument belongs to the program.
            if self.is_of_program() {
                return place(Kind::Argument);
            }
            self.misspelled = true;
            return place(Kind::Word);
        }
        let subcommand = self.verb.find_subcommand(text);
        if let Some(found) = subcommand.filter(|_| self.positionals == 0) {
            let options = self.verb.get_arguments();
            self.around.extend(options.filter(|it| it.is_global_set()));
            self.verb = found;
            self.path.push(found.get_name());
            return place(Kind::Word);
        }
        self.positional()
    }

    fn is_of_program(&self) -> bool {
        self.verb.get_name() == "run" && self.positionals > 0
    }

    /// An argument without an option. For most verbs of `store`, it is the name of an application.
    /// The same applies to `run` if it takes its program from a store.
    fn positional(&mut self) -> Place<'a> {
        let others = self.positionals;
        let kind = match self.is_of_program() {
            // The artifact may stand after `--` as well.
            true if self.behind => Kind::Program,
            true => Kind::Argument,
            false => {
                let mut known = self.verb.get_positionals().skip(others);
                let application = known.next().is_some_and(|it| it.get_id() == "application");
                let named = application || (self.verb.get_name() == "run" && self.by_name);
                match named && !self.misspelled {
                    true => Kind::Name,
                    false => Kind::File,
                }
            }
        };
        self.positionals += 1;
        place(kind)
    }
}

fn place(kind: Kind) -> Place<'static> {
    Place {
        kind,
        option: None,
        begin: 0,
    }
}

/// The option with which an argument begins.
struct Found<'a> {
    option: &'a Arg,
    /// Where the option's value would begin.
    begin: usize,
    /// Whether nothing follows the option's name.
    is_bare: bool,
}

fn option<'a>(verb: &'a Command, around: &[&'a Arg], text: &str) -> Option<Found<'a>> {
    let mut options = verb.get_arguments().chain(around.iter().copied());
    if let Some(long) = text.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        return Some(Found {
            option: options.find(|option| option.get_long() == Some(name))?,
            begin: "--=".len() + name.len(),
            is_bare: name.len() == long.len(),
        });
    }
    let short = text.strip_prefix('-')?.chars().next()?;
    let option = options.find(|option| option.get_short() == Some(short))?;
    let begin = "-".len() + short.len_utf8();
    let equals = text.get(begin..).is_some_and(|rest| rest.starts_with('='));
    Some(Found {
        option,
        begin: begin + usize::from(equals),
        is_bare: begin >= text.len(),
    })
}

/// The place of an option's value, from the value's name in the help.
fn of_value(option: &Arg, begin: usize) -> Place<'_> {
    let names = option.get_value_names().unwrap_or_default();
    let any = |wanted: &[&str]| {
        let mut names = names.iter();
        names.any(|name| wanted.iter().any(|part| name.contains(part)))
    };
    let files = [
        "FILE",
        "DIR",
        "PUBLIC_KEY",
        "ARTIFACT",
        "PROGRAM",
        "INPUT",
        "HOST",
    ];
    let kind = match option.get_id().as_str() {
        "keep_modules" => Kind::Numbers,
        "env" => Kind::Variable,
        // A revision may be a digest.
        "name" | "channel" | "components" | "display_version" | "source_revision" => Kind::Name,
        _ if any(&["KEY_ID", "LABEL"]) => Kind::Name,
        _ if any(&["COMMAND"]) => Kind::Command,
        _ if any(&files) => Kind::File,
        _ => Kind::Word,
    };
    Place {
        kind,
        option: option.get_long(),
        begin,
    }
}

/// Whether `--store` is among the options.
fn takes_from_store(arguments: &[OsString]) -> bool {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    options.any(|argument| {
        let bytes = argument.as_encoded_bytes();
        bytes == b"--store" || bytes.starts_with(b"--store=")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    fn kinds(line: &[&str]) -> Vec<Kind> {
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        let command = command();
        let places = places(&command, &arguments);
        places.into_iter().map(|place| place.kind).collect()
    }

    /// Only arguments after the artifact of `run` belong to the program.
    #[test]
    fn behind_two_dashes_the_artifact_of_run_comes_first() {
        use Kind::{Argument, File, Name, Program};
        for (line, last) in [
            (&["run", "--", "x"][..], File),
            (&["run", "--key", "k.pub.pem", "--", "x"], File),
            (
                &["run", "--key", "k.pub.pem", "--", "app.cwasm", "x"],
                Program,
            ),
            (&["run", "--", "app.cwasm", "--", "x"], Program),
            (&["run", "app.cwasm", "--", "x"], Program),
            (&["run", "-", "--", "x"], Program),
            (&["run", "app.cwasm", "x"], Argument),
            (&["run", "app.cwasm", "--unknown", "x"], Argument),
            (&["run", "app.cwasm", "--unknown=x"], Argument),
            (&["run", "x"], File),
            (&["run", "--store", "s", "x"], Name),
            (&["run", "--store=s", "--", "x"], Name),
            (&["run", "x", "--store=s"], File),
            (&["build", "--", "x"], File),
            (&["build", "app.wasm", "--", "--key"], File),
            (&["store", "path", "--", "x"], Name),
            (&["store", "rm", "x"], Name),
            (&["symbolize", "x"], File),
        ] {
            assert_eq!(kinds(line).last().copied(), Some(last), "{line:?}");
        }
    }

    #[test]
    fn the_program_s_help_is_not_the_parser_s() {
        for (line, taken) in [
            ("run app.cwasm --help", "run app.cwasm -- --help"),
            ("run app.cwasm -h", "run app.cwasm -- -h"),
            (
                "run app.cwasm --nonsense x",
                "run app.cwasm -- --nonsense x",
            ),
            (
                "run app.cwasm --dir d --help",
                "run app.cwasm --dir d -- --help",
            ),
            ("run --store s app --help", "run --store s app -- --help"),
            // Arguments that already belong to the program, and arguments that do not.
            ("run app.cwasm x --help", "run app.cwasm x --help"),
            ("run app.cwasm -- --help", "run app.cwasm -- --help"),
            ("run -- app.cwasm --help", "run -- app.cwasm --help"),
            ("run --help", "run --help"),
            ("run --help app.cwasm", "run --help app.cwasm"),
            ("run --key k app.cwasm", "run --key k app.cwasm"),
            ("run app.cwasm --key --help", "run app.cwasm --key --help"),
            ("build app.wasm --help", "build app.wasm --help"),
        ] {
            let given: Vec<OsString> = format!("edgec {line}").split(' ').map(Into::into).collect();
            let wanted: Vec<OsString> = format!("edgec {taken}")
                .split(' ')
                .map(Into::into)
                .collect();
            assert_eq!(for_parser(&command(), &given), wanted);
        }
        assert_eq!(for_parser(&command(), &[]), Vec::<OsString>::new());
    }

    #[test]
    fn a_value_is_no_verb() {
        for (line, wanted) in [
            ("store --store store add --nonsense", "edgec store add"),
            ("store --store add ls --nonsense", "edgec store ls"),
            ("store --store=add ls", "edgec store ls"),
            ("build store", "edgec build"),
            ("build --name verify a.wat", "edgec build"),
            ("run --store s verify", "edgec run"),
            ("keys show verify", "edgec keys show"),
            ("nonsense build", "edgec"),
            ("--format json build", "edgec"),
            ("-- build", "edgec"),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(verb(&command(), &arguments), wanted, "{line}");
        }
    }

    #[test]
    fn what_an_option_takes_follows_from_its_description() {
        use Kind::{Command, File, Name, Numbers, Variable, Word};
        for (line, last) in [
            (&["build", "--target", "x"][..], Word),
            (&["build", "-Ox"], Word),
            (&["build", "--issued=x"], Word),
            (&["build", "--format", "x"], Word),
            (&["build", "--signer", "x"], Command),
            (&["build", "--keep-module", "x"], Numbers),
            (&["build", "--wasm-opt", "x"], File),
            (&["build", "-o", "x"], File),
            (&["build", "--name", "x"], Name),
            (&["build", "--component", "x"], Name),
            (&["build", "--project", "x"], File),
            (&["build", "--baseline", "x"], File),
            (&["build", "-j", "x"], Word),
            (&["build", "--name=", "x"], File),
            (&["build", "--quiet", "x"], File),
            (&["build", "--quiet=x"], Word),
            (&["sign", "a.cwasm", "--remove", "x"], Name),
            (&["run", "--env", "x"], Variable),
            (&["run", "--dir", "x"], File),
            (&["build", "--unknown=x"], Word),
            (&["run", "--unknown=x"], Word),
            (&["store", "rm", "app", "x"], File),
            (&["store", "rm", "--unknown", "x"], File),
            (&["store", "x"], File),
            (&["x"], File),
        ] {
            assert_eq!(kinds(line).last().copied(), Some(last), "{line:?}");
        }
    }
}
