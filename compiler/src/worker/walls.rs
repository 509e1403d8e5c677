//! The walls around a worker: what a process that works on a hostile program can no longer do.
//!
//! A worker puts them up after it has limited itself, and before it reads its input. If a program
//! exploits a defect of a tool after that, it reaches only the worker's own memory and the worker's
//! answer. The process that started the worker still judges that answer.
//!
//! - Descriptors: everything that the worker inherited beyond its three streams is closed.
//! - Dumps: no core file, and other processes of the same user cannot look into it.
//! - Files: Landlock lets it open no file, list no folder, and use no TCP; where the kernel can do
//!   that, it sends no signal to processes outside.
//! - Calls: seccomp lets through the system calls that a worker needs ([`calls`]). Every other one
//!   returns `EPERM`: no socket, no program, no other process.
//!
//! A program of the user's (`--wasm-opt`) stands behind the same walls, with more left to it: the
//! programs and libraries that it consists of ([`reach`]), and the calls of a program that may
//! start others ([`calls`]). Starting it undoes a part of one wall: other processes of the
//! same user can look into it, which holds nothing but the module.
//!
//! A kernel may lack some of them. [`enter`] says which, and a user can demand all of them.
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

/// What a worker still opens behind the walls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// Nothing.
    Nothing,
    /// Its own streams, by name: Binaryen has no other way to read them.
    Streams,
}

/// A wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wall {
    /// Inherited descriptors are closed: `close_range`, from Linux 5.9 on.
    Descriptors,
    /// Other processes cannot look into it: `PR_SET_DUMPABLE`.
    Dumps,
    /// No file can be opened: Landlock, from Linux 5.13 on.
    Files,
    /// Calls that it does not need fail: seccomp.
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

/// Whether a worker may work without some of the walls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// With those that the kernel gives.
    #[default]
    Offered,
    /// With all of them, or not at all.
    Required,
}

/// Puts up the walls around this process, forever. Returns those that the kernel did not give.
/// They stand around this thread and the threads that it starts, so this comes first.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub fn enter(opens: Opens) -> Vec<Wall> {
    missing(|wall| match wall {
        Wall::Descriptors => linux::close_inherited(),
        Wall::Dumps => linux::forbid_dumps(),
        Wall::Files => linux::forbid_files(opens),
        Wall::Calls => calls::forbid(calls::Calls::Worker(opens)),
    })
}

/// As [`enter`], for this process and the program of the user's that takes its place. The program
/// is named with a folder. Core files are forbidden before this.
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

/// The walls that do not stand. System calls come last: that wall forbids what the others need.
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
