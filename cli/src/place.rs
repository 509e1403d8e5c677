//! Where a failure is: the file, and the place in it.

use std::path::{Path, PathBuf};

use edgec_compiler::Location;
use serde::Serialize;

use crate::escape::safe;
use crate::key_material::masked;

/// A place in a file. Every part may be unknown.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    /// The file, as the user named it. `None` if no file is at fault, or if it has no name.
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
    /// In a text: the line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    /// In a text: the column, counted from 1, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
    /// In a binary: bytes from the start of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    /// The function in WebAssembly that contains the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) function: Option<Function>,
    /// The line of the source, if the program has debug information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Source>,
    /// The code around the place, in the text format. The line of the place begins with `>`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) excerpt: Vec<String>,
}

/// A line of a source file, as the program states it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Source {
    /// The file; safe.
    file: String,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
}

impl Source {
    /// The line for people.
    pub(crate) fn text(&self) -> String {
        let column = self.column.iter().map(|column| format!(":{column}"));
        let column: String = column.collect();
        format!("{}:{}{column}", self.file, self.line)
    }
}

/// A function of a core module.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Function {
    index: u32,
    /// Its name, safe, if the module has names.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// In a component: the number of the core module, in file order.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<u32>,
}

impl Function {
    /// The function for people: its name, or its number.
    pub(crate) fn text(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("function {}", self.index),
        }
    }
}

impl Place {
    /// A place in a program. If the program was a text, its offsets are those of another file.
    pub(crate) fn in_program(location: &Location, from_text: bool) -> Self {
        let excerpt = location.excerpt.iter().flat_map(|excerpt| {
            let lines = excerpt.lines.iter().enumerate();
            lines.map(move |(number, line)| match number == excerpt.place {
                true => format!("> {line}"),
                false => format!("  {line}"),
            })
        });
        Self {
            file: None,
            line: location.text.map(|place| place.line),
            column: location.text.map(|place| place.column),
            offset: Some(location.offset as u64).filter(|_| !from_text),
            function: location.function.as_ref().map(|function| Function {
                index: function.index,
                name: function.name.as_deref().map(|name| masked(&safe(name))),
                module: function.module,
            }),
            source: location.source.as_ref().map(|source| Source {
                file: masked(&safe(&source.file)),
                line: source.line,
                column: source.column,
            }),
            excerpt: excerpt.collect(),
        }
    }

    /// A place in a text: line and column, counted from 1.
    pub(crate) fn in_text(line: usize, column: usize) -> Self {
        Self {
            line: Some(line),
            column: Some(column),
            ..Self::default()
        }
    }

    /// A place in a binary: bytes from the start of the file.
    pub(crate) fn in_binary(offset: u64) -> Self {
        Self {
            offset: Some(offset),
            ..Self::default()
        }
    }

    /// The place that a message names: `--> line 2:9`, as for programs, `line 2, column 9`, as for
    /// policies, or `at offset 0x1f`. The message may quote hostile text, so the place decides
    /// nothing.
    pub(crate) fn in_message(message: &str) -> Self {
        let mut lines = message.lines().map(str::trim_start);
        let arrow = lines.find_map(|line| line.strip_prefix("--> line "));
        let pair = match arrow {
            Some(rest) => rest.split_once(':'),
            None => message
                .split_once(", column ")
                .and_then(|(before, column)| {
                    let (_, line) = before.rsplit_once("line ")?;
                    Some((line, column))
                }),
        };
        let (line, column) = pair.unwrap_or_default();
        let offset = message.split_once("at offset 0x").map(|(_, rest)| rest);
        Self {
            line: leading(line, 10).and_then(|line| usize::try_from(line).ok()),
            column: leading(column, 10).and_then(|column| usize::try_from(column).ok()),
            offset: offset.and_then(|offset| leading(offset, 16)),
            ..Self::default()
        }
    }

    /// Whether nothing is known but the file.
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_none() && self.offset.is_none() && self.function.is_none()
    }

    /// The same place in a file. Standard input has no name.
    pub(crate) fn set_file(&mut self, path: &Path) {
        self.file = Some(path.to_owned()).filter(|path| path.as_os_str() != "-");
    }

    /// Line and column for people.
    pub(crate) fn line_text(&self) -> Option<String> {
        let line = self.line?;
        Some(match self.column {
            Some(column) => format!("line {line}:{column}"),
            None => format!("line {line}"),
        })
    }
}

/// The number with which a text begins.
fn leading(text: &str, radix: u32) -> Option<u64> {
    let end = text.find(|c: char| !c.is_digit(radix));
    let digits = text.get(..end.unwrap_or(text.len()))?;
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_messages() {
        for (message, line, column) in [
            ("expected `)`\n     --> line 2:9\n      |", Some(2), Some(9)),
            (
                "TOML parse error at line 3, column 10\n  |",
                Some(3),
                Some(10),
            ),
            (
                "malformed fleet: line 2, column 1: unknown field",
                Some(2),
                Some(1),
            ),
            ("no place", None, None),
            ("--> line x:9", None, Some(9)),
        ] {
            let place = Place::in_message(message);
            assert_eq!((place.line, place.column), (line, column), "{message}");
        }
        let place = Place::in_message("too many (at offset 0x1f, in function 0)");
        assert_eq!(place.offset, Some(31));
    }
}
