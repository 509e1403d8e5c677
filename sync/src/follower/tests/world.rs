//! Hosts with a registry, a store, a clock and a gate that tests move. The state is real.
//!
//! More than 400 lines: one world, whose parts know each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use edgec_artifact::{
    Bytes, Image, Release, ReleaseNumbers, ReleasedArtifact, Sha256Digest, Timestamp,
};
use edgec_packager::{SecretKey, UnsignedCompanion};
use edgec_store::Standing;
use edgec_verifier::ClockError;

use super::super::*;
use crate::config::FleetConfig;
use crate::gate::{Reading, Subject};
use crate::report::Unreported;
use crate::source::{Given, Offered, Taken, Wanted};
use crate::status::StatusServer;

/// The first moment of every test, in seconds since 1970.
pub(super) const START: u64 = 1_900_000_000;

/// Everything around hosts.
#[derive(Clone)]
pub(super) struct World {
    pub(super) key: Arc<SecretKey>,
    pub(super) clock: Arc<AtomicU64>,
    /// What each place offers.
    pub(super) places: Arc<Mutex<BTreeMap<String, Offering>>>,
    /// Signs timestamps.
    stamps: Arc<SecretKey>,
    /// Whether the policy demands timestamps.
    demands: Arc<AtomicBool>,
}

#[derive(Clone)]
pub(super) enum Offering {
    Index(Index),
    Fails(Trouble),
    /// It always answers that nothing is new.
    Unchanged,
}

#[derive(Clone)]
pub(super) struct Index {
    pub(super) digest: Sha256Digest,
    pub(super) version: u64,
    pub(super) given: Option<Given>,
}

/// The store of a host, and what its gate says.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) versions: BTreeSet<u64>,
    pub(super) current: Option<u64>,
    pub(super) chosen: bool,
    pub(super) lowest: u64,
    pub(super) timestamps: u64,
    /// After so many changes of the store, everything fails, as if the process was killed.
    pub(super) changes_left: Option<u32>,
    /// Whether the last change was made before that.
    pub(super) is_made: bool,
    pub(super) unhealthy: BTreeSet<u64>,
    /// How often a place was asked.
    pub(super) asked: u32,
    /// How often an index was read.
    pub(super) opened: u32,
    /// Whether the host that serves does not answer.
    pub(super) silent: bool,
    /// Why the store takes no timestamp.
    pub(super) refuses: Option<Trouble>,
    /// What the status said while releases were admitted.
    pub(super) said: Vec<Phase>,
}

impl Machine {
    /// Makes a change, unless the process is killed before.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), Trouble> {
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

pub(super) type Shared1 = Arc<Mutex<Machine>>;

impl World {
    pub(super) fn new() -> Self {
        Self {
            key: Arc::new(SecretKey::generate().unwrap()),
            stamps: Arc::new(SecretKey::generate().unwrap()),
            clock: Arc::new(AtomicU64::new(START)),
            places: Arc::default(),
            demands: Arc::default(),
        }
    }

    pub(super) fn policy(&self) -> TrustPolicy {
        let demands = match self.demands.load(Ordering::Relaxed) {
            true => "release = 1\ntimestamp = 1\n",
            false => "",
        };
        let keys = [
            ("all", "'artifact', 'release'", &self.key),
            ("stamps", "'timestamp'", &self.stamps),
        ];
        let keys = keys.map(|(name, roles, key)| {
            let pem = key.public().to_pem();
            format!("[[key]]\nname = '{name}'\nroles = [{roles}]\npem = \"\"\"\n{pem}\"\"\"\n")
        });
        let text = format!(
            "name = 'fleet'\nversion = 1\nthreshold = 1\n{demands}{}",
            keys.concat()
        );
        TrustPolicy::from_toml(&text).unwrap()
    }

    /// From now on, the policy demands timestamps.
    pub(super) fn demand_timestamps(&self) {
        self.demands.store(true, Ordering::Relaxed);
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) fn index(&self, version: u64, serial: u64, channel: Option<&str>) -> Index {
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
                    .sign(&*self.stamps)
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
    pub(super) fn publish(&self, version: u64, serial: u64) {
        let index = self.index(version, serial, Some("stable"));
        self.offer(PLACE, Offering::Index(index));
    }

    pub(super) fn offer(&self, place: &str, offering: Offering) {
        self.places
            .lock()
            .unwrap()
            .insert(place.to_owned(), offering);
    }
}

pub(super) const PLACE: &str = "registry.example/shop:stable";

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
#[derive(Clone)]
pub(super) struct Registry(World, Shared1, Arc<Board>);

pub(super) struct Offer(Index, Registry);

impl Source for Registry {
    fn open(
        &self,
        place: &str,
        known: Option<Sha256Digest>,
    ) -> Result<Option<Box<dyn Offered>>, Trouble> {
        self.1.lock().unwrap().asked += 1;
        let offering = self.0.places.lock().unwrap().get(place).cloned();
        match offering {
            None => Err(Trouble::environment("registry-absent", "it is not there")),
            Some(Offering::Fails(trouble)) => Err(trouble),
            Some(Offering::Unchanged) => Ok(None),
            Some(Offering::Index(index)) if known == Some(index.digest) => Ok(None),
            Some(Offering::Index(index)) => {
                self.1.lock().unwrap().opened += 1;
                Ok(Some(Box::new(Offer(index, self.clone()))))
            }
        }
    }
}

impl Offered for Offer {
    fn digest(&self) -> Sha256Digest {
        self.0.digest
    }

    fn statements(&self) -> Result<Option<Given>, Trouble> {
        Ok(self.0.given.clone())
    }

    fn admit(&self, wanted: &Wanted<'_>) -> Result<Taken, Trouble> {
        assert_eq!(wanted.profile, edgec_verifier::EngineProfile::Edge);
        let mut machine = self.1.1.lock().unwrap();
        let said = self.1.2.all().into_values().map(|it| it.phase);
        machine.said.extend(said);
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

pub(super) struct Shelved(Shared1);

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
        let mut machine = self.0.lock().unwrap();
        machine.timestamps += 1;
        machine.refuses.clone().map_or(Ok(()), Err)
    }

    fn tidy(&self, _: &Application, needed: &BTreeSet<u64>, keep: usize) -> Result<(), Trouble> {
        assert_eq!(keep, 2);
        // What is newer than everything that is needed stays.
        let newest = needed.last().unwrap();
        let mut machine = self.0.lock().unwrap();
        machine
            .versions
            .retain(|it| needed.contains(it) || it > newest);
        Ok(())
    }
}

/// A gate that says what the test wants.
pub(super) struct Gate(Shared1);

impl Probe for Gate {
    fn before(&mut self) -> bool {
        !self.0.lock().unwrap().silent
    }

    fn read(&mut self, subject: &Subject) -> Reading {
        let machine = self.0.lock().unwrap();
        if machine.silent {
            return Reading::Silent("the host does not answer".to_owned());
        }
        match machine.unhealthy.contains(&subject.version) {
            true => Reading::Bad("it is ill".to_owned()),
            false => Reading::Good(None),
        }
    }
}

/// A host. It can be killed and started again.
pub(super) struct Host {
    pub(super) world: World,
    pub(super) machine: Shared1,
    pub(super) config: FleetConfig,
    pub(super) name: String,
    pub(super) state: PathBuf,
    pub(super) running: Option<(Shared, Follower)>,
    pub(super) _server: Option<StatusServer>,
}

pub(super) const CONFIG: &str = "schema = 1\n\
    [[application]]\nname = \"shop\"\nchannel = \"stable\"\n\
    reference = \"registry.example/shop:stable\"\n\
    gate = { command = [\"x\"], for = \"0s\", failures = 1 }\n";

impl Host {
    pub(super) fn new(world: &World, folder: &Path, name: &str, config: &str) -> Self {
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
    pub(super) fn start(&mut self) {
        // The lock is free only after the former process has ended.
        self.running = None;
        self.machine().changes_left = None;
        let (world, config) = (self.world.clone(), &self.config);
        let policies = self.world.clone();
        let board = Arc::new(Board::new(&self.name));
        let machine = Arc::clone(&self.machine);
        let shared = Shared {
            host: self.name.clone(),
            source: Box::new(Registry(world.clone(), machine, Arc::clone(&board))),
            shelf: Box::new(Shelved(Arc::clone(&self.machine))),
            state: StateFolder::open(&self.state).unwrap(),
            policies: Box::new(move || Ok(policies.policy())),
            clock: Box::new(world),
            report: Arc::new(Unreported),
            board,
            poll: config.poll.clone(),
            mirrors: config.registry.mirrors.clone(),
            keep: config.keep,
            watch: config.watch.clone(),
            sightings: Sightings::new(Duration::ZERO),
            silent: Silent::new(config.poll.interval.get(), config.poll.backoff.get(), 4),
        };
        let gate: Box<dyn Probe> = Box::new(Gate(Arc::clone(&self.machine)));
        let follower = Follower::new(config.applications[0].clone(), Some(gate));
        self.running = Some((shared, follower));
    }

    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    /// The current version, and whether it was chosen although there is a newer one.
    pub(super) fn standing(&self) -> (Option<u64>, bool) {
        let machine = self.machine();
        (machine.current, machine.chosen)
    }

    pub(super) fn known(&self) -> Known {
        self.running.as_ref().unwrap().1.known.clone()
    }

    pub(super) fn status(&self) -> ApplicationStatus {
        let board = &self.running.as_ref().unwrap().0.board;
        board.all().remove("shop@stable").unwrap()
    }

    /// Does steps until nothing is left to do now. Returns the last.
    pub(super) fn rest(&mut self) -> Step {
        let (shared, follower) = self.running.as_mut().unwrap();
        follower.next_poll = Instant::now();
        for _ in 0..20 {
            let now = Instant::now();
            let step = follower.step(shared, now);
            let is_busy = matches!(
                step.phase,
                Phase::Admitting | Phase::Watching | Phase::GoingBack
            );
            if step.trouble.is_some() || step.waits || !is_busy {
                return step;
            }
        }
        panic!("it does not come to rest: {:?}", follower.known);
    }

    /// Comes to rest in this phase, without a trouble.
    pub(super) fn rests(&mut self, phase: Phase) {
        let step = self.rest();
        assert_eq!((step.phase, step.trouble), (phase, None));
    }

    pub(super) fn fails(&mut self, code: &str) -> String {
        let trouble = self.rest().trouble.unwrap();
        assert_eq!(trouble.code, code, "{trouble}");
        trouble.message
    }
}
