//! Reading a file through a mapping, in a process that may die of it.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::Outcome;
use crate::corruption::Seen;
use crate::machine::BLOCK;

/// The argument that makes this program the one that maps.
pub(crate) const COMMAND: &str = "map";

/// `SIGBUS`, of x86-64 and aarch64.
const BUS_ERROR: i32 = 7;

/// Maps the file as the loader does, reads its first page and says so; then, when a line
/// came in, writes the page out.
pub(crate) fn serve(path: &Path, page: usize) -> Outcome {
    let file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len())?;
    let range = page * BLOCK..((page + 1) * BLOCK).min(len);
    // SAFETY: a new mapping at an address that the kernel chooses.
    #[expect(unsafe_code, reason = "mapping a file")]
    let view = unsafe {
        let flags = MapFlags::PRIVATE;
        mmap(std::ptr::null_mut(), len, ProtFlags::READ, flags, &file, 0)
    }?;
    // SAFETY: `len` readable bytes that stay mapped; nobody writes a file under verity. An
    // access that the kernel refuses ends this process, which is what it is for.
    #[expect(unsafe_code, reason = "mapping a file")]
    let bytes = unsafe { std::slice::from_raw_parts(view.cast::<u8>(), len) };
    let first = std::hint::black_box(bytes).first();
    println!("mapped {first:?}");
    std::io::stdin().lock().read_line(&mut String::new())?;
    std::io::stdout().write_all(&bytes[range])?;
    Ok(())
}

/// A process that has a file mapped and read the first page of it.
pub(crate) struct Mapped {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Mapped {
    pub(crate) fn start(path: &Path, page: usize) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND.as_ref(), path.as_os_str()])
            .arg(page.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without pipes".into());
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        if !line.starts_with("mapped Some(") {
            return Err(format!("the mapping process said {line:?}, {}", child.wait()?).into());
        }
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// What it sees in its page now; `expected` is what was sealed.
    pub(crate) fn look(mut self, expected: &[u8]) -> Result<Seen, Box<dyn Error>> {
        self.input.write_all(b"\n")?;
        let mut bytes = Vec::new();
        self.output.read_to_end(&mut bytes)?;
        let status = self.child.wait()?;
        match status.signal() {
            Some(BUS_ERROR) if bytes.is_empty() => Ok(Seen::Error),
            None if status.success() => Ok(Seen::of(&bytes, expected)),
            _ => Err(format!("the mapping process ended with {status}").into()),
        }
    }
}
