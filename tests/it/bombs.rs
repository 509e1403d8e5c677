//! Untrusted files cost bounded memory, time and output in every verb that reads them: one long
//! name that many entries repeat, many entries, one wide cell among narrow ones, and deep nesting.
//! Policies and fleets are among the files.
//!
//! Each verb runs as the real binary. All its processes together take at most 256 MiB. Each process
//! may use a minute of processor time, and write 80 MiB to a file. The test asserts the bounds of
//! the output.
#![cfg(target_os = "linux")]

use std::process::Command;

use edgec_artifact::{LimitRange, Stage};
use edgec_tests::corpus::debug_file::{debug_file, growing_name};
use edgec_tests::corpus::{Forge, Host, Trust, material};
use edgec_tests::{Sandbox, binary, isolate, tree};

/// More output than any of these verbs prints about a file of a megabyte or two.
const MUCH: usize = 16 << 20;
/// The memory limit of all processes of a verb together, in bytes.
const MEMORY: u64 = 256 << 20;

/// How a verb ended.
struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs a verb within the limits. Gives it a log if it reads one. The sum of memory is sampled, so
/// each process also has a limit, which holds between two samples.
fn run(sandbox: &Sandbox, arguments: &[&str], log: &[u8]) -> Ended {
    sandbox.write("log", log);
    // The unit of `-f` is 512 bytes in some shells, and 1024 in others.
    let script = format!(
        "ulimit -d 262144; ulimit -t 60; ulimit -f 163840; exec {} \"$@\" < log > out 2> err",
        binary().display()
    );
    let mut shell = Command::new("sh");
    isolate(&mut shell, sandbox.path());
    let ended = tree::run(shell.args(["-c", &script, "sh"]).args(arguments));
    assert!(ended.peak <= MEMORY, "{arguments:?}: {} bytes", ended.peak);
    Ended {
        code: ended.status.code(),
        stdout: sandbox.read("out"),
        stderr: String::from_utf8_lossy(&sandbox.read("err")).into_owned(),
    }
}

/// Two processes of 60 MB each take more than 110 MB.
#[test]
fn the_memory_of_all_processes_is_measured() {
    let script = "one() { (head -c 60000000 /dev/zero; sleep 1) | tail -c 60000000 > /dev/null; }
        one & one & wait";
    let ended = tree::run(Command::new("sh").args(["-c", script]));
    assert!(ended.status.success());
    let range = 110_000_000..MEMORY;
    assert!(range.contains(&ended.peak), "{}", ended.peak);
}

/// Every verb that reads an artifact, in both formats, with its exit code for a genuine one. `diff`
/// compares the artifact with another one.
fn verbs() -> Vec<(Vec<&'static str>, i32)> {
    let verbs: [(&[&str], i32); 5] = [
        (&["inspect", "bomb.cwasm"], 0),
        (&["diff", "bomb.cwasm", "hello.cwasm"], 4),
        (&["audit", "bomb.cwasm"], 0),
        (&["check", "bomb.cwasm"], 0),
        (&["verify", "--key", "key.pub.pem", "bomb.cwasm"], 0),
    ];
    let both = verbs.into_iter().flat_map(|(verb, code)| {
        let json = [verb, &["--format", "json"]].concat();
        [(verb.to_vec(), code), (json, code)]
    });
    both.collect()
}

/// Gives an artifact to every verb. The verb ends as with a genuine artifact, or with an error of
/// this code.
fn all_verbs(what: &str, file: &[u8], error: Option<&str>) {
    let host = Host::new(&Trust::Signer);
    host.sandbox.write("bomb.cwasm", file);
    host.sandbox.write("hello.cwasm", &material().hello);
    for (arguments, code) in verbs() {
        let ended = run(&host.sandbox, &arguments, b"");
        let begin: String = ended.stderr.chars().take(500).collect();
        let title = format!("{what}, {arguments:?}: {:?}, {begin}", ended.code);
        let code = if error.is_some() { 1 } else { code };
        assert_eq!(ended.code, Some(code), "{title}");
        if let Some(error) = error {
            let begins = format!("error[{error}]: ");
            assert!(ended.stderr.contains(&begins), "{title}");
        }
        let (out, err) = (ended.stdout.len(), ended.stderr.len());
        assert!(out < MUCH && err < 1 << 18, "{title}: {out} and {err}");
    }
}

fn stage(name: &str, settings: impl IntoIterator<Item = (String, String)>) -> Stage {
    Stage::new(name, "tool", "1", settings.into_iter().collect())
}

/// This many settings with short names and without values.
fn settings(count: usize) -> impl Iterator<Item = (String, String)> {
    (0..count).map(|number| (format!("s{number}"), String::new()))
}

#[test]
fn one_long_name_of_many_entries() {
    let forge = Forge::of(material());
    let long = "n".repeat(1 << 20);
    let file = forge.with_manifest(|manifest| {
        manifest.builder.stages.push(stage(&long, settings(9000)));
    });
    all_verbs("a stage of a long name with many settings", &file, None);
}

#[test]
fn many_entries() {
    let forge = Forge::of(material());
    let names = || (0..200_000).map(|number| format!("i{number}"));
    let file = forge.with_manifest(|manifest| {
        manifest.capabilities.imports = names().collect();
    });
    all_verbs("200,000 imports", &file, None);

    let host = Host::new(&Trust::Signer);
    host.sandbox.write("bomb.cwasm", &file);
    host.sandbox.write("hello.cwasm", &material().hello);
    let text = host.sandbox.ok(&["inspect", "bomb.cwasm"]);
    assert!(text.contains("and 199000 more (--format json)"));
    let text = host.sandbox.run(&["diff", "bomb.cwasm", "hello.cwasm"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("more differences, which are not listed"));

    // The most expensive content for its length is refused by verbs that decode it.
    let sandbox = &host.sandbox;
    let fields: [(&str, Vec<u8>); 3] = [
        (
            "diff",
            forge.with_manifest(|manifest| {
                let stages = (0..25_000).map(|number| stage(&number.to_string(), []));
                manifest.builder.stages = stages.collect();
            }),
        ),
        (
            "diff",
            forge.with_manifest(|manifest| {
                let limit = LimitRange::new(0, None);
                manifest.resources.memories = vec![limit; 100_000];
            }),
        ),
        (
            "check",
            forge.with_manifest(|manifest| {
                manifest.wasm_features = names().collect();
            }),
        ),
    ];
    for (verb, file) in fields {
        sandbox.write("bomb.cwasm", &file);
        let other: &[&str] = if verb == "diff" {
            &["hello.cwasm"]
        } else {
            &[]
        };
        let ended = run(sandbox, &[&[verb, "bomb.cwasm"][..], other].concat(), b"");
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.starts_with("error[statement]: bomb.cwasm: "));
        assert!(ended.stdout.len() < MUCH && ended.stderr.len() < 1000);
    }
}

#[test]
fn one_wide_cell_among_many() {
    let forge = Forge::of(material());
    let wide = ("wide".to_owned(), "w".repeat(1 << 20));
    let file = forge.with_manifest(|manifest| {
        let settings = settings(9000).chain([wide]);
        manifest.builder.stages.push(stage("wide", settings));
    });
    all_verbs("one wide setting among many", &file, None);
}

#[test]
fn deep_nesting() {
    let forge = Forge::of(material());
    let payload = String::from_utf8(forge.payload.clone()).unwrap();
    let fields = payload.strip_suffix("}}").unwrap();
    let extended = |value: &str| {
        let payload = format!(r#"{fields},"extensions":{{"x":{value}}}}}}}"#);
        forge.with_payload(payload.as_bytes())
    };
    for depth in [100, 100_000, 1_000_000] {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let what = format!("extensions {depth} deep");
        all_verbs(&what, &extended(&value), Some("statement"));
    }
    let objects = vec![r#"{"":0}"#; 300_000].join(",");
    let file = extended(&format!("[{objects}]"));
    all_verbs("300,000 objects in extensions", &file, Some("statement"));
}

/// An artifact's statements are repeated for every host of a fleet.
#[test]
fn one_long_name_for_many_hosts() {
    let forge = Forge::of(material());
    let file = forge.with_manifest(|manifest| {
        manifest.engine.profile = "p".repeat(1 << 20);
    });
    let host = Host::new(&Trust::Signer);
    host.sandbox.write("bomb.cwasm", &file);
    let mut fleet = "schema = 1\n".to_owned();
    for number in 0..500 {
        fleet.push_str(&format!(
            "[[host]]\nname = 'h{number}'\narch = '{}'\nfeatures = []\nengine = '48.0.8'\nprofiles = ['edge']\n",
            std::env::consts::ARCH
        ));
    }
    host.sandbox.write("fleet.toml", fleet);
    for format in ["text", "json"] {
        let arguments = ["check", "bomb.cwasm", "--fleet", "fleet.toml", "--format"];
        let arguments = [&arguments[..], &[format]].concat();
        let ended = run(&host.sandbox, &arguments, b"");
        assert_eq!(ended.code, Some(1), "{format}");
        assert!(ended.stderr.starts_with("error[no-fit]: h0: "), "{format}");
        assert!(ended.stdout.len() < MUCH, "{}", ended.stdout.len());
    }
}

/// Symbolizes addresses, or a log.
fn symbolize(debug: &[u8], addresses: &[String], log: &[u8]) -> Ended {
    let sandbox = Sandbox::empty();
    sandbox.write("bomb.debug", debug);
    let addresses = addresses.iter().map(String::as_str);
    let arguments: Vec<&str> = ["symbolize", "bomb.debug"]
        .into_iter()
        .chain(addresses)
        .collect();
    run(&sandbox, &arguments, log)
}

#[test]
fn symbolize_one_long_name_for_many_lines() {
    let name = growing_name();
    let functions = (0..1000).map(|module| format!("wasm[{module}]::function[0]::{name}"));
    let debug = debug_file(&[], &functions.collect::<Vec<_>>());
    let line = "  0: <unknown>!<wasm function 0>\n";
    let ended = symbolize(&debug, &[], line.as_bytes());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(text.ends_with("(core module 15, function 0) or 984 others\n"));
    // Each of 16 names is cut. A name that did not grow would be shorter.
    let expected = 16 * 4096..80_000;
    assert!(expected.contains(&text.len()), "{}", text.len());

    let log = line.repeat(5000);
    let ended = symbolize(&debug, &[], log.as_bytes());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.starts_with("error[names]: "),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.len() < 70 << 20, "{}", ended.stdout.len());
    // Nothing of the log is lost.
    assert!(ended.stdout.ends_with(line.as_bytes()));
    let lines = ended.stdout.iter().filter(|byte| **byte == b'\n');
    assert_eq!(lines.count(), 5000);

    let address = "text+0x0".to_owned();
    let ended = symbolize(&debug, &vec![address; 5000], b"");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("error[names]: text+0x0: "));
    assert!(ended.stdout.len() < MUCH, "{}", ended.stdout.len());
}

#[test]
fn symbolize_one_long_module_name_of_many_functions() {
    let module = "m".repeat(4000);
    let functions = (0..50_000).map(|index| format!("wasm[7]::function[{index}]"));
    let debug = debug_file(&[(7, &module)], &functions.collect::<Vec<_>>());
    let addresses: Vec<String> = (0..5000).map(|at| format!("text+{at:#x}")).collect();
    let ended = symbolize(&debug, &addresses, b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    let named = format!(
        r"<unnamed> (core module 7 `{}\…`, function 0) +0x0",
        "m".repeat(256)
    );
    assert_eq!(
        text.lines().next(),
        Some(format!("text+0x0     {named}").as_str())
    );
    assert_eq!(text.lines().count(), 5000);
    assert!(text.len() < 5000 * 400, "{}", text.len());
}

/// The names of many modules are not searched for each function of each line.
#[test]
fn symbolize_many_modules() {
    let functions: Vec<String> = (0..50_000)
        .map(|module| format!("wasm[{module}]::function[0]"))
        .collect();
    let modules: Vec<(u32, &str)> = (0..50_000).map(|module| (module, "m")).collect();
    let debug = debug_file(&modules, &functions);
    let line = "  0: <unknown>!<wasm function 0>\n";
    let ended = symbolize(&debug, &[], line.repeat(10_000).as_bytes());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with(b"or 49984 others\n"));
    assert!(ended.stdout.len() < MUCH, "{}", ended.stdout.len());
}

#[test]
fn symbolize_one_wide_address_among_many() {
    let debug = debug_file(&[], &["wasm[0]::function[0]".to_owned()]);
    let wide = format!("{}cwasm+0x0", "a.".repeat(50_000));
    let addresses: Vec<String> = (0..2000).map(|_| "0x0".to_owned()).chain([wide]).collect();
    let ended = symbolize(&debug, &addresses, b"");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.len() < 1 << 20, "{}", ended.stdout.len());
}

/// A log may consist of one line with characters that are escaped.
#[test]
fn symbolize_one_long_line() {
    let debug = debug_file(&[], &["wasm[0]::function[0]".to_owned()]);
    let mut log = vec![1; 8 << 20];
    log.extend("é<wasm function 0>\n".as_bytes());
    log.push(0xff);
    let ended = symbolize(&debug, &[], &log);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(text.starts_with("\\u{1}\\u{1}"));
    assert!(text.ends_with("\\u{1}é<wasm function 0>\n\u{fffd}\n"));
    assert_eq!(text.matches("\\u{1}").count(), 8 << 20);
}

/// Each rule of a policy is compared with other rules of its kind, and with the allowed ones.
#[test]
fn a_policy_of_many_rules() {
    let host = Host::new(&Trust::Signer);
    let key = String::from_utf8(host.sandbox.read("key.pub.pem")).unwrap();
    let head = "threshold = 1\n";
    let key = format!("[[key]]\nname = 'ci'\npem = \"\"\"\n{key}\"\"\"\n");
    let scope = "[[scope]]\nthreshold = 1\ntargets = ['x86_64-v3']\n";
    let deny = "[[compiler.deny]]\nbefore = '1.0.0'\ntargets = ['x86_64-v3']\nreason = ''\n";
    let allowed = format!(
        "[allow]\ntargets = [{}'x86_64*']\n",
        "'aarch64',".repeat(20_000)
    );
    for (what, rules, row) in [
        ("scopes", scope.repeat(8000), "not in the scope"),
        ("denials", deny.repeat(8000), "not denied"),
        (
            "denials and allowed targets",
            format!("{allowed}{}", deny.repeat(8000)),
            "not denied",
        ),
    ] {
        edgec_tests::corpus::write_policy(&host.sandbox, &format!("{head}{rules}{key}"));
        let ended = run(&host.sandbox, &["policy", "check", "edgec-trust.toml"], b"");
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
        let text = String::from_utf8(ended.stdout).unwrap();
        let rows = text
            .lines()
            .filter(|line| line.trim_start().starts_with(row));
        assert_eq!(rows.count(), 8000, "{what}");
        assert!(text.len() < MUCH, "{what}: {}", text.len());
    }
}
