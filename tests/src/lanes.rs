//! Many numbered cases, in as many processes as there are processors.

use std::io::{BufRead as _, BufReader};
use std::num::NonZero;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a process may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Splits `cases` seeds, starting with `first`, into a lane for each processor, and runs all lanes
/// at a time. A lane gets its first seed, and the seed after its last one. The seeds of a lane are
/// consecutive: if it got every n-th seed, all its programs might be of one kind.
pub(crate) fn lanes<T: Send>(
    first: u64,
    cases: u64,
    lane: impl Fn(u64, u64) -> T + Sync,
) -> Vec<T> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let begin = |number| first + cases * number / processors;
    std::thread::scope(|scope| {
        let lane = &lane;
        let threads: Vec<_> = (0..processors)
            .map(|number| scope.spawn(move || lane(begin(number), begin(number + 1))))
            .collect();
        let results = threads.into_iter().map(|it| it.join().expect("no panic"));
        results.collect()
    })
}

/// Runs a process, and gives each line of its output to `read`: the first word, and the rest. A
/// process that is silent for too long is stopped. Returns how the process ended.
pub(crate) fn lines(command: &mut Command, mut read: impl FnMut(&str, &str)) -> ExitStatus {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the worker can be started");
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    while let Ok(line) = lines.recv_timeout(SILENCE) {
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        read(word, rest);
    }
    let _ = child.kill();
    let status = child.wait().expect("a process of ours");
    reader.join().expect("no panic");
    status
}
