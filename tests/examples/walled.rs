//! Tries what a hostile program would try, from behind the walls of a worker. For
//! `tests/it/walls.rs`.
//!
//! `walled nothing|streams|open FILE PARENT`: the kind of walls, a file to read, and a process
//! whose memory to read. `open` puts up no walls. Beside the file is a program `FILE.tool`. The
//! descriptor 9 is open. Prints each attempt with its result.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::os::fd::FromRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use edgec_compiler::Opens;
use rustix::process::{Pid, Signal, kill_process};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [walls, file, parent] = arguments.as_slice() else {
        panic!("walled nothing|streams|open FILE PARENT");
    };
    let missing = match walls.as_str() {
        "open" => Vec::new(),
        "nothing" => edgec_compiler::enter(Opens::Nothing),
        "streams" => edgec_compiler::enter(Opens::Streams),
        other => panic!("{other}: nothing, streams or open"),
    };
    for wall in missing {
        println!("missing: {wall}");
    }
    let pid: i32 = parent.parse().expect("a number");
    let pid = Pid::from_raw(pid).expect("a process");
    let of_parent = |what: &str| format!("/proc/{parent}/{what}");
    let beside = Path::new(file).with_extension("new");
    let program = Path::new(file).with_extension("tool");
    let attempts: [(&str, io::Result<()>); 12] = [
        ("read an inherited descriptor", inherited()),
        ("read a file", std::fs::read(file).map(drop)),
        ("write a file", std::fs::write(&beside, "x")),
        ("list a folder", std::fs::read_dir("/").map(drop)),
        ("rename a file", std::fs::rename(&beside, file)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("make a local socket", UnixDatagram::unbound().map(drop)),
        (
            "open the parent's memory",
            File::open(of_parent("mem")).map(drop),
        ),
        (
            "read the parent's variables",
            std::fs::read(of_parent("environ")).map(drop),
        ),
        (
            "list the parent's descriptors",
            std::fs::read_dir(of_parent("fd")).map(drop),
        ),
        ("start a program", Command::new(&program).status().map(drop)),
        (
            "signal the parent",
            kill_process(pid, Signal::CONT).map_err(io::Error::from),
        ),
    ];
    for (what, result) in attempts {
        match result {
            Ok(()) => println!("done: {what}"),
            Err(error) => println!("refused: {what}: {error}"),
        }
    }
    // The worker still has what it needs.
    let sum = std::thread::spawn(|| (0..1000_u64).sum::<u64>()).join();
    assert_eq!(sum.expect("a thread"), 499_500);
    let mut input = String::new();
    io::stdin().read_to_string(&mut input).expect("its input");
    println!("worked: {input}");
}

fn inherited() -> io::Result<()> {
    #[expect(unsafe_code, reason = "a process that is taken over uses any number")]
    // SAFETY: nothing else in this process uses the descriptor.
    let mut file = unsafe { File::from_raw_fd(9) };
    let read = file.read(&mut [0; 1]).map(drop);
    if read.is_err() {
        // It is not open, and closing it would end a debug build.
        std::mem::forget(file);
    }
    read
}
