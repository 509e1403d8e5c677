//! The cookies of a request are one field.

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// Makes one field of several cookies: HTTP/2 may split them (RFC 9113, section 8.2.3), and others
/// would join fields of one name with commas.
pub(super) fn join(headers: &mut HeaderMap) {
    let crumbs = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let crumbs: Vec<&[u8]> = crumbs.collect();
    if crumbs.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crumbs_of_a_cookie_are_joined() {
        let mut headers = HeaderMap::new();
        for crumb in ["a=1", "b=2; c=3"] {
            headers.append(COOKIE, HeaderValue::from_static(crumb));
        }
        join(&mut headers);
        let all: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(all, ["a=1; b=2; c=3"]);
    }
}
