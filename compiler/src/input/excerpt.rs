//! The code around an error, in the text format.
//!
//! Only the function with the error is printed, as the only function of a module with the same
//! types: to print all of a large program would take longer than to refuse it. So other functions
//! appear with their numbers. An excerpt is a courtesy: if the printer cannot read the function,
//! the error has no excerpt.

use std::collections::VecDeque;
use std::io;

use serde::{Deserialize, Serialize};
use wasm_encoder::{CodeSection, FunctionSection, Module, RawSection, SectionId};
use wasmparser::{FunctionBody, Parser, Payload, TypeRef};
use wasmprinter::{Config, Print};

/// How many lines before the place are shown.
const BEFORE: usize = 4;
/// The maximum length of a line in bytes: a jump table can have a million labels.
const MAX_LINE_LEN: usize = 80;

/// Some lines of a function in the text format, around a place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The lines, without their common indentation. They are ASCII, at most 80 bytes each.
    pub lines: Vec<String>,
    /// The line of the place, counted from 0.
    pub place: usize,
}

/// A place in the code of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// The number of the function among those that the module defines, counted from 0. Imported
    /// functions do not count.
    pub function: u32,
    /// The number of the instruction in the function, counted from 0.
    pub number: usize,
}

/// The instruction at `offset`, and the lines around it. The offset is in function `index` of the
/// module that begins at `start`.
pub(super) fn at(
    bytes: &[u8],
    start: usize,
    index: u32,
    offset: usize,
) -> Option<(Instruction, Option<Excerpt>)> {
    let module = bytes.get(start..)?;
    let function = find(module, index)?;
    let offset = offset.checked_sub(start)?;
    let mut operators = function.body.get_operators_reader().ok()?;
    let mut number: usize = 0;
    while operators.original_position() < offset && operators.read().is_ok() {
        number = number.checked_add(1)?;
    }
    let instruction = Instruction {
        function: function.number,
        number,
    };
    Some((instruction, lines(module, &function, offset)))
}

/// The lines around an offset in the module.
fn lines(module: &[u8], function: &Found<'_>, offset: usize) -> Option<Excerpt> {
    let range = function.body.range();
    let code = module.get(range.clone())?;
    let place = offset.checked_sub(range.start)?;
    let first = function.body.get_operators_reader().ok()?;
    let first = first.original_position().checked_sub(range.start)?;

    let alone = alone(function, code);
    // The body is the end of the last section.
    let begin = alone.len().checked_sub(code.len())?;
    let mut window = Window {
        first: begin.checked_add(first)?,
        end: alone.len().checked_sub(1)?,
        place: begin.checked_add(place)?,
        lines: VecDeque::new(),
        is_kept: false,
    };
    // An error means that the window is complete, or that no more can be read.
    let _ = Config::new().print(&alone, &mut window);
    let is_end = place.checked_add(1) == Some(code.len());
    window.excerpt(is_end)
}

/// A function, and what is needed to print it.
struct Found<'a> {
    /// The content of the type section.
    types: &'a [u8],
    /// The function's type.
    ty: u32,
    /// Its number among those that the module defines.
    number: u32,
    body: FunctionBody<'a>,
}

fn find(module: &[u8], index: u32) -> Option<Found<'_>> {
    let mut types: &[u8] = &[];
    let mut imported: u32 = 0;
    let mut defined = Vec::new();
    let mut bodies: u32 = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::TypeSection(section) => types = module.get(section.range())?,
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Func(_) | TypeRef::FuncExact(_) = import.ok()?.ty {
                        imported = imported.checked_add(1)?;
                    }
                }
            }
            Payload::FunctionSection(section) => {
                defined = section.into_iter().collect::<Result<_, _>>().ok()?;
            }
            Payload::CodeSectionEntry(body) => {
                if imported.checked_add(bodies) == Some(index) {
                    let ty = *defined.get(usize::try_from(bodies).ok()?)?;
                    return Some(Found {
                        types,
                        ty,
                        number: bodies,
                        body,
                    });
                }
                bodies = bodies.checked_add(1)?;
            }
            Payload::End(_) => return None,
            _ => {}
        }
    }
    None
}

/// A module with only this function.
fn alone(function: &Found<'_>, code: &[u8]) -> Vec<u8> {
    let mut module = Module::new();
    if !function.types.is_empty() {
        module.section(&RawSection {
            id: SectionId::Type.into(),
            data: function.types,
        });
    }
    let mut functions = FunctionSection::new();
    functions.function(function.ty);
    let mut bodies = CodeSection::new();
    bodies.raw(code);
    module.section(&functions).section(&bodies);
    module.finish()
}

/// Keeps the lines around a place, and stops the printer behind it.
struct Window {
    /// Where the first instruction is.
    first: usize,
    /// Where the function's `end` is. The printer closes the function and the module there.
    end: usize,
    place: usize,
    /// The last lines, with the place of each.
    lines: VecDeque<(usize, String)>,
    /// Whether the current line is one of them.
    is_kept: bool,
}

impl Window {
    /// `is_end` says whether the place is that of the function's end, which the printer does not
    /// show.
    fn excerpt(self, is_end: bool) -> Option<Excerpt> {
        let place = self.lines.iter().position(|(at, _)| *at == self.place);
        let lines = self.lines.into_iter().map(|(_, line)| line);
        let mut lines: Vec<String> = lines.collect();
        let indented = |line: &String| line.len() - line.trim_start().len();
        let common = lines.iter().map(indented).min().unwrap_or_default();
        for line in &mut lines {
            line.drain(..common);
        }
        match place {
            Some(place) => Some(Excerpt { lines, place }),
            // The end alone says nothing.
            None if is_end && !lines.is_empty() => {
                lines.push("end".to_owned());
                let place = lines.len() - 1;
                Some(Excerpt { lines, place })
            }
            None => None,
        }
    }
}

impl Print for Window {
    fn write_str(&mut self, text: &str) -> io::Result<()> {
        if let Some((_, line)) = self.lines.back_mut().filter(|_| self.is_kept) {
            let room = MAX_LINE_LEN.saturating_sub(line.len());
            line.extend(text.chars().filter(char::is_ascii).take(room));
        }
        Ok(())
    }

    fn newline(&mut self) -> io::Result<()> {
        match self.lines.back() {
            // One line behind the place is enough.
            Some((at, _)) if *at > self.place => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(()),
        }
    }

    fn start_line(&mut self, offset: Option<usize>) {
        let offset = offset.filter(|offset| (self.first..self.end).contains(offset));
        self.is_kept = offset.is_some();
        let Some(offset) = offset else {
            return;
        };
        if offset <= self.place && self.lines.len() > BEFORE {
            self.lines.pop_front();
        }
        self.lines.push_back((offset, String::new()));
    }
}

#[cfg(test)]
mod tests {
    use crate::input::invalid::ValidateError;
    use crate::validate;

    fn excerpt(text: &str) -> (Vec<String>, usize) {
        let error = validate(wat::parse_str(text).unwrap()).unwrap_err();
        let ValidateError::Invalid { location, .. } = error else {
            panic!("{error}");
        };
        let excerpt = location.excerpt.unwrap();
        (excerpt.lines, excerpt.place)
    }

    #[test]
    fn the_place_is_among_its_neighbours() {
        let text = "(module (import \"a\" \"f\" (func)) (func)
            (func (param i32) (local i64)
                nop nop nop
                (block (drop (i32.add (local.get 0) (local.get 1))))
                nop nop))";
        let (lines, place) = excerpt(text);
        let expected = [
            "nop",
            "block",
            "  local.get 0",
            "  local.get 1",
            "  i32.add",
            "  drop",
        ];
        let shown: Vec<&str> = lines.iter().map(|line| without_comment(line)).collect();
        assert_eq!(shown, expected);
        assert_eq!(place, 4);
    }

    /// The printer numbers blocks in comments.
    fn without_comment(line: &str) -> &str {
        line.split(";;").next().unwrap_or_default().trim_end()
    }

    #[test]
    fn the_end_of_a_function_is_a_place() {
        let (lines, place) = excerpt("(component (core module (func (result i32) nop)))");
        assert_eq!(lines, ["nop", "end"]);
        assert_eq!(place, 1);
    }

    #[test]
    fn a_long_line_is_cut() {
        let labels = "0 ".repeat(1000);
        let text = format!("(module (func (br_table {labels} 0 (i64.const 0))))");
        let (lines, place) = excerpt(&text);
        assert!(lines[place].starts_with("br_table 0"), "{lines:?}");
        assert!(lines[place].len() <= super::MAX_LINE_LEN, "{lines:?}");
    }
}
