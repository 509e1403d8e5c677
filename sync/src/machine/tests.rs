//! Every path of the machine, and what holds on all of them.
//!
//! More than 400 lines: the paths of one machine, which read best beside each other.

use std::time::Duration;

use super::*;
use crate::config::First;
use crate::watch::Sighting;

fn release(version: u64, serial: u64) -> ReleaseId {
    let text = format!("{version} {serial}");
    ReleaseId::new(version, serial, Sha256Digest::of(text.as_bytes()))
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// A plan of a host that has version 1.
fn plan(wave: usize, opens: u64) -> Plan {
    Plan {
        wave,
        opens: Duration::from_secs(opens),
        first: First::InWaves,
        current: Some(1),
        watched: Vec::new(),
    }
}

fn watched(wave: usize, sighting: Sighting) -> Watched {
    Watched::new("pop-1", wave, None, sighting)
}

/// What is known of a host that saw release 2 at the time 100, and ran release 1 before.
fn seen() -> Known {
    let mut known = Known::default();
    known.observe(release(1, 1), None, at(10)).unwrap();
    known.begin(None);
    known.admitted();
    known.passed(at(20));
    known.observe(release(2, 2), None, at(100)).unwrap();
    known
}

#[test]
fn a_release_goes_its_way() {
    let mut known = Known::default();
    assert_eq!(known.next(&plan(0, 0), at(1)), Next::Nothing);
    let observed = known.observe(release(1, 1), None, at(1)).unwrap();
    assert_eq!(observed, Observed::New);
    assert!(!known.has_taken_newest());
    assert_eq!(known.next(&plan(0, 0), at(1)), Next::Admit);
    assert!(known.begin(None) && !known.has_taken_newest());
    assert_eq!(known.next(&plan(0, 0), at(1)), Next::Admit);
    known.admitted();
    assert!(known.has_taken_newest());
    assert_eq!(known.next(&plan(0, 0), at(1)), Next::Watch);
    known.passed(at(9));
    assert_eq!(known.next(&plan(0, 0), at(9)), Next::Nothing);
    assert_eq!(known.healthy.unwrap().since, at(9));
    let observed = known.observe(release(1, 1), None, at(10)).unwrap();
    assert_eq!(observed, Observed::Same);
    assert!(known.has_taken_newest());
}

#[test]
fn a_bad_release_goes_back_once_and_a_newer_one_is_tried() {
    let mut known = seen();
    known.begin(Some(1));
    known.admitted();
    known.refused("exit code 1".to_owned());
    assert_eq!(known.next(&plan(0, 0), at(100)), Next::GoBack);
    known.ended(End::WentBack(1), at(110));
    assert_eq!(known.next(&plan(0, 0), at(1000)), Next::Nothing);
    assert!(known.chose(1) && !known.chose(2));
    assert!(known.has_taken_newest());
    let bad = known.bad.clone().unwrap();
    assert_eq!((bad.release, &*bad.reason), (release(2, 2), "exit code 1"));
    // The same release does not come again, also if it is offered again.
    known.observe(release(2, 2), None, at(120)).unwrap();
    assert_eq!(known.next(&plan(0, 0), at(1000)), Next::Nothing);
    known.observe(release(3, 3), None, at(130)).unwrap();
    assert_eq!(known.next(&plan(0, 0), at(130)), Next::Admit);
    known.begin(Some(1));
    assert_eq!(known.trial.as_ref().unwrap().before, Some(1));
    known.admitted();
    known.passed(at(140));
    assert!(known.bad.is_none() && !known.chose(1));
    assert_eq!(known.healthy.unwrap().before, Some(1));
}

#[test]
fn a_verdict_that_is_taken_back_brings_the_release_again() {
    let digest = release(2, 2).digest;
    let mut known = seen();
    assert!(!known.forgive(digest, at(105)));
    known.begin(Some(1));
    known.admitted();
    known.refused("exit code 1".to_owned());
    assert!(!known.forgive(digest, at(105)));
    known.ended(End::WentBack(1), at(110));
    assert!(!known.forgive(release(1, 1).digest, at(120)));
    let gone_back = known.clone();
    assert!(known.forgive(digest, at(120)));
    assert!(!known.forgive(digest, at(121)));
    // In its turn, and with the version before to go back to.
    assert!(matches!(known.next(&plan(1, 50), at(120)), Next::Wait(_)));
    assert_eq!(known.next(&plan(0, 0), at(120)), Next::Admit);
    assert!(known.chose(1));
    known.begin(Some(1));
    assert_eq!(known.trial.as_ref().unwrap().before, Some(1));
    known.admitted();
    let mut bad_again = known.clone();
    known.passed(at(130));
    // What was forgiven is still told, and no longer counts.
    assert_eq!(known.forgiven.as_ref().unwrap().at, at(120));
    assert!(!known.chose(1));
    known.observe(release(3, 3), None, at(140)).unwrap();
    known.begin(Some(2));
    assert_eq!(known.trial.as_ref().unwrap().before, Some(2));
    known.passed(at(150));
    assert!(known.forgiven.is_none());
    bad_again.refused("exit code 1".to_owned());
    bad_again.ended(End::WentBack(1), at(130));
    assert!(bad_again.forgiven.is_none() && bad_again.chose(1));
    // A newer one has taken its place.
    let mut replaced = gone_back;
    replaced.observe(release(3, 3), None, at(140)).unwrap();
    assert!(!replaced.forgive(digest, at(150)));
}

/// It stayed because there was nothing else. Forgiven, and not judged since, it is still nothing to
/// go back to.
#[test]
fn a_forgiven_release_that_did_not_pass_is_nothing_to_go_back_to() {
    let mut known = seen();
    known.begin(None);
    known.admitted();
    known.refused("exit code 1".to_owned());
    let why = "the store has no other version to go back to".to_owned();
    known.ended(End::Stays { why }, at(110));
    assert!(known.forgive(release(2, 2).digest, at(120)));
    known.observe(release(3, 3), None, at(130)).unwrap();
    known.begin(Some(2));
    assert_eq!(known.trial.unwrap().before, None);
}

#[test]
fn older_releases_and_other_ones_with_the_same_serial_are_refused() {
    let mut known = seen();
    let before = known.clone();
    let older = known.observe(release(1, 1), None, at(200));
    assert_eq!(older, Err(ObserveError::Older { found: 1, seen: 2 }));
    let other = known.observe(release(9, 2), None, at(200));
    assert_eq!(other, Err(ObserveError::SameSerial { serial: 2 }));
    assert_eq!(known, before);
}

#[test]
fn a_wave_begins_after_the_pauses_before_it() {
    let known = seen();
    let wait = |now| known.next(&plan(1, 50), at(now));
    assert_eq!(wait(100), Next::Wait(Wait::Until(at(150))));
    assert_eq!(wait(149), Next::Wait(Wait::Until(at(150))));
    assert_eq!(wait(150), Next::Admit);
    // The clock was set back: the release began now at the latest.
    assert_eq!(wait(7), Next::Wait(Wait::Until(at(57))));
    let long = Plan {
        opens: Duration::MAX,
        ..plan(1, 0)
    };
    assert_eq!(
        known.next(&long, at(150)),
        Next::Wait(Wait::Until(UnixTime::MAX))
    );
}

#[test]
fn a_timestamp_shows_that_a_release_is_older_and_never_that_it_is_newer() {
    let mut known = seen();
    known
        .observe(release(2, 2), Some(at(120)), at(130))
        .unwrap();
    assert_eq!(known.newest.unwrap().began(), at(100));
    known.observe(release(2, 2), Some(at(40)), at(130)).unwrap();
    known.observe(release(2, 2), Some(at(90)), at(130)).unwrap();
    assert_eq!(known.newest.unwrap().began(), at(40));
    assert_eq!(known.next(&plan(1, 50), at(130)), Next::Admit);
    // A clock that was ahead when the release came.
    known.observe(release(2, 2), None, at(60)).unwrap();
    assert_eq!(known.newest.unwrap().first_seen, at(60));
}

#[test]
fn watched_hosts_hold_back() {
    let known = seen();
    let next = |watched: Watched, now| {
        let plan = Plan {
            watched: vec![watched],
            ..plan(1, 50)
        };
        known.next(&plan, at(now))
    };
    let not_yet = || Sighting::NotYet("its phase is `watching`".to_owned());
    let silent = || Sighting::Silent("no answer".to_owned());
    let bad = || Sighting::WentBack("exit code 1".to_owned());
    assert_eq!(next(watched(0, Sighting::Healthy), 150), Next::Admit);
    for sighting in [not_yet(), silent()] {
        let found = next(watched(0, sighting), 1_000_000);
        assert!(matches!(found, Next::Wait(Wait::For { .. })), "{found:?}");
    }
    // One of its own wave, or a later one, need not have it.
    assert_eq!(next(watched(1, not_yet()), 150), Next::Admit);
    assert_eq!(next(watched(2, silent()), 150), Next::Admit);
    // Wherever a host is: what it found out counts, also before the time has come.
    for (wave, now) in [(0, 100), (1, 150), (2, 1_000_000)] {
        let found = next(watched(wave, bad()), now);
        assert!(
            matches!(found, Next::Wait(Wait::Stopped { .. })),
            "{found:?}"
        );
    }
    // Nothing that a host says makes a wave begin earlier.
    let early = next(watched(0, Sighting::Healthy), 149);
    assert_eq!(early, Next::Wait(Wait::Until(at(150))));
    let patient = |now| {
        let patience = Some(Duration::from_secs(30));
        next(Watched::new("pop-1", 0, patience, silent()), now)
    };
    assert!(matches!(patient(179), Next::Wait(Wait::For { .. })));
    assert_eq!(patient(180), Next::Admit);
}

#[test]
fn a_host_without_a_version_takes_its_first_at_once() {
    let mut known = Known::default();
    known.observe(release(2, 2), None, at(100)).unwrap();
    let next = |first, current| {
        let plan = Plan {
            first,
            current,
            ..plan(3, 500)
        };
        known.next(&plan, at(100))
    };
    assert_eq!(next(First::AtOnce, None), Next::Admit);
    assert!(matches!(next(First::InWaves, None), Next::Wait(_)));
    assert!(matches!(next(First::AtOnce, Some(1)), Next::Wait(_)));
    // The store has it already.
    assert_eq!(next(First::InWaves, Some(2)), Next::Admit);
}

#[test]
fn a_newer_release_takes_the_place_of_one_that_is_watched() {
    let mut known = seen();
    known.begin(Some(1));
    known.admitted();
    known.observe(release(3, 3), None, at(200)).unwrap();
    // While it is not its turn, the older one is watched on.
    assert_eq!(known.next(&plan(1, 50), at(200)), Next::Watch);
    assert_eq!(known.next(&plan(1, 50), at(250)), Next::Admit);
    known.begin(Some(2));
    // The version that was never judged is nothing to go back to.
    assert_eq!(known.trial.as_ref().unwrap().before, Some(1));
    let goes_back = {
        let mut known = seen();
        known.begin(Some(1));
        known.refused(String::new());
        known.observe(release(3, 3), None, at(200)).unwrap();
        known
    };
    assert_eq!(goes_back.next(&plan(0, 0), at(200)), Next::GoBack);
}

#[test]
fn a_release_that_ends_its_host_again_and_again_is_bad() {
    let mut known = seen();
    known.begin(Some(1));
    known.admitted();
    for _ in 0..MOST_STARTS {
        assert!(known.watch());
        assert_eq!(known.next(&plan(0, 0), at(200)), Next::Watch);
    }
    assert!(!known.watch());
    assert_eq!(known.next(&plan(0, 0), at(200)), Next::GoBack);
    known.ended(End::WentBack(1), at(200));
    assert!(known.bad.unwrap().reason.contains("was started 5 times"));
}

#[test]
fn starts_in_which_nothing_could_be_judged_do_not_count() {
    let mut known = seen();
    known.begin(Some(1));
    known.admitted();
    for _ in 0..10 * MOST_STARTS {
        assert!(known.watch());
        known.not_judged();
    }
    assert!(!known.trial.as_ref().unwrap().answered);
    known.answered();
    assert!(known.trial.unwrap().answered);
    // Without a trial, nothing happens.
    let mut known = Known::default();
    known.answered();
    known.not_judged();
    assert_eq!(known, Known::default());
}

#[test]
fn a_release_of_the_same_version_has_nothing_to_go_back_to() {
    let mut known = seen();
    known.observe(release(1, 9), None, at(200)).unwrap();
    known.begin(Some(1));
    assert_eq!(known.trial.as_ref().unwrap().before, None);
}

#[test]
fn an_interrupted_admission_goes_on() {
    let mut known = seen();
    known.begin(Some(1));
    // The registry still has the release: it is admitted again, whatever the store has.
    for current in [Some(1), Some(2)] {
        let mut known = known.clone();
        assert!(!known.recover(current));
        assert_eq!(known.next(&plan(9, 500), at(100)), Next::Admit);
        known.begin(current);
        assert_eq!(known.trial.as_ref().unwrap().before, Some(1));
    }
    // The registry has a newer one: what the store has decides.
    known.observe(release(3, 3), None, at(200)).unwrap();
    let mut admitted = known.clone();
    assert!(admitted.recover(Some(2)));
    assert_eq!(admitted.next(&plan(1, 50), at(200)), Next::Watch);
    let mut not_admitted = known.clone();
    assert!(not_admitted.recover(Some(1)));
    assert!(not_admitted.trial.is_none());
    assert!(!Known::default().recover(Some(1)));
}

/// Random events, in random order, with crashes between any two: what must hold always holds.
#[test]
fn whatever_happens_a_release_is_tried_in_its_turn_and_once() {
    for seed in 0..3_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut known = Known::default();
        let mut current = None;
        let mut now = 1_000;
        let mut published = 0;
        let mut tried: Vec<u64> = Vec::new();
        for _ in 0..60 {
            now += random.below(20);
            let opens = 30;
            let plan = Plan {
                current,
                ..plan(1, opens)
            };
            match random.below(9) {
                0 => published += 1,
                // An operator thinks that a verdict was false.
                8 => {
                    let bad = known.bad.as_ref().map(|it| it.release);
                    let newest = known.newest.map(|it| it.release);
                    if let Some(bad) = bad {
                        let forgiven = known.forgive(bad.digest, at(now));
                        assert_eq!(forgiven, Some(bad) == newest, "seed {seed}");
                        if forgiven {
                            tried.retain(|serial| *serial != bad.serial);
                        }
                    }
                }
                // A crash: only what is on the disk is left, and that is `known`.
                1 => {
                    known.recover(current);
                }
                2 | 3 if published > 0 => {
                    // A mirror may be behind.
                    let serial = published - random.below(2).min(published - 1);
                    let before = known.newest.map(|it| it.release.serial);
                    let seen = known.observe(release(serial, serial), None, at(now));
                    assert_eq!(seen.is_err(), before.is_some_and(|before| serial < before));
                }
                _ => match known.next(&plan, at(now)) {
                    Next::Admit => {
                        let newest = known.newest.unwrap();
                        let serial = newest.release.serial;
                        let begun = known.trial.as_ref().map(|it| it.release.serial);
                        if begun != Some(serial) {
                            assert!(now >= newest.first_seen.seconds() + opens);
                            assert!(!tried.contains(&serial), "seed {seed}");
                            tried.push(serial);
                        }
                        known.begin(current);
                        // It may be killed before, between, or after.
                        if random.below(3) > 0 {
                            current = Some(newest.release.version);
                            if random.below(3) > 0 {
                                known.admitted();
                            }
                        }
                    }
                    Next::Watch => match random.below(3) {
                        0 => known.passed(at(now)),
                        1 => known.refused("it is ill".to_owned()),
                        _ => {}
                    },
                    Next::GoBack => {
                        let before = known.trial.as_ref().unwrap().before;
                        let bad = known.trial.as_ref().unwrap().release.version;
                        assert_ne!(before, Some(bad), "seed {seed}");
                        if let Some(before) = before {
                            current = Some(before);
                        }
                        if random.below(3) > 0 {
                            let end =
                                before.map_or(End::Stays { why: String::new() }, End::WentBack);
                            known.ended(end, at(now));
                        }
                    }
                    Next::Wait(_) | Next::Nothing => {}
                },
            }
            // What is bad is neither tried again nor the version to go back to.
            if let (Some(bad), Some(trial)) = (&known.bad, &known.trial) {
                assert!(trial.release.serial > bad.release.serial, "seed {seed}");
                assert_ne!(trial.before, Some(bad.release.version), "seed {seed}");
            }
            // Nor is what was forgiven, and has not passed since.
            if let (Some(forgiven), Some(trial)) = (&known.forgiven, &known.trial) {
                let bad = forgiven.verdict.release;
                let passed = known.healthy.is_some_and(|it| it.release == bad);
                assert!(passed || trial.before != Some(bad.version), "seed {seed}");
            }
        }
    }
}

/// Numbers that look random: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
