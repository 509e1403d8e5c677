//! Values in a project that a TOML type alone does not describe. A value reports an error at its
//! own place in the file, also if it is in a list.

use std::fmt;

use edgec_artifact::check_name;
use edgec_compiler::{EngineProfile, ImportPattern, KindChoice, Level};
use edgec_configuration::{Word, words};
use edgec_targets::Target;
use serde::{Deserialize, Deserializer, de};

use super::budget::NewCapabilities;

words!(
    Import,
    Inside,
    Kind,
    Line,
    Name,
    NewCapabilities,
    OfMachine,
    Profile,
    Relative,
    TagPattern,
    TargetName,
    Variable,
    World,
);

/// The name of an application or a channel.
#[derive(Clone, Debug)]
pub(super) struct Name(pub(super) String);

impl Word for Name {
    const WRITE: &'static str = "a name in quotes";

    fn read(text: &str) -> Result<Self, String> {
        let name = check_name(text).map(|()| Self(text.to_owned()));
        name.map_err(|error| error.to_string())
    }
}

/// One line of text, of up to [`Line::MAX_LEN`] bytes.
#[derive(Clone, Debug)]
pub(super) struct Line(pub(super) String);

impl Line {
    /// The limit of `--display-version`, in bytes.
    pub(super) const MAX_LEN: usize = 1024;
}

impl Word for Line {
    const WRITE: &'static str = "text in quotes";

    fn read(text: &str) -> Result<Self, String> {
        if text.contains(char::is_control) {
            Err("control characters are not allowed here".to_owned())
        } else if text.len() > Self::MAX_LEN {
            let (length, limit) = (text.len(), Self::MAX_LEN);
            Err(format!("it has {length} bytes, and {limit} is the limit"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// A path from the project's folder. It may lead out of the folder.
#[derive(Clone, Debug)]
pub(super) struct Relative(pub(super) String);

impl Word for Relative {
    const WRITE: &'static str = "a path in quotes, from the folder of this file";

    fn read(text: &str) -> Result<Self, String> {
        let absolute = text.starts_with(['/', '\\']) || text.get(1..2) == Some(":");
        if text.is_empty() {
            Err("the path is empty".to_owned())
        } else if text.contains(char::is_control) {
            Err("control characters are not allowed here".to_owned())
        } else if absolute {
            Err(
                "the path is absolute, and other machines have other folders: \
                 write it from the folder of this file"
                    .to_owned(),
            )
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// A world of WASI by its name, or a file or folder of WIT, which `#` and a name may follow.
#[derive(Clone, Debug)]
pub(super) struct World(pub(super) String);

impl Word for World {
    const WRITE: &'static str = "a world in quotes, such as \"wasi:http/proxy\" or \"wit#shop\"";

    fn read(text: &str) -> Result<Self, String> {
        // A world's name looks like a path.
        Relative::read(text).map(|Relative(text)| Self(text))
    }
}

/// A path that stays in the project's folder: builds write there.
#[derive(Clone, Debug)]
pub(super) struct Inside(pub(super) String);

impl Word for Inside {
    const WRITE: &'static str = Relative::WRITE;

    fn read(text: &str) -> Result<Self, String> {
        let Relative(path) = Relative::read(text)?;
        match path.split(['/', '\\']).any(|part| part == "..") {
            true => Err(
                "artifacts are written here, and the folder is not in the folder of this file: \
                 `-o` on the command line names any folder"
                    .to_owned(),
            ),
            false => Ok(Self(path)),
        }
    }
}

/// A file that belongs to the machine, such as a key or a tool: any path.
#[derive(Clone, Debug)]
pub(super) struct OfMachine(pub(super) String);

impl Word for OfMachine {
    const WRITE: &'static str = "a file's name in quotes";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("the name is empty".to_owned()),
            "-" => Err("standard input cannot be named here".to_owned()),
            text if text.contains(char::is_control) => {
                Err("control characters are not allowed here".to_owned())
            }
            text => Ok(Self(text.to_owned())),
        }
    }
}

/// The name of an environment variable.
#[derive(Clone, Debug)]
pub(super) struct Variable(pub(super) String);

impl Word for Variable {
    const WRITE: &'static str = "the name of an environment variable in quotes";

    fn read(text: &str) -> Result<Self, String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match !text.is_empty() && text.chars().all(is_part) {
            true => Ok(Self(text.to_owned())),
            false => Err("write only the variable's name, without `$`".to_owned()),
        }
    }
}

/// A pattern of `git tag`, with one `*` in the place of the version.
#[derive(Clone, Debug)]
pub(super) struct TagPattern(pub(super) String);

impl Word for TagPattern {
    const WRITE: &'static str = "a pattern in quotes, such as \"v*\"";

    fn read(text: &str) -> Result<Self, String> {
        let stars = text.matches('*').count();
        let plain = |c: char| c.is_ascii_alphanumeric() || "*._-/+@".contains(c);
        // A leading dash would be an option of git.
        match stars == 1 && text.chars().all(plain) && !text.starts_with('-') {
            true => Ok(Self(text.to_owned())),
            false => Err(
                "write the tag's name with one `*` in the place of the version, as in \"v*\""
                    .to_owned(),
            ),
        }
    }
}

/// A target by one of its names.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetName(pub(super) &'static Target);

impl Word for TargetName {
    const WRITE: &'static str = "a target in quotes, such as \"x86_64\"";

    fn read(text: &str) -> Result<Self, String> {
        edgec_targets::find(text)
            .map(Self)
            .map_err(|error| match error.nearest.as_slice() {
                [] => error.to_string(),
                nearest => format!("{error}; did you mean `{}`?", nearest.join("`, `")),
            })
    }
}

/// The name of an engine profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile(pub(super) EngineProfile);

impl Word for Profile {
    const WRITE: &'static str = "\"default\" or \"edge\"";

    fn read(text: &str) -> Result<Self, String> {
        let profile = text.parse().map(Self);
        profile.map_err(|_| unknown::<Self>("profile", text))
    }
}

/// The kind of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(pub(super) KindChoice);

impl Word for Kind {
    const WRITE: &'static str = "\"auto\", \"component\" or \"module\"";

    fn read(text: &str) -> Result<Self, String> {
        let kind = KindChoice::named(text).map(Self);
        kind.ok_or_else(|| unknown::<Self>("kind", text))
    }
}

impl Word for NewCapabilities {
    const WRITE: &'static str = "\"allow\" or \"deny\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "allow" => Ok(Self::Allowed),
            "deny" => Ok(Self::Denied),
            _ => Err(unknown::<Self>("choice", text)),
        }
    }
}

/// A pattern of imports.
#[derive(Clone, Debug)]
pub(super) struct Import(pub(super) ImportPattern);

impl Word for Import {
    const WRITE: &'static str = "an import in quotes, such as \"wasi:cli/*\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("no import has an empty name".to_owned()),
            text => Ok(Self(ImportPattern::new(text))),
        }
    }
}

fn unknown<W: Word>(what: &str, text: &str) -> String {
    format!("there is no {what} `{text}`: write {}", W::WRITE)
}

/// A size in MiB, which is kept in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mebibytes(pub(super) u64);

impl Mebibytes {
    /// The largest size, in MiB: that of `--max-memory`.
    const MOST: u64 = 1 << 40;
}

impl<'de> Deserialize<'de> for Mebibytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        match number <= Self::MOST {
            true => Ok(Self(number << 20)),
            false => Err(de::Error::custom(format!(
                "{number} MiB is no size of a memory: write a number up to {}",
                Self::MOST
            ))),
        }
    }
}

/// An optimization level: a number, or `"s"` or `"z"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Optimize(pub(super) Level);

impl<'de> Deserialize<'de> for Optimize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelReader)
    }
}

struct LevelReader;

impl de::Visitor<'_> for LevelReader {
    type Value = Optimize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0, 1, 2, 3, 4, \"s\" or \"z\"")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Optimize, E> {
        self.level(&number.to_string(), |level| {
            !matches!(level, Level::Os | Level::Oz)
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Optimize, E> {
        self.level(text, |level| matches!(level, Level::Os | Level::Oz))
    }
}

impl LevelReader {
    /// The level of this name, if it is written in this way.
    fn level<E: de::Error>(self, name: &str, fits: fn(Level) -> bool) -> Result<Optimize, E> {
        let level = Level::named(name).filter(|level| fits(*level));
        level.map(Optimize).ok_or_else(|| {
            E::custom(format!(
                "there is no level `{name}`: write 0, 1, 2, 3, 4, \"s\" or \"z\""
            ))
        })
    }
}
