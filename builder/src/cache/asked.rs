//! Questions that are kept beside their answers, so that `edgec cache verify --recompile` can ask
//! them again. Only the questions for native images are kept: an image is what a host runs.
//!
//! ```text
//! digest of edgec 32 │ length 8 │ verb │ length 8 │ input │ for each argument: length 8 │ argument
//! ```
//!
//! A kept question proves itself: its SHA-256 is the name of its answer ([`key()`]). So no
//! other question fits there, and a question that does not give this name is not used.

use edgec_artifact::Sha256Digest;
use edgec_compiler::Question;
use edgec_files::FolderError;

use super::folder::CacheFolder;
use super::key::key;

/// The kind of the answers whose questions are kept.
pub(super) const IMAGES: &str = "precompile";
/// The folder of the questions. Each has the name of its answer.
pub(super) const QUESTIONS: &str = "asked";

/// A question, and the program that answered it.
pub(super) struct Asked {
    program: Sha256Digest,
    verb: String,
    input: Vec<u8>,
    arguments: Vec<String>,
}

/// Keeps a question beside its answer.
pub(super) fn keep(
    folder: &CacheFolder,
    name: &Sha256Digest,
    program: &Sha256Digest,
    question: Question<'_>,
) -> Result<(), FolderError> {
    folder.write(QUESTIONS, name, &written(program, question))
}

/// The question to the answer of this name. `None` if it is not kept, or is another one.
pub(super) fn recall(folder: &CacheFolder, name: &Sha256Digest) -> Option<Asked> {
    let asked = Asked::read(&folder.read(QUESTIONS, name)?)?;
    let arguments: Vec<&str> = asked.arguments.iter().map(String::as_str).collect();
    (key(&asked.program, asked.question(&arguments)) == *name).then_some(asked)
}

fn written(program: &Sha256Digest, question: Question<'_>) -> Vec<u8> {
    let arguments = question.arguments.iter().map(|it| it.as_bytes());
    let mut bytes = Vec::with_capacity(question.input.len().saturating_add(1024));
    bytes.extend_from_slice(&program.0);
    for part in [question.verb.as_bytes(), question.input]
        .into_iter()
        .chain(arguments)
    {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

impl Asked {
    /// `None` if the bytes are not a question.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (program, mut rest) = bytes.split_first_chunk::<32>()?;
        let mut part = || -> Option<&[u8]> {
            let (length, behind) = rest.split_first_chunk::<8>()?;
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            let (part, behind) = behind.split_at_checked(length)?;
            rest = behind;
            Some(part)
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let verb = text(part()?)?;
        let input = part()?.to_vec();
        let mut arguments = Vec::new();
        while let Some(argument) = part() {
            arguments.push(text(argument)?);
        }
        rest.is_empty().then_some(Self {
            program: Sha256Digest(*program),
            verb,
            input,
            arguments,
        })
    }

    /// The digest of the program that answered.
    pub(super) fn program(&self) -> Sha256Digest {
        self.program
    }

    pub(super) fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    pub(super) fn input(&self) -> &[u8] {
        &self.input
    }

    /// The question with its arguments.
    pub(super) fn question<'q>(&'q self, arguments: &'q [&'q str]) -> Question<'q> {
        Question::new(&self.verb, arguments, &self.input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Sha256Digest = Sha256Digest([7; 32]);

    #[test]
    fn a_question_comes_back() {
        for arguments in [&[][..], &["x86_64"], &["x86_64", "", "edge"]] {
            let question = Question::new("__precompile", arguments, b"program");
            let asked = Asked::read(&written(&PROGRAM, question)).unwrap();
            assert_eq!(asked.arguments(), arguments);
            assert_eq!((asked.program(), asked.input()), (PROGRAM, &b"program"[..]));
            let again = key(&PROGRAM, asked.question(arguments));
            assert_eq!(again, key(&PROGRAM, question));
        }
    }

    #[test]
    fn a_question_that_is_cut_is_none() {
        let question = Question::new("__precompile", &["x86_64"], b"program");
        let whole = written(&PROGRAM, question);
        // Without its last argument, it is another question.
        let shorter = whole.len() - 8 - "x86_64".len();
        for end in 0..whole.len() {
            let read = Asked::read(&whole[..end]);
            assert_eq!(read.is_some(), end == shorter, "{end}");
        }
        let long = [&PROGRAM.0[..], &[0xff; 8], b"verb"].concat();
        assert!(Asked::read(&long).is_none());
    }
}
