//! Encrypted private keys, and the sources of the passphrase. Needs `openssl`, and uses `script` if
//! it exists.
//!
//! More than 400 lines: each source of a passphrase, with one kind of key.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use edgec_tests::strace::strace_present;
use edgec_tests::{Sandbox, binary, encrypted_key, isolate, present};

#[test]
fn openssl_opens_what_edgec_encrypts() {
    let sandbox = encrypted_key();
    let arguments = ["pkey", "-in", "secret.pem", "-passin"];
    let right = [&arguments[..], &["pass:correct horse", "-pubout"]].concat();
    assert_eq!(
        sandbox.tool("openssl", &right),
        sandbox.read("secret.pub.pem")
    );
    let wrong = Command::new("openssl")
        .current_dir(sandbox.path())
        .args([&arguments[..], &["pass:wrong"]].concat())
        .output();
    assert!(!wrong.unwrap().status.success());
    let pem = String::from_utf8(sandbox.read("secret.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
}

#[test]
fn edgec_opens_what_openssl_encrypts() {
    let sandbox = Sandbox::new();
    sandbox.hello();
    sandbox.write_secret("passphrase", "x");
    let convert = ["pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:x"];
    for scheme in [
        &["-v2", "aes-256-cbc"][..],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "aes-192-cbc", "-iter", "100000"],
        &["-v2", "aes-256-cbc", "-scrypt"],
    ] {
        let pem = sandbox.tool("openssl", &[&convert[..], scheme].concat());
        sandbox.write_secret("theirs.pem", pem);
        let sign = ["sign", "hello.cwasm", "--key", "theirs.pem"];
        sandbox.ok(&[&sign[..], &["--passphrase-file", "passphrase"]].concat());
        sandbox.ok(&["verify", "hello.cwasm", "--key", "key.pub.pem"]);
    }
    let make = ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass"];
    let pem = sandbox.tool("openssl", &[&make[..], &["pass:x"]].concat());
    sandbox.write_secret("theirs.pem", pem);
    sandbox.ok(&[
        "keys",
        "show",
        "theirs.pem",
        "--passphrase-file",
        "passphrase",
    ]);
    // edgec does not read SHA-1 and triple DES.
    for scheme in [
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"][..],
        &["-v2", "des3"],
    ] {
        let pem = sandbox.tool("openssl", &[&convert[..], scheme].concat());
        sandbox.write_secret("old.pem", pem);
        let show = ["keys", "show", "old.pem", "--passphrase-file", "passphrase"];
        let error = sandbox.fails(1, &show);
        assert!(
            error.starts_with(
                "error[secret-key]: old.pem: the private key's encryption is not supported: "
            ),
            "{error}"
        );
        assert!(error.contains("hint: encrypt it again"));
    }
    // It can be decrypted, but is a key of another algorithm.
    let other = ["genpkey", "-algorithm", "x25519", "-aes256", "-pass"];
    let pem = sandbox.tool("openssl", &[&other[..], &["pass:x"]].concat());
    sandbox.write_secret("x25519.pem", pem);
    let show = [
        "keys",
        "show",
        "x25519.pem",
        "--passphrase-file",
        "passphrase",
    ];
    let error = sandbox.fails(1, &show);
    assert!(
        error.starts_with("error[secret-key]: x25519.pem: not an Ed25519 or ML-DSA-65 private key")
    );
}

/// A file that asks for more work or memory than any real one is refused at once; otherwise this
/// test would not end.
#[test]
fn a_hostile_key_file_cannot_keep_the_machine_busy() {
    let sandbox = encrypted_key();
    let der = ["asn1parse", "-in", "secret.pem", "-noout", "-out", "der"];
    sandbox.tool("openssl", &der);
    let der = sandbox.read("der");
    // INTEGER 16384, scrypt's N, is replaced by a number that is no power of two, and by 0.
    let place = der.windows(4).position(|window| window == [2, 2, 0x40, 0]);
    let place = place.expect("scrypt's cost");
    for (cost, says) in [
        ([2, 2, 0x40, 1], "encryption is not supported"),
        ([2, 2, 0x00, 0x80], "does not open"),
    ] {
        let mut changed = der.clone();
        changed[place..place + 4].copy_from_slice(&cost);
        let error = show_der(&sandbox, &changed);
        assert!(error.contains(says), "{error}");
    }
    // p from 5 to 127 is too much work, and r from 8 to 127 is too much memory.
    let mut changed = der.clone();
    changed[place + 6] = 127;
    changed[place + 9] = 127;
    let error = show_der(&sandbox, &changed);
    assert!(error.contains("more work than edgec does"), "{error}");
}

fn show_der(sandbox: &Sandbox, der: &[u8]) -> String {
    sandbox.write("der", der);
    let base64 = sandbox.tool("openssl", &["base64", "-in", "der"]);
    let base64 = String::from_utf8(base64).unwrap();
    let label = "ENCRYPTED PRIVATE KEY-----";
    sandbox.write_secret(
        "hostile.pem",
        format!("-----BEGIN {label}\n{base64}-----END {label}\n"),
    );
    sandbox.fails(
        1,
        &[
            "keys",
            "show",
            "hostile.pem",
            "--passphrase-file",
            "passphrase",
        ],
    )
}

#[test]
fn a_passphrase_comes_from_a_file_a_variable_or_standard_input() {
    let sandbox = encrypted_key();
    sandbox.hello();
    let sign = ["sign", "hello.cwasm", "--key", "secret.pem"];
    let error = sandbox.fails(2, &sign);
    assert!(
        error.starts_with("error[no-passphrase]: secret.pem: "),
        "{error}"
    );
    assert!(error.contains("--passphrase-file") && error.contains("EDGEC_PASSPHRASE"));

    let with = |value: &str| {
        sandbox
            .command(&sign)
            .env("EDGEC_PASSPHRASE", value)
            .output()
    };
    assert!(with("correct horse").unwrap().status.success());
    let wrong = with("wrong").unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(
        error,
        "error[passphrase]: secret.pem: the passphrase does not open this private key\n  \
         more: edgec explain passphrase\n"
    );
    assert_eq!(with("").unwrap().status.code(), Some(2));

    let from_stdin = [&sign[..], &["--passphrase-file", "-"]].concat();
    let mut child = sandbox
        .command(&from_stdin)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"correct horse\n").unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    sandbox.ok(&["verify", "hello.cwasm", "--key", "secret.pub.pem"]);

    for (text, says) in [("", "is empty"), ("\n", "is empty"), ("a\nb\n", "one line")] {
        sandbox.write_secret("bad", text);
        let error = sandbox.fails(2, &[&sign[..], &["--passphrase-file", "bad"]].concat());
        assert!(
            error.starts_with("error[passphrase]: bad: ") && error.contains(says),
            "{error}"
        );
    }
    // A key that is not encrypted takes no passphrase. The variable may be meant for other keys.
    let bare = ["sign", "hello.cwasm", "--key", "key.pem"];
    let option = [&bare[..], &["--passphrase-file", "passphrase"]].concat();
    let output = sandbox.run(&option);
    assert!(output.status.success(), "{output:?}");
    let warned = String::from_utf8(output.stderr).unwrap();
    let says = "warning[not-encrypted]: key.pem: the private key is not encrypted: \
                --passphrase-file is not read\n  hint: ";
    assert!(warned.starts_with(says), "{warned}");
    // But the file must exist, and must be readable.
    for (file, exit, begins) in [
        (
            "missing",
            3,
            "error[io]: --passphrase-file: there is no such file",
        ),
        (".", 1, "error[not-a-file]: .: not a regular file"),
    ] {
        let error = sandbox.fails(exit, &[&bare[..], &["--passphrase-file", file]].concat());
        assert!(error.starts_with(begins), "{error}");
    }
    let mut variable = sandbox.command(&bare);
    let output = variable.env("EDGEC_PASSPHRASE", "correct horse").output();
    assert_eq!(output.unwrap().stderr, b"");

    let both = ["sign", "-", "-o", "x", "--key", "secret.pem"];
    let error = sandbox.fails(2, &[&both[..], &["--passphrase-file", "-"]].concat());
    assert!(error.starts_with("error[stdin]: "));
    let both = ["build", "-", "-o", "x", "-t", "x86_64", "--key", "key.pem"];
    let error = sandbox.fails(2, &[&both[..], &["--passphrase-file", "-"]].concat());
    assert!(error.starts_with("error[stdin]: "));
}

#[cfg(unix)]
#[test]
fn secrets_that_others_may_read_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = encrypted_key();
    let open = |name: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(sandbox.path().join(name), mode).unwrap();
    };
    let show = [
        "keys",
        "show",
        "secret.pem",
        "--passphrase-file",
        "passphrase",
    ];
    for mode in [0o604, 0o640, 0o620, 0o602, 0o666] {
        open("passphrase", mode);
        let error = sandbox.fails(2, &show);
        assert!(
            error.starts_with("error[secret-permissions]: passphrase: others may read"),
            "{error}"
        );
    }
    open("passphrase", 0o600);
    sandbox.ok(&show);
    open("secret.pem", 0o640);
    let error = sandbox.fails(2, &show);
    assert!(error.starts_with("error[key-permissions]: secret.pem: others may read"));
    let export = ["keys", "export", "secret.pem", "--as", "raw"];
    sandbox.fails(2, &export);
}

/// A terminal, which `script` provides, and the program on it.
struct Terminal<'a> {
    sandbox: &'a Sandbox,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// Everything that it has shown.
    shown: String,
}

impl<'a> Terminal<'a> {
    /// Runs a shell command on a terminal.
    fn start(sandbox: &'a Sandbox, line: &str) -> Self {
        let mut command = Command::new("script");
        isolate(&mut command, sandbox.path());
        // The terminal's name, for `is_silent`.
        let line = format!("tty > terminal; {line}");
        let mut child = command
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            sandbox,
            input: child.stdin.take().unwrap(),
            output: child.stdout.take().unwrap(),
            child,
            shown: String::new(),
        }
    }

    /// Waits until the terminal shows this prompt, and does not show what is typed.
    fn wait_for(&mut self, prompt: &str) {
        let mut byte = [0];
        while !(self.shown.contains(prompt) && self.shown.ends_with(": ")) {
            let read = self.output.read(&mut byte).unwrap();
            assert_eq!(read, 1, "{}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
        while !self.is_silent() {
            sleep(Duration::from_millis(5));
        }
    }

    /// Whether the terminal does not show what is typed.
    fn is_silent(&self) -> bool {
        let name = String::from_utf8(self.sandbox.read("terminal")).unwrap();
        let settings = self.sandbox.tool("stty", &["-F", name.trim(), "-a"]);
        let settings = String::from_utf8(settings).unwrap();
        settings.split_whitespace().any(|word| word == "-echo")
    }

    fn write(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// The result of the command, and everything that the terminal has shown.
    fn end(mut self) -> (ExitStatus, String) {
        self.output.read_to_string(&mut self.shown).unwrap();
        (self.child.wait().unwrap(), self.shown)
    }
}

/// The prompts of `keygen --encrypt`.
const PROMPTS: [&str; 2] = ["new passphrase of", "the same passphrase again: "];

/// edgec asks on the terminal, twice for a new key, and the terminal does not show what is typed.
#[test]
fn a_passphrase_is_asked_for_on_the_terminal() {
    if !present("script") {
        return;
    }
    let sandbox = Sandbox::new();
    let keygen = |name: &str, typed: [&str; 2]| {
        let line = format!("{} keygen --encrypt -o {name}", binary().display());
        let mut terminal = Terminal::start(&sandbox, &line);
        for (prompt, typed) in PROMPTS.into_iter().zip(typed) {
            terminal.wait_for(prompt);
            terminal.write(&format!("{typed}\n"));
        }
        let (status, shown) = terminal.end();
        (status.success(), shown)
    };
    let (done, shown) = keygen("typed.pem", ["open sesame", "open sesame"]);
    assert!(done, "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
    sandbox.write_secret("passphrase", "open sesame");
    let show = [
        "keys",
        "show",
        "typed.pem",
        "--passphrase-file",
        "passphrase",
    ];
    sandbox.ok(&show);

    let (done, shown) = keygen("other.pem", ["open sesame", "open sesam"]);
    assert!(
        !done && shown.contains("the two passphrases differ"),
        "{shown}"
    );
    assert!(!sandbox.files().contains(&"other.pem".to_owned()));
}

/// Text that is typed ahead is not shown either: the terminal stays silent from the first prompt to
/// the end of the second. `strace` makes edgec slow when it uses the terminal.
#[test]
fn a_terminal_is_silent_between_two_prompts() {
    if !present("script") || !strace_present() {
        return;
    }
    let sandbox = Sandbox::new();
    let slow = "strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:delay_exit=100000";
    let line = format!(
        "{slow} {} keygen --encrypt -o new.pem; stty -a > settings",
        binary().display()
    );
    let mut terminal = Terminal::start(&sandbox, &line);
    terminal.wait_for(PROMPTS[0]);
    terminal.write("open sesame\n");
    for moment in 0..100 {
        assert!(terminal.is_silent(), "at moment {moment}");
        if moment == 45 {
            terminal.write("open ");
        }
        sleep(Duration::from_millis(20));
    }
    terminal.wait_for(PROMPTS[1]);
    terminal.write("sesame\n");
    let (_, shown) = terminal.end();
    assert!(!shown.contains("open"), "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
    let files = sandbox.files();
    assert!(files.contains(&"new.pem".to_owned()), "{files:?}: {shown}");
    let settings = String::from_utf8(sandbox.read("settings")).unwrap();
    assert!(
        settings.split_whitespace().any(|word| word == "echo"),
        "{settings}"
    );
}

/// A signal, or Ctrl-C, ends edgec while it asks. Afterwards, the terminal shows again what is
/// typed.
#[test]
fn a_signal_at_the_prompt_leaves_a_terminal_that_shows_what_is_typed() {
    use rustix::process::{Pid, Signal, kill_process};
    if !present("script") {
        return;
    }
    let sandbox = Sandbox::new();
    // Resets signals that the tests themselves ignore, because edgec would ignore them as well.
    let default = match cfg!(target_os = "linux") {
        true => "env --default-signal",
        false => "",
    };
    let line = format!(
        "sh -c 'echo $$ > process; exec {default} {} keygen --encrypt -o new.pem'; \
         echo $? > code; stty -a > settings",
        binary().display()
    );
    let signals = [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP];
    // `None` is Ctrl-C.
    for signal in signals.map(Some).into_iter().chain([None]) {
        let mut terminal = Terminal::start(&sandbox, &line);
        terminal.wait_for(PROMPTS[0]);
        match signal {
            Some(signal) => {
                let process = String::from_utf8(sandbox.read("process")).unwrap();
                let process = Pid::from_raw(process.trim().parse().unwrap()).unwrap();
                kill_process(process, signal).unwrap();
            }
            None => terminal.write("\x03"),
        }
        let (_, shown) = terminal.end();
        let read = |name: &str| String::from_utf8(sandbox.read(name)).unwrap();
        let code: i32 = read("code").trim().parse().unwrap();
        let number = signal.unwrap_or(Signal::INT).as_raw();
        assert_eq!(code, 128 + number, "{shown}");
        let settings = read("settings");
        let has = |wanted: &str| settings.split_whitespace().any(|word| word == wanted);
        assert!(
            has("echo") && has("icanon") && has("isig"),
            "{number}: {settings}"
        );
        assert!(!sandbox.files().contains(&"new.pem".to_owned()));
    }
}
