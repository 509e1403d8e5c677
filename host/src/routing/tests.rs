//! Tests of the router.

use http::HeaderValue;

use super::*;

fn router(applications: &[(&[&str], &str)]) -> Router<usize> {
    let mut router = Router::default();
    for (number, (hosts, path)) in applications.iter().enumerate() {
        let hosts: Vec<HostPattern> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        router.add(&hosts, &path.parse().unwrap(), &number);
    }
    router
}

#[test]
fn the_most_specific_host_and_the_longest_prefix_win() {
    let router = router(&[
        (&["shop.example"], "/"),
        (&["shop.example"], "/api"),
        (&["shop.example"], "/api/v2/"),
        (&["*.example"], "/"),
        (&["*.shop.example"], "/"),
        (&["only.test"], "/here"),
    ]);
    for (host, path, found) in [
        ("shop.example", "/", Ok(0)),
        ("shop.example", "/apis", Ok(0)),
        ("shop.example", "/api", Ok(1)),
        ("shop.example", "/api/", Ok(1)),
        ("shop.example", "/api/v2", Ok(2)),
        ("shop.example", "/api/v2/x?y", Ok(2)),
        ("other.example", "/", Ok(3)),
        ("a.b.example", "/", Ok(3)),
        ("a.shop.example", "/", Ok(4)),
        ("example", "/", Err(RouteError::UnknownHost)),
        ("only.test", "/here/x", Ok(5)),
        ("only.test", "/there", Err(RouteError::UnknownPath)),
        ("else.test", "/", Err(RouteError::UnknownHost)),
    ] {
        assert_eq!(router.find(host, path).copied(), found, "{host}{path}");
    }
}

#[test]
fn an_application_without_a_host_gets_the_rest() {
    let router = router(&[(&["shop.example"], "/shop"), (&[], "/")]);
    assert_eq!(router.find("else.test", "/"), Ok(&1));
    // A known host does not fall back: its other paths belong to nobody.
    assert_eq!(
        router.find("shop.example", "/"),
        Err(RouteError::UnknownPath)
    );
}

#[test]
fn a_request_names_one_host() {
    let host = |version, uri: &str, fields: &[&str]| {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(HOST, HeaderValue::from_str(field).unwrap());
        }
        host_of(version, &uri.parse().unwrap(), &headers)
    };
    let one = Version::HTTP_11;
    for (field, found) in [
        ("Shop.Example", "shop.example"),
        ("shop.example:8080", "shop.example"),
        ("shop.example.", "shop.example"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:443", "[::1]"),
        ("[::1]", "[::1]"),
        ("shop.example:", "shop.example"),
    ] {
        assert_eq!(host(one, "/", &[field]).as_deref(), Ok(found));
    }
    for field in [
        "",
        "a b",
        "user@shop.example",
        "shop.example:x",
        "shop.example:99999",
        "-a.example",
        "a..b",
        "shop.example/x",
        "1.2.3",
        "256.1.1.1",
        "[::g]",
        "shop.example:+1",
        "a,b",
    ] {
        assert_eq!(host(one, "/", &[field]), Err(RouteError::Host), "{field:?}");
    }
    assert_eq!(host(one, "/", &[]), Err(RouteError::Host));
    assert_eq!(host(one, "/", &["a.test", "a.test"]), Err(RouteError::Host));
    assert_eq!(
        host(one, "http://a.test/", &["b.test"]),
        Err(RouteError::Host)
    );
    assert_eq!(host(one, "http://a.test/", &[]), Err(RouteError::Host));
    let two = Version::HTTP_2;
    assert_eq!(host(two, "https://a.test/", &[]).as_deref(), Ok("a.test"));
    assert_eq!(
        host(two, "https://a.test/", &["A.test"]).as_deref(),
        Ok("a.test")
    );
    assert_eq!(
        host(two, "https://a.test/", &["b.test"]),
        Err(RouteError::Host)
    );
}

/// Source: RFC 9110, sections 4.2.1 and 4.2.2 (usual ports); RFC 9112, section 3.2.2.
#[test]
fn a_whole_target_names_the_same_host_as_its_field() {
    let host = |uri: &str, field: &str| {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_str(field).unwrap());
        host_of(Version::HTTP_11, &uri.parse().unwrap(), &headers)
    };
    for (uri, field) in [
        ("http://shop.example/", "shop.example"),
        ("http://shop.example:80/", "shop.example"),
        ("http://shop.example/", "Shop.Example:80"),
        ("http://shop.example:/", "shop.example"),
        ("HTTPS://shop.example:443/", "shop.example"),
        ("https://shop.example/", "shop.example:443"),
        ("http://shop.example:8080/", "shop.example:8080"),
    ] {
        assert_eq!(
            host(uri, field).as_deref(),
            Ok("shop.example"),
            "{uri} {field}"
        );
    }
    for (uri, field) in [
        ("http://shop.example:443/", "shop.example"),
        ("https://shop.example:80/", "shop.example"),
        ("http://shop.example:81/", "shop.example"),
        ("http://shop.example/", "shop.example:x"),
        ("http://shop.example/", "other.example:80"),
        ("http://user@shop.example/", "shop.example"),
    ] {
        assert_eq!(host(uri, field), Err(RouteError::Host), "{uri} {field}");
    }
    for scheme in ["ftp", "file", "ws"] {
        let uri = format!("{scheme}://shop.example/");
        assert_eq!(host(&uri, "shop.example"), Err(RouteError::Scheme), "{uri}");
    }
}
