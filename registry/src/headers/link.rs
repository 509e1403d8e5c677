//! Where the next page of a list is: the header `Link`.
//!
//! Source: RFC 8288, section 3.

use http::{HeaderMap, header};
use url::Url;

use crate::checked::shown;

/// The address of the next page. `None` if this page is the last one.
///
/// # Errors
///
/// Why edgec cannot read on: the page is at another registry, or the header cannot be read. A list
/// that ended here would lack what comes after it, and no one would know.
pub(crate) fn next_page(headers: &HeaderMap, at: &Url) -> Result<Option<Url>, String> {
    for value in headers.get_all(header::LINK) {
        let malformed = || "its header `Link` is malformed".to_owned();
        let text = value.to_str().map_err(|_| malformed())?;
        let links = links(text).ok_or_else(malformed)?;
        let Some((address, _)) = links.into_iter().find(|(_, is_next)| *is_next) else {
            continue;
        };
        let url = at.join(address);
        let url = url.map_err(|_| format!("`{}` is not the address of a page", shown(address)))?;
        if url.origin() != at.origin() {
            // The query may have a secret.
            let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
            return Err(format!("its next page is elsewhere: `{}`", shown(&place)));
        }
        return Ok(Some(url));
    }
    Ok(None)
}

/// The addresses of a header, and whether each is that of the next page. `None` if it is malformed.
fn links(text: &str) -> Option<Vec<(&str, bool)>> {
    let mut found = Vec::new();
    let mut rest = between(text);
    while !rest.is_empty() {
        let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
        let mut relation = None;
        rest = parameters.trim_start();
        while let Some(parameter) = rest.strip_prefix(';') {
            let end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
            let (name, after) = parameter.split_at(end);
            let mut value = String::new();
            rest = after;
            if let Some(after) = after.strip_prefix('=') {
                (value, rest) = word(after.trim_start())?;
            }
            rest = rest.trim_start();
            // The specification says to ignore further ones.
            if name.trim().eq_ignore_ascii_case("rel") && relation.is_none() {
                relation = Some(value);
            }
        }
        let relation = relation.unwrap_or_default();
        let mut relations = relation.split_ascii_whitespace();
        found.push((address, relations.any(|it| it.eq_ignore_ascii_case("next"))));
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        rest = between(rest);
    }
    Some(found)
}

/// What comes after the commas and spaces between two links.
fn between(text: &str) -> &str {
    text.trim_start_matches([',', ' ', '\t'])
}

/// The value of a parameter, which may have quotes, and what comes after it. `None` if the quotes
/// have no end.
fn word(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.trim_end().to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => return Some((value, letters.as_str())),
            '\\' => value.push(letters.next()?),
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn next(links: &[&[u8]]) -> Result<Option<String>, String> {
        let at = Url::parse("https://r.example/v2/a/referrers/x").unwrap();
        let mut headers = HeaderMap::new();
        for link in links {
            let value = HeaderValue::from_bytes(link).unwrap();
            headers.append(header::LINK, value);
        }
        next_page(&headers, &at).map(|it| it.map(String::from))
    }

    #[test]
    fn the_next_page_is_found_in_every_form() {
        for link in [
            "</v2/a/referrers/x?n=a,b>; rel=\"next\"",
            "<?n=a,b>;rel=next",
            "<https://r.example:443/v2/a/referrers/x?n=a,b> ; REL = \"prev Next\" ; title=a",
            "<https://other.example/>; rel=\"first\", , <?n=a,b>; a=\"x, \\\"<\"; rel=next",
            "</other>; rel=next-archive; rel=next, <?n=a,b>; b; rel=next, </third>; rel=next",
        ] {
            let found = next(&[link.as_bytes()]).unwrap();
            let expected = "https://r.example/v2/a/referrers/x?n=a,b";
            assert_eq!(found.as_deref(), Some(expected), "{link}");
            let found = next(&[b"</x>; rel=last", link.as_bytes()]).unwrap();
            assert_eq!(found.as_deref(), Some(expected), "{link}");
        }
    }

    #[test]
    fn the_last_page_has_none() {
        for link in [
            "",
            " , ",
            "</v2/a>; rel=\"last\"",
            "</next>",
            "<next>; x=next",
        ] {
            assert_eq!(next(&[link.as_bytes()]), Ok(None), "{link}");
        }
        assert_eq!(next(&[]), Ok(None));
    }

    #[test]
    fn only_the_same_registry_has_the_next_page() {
        for (address, place) in [
            ("https://other.example/x?secret", "https://other.example/x"),
            ("http://r.example/x", "http://r.example/x"),
            ("https://r.example:5000/", "https://r.example:5000/"),
            ("//other.example/x", "https://other.example/x"),
        ] {
            let error = next(&[format!("<{address}>; rel=\"next\"").as_bytes()]);
            let expected = format!("its next page is elsewhere: `{place}`");
            assert_eq!(error, Err(expected), "{address}");
        }
        let error = next(&[b"<http://[>; rel=\"next\""]).unwrap_err();
        assert!(error.contains("not the address"), "{error}");
    }

    #[test]
    fn a_header_that_cannot_be_read_is_no_last_page() {
        for link in [
            &b"/v2/a; rel=\"next\""[..],
            b"</v2/a; rel=\"next\"",
            b"</v2/a>; rel=\"next",
            b"</v2/a>; rel=\"next\\",
            b"</v2/a> rel=next",
            b"</v2/a>; rel=\"next\" x",
            b"</v2/\xff>; rel=\"next\"",
        ] {
            let error = next(&[link]).unwrap_err();
            assert!(error.contains("malformed"), "{error}");
        }
    }
}
