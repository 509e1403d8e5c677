//! A whole page is compared with `golden.html`, which the tests in a browser open too. `BLESS=1`
//! writes it.

use super::*;

const HOSTILE: &str =
    "</script><script>document.title='run'</script><img src=x onerror=alert(1)>\"'&\u{202e}";

fn artifact(target: &str, code: Code, trust: Trust) -> Artifact {
    let part = |name: &str, bytes, read| Part {
        name: name.to_owned(),
        bytes,
        read,
        is_code: name == ".text",
        parts: match name {
            ".wasmtime.info" => vec![("types".to_owned(), 900), (HOSTILE.to_owned(), 1800)],
            _ => Vec::new(),
        },
    };
    Artifact {
        file: format!("shop.{target}.cwasm"),
        name: "acme/shop".to_owned(),
        version: "7 (1.4.0)".to_owned(),
        target: target.to_owned(),
        facts: vec![
            ("engine", "wasmtime 48.0.8, profile edge".to_owned()),
            ("input", HOSTILE.to_owned()),
        ],
        length: 20_000,
        parts: vec![
            part("headers and gaps", 500, Read::AtLoad("always")),
            part(
                ".wasmtime.info",
                3000,
                Read::AtLoad("always: decoded whole"),
            ),
            part(
                ".text",
                12_000,
                Read::Later("when it is used, a page at a time"),
            ),
            part(
                ".rodata.wasm",
                2500,
                Read::Later("when it is used, a page at a time"),
            ),
            part("(envelope)", 2000, Read::AtLoad("always: the signatures")),
        ],
        code,
        cold_start: vec![Finding {
            rule: "memory-copied".to_owned(),
            message: format!("core module 1 {HOSTILE}: 976.6 KiB of data in 1 segment is copied"),
            nanoseconds: Some(801_000),
        }],
        cold_start_unknown: None,
        imports: vec!["wasi:http/types@0.2.12".to_owned(), HOSTILE.to_owned()],
        exports: Ok(vec!["wasi:http/incoming-handler@0.2.12".to_owned()]),
        key_ids: vec![HOSTILE.to_owned()],
        trust,
    }
}

fn code() -> Code {
    let function = |index: u32, name: Option<&str>, bytes| Function {
        index,
        name: name.map(str::to_owned),
        bytes,
        shared: u64::from(index == 3),
    };
    Code {
        modules: vec![
            Module {
                number: 0,
                name: Some("shop".to_owned()),
                functions: vec![
                    function(3, Some("shop::handle"), 4000),
                    function(4, Some(HOSTILE), 3000),
                    function(5, None, 1500),
                ],
            },
            Module {
                number: 1,
                name: Some(HOSTILE.to_owned()),
                functions: (0..40).map(|index| function(index, None, 60)).collect(),
            },
        ],
        is_named: true,
    }
}

fn report() -> Report {
    let check = |name: &str, outcome, word: &str| Check {
        name: name.to_owned(),
        outcome,
        word: word.to_owned(),
        evidence: HOSTILE.to_owned(),
    };
    let examined = Trust::Examined {
        policy: format!("`{HOSTILE}`, version 3"),
        accepted: true,
        error: None,
        signed_by: vec![("release".to_owned(), "ab".repeat(32))],
        checks: vec![
            check("signatures", Outcome::Passed, "passed"),
            check("advisories", Outcome::Warned, "warned"),
            check("audit", Outcome::NotMade, "off"),
        ],
    };
    let change = Change {
        before: "old.cwasm".to_owned(),
        after: "shop.x86_64.cwasm".to_owned(),
        parts: vec![PartChange {
            name: ".text".to_owned(),
            before: Some(11_000),
            after: Some(12_000),
            same: false,
        }],
        functions: vec![FunctionChange {
            module: 0,
            name: HOSTILE.to_owned(),
            before: None,
            after: Some(3000),
        }],
        functions_left_out: 2,
        fields: vec![FieldChange {
            at: "capabilities.imports".to_owned(),
            before: None,
            after: Some(HOSTILE.to_owned()),
        }],
        ..Change::default()
    };
    Report {
        artifacts: vec![
            artifact("x86_64", code(), examined),
            artifact("aarch64", Code::default(), Trust::NotVerified),
        ],
        change: Some(change),
    }
}

#[test]
fn the_page_is_the_golden_one() {
    let html = report().render();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/golden.html");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &html).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap();
    let mut lines = html.lines().zip(golden.lines());
    let differs = lines.find(|(made, golden)| made != golden);
    assert_eq!(differs, None, "BLESS=1 writes the page");
    assert_eq!(html.len(), golden.len());
}

/// Only the page's own elements are in it, however hostile the names are.
#[test]
fn no_name_becomes_markup() {
    let html = report().render();
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("<style").count(), 1);
    assert!(!html.contains("<img") && !html.contains('\u{202e}'));
    assert!(html.contains("&lt;/script&gt;"));
    for fetches in ["http://", "https://", "src=\"", "href=\"h"] {
        let own = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains(fetches), "{fetches}");
    }
}

#[test]
fn a_page_says_what_was_verified() {
    let mut report = report();
    assert!(report.render().contains("Nothing was verified."));
    report.artifacts.truncate(1);
    assert!(
        report
            .render()
            .contains("The verifier accepted the artifact")
    );
    if let Some(Artifact {
        trust: Trust::Examined {
            accepted, error, ..
        },
        ..
    }) = report.artifacts.first_mut()
    {
        *accepted = false;
        *error = Some("the image's digest differs".to_owned());
    }
    let html = report.render();
    assert!(html.contains("REFUSED an artifact. Do not run it."));
    assert!(html.contains("digest differs"));
}

/// A program of 75,000 functions with the longest names that a page shows, of characters that take
/// the most room.
#[test]
fn a_page_about_a_large_program_stays_small() {
    let functions = (0..75_000).map(|index| Function {
        index,
        name: Some("'".repeat(5000)),
        bytes: 400,
        shared: 0,
    });
    let module = Module {
        number: 0,
        name: None,
        functions: functions.collect(),
    };
    let code = Code {
        modules: vec![module],
        is_named: true,
    };
    let mut large = artifact("x86_64", code, Trust::NotVerified);
    large.imports = vec!["\u{e0001}".repeat(200); 5000];
    let report = Report {
        artifacts: vec![large],
        change: None,
    };
    let html = report.render();
    assert!(html.len() < 6 << 20, "{}", html.len());
    assert!(html.contains("71000 smaller functions") && html.contains("and 4000 more"));
}
