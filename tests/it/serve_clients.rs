//! What `edgec serve` tells programs about their clients, and operators about requests.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use crate::serve_hostile::Server;

/// `MORE` is replaced by more lines of `[listen]`.
const CONFIGURATION: &str = r#"
schema = 1

[listen]
http = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
MORE

[store]
path = "store"
refresh = "50ms"

[policy]
file = "policy.toml"

[log]
requests = true

[[application]]
name = "good"
host = "good.test"
path = "/f"
"#;

fn server(more: &str) -> Server {
    Server::of(&CONFIGURATION.replace("MORE", more), &["good"])
}

/// The fields of a client that says it were another one.
const LIES: &str = "host: good.test\r\nforwarded: for=10.0.0.1\r\nx-forwarded-for: 10.0.0.1\r\n\
                    x-forwarded-proto: https\r\nx-real-ip: 10.0.0.1\r\nx-a: 1\r\nx-b: 2\r\n\
                    connection: close, x-a\r\n";

/// The lines that the program answers: the fields that it sees, among them `expected`. The body of
/// an answer of HTTP/1.0 is not in chunks.
fn seen(server: &Server, expected: &[&str]) -> Vec<String> {
    let answer = server.answer(&format!("GET /f HTTP/1.0\r\n{LIES}\r\n"));
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    let fields: Vec<String> = answer.lines().map(|line| line.trim().to_owned()).collect();
    for field in expected {
        assert!(fields.iter().any(|it| it == field), "{field}: {fields:?}");
    }
    fields
}

#[test]
fn a_program_sees_who_its_client_is() {
    let expected = [
        "forwarded: for=127.0.0.1;proto=http",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-b: 2",
    ];
    let fields = seen(&server(""), &expected);
    for gone in ["x-a", "x-real-ip", "connection"] {
        let begin = format!("{gone}: ");
        // The head of the answer has fields of its own.
        let body = fields.iter().skip_while(|line| !line.is_empty());
        assert!(!body.clone().any(|it| it.starts_with(&begin)), "{fields:?}");
    }
    assert!(
        !fields.iter().any(|it| it.contains("10.0.0.1")),
        "{fields:?}"
    );
}

#[test]
fn a_proxy_in_front_can_be_believed() {
    let expected = [
        "forwarded: for=10.0.0.1, for=127.0.0.1;proto=http",
        "x-forwarded-for: 10.0.0.1, 127.0.0.1",
        "x-forwarded-proto: https",
    ];
    seen(&server("forwarded = \"append\""), &expected);
}

#[test]
fn what_is_refused_is_counted_and_logged() {
    let server = server("");
    for (request, status, reason) in [
        ("GET /f HTTP/9.9\r\n", 400, "syntax"),
        ("GET /f HTTP/1.1\r\n", 400, "host"),
        (
            "GET ftp://good.test/f HTTP/1.1\r\nhost: good.test\r\n",
            400,
            "scheme",
        ),
        (
            "GET /f HTTP/1.1\r\nhost: other.test\r\n",
            421,
            "unknown-host",
        ),
        (
            "GET /other HTTP/1.1\r\nhost: good.test\r\n",
            404,
            "unknown-path",
        ),
    ] {
        let answer = server.answer(&format!("{request}connection: close\r\n\r\n"));
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begin), "{reason}: {answer}");
        let line = server.logged(&format!(" outcome=refused reason={reason}"));
        assert!(line.contains(" client=127.0.0.1 "), "{line}");
        // The line is written after the counting.
        let series = format!("edgec_requests_refused_total{{reason=\"{reason}\"}}");
        assert!(server.counted(&series) > 0.0, "{reason}");
    }
    let line = server.logged("reason=unknown-path");
    let asked =
        "request method=\"GET\" host=\"good.test\" path=\"/other\" client=127.0.0.1 status=404 ";
    assert!(line.contains(asked), "{line}");
}

#[test]
fn a_line_of_a_request_cannot_be_forged_and_keeps_no_query() {
    let server = server("");
    let head = "host: good.test\r\nconnection: close\r\n\r\n";
    server.answer(&format!("GET /f/\"x?token=secret HTTP/1.1\r\n{head}"));
    let line = server.logged("good: request ");
    assert!(
        line.contains(" path=\"/f/\\\"x\" client=127.0.0.1 status=200 "),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
    let forged = "host: x\" status=200 outcome=answered\r\nconnection: close\r\n\r\n";
    server.answer(&format!("GET /f HTTP/1.1\r\n{forged}"));
    let line = server.logged("reason=host");
    assert!(
        line.contains(" host=\"x\\\" status=200 outcome=answered\" path="),
        "{line}"
    );
}

/// Source: RFC 9110, section 4.2.1: 80 is what `http` means.
#[test]
fn the_usual_port_may_be_named() {
    let server = server("");
    let head = "host: good.test\r\nconnection: close\r\n\r\n";
    let answer = server.answer(&format!("GET http://good.test:80/f HTTP/1.1\r\n{head}"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_host_that_serves_nothing_is_not_ready() {
    let server = Server::of(&CONFIGURATION.replace("MORE", ""), &["other"]);
    let answer = server.admin("/readyz");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("nothing is served\nnot served: good\n"),
        "{answer}"
    );
    server.admit("good");
    let begin = Instant::now();
    loop {
        let answer = server.admin("/readyz");
        if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ready\n") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "{answer}");
    }
}
