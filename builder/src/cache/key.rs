//! Keys: the SHA-256 of a question and of the program that answers it.

use edgec_artifact::Sha256Digest;
use edgec_compiler::Question;
use sha2::{Digest as _, Sha256};

/// Says what is hashed, and in which way. Another way needs another text.
const DOMAIN: &[u8] = b"edgec build cache: question, 2\0";

/// Says the same about a namespace.
const NAMESPACE: &[u8] = b"edgec build cache: namespace, 1\0";

/// What stands for a program and a namespace in all keys.
pub(super) fn in_namespace(program: Sha256Digest, namespace: &str) -> Sha256Digest {
    if namespace == super::DEFAULT_NAMESPACE {
        return program;
    }
    let mut hash = Sha256::new();
    hash.update(NAMESPACE);
    hash.update(program.0);
    hash.update(namespace);
    Sha256Digest(hash.finalize().into())
}

/// The key of a question to the workers of a program with this digest. The input's digest stands
/// for the input, because several questions and the manifest are about the same program. Each part
/// has its length in front, so different questions never hash the same bytes.
pub(super) fn key(program: &Sha256Digest, question: Question<'_>) -> Sha256Digest {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(program.0);
    hash.update((question.arguments.len() as u64).to_le_bytes());
    let arguments = question
        .arguments
        .iter()
        .map(|argument| argument.as_bytes());
    let input = question.input_sha256();
    let parts = [question.verb.as_bytes(), &input];
    for part in parts.into_iter().chain(arguments) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Sha256Digest(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Sha256Digest = Sha256Digest([7; 32]);

    fn of(verb: &str, arguments: &[&str], input: &[u8]) -> Sha256Digest {
        key(&PROGRAM, Question::new(verb, arguments, input))
    }

    #[test]
    fn every_part_of_a_question_makes_the_key() {
        let keys = [
            of("verb", &["a", "b"], b"input"),
            of("verbs", &["a", "b"], b"input"),
            of("verb", &["a", "c"], b"input"),
            of("verb", &["a"], b"input"),
            of("verb", &["ab"], b"input"),
            of("verb", &["a", "b", ""], b"input"),
            of("verb", &["a", "b"], b"inputs"),
            of("verb", &["a", "b"], b""),
            of("verb", &["a", "binput"], b""),
            key(
                &Sha256Digest([8; 32]),
                Question::new("verb", &["a", "b"], b"input"),
            ),
        ];
        for (number, one) in keys.iter().enumerate() {
            for other in keys.iter().skip(number + 1) {
                assert_ne!(one, other);
            }
        }
        assert_eq!(keys[0], of("verb", &["a", "b"], b"input"));
    }

    #[test]
    fn namespaces_have_different_keys() {
        let of = |namespace: &str| in_namespace(PROGRAM, namespace);
        assert_eq!(of("build"), PROGRAM);
        assert!(of("release") != PROGRAM && of("release") != of("staging"));
    }
}
