//! `wasi:logging/logging`: lines of guests, which become lines of the host's log.

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::component::Linker;

use self::bindings::wasi::logging::logging::{Host, Level};
use super::{Guest, ImportsView, Interfaces};

pub(super) mod bindings {
    edgec_loader::wasmtime::component::bindgen!({
        path: "wit/logging.wit",
        world: "imports",
        imports: { default: trappable },
        wasmtime_crate: edgec_loader::wasmtime,
    });
}

/// Bytes of a context, at most. The rest is cut off.
const CONTEXT: usize = 256;
/// Bytes of a message, at most.
const MESSAGE: usize = 8 << 10;
/// Lines of one instance, at most. Those after it are not written.
const LINES: u32 = 1_000;

/// A line of a guest.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GuestLog<'a> {
    /// How bad it is.
    pub level: GuestLevel,
    /// The part of the program that it is about. A guest chooses it.
    pub context: &'a str,
    /// The text. A guest chooses it: it may have line breaks and control characters.
    pub message: &'a str,
    /// Whether the context or the message was longer.
    pub cut: bool,
    /// Whether this is the last line of the instance that is written.
    pub last: bool,
}

/// The levels of `wasi:logging`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of the interface")]
pub enum GuestLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    bindings::wasi::logging::logging::add_to_linker::<T, Interfaces>(linker, T::imports)?;
    // The name that wasmCloud's programs import, before the package had a version.
    let mut unversioned = linker.instance("wasi:logging/logging")?;
    unversioned.func_wrap(
        "log",
        |mut store: wasmtime::StoreContextMut<'_, T>, (level, context, message)| {
            store.data_mut().imports().log(level, context, message)
        },
    )
}

impl Host for ImportsView<'_> {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let imports = &mut *self.imports;
        if imports.log_lines >= LINES {
            return Ok(());
        }
        imports.log_lines += 1;
        let (context, context_cut) = cut(&context, CONTEXT);
        let (message, message_cut) = cut(&message, MESSAGE);
        (imports.shared.log)(&GuestLog {
            level: level.into(),
            context,
            message,
            cut: context_cut || message_cut,
            last: imports.log_lines == LINES,
        });
        Ok(())
    }
}

/// The beginning of a text, in whole characters, and whether there is more.
fn cut(text: &str, most: usize) -> (&str, bool) {
    let end = text.floor_char_boundary(most);
    (text.get(..end).unwrap_or(text), end < text.len())
}

impl From<Level> for GuestLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
            Level::Critical => Self::Critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("abc", 3), ("abc", false));
        assert_eq!(cut("abcd", 3), ("abc", true));
        assert_eq!(cut("abä", 3), ("ab", true));
        assert_eq!(cut("", 0), ("", false));
    }
}
