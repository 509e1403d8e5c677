//! The worker's own part: it reads its arguments, limits itself, reads its input and answers.

use std::ffi::OsString;
#[cfg(unix)]
use std::fs::File;
use std::io::{self, Read as _, Write as _};

use crate::worker::ask::WorkerLimits;
use crate::worker::limits;
use crate::worker::said::NO_WALLS;
use crate::worker::walls::{self, Confinement, Opens, Wall};

/// The message if another program than edgec starts a worker.
pub(crate) fn usage() -> String {
    "not started by edgec".to_owned()
}

/// What a worker does first: it reads its arguments, and limits itself as the first of them says.
pub(crate) fn arguments<const N: usize>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<[String; N], String> {
    let mut texts = arguments
        .into_iter()
        .map(|argument| argument.into_string().map_err(|_| usage()));
    let limits = texts.next().ok_or_else(usage)??;
    let limits = WorkerLimits::of(&limits).ok_or_else(usage)?;
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let texts = texts.try_into().map_err(|_| usage())?;
    begin(limits, Opens::Nothing)?;
    Ok(texts)
}

/// Like [`arguments`], for a worker without other arguments. Returns the walls that are missing.
pub(crate) fn begin_with(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<Wall>, String> {
    let mut arguments = arguments.into_iter();
    let limits = arguments.next();
    let limits = limits.and_then(|text| WorkerLimits::of(text.to_str()?));
    match (limits, arguments.next()) {
        (Some(limits), None) => begin(limits, Opens::Nothing),
        _ => Err(usage()),
    }
}

/// What every worker does first: it limits itself, puts up the walls, and makes a panic print one
/// line. Returns the walls that the system lacks, if the worker may work without them.
pub(crate) fn begin(limits: WorkerLimits, opens: Opens) -> Result<Vec<Wall>, String> {
    begin_behind(limits, || walls::enter(opens))
}

/// Like [`begin`], with the walls that `enter` puts up. `enter` returns those that are missing.
pub(crate) fn begin_behind(
    limits: WorkerLimits,
    enter: impl FnOnce() -> Vec<Wall>,
) -> Result<Vec<Wall>, String> {
    limits::limit(limits.memory);
    let missing = enter();
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "{}", panic_line(panic));
    }));
    match limits.confinement {
        Confinement::Required if !missing.is_empty() => {
            let missing = walls::names(&missing);
            Err(format!("{NO_WALLS}{missing}"))
        }
        _ => Ok(missing),
    }
}

/// Describes a panic in one line: its place in its package, and its message.
pub fn panic_line(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("no message");
    let first = message.lines().next().unwrap_or_default();
    let Some(place) = panic.location() else {
        return format!("panicked: {first}");
    };
    // Leaves out the path of the sources on the machine that built edgec.
    let file = place.file();
    let within = file.rsplit_once("/src/").map_or(file, |(package, rest)| {
        let package = package.rsplit('/').next().unwrap_or(package);
        let from = file.len() - rest.len() - "/src/".len() - package.len();
        file.get(from..).unwrap_or(rest)
    });
    format!("panicked at {within}:{}: {first}", place.line())
}

/// Reads the worker's input.
pub(crate) fn input() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(input_length());
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The length of the worker's input in bytes, because the input is a file. 0 if unknown.
#[cfg(unix)]
fn input_length() -> usize {
    use std::os::fd::AsFd as _;
    let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let length = file.and_then(|file| file.metadata());
    length.map_or(0, |it| usize::try_from(it.len()).unwrap_or(0))
}

#[cfg(not(unix))]
fn input_length() -> usize {
    0
}

/// Writes the worker's answer.
pub(crate) fn answer(tag: u8, parts: &[impl AsRef<[u8]>]) -> Result<(), String> {
    let write = || {
        let mut out = io::stdout().lock();
        out.write_all(&[tag])?;
        let mut parts = parts.iter();
        parts.try_for_each(|part| out.write_all(part.as_ref()))?;
        out.flush()
    };
    write().map_err(|error: io::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_arguments_are_refused() {
        for wrong in [&[][..], &["1"], &["much", "a"], &["1", "a", "b"]] {
            let wrong = wrong.iter().map(OsString::from);
            assert_eq!(arguments::<1>(wrong), Err(usage()));
        }
    }
}
