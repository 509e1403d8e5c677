//! The progress of a long build. A terminal shows a line that is removed before anything else is
//! printed. Other outputs get one plain line every ten seconds. `script` provides the terminal.
#![cfg(unix)]

use std::process::{Command, Stdio};

use edgec_tests::{Sandbox, binary, isolate, present};

fn sandbox(body: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["a.wat", "b.wat"] {
        sandbox.write(name, "(module (func (export \"f\")))");
    }
    sandbox.fake_optimizer(body);
    sandbox
}

const BUILD: &str = "build a.wat b.wat --key key.pem -o out -O2 --wasm-opt ./wasm-opt";

/// Everything that edgec sends to a terminal.
fn on_terminal(sandbox: &Sandbox, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new("script");
    isolate(&mut command, sandbox.path());
    let line = format!("stty cols 160 rows 50; {} {BUILD}", binary().display());
    command
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    command.env("TERM", "xterm-256color");
    for (name, value) in environment {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// The final content of a terminal. This emulates only the sequences that are needed here.
fn screen(sent: &str) -> Vec<String> {
    let mut rows: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut characters = sent.chars();
    while let Some(c) = characters.next() {
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                rows.resize(rows.len().max(row + 1), Vec::new());
            }
            '\u{1b}' => {
                assert_eq!(characters.next(), Some('['), "another sequence: {sent:?}");
                let mut number = String::new();
                let last = loop {
                    match characters.next().unwrap() {
                        c if c.is_ascii_digit() || c == '?' || c == ';' => number.push(c),
                        c => break c,
                    }
                };
                match (number.as_str(), last) {
                    ("2", 'K') => rows[row].clear(),
                    ("" | "0", 'K') => rows[row].truncate(column),
                    ("" | "0", 'J') => {
                        rows.truncate(row + 1);
                        rows[row].truncate(column);
                    }
                    (number, 'A') => row -= number.parse::<usize>().unwrap_or(1),
                    (number, 'B') => row += number.parse::<usize>().unwrap_or(1),
                    (number, 'D') => column -= column.min(number.parse().unwrap_or(1)),
                    (_, 'G') => column = 0,
                    // Colours, and the visibility of the cursor.
                    (_, 'm' | 'h' | 'l') => {}
                    other => panic!("another sequence {other:?}: {sent:?}"),
                }
            }
            c => {
                let line = &mut rows[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
    }
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().collect::<String>());
    rows.map(|row| row.trim_end().to_owned()).collect()
}

#[test]
fn a_terminal_shows_each_step_and_keeps_none() {
    if !present("script") {
        return;
    }
    let sandbox = sandbox("sleep 0.5; cat");
    let sent = on_terminal(&sandbox, &[]);
    for name in ["a", "b"] {
        let step = format!("{name}: [2/5] optimizing core module 0");
        assert!(sent.contains(&step), "{sent:?}");
    }
    let screen = screen(&sent);
    let shown = screen.join("\n");
    assert!(!shown.contains("/5]"), "{shown}");
    let begins = |begin: &str| screen.iter().filter(|line| line.starts_with(begin)).count();
    for line in ["a.wat (", "b.wat (", "signed by key "] {
        assert_eq!(begins(line), 1, "{shown}");
    }
    assert_eq!(begins("  optimize"), 2, "{shown}");
    assert!(screen[0].starts_with("a.wat ("), "{shown}");
    // The screen shows nothing else.
    let known = [
        "a.wat",
        "b.wat",
        "  validate",
        "  optimize",
        "  x86_64",
        "  aarch64",
        "signed",
    ];
    let known = |line: &String| line.is_empty() || known.iter().any(|it| line.starts_with(it));
    assert!(screen.iter().all(known), "{shown}");
}

#[test]
fn no_control_characters_if_the_environment_forbids_them() {
    if !present("script") {
        return;
    }
    let sandbox = sandbox("cat");
    for environment in [("TERM", "dumb"), ("TERM", ""), ("CI", "true")] {
        let sent = on_terminal(&sandbox, &[environment]);
        let control = |c: char| c.is_control() && !matches!(c, '\r' | '\n');
        assert!(!sent.contains(control), "{environment:?}: {sent:?}");
        assert!(
            !sent.replace("\r\n", "").contains('\r'),
            "{environment:?}: {sent:?}"
        );
    }
    // The messages of the command-line parser have no control characters either.
    let mut command = Command::new("script");
    isolate(&mut command, sandbox.path());
    let line = format!("{0} build; {0} --help; true", binary().display());
    command
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    let output = command.env("TERM", "dumb").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_log_has_a_line_every_ten_seconds() {
    let sandbox = sandbox("sleep 11; cat");
    let build: Vec<&str> = BUILD.split(' ').filter(|it| *it != "b.wat").collect();
    let begin = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let start = |more: &[&str]| begin(&[&build[..], more].concat());
    // The short core module may begin last, together with the long one.
    let long = "(func (export \"f\") nop nop nop nop)".replace("nop", "(drop (i32.const 1))");
    let two = format!(
        "(component (core module $long {long}) (core module $short (func (export \"f\")))
            (core instance (instantiate $long)) (core instance (instantiate $short)))"
    );
    sandbox.write("two.wat", two);
    let two: Vec<&str> = build
        .iter()
        .map(|it| match *it {
            "a.wat" => "two.wat",
            it => it,
        })
        .collect();
    // All run at the same time, because they only wait.
    let (told, quiet, two) = (start(&[]), start(&["-q", "-t", "x86_64"]), begin(&two));
    let two = two.wait_with_output().unwrap();
    let stderr = String::from_utf8(two.stderr).unwrap();
    assert!(two.status.success(), "{stderr}");
    assert!(
        stderr.starts_with("two: [2/5] optimizing core module 0 ("),
        "{stderr}"
    );
    let told = told.wait_with_output().unwrap();
    let stderr = String::from_utf8(told.stderr).unwrap();
    assert!(told.status.success(), "{stderr}");
    assert!(
        stderr.starts_with("a: [2/5] optimizing core module 0 ("),
        "{stderr}"
    );
    assert!(stderr.ends_with(" s)\n"), "{stderr}");
    assert!(!stderr.contains(['\u{1b}', '\r']), "{stderr:?}");
    let quiet = quiet.wait_with_output().unwrap();
    assert!(
        quiet.status.success() && quiet.stderr.is_empty(),
        "{quiet:?}"
    );
}
