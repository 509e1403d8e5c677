//! What the rules about releases and timestamps judge, what they say, and until when it holds.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

use edgec_packager::{SecretKey, UnsignedArtifact, UnsignedCompanion};
use edgec_verifier::artifact::{
    Artifact, Manifest, Release, ReleaseNumbers, ReleasedArtifact, Statement, Timestamp, Validity,
};
use edgec_verifier::{
    Expected, TrustPolicy, UnixTime, VerifyError, error_chain, verify, verify_release,
};

const ARTIFACT: &[u8] = include_bytes!("../../fuzz/seeds/verify/signed.cwasm");
const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// A publisher with a key for each role.
struct Keys {
    ci: SecretKey,
    offline: SecretKey,
    online: SecretKey,
}

/// An artifact, and its place in a release.
struct Made {
    file: Vec<u8>,
    manifest: Manifest,
    listed: ReleasedArtifact,
}

impl Keys {
    fn new() -> Self {
        let key = || SecretKey::generate().unwrap();
        Self {
            ci: key(),
            offline: key(),
            online: key(),
        }
    }

    /// A policy that trusts these keys. `head` are fields and `tail` are tables.
    fn policy(&self, head: &str, tail: &str) -> TrustPolicy {
        let entry = |name: &str, role: &str, key: &SecretKey| {
            let pem = key.public().to_pem();
            format!("[[key]]\nname = '{name}'\nroles = ['{role}']\npem = '''\n{pem}'''\n")
        };
        let keys = [
            entry("ci", "artifact", &self.ci),
            entry("offline", "release", &self.offline),
            entry("online", "timestamp", &self.online),
        ];
        let text = format!("threshold = 1\n{head}\n{}{tail}", keys.concat());
        TrustPolicy::from_toml(&text).unwrap()
    }

    /// An artifact of this version, whose manifest states when it expires.
    fn artifact(&self, version: u64, expires: Option<UnixTime>) -> Made {
        let (unsigned, _) = UnsignedArtifact::reopen(ARTIFACT).unwrap();
        let mut manifest = unsigned.manifest().unwrap();
        manifest.version = version;
        manifest.validity = expires.map(|it| Validity::default().with_expires(Some(it)));
        let unsigned = UnsignedArtifact::new(unsigned.image().to_vec(), |image| {
            let mut manifest = manifest.clone();
            manifest.image = image;
            manifest
        });
        let file = unsigned.sign(&self.ci, Vec::new()).unwrap().into_bytes();
        let artifact = Artifact::decode(&file).unwrap();
        let payload = artifact.envelope().payload();
        let manifest = Statement::decode(payload).unwrap().manifest;
        Made {
            listed: ReleasedArtifact::of(&manifest, payload),
            manifest,
            file,
        }
    }
}

fn release(made: &Made, name: &str, serial: u64) -> Release {
    let manifest = &made.manifest;
    let numbers = ReleaseNumbers {
        version: manifest.version,
        serial,
        floor: 0,
    };
    let (channel, program) = (manifest.channel.clone(), manifest.source.input.clone());
    Release::new(name, channel, numbers, program, vec![made.listed.clone()]).unwrap()
}

fn signed(release: &Release, key: &SecretKey) -> Vec<u8> {
    let signed = UnsignedCompanion::release(release).sign(key);
    signed.unwrap().into_bytes()
}

/// A timestamp of a release for an hour, issued so many seconds after now.
fn stamp(release: &Release, key: &SecretKey, after: u64) -> Vec<u8> {
    let at = |seconds| UnixTime::from_seconds(NOW.seconds() + after + seconds);
    let stamp = Timestamp::new(release.digest(), at(0), at(3600)).unwrap();
    let signed = UnsignedCompanion::timestamp(&stamp).sign(key);
    signed.unwrap().into_bytes()
}

fn refused(file: &[u8], policy: &TrustPolicy, expected: &Expected) -> VerifyError {
    verify(file, policy, expected, NOW).unwrap_err()
}

/// A message says why a signer does not count, and who else has signed.
#[test]
fn a_refused_statement_says_why_its_signers_do_not_count() {
    let keys = Keys::new();
    let made = keys.artifact(1, None);
    let release = release(&made, &made.manifest.name, 1);
    let id = keys.offline.public().id();
    let revoked = format!("[[revoked-key]]\nid = '{id}'\nreason = 'lost'\n");
    let strict = keys.policy("release = 1", &revoked);
    let said = |by: &SecretKey| {
        let expected = Expected::anything().with_release(signed(&release, by));
        let error = refused(&made.file, &strict, &expected);
        assert_eq!(error.code(), "release-signature");
        error_chain(&error)
    };
    let begins = "the release: signatures by 0 of 1 required signers with the role `release`; ";
    assert_eq!(
        said(&keys.offline),
        format!("{begins}`offline` does not count: revoked: lost")
    );
    assert_eq!(
        said(&keys.ci),
        format!("{begins}`ci` does not count: not trusted for releases")
    );
    let other = SecretKey::generate().unwrap();
    let id = other.public().id();
    assert_eq!(
        said(&other),
        format!("{begins}key {id} is not trusted here")
    );
}

/// Of two releases, the one that was refused is the cause, and not the one of another application.
#[test]
fn a_release_of_another_application_does_not_hide_the_cause() {
    let keys = Keys::new();
    let made = keys.artifact(1, None);
    let own = signed(&release(&made, &made.manifest.name, 1), &keys.online);
    let other = signed(&release(&made, "acme/other", 1), &keys.offline);
    let strict = keys.policy("release = 1", "");
    for given in [[&own, &other], [&other, &own]] {
        let [first, second] = given.map(Vec::as_slice);
        let expected = Expected::anything()
            .with_release(first)
            .with_release(second);
        let error = refused(&made.file, &strict, &expected);
        assert_eq!(error.code(), "release-signature");
    }
    let expected = Expected::anything().with_release(other);
    let error = refused(&made.file, &strict, &expected);
    assert_eq!(error.code(), "release-application");
}

/// A release says which application it is of, and a caller which one it wants.
#[test]
fn a_release_is_the_wanted_one_or_is_refused_by_name() {
    let keys = Keys::new();
    let made = keys.artifact(1, None);
    let policy = keys.policy("", "");
    let of = release(&made, "acme/shop", 1);
    let verified = verify_release(&signed(&of, &keys.offline), &policy, NOW).unwrap();
    let shop = || Expected::application("acme/shop");
    assert_eq!(verified.check_expected(&Expected::anything()), Ok(()));
    assert_eq!(verified.check_expected(&shop()), Ok(()));
    for (wanted, says) in [
        (Expected::application("other"), "`other` is wanted"),
        (
            shop().in_channel("beta"),
            "`acme/shop` in the channel `beta` is wanted",
        ),
        (
            Expected::anything().in_channel("beta"),
            "the channel `beta` is wanted",
        ),
    ] {
        let error = verified.check_expected(&wanted).unwrap_err();
        assert_eq!(error.code(), "release-application");
        let found = "the release is of `acme/shop` without a channel, ";
        assert_eq!(error.to_string(), format!("{found}{says}"));
    }
}

/// The same image with another manifest is no sign of a mirror that mixes releases.
#[test]
fn another_manifest_about_the_same_image_is_named_as_such() {
    let keys = Keys::new();
    let made = keys.artifact(1, None);
    let later = UnixTime::from_seconds(NOW.seconds() + 3600);
    let again = keys.artifact(1, Some(later));
    assert_eq!(made.listed.image, again.listed.image);
    let release = release(&made, &made.manifest.name, 1);
    let expected = Expected::anything().with_release(signed(&release, &keys.offline));
    let error = refused(&again.file, &keys.policy("release = 1", ""), &expected);
    assert_eq!(error.code(), "release-mixed");
    let says = format!(
        "another manifest about the same image ({}",
        made.listed.manifest
    );
    assert!(error.to_string().contains(&says), "{error}");
}

/// An artifact that is newer than the timestamp is not told to be older.
#[test]
fn a_timestamp_of_an_older_release_is_the_one_to_replace() {
    let keys = Keys::new();
    let [old, new] = [1, 2].map(|version| keys.artifact(version, None));
    let [first, second] =
        [(&old, 1), (&new, 2)].map(|(made, serial)| release(made, &made.manifest.name, serial));
    let strict = keys.policy("release = 1\ntimestamp = 1", "");
    let expected = Expected::anything()
        .with_release(signed(&first, &keys.offline))
        .with_release(signed(&second, &keys.offline))
        .with_timestamp(stamp(&first, &keys.online, 0));
    let error = refused(&new.file, &strict, &expected);
    assert_eq!(error.code(), "timestamp-release");
    let says = "the timestamp is about release 1, and the artifact is of release 2";
    assert_eq!(error.to_string(), says);
    let both = expected.with_timestamp(stamp(&second, &keys.online, 0));
    let error = refused(&old.file, &strict, &both);
    assert_eq!(error.code(), "release-older");
}

/// A verdict ends when a timestamp begins to count that was ahead of the clock.
#[test]
fn a_verdict_holds_until_another_timestamp_counts() {
    let keys = Keys::new();
    let made = keys.artifact(1, None);
    let release = release(&made, &made.manifest.name, 1);
    let strict = keys.policy("release = 1\ntimestamp = 1", "");
    let expected = Expected::anything()
        .with_release(signed(&release, &keys.offline))
        .with_timestamp(stamp(&release, &keys.online, 0));
    let at = |after| UnixTime::from_seconds(NOW.seconds() + after);
    let verified = verify(&made.file, &strict, &expected, NOW).unwrap();
    // Clocks may differ by 300 seconds.
    let from = UnixTime::from_seconds(NOW.seconds() - 300);
    assert_eq!(verified.holds(), from..at(3600));
    let ahead = expected.with_timestamp(stamp(&release, &keys.online, 1000));
    let verified = verify(&made.file, &strict, &ahead, NOW).unwrap();
    assert_eq!(verified.holds(), from..at(700));
    let later = verify(&made.file, &strict, &ahead, at(700)).unwrap();
    assert_eq!(later.holds(), at(700)..at(3600));
}

/// What a host has kept is judged only if the policy demands it. What a caller gives always is.
#[test]
fn kept_statements_are_judged_only_if_they_are_demanded() {
    let keys = Keys::new();
    let made = keys.artifact(1, None);
    let release = release(&made, &made.manifest.name, 1);
    let forged = signed(&release, &keys.ci);
    let good = signed(&release, &keys.offline);
    let plain = keys.policy("", "");
    let given = Expected::anything().with_release(forged);
    assert_eq!(
        refused(&made.file, &plain, &given).code(),
        "release-signature"
    );
    let kept = given.kept_by_host();
    assert!(verify(&made.file, &plain, &kept, NOW).is_ok());
    let strict = keys.policy("release = 1", "");
    assert_eq!(
        refused(&made.file, &strict, &kept).code(),
        "release-signature"
    );
    // A timestamp that is not demanded may have expired.
    let stale = Expected::anything()
        .with_release(good)
        .with_timestamp(stamp(&release, &keys.online, 0));
    let late = UnixTime::from_seconds(NOW.seconds() + 3600);
    let error = verify(&made.file, &strict, &stale, late).unwrap_err();
    assert_eq!(error.code(), "release-stale");
    assert!(verify(&made.file, &strict, &stale.kept_by_host(), late).is_ok());
}
