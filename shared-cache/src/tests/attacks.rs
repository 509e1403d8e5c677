//! The attack corpus: everything that an attacker who can write to the store may put there. Each
//! attack ends as a miss, and never as another answer.

use bytes::Bytes;
use edgec_artifact::{Algorithm, Envelope, Sha256Digest, Signature, SignerKeys};
use edgec_packager::SecretKeys;
use opendal::Operator;

use super::{
    EDGEC, Keys, answers, in_namespace, key, machine, memory, names, object, pack_of, recalled,
    replace, write,
};
use crate::index::{Index, PAYLOAD_TYPE, Refusal};
use crate::names;
use crate::options::Trouble;
use crate::pack::{Found, NewPack, Pack, parts};

fn read(bytes: &[u8], keys: &Keys) -> Result<Pack, Refusal> {
    let bytes = Bytes::copy_from_slice(bytes);
    Pack::read(bytes, &keys.readers(), "build", Some(&EDGEC))
}

/// A signed pack with these answers.
fn pack(signer: &SecretKeys, namespace: &str, edgec: Sha256Digest, texts: &[&str]) -> Vec<u8> {
    let mut pack = NewPack::new(namespace, edgec);
    for (kind, key, answer) in answers(texts) {
        pack.add(&kind, key, &answer);
    }
    pack.sign(signer).unwrap().concat()
}

/// The envelope and the answers of a pack.
fn split(pack: &[u8]) -> (&[u8], &[u8]) {
    let length = u32::from_le_bytes(pack[16..20].try_into().unwrap());
    pack[20..].split_at(usize::try_from(length).unwrap())
}

fn joined(envelope: &[u8], answers: &[u8]) -> Vec<u8> {
    parts(envelope, vec![Bytes::copy_from_slice(answers)]).concat()
}

/// What a machine of the attacked store finds out. `bytes` take the place of the pack.
fn refused(store: &Operator, keys: Vec<SignerKeys>, bytes: Vec<u8>) -> Refusal {
    replace(store, &pack_of("input"), bytes);
    let attacked = machine(store, keys, "input");
    assert!(recalled(&attacked, "a").is_none());
    assert!(recalled(&attacked, "b").is_none());
    let trouble = attacked.trouble();
    // It is told once.
    assert!(attacked.trouble().is_none());
    match trouble {
        Some(Trouble::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pack_of_someone_else_is_refused_by_name() {
    let (store, keys) = (memory(), Keys::new());
    let refused = |bytes| refused(&store, keys.readers(), bytes);
    let genuine = pack(&keys.trusted, "build", EDGEC, &["a", "b"]);
    let (envelope, body) = split(&genuine);

    let by_other = pack(&keys.other, "build", EDGEC, &["a", "b"]);
    assert!(matches!(refused(by_other), Refusal::Untrusted { .. }));
    // The signature of another key under the id of the trusted one.
    let payload = Envelope::decode_type(PAYLOAD_TYPE, envelope).unwrap();
    let payload = payload.payload().to_vec();
    let unsigned = || Envelope::of_type(PAYLOAD_TYPE, payload.clone());
    let forged = keys.other.sign(&unsigned().pae()).remove(0).bytes;
    let id = keys.trusted.public().ids();
    let forged = with_signature(&unsigned(), &Signature::new(&id, forged));
    let forged = refused(joined(&forged, body));
    assert_eq!(forged, Refusal::Untrusted { named: id });
    let bare = refused(joined(&unsigned().encode(), body));
    assert_eq!(bare, Refusal::Unsigned);
    // What the trusted key has signed for another purpose.
    let artifact = Envelope::of_type("application/vnd.in-toto+json", payload.clone());
    let artifact = refused(joined(&artifact.encode(), body));
    assert!(matches!(artifact, Refusal::Envelope(_)), "{artifact:?}");

    let of_release = pack(&keys.trusted, "release", EDGEC, &["a", "b"]);
    let found = "release".to_owned();
    assert_eq!(refused(of_release), Refusal::Namespace { found });
    let other_edgec = Sha256Digest([8; 32]);
    let of_other = pack(&keys.trusted, "build", other_edgec, &["a", "b"]);
    assert_eq!(refused(of_other), Refusal::Program);
    for empty in [Vec::new(), b"edgec pack   01\n".to_vec(), vec![0; 1 << 16]] {
        assert_eq!(refused(empty), Refusal::Damaged);
    }
}

/// The envelope with one signature, which is not checked.
fn with_signature(envelope: &Envelope, signature: &Signature) -> Vec<u8> {
    let text = String::from_utf8(envelope.encode()).unwrap();
    let made = Envelope::new(Vec::new(), vec![signature.clone()]).encode();
    let made = String::from_utf8(made).unwrap();
    let (_, signatures) = made.split_once("\"signatures\":").unwrap();
    let (before, _) = text.split_once("\"signatures\":").unwrap();
    format!("{before}\"signatures\":{signatures}").into_bytes()
}

/// A writer with two keys signs with both, and one of the two signatures is not enough.
#[test]
fn each_key_of_a_writer_must_have_signed() {
    let keys = Keys {
        trusted: SecretKeys::generate(&Algorithm::ALL).unwrap(),
        ..Keys::new()
    };
    let genuine = pack(&keys.trusted, "build", EDGEC, &["a"]);
    assert!(read(&genuine, &keys).is_ok());
    let (envelope, body) = split(&genuine);
    let whole = Envelope::decode_type(PAYLOAD_TYPE, envelope).unwrap();
    assert_eq!(whole.signatures().len(), 2);
    for signature in whole.signatures() {
        let bare = Envelope::of_type(PAYLOAD_TYPE, whole.payload().to_vec());
        let half = with_signature(&bare, signature);
        let refused = read(&joined(&half, body), &keys).unwrap_err();
        assert!(matches!(refused, Refusal::Untrusted { .. }), "{refused:?}");
    }
}

/// What the index signs and the reader does not know is refused, also if a trusted key has signed.
#[test]
fn a_signed_index_must_be_an_index() {
    let keys = Keys::new();
    let signed = |payload: &str| {
        let mut envelope = Envelope::of_type(PAYLOAD_TYPE, payload.as_bytes().to_vec());
        let made = keys.trusted.sign(&envelope.pae()).remove(0);
        envelope.attach(&made.by, made.bytes).unwrap();
        joined(&envelope.encode(), b"")
    };
    let fields = format!("\"namespace\":\"build\",\"edgec\":\"{EDGEC}\",\"entries\":[]");
    assert!(read(&signed(&format!("{{{fields}}}")), &keys).is_ok());
    for payload in [
        "".to_owned(),
        format!("{{{fields},\"more\":1}}"),
        format!("{{{fields},\"namespace\":\"build\"}}"),
        format!("{{{}}}", fields.replace("[]", "[{}]")),
    ] {
        let refused = read(&signed(&payload), &keys).unwrap_err();
        assert!(matches!(refused, Refusal::Malformed { .. }), "{payload}");
    }
}

/// No change of a byte, no cut and nothing behind it gives another answer.
#[test]
fn a_changed_pack_gives_the_right_answer_or_none() {
    let keys = Keys::new();
    let genuine = pack(&keys.trusted, "build", EDGEC, &["a", "b"]);
    let right = |bytes: &[u8]| {
        let Ok(pack) = read(bytes, &keys) else {
            return 0;
        };
        let mut whole = 0;
        for text in ["a", "b"] {
            match pack.find("step", &key(text)) {
                Found::Answer(answer) => {
                    assert_eq!(answer, text.repeat(100).into_bytes());
                    whole += 1;
                }
                Found::Damaged => {}
                Found::Nothing => panic!("the index is signed"),
            }
        }
        whole
    };
    assert_eq!(right(&genuine), 2);
    for place in 0..genuine.len() {
        let mut changed = genuine.clone();
        changed[place] ^= 1;
        assert!(right(&changed) < 2, "byte {place}");
        assert_eq!(right(&genuine[..place]), 0, "{place} bytes");
    }
    assert_eq!(right(&[&genuine[..], b"x"].concat()), 0);
}

/// Genuine answers in the places of others: foreign native code.
#[test]
fn an_answer_under_another_key_is_damaged() {
    let (store, keys) = (memory(), Keys::new());
    let genuine = pack(&keys.trusted, "build", EDGEC, &["a", "b"]);
    let (envelope, body) = split(&genuine);
    let half = body.len() / 2;
    // Both are compressed to the same length.
    let swapped = [&body[half..], &body[..half]].concat();
    let swapped = joined(envelope, &swapped);
    let pack = read(&swapped, &keys).unwrap();
    assert_eq!(pack.find("step", &key("a")), Found::Damaged);
    assert_eq!(pack.check(), (0, 2));
    assert_eq!(refused(&store, keys.readers(), swapped), Refusal::Damaged);
    // An index that names other keys has another signature.
    let text = String::from_utf8(envelope.to_vec()).unwrap();
    assert!(!text.contains(&key("a").to_string()), "it is in base64");
}

/// A frame that becomes much longer than the index says, signed by a trusted key, and one without
/// a signature.
#[test]
fn a_frame_that_grows_is_stopped() {
    let (store, keys) = (memory(), Keys::new());
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    assert!(bomb.len() < 64 << 10);
    let genuine = pack(&keys.trusted, "build", EDGEC, &["a"]);
    let (envelope, _) = split(&genuine);
    let mut index = Index::read(envelope, &keys.readers(), "build", Some(&EDGEC)).unwrap();
    index.entries[0].packed = bomb.len() as u64;
    let signed = joined(&index.sign(&keys.trusted).unwrap(), &bomb);
    assert_eq!(refused(&store, keys.readers(), signed), Refusal::Damaged);
    let unsigned = joined(&index.sign(&keys.other).unwrap(), &bomb);
    let unsigned = refused(&store, keys.readers(), unsigned);
    assert!(matches!(unsigned, Refusal::Untrusted { .. }));
    // Lengths that no answer has, or that do not fit.
    for (length, packed) in [
        (u64::MAX, bomb.len() as u64),
        (2 << 30, bomb.len() as u64),
        (100, u64::MAX),
        (100, bomb.len() as u64 + 1),
        (100, bomb.len() as u64 - 1),
    ] {
        (index.entries[0].length, index.entries[0].packed) = (length, packed);
        let odd = joined(&index.sign(&keys.trusted).unwrap(), &bomb);
        assert_eq!(read(&odd, &keys).unwrap_err(), Refusal::Damaged);
    }
    // An index that claims to be longer than any.
    let mut long = genuine.clone();
    long[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&long, &keys).unwrap_err(), Refusal::Damaged);
}

/// An older genuine pack is right for the questions that it answers. Others have no answer.
#[test]
fn a_replayed_pack_only_lacks_answers() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "input", &["a"]);
    let old = object(&store, &pack_of("input"));
    write(&store, &keys.trusted, "input", &["a", "b"]);
    replace(&store, &pack_of("input"), old);
    let attacked = machine(&store, keys.readers(), "input");
    assert!(recalled(&attacked, "a").is_some());
    assert!(recalled(&attacked, "b").is_none());
    assert!(attacked.trouble().is_none());
}

/// A release build does not read what other builds have written, also with a trusted signature.
#[test]
fn another_namespace_is_another_folder_and_another_signature() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "input", &["a"]);
    let release = || in_namespace(&store, keys.readers(), "input", "release");
    assert!(recalled(&release(), "a").is_none());
    let of_release = names::pack("release", &names("input").exact.unwrap());
    replace(&store, &of_release, object(&store, &pack_of("input")));
    let attacked = release();
    assert!(recalled(&attacked, "a").is_none());
    let trouble = attacked.trouble();
    assert!(
        matches!(trouble, Some(Trouble::Refused(Refusal::Namespace { .. }))),
        "{trouble:?}"
    );
}

/// The name of a line's newest pack is not signed: it finds a pack, or none.
#[test]
fn a_forged_line_finds_nothing_or_a_genuine_pack() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "one", &["a"]);
    let line = names::line("build", &names("one").line);
    let two = || machine(&store, keys.readers(), "two");
    assert!(recalled(&two(), "a").is_some());
    for forged in ["", "../../release/packs/x", &"f".repeat(63)] {
        replace(&store, &line, forged.as_bytes().to_vec());
        let attacked = two();
        assert!(recalled(&attacked, "a").is_none(), "{forged}");
        let trouble = attacked.trouble();
        assert!(
            matches!(trouble, Some(Trouble::Refused(Refusal::Damaged))),
            "{forged}: {trouble:?}"
        );
    }
    for absent in [key("nothing"), names("two").exact.unwrap()] {
        replace(&store, &line, absent.to_string().into_bytes());
        let attacked = two();
        assert!(recalled(&attacked, "a").is_none());
        assert!(attacked.trouble().is_none());
    }
    replace(&store, &line, vec![b'f'; 1 << 20]);
    let attacked = two();
    assert!(recalled(&attacked, "a").is_none());
    assert!(matches!(attacked.trouble(), Some(Trouble::Store(_))));
}
