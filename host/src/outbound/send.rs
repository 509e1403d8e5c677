//! Sends one request of a guest, through `wasi:http` of either version.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, EXPECT, HeaderMap, TE, TRANSFER_ENCODING};
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody};

use super::Outbound;
use super::body::ResponseBody;
use super::connect::{Connection, Destination};
use super::denial::{Denial, of_hyper};
use crate::destination::Host;

impl Outbound {
    /// Sends a request, and returns the response with a body that keeps to the limits.
    ///
    /// Nothing follows a redirect: the guest gets the response, and asks again if it wants to.
    ///
    /// # Errors
    ///
    /// The error code that the guest sees. What the rules refused, and limits that were hit, are
    /// reported under the names of [`Denial::rule`].
    pub async fn send(
        self: &Arc<Self>,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, HttpError> {
        match self.attempt(request, options.unwrap_or_default()).await {
            Ok(response) => Ok(response),
            Err(Failure::Denied(denial)) => {
                self.report(&denial);
                Err(denial.into())
            }
            Err(Failure::Code(error)) => Err(error),
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Failure> {
        // A tunnel would carry what the rules do not see.
        if request.method() == Method::CONNECT {
            return Err(Failure::Code(HttpError::HttpRequestMethodInvalid));
        }
        let destination = destination(request.uri())?;
        self.rules()
            .permit_host(&destination.host, destination.port)?;
        *request.uri_mut() = origin_form(request.uri());
        remove_fields_of_connection(request.headers_mut());

        // A guest may be less patient than its operator, and not more.
        let settings = self.settings();
        let shorter = |own: Option<Duration>, most: Duration| own.map_or(most, |own| own.min(most));
        let connect = shorter(options.connect_timeout, settings.connect_timeout);
        let first = shorter(options.first_byte_timeout, settings.first_byte_timeout);
        let between = shorter(
            options.between_bytes_timeout,
            settings.between_bytes_timeout,
        );

        let (mut connection, mut reused) = match self.pool().take(&destination) {
            Some(connection) => (connection, true),
            None => (self.open(&destination, connect).await?, false),
        };
        let response = loop {
            let sent = connection.sender.try_send_request(request);
            let sent = tokio::time::timeout(first, sent).await;
            match sent {
                Err(_) => return Err(Denial::FirstByteTimeout(destination.host).into()),
                Ok(Ok(response)) => break response,
                // The other side closed a connection that waited, and has seen nothing of this
                // request: it may be sent again.
                Ok(Err(mut error)) => match error.take_message() {
                    Some(unsent) if reused => {
                        request = unsent;
                        connection = self.open(&destination, connect).await?;
                        reused = false;
                    }
                    _ => {
                        let error = error.into_error();
                        if error.is_parse_too_large() {
                            return Err(Denial::ResponseHeaders.into());
                        }
                        return Err(Failure::Code(of_hyper(error)));
                    }
                },
            }
        };
        let outbound = Arc::clone(self);
        let body = |incoming: Incoming| {
            ResponseBody::new(incoming, destination, connection, outbound, between)
        };
        let (mut parts, incoming) = response.into_parts();
        remove_false_length(&mut parts.headers);
        Ok(Response::from_parts(parts, body(incoming)?.boxed_unsync()))
    }

    /// A new connection: places, addresses, checks, TCP and TLS, all within `timeout`.
    async fn open(
        &self,
        destination: &Destination,
        timeout: Duration,
    ) -> Result<Connection, Denial> {
        let end = Instant::now() + timeout;
        let open = async {
            let host = &destination.host;
            let addresses = self.resolver().resolve(host).await?;
            // The connection goes to one of these addresses. Nothing looks the name up again, so
            // another answer of the resolver cannot lead elsewhere.
            let addresses = self.rules().permitted(host, addresses)?;
            let places = self.pool().places(end).await?;
            Connection::open(destination, &addresses, self.tls(), end, places).await
        };
        // At the end of the time, the work is asked first: it knows what it waited for.
        match tokio::time::timeout_at(end, open).await {
            Ok(opened) => opened,
            Err(_) => Err(Denial::ConnectTimeout(destination.host.clone())),
        }
    }
}

/// Why there is no response.
enum Failure {
    /// To be reported.
    Denied(Denial),
    /// The other side's fault or the guest's.
    Code(HttpError),
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// Where a request goes.
fn destination(uri: &Uri) -> Result<Destination, Denial> {
    let authority = uri.authority().ok_or(Denial::InvalidHost)?;
    // User information would be sent as part of the `Host` header, and reads like another host.
    if authority.as_str().contains('@') {
        return Err(Denial::InvalidHost);
    }
    let host = Host::parse(authority.host()).map_err(|_| Denial::InvalidHost)?;
    let tls = uri.scheme() != Some(&Scheme::HTTP);
    // The parser of URIs lets pass what stands between a bracket and a port, and signs of a port.
    let rest = authority.as_str().strip_prefix(authority.host());
    let port = match rest.ok_or(Denial::InvalidHost)?.strip_prefix(':') {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().map_err(|_| Denial::InvalidHost)?
        }
        None if rest != Some("") => return Err(Denial::InvalidHost),
        None if tls => 443,
        None => 80,
        Some(_) => return Err(Denial::InvalidHost),
    };
    match port {
        0 => Err(Denial::InvalidHost),
        port => Ok(Destination { tls, host, port }),
    }
}

/// Removes what a guest says about a connection that it does not have: it cannot wait for
/// `100 Continue`, and gets a body without a coding.
fn remove_fields_of_connection(headers: &mut HeaderMap) {
    headers.remove(EXPECT);
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// Removes the length of a body that has a transfer coding: it counts for nothing (RFC 9112,
/// section 6.3).
fn remove_false_length(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
}

/// The URI of a request line: the path alone (RFC 9112, section 3.2.1).
fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    // An empty path is shown as `/`, and written as nothing.
    let path = path.filter(|path| path.as_str().starts_with('/'));
    let path = path.and_then(|path| PathAndQuery::try_from(path.as_str()).ok());
    let path = path.or_else(|| {
        let query = uri.query()?;
        PathAndQuery::try_from(format!("/?{query}")).ok()
    });
    path.map_or_else(|| Uri::from_static("/"), Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Destination> {
        destination(&text.parse().unwrap()).ok()
    }

    #[test]
    fn the_port_follows_from_the_scheme() {
        for (uri, tls, host, port) in [
            ("http://a.example/x", false, "a.example", 80),
            ("https://a.example/x", true, "a.example", 443),
            ("https://A.Example.:8443", true, "a.example", 8443),
            ("http://[::ffff:1.2.3.4]:81/", false, "1.2.3.4", 81),
            ("http://[2606::1]/", false, "2606::1", 80),
        ] {
            let host = Host::parse(host).unwrap();
            assert_eq!(of(uri), Some(Destination { tls, host, port }), "{uri}");
        }
    }

    #[test]
    fn a_uri_without_a_clear_host_is_refused() {
        for uri in [
            "/path",
            "http://a@b.example/",
            "http://a:0/",
            "http://a:/",
            "http://a:+80/",
            "http://[::1]x:80/",
            "http://[::1]x/",
            "http://a..b/",
        ] {
            assert_eq!(of(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_guest_says_nothing_about_the_connection() {
        let mut headers = HeaderMap::new();
        for (name, value) in [(EXPECT, "100-continue"), (TE, "gzip")] {
            headers.insert(name, http::HeaderValue::from_static(value));
        }
        remove_fields_of_connection(&mut headers);
        assert!(headers.is_empty());
        headers.insert(TE, http::HeaderValue::from_static("trailers"));
        remove_fields_of_connection(&mut headers);
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn a_length_beside_a_coding_counts_for_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, 5.into());
        remove_false_length(&mut headers);
        assert_eq!(headers.len(), 1);
        headers.insert(TRANSFER_ENCODING, http::HeaderValue::from_static("chunked"));
        remove_false_length(&mut headers);
        assert!(!headers.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn an_empty_path_is_the_root() {
        let mut parts = Uri::from_static("http://a.example/x").into_parts();
        // A fragment alone leaves nothing of a path.
        parts.path_and_query = "#x".parse().ok();
        assert!(parts.path_and_query.is_some());
        let uri = Uri::from_parts(parts).unwrap();
        assert_eq!(origin_form(&uri).to_string(), "/");
    }

    #[test]
    fn a_request_line_has_the_path_alone() {
        for (uri, path) in [
            ("http://a.example", "/"),
            ("http://a.example/", "/"),
            ("http://a.example/b/c?d=e", "/b/c?d=e"),
            ("http://a.example?d=e", "/?d=e"),
        ] {
            assert_eq!(
                origin_form(&uri.parse().unwrap()).to_string(),
                path,
                "{uri}"
            );
        }
    }
}
