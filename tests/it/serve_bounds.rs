//! What a program leaves unfinished, and what one client may take, in `edgec serve`.

#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::serve_hostile::{CONFIGURATION, Server};

/// Each begins its body, and does not finish it.
#[test]
fn a_response_without_its_end_does_not_look_whole() {
    let server = Server::start();
    for (path, outcome, says) in [
        ("/pl", "limited", "limit cpu-time ended a request"),
        ("/ps", "limited", "limit wall-time ended a request"),
        ("/ph", "limited", "limit resources ended a request"),
        ("/pt", "trapped", "code=UnreachableCodeReached"),
        ("/pd", "unanswered", "the program did not finish the body"),
        ("/pe", "unanswered", "an unfinished response: "),
    ] {
        let text = format!("{{application=\"hostile\",outcome=\"{outcome}\"}}");
        let before = server.counted(&text);
        let answer = server.get("hostile", path);
        assert!(!answer.ends_with("0\r\n\r\n"), "{path}: {answer}");
        server.wait_for(&text, before + 1.0);
        server.logged(says);
    }
    assert!(server.get_hostile("/a", "200").ends_with("0\r\n\r\n"));
}

/// A client of HTTP/1.1 would take what follows 101 for another protocol.
#[test]
fn a_status_that_ends_no_request_is_no_answer() {
    let server = Server::start();
    let answer = server.get_hostile("/i", "500");
    assert!(answer.contains("no-response: "), "{answer}");
    server.logged("no response: the status of its response is 101");
    let outcome = "{application=\"hostile\",outcome=\"unanswered\"}";
    assert!(server.counted(outcome) > 0.0);
}

#[test]
fn one_address_does_not_get_all_places_of_an_application() {
    let limits = "[limits]\naddress-requests = 2\n";
    let server = Server::of(
        &CONFIGURATION.replace("[limits]\n", limits),
        &["hostile", "good"],
    );
    let running = "edgec_requests_running{application=\"good\"}";
    let ask = || {
        let mut client = TcpStream::connect(&server.public).unwrap();
        client
            .write_all(b"GET /s HTTP/1.1\r\nhost: good.test\r\n\r\n")
            .unwrap();
        client
    };
    let clients = [ask(), ask()];
    server.wait_for(running, 2.0);
    let refused = server.get_hostile("/a", "503");
    assert!(refused.contains("address-requests: "), "{refused}");
    assert!(refused.contains("retry-after"), "{refused}");
    assert!(server.counted("limit=\"address-requests\"") > 0.0);
    drop(clients);
    server.wait_for(running, 0.0);
    server.get_hostile("/a", "200");
}

/// The frames of a `PING` and of empty `SETTINGS` (RFC 9113, sections 6.5 and 6.7).
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

#[test]
fn a_flood_of_control_frames_ends_its_connection() {
    let server = Server::start();
    let mut client = TcpStream::connect(&server.public).unwrap();
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    client.write_all(SETTINGS).unwrap();
    // The host ends the connection while the client still writes.
    let flood = PING.repeat(10_000);
    let _ = client.write_all(&flood);
    let _ = client.read_to_end(&mut Vec::new());
    let limit = "edgec_limits_hit_total{application=\"\",limit=\"http2-control-frames\"}";
    server.wait_for(limit, 1.0);
    server.get_hostile("/a", "200");
}
