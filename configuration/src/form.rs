//! A kind of file, and the way from its text to a value.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::TextError;
use crate::message::what;
use crate::place::TextPlace;

/// The longest text, in bytes (1 MiB). It is also the limit for files that must be safe from other
/// users.
pub const MAX_LEN: usize = 1 << 20;

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The schema that is read. There is one so far for each kind.
    pub schema: u32,
    /// The name of its list of tables, as in `[[application]]`.
    pub list: &'static str,
    /// Finds the known name that an unknown one was probably meant to be.
    pub nearest: for<'k> fn(&str, &[&'k str]) -> Option<&'k str>,
}

/// The field that every schema has.
#[derive(Deserialize)]
struct Head {
    schema: Option<u32>,
}

impl Form {
    /// Reads a text of at most [`MAX_LEN`] bytes. The type has a field for `schema` too.
    ///
    /// # Errors
    ///
    /// [`TextError`] for every text that is not TOML, has another schema, or does not fit the type.
    pub fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, TextError> {
        if text.len() > MAX_LEN {
            let (length, limit) = (text.len(), MAX_LEN);
            return Err(TextError::TooLong { length, limit });
        }
        let malformed = |error| self.explained(text, &error);
        // Another schema may have other names.
        let head: Head = toml::from_str(text).map_err(malformed)?;
        let expected = self.schema;
        match head.schema {
            Some(found) if found == expected => toml::from_str(text).map_err(malformed),
            Some(found) => Err(TextError::OtherSchema { found, expected }),
            None => Err(TextError::NoSchema { expected }),
        }
    }

    /// The parser's error in the words of users.
    fn explained(&self, text: &str, error: &toml::de::Error) -> TextError {
        let at = error.span().and_then(|span| TextPlace::of(text, &span));
        let message = error.message();
        if let Some(rest) = message.strip_prefix("unknown field `") {
            let (name, rest) = rest.split_once('`').unwrap_or((rest, ""));
            // The known names stand in backticks.
            let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
            return TextError::UnknownName {
                name: name.to_owned(),
                nearest: (self.nearest)(name, &known).map(Box::from),
                known: known.into_iter().map(str::to_owned).collect(),
                at,
            };
        }
        if let Some(rest) = message.strip_prefix("missing field `") {
            let name = rest.trim_end_matches('`').to_owned();
            return TextError::Missing { name, at };
        }
        let what = what(message, self.list);
        TextError::Value { what, at }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
    struct File {
        #[serde(rename = "schema")]
        _schema: u32,
        count: u64,
        ratio: f64,
        yes: bool,
        words: Vec<String>,
        table: Option<Table>,
        address: Option<SocketAddr>,
        shop: Vec<Table>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[serde(rename = "name")]
        _name: String,
    }

    const FORM: Form = Form {
        schema: 1,
        list: "shop",
        nearest: |name, known| known.iter().copied().find(|known| known.starts_with(name)),
    };

    fn error(text: &str) -> TextError {
        FORM.read::<File>(text).unwrap_err()
    }

    #[test]
    fn the_whole_text_is_read() {
        let text = "schema = 1\ncount = 2\nratio = 1.5\nyes = true\nwords = [\"a\"]\n\
                    address = \"[::1]:1\"\ntable = { name = \"a\" }\n[[shop]]\nname = \"b\"\n";
        let file: File = FORM.read(text).unwrap();
        assert_eq!((file.count, file.ratio, file.yes), (2, 1.5, true));
        assert!(file.table.is_some() && file.address.is_some());
        assert_eq!((file.words.len(), file.shop.len()), (1, 1));
    }

    #[test]
    fn a_text_is_bounded_and_states_its_schema() {
        let (length, limit) = (MAX_LEN + 1, MAX_LEN);
        let long = error(&" ".repeat(length));
        assert_eq!(long, TextError::TooLong { length, limit });
        let expected = 1;
        assert_eq!(error(""), TextError::NoSchema { expected });
        let (found, other) = (2, error("schema = 2\nnew = 1"));
        assert_eq!(other, TextError::OtherSchema { found, expected });
        assert!(long.place().is_none() && other.place().is_none());
    }

    #[test]
    fn an_error_has_a_place_and_says_what_to_write() {
        for (line, place, says) in [
            (
                "count = \"2\"",
                "2:9",
                "write a whole number, 0 or more, without quotes",
            ),
            (
                "count = -1",
                "2:9",
                "write a whole number, 0 or more, without quotes",
            ),
            (
                "ratio = \"1\"",
                "2:9",
                "write a number without quotes, such as 1.5",
            ),
            ("yes = 1", "2:7", "write true or false"),
            (
                "words = \"a, expected u64\"",
                "2:9",
                "write a list in brackets",
            ),
            (
                "[shop]\nname = \"a\"",
                "2:1",
                "write the name in double brackets, as in `[[shop]]`: it is a list of tables",
            ),
            ("table = 1", "2:9", "write a table"),
            (
                "address = \"here\"",
                "2:11",
                "write an IP address and a port, such as \"127.0.0.1:9600\"",
            ),
            (
                "address = 9600",
                "2:11",
                "write an IP address and a port, such as \"127.0.0.1:9600\"",
            ),
            ("words = [\"ä\", 1]", "2:15", "write a string"),
            (
                "count = 1\ncount = 2",
                "3:1",
                "each shop begins with `[[shop]]`",
            ),
            ("table = { }", "2:9", "`name` is missing"),
            (
                "wor = 1",
                "2:1",
                "unknown name `wor`; did you mean `words`?",
            ),
            (
                "table = { x = 1 }",
                "2:11",
                "unknown name `x`; this table has `name`",
            ),
            ("=", "2:1", ""),
        ] {
            let error = error(&format!("schema = 1\n{line}"));
            let shown = error.to_string();
            assert!(shown.contains(says), "{line}: {shown}");
            assert_eq!(error.place().unwrap().to_string(), place, "{line}: {shown}");
        }
        let own = TextError::value("write less", "a\nb = 1", &(2..3));
        assert_eq!(own.place().unwrap().text, "b = 1");
        assert_eq!(own.to_string(), "write less");
    }
}
