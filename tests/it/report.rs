//! `edgec report`: one HTML file about artifacts. `tests/pages/report.py` opens such files in a
//! browser.

use edgec_tests::Sandbox;
use edgec_tests::corpus::{Forge, material};
use serde_json::Value;

/// Names that would become markup in a page that does not escape them.
const HOSTILE: &str = r#"(module $shop
    (import "env" "<img src=x onerror=alert(1)>" (func $log))
    (func $f (@name "</script><script>alert(1)</script>") (export "</script>") (result i64)
        i64.const 1 i64.const 2 i64.mul call $log)
    (func $g (export "g") (result i32) i32.const 7))"#;

/// `x86_64.cwasm` and `aarch64.cwasm` with debug files, and `old.cwasm` of another program.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("shop.wat", HOSTILE);
    sandbox.write(
        "old.wat",
        "(module (func (export \"g\") (result i32) i32.const 7))",
    );
    let fixed = [
        "build",
        "-q",
        "--key",
        "key.pem",
        "-O0",
        "--debug-file",
        "--name",
        "acme/shop",
    ];
    for (input, target, output) in [
        ("shop.wat", "x86_64", "x86_64.cwasm"),
        ("shop.wat", "aarch64", "aarch64.cwasm"),
        ("old.wat", "x86_64", "old.cwasm"),
    ] {
        sandbox.ok(&[&fixed[..], &["-t", target, "-o", output, input]].concat());
    }
    sandbox
}

fn page(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.ok(&[&["report", "-o", "page.html"], arguments].concat());
    String::from_utf8(sandbox.read("page.html")).unwrap()
}

#[test]
fn a_page_fetches_nothing_and_runs_one_script() {
    let sandbox = sandbox();
    let html = page(
        &sandbox,
        &["x86_64.cwasm", "aarch64.cwasm", "--baseline", "old.cwasm"],
    );
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("content=\"default-src 'none'; style-src 'sha256-"));
    for markup in ["<img", "<iframe", "<link", " src=\"", " href=\"http"] {
        assert!(!html.contains(markup), "{markup}");
    }
    for text in [
        "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;",
        "env::&lt;img src=x onerror=alert(1)&gt;",
        "Targets side by side",
        "What changed",
        "core module 0 shop",
        "Nothing was verified.",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // The same artifacts give the same page.
    let again = page(
        &sandbox,
        &["x86_64.cwasm", "aarch64.cwasm", "--baseline", "old.cwasm"],
    );
    assert_eq!(again, html);
}

/// The level, the name and the bytes of each row of the table of bytes.
fn rows(html: &str) -> Vec<(u8, String, usize)> {
    let value = |line: &str, name: &str| -> Option<String> {
        let rest = line.split_once(&format!("{name}=\""))?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let row = |line: &str| {
        let level = value(line, "data-level")?.parse().unwrap();
        let bytes = value(line, "data-bytes")?.parse().unwrap();
        let name = line.split_once("scope=\"row\">")?.1.split_once("</th>")?.0;
        Some((level, name.to_owned(), bytes))
    };
    html.lines().filter_map(row).collect()
}

/// The rows of the first level have all bytes of the file. What the code and the description
/// consist of has all of their bytes.
#[test]
fn a_page_accounts_for_every_byte() {
    let sandbox = sandbox();
    let html = page(&sandbox, &["x86_64.cwasm"]);
    let rows = rows(&html);
    let first = rows.iter().filter(|(level, ..)| *level == 1);
    let all: usize = first.map(|(_, _, bytes)| bytes).sum();
    assert_eq!(all, sandbox.read("x86_64.cwasm").len());
    for part in [".text", ".wasmtime.info"] {
        let at = rows.iter().position(|(_, name, _)| name == part).unwrap();
        let below = rows[at + 1..].iter().take_while(|(level, ..)| *level > 1);
        let below = below.filter(|(level, ..)| *level == 2);
        let bytes: usize = below.clone().map(|(_, _, bytes)| bytes).sum();
        assert_eq!(bytes, rows[at].2, "{part}");
        assert!(
            below
                .clone()
                .any(|(_, name, _)| name == "core module 0 shop"),
            "{part}"
        );
    }
    // Nearly all of the description is known.
    let mut rest = rows.iter().filter(|(_, name, _)| name == "the rest");
    assert!(rest.all(|(_, _, bytes)| *bytes < 64), "{rows:?}");
}

#[test]
fn without_a_key_nothing_is_verified() {
    let sandbox = sandbox();
    let text = sandbox.ok(&["report", "x86_64.cwasm", "-o", "page.html"]);
    assert!(text.ends_with("x86_64  not verified\n"), "{text}");
    let html = page(&sandbox, &["x86_64.cwasm", "--key", "key.pub.pem"]);
    assert!(html.contains("The verifier accepted the artifact") && html.contains(">signatures<"));
    sandbox.ok(&["keygen", "-o", "other.pem"]);
    let refused = [
        "report",
        "x86_64.cwasm",
        "--key",
        "other.pub.pem",
        "-o",
        "page.html",
    ];
    let stderr = sandbox.fails(1, &refused);
    assert!(stderr.contains("x86_64.cwasm: "), "{stderr}");
    let html = String::from_utf8(sandbox.read("page.html")).unwrap();
    assert!(html.contains("REFUSED an artifact. Do not run it."));
    let stderr = sandbox.fails(
        2,
        &["report", "x86_64.cwasm", "--name", "x", "-o", "page.html"],
    );
    assert!(stderr.starts_with("error[no-trust]"), "{stderr}");
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let sandbox = sandbox();
    sandbox.write("none.cwasm", "nothing");
    for arguments in [
        &["none.cwasm"][..],
        &["x86_64.cwasm", "none.cwasm"],
        &["x86_64.cwasm", "--baseline", "none.cwasm"],
    ] {
        let stderr = sandbox.fails(1, &[&["report", "-o", "new.html"], arguments].concat());
        assert!(stderr.starts_with("error[layout]: none.cwasm"), "{stderr}");
        assert!(!sandbox.path().join("new.html").exists());
    }
    sandbox.fails(3, &["report", "absent.cwasm", "-o", "new.html"]);
    let stderr = sandbox.fails(2, &["report", "x86_64.cwasm", "-o", "x86_64.cwasm"]);
    assert!(stderr.contains("error[output]: x86_64.cwasm"), "{stderr}");
    sandbox.fails(2, &["report", "x86_64.cwasm", "-o", "-"]);
    sandbox.fails(2, &["report", "x86_64.cwasm"]);
    // A page of another tool stays.
    sandbox.write("new.html", "<!DOCTYPE html>\n<title>a</title>\n");
    let stderr = sandbox.fails(2, &["report", "x86_64.cwasm", "-o", "new.html"]);
    assert!(stderr.contains("an HTML page is there"), "{stderr}");
    let other = [
        "x86_64.cwasm",
        "x86_64.cwasm",
        "--baseline",
        "aarch64.cwasm",
        "-o",
        "p.html",
    ];
    let stderr = sandbox.fails(2, &[&["report"], &other[..]].concat());
    assert!(
        stderr.contains("aarch64.cwasm: no artifact is for aarch64"),
        "{stderr}"
    );
    let many = ["x86_64.cwasm"; 65];
    let stderr = sandbox.fails(2, &[&["report", "-o", "p.html"], &many[..]].concat());
    assert!(stderr.contains("at most 64 artifacts"), "{stderr}");
}

#[test]
fn a_document_says_what_was_written() {
    let sandbox = sandbox();
    let arguments = ["x86_64.cwasm", "--key", "key.pub.pem", "--format", "json"];
    let report = sandbox.ok(&[&["report", "-o", "page.html"], &arguments[..]].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["output"], "page.html");
    assert_eq!(report["bytes"], sandbox.read("page.html").len());
    assert_eq!(report["artifacts"][0]["verified"], true);
    assert_eq!(report["artifacts"][0]["target"], "x86_64");
}

/// Only an edgec with the same engine knows where the functions are.
#[test]
fn code_for_another_engine_is_refused() {
    let sandbox = Sandbox::empty();
    let other = Forge::of(material()).with_manifest(|manifest| {
        manifest.engine.version = "47.0.1".to_owned();
    });
    sandbox.write("a.cwasm", other);
    let stderr = sandbox.fails(1, &["report", "a.cwasm", "-o", "page.html"]);
    assert!(
        stderr.contains("error[image]: a.cwasm: the code is for wasmtime 47"),
        "{stderr}"
    );
    assert!(!sandbox.path().join("page.html").exists());
}
