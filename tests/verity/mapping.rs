//! Reads a file through a mapping, in a process that this may end.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap};

use crate::Outcome;
use crate::corruption::Seen;
use crate::machine::BLOCK;

/// How the process uses the page that it maps. The name is the argument that starts such a process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reads its bytes.
    Read,
    /// Calls it as a function that returns a number.
    Call,
    /// Makes the kernel read all pages, and reads the page only if that succeeds.
    Populate,
}

impl Use {
    const ALL: [(&str, Self); 3] = [
        ("read", Self::Read),
        ("call", Self::Call),
        ("populate", Self::Populate),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, how)| *how)
    }

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, how)| *how == self);
        found.map_or("", |(name, _)| name)
    }
}

/// `SIGBUS`, of x86-64 and aarch64.
const BUS_ERROR: i32 = 7;
/// The exit code of the process if the kernel reported the damage.
const TOLD: i32 = 33;

/// Maps the file as the loader does, reads its first page and says so. After a line on standard
/// input, it uses the page and prints what it saw.
pub(crate) fn serve(how: Use, path: &Path, page: usize) -> Outcome {
    let file = File::open(path)?;
    let len = usize::try_from(file.metadata()?.len())?;
    let range = page * BLOCK..((page + 1) * BLOCK).min(len);
    // SAFETY: a new mapping at an address that the kernel chooses.
    #[expect(unsafe_code, reason = "mapping a file")]
    let view = unsafe {
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        let flags = MapFlags::PRIVATE;
        mmap(std::ptr::null_mut(), len, protection, flags, &file, 0)
    }?;
    // SAFETY: `len` readable bytes that stay mapped; no process writes the file. An access that the
    // kernel refuses ends this process, which is its purpose.
    #[expect(unsafe_code, reason = "mapping a file")]
    let bytes = unsafe { std::slice::from_raw_parts(view.cast::<u8>(), len) };
    if how != Use::Populate {
        println!("mapped {:?}", std::hint::black_box(bytes).first());
    } else {
        println!("mapped");
    }
    std::io::stdin().lock().read_line(&mut String::new())?;
    if how == Use::Populate {
        // SAFETY: the mapping from above; its bytes do not change by it.
        #[expect(unsafe_code, reason = "advice about a mapping")]
        let populated = unsafe { madvise(view, len, Advice::LinuxPopulateRead) };
        if populated.is_err() {
            std::process::exit(TOLD);
        }
    }
    let mut output = std::io::stdout();
    match how {
        Use::Read | Use::Populate => output.write_all(&bytes[range])?,
        Use::Call => {
            let start = bytes[range].as_ptr();
            // SAFETY: the page begins with a function, see `corruption::code`. If it is damaged, it
            // is a function that returns another number.
            #[expect(unsafe_code, reason = "code in a file")]
            let function: extern "C" fn() -> u32 = unsafe { std::mem::transmute(start) };
            output.write_all(&function().to_le_bytes())?;
        }
    }
    Ok(())
}

/// A process that has mapped a file.
pub(crate) struct Mapped {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Mapped {
    pub(crate) fn start(how: Use, path: &Path, page: usize) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([how.name().as_ref(), path.as_os_str()])
            .arg(page.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without pipes".into());
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        if !line.starts_with("mapped") {
            return Err(format!("the mapping process said {line:?}, {}", child.wait()?).into());
        }
        Ok(Self {
            child,
            input,
            output,
        })
    }

    /// What it sees in its page now. `expected` is what it sees in an undamaged page.
    pub(crate) fn look(mut self, expected: &[u8]) -> Result<Seen, Box<dyn Error>> {
        self.input.write_all(b"\n")?;
        let mut bytes = Vec::new();
        self.output.read_to_end(&mut bytes)?;
        let status = self.child.wait()?;
        match (status.signal(), status.code()) {
            (Some(BUS_ERROR), _) if bytes.is_empty() => Ok(Seen::Signal),
            (_, Some(TOLD)) if bytes.is_empty() => Ok(Seen::Error),
            (_, Some(0)) => Ok(Seen::of(&bytes, expected)),
            _ => Err(format!("the mapping process ended with {status}").into()),
        }
    }
}
