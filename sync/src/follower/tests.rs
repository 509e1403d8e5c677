//! Hosts with a registry, a store, a clock and a gate that tests move. The state and the statuses
//! are real.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use edgec_artifact::{
    Bytes, Image, Release, ReleaseNumbers, ReleasedArtifact, Sha256Digest, Timestamp,
};
use edgec_packager::{SecretKey, UnsignedCompanion};
use edgec_store::Standing;
use edgec_verifier::{ClockError, TrustedKey};

use super::*;
use crate::config::{FleetConfig, Url};
use crate::gate::{Reading, Subject};
use crate::report::Unreported;
use crate::source::{Given, Offered, Taken, Wanted};
use crate::state::{End, Stage};
use crate::status::StatusServer;

/// The first moment of every test, in seconds since 1970.
const START: u64 = 1_900_000_000;

/// Everything around hosts.
#[derive(Clone)]
struct World {
    key: Arc<SecretKey>,
    clock: Arc<AtomicU64>,
    /// What each place offers.
    places: Arc<Mutex<BTreeMap<String, Offering>>>,
}

#[derive(Clone)]
enum Offering {
    Index(Index),
    Fails(Trouble),
}

#[derive(Clone)]
struct Index {
    digest: Sha256Digest,
    version: u64,
    given: Option<Given>,
}

/// The store of a host, and what its gate says.
#[derive(Debug, Default)]
struct Machine {
    versions: BTreeSet<u64>,
    current: Option<u64>,
    chosen: bool,
    lowest: u64,
    timestamps: u64,
    /// After so many changes of the store, everything fails, as if the process was killed.
    changes_left: Option<u32>,
    /// Whether the last change was made before that.
    is_made: bool,
    unhealthy: BTreeSet<u64>,
}

impl Machine {
    /// Makes a change, unless the process is killed before.
    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), Trouble> {
        let killed = || Trouble::environment("killed", "the process is dead");
        match self.changes_left {
            Some(0) => return Err(killed()),
            Some(1) if !self.is_made => {
                self.changes_left = Some(0);
                return Err(killed());
            }
            _ => change(self),
        }
        match &mut self.changes_left {
            Some(left) => {
                *left -= 1;
                if *left == 0 { Err(killed()) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }
}

type Shared1 = Arc<Mutex<Machine>>;

impl World {
    fn new() -> Self {
        Self {
            key: Arc::new(SecretKey::generate().unwrap()),
            clock: Arc::new(AtomicU64::new(START)),
            places: Arc::default(),
        }
    }

    fn policy(&self) -> TrustPolicy {
        TrustPolicy::new(vec![TrustedKey::new("all", self.key.public())], 1).unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    fn index(&self, version: u64, serial: u64, channel: Option<&str>) -> Index {
        let artifact: ReleasedArtifact = serde_json::from_value(serde_json::json!({
            "target": "x86_64",
            "profile": "edge",
            "image": Image::of(&version.to_le_bytes()),
            "manifest": Sha256Digest::of(&serial.to_le_bytes()),
        }))
        .unwrap();
        let numbers = ReleaseNumbers {
            version,
            serial,
            floor: 0,
        };
        let channel = channel.map(str::to_owned);
        let bytes = Bytes::of(b"program");
        let release = Release::new("shop", channel, numbers, bytes, vec![artifact]).unwrap();
        let now = UnixTime::from_seconds(self.clock.load(Ordering::Relaxed));
        let until = now.checked_add(Duration::from_secs(86_400)).unwrap();
        let stamp = Timestamp::new(release.digest(), now, until).unwrap();
        let key = &*self.key;
        let given = Given::new(
            UnsignedCompanion::release(&release)
                .sign(key)
                .unwrap()
                .as_bytes()
                .to_vec(),
            Some(
                UnsignedCompanion::timestamp(&stamp)
                    .sign(key)
                    .unwrap()
                    .as_bytes()
                    .to_vec(),
            ),
        );
        Index {
            digest: Sha256Digest::of(
                &[&given.release[..], given.timestamp.as_ref().unwrap()].concat(),
            ),
            version,
            given: Some(given),
        }
    }

    /// Publishes a release at every place.
    fn publish(&self, version: u64, serial: u64) {
        let index = self.index(version, serial, Some("stable"));
        self.offer(PLACE, Offering::Index(index));
    }

    fn offer(&self, place: &str, offering: Offering) {
        self.places
            .lock()
            .unwrap()
            .insert(place.to_owned(), offering);
    }
}

const PLACE: &str = "registry.example/shop:stable";

impl Clock for World {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_seconds(self.clock.load(Ordering::Relaxed)))
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// The registry, as a host with this store sees it.
struct Registry(World, Shared1);

struct Offer<'a>(Index, &'a Registry);

impl Source for Registry {
    fn open(
        &self,
        place: &str,
        known: Option<Sha256Digest>,
    ) -> Result<Option<Box<dyn Offered + '_>>, Trouble> {
        let offering = self.0.places.lock().unwrap().get(place).cloned();
        match offering {
            None => Err(Trouble::environment("registry-absent", "it is not there")),
            Some(Offering::Fails(trouble)) => Err(trouble),
            Some(Offering::Index(index)) if known == Some(index.digest) => Ok(None),
            Some(Offering::Index(index)) => Ok(Some(Box::new(Offer(index, self)))),
        }
    }
}

impl Offered for Offer<'_> {
    fn digest(&self) -> Sha256Digest {
        self.0.digest
    }

    fn statements(&self) -> Result<Option<Given>, Trouble> {
        Ok(self.0.given.clone())
    }

    fn admit(&self, wanted: &Wanted<'_>) -> Result<Taken, Trouble> {
        assert_eq!(wanted.profile, edgec_verifier::EngineProfile::Edge);
        let mut machine = self.1.1.lock().unwrap();
        let version = self.0.version;
        let chosen = machine
            .current
            .filter(|it| machine.chosen && *it != version);
        machine.change(|machine| {
            machine.versions.insert(version);
            if chosen.is_none() {
                machine.current = Some(version);
            }
        })?;
        let standing = chosen.map(|current| Standing::Chosen { current });
        Ok(Taken::new(standing, 100, 1))
    }
}

struct Shelved(Shared1);

impl Shelf for Shelved {
    fn current(&self, _: &Application) -> Result<Option<u64>, Trouble> {
        Ok(self.0.lock().unwrap().current)
    }

    fn make_current(&self, _: &Application, version: u64) -> Result<Result<(), String>, Trouble> {
        let mut machine = self.0.lock().unwrap();
        if version < machine.lowest {
            return Ok(Err(format!("version {version} is below the floor")));
        }
        assert!(machine.versions.contains(&version));
        machine.change(|machine| {
            machine.current = Some(version);
            machine.chosen = machine.versions.last() > Some(&version);
        })?;
        Ok(Ok(()))
    }

    fn refresh(&self, _: &[u8], _: &[u8], _: &TrustPolicy, _: &Expected) -> Result<(), Trouble> {
        self.0.lock().unwrap().timestamps += 1;
        Ok(())
    }

    fn tidy(&self, _: &Application, needed: &BTreeSet<u64>, keep: usize) -> Result<u64, Trouble> {
        assert_eq!(keep, 2);
        self.0
            .lock()
            .unwrap()
            .versions
            .retain(|it| needed.contains(it));
        Ok(0)
    }
}

/// A gate that says what the test wants.
struct Gate(Shared1);

impl Probe for Gate {
    fn read(&mut self, subject: &Subject) -> Reading {
        let machine = self.0.lock().unwrap();
        match machine.unhealthy.contains(&subject.version) {
            true => Reading::Bad("it is ill".to_owned()),
            false => Reading::Good(None),
        }
    }
}

/// A host. It can be killed and started again.
struct Host {
    world: World,
    machine: Shared1,
    config: FleetConfig,
    name: String,
    state: PathBuf,
    running: Option<(Shared, Follower)>,
    _server: Option<StatusServer>,
}

const CONFIG: &str = "schema = 1\n\
    [[application]]\nname = \"shop\"\nchannel = \"stable\"\n\
    reference = \"registry.example/shop:stable\"\n\
    gate = { command = [\"x\"], for = \"0s\", failures = 1 }\n";

impl Host {
    fn new(world: &World, folder: &Path, name: &str, config: &str) -> Self {
        let mut host = Self {
            world: world.clone(),
            machine: Arc::default(),
            config: FleetConfig::from_toml(&format!("{CONFIG}{config}")).unwrap(),
            name: name.to_owned(),
            state: folder.join(name),
            running: None,
            _server: None,
        };
        host.start();
        host
    }

    /// Starts it, after it was killed.
    fn start(&mut self) {
        // The lock is free only after the former process has ended.
        self.running = None;
        self.machine().changes_left = None;
        let (world, config) = (self.world.clone(), &self.config);
        let policies = self.world.clone();
        let shared = Shared {
            host: self.name.clone(),
            source: Box::new(Registry(world.clone(), Arc::clone(&self.machine))),
            shelf: Box::new(Shelved(Arc::clone(&self.machine))),
            state: StateFolder::open(&self.state).unwrap(),
            policies: Box::new(move || Ok(policies.policy())),
            clock: Box::new(world),
            report: Arc::new(Unreported),
            board: Arc::new(Board::new(&self.name)),
            poll: config.poll.clone(),
            mirrors: config.registry.mirrors.clone(),
            keep: config.keep,
            watch: config.watch.clone(),
            sightings: Sightings::new(Duration::ZERO),
        };
        let gate: Box<dyn Probe> = Box::new(Gate(Arc::clone(&self.machine)));
        let follower = Follower::new(config.applications[0].clone(), Some(gate));
        self.running = Some((shared, follower));
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    /// The current version, and whether it was chosen although there is a newer one.
    fn standing(&self) -> (Option<u64>, bool) {
        let machine = self.machine();
        (machine.current, machine.chosen)
    }

    fn known(&self) -> Known {
        self.running.as_ref().unwrap().1.known.clone()
    }

    fn status(&self) -> ApplicationStatus {
        let board = &self.running.as_ref().unwrap().0.board;
        board.all().remove("shop@stable").unwrap()
    }

    /// Does steps until nothing is left to do now. Returns the last.
    fn rest(&mut self) -> Step {
        let (shared, follower) = self.running.as_mut().unwrap();
        follower.next_poll = Instant::now();
        for _ in 0..20 {
            let now = Instant::now();
            let step = follower.step(shared, now);
            let is_busy = matches!(
                step.phase,
                Phase::Admitting | Phase::Watching | Phase::GoingBack
            );
            if step.trouble.is_some() || !is_busy {
                return step;
            }
        }
        panic!("it does not come to rest: {:?}", follower.known);
    }

    /// Comes to rest in this phase, without a trouble.
    fn rests(&mut self, phase: Phase) {
        let step = self.rest();
        assert_eq!((step.phase, step.trouble), (phase, None));
    }

    fn fails(&mut self, code: &str) -> String {
        let trouble = self.rest().trouble.unwrap();
        assert_eq!(trouble.code, code, "{trouble}");
        trouble.message
    }
}

/// A host that runs version 1.
fn settled(folder: &Path, config: &str) -> (World, Host) {
    let world = World::new();
    world.publish(1, 1);
    let mut host = Host::new(&world, folder, "pop-1", config);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(1));
    (world, host)
}

#[test]
fn releases_come_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    for version in 2..5 {
        world.publish(version, version);
        host.rests(Phase::Healthy);
        assert_eq!(host.machine().current, Some(version));
        // The version before stays, to go back to.
        let stay: Vec<u64> = host.machine().versions.iter().copied().collect();
        assert_eq!(stay, [version - 1, version]);
        assert_eq!(host.status().version, Some(version));
    }
    assert_eq!(host.status().bytes, 400);
    // What it knows outlives the process.
    let known = host.known();
    host.start();
    host.rests(Phase::Healthy);
    assert_eq!(host.known(), known);
    // A newer timestamp about the same release goes to the store.
    world.pass(60);
    world.publish(4, 4);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().timestamps, 1);
}

#[test]
fn a_bad_release_goes_back_and_the_next_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    host.machine().unhealthy.insert(2);
    world.publish(2, 2);
    host.rests(Phase::WentBack);
    assert_eq!(host.standing(), (Some(1), true));
    let bad = host.known().bad.unwrap();
    assert_eq!((bad.end, &*bad.reason), (End::WentBack(1), "it is ill"));
    host.start();
    host.rests(Phase::WentBack);
    assert_eq!(host.machine().current, Some(1));
    world.publish(3, 3);
    host.rests(Phase::Healthy);
    assert_eq!(host.standing(), (Some(3), false));
    assert!(host.known().bad.is_none());
}

#[test]
fn a_host_that_cannot_go_back_stays_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    {
        let mut machine = host.machine();
        machine.unhealthy.extend([2, 3]);
        machine.lowest = 2;
    }
    world.publish(2, 2);
    host.rests(Phase::Failed);
    assert_eq!(host.machine().current, Some(2));
    let stays = host.status().bad.unwrap().stays.unwrap();
    assert_eq!(stays, "version 1 is below the floor");
    // Nor is a bad version one to go back to.
    world.publish(3, 3);
    host.rests(Phase::Failed);
    assert_eq!(host.machine().current, Some(3));
    let stays = host.status().bad.unwrap().stays.unwrap();
    assert_eq!(stays, "the store has no other version to go back to");
}

/// At every change of the store, the process is killed: before it is made, and after.
#[test]
fn a_kill_at_any_point_leaves_a_host_that_goes_on() {
    for unhealthy in [false, true] {
        for is_made in [false, true] {
            for changes in 1..4 {
                let folder = tempfile::tempdir().unwrap();
                let (world, mut host) = settled(folder.path(), "");
                {
                    let mut machine = host.machine();
                    machine.unhealthy.extend(unhealthy.then_some(2));
                    machine.changes_left = Some(changes);
                    machine.is_made = is_made;
                }
                world.publish(2, 2);
                let _ = host.rest();
                // It serves one of the two versions.
                assert!(matches!(host.machine().current, Some(1 | 2)));
                host.start();
                let (phase, current) = match unhealthy {
                    true => (Phase::WentBack, 1),
                    false => (Phase::Healthy, 2),
                };
                host.rests(phase);
                assert_eq!(host.machine().current, Some(current));
                assert!(host.known().trial.is_none());
            }
        }
    }
}

#[test]
fn a_host_that_was_killed_goes_back_without_a_registry() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    {
        let mut machine = host.machine();
        machine.unhealthy.insert(2);
        machine.changes_left = Some(2);
    }
    world.publish(2, 2);
    assert_eq!(host.rest().trouble.unwrap().code, "killed");
    let stage = host.known().trial.unwrap().stage;
    assert!(matches!(stage, Stage::GoingBack { .. }), "{stage:?}");
    world.offer(PLACE, Offering::Fails(Trouble::environment("io", "dead")));
    host.start();
    let (shared, follower) = host.running.as_mut().unwrap();
    let step = follower.step(shared, Instant::now());
    assert_eq!(step.phase, Phase::WentBack);
    assert_eq!(host.machine().current, Some(1));
}

#[test]
fn a_registry_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    let fails = Offering::Fails(Trouble::environment("io", "the network is down"));
    world.offer(PLACE, fails);
    let begin = Instant::now();
    let first = host.rest();
    assert_eq!(
        first.trouble.unwrap().message,
        format!("{PLACE}: the network is down")
    );
    assert_eq!(first.phase, Phase::Healthy);
    let later = host.rest();
    // The times grow.
    assert!(later.due > first.due && first.due > begin);
    assert_eq!((host.status().polls, host.status().failures), (3, 2));
    world.publish(2, 2);
    host.rests(Phase::Healthy);
    assert_eq!(host.status().error.map(|it| it.code), None);
}

#[test]
fn what_is_offered_must_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    let offer = |index| world.offer(PLACE, Offering::Index(index));
    let good = world.index(2, 2, Some("stable"));
    offer(Index {
        given: None,
        digest: Sha256Digest::of(b"x"),
        ..good.clone()
    });
    assert!(host.fails("sync-no-release").contains("edgec release make"));
    let stranger = World::new();
    offer(stranger.index(2, 2, Some("stable")));
    assert!(
        host.fails("sync-release")
            .contains("the release is refused")
    );
    offer(world.index(2, 2, Some("next")));
    host.fails("sync-release");
    offer(world.index(2, 1, Some("stable")));
    host.fails("serial-taken");
    offer(good);
    host.rests(Phase::Healthy);
    offer(world.index(1, 1, Some("stable")));
    assert!(
        host.fails("sync-older")
            .contains("this host has seen release 2")
    );
    assert_eq!(host.machine().current, Some(2));
    let plain = "[[application]]\nname = \"x\"\nreference = \"a/b\"\n";
    let mut other = Host::new(&world, folder.path(), "pop-2", plain);
    other.config.applications[0].channel = None;
    other.start();
    offer(world.index(2, 2, Some("stable")));
    assert!(
        other
            .fails("sync-release")
            .contains("write `channel` in FLEET.toml")
    );
}

#[test]
fn the_next_place_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mirrors = "[registry]\nmirrors = [\"cache-1\", \"cache-2:5000\"]\n";
    let (world, mut host) = settled(folder.path(), mirrors);
    // One cache is dead, one is behind, and the registry has the new one.
    let old = world.index(1, 1, Some("stable"));
    world.publish(2, 2);
    host.rests(Phase::Healthy);
    let (one, two) = ("cache-1/shop:stable", "cache-2:5000/shop:stable");
    world.offer(one, Offering::Fails(Trouble::environment("io", "dead")));
    world.offer(two, Offering::Index(old));
    world.publish(3, 3);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(3));
    // A cache that is not behind is enough.
    let newest = world.index(4, 4, Some("stable"));
    world.offer(one, Offering::Index(newest));
    world.offer(PLACE, Offering::Fails(Trouble::environment("io", "dead")));
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(4));
}

#[test]
fn a_version_that_was_chosen_by_hand_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    world.publish(2, 2);
    host.rests(Phase::Healthy);
    {
        let mut machine = host.machine();
        (machine.current, machine.chosen) = (Some(1), true);
    }
    host.rests(Phase::Healthy);
    world.publish(3, 3);
    let says = host.fails("sync-chosen");
    assert!(
        says.contains("edgec store use shop --app-version 3"),
        "{says}"
    );
    assert_eq!(host.machine().current, Some(1));
    {
        let mut machine = host.machine();
        (machine.current, machine.chosen) = (Some(3), false);
    }
    host.rests(Phase::Healthy);
}

#[test]
fn other_standings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (_, host) = settled(folder.path(), "");
    let (shared, follower) = host.running.as_ref().unwrap();
    let stand = |standing| {
        let taken = Taken::new(Some(standing), 0, 0);
        follower.stand(shared, &taken, 9)
    };
    assert_eq!(stand(Standing::Current), Ok(()));
    let targets = vec!["aarch64 (edge)".to_owned()];
    let lacks = stand(Standing::Lacks {
        current: 1,
        targets,
    })
    .unwrap_err();
    assert_eq!(lacks.code, "sync-lacks");
    assert!(lacks.message.contains("aarch64 (edge)"), "{lacks}");
    let older = stand(Standing::Older { current: 10 }).unwrap_err();
    assert_eq!(older.code, "sync-lower");
}

/// Three hosts in two waves: the first one tries each release, and the others follow its status.
#[test]
fn a_fleet_follows_its_first_host() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let waves = "[rollout]\nfirst = \"in-waves\"\n\
                 waves = [{ share = 0, hosts = [\"first\"], pause = \"60s\" }, { share = 1 }]\n";
    let mut first = Host::new(&world, folder.path(), "first", waves);
    let board = Arc::clone(&first.running.as_ref().unwrap().0.board);
    let any = ([127, 0, 0, 1], 0).into();
    let server = StatusServer::start(any, board).unwrap();
    let url = format!("http://{}", server.address());
    assert!(Url::read(&url).is_ok());
    first._server = Some(server);
    let watch = format!("{waves}[[watch]]\nhost = \"first\"\nurl = \"{url}\"\n");
    let mut others: Vec<Host> = ["second", "third"]
        .iter()
        .map(|name| Host::new(&world, folder.path(), name, &watch))
        .collect();

    world.publish(1, 1);
    for host in &mut others {
        host.rests(Phase::Waiting);
        assert_eq!((host.status().wave, host.status().waves), (1, 2));
    }
    world.pass(60);
    // The first host has not said anything yet.
    for host in &mut others {
        host.rests(Phase::Waiting);
        let waits = host.status().waits.unwrap();
        assert!(waits.contains("`first` of an earlier wave"), "{waits}");
    }
    first.rests(Phase::Healthy);
    for host in &mut others {
        host.rests(Phase::Healthy);
        assert_eq!(host.machine().current, Some(1));
    }

    // A bad release: the first host goes back, and the others never have it.
    first.machine().unhealthy.insert(2);
    world.publish(2, 2);
    for host in &mut others {
        host.rests(Phase::Waiting);
    }
    first.rests(Phase::WentBack);
    world.pass(80_000);
    world.publish(2, 2);
    for host in &mut others {
        host.rests(Phase::Waiting);
        let waits = host.status().waits.unwrap();
        assert!(
            waits.contains("`first` refused the release: it is ill"),
            "{waits}"
        );
        let versions: Vec<u64> = host.machine().versions.iter().copied().collect();
        assert_eq!(versions, [1]);
    }

    // The next one is good, and takes the same way. One of the hosts is away meanwhile.
    world.publish(3, 3);
    first.rests(Phase::Healthy);
    let mut late = others.pop().unwrap();
    world.pass(30);
    for host in &mut others {
        host.rests(Phase::Waiting);
    }
    world.pass(30);
    for host in &mut others {
        host.rests(Phase::Healthy);
    }
    // The timestamp shows that the release has been there for long.
    late.rests(Phase::Healthy);
    assert_eq!(late.machine().current, Some(3));
}

#[test]
fn a_root_can_set_the_numbers_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut host) = settled(folder.path(), "");
    let (_, follower) = host.running.as_mut().unwrap();
    let before = follower.known.clone();
    follower.follow_reset(&World::new().policy());
    assert_eq!(follower.known, before);
}
