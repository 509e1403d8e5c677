//! What happens to the head of a program's response before its client sees it.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::response::Parts;
use wasmtime_wasi_http::WasiBody;

use crate::failed::Failed;

/// The length that a head states.
pub(crate) fn stated(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a status that does not end a request, or that HTTP does not have (RFC 9110, section 15):
/// a client of HTTP/1.1 would take what follows 101 for another protocol.
pub(crate) fn check(status: StatusCode) -> Result<(), Failed> {
    match status.as_u16() {
        200..=599 => Ok(()),
        status => Err(Failed::Unanswered(format!(
            "the status of its response is {status}, and a response has one of 200 to 599"
        ))),
    }
}

/// Removes what a response of its status must not have (RFC 9110, sections 8.6 and 15.3.6).
pub(crate) fn fit(parts: &mut Parts, body: WasiBody) -> WasiBody {
    match parts.status {
        StatusCode::NO_CONTENT => {
            parts.headers.remove(CONTENT_LENGTH);
            body
        }
        StatusCode::RESET_CONTENT => {
            parts.headers.remove(CONTENT_LENGTH);
            WasiBody::default()
        }
        _ => body,
    }
}

/// The length of a response's body, if its head states it. Some responses have none, also if their
/// head states one (RFC 9110, section 6.4.1).
pub(crate) fn promised(parts: &Parts, is_head: bool) -> Option<u64> {
    match parts.status {
        _ if is_head => Some(0),
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => Some(0),
        _ => stated(&parts.headers),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use http_body::Body as _;
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    fn response(status: u16) -> (Parts, WasiBody) {
        let body = Full::new(Bytes::from_static(b"abc"));
        let body = body.map_err(|never| match never {}).boxed_unsync();
        let response = Response::builder().status(status);
        response
            .header(CONTENT_LENGTH, 3)
            .body(body)
            .unwrap()
            .into_parts()
    }

    #[test]
    fn a_response_ends_its_request() {
        for (status, is_fine) in [
            (100, false),
            (101, false),
            (103, false),
            (200, true),
            (599, true),
            (600, false),
            (999, false),
        ] {
            let checked = check(StatusCode::from_u16(status).unwrap());
            assert_eq!(checked.is_ok(), is_fine, "{status}");
        }
    }

    #[test]
    fn a_response_has_what_its_status_allows() {
        // The length that the client sees, the one that comes, and whether there is a body.
        for (status, shown, length, has_body) in [
            (200, Some(3), Some(3), true),
            (204, None, Some(0), true),
            (205, None, Some(0), false),
            (304, Some(3), Some(0), true),
        ] {
            let (mut parts, body) = response(status);
            let body = fit(&mut parts, body);
            assert_eq!(stated(&parts.headers), shown, "{status}");
            assert_eq!(promised(&parts, false), length, "{status}");
            assert_eq!(promised(&parts, true), Some(0), "{status}");
            assert_eq!(!body.is_end_stream(), has_body, "{status}");
        }
    }
}
