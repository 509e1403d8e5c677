//! What the log says about a request: what was asked, by whom, and how it ended. The client has
//! written most of it, so each part is bounded and stands in quotes.

use http::header::HOST;
use http::{Request, StatusCode};

use super::line::Line;
use crate::client::Client;
use crate::routing::RouteError;
use crate::{Limit, Outcome};

/// The longest method, in characters. The known ones are shorter.
const MAX_METHOD: usize = 32;
/// The longest host, in characters: a name with its port.
const MAX_HOST: usize = 260;
/// The longest path with its query, in characters.
const MAX_PATH: usize = 200;

/// What was asked, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    method: String,
    host: String,
    path: String,
    client: Client,
}

impl Asked {
    /// What a request asks. Its query belongs to the path only with `with_query`.
    pub(super) fn of<B>(request: &Request<B>, client: Client, with_query: bool) -> Self {
        let uri = request.uri();
        let host = match uri.authority() {
            Some(authority) => authority.as_str().into(),
            None => request.headers().get(HOST).map_or_else(
                || "".into(),
                |host| String::from_utf8_lossy(host.as_bytes()),
            ),
        };
        // What stands in front of it may be a password.
        let host = host.rsplit('@').next().unwrap_or_default();
        let path = match uri.path_and_query() {
            Some(whole) if with_query => whole.as_str(),
            _ => uri.path(),
        };
        Self {
            method: beginning(request.method().as_str(), MAX_METHOD),
            host: beginning(host, MAX_HOST),
            path: beginning(path, MAX_PATH),
            client,
        }
    }

    pub(super) fn put_into(&self, line: &mut Line) {
        line.quoted("method", &self.method);
        line.quoted("host", &self.host);
        line.quoted("path", &self.path);
        line.field("client", &self.client);
    }
}

/// At most so many characters of a text. A mark says that something is missing.
fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// How the request of an application ended.
pub(super) fn put_outcome(line: &mut Line, status: StatusCode, outcome: Outcome) {
    line.number("status", status.as_u16());
    line.field("outcome", &outcome.name());
    if let Outcome::Limited(limit) = outcome {
        line.field("limit", &limit.name());
    }
}

/// Why a request has no application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its head is no HTTP.
    Syntax,
    /// It does not name one host.
    Host,
    /// Its target has another scheme than `http` and `https`.
    Scheme,
    /// No application answers for its host.
    UnknownHost,
    /// No application of the host answers for its path.
    UnknownPath,
    /// The client hit a limit before. It is counted as that.
    Limit(Limit),
}

impl Refused {
    /// All reasons that are counted. They are the values of a label, so there are no others.
    pub(super) const COUNTED: [Self; 5] = [
        Self::Syntax,
        Self::Host,
        Self::Scheme,
        Self::UnknownHost,
        Self::UnknownPath,
    ];

    /// How a request ended that has no application. The status is `None` if the server chose it.
    pub(super) fn put_into(self, line: &mut Line, status: Option<StatusCode>) {
        if let Some(status) = status {
            line.number("status", status.as_u16());
        }
        match self {
            Self::Limit(limit) => {
                line.field("outcome", &Outcome::Limited(limit).name());
                line.field("limit", &limit.name());
            }
            _ => {
                line.field("outcome", &"refused");
                line.field("reason", &self.name());
            }
        }
    }

    /// Its name in metrics and in the log, which does not change between releases.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Host => "host",
            Self::Scheme => "scheme",
            Self::UnknownHost => "unknown-host",
            Self::UnknownPath => "unknown-path",
            Self::Limit(limit) => limit.name(),
        }
    }
}

impl From<RouteError> for Refused {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Host => Self::Host,
            RouteError::Scheme => Self::Scheme,
            RouteError::UnknownHost => Self::UnknownHost,
            RouteError::UnknownPath => Self::UnknownPath,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::HeaderValue;

    use super::*;
    use crate::config::{LogFormat, LogLevel};

    fn line(request: &Request<()>, with_query: bool) -> String {
        let client = Client::new("192.0.2.1:80".parse().ok(), false);
        let (format, now) = (LogFormat::Text, SystemTime::UNIX_EPOCH);
        let mut line = Line::new(format, now, LogLevel::Info, None, &"request");
        Asked::of(request, client, with_query).put_into(&mut line);
        put_outcome(&mut line, StatusCode::OK, Outcome::Answered);
        line.finish()
    }

    fn request(uri: &str, host: &[u8]) -> Request<()> {
        let host = HeaderValue::from_bytes(host).unwrap();
        Request::get(uri).header(HOST, host).body(()).unwrap()
    }

    #[test]
    fn a_line_says_who_asked_for_what() {
        let plain = request("/cart?token=secret", b"shop.example");
        assert_eq!(
            line(&plain, false),
            "1970-01-01T00:00:00.000Z info request method=\"GET\" host=\"shop.example\" \
             path=\"/cart\" client=192.0.2.1 status=200 outcome=answered\n"
        );
        assert!(line(&plain, true).contains(" path=\"/cart?token=secret\" "));
        let whole = request("http://user:secret@shop.example/x", b"shop.example");
        let line = line(&whole, true);
        assert!(line.contains(" host=\"shop.example\" "), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }

    #[test]
    fn a_line_says_why_there_is_no_application() {
        for (refused, status, said) in [
            (
                Refused::UnknownHost,
                Some(StatusCode::MISDIRECTED_REQUEST),
                " status=421 outcome=refused reason=unknown-host\n",
            ),
            (Refused::Syntax, None, " outcome=refused reason=syntax\n"),
            (
                Refused::Limit(Limit::HeaderSize),
                None,
                " outcome=limited limit=header-size\n",
            ),
        ] {
            let (format, now) = (LogFormat::Text, SystemTime::UNIX_EPOCH);
            let mut line = Line::new(format, now, LogLevel::Info, None, &"request");
            refused.put_into(&mut line, status);
            let found = line.finish();
            assert!(found.ends_with(said), "{found}");
        }
    }

    #[test]
    fn a_client_cannot_add_a_field_or_a_line() {
        let forged = request("/\"x\\", b"a\" status=200 outcome=answered\t\xff");
        let found = line(&forged, false);
        assert!(
            found.contains(
                " host=\"a\\\" status=200 outcome=answered\\u{9}\u{fffd}\" path=\"/\\\"x\\\\\" "
            ),
            "{found}"
        );
        let long = format!("/{}", "x".repeat(60_000));
        let found = line(&request(&long, "y".repeat(60_000).as_bytes()), true);
        assert!(found.len() < 1000 && found.contains("x…\""), "{found}");
    }
}
