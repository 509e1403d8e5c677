//! The transfer codings of a request's body.

use http::header::{HeaderMap, HeaderValue, TRANSFER_ENCODING};

/// Whether the body has a coding beside the one that the server removes. The program would get it
/// as it is, and not learn of it (RFC 9112, section 6.1).
pub(crate) fn has_unknown_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_no_coding_that_the_program_does_not_know() {
        let name = "transfer-encoding";
        for (fields, is_unknown) in [
            (&[][..], false),
            (&[(name, "Chunked")], false),
            (&[(name, "gzip, chunked")], true),
            (&[(name, "chunked, chunked")], true),
            (&[(name, "chunked"), (name, "chunked")], true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(has_unknown_coding(&headers), is_unknown, "{fields:?}");
        }
    }
}
