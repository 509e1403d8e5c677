//! The readers of artifacts and policies, before and after the signature is checked.

use std::sync::LazyLock;

use edgec_artifact::elf::ElfImage;
use edgec_artifact::{
    Artifact, Attestation, AttestedStatement, Envelope, LogProof, Manifest, NoteKey, NoteKeyKind,
    ProvenanceClaims, RebuildStatement, Release, Signature, SignerKeys, Statement, Timestamp,
    companion_envelope, encode, pae,
};
use edgec_packager::{SecretKey, UnsignedArtifact};
use edgec_verifier::{Expected, TrustPolicy, TrustedKey, UnixTime};

/// The example key of RFC 8410, section 10.3: everyone has it, so no policy trusts it.
pub const SECRET_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";

/// An artifact of this engine, signed with [`SECRET_KEY`].
pub const SIGNED: &[u8] = include_bytes!("../seeds/verify/signed.cwasm");

/// Later than every artifact was made, and earlier than any expires: the fixture has no dates.
const NOW: UnixTime = UnixTime::from_seconds(2_000_000_000);

static SECRET: LazyLock<SecretKey> =
    LazyLock::new(|| SecretKey::from_pem(SECRET_KEY).expect("the key is well-formed"));

/// [`SIGNED`] without its signatures.
static UNSIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let artifact = Artifact::decode(SIGNED).expect("the fixture is an artifact");
    let envelope = Envelope::new(artifact.envelope().payload().to_vec(), Vec::new());
    encode(artifact.image(), &envelope).expect("it only becomes shorter")
});

static POLICY: LazyLock<TrustPolicy> = LazyLock::new(|| {
    let name = "RFC 8410".to_owned();
    let key = SECRET.public();
    TrustPolicy::new(vec![TrustedKey::new(name, key)], 1).expect("one key, one signature")
});

/// The verifier's result under a policy that trusts only [`SECRET_KEY`]: the manifest, or the
/// error's code.
pub fn judge(file: &[u8]) -> Result<Manifest, &'static str> {
    judge_by(&POLICY, file)
}

fn judge_by(policy: &TrustPolicy, file: &[u8]) -> Result<Manifest, &'static str> {
    match edgec_verifier::verify(file, policy, &Expected::anything(), NOW) {
        Ok(verified) => Ok(verified.into_manifest()),
        Err(error) => {
            // Printing an error must not fail either.
            let _ = error.to_string();
            Err(error.code())
        }
    }
}

/// A file that is read and written again is the same file.
pub fn artifact(data: &[u8]) {
    if let Ok(artifact) = Artifact::decode(data) {
        let again = encode(artifact.image(), artifact.envelope());
        assert_eq!(again.as_deref(), Ok(data), "another file reads the same");
    }
}

/// An envelope of an artifact has one spelling. An attestation may have others, and all mean the
/// same.
pub fn envelope(data: &[u8]) {
    let attestation = Attestation::decode(data);
    if let Ok(attestation) = &attestation {
        let again = Attestation::decode(&attestation.encode());
        assert_eq!(again.as_ref(), Ok(attestation), "it reads as another one");
        // Printing an error must not fail.
        let read = AttestedStatement::decode(attestation.payload());
        drop(read.map_err(|error| error.to_string()));
        let claims = ProvenanceClaims::decode(attestation.payload());
        drop(claims.map_err(|error| error.to_string()));
    }
    if let Ok(envelope) = Envelope::decode(data) {
        assert_eq!(envelope.encode(), data, "another envelope reads the same");
        let payload = attestation.as_ref().map(Attestation::payload);
        // An attestation may have fewer signatures, and fewer bytes.
        assert!(payload.is_ok_and(|it| it == envelope.payload()) || attestation.is_err());
    }
}

/// The sections of an image lie inside it and do not overlap.
pub fn elf(data: &[u8]) {
    let Ok(image) = ElfImage::parse(data) else {
        return;
    };
    let mut end = 0;
    for section in image.sections.iter().filter(|section| section.size != 0) {
        assert!(section.offset >= end, "{} overlaps", section.name);
        end = section.offset + section.size;
    }
    assert!(end <= data.len() as u64, "a section reaches past the end");
}

/// A manifest has one spelling.
pub fn manifest(data: &[u8]) {
    if let Ok(statement) = Statement::decode(data) {
        assert_eq!(statement.encode(), data, "another manifest reads the same");
    }
}

/// A statement beside an artifact has one spelling, and is of one kind. Nobody has signed it.
pub fn companion(data: &[u8]) {
    let envelope = companion_envelope(data).ok();
    let payload = envelope.as_ref().map_or(data, Envelope::payload);
    let read = [
        Release::decode(payload).map(|it| it.encode()),
        Timestamp::decode(payload).map(|it| it.encode()),
        RebuildStatement::decode(payload).map(|it| it.encode()),
    ];
    let mut kinds = 0;
    for again in read {
        match again {
            Ok(again) => {
                assert_eq!(again, payload, "another statement reads the same");
                kinds += 1;
            }
            Err(error) => drop(error.to_string()),
        }
    }
    assert!(kinds <= 1, "a statement of two kinds");
    let verified = edgec_verifier::verify_release(data, &POLICY, NOW);
    drop(verified.expect_err("nobody has signed it").to_string());
}

/// No policy accepts unsigned bytes, and no root does.
pub fn policy(data: &[u8]) {
    assert!(TrustPolicy::decode(data, &[SECRET.public()], NOW).is_err());
    match TrustPolicy::decode(data, &[], NOW) {
        Ok(policy) => assert!(judge_by(&policy, &UNSIGNED).is_err(), "trusts no key"),
        Err(error) => drop(error.to_string()),
    }
}

/// No log that nobody knows vouches for anything.
pub fn log_proof(data: &[u8]) {
    match LogProof::parse(data) {
        Ok(proof) => {
            let log = NoteKey::new("log", NoteKeyKind::Note, SECRET.public()).expect("a name");
            assert!(proof.verify(&log, SIGNED).is_err(), "a log vouches for it");
            assert_eq!(proof.seen_by(&log), None);
        }
        Err(error) => drop(error.to_string()),
    }
    if let Ok(key) = String::from_utf8_lossy(data).parse::<NoteKey>() {
        let again: NoteKey = key.to_string().parse().expect("it was read before");
        assert_eq!(again, key);
    }
}

/// What is read as keys is written and read again as the same keys.
pub fn public_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match SignerKeys::from_text(&text) {
        Ok((keys, _)) => assert_eq!(SignerKeys::from_pem(&keys.to_pem()), Ok(keys)),
        Err(error) => drop(error.to_string()),
    }
    // A policy's PEM has one spelling, and the other reader takes it too.
    if let Ok(keys) = SignerKeys::from_pem(&text) {
        assert_eq!(SignerKeys::from_text(&text).map(|(keys, _)| keys), Ok(keys));
    }
}

/// Only the one file that the key signed is accepted.
pub fn verify(data: &[u8]) {
    if judge(data).is_ok() {
        assert!(data == SIGNED, "a file without a signature was accepted");
    }
}

/// What a careless or hostile holder of a trusted key could sign. The data consists of the length
/// of the payload (two bytes, little-endian), the payload, and the image.
pub fn signed(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length));
    let Some((payload, image)) = rest.split_at_checked(length) else {
        return;
    };

    let signature = Signature::new(
        &SECRET.public().id().to_string(),
        SECRET.sign(&pae(edgec_artifact::PAYLOAD_TYPE, payload)),
    );
    let as_it_is = Envelope::new(payload.to_vec(), vec![signature]);
    if let Ok(file) = encode(image, &as_it_is)
        && let Ok(manifest) = judge(&file)
    {
        assert_eq!(manifest.image.length, image.len() as u64);
        assert_eq!(Statement { manifest }.encode(), payload);
    }

    // Corrects the digests, so that the checks after them are reached.
    let Ok(Statement { manifest }) = Statement::decode(payload) else {
        return;
    };
    let fitting = UnsignedArtifact::new(image.to_vec(), |image| manifest.with_image(image));
    let signature = SECRET.sign(&fitting.pae());
    if let Ok(file) = fitting.attach(&SECRET.public(), signature, Vec::new()) {
        let early = [
            "layout",
            "no-signature",
            "bad-signature",
            "same-key-twice",
            "threshold",
            "statement",
            "image-length",
            "image-digest",
        ];
        if let Err(code) = judge(file.as_bytes()) {
            assert!(
                !early.contains(&code),
                "{code}: what edgec signs is refused"
            );
        }
    }
}
