//! Where the next page of a list is: the header `Link`.

use http::{HeaderMap, header};
use url::Url;

/// The address of the next page, if it is at the same registry.
///
/// Source: RFC 8288.
pub(crate) fn next_page(headers: &HeaderMap, at: &Url) -> Option<Url> {
    let link = headers.get(header::LINK)?.to_str().ok()?;
    let link = link
        .split(',')
        .find(|it| it.contains("rel=\"next\"") || it.contains("rel=next"))?;
    let (_, rest) = link.split_once('<')?;
    let (address, _) = rest.split_once('>')?;
    let url = at.join(address).ok()?;
    (url.origin() == at.origin()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_registry_has_the_next_page() {
        let at = Url::parse("https://r.example/v2/a/referrers/x").unwrap();
        let next = |link: &str| {
            let header = (header::LINK, link.parse().unwrap());
            next_page(&HeaderMap::from_iter([header]), &at).map(String::from)
        };
        let found = next("</v2/a/referrers/x?n=2>; rel=\"next\"").unwrap();
        assert_eq!(found, "https://r.example/v2/a/referrers/x?n=2");
        assert_eq!(next("<https://other.example/>; rel=\"next\""), None);
        assert_eq!(next("</v2/a>; rel=\"last\""), None);
    }
}
