//! Reading, validating and adapting an input in a process of its own.
//!
//! This is the first work on a program that anybody may have written. The validator and the
//! engine's front end take time and memory that grow faster than the input, and the text parser and
//! the encoder read it too. So all of them have a process with limits and walls, as the compiler
//! has.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::machine::MachineError;
use crate::validate::Description;
use crate::worker::{self, Worker, WorkerError};
use crate::{
    AdaptError, Adapted, Adapter, Choice, InputError, KindChoice, ValidComponent, ValidateError,
    adapt, read, validate,
};

/// The process that reads inputs: a program that calls [`front_end_worker`].
#[derive(Clone, Debug)]
pub struct FrontEnd {
    /// How it is started; its limits are for one input.
    pub worker: Worker,
}

/// A program that was read in another process.
#[derive(Debug)]
pub struct Fronted {
    /// The valid program, and how it came to be one.
    pub adapted: Adapted,
    /// Whether the input was in the text format.
    pub from_text: bool,
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// The bytes are not an input.
    #[error(transparent)]
    Input(InputError),
    /// The input is not a valid program, or cannot become what was asked for.
    #[error("{error}")]
    Program {
        /// Why not.
        error: AdaptError,
        /// Whether the input was in the text format.
        from_text: bool,
    },
    /// Validating took too long, and was stopped.
    #[error("validating this program was stopped after {seconds} s")]
    Timeout {
        /// The limit in seconds.
        seconds: u64,
    },
    /// Validating needs more memory than it may have.
    #[error("validating this program needs more than {mebibytes} MiB of memory")]
    Memory {
        /// The limit in MiB.
        mebibytes: u64,
    },
    /// The process failed on this input.
    #[error("validating this program failed ({status}): {message}")]
    Crash {
        /// The exit status or the signal.
        status: String,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The machine is at fault, not the input.
    #[error("this program was not validated")]
    Machine {
        /// What was in the way.
        source: MachineError,
    },
}

/// Why there is no program, with the input.
#[derive(Debug)]
pub struct NotFronted {
    /// Why not.
    pub error: Box<FrontError>,
    /// The bytes, as they were given.
    pub bytes: Vec<u8>,
}

/// More than any program may have, in bytes.
const MAX_ANSWER_LEN: u64 = 1 << 30;
const DONE: u8 = 0;
const REFUSED: u8 = 1;

/// For an input that is only validated, in the place of a kind.
const AS_IT_IS: &str = "as-it-is";

/// What stands in front of a program in an answer.
#[derive(Serialize, Deserialize)]
struct Head {
    described: Description,
    adapter: Option<Adapter>,
    choice: Option<Choice>,
    from_text: bool,
    /// Whether the program is the input, byte for byte. Then nothing follows.
    is_input: bool,
}

/// An error, as the process answers it.
#[derive(Serialize, Deserialize)]
enum Refusal {
    Input(InputError),
    Program(AdaptError, bool),
}

impl FrontEnd {
    /// Reads an input, validates it, and makes of it what `asked` names, as [`read`] and [`adapt`]
    /// do.
    ///
    /// # Errors
    ///
    /// [`NotFronted`].
    pub fn adapt(&self, bytes: Vec<u8>, asked: KindChoice) -> Result<Fronted, NotFronted> {
        self.ask(bytes, asked.name())
    }

    /// Reads an input and validates it, as [`read`] and [`validate`] do.
    ///
    /// # Errors
    ///
    /// [`NotFronted`].
    pub fn validate(&self, bytes: Vec<u8>) -> Result<ValidComponent, NotFronted> {
        let fronted = self.ask(bytes, AS_IT_IS)?;
        Ok(fronted.adapted.component)
    }

    fn ask(&self, bytes: Vec<u8>, asked: &str) -> Result<Fronted, NotFronted> {
        let answer = self.worker.ask(&[asked], &bytes, MAX_ANSWER_LEN);
        match answer.map_err(FrontError::from).and_then(understand) {
            Ok((head, program)) => {
                let program = if head.is_input { bytes } else { program };
                Ok(fronted(head, program))
            }
            Err(error) => Err(NotFronted {
                error: Box::new(error),
                bytes,
            }),
        }
    }
}

/// The head of an answer, and what follows it.
fn understand(answer: Vec<u8>) -> Result<(Head, Vec<u8>), FrontError> {
    let malformed = || FrontError::from(WorkerError::no_answer(&answer));
    match answer.split_first() {
        Some((&DONE, rest)) => {
            let (head, program) = postcard::take_from_bytes(rest).map_err(|_| malformed())?;
            let program = program.to_vec();
            Ok((head, program))
        }
        Some((&REFUSED, rest)) => match postcard::from_bytes(rest) {
            Ok(Refusal::Input(error)) => Err(FrontError::Input(error)),
            Ok(Refusal::Program(error, from_text)) => Err(FrontError::Program { error, from_text }),
            Err(_) => Err(malformed()),
        },
        _ => Err(malformed()),
    }
}

fn fronted(head: Head, program: Vec<u8>) -> Fronted {
    Fronted {
        adapted: Adapted {
            component: ValidComponent::of_description(program, head.described),
            adapter: head.adapter,
            choice: head.choice,
        },
        from_text: head.from_text,
    }
}

impl From<WorkerError> for FrontError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Timeout { seconds } => Self::Timeout { seconds },
            WorkerError::Memory { mebibytes } => Self::Memory { mebibytes },
            WorkerError::Crash { status, message } => Self::Crash { status, message },
            WorkerError::Machine(source) => Self::Machine { source },
        }
    }
}

/// What the worker process does: reads what an input should become, and the input from standard
/// input, and answers on standard output.
///
/// # Errors
///
/// What is wrong with the arguments or the streams: edgec did not start this process.
pub fn front_end_worker(arguments: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    let [asked] = worker::arguments(arguments)?;
    let asked = match asked.as_str() {
        AS_IT_IS => None,
        name => {
            let mut choices = KindChoice::ALL.into_iter();
            let choice = choices.find(|choice| choice.name() == name);
            Some(choice.ok_or_else(worker::usage)?)
        }
    };
    let input = worker::input()?;
    let (tag, head, program) = reply(&input, asked).map_err(|error| error.to_string())?;
    worker::answer(tag, &[&head, &program])
}

/// The parts of an answer, as [`understand`] reads them.
fn reply(
    input: &[u8],
    asked: Option<KindChoice>,
) -> Result<(u8, Vec<u8>, Vec<u8>), postcard::Error> {
    Ok(match work(input, asked) {
        Ok((head, program)) => (DONE, postcard::to_allocvec(&head)?, program),
        Err(refusal) => (REFUSED, postcard::to_allocvec(&refusal)?, Vec::new()),
    })
}

fn work(bytes: &[u8], asked: Option<KindChoice>) -> Result<(Head, Vec<u8>), Refusal> {
    let input = read(bytes.to_vec()).map_err(|not| Refusal::Input(not.error))?;
    let from_text = input.is_from_text();
    let adapted = match asked {
        Some(asked) => adapt(input, asked),
        None => only_validated(validate(input.into_bytes())),
    };
    let adapted = adapted.map_err(|error| Refusal::Program(error, from_text))?;
    let (program, described) = adapted.component.into_description();
    let is_input = program == bytes;
    let head = Head {
        described,
        adapter: adapted.adapter,
        choice: adapted.choice,
        from_text,
        is_input,
    };
    Ok((head, if is_input { Vec::new() } else { program }))
}

fn only_validated(program: Result<ValidComponent, ValidateError>) -> Result<Adapted, AdaptError> {
    Ok(Adapted {
        component: program?,
        adapter: None,
        choice: None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::worker::tests::script;

    fn answer(input: &[u8], asked: Option<KindChoice>) -> Result<(Head, Vec<u8>), FrontError> {
        let (tag, head, program) = reply(input, asked).unwrap();
        understand([vec![tag], head, program].concat())
    }

    /// What the process says is what this process would have found out.
    #[test]
    fn a_program_is_the_same_in_both_processes() {
        let command = r#"(module
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (memory (export "memory") 1)
            (func (export "_start")))"#;
        for text in [command, "(module)", "(component)"] {
            let wasm = wat::parse_str(text).unwrap();
            for input in [text.as_bytes(), &wasm] {
                let (head, program) = answer(input, Some(KindChoice::Auto)).unwrap();
                assert_eq!(head.is_input, program.is_empty());
                let there = fronted(
                    head,
                    if program.is_empty() {
                        input.into()
                    } else {
                        program
                    },
                );
                let here = adapt(read(input.to_vec()).unwrap(), KindChoice::Auto).unwrap();
                assert_eq!(there.from_text, input != wasm);
                assert_eq!(there.adapted.choice, here.choice);
                assert_eq!(there.adapted.adapter, here.adapter);
                let (there, here) = (there.adapted.component, here.component);
                assert_eq!(there.bytes(), here.bytes());
                assert_eq!(there.kind(), here.kind());
                assert_eq!(there.features(), here.features());
                assert!(there.advisories().eq(here.advisories()));
            }
        }
    }

    #[test]
    fn an_error_is_the_same_in_both_processes() {
        let error = |input: &[u8], asked| answer(input, asked).map(|_| ()).unwrap_err();
        let empty = error(b"", None);
        assert!(matches!(empty, FrontError::Input(InputError::Empty)));
        let invalid = "(module (func (result i32)))";
        for asked in [None, Some(KindChoice::Auto)] {
            let there = error(invalid.as_bytes(), asked);
            let here = validate(wat::parse_str(invalid).unwrap()).unwrap_err();
            assert_eq!(there.to_string(), here.to_string());
            let FrontError::Program { from_text, .. } = there else {
                panic!("{there:?}");
            };
            assert!(from_text);
        }
        let component = error(b"(component)", Some(KindChoice::Module));
        let FrontError::Program { error, .. } = component else {
            panic!("{component:?}");
        };
        assert!(matches!(error, AdaptError::ComponentToModule));
    }

    #[test]
    fn each_end_of_the_process_has_an_error() {
        let run = |script_text: &str| {
            let front_end = FrontEnd {
                worker: script(script_text),
            };
            front_end.validate(b"input".to_vec()).unwrap_err()
        };
        let full = run("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
        assert!(matches!(
            *full.error,
            FrontError::Memory { mebibytes: 1024 }
        ));
        assert_eq!(full.bytes, b"input");
        let crash = run("echo oh no >&2; kill -SEGV $$");
        assert!(crash.error.to_string().contains("oh no"));
        for nothing in ["true", "printf '\\000'", "printf '\\001'", "echo '?'"] {
            let error = run(nothing).error;
            assert!(matches!(*error, FrontError::Crash { .. }), "{error}");
        }
        let disk = run("echo disk full >&2; exit 1");
        assert!(matches!(*disk.error, FrontError::Machine { .. }));
        let mut hang = FrontEnd {
            worker: script("sleep 600"),
        };
        hang.worker.timeout = Duration::from_millis(50);
        let hang = hang.validate(Vec::new()).unwrap_err();
        assert!(matches!(*hang.error, FrontError::Timeout { seconds: 0 }));
    }
}
