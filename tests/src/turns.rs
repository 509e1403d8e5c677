//! An optimizer that fails the first time. It cannot write files, so it reads its turns from a
//! pipe.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::Sandbox;

/// The optimizer's path. It can reach files beside it, because it lies in a folder for programs.
pub const PROGRAM: &str = "./bin/wasm-opt";

/// More turns than any test takes.
const TURNS: usize = 64;

/// The turns that an optimizer has not taken yet.
pub struct Turns(File);

impl Turns {
    /// Writes [`PROGRAM`]. In its first turn it runs `failure`, and in the others it returns each
    /// module unchanged.
    pub fn of(sandbox: &Sandbox, failure: &str) -> Self {
        let body = format!("[ \"$(head -c 1 < \"${{0%/*}}/turns\")\" = f ] && {failure}\nexec cat");
        sandbox.fake_optimizer_at(PROGRAM, &body);
        let path = sandbox.path().join("bin/turns");
        let _ = std::fs::remove_file(&path);
        sandbox.tool("mkfifo", &["bin/turns"]);
        Self::open(&path)
    }

    fn open(path: &Path) -> Self {
        // Opened for reading as well, so that the pipe stays open.
        let file = File::options().read(true).write(true).open(path);
        let mut file = file.expect("the pipe");
        let turns = [&b"f"[..], &[b'.'; TURNS - 1]].concat();
        file.write_all(&turns).expect("room in the pipe");
        Self(file)
    }

    /// The number of turns that were taken.
    pub fn taken(mut self) -> usize {
        self.0.write_all(b"!").expect("room in the pipe");
        let mut left = 0;
        let mut byte = [0];
        loop {
            self.0.read_exact(&mut byte).expect("the last turn");
            if byte == *b"!" {
                return TURNS - left;
            }
            left += 1;
        }
    }
}
