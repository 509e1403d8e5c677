//! Machines that share a store, and what others may do to the store.

mod attacks;
mod faults;

use std::time::Duration;

use edgec_artifact::{Algorithm, Sha256Digest, SignerKeys};
use edgec_packager::SecretKeys;
use opendal::services::Memory;
use opendal::{Buffer, Operator};

use crate::session::runtime;
use crate::store::Store;
use crate::{Address, Names, Options, SharedCache, name_of};

/// What stands for the program `edgec`.
const EDGEC: Sha256Digest = Sha256Digest([7; 32]);

/// The keys of a writer who is trusted, and of one who is not.
struct Keys {
    trusted: SecretKeys,
    other: SecretKeys,
}

impl Keys {
    fn new() -> Self {
        Self {
            trusted: SecretKeys::generate(&[Algorithm::Ed25519]).unwrap(),
            other: SecretKeys::generate(&[Algorithm::Ed25519]).unwrap(),
        }
    }

    fn readers(&self) -> Vec<SignerKeys> {
        vec![self.trusted.public()]
    }
}

/// A store in memory that machines share.
fn memory() -> Operator {
    Operator::new(Memory::default()).unwrap()
}

fn key(text: &str) -> Sha256Digest {
    Sha256Digest::of(text.as_bytes())
}

/// The names of the builds of an input.
fn names(input: &str) -> Names {
    Names::new(Some(name_of(["exact", input])), name_of(["line"]))
}

/// A machine that builds an input, and trusts these keys.
fn machine(store: &Operator, keys: Vec<SignerKeys>, input: &str) -> SharedCache {
    in_namespace(store, keys, input, "build")
}

fn in_namespace(
    store: &Operator,
    keys: Vec<SignerKeys>,
    input: &str,
    namespace: &str,
) -> SharedCache {
    let address = Address::parse("redis://unused").unwrap();
    let mut options = Options::new(address, namespace.to_owned(), EDGEC);
    options.trusted = keys;
    options.deadline = Duration::from_secs(60);
    options.store = Some(Store::of(store.clone()));
    let names = names(input);
    SharedCache::new(options, move || names)
}

/// The answers of a build.
fn answers(texts: &[&str]) -> Vec<(String, Sha256Digest, Vec<u8>)> {
    let answer = |text: &&str| ("step".to_owned(), key(text), text.repeat(100).into_bytes());
    texts.iter().map(answer).collect()
}

/// Writes the answers of a build of an input.
fn write(store: &Operator, key: &SecretKeys, input: &str, texts: &[&str]) {
    let machine = machine(store, Vec::new(), input);
    assert!(machine.write(key, answers(texts)).is_some());
    assert!(machine.trouble().is_none());
}

fn recalled(machine: &SharedCache, text: &str) -> Option<Vec<u8>> {
    let answer = machine.recall("step", &key(text));
    // The answer is right, also if the store is not.
    if let Some(answer) = &answer {
        assert_eq!(*answer, text.repeat(100).into_bytes());
    }
    answer
}

/// An object of the store.
fn object(store: &Operator, path: &str) -> Vec<u8> {
    let runtime = runtime().unwrap();
    runtime.block_on(store.read(path)).unwrap().to_vec()
}

fn replace(store: &Operator, path: &str, bytes: Vec<u8>) {
    let runtime = runtime().unwrap();
    let written = store.write(path, Buffer::from(bytes));
    runtime.block_on(written).unwrap();
}

/// Where the pack of an input is.
fn pack_of(input: &str) -> String {
    crate::names::pack("build", &names(input).exact.unwrap())
}

#[test]
fn a_second_machine_has_the_answers_of_the_first() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "input", &["a", "b", ""]);
    let second = machine(&store, keys.readers(), "input");
    for text in ["a", "b", ""] {
        assert!(recalled(&second, text).is_some(), "{text}");
    }
    assert!(recalled(&second, "c").is_none());
    // An answer to a question of another kind is none.
    assert!(second.recall("steps", &key("a")).is_none());
    let used = second.used();
    assert_eq!(used.hits, 3);
    assert_eq!(
        used.bytes_read,
        object(&store, &pack_of("input")).len() as u64
    );
    assert!(second.trouble().is_none() && second.is_writable());
}

#[test]
fn another_input_gets_the_newest_pack_of_its_line() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "one", &["a"]);
    write(&store, &keys.trusted, "two", &["a", "b"]);
    let third = machine(&store, keys.readers(), "three");
    assert!(recalled(&third, "b").is_some());
    // Its own pack comes first, although it is older.
    let first = machine(&store, keys.readers(), "one");
    assert!(recalled(&first, "a").is_some());
    assert!(recalled(&first, "b").is_none());
}

#[test]
fn an_empty_store_is_no_trouble() {
    let (store, keys) = (memory(), Keys::new());
    let machine = machine(&store, keys.readers(), "input");
    assert!(recalled(&machine, "a").is_none());
    assert!(machine.trouble().is_none() && machine.is_writable());
    assert!(machine.write(&keys.trusted, answers(&[])).is_none());
    assert!(machine.trouble().is_none());
}

#[test]
fn without_trusted_keys_nothing_is_read() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "input", &["a"]);
    let machine = machine(&store, Vec::new(), "input");
    assert!(recalled(&machine, "a").is_none());
    assert_eq!(machine.used().bytes_read, 0);
}

#[test]
fn an_input_that_cannot_be_read_twice_is_found_by_its_line() {
    let (store, keys) = (memory(), Keys::new());
    let address = Address::parse("redis://unused").unwrap();
    let mut options = Options::new(address, "build".to_owned(), EDGEC);
    options.store = Some(Store::of(store.clone()));
    options.trusted = keys.readers();
    let unnamed = || Names::new(None, name_of(["line"]));
    let first = SharedCache::new(options.clone(), unnamed);
    assert!(recalled(&first, "a").is_none());
    assert!(first.write(&keys.trusted, answers(&["a"])).is_some());
    let second = SharedCache::new(options, unnamed);
    assert!(recalled(&second, "a").is_some());
}
