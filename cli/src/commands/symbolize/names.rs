//! Bounds on the names that are printed. A debug file is untrusted, and a short one can give the
//! same long name to every address and every line.

use edgec_compiler::{Function, Place};

use crate::bounds::excerpt;
use crate::failure::{Exit, Failure};
use crate::render::size;

/// The maximum length of a function's name, in bytes, which is also what a debug file keeps. Rust's
/// mangling repeats parts by reference, so a hundred bytes can stand for a million.
const MAX_NAME_LEN: usize = 4096;

/// The maximum length of a core module's name, in bytes: it is printed with each of the module's
/// functions.
const MAX_MODULE_LEN: usize = 256;

/// Names of functions and places, until they exceed their maximum size.
pub(super) struct Names {
    most: usize,
    /// How many bytes are left. `None` after a name did not fit.
    left: Option<usize>,
}

impl Names {
    /// Allows names of at most `most` bytes together.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            left: Some(most),
        }
    }

    /// Whether a name did not fit.
    pub(super) fn are_spent(&self) -> bool {
        self.left.is_none()
    }

    /// The error for names that did not fit.
    pub(super) fn failure(&self) -> Failure {
        let most = size(self.most as u64);
        let message = format!("the names take more than {most}; the rest is printed without names");
        Failure::new(Exit::Rejected, "names", message)
    }

    /// The text for a place. `None` if it does not fit.
    pub(super) fn place(&mut self, place: &Place<'_>) -> Option<String> {
        let mut text = format!("{} +{:#x}", self.function(&place.function)?, place.distance);
        if let Some(offset) = place.wasm_offset {
            text.push_str(&format!(", wasm offset {offset:#x}"));
        }
        Some(text)
    }

    /// A function's name. `None` if it does not fit.
    pub(super) fn function(&mut self, function: &Function<'_>) -> Option<String> {
        let left = self.left?;
        let text = name(function);
        // The short name may come from a long one, which must be read.
        let cost = text.len().max(function.name.map_or(0, str::len));
        self.left = left.checked_sub(cost);
        self.left.map(|_| text)
    }
}

fn name(function: &Function<'_>) -> String {
    let demangled = function
        .name
        .map(|name| excerpt(rustc_demangle::demangle(name), MAX_NAME_LEN));
    let Some((module, index)) = function.index else {
        return format!("{} (the engine's)", demangled.unwrap_or_default());
    };
    let named = function.module.map(|name| {
        let name = excerpt(name, MAX_MODULE_LEN);
        format!(" `{name}`")
    });
    format!(
        "{} (core module {module}{}, function {index})",
        demangled.as_deref().unwrap_or("<unnamed>"),
        named.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Function<'_> {
        Function {
            index: Some((0, 7)),
            module: None,
            name: Some(name),
        }
    }

    #[test]
    fn names_end_where_there_is_no_room() {
        let named = "f (core module 0, function 7)";
        // There is room for exactly two names.
        let mut names = Names::new(2 * named.len());
        for _ in 0..2 {
            assert_eq!(names.function(&function("f")).as_deref(), Some(named));
        }
        assert!(!names.are_spent());
        assert!(names.function(&function("f")).is_none() && names.are_spent());
        assert!(names.failure().message().contains("58 B"));
    }
}
