//! A mirror that lies, in 200 random schedules: it stands still, brings back old releases,
//! withholds an artifact, mixes two releases, strips signatures, replays an old policy, and drives
//! numbers up.
//!
//! After every step: what runs is never older than what ran before, and never a mixture of two
//! releases. Every lie is named at once, or, if the mirror only stands still, when the timestamp
//! expires. The clock is injected, and every schedule follows from its number.
//!
//! Every host learns of a new policy past the mirror, so a mirror that withholds a policy is not
//! simulated. Nor is one with a stolen key: `rollback.rs` and `key_roles.rs` have these.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

// Each test program uses other parts of the publisher.
#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/publisher.rs"]
mod publisher;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use edgec_packager::UnsignedCompanion;
use edgec_store::verifier::NewestPolicy;
use edgec_store::verifier::artifact::{Release, ReleaseNumbers};
use edgec_store::{TrustPolicy, VerityDigest};
use publisher::{CHANNEL, Edition, FRESH, Host, Keys, NAME, START, artifact, edition, stamp, with};

/// The number of schedules, and the steps of each.
const SCHEDULES: u64 = 200;
const STEPS: u64 = 24;
/// The time between two steps: a host asks four times while a timestamp holds.
const STEP: u64 = FRESH / 4;

/// A mirror's way to lie, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lie {
    Honest,
    Freeze,
    Rollback,
    Withhold,
    Mix,
    Strip,
    ReplayPolicy,
    DriveUp,
}

const LIES: [Lie; 8] = [
    Lie::Honest,
    Lie::Freeze,
    Lie::Rollback,
    Lie::Withhold,
    Lie::Mix,
    Lie::Strip,
    Lie::ReplayPolicy,
    Lie::DriveUp,
];

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }
}

/// What the publisher has published, and what the mirror has of it.
struct World {
    keys: Keys,
    editions: Vec<Edition>,
    /// The newest timestamp of each edition, and when it was issued.
    stamps: Vec<(Vec<u8>, u64)>,
    policies: Vec<TrustPolicy>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            keys: Keys::new(),
            editions: Vec::new(),
            stamps: Vec::new(),
            policies: Vec::new(),
        };
        world.publish_policy();
        world.publish(1, START);
        world
    }

    fn publish_policy(&mut self) {
        let number = self.policies.len() + 1;
        let head = format!(
            "name = 'fleet'\nversion = {number}\nthreshold = 2\nrelease = 1\ntimestamp = 1\n"
        );
        let policy = TrustPolicy::from_toml(&self.keys.policy(&head, "")).unwrap();
        self.policies.push(policy);
    }

    /// Publishes the next release. Most have a new version; some are compiled again.
    fn publish(&mut self, version: u64, at: u64) {
        let serial = self.editions.len() as u64 + 1;
        let edition = edition(&self.keys, version, serial, version.saturating_sub(3));
        self.stamps
            .push((stamp(&self.keys.timestamp, &edition, at), at));
        self.editions.push(edition);
    }

    fn restamp(&mut self, at: u64) {
        let newest = self.editions.last().unwrap();
        *self.stamps.last_mut().unwrap() = (stamp(&self.keys.timestamp, newest, at), at);
    }

    /// The serial of the release that published an image.
    fn serials(&self) -> BTreeMap<VerityDigest, u64> {
        let all = self.editions.iter().flat_map(|edition| {
            let serial = edition.numbers.serial;
            edition.artifacts.iter().map(move |it| (it.image, serial))
        });
        all.collect()
    }
}

/// What a mirror serves in one step.
struct Served {
    release: Vec<u8>,
    timestamp: Vec<u8>,
    /// The serial of the release, and when its timestamp was issued.
    serial: u64,
    issued: u64,
    artifacts: Vec<Vec<u8>>,
    policy: TrustPolicy,
}

/// What the mirror serves, by its way to lie. `frozen` is what it served when it stood still.
fn serve(world: &World, lie: Lie, random: &mut Random, frozen: &(usize, (Vec<u8>, u64))) -> Served {
    let newest = world.editions.len() - 1;
    let of = |at: usize, (timestamp, issued): &(Vec<u8>, u64)| Served {
        release: world.editions[at].release.clone(),
        timestamp: timestamp.clone(),
        serial: world.editions[at].numbers.serial,
        issued: *issued,
        artifacts: world.editions[at]
            .artifacts
            .each_ref()
            .map(|it| it.file.clone())
            .to_vec(),
        policy: world.policies.last().unwrap().clone(),
    };
    let mut served = of(newest, &world.stamps[newest]);
    match lie {
        Lie::Honest => {}
        Lie::Freeze => served = of(frozen.0, &frozen.1),
        Lie::Rollback => {
            let old = random.index(newest.max(1));
            served = of(old, &world.stamps[old]);
        }
        Lie::Withhold => {
            served.artifacts.remove(random.index(2));
        }
        Lie::Mix => {
            let old = random.index(newest.max(1));
            served.artifacts[1] = world.editions[old].artifacts[1].file.clone();
        }
        Lie::Strip => {
            let [one, _] = &world.keys.signers;
            let numbers = world.editions[newest].numbers;
            let target = random.index(2);
            let (version, serial) = (numbers.version, numbers.serial);
            served.artifacts[target] = artifact(&[one], target, version, serial).file;
        }
        Lie::ReplayPolicy => {
            let old = random.index(world.policies.len() - 1);
            served.policy = world.policies[old].clone();
        }
        Lie::DriveUp => {
            // The mirror signs with a key of its own: it has none that the policy trusts.
            let numbers = ReleaseNumbers {
                serial: (1 << 53) - 1,
                ..world.editions[newest].numbers
            };
            let listed = world.editions[newest].statement.artifacts.clone();
            let program = world.editions[newest].statement.program.clone();
            let channel = Some(CHANNEL.to_owned());
            let forged = Release::new(NAME, channel, numbers, program, listed).unwrap();
            let key = edgec_packager::SecretKey::generate().unwrap();
            served.release = UnsignedCompanion::release(&forged)
                .sign(&key)
                .unwrap()
                .into_bytes();
        }
    }
    served
}

/// Everything that a host has said in one step.
type Named = Vec<String>;

/// A host asks for news: the policy, the release with its timestamp, and the artifacts.
fn ask(host: &Host, policies: &mut (NewestPolicy, TrustPolicy), served: &Served) -> Named {
    let mut named = Vec::new();
    match policies.0.follow(&served.policy) {
        Ok(()) => policies.1 = served.policy.clone(),
        Err(error) => named.push(error.code().to_owned()),
    }
    let policy = &policies.1;
    let expected = with(&served.release, &served.timestamp);
    match host
        .store
        .add_release(&served.release, Some(&served.timestamp), policy, &expected)
    {
        // The artifacts follow now.
        Ok(_) => {}
        Err(error) => named.push(error.code().to_owned()),
    }
    for file in &served.artifacts {
        match host.add(file, &expected, policy) {
            // What is lacking is told when all artifacts were offered.
            Ok(_) => {}
            Err(code) => named.push(code),
        }
    }
    match host
        .store
        .add_release(&served.release, Some(&served.timestamp), policy, &expected)
    {
        Ok(newest) => named.extend(newest.missing.iter().map(|it| format!("missing {it}"))),
        Err(error) => named.push(error.code().to_owned()),
    }
    named
}

/// One schedule. Returns how often each lie was told.
fn schedule(number: u64) -> BTreeMap<Lie, u64> {
    let mut random = Random(number);
    let mut world = World::new();
    let host = Host::new();
    let mut policies = (NewestPolicy::default(), world.policies[0].clone());
    let mut told: BTreeMap<Lie, u64> = BTreeMap::new();
    // The first step is honest: a host that never saw anything else knows no better.
    let mut frozen = (0, world.stamps[0].clone());
    let (mut seen, mut fresh_until) = (0, START);
    let mut running = 0;
    let mut lie = Lie::Honest;
    for step in 0..STEPS {
        let now = START + step * STEP;
        host.clock.set(now);
        if step > 0 {
            let newest = world.editions.last().unwrap().numbers;
            match random.below(4) {
                0 => world.publish(newest.version + 1, now),
                // Compiled again, for a fault of the engine.
                1 => world.publish(newest.version, now),
                _ => world.restamp(now),
            }
            if random.below(6) == 0 || world.policies.len() < 2 {
                world.publish_policy();
                // Every host learns of a policy once.
                policies.0.follow(world.policies.last().unwrap()).unwrap();
                policies.1 = world.policies.last().unwrap().clone();
            }
            // A mirror that stands still does so for a while.
            let stays = lie == Lie::Freeze && random.below(5) > 0;
            lie = match stays {
                true => Lie::Freeze,
                false => LIES[random.index(LIES.len())],
            };
        }
        if lie != Lie::Freeze {
            frozen = (
                world.editions.len() - 1,
                world.stamps.last().unwrap().clone(),
            );
        }
        let served = serve(&world, lie, &mut random, &frozen);
        let said = ask(&host, &mut policies, &served);
        *told.entry(lie).or_default() += 1;
        let newest = world.editions.last().unwrap().numbers.serial;
        let context = format!("schedule {number}, step {step}, {lie:?}: {said:?}");
        // What the host has been told, and could believe.
        let is_older = served.serial < seen;
        let until = served.issued + FRESH;
        if lie != Lie::DriveUp && !is_older && now < until {
            fresh_until = match served.serial > seen {
                true => until,
                false => fresh_until.max(until),
            };
            seen = served.serial;
        }

        let loaded = host.load(&policies.1);
        let serials = world.serials();
        match &loaded {
            Ok(images) => {
                let found: Vec<u64> = images.iter().map(|image| serials[image]).collect();
                assert_eq!(found.len(), 2, "{context}");
                assert_eq!(found[0], found[1], "two releases are mixed: {context}");
                assert!(found[0] >= running, "an older release runs: {context}");
                running = found[0];
            }
            // Nothing runs that is too old, or of which nothing is known.
            Err(code) => assert!(
                ["release-stale", "release-floor", "no-timestamp"].contains(&code.as_str()),
                "{code}: {context}"
            ),
        }
        let says = |code: &str| said.iter().any(|it| it == code || it.starts_with(code));
        let is_named = match lie {
            Lie::Honest => {
                assert_eq!(said, Named::new(), "{context}");
                assert_eq!(running, newest, "{context}");
                true
            }
            Lie::Freeze | Lie::Rollback if is_older => {
                says("serial-rollback") || says("release-stale")
            }
            // Named when the timestamp has expired.
            Lie::Freeze | Lie::Rollback => now < fresh_until || says("release-stale"),
            Lie::Withhold => running == newest || says("missing"),
            Lie::Mix if newest == 1 => true,
            Lie::Mix => says("release-mixed"),
            Lie::Strip => says("threshold"),
            Lie::ReplayPolicy => says("policy-rollback"),
            Lie::DriveUp => says("release-signature"),
        };
        assert!(is_named, "a lie has no name: {context}, load {loaded:?}");
        if now >= fresh_until {
            assert_eq!(loaded, Err("release-stale".to_owned()), "{context}");
        }
    }
    told
}

#[test]
fn no_schedule_of_lies_brings_an_older_or_mixed_release_to_work() {
    let mut told: BTreeMap<Lie, u64> = BTreeMap::new();
    let next = AtomicU64::new(0);
    let some = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let schedules = numbers.take_while(|number| *number < SCHEDULES);
        schedules.flat_map(schedule).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        for (lie, times) in threads.into_iter().flat_map(|it| it.join().unwrap()) {
            *told.entry(lie).or_default() += times;
        }
    });
    // Every lie was told often.
    for lie in LIES {
        assert!(told[&lie] > 100, "{lie:?}: {told:?}");
    }
    println!("{SCHEDULES} schedules of {STEPS} steps: {told:?}");
}
