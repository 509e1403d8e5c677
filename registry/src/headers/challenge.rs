//! What a registry says about how to log in: the header `WWW-Authenticate`.
//!
//! Source: RFC 9110, section 11.6.1; "Token Authentication Specification" of `distribution`.

use http::{HeaderMap, header};

/// The way to log in that a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A token of this service.
    Bearer {
        /// The address of the service.
        realm: String,
        /// The registry's name there.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
    /// A name and a password.
    Basic,
}

/// The challenge that suits best: a token before a password.
pub(crate) fn find(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let texts = values.filter_map(|it| it.to_str().ok());
    let found: Vec<Challenge> = texts.flat_map(parse).collect();
    let is_bearer = |it: &&Challenge| matches!(it, Challenge::Bearer { .. });
    found.iter().find(is_bearer).or(found.first()).cloned()
}

/// The challenges of one header that are known here.
pub fn parse(text: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    for (scheme, parameters) in split(text) {
        let parameter = |name: &str| {
            let same = |(it, _): &&(String, String)| it.eq_ignore_ascii_case(name);
            parameters.iter().find(same).map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = parameter("realm")
        {
            found.push(Challenge::Bearer {
                realm,
                service: parameter("service"),
                scope: parameter("scope"),
            });
        }
    }
    found
}

/// Each scheme with its parameters. A comma separates both challenges and parameters: a word
/// without `=` after it starts a challenge.
fn split(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find(|it: char| !is_token(it)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        match after.trim_start().strip_prefix('=') {
            None => {
                found.push((word.to_owned(), Vec::new()));
                rest = after;
            }
            Some(value) => {
                let (value, after) = value_of(value.trim_start());
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word.to_owned(), value));
                }
                rest = after;
            }
        }
    }
}

/// A token or a quoted text, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|it: char| !is_token(it)).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

/// Source: RFC 9110, section 5.6.2; `/` also occurs in values without quotes.
fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/:".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn challenges_of_registries_are_read() {
        let hub = "Bearer realm=\"https://auth.docker.io/token\",\
                   service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\"";
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:a/b:pull,push"),
        );
        assert_eq!(parse(hub), [expected]);
        assert_eq!(parse("Basic realm=\"x\""), [Challenge::Basic]);
        assert_eq!(parse("basic"), [Challenge::Basic]);
        let two = r#"Digest realm="a, Basic", nonce=abc, BEARER Realm = "h\"i" , Basic realm=y"#;
        assert_eq!(parse(two), [bearer("h\"i", None, None), Challenge::Basic]);
        assert_eq!(parse("Bearer service=x"), []);
    }

    #[test]
    fn a_token_is_preferred() {
        let mut headers = HeaderMap::new();
        assert_eq!(find(&headers), None);
        headers.append(header::WWW_AUTHENTICATE, "Basic realm=a".parse().unwrap());
        assert_eq!(find(&headers), Some(Challenge::Basic));
        headers.append(header::WWW_AUTHENTICATE, "Bearer realm=b".parse().unwrap());
        assert_eq!(find(&headers), Some(bearer("b", None, None)));
    }

    #[test]
    fn any_text_ends() {
        for text in [
            "",
            ",,,",
            "=",
            "a=\"",
            "a=\"\\",
            "\"",
            "Bearer =x",
            "é",
            "a é b",
        ] {
            parse(text);
        }
    }
}
