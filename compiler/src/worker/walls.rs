//! The walls around a worker: what a process that works on a hostile program can no longer do.
//!
//! A worker puts them up after it has limited itself, and before it reads its input. If a program
//! exploits a defect of a tool after that, it reaches only the worker's own memory and answer. The
//! process that started the worker does not trust that answer.
//!
//! - Descriptors: everything that the worker inherited is closed, except its three streams.
//! - Dumps: there is no core file, and other processes of the same user cannot read the worker's
//!   memory.
//! - Files: with Landlock, the worker can open no file, list no folder, and use no TCP. If the
//!   kernel supports it, it can send no signal to processes outside.
//! - Calls: seccomp allows the system calls that a worker needs ([`calls`]). Every other call
//!   returns `EPERM`: no socket, no program, no other process.
//!
//! A program that the user named (`--wasm-opt`) runs behind the same walls, with two exceptions: it
//! can reach the programs and libraries that it consists of ([`reach`]), and it can make the calls
//! of a program that starts others ([`calls`]). Starting it weakens one wall: other processes of
//! the same user can read its memory, which contains only the module.
//!
//! A kernel may lack some of the walls. [`enter`] says which, and a user can demand all of them.
//!
//! Source: `landlock(7)`, `seccomp(2)`, `close_range(2)`, and `prctl(2)`, `PR_SET_DUMPABLE`.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod calls;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod linux;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod reach;

use std::fmt;
use std::path::Path;

/// What a worker can open behind the walls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// Nothing.
    Nothing,
    /// Its own streams, by name, because Binaryen cannot read them in another way.
    Streams,
}

/// A wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wall {
    /// Inherited descriptors are closed: `close_range`, from Linux 5.9 on.
    Descriptors,
    /// Other processes cannot read its memory: `PR_SET_DUMPABLE`.
    Dumps,
    /// No file can be opened: Landlock, from Linux 5.13 on.
    Files,
    /// System calls that it does not need fail: seccomp.
    Calls,
}

impl Wall {
    /// All walls.
    pub const ALL: [Wall; 4] = [Wall::Descriptors, Wall::Dumps, Wall::Files, Wall::Calls];
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wall::Descriptors => "closed descriptors",
            Wall::Dumps => "no dumps",
            Wall::Files => "Landlock",
            Wall::Calls => "seccomp",
        })
    }
}

/// Whether a worker may work if some walls are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// It works with the walls that the kernel provides.
    #[default]
    Offered,
    /// It works only with all of them.
    Required,
}

/// Puts up the walls around this process, forever. Returns those that the kernel lacks. They
/// confine this thread and the threads that it starts, so call this first.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub fn enter(opens: Opens) -> Vec<Wall> {
    missing(|wall| match wall {
        Wall::Descriptors => linux::close_inherited(),
        Wall::Dumps => linux::forbid_dumps(),
        Wall::Files => linux::forbid_files(opens),
        Wall::Calls => calls::forbid(calls::Calls::Worker(opens)),
    })
}

/// Like [`enter`], for this process and the user's program that it becomes. The program's name has
/// a folder. The caller has already forbidden core files.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) fn enter_around(program: &Path) -> Vec<Wall> {
    let mut signals = calls::Signals::ToItself;
    missing(|wall| match wall {
        Wall::Descriptors => linux::close_inherited(),
        Wall::Dumps => linux::leaves_no_core(),
        Wall::Files => match linux::leave(&reach::Reach::of(program)) {
            Some(left) => {
                signals = left;
                true
            }
            None => false,
        },
        Wall::Calls => calls::forbid(calls::Calls::Program(signals)),
    })
}

/// The walls that do not stand. System calls come last, because that wall forbids what the others
/// need.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn missing(mut stands: impl FnMut(Wall) -> bool) -> Vec<Wall> {
    let walls = Wall::ALL.into_iter();
    walls.filter(|wall| !stands(*wall)).collect()
}

/// Other systems have none of the walls.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub fn enter(_: Opens) -> Vec<Wall> {
    Wall::ALL.to_vec()
}

/// Other systems have none of the walls.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) fn enter_around(_: &Path) -> Vec<Wall> {
    Wall::ALL.to_vec()
}

/// The names of walls, for people.
pub(crate) fn names(walls: &[Wall]) -> String {
    let names: Vec<String> = walls.iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_have_names() {
        assert_eq!(names(&[]), "");
        assert_eq!(
            names(&Wall::ALL),
            "closed descriptors, no dumps, Landlock, seccomp"
        );
    }
}
