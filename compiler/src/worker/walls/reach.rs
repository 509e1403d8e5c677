//! The files that the user's program can reach: an external `wasm-opt`.
//!
//! It can read and start the programs and libraries of the system, and those beside it or in the
//! folders of `PATH`. It can write no file: its answer goes through a pipe. The files beside a
//! program may be a whole project with a key in it. So a folder is fully in reach only if it has
//! the usual name for programs (`bin`), together with the libraries of its installation. In any
//! other folder, only executable files and shared libraries are in reach, and no folders.
//!
//! Source: `ld.so(8)`, `execve(2)`; for Nix, Guix and Homebrew, their manuals.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The right to a file, or to everything in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// To read and execute it.
    Run,
    /// To read it.
    Read,
    /// To read it and write to it.
    Write,
}

/// The folders of the system's programs and libraries, which every user may read.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/home/linuxbrew/.linuxbrew",
];

/// Files that C libraries read to find libraries, files that every program with OpenSSL reads, the
/// number of processors, and devices.
const SETTINGS: &[(&str, Right)] = &[
    ("/etc/ld.so.cache", Right::Read),
    ("/etc/ld.so.preload", Right::Read),
    ("/etc/ld-musl-x86_64.path", Right::Read),
    ("/etc/ld-musl-aarch64.path", Right::Read),
    ("/etc/ssl/openssl.cnf", Right::Read),
    ("/etc/pki/tls/openssl.cnf", Right::Read),
    ("/sys/devices/system/cpu", Right::Read),
    ("/dev/zero", Right::Read),
    ("/dev/random", Right::Read),
    ("/dev/urandom", Right::Read),
    ("/dev/null", Right::Write),
];

/// The folders beside `bin` in which an installation has libraries.
const LIBRARIES: [&str; 3] = ["lib", "lib64", "libexec"];

/// The maximum number of files that are examined in one folder.
const MOST_FILES: usize = 4096;

/// The kernel follows at most five interpreters, each the interpreter of the one before.
const MOST_INTERPRETERS: usize = 5;

/// How many bytes of a script's first line the kernel reads.
const MOST_OF_A_LINE: u64 = 256;

/// Files and folders, with the rights to them.
#[derive(Debug)]
pub(super) struct Reach(Vec<(PathBuf, Right)>);

impl Reach {
    /// The reach of `program`, whose name has a folder.
    pub(super) fn of(program: &Path) -> Self {
        let system = SYSTEM.iter().map(|path| (*path, Right::Run));
        let known = system.chain(SETTINGS.iter().copied());
        let mut reach = Self(known.map(|(path, right)| (path.into(), right)).collect());
        for variable in ["PATH", "LD_LIBRARY_PATH"] {
            let value = std::env::var_os(variable).unwrap_or_default();
            let folders = std::env::split_paths(&value);
            // A relative folder depends on where edgec was started, so it is not a place for
            // programs.
            let folders = folders.filter(|folder| folder.is_absolute() && !is_of_system(folder));
            folders.for_each(|folder| reach.add_folder(&folder));
        }
        let mut next = Some(program.to_owned());
        for _ in 0..MOST_INTERPRETERS {
            let Some(program) = next else { break };
            reach.add_program(&program);
            next = interpreter(&program);
        }
        reach
    }

    /// Every path with the right to it.
    pub(super) fn paths(&self) -> &[(PathBuf, Right)] {
        &self.0
    }

    /// Adds a program and the files beside it: under its own name, and at the end of links.
    fn add_program(&mut self, program: &Path) {
        self.run(program.to_owned());
        let real = program.canonicalize().ok();
        for path in [Some(program), real.as_deref()].into_iter().flatten() {
            if let Some(folder) = path.parent()
                && !is_of_system(folder)
            {
                self.add_folder(folder);
            }
        }
    }

    /// Adds the programs and libraries of a folder.
    fn add_folder(&mut self, folder: &Path) {
        if folder.file_name().is_some_and(|name| name == "bin") {
            self.run(folder.to_owned());
            for libraries in LIBRARIES {
                self.run(folder.with_file_name(libraries));
            }
            return;
        }
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten().take(MOST_FILES) {
            let path = entry.path();
            let found = path.metadata();
            let found = found.is_ok_and(|found| {
                let can_run = found.permissions().mode() & 0o111 != 0;
                found.is_file() && (can_run || is_library(&entry.file_name()))
            });
            if found {
                self.run(path);
            }
        }
    }

    fn run(&mut self, path: PathBuf) {
        self.0.push((path, Right::Run));
    }
}

/// Whether a folder of the system contains it, so that it is already in reach.
fn is_of_system(folder: &Path) -> bool {
    SYSTEM.iter().any(|system| folder.starts_with(system))
}

/// `libbinaryen.so` and `libc.so.6`, for example.
fn is_library(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with(".so") || name.contains(".so.")
}

/// The program that the kernel starts for a script.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut begin = Vec::new();
    let file = File::open(script).ok()?;
    file.take(MOST_OF_A_LINE).read_to_end(&mut begin).ok()?;
    let line = begin.strip_prefix(b"#!")?.split(|byte| *byte == b'\n');
    let mut words = line
        .take(1)
        .flat_map(|line| line.split(u8::is_ascii_whitespace));
    let name = words.find(|word| !word.is_empty())?;
    Some(OsStr::from_bytes(name).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn holds(reach: &Reach, path: &Path) -> bool {
        let mut paths = reach.paths().iter();
        paths.any(|(allowed, _)| path.starts_with(allowed))
    }

    #[test]
    fn beside_a_program_are_programs_and_libraries_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write(&path("wasm-opt"), "#!/bin/sh\n", 0o755);
        write(&path("other"), "", 0o700);
        write(&path("libbinaryen.so"), "", 0o644);
        write(&path("libbinaryen.so.1"), "", 0o644);
        write(&path("key.pem"), "", 0o600);
        write(&path("more/tool"), "", 0o755);
        let reach = Reach::of(&path("wasm-opt"));
        for name in ["wasm-opt", "other", "libbinaryen.so", "libbinaryen.so.1"] {
            assert!(holds(&reach, &path(name)), "{name}");
        }
        for name in ["key.pem", "more/tool", "no-such-file"] {
            assert!(!holds(&reach, &path(name)), "{name}");
        }
    }

    #[test]
    fn an_installation_is_in_reach_through_a_link_and_an_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let node = path("node/bin/node");
        write(&node, "", 0o755);
        write(&path("node/share/key.pem"), "", 0o600);
        let script = format!("#! {} --flag\n", node.display());
        write(&path("binaryen/bin/wasm-opt"), &script, 0o755);
        std::fs::create_dir(path("links")).unwrap();
        let link = path("links/wasm-opt");
        std::os::unix::fs::symlink(path("binaryen/bin/wasm-opt"), &link).unwrap();
        let reach = Reach::of(&link);
        for name in [
            "links/wasm-opt",
            "binaryen/bin/package.json",
            "binaryen/lib/libbinaryen.so",
            "node/bin/node",
            "node/lib/node_modules",
        ] {
            assert!(holds(&reach, &path(name)), "{name}");
        }
        for name in ["links/other", "binaryen/key.pem", "node/share/key.pem"] {
            assert!(!holds(&reach, &path(name)), "{name}");
        }
    }

    #[test]
    fn nothing_but_the_null_device_can_be_written() {
        let reach = Reach::of(Path::new("/bin/sh"));
        let writable = reach.paths().iter();
        let writable = writable.filter(|(_, right)| *right == Right::Write);
        let writable: Vec<&Path> = writable.map(|(path, _)| path.as_path()).collect();
        assert_eq!(writable, [Path::new("/dev/null")]);
    }
}
