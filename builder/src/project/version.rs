//! Where a component's name and version come from, and the number that a text means.

use std::fmt;

use edgec_artifact::MAX_VERSION;
use edgec_configuration::Word as _;
use serde::{Deserialize, Deserializer, de};

use super::values::{Line, Name, Relative, TagPattern, Variable};

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextFrom {
    /// The project itself.
    Here(String),
    /// The first line of a file. The path is relative to the project's folder.
    File(String),
    /// An environment variable.
    Variable(String),
    /// The newest tag of this pattern that the commit contains. The text is what `*` stands for.
    GitTag(String),
}

/// A version's number, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionFrom {
    /// Where the text comes from.
    pub from: TextFrom,
    /// What the text looks like.
    pub form: VersionForm,
}

/// What the text of a version looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VersionForm {
    /// A whole number.
    #[default]
    Number,
    /// Three numbers with points, each up to 9999: `1.2.3` becomes 100020003.
    Semver,
}

/// A text that is not the number of a version. The text is not repeated: the variable or file may
/// be the wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// It is not a whole number.
    #[error("the text is not a whole number from 0 to {MAX_VERSION}")]
    Number,
    /// It is not three numbers with points.
    #[error("the text is not three numbers with points, each up to 9999, as in 1.2.3")]
    Semver,
}

impl VersionFrom {
    /// The number that the text means.
    ///
    /// # Errors
    ///
    /// [`VersionError`] if the text has another form.
    pub fn number(&self, text: &str) -> Result<u64, VersionError> {
        match self.form {
            VersionForm::Number => whole(text, MAX_VERSION).ok_or(VersionError::Number),
            VersionForm::Semver => {
                let mut parts = text.split('.').map(|part| whole(part, 9999));
                let numbers = (parts.next(), parts.next(), parts.next(), parts.next());
                match numbers {
                    (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
                        Ok((major * 10_000 + minor) * 10_000 + patch)
                    }
                    _ => Err(VersionError::Semver),
                }
            }
        }
    }
}

/// Digits alone: `parse` would also take a sign.
fn whole(text: &str, most: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = text.parse().ok().filter(|_| digits)?;
    (number <= most).then_some(number)
}

/// The part of a tag that the `*` of its pattern stands for. `None` if the tag is another one.
pub fn version_in_tag<'t>(pattern: &str, tag: &'t str) -> Option<&'t str> {
    let (before, behind) = pattern.split_once('*')?;
    tag.strip_prefix(before)?.strip_suffix(behind)
}

/// The table of a text that does not stand in the project.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Source {
    file: Option<Relative>,
    env: Option<Variable>,
    git_tag: Option<TagPattern>,
    form: Option<VersionForm>,
}

impl Source {
    /// The place of a text that is not the number of a version.
    fn text_without_form<E: de::Error>(self) -> Result<TextFrom, E> {
        match self.form {
            None => self.text(),
            Some(_) => Err(E::custom(
                "`form` belongs to `version`: a name and a version for people have any form",
            )),
        }
    }

    fn text<E: de::Error>(self) -> Result<TextFrom, E> {
        let file = self.file.map(|Relative(path)| TextFrom::File(path));
        let env = self.env.map(|Variable(name)| TextFrom::Variable(name));
        let tag = self
            .git_tag
            .map(|TagPattern(pattern)| TextFrom::GitTag(pattern));
        let mut sources = [file, env, tag].into_iter().flatten();
        match (sources.next(), sources.next()) {
            (Some(source), None) => Ok(source),
            _ => Err(E::custom(
                "write one of `file`, `env` and `git-tag` in this table",
            )),
        }
    }
}

/// `name`: a text, or a table.
#[derive(Clone, Debug)]
pub(super) struct ComponentName(pub(super) TextFrom);

impl<'de> Deserialize<'de> for ComponentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameReader)
    }
}

struct NameReader;

impl<'de> de::Visitor<'de> for NameReader {
    type Value = ComponentName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name in quotes, or where it comes from, as in { env = \"APP_NAME\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ComponentName, E> {
        let Name(name) = Name::read(text).map_err(E::custom)?;
        Ok(ComponentName(TextFrom::Here(name)))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ComponentName, A::Error> {
        let source = Source::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(ComponentName(source.text_without_form::<A::Error>()?))
    }
}

/// `version`: a number, or a table.
#[derive(Clone, Debug)]
pub(super) struct Version(pub(super) VersionFrom);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VersionReader)
    }
}

struct VersionReader;

impl<'de> de::Visitor<'de> for VersionReader {
    type Value = Version;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a whole number, or where it comes from, as in { git-tag = \"v*\" } \
             (`display-version` takes versions such as 1.2.3)",
        )
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Version, E> {
        let from = TextFrom::Here(number.to_string());
        let form = VersionForm::Number;
        let version = VersionFrom { from, form };
        match version.number(&number.to_string()) {
            Ok(_) => Ok(Version(version)),
            Err(_) => Err(E::custom(format!(
                "write a whole number from 0 to {MAX_VERSION}"
            ))),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Version, A::Error> {
        let source = Source::deserialize(de::value::MapAccessDeserializer::new(map))?;
        let form = source.form.unwrap_or_default();
        let from = source.text::<A::Error>()?;
        Ok(Version(VersionFrom { from, form }))
    }
}

/// `display-version`: a text, or a table.
#[derive(Clone, Debug)]
pub(super) struct DisplayVersion(pub(super) TextFrom);

impl<'de> Deserialize<'de> for DisplayVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DisplayReader)
    }
}

struct DisplayReader;

impl<'de> de::Visitor<'de> for DisplayReader {
    type Value = DisplayVersion;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes, or where it comes from, as in { git-tag = \"v*\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DisplayVersion, E> {
        let Line(text) = Line::read(text).map_err(E::custom)?;
        Ok(DisplayVersion(TextFrom::Here(text)))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<DisplayVersion, A::Error> {
        let source = Source::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(DisplayVersion(source.text_without_form::<A::Error>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_one_number_or_none() {
        let number = |form, text: &str| {
            let from = TextFrom::Here(String::new());
            VersionFrom { from, form }.number(text)
        };
        use VersionForm::{Number, Semver};
        assert_eq!(number(Number, "7"), Ok(7));
        assert_eq!(number(Number, "9007199254740991"), Ok(MAX_VERSION));
        for text in ["", "+7", "-7", "7 ", "v7", "1.2.3", "9007199254740992"] {
            assert_eq!(number(Number, text), Err(VersionError::Number), "{text}");
        }
        assert_eq!(number(Semver, "1.2.3"), Ok(100_020_003));
        assert_eq!(number(Semver, "9999.9999.9999"), Ok(999_999_999_999));
        assert!(number(Semver, "1.10.0").unwrap() > number(Semver, "1.9.9999").unwrap());
        for text in ["", "1", "1.2", "1.2.3.4", "1.2.3-rc1", "1.2.10000", "1..3"] {
            assert_eq!(number(Semver, text), Err(VersionError::Semver), "{text}");
        }
    }

    #[test]
    fn a_tag_without_its_pattern_is_the_version() {
        assert_eq!(version_in_tag("v*", "v7"), Some("7"));
        assert_eq!(
            version_in_tag("shop/v*-edge", "shop/v1.2.3-edge"),
            Some("1.2.3")
        );
        assert_eq!(version_in_tag("v*", "7"), None);
        assert_eq!(version_in_tag("v*v", "v"), None);
    }
}
