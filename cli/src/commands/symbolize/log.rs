//! Prints a log again, with names. Both the log and the debug file are untrusted.

use edgec_compiler::{DebugInfo, Function, Lookup};

use super::Files;
use super::names::Names;
use crate::failure::Failure;
use crate::render::{passed_on, write_stdout};

/// The maximum size of all names in a log together, in bytes (64 MiB), which is also the maximum
/// length of a log.
const MAX_NAMES_LEN: usize = 64 << 20;

/// The longest line in which places are searched, in bytes (64 KiB). Lines of backtraces are
/// shorter, even with long names in them. A longer line is printed unchanged, in parts.
const MAX_LINE_LEN: usize = 1 << 16;

/// The maximum number of functions that are named for one line. In a component of many core
/// modules, almost every module has a function with a low index. The rest are counted.
const MAX_ALTERNATIVES: usize = 16;

/// How much is printed at a time, in bytes (64 KiB).
const PART_LEN: usize = 1 << 16;

/// Prints a log with the known names. Bytes that are not UTF-8 become U+FFFD.
///
/// If the names exceed their maximum size, the lines that follow are printed without names, and the
/// error says so.
pub(super) fn print(info: &DebugInfo<'_>, files: &Files, log: &[u8]) -> Result<(), Failure> {
    let lookup = Lookup::new(info);
    let mut names = Names::new(MAX_NAMES_LEN);
    let mut printed = Printed(String::new());
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let line = match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        if line.len() > MAX_LINE_LEN {
            printed.long_line(line);
        } else {
            let line = String::from_utf8_lossy(line);
            let named = named_index(&lookup, &mut names, &line)
                .or_else(|| named_offset(info, files, &mut names, &line));
            printed.push(&passed_on(named.as_deref().unwrap_or(&line)));
        }
        printed.push("\n");
    }
    printed.flush();
    match names.are_spent() {
        false => Ok(()),
        true => Err(names.failure().hint("pass a part of the log")),
    }
}

/// Collects standard output, and writes it in large parts.
struct Printed(String);

impl Printed {
    fn push(&mut self, text: &str) {
        self.0.push_str(text);
        if self.0.len() >= PART_LEN {
            self.flush();
        }
    }

    /// Prints a line of any length. Made safe, it may become many times as long.
    fn long_line(&mut self, line: &[u8]) {
        for chunk in line.utf8_chunks() {
            let mut rest = chunk.valid();
            while !rest.is_empty() {
                let (part, more) = rest.split_at(rest.floor_char_boundary(PART_LEN));
                self.push(&passed_on(part));
                rest = more;
            }
            if !chunk.invalid().is_empty() {
                self.push("\u{fffd}");
            }
        }
    }

    fn flush(&mut self) {
        write_stdout(self.0.as_bytes());
        self.0.clear();
    }
}

/// ` 0: 0x1234 - <unknown>!<wasm function 7>`. The line has an offset only if the image has an
/// address map, as images of Wasmtime's own compiler have.
fn named_index(lookup: &Lookup<'_>, names: &mut Names, line: &str) -> Option<String> {
    let (before, rest) = line.split_once("<wasm function ")?;
    let (index, after) = rest.split_once('>')?;
    let index = index.parse().ok()?;
    let offset = before.split_once(": ").and_then(|(_, rest)| {
        let (offset, _) = rest.trim_start().split_once(" - ")?;
        u32::try_from(super::hexadecimal(offset)?).ok()
    });
    let exact = offset.and_then(|offset| lookup.at_wasm_offset(offset));
    let exact = exact.filter(|function| function.index.is_some_and(|(_, i)| i == index));
    let (functions, others): (Vec<Function<'_>>, usize) = match exact {
        Some(function) => (vec![function], 0),
        None => {
            let named = lookup.at_index(index).take(MAX_ALTERNATIVES).collect();
            let count = lookup.count_at_index(index);
            (named, count.saturating_sub(MAX_ALTERNATIVES))
        }
    };
    if functions.is_empty() {
        return None;
    }
    let mut shown = Vec::new();
    for function in &functions {
        shown.push(names.function(function)?);
    }
    match others {
        0 => {}
        1 => shown.push("another".to_owned()),
        _ => shown.push(format!("{others} others")),
    }
    Some(format!("{before}{}{after}", shown.join(" or ")))
}

/// `#3 0x7f… (/srv/app.cwasm+0x1234)`: in the artifact, or in its image in a store.
fn named_offset(
    info: &DebugInfo<'_>,
    files: &Files,
    names: &mut Names,
    line: &str,
) -> Option<String> {
    const BEFORE: &str = "+0x";
    let mut numbers = line.match_indices(BEFORE);
    let (at, _) = numbers.find(|(at, _)| line.get(..*at).is_some_and(|file| files.end(file)))?;
    let rest = line.get(at + BEFORE.len()..)?;
    let end = rest
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(rest.len());
    let offset = u64::from_str_radix(rest.get(..end)?, 16).ok()?;
    let place = info.at_image_offset(offset)?;
    Some(format!("{line}  {}", names.place(&place)?))
}
