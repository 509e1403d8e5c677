//! Files that no signature vouches for cost bounded memory, time and output in every verb that
//! reads them: one long name that many entries repeat, many entries, one wide cell among narrow
//! ones, and deep nesting.
//!
//! Each verb runs as the real binary. All its processes together take at most 256 MiB; each has a
//! minute of processor time, and 80 MiB for a file. The bounds of the output are asserted.
#![cfg(target_os = "linux")]

use std::process::Command;

use edgec_artifact::{LimitRange, Stage};
use edgec_tests::corpus::{Forge, Host, Trust, material};
use edgec_tests::{Sandbox, binary, isolate, tree};

/// More than any of these verbs prints about a file of a megabyte or two.
const MUCH: usize = 16 << 20;
/// What all processes of a verb may take together, in bytes.
const MEMORY: u64 = 256 << 20;

/// How a verb ended.
struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs a verb within the limits, on a log where it reads one. Their sum is sampled, so each process
/// also has a limit, which holds between two samples.
fn run(sandbox: &Sandbox, arguments: &[&str], log: &[u8]) -> Ended {
    sandbox.write("log", log);
    // The unit of `-f` is 512 bytes in some shells, 1024 in others.
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

/// Every verb that reads an artifact, in both formats, with its exit code for a genuine one; `diff`
/// compares it with another.
fn verbs() -> Vec<(Vec<&'static str>, i32)> {
    let verbs: [(&[&str], i32); 5] = [
        (&["inspect", "bomb.cwasm"], 0),
        (&["diff", "bomb.cwasm", "hello.cwasm"], 1),
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

/// Puts an artifact before every verb. It ends as with a genuine one, or with an error of this code.
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
    Stage {
        name: name.to_owned(),
        tool: "tool".to_owned(),
        version: "1".to_owned(),
        settings: settings.into_iter().collect(),
    }
}

/// So many settings with short names and no values.
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

    // What takes most for its length is refused where it would be taken apart.
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
                let limit = LimitRange {
                    minimum: 0,
                    maximum: None,
                };
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

/// What an artifact says of itself is said again for every host of a fleet.
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

/// A debug file as edgec writes it (`docs/debugging.md`): the names of modules by number, and of
/// functions, each of one byte of code.
fn debug_file(modules: &[(u32, &str)], functions: &[String]) -> Vec<u8> {
    const SECTIONS: [(&str, u32, u64); 6] = [
        (".note.gnu.build-id", 7, 4),
        (".text", 8, 1),
        (".wasmtime.addrmap", 1, 1),
        (".symtab", 2, 8),
        (".strtab", 3, 1),
        (".shstrtab", 3, 1),
    ];
    const TEXT_AT: u64 = 4096;
    let (mut strings, mut symbols): (Vec<u8>, Vec<u8>) = (vec![0], vec![0; 24]);
    let mut symbol = |name: &str, kind: u8, section: u16, at: u64, size: u64| {
        symbols.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
        symbols.extend([kind, 0]);
        symbols.extend(section.to_le_bytes());
        symbols.extend(at.to_le_bytes());
        symbols.extend(size.to_le_bytes());
        strings.extend(name.as_bytes());
        strings.push(0);
    };
    for (number, name) in modules {
        symbol(&format!("wasm[{number}]::{name}"), 4, 0xfff1, 0, 0);
    }
    for (name, at) in functions.iter().zip(TEXT_AT..) {
        symbol(name, 2, 2, at, 1);
    }
    let count = u32::try_from(symbols.len() / 24).unwrap();
    let note = [
        &[4_u8, 0, 0, 0, 32, 0, 0, 0, 3, 0, 0, 0][..],
        b"GNU\0",
        &[7; 32],
    ]
    .concat();
    let mut names: Vec<u8> = vec![0];
    let mut name_places = Vec::new();
    for (name, ..) in SECTIONS {
        name_places.push(u32::try_from(names.len()).unwrap());
        names.extend(name.as_bytes());
        names.push(0);
    }
    let contents: [&[u8]; 6] = [&note, &[], &[], &symbols, &strings, &names];
    let (mut file, mut table): (Vec<u8>, Vec<u8>) = (vec![0; 64], vec![0; 64]);
    for (((name, kind, align), content), place) in
        SECTIONS.into_iter().zip(contents).zip(name_places)
    {
        file.resize(
            file.len().next_multiple_of(usize::try_from(align).unwrap()),
            0,
        );
        let is_text = name == ".text";
        let (flags, address, size) = match is_text {
            true => (6, TEXT_AT, functions.len() as u64),
            false => (0, 0, content.len() as u64),
        };
        let (link, info, entry) = match name {
            ".symtab" => (5, count, 24),
            _ => (0, 0, 0),
        };
        table.extend(place.to_le_bytes());
        table.extend(kind.to_le_bytes());
        for field in [flags, address, file.len() as u64, size] {
            table.extend(field.to_le_bytes());
        }
        table.extend(u32::to_le_bytes(link));
        table.extend(u32::to_le_bytes(info));
        for field in [align, entry] {
            table.extend(field.to_le_bytes());
        }
        file.extend(content);
    }
    file.resize(file.len().next_multiple_of(8), 0);
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend(3_u16.to_le_bytes());
    header.extend(62_u16.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    for field in [0, 0, file.len() as u64] {
        header.extend(field.to_le_bytes());
    }
    header.extend([0; 4]);
    for field in [64_u16, 0, 0, 64, 7, 6] {
        header.extend(field.to_le_bytes());
    }
    file[..64].copy_from_slice(&header);
    file.extend(table);
    file
}

/// A name in Rust's mangling that stands for a million bytes: a tuple of two of the tuples before it,
/// and so on.
fn growing_name() -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut name = "_RIC1aTuuE".to_owned();
    let mut last = 4;
    for _ in 0..20 {
        // Places are counted behind `_R`, and 1 is written as `0_`.
        let (mut digits, mut rest) = (Vec::new(), last - 1);
        loop {
            digits.insert(0, char::from(DIGITS[rest % 62]));
            rest /= 62;
            if rest == 0 {
                break;
            }
        }
        let place: String = digits.into_iter().chain(['_']).collect();
        last = name.len() - 2;
        name.push_str(&format!("TB{place}B{place}E"));
    }
    name + "E"
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
    assert!(text.len() < 80_000, "{}", text.len());

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
        "<unnamed> (core module 7 `{}…`, function 0) +0x0",
        "m".repeat(256)
    );
    assert_eq!(
        text.lines().next(),
        Some(format!("text+0x0     {named}").as_str())
    );
    assert_eq!(text.lines().count(), 5000);
    assert!(text.len() < 5000 * 400, "{}", text.len());
}

/// Names of many modules are not searched for each function of each line.
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

/// One line of a log may be all of it, and of characters that are escaped.
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
