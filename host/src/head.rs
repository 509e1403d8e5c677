//! What happens to the head of a request before its program sees it. Fields that concern only the
//! connection go, and the fields that say who the client is come from the host.
//!
//! Sources: RFC 9110, section 7.6.1 (fields of a connection); RFC 7239 (`Forwarded`).

mod coding;
mod cookie;

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};

pub(crate) use self::coding::has_unknown_coding;
use crate::client::Client;
use crate::config::Forwarded;

/// Fields that concern only the connection, whether `Connection` names them or not.
static OF_CONNECTION: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Changes the fields of a client's request into those that its program sees.
pub(crate) fn prepare(headers: &mut HeaderMap, client: Client, forwarded: Forwarded) {
    remove_fields_of_connection(headers);
    cookie::join(headers);
    match forwarded {
        Forwarded::Replace => replace(headers, client),
        Forwarded::Append => append(headers, client),
        Forwarded::Keep => {}
    }
}

/// Removes the fields that concern only the connection: those that always do, and those that
/// `Connection` names.
fn remove_fields_of_connection(headers: &mut HeaderMap) {
    let options = headers.get_all(CONNECTION).iter();
    let options = options.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named = options.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    let named: Vec<HeaderName> = named.filter(|name| !is_for_all(name)).collect();
    for name in named.iter().chain(&OF_CONNECTION) {
        headers.remove(name);
    }
    // The only value that a program can follow: it says that the client reads trailers.
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// Whether a field is for everybody who sees the request. A client could use `Connection` to remove
/// what a proxy in front of this host has said.
fn is_for_all(name: &HeaderName) -> bool {
    *name == HOST || *name == CONTENT_LENGTH || is_about_client(name)
}

/// Whether a field says who the client is.
fn is_about_client(name: &HeaderName) -> bool {
    *name == FORWARDED || *name == X_REAL_IP || name.as_str().starts_with("x-forwarded-")
}

/// Only the host says who the client is.
fn replace(headers: &mut HeaderMap, client: Client) {
    let sent = headers.keys().filter(|name| is_about_client(name));
    let sent: Vec<HeaderName> = sent.cloned().collect();
    for name in &sent {
        headers.remove(name);
    }
    put(headers, FORWARDED, &element(client));
    put(headers, X_FORWARDED_FOR, &address(client));
    put(headers, X_FORWARDED_PROTO, client.scheme_name());
}

/// The host says who asked it, behind what others said. If somebody has named the client's scheme,
/// it stays: the host knows only that of the last connection.
fn append(headers: &mut HeaderMap, client: Client) {
    for (name, own) in [
        (FORWARDED, element(client)),
        (X_FORWARDED_FOR, address(client)),
    ] {
        let sent = headers.get_all(&name).iter().map(HeaderValue::as_bytes);
        let sent: Vec<&[u8]> = sent.filter(|value| !value.is_empty()).collect();
        // One field: a program that reads only the first would read only the client's.
        let sent = sent.join(&b", "[..]);
        let all = match sent.is_empty() || !has_closed_quotes(&sent) {
            true => own.into_bytes(),
            false => [sent.as_slice(), b", ", own.as_bytes()].concat(),
        };
        if let Ok(value) = HeaderValue::from_bytes(&all) {
            headers.insert(name, value);
        }
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        put(headers, X_FORWARDED_PROTO, client.scheme_name());
    }
}

/// Whether every quote is closed. What follows an open one would be a part of the client's text.
fn has_closed_quotes(value: &[u8]) -> bool {
    let (mut is_open, mut is_escaped) = (false, false);
    for byte in value {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_open => is_escaped = true,
            b'"' => is_open = !is_open,
            _ => {}
        }
    }
    !is_open
}

/// The element of `Forwarded` for a client (RFC 7239, sections 4 and 6).
fn element(client: Client) -> String {
    let node = match client.address() {
        Some(IpAddr::V4(address)) => address.to_string(),
        // A colon needs quotes.
        Some(IpAddr::V6(address)) => format!("\"[{address}]\""),
        None => UNKNOWN.to_owned(),
    };
    format!("for={node};proto={}", client.scheme_name())
}

/// The client in `X-Forwarded-For`.
fn address(client: Client) -> String {
    let address = client.address();
    address.map_or_else(|| UNKNOWN.to_owned(), |address| address.to_string())
}

/// The name of a client without an address (RFC 7239, section 6.2). A missing entry would make the
/// one before it the last.
const UNKNOWN: &str = "unknown";

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // The text has visible ASCII characters only.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    /// The fields, in order of their names.
    fn shown(headers: &HeaderMap) -> Vec<String> {
        let shown = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut fields: Vec<String> = headers.iter().map(shown).collect();
        fields.sort();
        fields
    }

    fn client(address: &str, over_tls: bool) -> Client {
        Client::new(address.parse().ok(), over_tls)
    }

    fn prepared(fields: &[(&str, &str)], client: Client, forwarded: Forwarded) -> Vec<String> {
        let mut headers = headers(fields);
        prepare(&mut headers, client, forwarded);
        shown(&headers)
    }

    #[test]
    fn what_concerns_the_connection_goes() {
        let fields = [
            ("Connection", "keep-alive, X-A ,x-b"),
            ("connection", "Host, content-length, X-Forwarded-For, , x y"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "close"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("Transfer-Encoding", "chunked"),
            ("TE", "gzip"),
            ("X-A", "1"),
            ("x-b", "2"),
            ("x-b", "3"),
            ("X-C", "4"),
            ("Host", "shop.example"),
            ("Content-Length", "5"),
            ("X-Forwarded-For", "192.0.2.7"),
        ];
        let seen = prepared(&fields, client("", false), Forwarded::Keep);
        let left = [
            "content-length: 5",
            "host: shop.example",
            "x-c: 4",
            "x-forwarded-for: 192.0.2.7",
        ];
        assert_eq!(seen, left);
        let seen = prepared(&[("TE", "trailers")], client("", false), Forwarded::Keep);
        assert_eq!(seen, ["te: trailers"]);
    }

    #[test]
    fn a_client_cannot_say_who_it_is() {
        let lies = [
            ("Forwarded", "for=10.0.0.1"),
            ("forwarded", "for=10.0.0.2"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "bank.example"),
            ("X-Real-IP", "10.0.0.1"),
        ];
        for (address, over_tls, forwarded) in [
            (
                "192.0.2.1:80",
                false,
                [
                    "forwarded: for=192.0.2.1;proto=http",
                    "x-forwarded-for: 192.0.2.1",
                    "x-forwarded-proto: http",
                ],
            ),
            (
                "[2001:db8::1]:80",
                true,
                [
                    "forwarded: for=\"[2001:db8::1]\";proto=https",
                    "x-forwarded-for: 2001:db8::1",
                    "x-forwarded-proto: https",
                ],
            ),
            (
                "a Unix socket",
                false,
                [
                    "forwarded: for=unknown;proto=http",
                    "x-forwarded-for: unknown",
                    "x-forwarded-proto: http",
                ],
            ),
        ] {
            let client = client(address, over_tls);
            assert_eq!(prepared(&lies, client, Forwarded::Replace), forwarded);
            assert_eq!(prepared(&[], client, Forwarded::Append), forwarded);
        }
        assert_eq!(
            prepared(&lies, client("192.0.2.1:80", false), Forwarded::Keep).len(),
            lies.len()
        );
    }

    #[test]
    fn a_proxy_in_front_says_who_asked_it() {
        let client = client("192.0.2.1:80", false);
        let fields = [
            ("Forwarded", "for=198.51.100.1;proto=https"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-For", "198.51.100.1"),
            ("X-Forwarded-Proto", "https"),
        ];
        let seen = prepared(&fields, client, Forwarded::Append);
        let expected = [
            "forwarded: for=198.51.100.1;proto=https, for=192.0.2.1;proto=http",
            "x-forwarded-for: 203.0.113.9, 198.51.100.1, 192.0.2.1",
            "x-forwarded-proto: https",
        ];
        assert_eq!(seen, expected);
        // An open quote would swallow what the host says.
        for open in ["for=\"_x", "for=\"a\\\"", "for=a;by=\""] {
            let seen = prepared(&[("Forwarded", open)], client, Forwarded::Append);
            assert_eq!(seen[0], "forwarded: for=192.0.2.1;proto=http", "{open}");
        }
        let closed = [("Forwarded", "for=\"a\\\\\"")];
        let seen = prepared(&closed, client, Forwarded::Append);
        assert!(
            seen[0].ends_with("\", for=192.0.2.1;proto=http"),
            "{seen:?}"
        );
    }
}
