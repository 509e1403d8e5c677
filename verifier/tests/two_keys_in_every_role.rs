//! Signers with an Ed25519 key and an ML-DSA-65 key, for everything that is no artifact: releases,
//! timestamps, notaries' statements and policies. Each needs both signatures, and counts once.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use edgec_packager::{SecretKeys, UnsignedArtifact, UnsignedCompanion};
use edgec_verifier::artifact::{
    Algorithm, Artifact, Envelope, MAX_COMPANION_LEN, RebuildStatement, Release, ReleaseNumbers,
    ReleasedArtifact, Signature, Statement, Timestamp,
};
use edgec_verifier::{
    Expected, POLICY_PAYLOAD_TYPE, PolicyChainError, PolicyFileError, TrustPolicy, UnixTime,
    follow_chain, verify, verify_release, verify_timestamp,
};

const ARTIFACT: &[u8] = include_bytes!("../../fuzz/seeds/verify/signed.cwasm");
const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// A signer for artifacts, and two for each other role.
struct Keys {
    signer: SecretKeys,
    release: [SecretKeys; 2],
    timestamp: [SecretKeys; 2],
    notary: [SecretKeys; 2],
    root: [SecretKeys; 2],
}

impl Keys {
    fn new() -> Self {
        let hybrid = || SecretKeys::generate(&Algorithm::ALL).unwrap();
        Self {
            signer: hybrid(),
            release: [hybrid(), hybrid()],
            timestamp: [hybrid(), hybrid()],
            notary: [hybrid(), hybrid()],
            root: [hybrid(), hybrid()],
        }
    }

    /// A policy that trusts these keys. `head` are fields and `tail` are tables.
    fn text(&self, head: &str, tail: &str) -> String {
        let mut text = format!("name = 'x'\nversion = 1\nthreshold = 1\n{head}\n");
        let mut entry = |name: &str, role: &str, keys: &SecretKeys| {
            let pem = keys.public().to_pem();
            text += &format!("[[key]]\nname = '{name}'\nroles = ['{role}']\npem = '''\n{pem}'''\n");
        };
        entry("signer", "artifact", &self.signer);
        for (role, pair) in [
            ("release", &self.release),
            ("timestamp", &self.timestamp),
            ("notary", &self.notary),
            ("root", &self.root),
        ] {
            for (number, keys) in pair.iter().enumerate() {
                entry(&format!("{role} {number}"), role, keys);
            }
        }
        text + tail
    }

    fn policy(&self, head: &str, tail: &str) -> TrustPolicy {
        TrustPolicy::from_toml(&self.text(head, tail)).unwrap()
    }
}

/// The statement, signed by these.
fn signed(unsigned: &UnsignedCompanion, by: &[&SecretKeys]) -> Vec<u8> {
    let mut file: Option<Vec<u8>> = None;
    for keys in by {
        let next = match &file {
            None => unsigned.clone(),
            Some(earlier) => unsigned
                .clone()
                .with_signatures_of(earlier)
                .unwrap()
                .unwrap(),
        };
        file = Some(next.sign(*keys).unwrap().into_bytes());
    }
    file.unwrap()
}

/// The file without the signature by this key.
fn without(file: &[u8], keys: &SecretKeys, algorithm: Algorithm) -> Vec<u8> {
    let public = keys.public();
    let key = public.iter().find(|key| key.algorithm() == algorithm);
    let gone = key.unwrap().id().to_string();
    changed(file, |all| all.retain(|it| it.key_id() != gone))
}

fn changed(file: &[u8], change: impl FnOnce(&mut Vec<Signature>)) -> Vec<u8> {
    let envelope = Envelope::decode(file).unwrap();
    let mut signatures = envelope.signatures().to_vec();
    change(&mut signatures);
    Envelope::new(envelope.payload().to_vec(), signatures).encode()
}

/// The artifact that the signer has signed, its release, and its timestamp.
struct Made {
    file: Vec<u8>,
    release: Release,
}

impl Made {
    fn new(keys: &Keys) -> Self {
        let (unsigned, _) = UnsignedArtifact::reopen(ARTIFACT).unwrap();
        let mut manifest = unsigned.manifest().unwrap();
        manifest.version = 1;
        let unsigned = UnsignedArtifact::new(unsigned.image().to_vec(), |image| {
            let mut manifest = manifest.clone();
            manifest.image = image;
            manifest
        });
        let file = unsigned
            .sign(&keys.signer, Vec::new())
            .unwrap()
            .into_bytes();
        let artifact = Artifact::decode(&file).unwrap();
        let payload = artifact.envelope().payload();
        let manifest = Statement::decode(payload).unwrap().manifest;
        let listed = ReleasedArtifact::of(&manifest, payload);
        let numbers = ReleaseNumbers {
            version: 1,
            serial: 1,
            floor: 0,
        };
        let (channel, program) = (manifest.channel, manifest.source.input);
        let release = Release::new(manifest.name, channel, numbers, program, vec![listed]);
        Self {
            release: release.unwrap(),
            file,
        }
    }

    fn release(&self) -> UnsignedCompanion {
        UnsignedCompanion::release(&self.release)
    }

    fn timestamp(&self) -> UnsignedCompanion {
        let until = UnixTime::from_seconds(NOW.seconds() + 60);
        let stamp = Timestamp::new(self.release.digest(), NOW, until);
        UnsignedCompanion::timestamp(&stamp.unwrap())
    }

    fn rebuild(&self) -> UnsignedCompanion {
        let artifact = Artifact::decode(&self.file).unwrap();
        let payload = artifact.envelope().payload();
        let manifest = Statement::decode(payload).unwrap().manifest;
        UnsignedCompanion::rebuild(&RebuildStatement::of(&manifest, payload, "0.1.0"))
    }
}

fn judge(file: &[u8], policy: &TrustPolicy, expected: &Expected) -> Result<usize, &'static str> {
    let verified = verify(file, policy, expected, NOW).map_err(|error| error.code())?;
    Ok(verified.notaries().len())
}

#[test]
fn releases_and_timestamps_need_both_signatures() {
    let keys = Keys::new();
    let made = Made::new(&keys);
    let policy = keys.policy("release = 2\ntimestamp = 2", "");
    let release = signed(&made.release(), &keys.release.each_ref());
    let stamp = signed(&made.timestamp(), &keys.timestamp.each_ref());
    let verified = verify_release(&release, &policy, NOW).unwrap();
    assert_eq!(verified.accepted.len(), 4);
    verify_timestamp(&stamp, &verified, &policy, NOW).unwrap();
    let said = |release: &[u8], stamp: &[u8]| {
        let expected = Expected::anything().with_release(release);
        judge(&made.file, &policy, &expected.with_timestamp(stamp))
    };
    assert_eq!(said(&release, &stamp), Ok(0));
    let [first, _] = &keys.release;
    let [clock, _] = &keys.timestamp;
    for algorithm in Algorithm::ALL {
        let half = without(&release, first, algorithm);
        assert_eq!(said(&half, &stamp), Err("release-signature"));
        let half = without(&stamp, clock, algorithm);
        assert_eq!(said(&release, &half), Err("timestamp-signature"));
    }
    // One signer with two keys is not two signers.
    let alone = signed(&made.release(), &[first]);
    assert_eq!(said(&alone, &stamp), Err("release-signature"));
    let alone = signed(&made.timestamp(), &[clock]);
    assert_eq!(said(&release, &alone), Err("timestamp-signature"));
    // Unknown signatures are skipped here too.
    let more = changed(&release, |all| {
        all.insert(0, Signature::new("x", vec![7; 2420]));
    });
    assert_eq!(said(&more, &stamp), Ok(0));
    // What stands under the id of a trusted key is that key's signature.
    let swapped = changed(&release, |all| {
        let id = all.first().unwrap().key_id().to_owned();
        all[0] = Signature::new(&id, vec![7; 64]);
    });
    assert_eq!(said(&swapped, &stamp), Err("release-signature"));
}

#[test]
fn notaries_are_counted_and_not_their_keys() {
    let keys = Keys::new();
    let made = Made::new(&keys);
    let [one, two] = &keys.notary;
    let policy = keys.policy("notary = 2", "");
    let said = |statements: &[&[u8]]| {
        let mut expected = Expected::anything();
        for statement in statements {
            expected = expected.with_rebuild(*statement);
        }
        judge(&made.file, &policy, &expected)
    };
    let alone = signed(&made.rebuild(), &[one]);
    assert_eq!(said(&[&alone]), Err("notary-signature"));
    assert_eq!(said(&[&alone, &alone]), Err("notary-signature"));
    let other = signed(&made.rebuild(), &[two]);
    assert_eq!(
        said(&[&alone, &other]),
        Ok(4),
        "the signatures of two notaries"
    );
    assert_eq!(said(&[&signed(&made.rebuild(), &[one, two])]), Ok(4));
    for algorithm in Algorithm::ALL {
        let half = without(&other, two, algorithm);
        assert_eq!(said(&[&alone, &half]), Err("notary-signature"));
    }
}

/// A policy that these roots have signed.
fn signed_policy(text: &str, roots: &[&SecretKeys]) -> Vec<u8> {
    let mut envelope = Envelope::of_type(POLICY_PAYLOAD_TYPE, text.as_bytes().to_vec());
    let pae = envelope.pae();
    for made in roots.iter().flat_map(|root| root.sign(&pae)) {
        envelope.attach(&made.by, made.bytes).unwrap();
    }
    envelope.encode()
}

#[test]
fn roots_are_counted_and_not_their_keys() {
    let keys = Keys::new();
    let [one, two] = &keys.root;
    let text = keys.text("root = 2", "");
    let read = |file: &[u8]| TrustPolicy::decode(file, &[], NOW);
    let known = read(&signed_policy(&text, &[one, two])).unwrap();
    assert_eq!(known.signed_by().len(), 4);
    let short = |file: &[u8]| match read(file).map(|_| ()) {
        Err(PolicyFileError::Roots { accepted, .. }) => accepted,
        other => panic!("{other:?}"),
    };
    assert_eq!(short(&signed_policy(&text, &[one])), 1);
    let whole = Envelope::decode_type(POLICY_PAYLOAD_TYPE, &signed_policy(&text, &[one, two]));
    let whole = whole.unwrap();
    for algorithm in Algorithm::ALL {
        // A key of `two` has not signed.
        let mut half = Envelope::of_type(POLICY_PAYLOAD_TYPE, text.clone().into_bytes());
        let made = one
            .sign(&half.pae())
            .into_iter()
            .chain(two.sign(&half.pae()));
        let public = two.public();
        for made in made.filter(|it| it.by.algorithm() != algorithm || !public.contains(&it.by)) {
            half.attach(&made.by, made.bytes).unwrap();
        }
        assert_eq!(half.signatures().len() + 1, whole.signatures().len());
        assert_eq!(short(&half.encode()), 1);
        let next = text.replace("version = 1", "version = 2");
        let next = next.replace("root = 2", "root = 1");
        let mut half = Envelope::of_type(POLICY_PAYLOAD_TYPE, next.into_bytes());
        let made = one
            .sign(&half.pae())
            .into_iter()
            .chain(two.sign(&half.pae()));
        for made in made.filter(|it| it.by.algorithm() != algorithm || !public.contains(&it.by)) {
            half.attach(&made.by, made.bytes).unwrap();
        }
        let chain = follow_chain(known.clone(), &[half.encode()], NOW).map(|_| ());
        assert!(
            matches!(chain, Err(PolicyChainError::Broken { .. })),
            "{chain:?}"
        );
    }
    // A root of which a key is revoked does not count.
    let gone = two.public().iter().next().unwrap().id();
    let revoked = format!("[[revoked-key]]\nid = '{gone}'\nreason = 'lost'\n");
    let revoked = keys.text("root = 2", &revoked);
    assert_eq!(short(&signed_policy(&revoked, &[one, two])), 1);
}

/// A key that need not have signed may be revoked; one that must have signed may not, unless a
/// witness knows its signature from an earlier time.
#[test]
fn a_revoked_half_of_a_signer_counts_from_a_record() {
    let keys = Keys::new();
    let made = Made::new(&keys);
    let public = keys.signer.public();
    let gone = public.iter().nth(1).unwrap().id();
    let tail = format!(
        "[[revoked-key]]\nid = '{gone}'\nreason = 'lost'\nrevoked-from = 2027-01-01T00:00:00Z\n"
    );
    let policy = keys.policy("", &tail);
    let bare = judge(&made.file, &policy, &Expected::anything());
    assert_eq!(bare, Err("revoked-key"));
    let seen = |seconds: u64| {
        let record = [(gone, UnixTime::from_seconds(seconds))];
        judge(
            &made.file,
            &policy,
            &Expected::anything().with_record(record.into()),
        )
    };
    // 2027-01-01.
    let from = 1_798_761_600;
    assert_eq!(seen(from - 1), Ok(0));
    assert_eq!(seen(from), Err("revoked-key"));
}

/// Anyone who can write a file can put long signatures of unknown kinds into it. In the union with
/// the file that is kept, they take no room of the signatures that count.
#[test]
fn long_signatures_take_no_room_of_those_that_count() {
    let keys = Keys::new();
    let made = Made::new(&keys);
    let policy = keys.policy("release = 2", "");
    let [one, two] = &keys.release;
    let stuffed = |by: &SecretKeys, salt: &str| {
        let junk = |number| Signature::new(&format!("{salt} {number}"), vec![7; 16384]);
        let file = signed(&made.release(), &[by]);
        changed(&file, |all| {
            let own = std::mem::take(all);
            all.extend((0..40).map(junk).chain(own));
        })
    };
    let (first, second) = (stuffed(one, "a"), stuffed(two, "b"));
    for file in [&first, &second] {
        assert!((file.len() as u64) < MAX_COMPANION_LEN);
    }
    let union = policy.union_of_signatures(&first, &second, MAX_COMPANION_LEN);
    let union = union.unwrap();
    assert!(union.len() as u64 <= MAX_COMPANION_LEN, "{}", union.len());
    assert!(
        union.len() as u64 > MAX_COMPANION_LEN / 2,
        "the others stay while there is room"
    );
    let verified = verify_release(&union, &policy, NOW).unwrap();
    assert_eq!(verified.accepted.len(), 4);
    // Whatever came first.
    let union = policy.union_of_signatures(&second, &first, MAX_COMPANION_LEN);
    assert!(verify_release(&union.unwrap(), &policy, NOW).is_ok());
    // A payload that does not fit alone has no such envelope.
    assert_eq!(policy.union_of_signatures(&first, &second, 100), None);
}
