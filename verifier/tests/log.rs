//! A policy's transparency log, with a small log of the tests' own: its tree is one of the crate
//! `ct-merkle`, and shares no code with edgec.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use edgec_packager::{SecretKey, UnsignedArtifact};
use edgec_verifier::artifact::{Artifact, NoteKey, NoteKeyKind};
use edgec_verifier::{Expected, PolicyError, TrustPolicy, UnixTime, verify};
use sha2::Sha256;

const ARTIFACT: &[u8] = include_bytes!("../../fuzz/seeds/verify/signed.cwasm");
const TIME: u64 = 1_800_000_000;

struct Log {
    signer: SecretKey,
    log: SecretKey,
    witness: SecretKey,
    file: Vec<u8>,
}

/// How a proof is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// The index of another entry.
    Index,
    /// Another root, signed by the log.
    Root,
    /// Another origin, signed by the log.
    Origin,
    /// A checkpoint signed by the witness instead of the log.
    Signer,
    /// A cosignature over another time.
    Time,
}

impl Log {
    fn new() -> Self {
        let [signer, log, witness] = [(); 3].map(|()| SecretKey::generate().unwrap());
        let (unsigned, _) = UnsignedArtifact::reopen(ARTIFACT).unwrap();
        let file = unsigned.sign(&signer, Vec::new()).unwrap().into_bytes();
        Self {
            signer,
            log,
            witness,
            file,
        }
    }

    fn key(&self) -> NoteKey {
        NoteKey::new("example.com/log", NoteKeyKind::Note, self.log.public()).unwrap()
    }

    fn witness(&self) -> NoteKey {
        let kind = NoteKeyKind::Cosignature;
        NoteKey::new("witness.example", kind, self.witness.public()).unwrap()
    }

    /// A proof that a log of `size` entries has `entry` at `index`.
    fn proof(&self, entry: &[u8], index: u64, size: u64, lie: Lie) -> String {
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for number in 0..size {
            tree.push(match number == index {
                true => entry.to_vec(),
                false => number.to_be_bytes().to_vec(),
            });
        }
        let proof = tree.prove_inclusion(usize::try_from(index).unwrap());
        let mut text = format!(
            "c2sp.org/tlog-proof@v1\nindex {}\n",
            index + u64::from(lie == Lie::Index)
        );
        for hash in proof.as_bytes().chunks(32) {
            text += &format!("{}\n", STANDARD.encode(hash));
        }
        let root = tree.root();
        let root = match lie {
            Lie::Root => STANDARD.encode([7; 32]),
            _ => STANDARD.encode(root.as_bytes()),
        };
        let origin = match lie {
            Lie::Origin => "example.com/other",
            _ => "example.com/log",
        };
        let checkpoint = format!("{origin}\n{size}\n{root}\n");
        let line = |key: &NoteKey, bytes: &[u8]| {
            let signature = STANDARD.encode([&key.hash()[..], bytes].concat());
            format!("\u{2014} {} {signature}\n", key.name())
        };
        let by = match lie {
            Lie::Signer => &self.witness,
            _ => &self.log,
        };
        text += &format!("\n{checkpoint}\n");
        text += &line(&self.key(), &by.sign(checkpoint.as_bytes()));
        // Unknown signatures are skipped.
        text += "\u{2014} unknown.example AAAAAAAA\n";
        let seen = format!("cosignature/v1\ntime {TIME}\n{checkpoint}");
        let time = TIME + u64::from(lie == Lie::Time);
        let cosigned = [&time.to_be_bytes()[..], &self.witness.sign(seen.as_bytes())].concat();
        text + &line(&self.witness(), &cosigned)
    }

    fn payload(&self) -> Vec<u8> {
        let artifact = Artifact::decode(&self.file).unwrap();
        artifact.envelope().payload().to_vec()
    }

    fn policy(&self, rules: &str) -> Result<TrustPolicy, PolicyError> {
        let pem = self.signer.public().to_pem();
        TrustPolicy::from_toml(&format!(
            "threshold = 1\n[[key]]\nname = 'k'\npem = '''\n{pem}'''\n{rules}"
        ))
    }

    /// The policy that names this log and its witness.
    fn both(&self) -> TrustPolicy {
        let (log, witness) = (self.key(), self.witness());
        let rules = format!("[log]\nkey = '{log}'\nwitness = ['{witness}']\nwitnesses = 1");
        self.policy(&rules).unwrap()
    }

    fn judge(&self, policy: &TrustPolicy, proofs: &[String]) -> Result<String, &'static str> {
        let mut expected = Expected::anything();
        for proof in proofs {
            expected = expected.with_log_proof(proof.as_bytes());
        }
        let verified = verify(&self.file, policy, &expected, UnixTime::EPOCH);
        let verified = verified.map_err(|error| error.code())?;
        let mut checks = verified.checks().iter();
        let check = checks.find(|it| it.name.name() == "log").unwrap();
        Ok(check.evidence.clone())
    }
}

#[test]
fn an_artifact_in_the_log_is_accepted_whatever_the_tree() {
    let log = Log::new();
    let policy = log.both();
    for size in [1, 2, 3, 7, 8, 100] {
        for index in [0, size / 2, size - 1] {
            let proof = log.proof(&log.payload(), index, size, Lie::None);
            let evidence = log.judge(&policy, &[proof]).unwrap();
            let says = format!(
                "entry {index} of {size} in the log `example.com/log`, seen by witness.example"
            );
            assert_eq!(evidence, says);
        }
    }
    // One of several proofs is enough.
    let other = log.proof(b"other", 3, 9, Lie::None);
    let own = log.proof(&log.payload(), 4, 9, Lie::None);
    assert!(log.judge(&policy, &[other, own]).is_ok());
}

#[test]
fn each_lie_is_named() {
    let log = Log::new();
    let policy = log.both();
    assert_eq!(log.judge(&policy, &[]).unwrap_err(), "no-log-proof");
    for (lie, code) in [
        (Lie::Index, "log-proof"),
        (Lie::Root, "log-proof"),
        (Lie::Origin, "log-proof"),
        (Lie::Signer, "log-proof"),
        (Lie::Time, "log-witnesses"),
    ] {
        let proof = log.proof(&log.payload(), 5, 12, lie);
        assert_eq!(log.judge(&policy, &[proof]).unwrap_err(), code);
    }
    let other = log.proof(b"the statement about another artifact", 5, 12, Lie::None);
    assert_eq!(log.judge(&policy, &[other]).unwrap_err(), "log-proof");
    let garbage = "x".to_owned();
    assert_eq!(log.judge(&policy, &[garbage]).unwrap_err(), "log-proof");
    // A flipped bit anywhere but in what is not signed.
    let proof = log.proof(&log.payload(), 5, 12, Lie::None);
    let signed = proof.find("\u{2014} unknown").unwrap();
    for at in (0..signed).step_by(3) {
        let mut bytes = proof.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(log.judge(&policy, &[changed]).is_err(), "byte {at}");
    }
    // Without a log in the policy, no proof is read.
    let none = log.policy("").unwrap();
    assert_eq!(
        log.judge(&none, &["x".to_owned()]).unwrap(),
        "no log is named"
    );
    // Without witnesses, the log alone is enough.
    let alone = log
        .policy(&format!("[log]\nkey = '{}'", log.key()))
        .unwrap();
    let unseen = log.proof(&log.payload(), 0, 3, Lie::Time);
    assert!(log.judge(&alone, &[unseen]).is_ok());
}

/// A witness says when it has seen the tree, and the signer of an artifact cannot choose that.
#[test]
fn a_witness_knows_a_signature_since_a_time() {
    let log = Log::new();
    let id = log.signer.public().id();
    let (key, witness) = (log.key(), log.witness());
    let policy = |from: u64, log_rules: &str| {
        let from = UnixTime::from_seconds(from);
        let rules = format!(
            "[[revoked-key]]\nid = '{id}'\nreason = 'lost'\nrevoked-from = {from}\n\
             [log]\nkey = '{key}'\n{log_rules}"
        );
        log.policy(&rules).unwrap()
    };
    let seen = format!("witness = ['{witness}']\nwitnesses = 1");
    let proof = [log.proof(&log.payload(), 5, 12, Lie::None)];
    assert!(log.judge(&policy(TIME + 1, &seen), &proof).is_ok());
    let early = log.judge(&policy(TIME, &seen), &proof);
    assert_eq!(early.unwrap_err(), "revoked-key");
    // One witness must have seen it, also if the policy demands none for the log itself.
    let named = format!("witness = ['{witness}']");
    assert!(log.judge(&policy(TIME + 1, &named), &proof).is_ok());
    assert_eq!(
        log.judge(&policy(TIME + 1, ""), &proof).unwrap_err(),
        "revoked-key"
    );
    for lie in [Lie::Index, Lie::Root, Lie::Origin, Lie::Signer, Lie::Time] {
        let proof = [log.proof(&log.payload(), 5, 12, lie)];
        let refused = log.judge(&policy(TIME + 1, &seen), &proof);
        assert_eq!(refused.unwrap_err(), "revoked-key");
    }
    let other = [log.proof(b"another statement", 5, 12, Lie::None)];
    assert_eq!(
        log.judge(&policy(TIME + 1, &seen), &other).unwrap_err(),
        "revoked-key"
    );
}

#[test]
fn each_error_of_a_policy_has_a_case() {
    let log = Log::new();
    let (key, witness) = (log.key(), log.witness());
    let refused = |rules: &str| log.policy(rules).map(|_| ()).unwrap_err();
    for rules in [
        format!("[log]\nkey = '{witness}'"),
        format!("[log]\nkey = '{key}'\nwitness = ['{key}']"),
        format!("[log]\nkey = '{key}'\nwitness = ['{witness}', '{witness}']"),
    ] {
        assert!(
            matches!(refused(&rules), PolicyError::Log { .. }),
            "{rules}"
        );
    }
    let many = format!("[log]\nkey = '{key}'\nwitness = ['{witness}']\nwitnesses = 2");
    assert!(matches!(refused(&many), PolicyError::Threshold { .. }));
    for rules in [
        "[log]",
        "[log]\nkey = 'x'",
        "[log]\nkey = 'a+00000000+AQ=='",
    ] {
        assert!(matches!(refused(rules), PolicyError::Toml(_)), "{rules}");
    }
    for mode in ["enforce", "warn"] {
        let error = refused(&format!("[checks]\nlog = '{mode}'"));
        assert!(matches!(error, PolicyError::LogNotAsked), "{error}");
    }
    assert!(log.policy("[checks]\nlog = 'off'").is_ok());
}
