//! A publisher of a program for two targets, with keys for every role, and a host with a store.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use edgec_packager::{SecretKey, UnsignedArtifact, UnsignedCompanion};
use edgec_store::verifier::POLICY_PAYLOAD_TYPE;
use edgec_store::verifier::artifact::{
    Artifact, Bytes, Envelope, Release, ReleaseNumbers, ReleasedArtifact, Timestamp,
};
use edgec_store::{
    Application, ArtifactStore, Clock, ClockError, EngineProfile, Expected, HostProfile,
    TrustPolicy, UnixTime, VerityDigest,
};

/// The application of all tests.
pub(crate) const NAME: &str = "acme/shop";
/// Its channel.
pub(crate) const CHANNEL: &str = "stable";
/// How long a timestamp holds, in seconds.
pub(crate) const FRESH: u64 = 86_400;
/// The first moment of every test.
pub(crate) const START: u64 = 1_900_000_000;

/// One artifact signature, and nothing beside.
pub(crate) const PLAIN: &str = "name = 'fleet'\nversion = 1\nthreshold = 1\n";
/// Releases and timestamps as well.
pub(crate) const STRICT: &str =
    "name = 'fleet'\nversion = 1\nthreshold = 1\nrelease = 1\ntimestamp = 1\n";

/// A clock that a test sets.
#[derive(Clone, Debug)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(START)))
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.seconds()))
    }
}

/// The keys of a publisher.
pub(crate) struct Keys {
    pub(crate) signers: [SecretKey; 2],
    pub(crate) release: SecretKey,
    pub(crate) timestamp: SecretKey,
    pub(crate) notary: SecretKey,
    pub(crate) roots: [SecretKey; 3],
}

impl Keys {
    pub(crate) fn new() -> Self {
        let key = || SecretKey::generate().unwrap();
        Self {
            signers: [key(), key()],
            release: key(),
            timestamp: key(),
            notary: key(),
            roots: [key(), key(), key()],
        }
    }

    /// A policy that trusts these keys. `head` are fields and `tail` are tables.
    pub(crate) fn policy(&self, head: &str, tail: &str) -> String {
        let mut text = format!("{head}\n");
        let [one, two] = &self.signers;
        text.push_str(&entry("one", one, "artifact"));
        text.push_str(&entry("two", two, "artifact"));
        text.push_str(&entry("release", &self.release, "release"));
        text.push_str(&entry("timestamp", &self.timestamp, "timestamp"));
        text.push_str(&entry("notary", &self.notary, "notary"));
        text + tail
    }
}

/// A `[[key]]` of a policy.
pub(crate) fn entry(name: &str, key: &SecretKey, role: &str) -> String {
    let pem = key.public().to_pem();
    format!("[[key]]\nname = '{name}'\nroles = ['{role}']\npem = '''\n{pem}'''\n")
}

/// The policy that trusts these keys.
pub(crate) fn policy(keys: &Keys, head: &str, tail: &str) -> TrustPolicy {
    TrustPolicy::from_toml(&keys.policy(head, tail)).unwrap()
}

/// A policy that these root keys have signed.
pub(crate) fn signed(text: &str, roots: &[&SecretKey]) -> Vec<u8> {
    let mut envelope = Envelope::of_type(POLICY_PAYLOAD_TYPE, text.as_bytes().to_vec());
    for root in roots {
        let signature = root.sign(&envelope.pae());
        envelope.attach(&root.public(), signature).unwrap();
    }
    envelope.encode()
}

/// A published artifact.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) file: Vec<u8>,
    pub(crate) image: VerityDigest,
    pub(crate) listed: ReleasedArtifact,
}

/// An artifact of `version` for the target number 0 or 1. `salt` tells images of one version apart.
pub(crate) fn artifact(keys: &[&SecretKey], target: usize, version: u64, salt: u64) -> Published {
    artifact_from(keys, target, version, salt, None)
}

/// Like [`artifact`], made from this program.
fn artifact_from(
    keys: &[&SecretKey],
    target: usize,
    version: u64,
    salt: u64,
    program: Option<&[u8]>,
) -> Published {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/artifact");
    let seed = |name: &str| {
        let seed = std::fs::read(seeds.join(name)).unwrap();
        UnsignedArtifact::reopen(&seed).unwrap().0
    };
    let unsigned = seed(["signed.cwasm", "component.cwasm"][target]);
    let mut manifest = unsigned.manifest().unwrap();
    // Both were made from one program.
    manifest.source = seed("signed.cwasm").manifest().unwrap().source;
    if let Some(program) = program {
        manifest.source.input = Bytes::of(program);
    }
    let mut image = unsigned.image().to_vec();
    // Both are core modules here: e_flags in the ELF header, and the manifest's kind.
    image[48] = 1;
    manifest.kind = edgec_store::ProgramKind::Module;
    // The code begins on the second page, and nothing in it is checked.
    image[4096..4104].copy_from_slice(&version.to_le_bytes());
    image[4104..4112].copy_from_slice(&salt.to_le_bytes());
    manifest.name = NAME.to_owned();
    manifest.channel = Some(CHANNEL.to_owned());
    manifest.version = version;
    let make = || {
        UnsignedArtifact::new(image.clone(), |image| {
            let mut manifest = manifest.clone();
            manifest.image = image;
            manifest
        })
    };
    let mut signed = make().sign(keys[0], Vec::new()).unwrap();
    for key in keys.iter().skip(1) {
        let (unsigned, kept) = UnsignedArtifact::reopen(signed.as_bytes()).unwrap();
        signed = unsigned.sign(*key, kept).unwrap();
    }
    let file = signed.into_bytes();
    let decoded = Artifact::decode(&file).unwrap();
    let payload = decoded.envelope().payload();
    let manifest = make().manifest().unwrap();
    Published {
        image: manifest.image.fsverity,
        listed: ReleasedArtifact::of(&manifest, payload),
        file,
    }
}

/// A release with its artifacts.
#[derive(Clone)]
pub(crate) struct Edition {
    pub(crate) numbers: ReleaseNumbers,
    pub(crate) artifacts: [Published; 2],
    pub(crate) statement: Release,
    pub(crate) release: Vec<u8>,
}

/// Publishes a release whose artifacts both signers have signed.
pub(crate) fn edition(keys: &Keys, version: u64, serial: u64, floor: u64) -> Edition {
    let [one, two] = &keys.signers;
    let artifacts = [0, 1].map(|target| artifact(&[one, two], target, version, serial));
    edition_of(keys, version, serial, floor, artifacts)
}

/// Publishes release 1 of version 1, whose artifacts were made from this program.
pub(crate) fn edition_from(keys: &Keys, program: &[u8]) -> Edition {
    let [one, two] = &keys.signers;
    let made = |target| artifact_from(&[one, two], target, 1, 1, Some(program));
    edition_of(keys, 1, 1, 0, [0, 1].map(made))
}

/// Publishes a release of these artifacts.
pub(crate) fn edition_of(
    keys: &Keys,
    version: u64,
    serial: u64,
    floor: u64,
    artifacts: [Published; 2],
) -> Edition {
    let numbers = ReleaseNumbers {
        version,
        serial,
        floor,
    };
    let listed = artifacts.iter().map(|it| it.listed.clone()).collect();
    let seed = artifacts[0].file.clone();
    let (unsigned, _) = UnsignedArtifact::reopen(&seed).unwrap();
    let program = unsigned.manifest().unwrap().source.input;
    let channel = Some(CHANNEL.to_owned());
    let statement = Release::new(NAME, channel, numbers, program, listed).unwrap();
    let release = UnsignedCompanion::release(&statement).sign(&keys.release);
    Edition {
        numbers,
        artifacts,
        release: release.unwrap().into_bytes(),
        statement,
    }
}

/// A timestamp of a release, issued at `at`.
pub(crate) fn stamp(key: &SecretKey, edition: &Edition, at: u64) -> Vec<u8> {
    let time = UnixTime::from_seconds;
    let digest = edition.statement.digest();
    let stamp = Timestamp::new(digest, time(at), time(at + FRESH)).unwrap();
    let signed = UnsignedCompanion::timestamp(&stamp).sign(key);
    signed.unwrap().into_bytes()
}

/// A host with a store, and a folder into which a mirror's files are downloaded.
pub(crate) struct Host {
    folder: tempfile::TempDir,
    pub(crate) store: ArtifactStore,
    pub(crate) clock: TestClock,
    files: Mutex<u64>,
}

impl Host {
    pub(crate) fn new() -> Self {
        // Nothing here must outlive the machine, and a disk would take most of the time.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let clock = TestClock::new();
        let store = ArtifactStore::create(folder.path().join("store")).unwrap();
        Self {
            store: store.with_clock(clock.clone()),
            clock,
            files: Mutex::new(0),
            folder,
        }
    }

    /// The downloaded file.
    fn download(&self, bytes: &[u8]) -> PathBuf {
        let mut files = self.files.lock().unwrap();
        *files += 1;
        let path = self.folder.path().join(format!("{}.cwasm", *files));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Admits an artifact with what came beside it. Returns the code of the refusal.
    pub(crate) fn add(
        &self,
        file: &[u8],
        expected: &Expected,
        policy: &TrustPolicy,
    ) -> Result<edgec_store::Admission, String> {
        let path = self.download(file);
        let added = self.store.add(&path, policy, expected);
        std::fs::remove_file(path).unwrap();
        added.map_err(|error| error.code().to_owned())
    }

    /// The images that loads would take now, for both targets; or the code of the refusal.
    pub(crate) fn load(&self, policy: &TrustPolicy) -> Result<Vec<VerityDigest>, String> {
        load_from(&self.store, policy)
    }
}

/// The images that loads from a store would take now, for both targets; or the code of the refusal.
pub(crate) fn load_from(
    store: &ArtifactStore,
    policy: &TrustPolicy,
) -> Result<Vec<VerityDigest>, String> {
    let host = HostProfile::from_toml(HOST).unwrap();
    let profile: EngineProfile = EngineProfile::Default;
    let found = store.candidates(profile, &host, &application());
    let found = found.map_err(|error| error.code().to_owned())?;
    let open = |entry| {
        let opened = store.open_entry(&found.application, entry, policy);
        opened
            .map(|it| it.image)
            .map_err(|error| error.code().to_owned())
    };
    found.entries.into_iter().map(open).collect()
}

const HOST: &str = "schema = 1\narch = 'x86_64'\nengine = '48.0.8'\nprofiles = ['default']\n\
    features = ['avx', 'avx2', 'bmi1', 'bmi2', 'cmpxchg16b', 'fma', 'lzcnt', 'popcnt', 'sse3', \
    'sse4.1', 'sse4.2', 'ssse3']\n";

pub(crate) fn application() -> Application {
    Application::new(NAME).in_channel(CHANNEL)
}

/// What a host expects, with a release and a timestamp.
pub(crate) fn with(release: &[u8], timestamp: &[u8]) -> Expected {
    expected().with_release(release).with_timestamp(timestamp)
}

pub(crate) fn expected() -> Expected {
    Expected::application(NAME).in_channel(CHANNEL)
}
