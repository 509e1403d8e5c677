//! Registries and mirrors that answer slowly, or not at all: they hold up neither the gate nor the
//! way back.

use super::super::*;
use super::settled;
use super::world::{Host, Offering, PLACE, World};
use crate::gate::Rules;
use crate::state::End;

const MINUTE: Duration = Duration::from_secs(60);

/// A host whose gate has begun to watch release 2 for an hour, and the time of its next check. A
/// newer release is there, and the next look is due.
fn watching(folder: &std::path::Path) -> (World, Host, Instant) {
    let (world, mut host) = settled(folder, "");
    watch_long(&mut host);
    world.publish(2, 2);
    host.running.as_mut().unwrap().1.next_poll = Instant::now();
    let mut due = Instant::now();
    for _ in 0..2 {
        due = step(&mut host, due.max(Instant::now())).due;
    }
    assert_eq!(host.status().phase, Phase::Watching);
    world.publish(3, 3);
    (world, host, due)
}

fn watch_long(host: &mut Host) {
    let follower = &mut host.running.as_mut().unwrap().1;
    follower.rules = Rules::new(60 * MINUTE, Duration::ZERO, 1);
}

fn judge_at_once(host: &mut Host) {
    let follower = &mut host.running.as_mut().unwrap().1;
    follower.rules = Rules::new(Duration::ZERO, Duration::ZERO, 1);
}

/// A step at this time. A look is due in it.
fn step(host: &mut Host, at: Instant) -> Step {
    let (shared, follower) = host.running.as_mut().unwrap();
    follower.next_poll = follower.next_poll.min(at);
    follower.step(shared, at)
}

fn asked(host: &Host) -> u32 {
    host.machine().asked
}

#[test]
fn no_registry_is_asked_while_the_gate_watches() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut host, mut due) = watching(folder.path());
    let asked = asked(&host);
    let begin = Instant::now();
    // Neither at a check, nor between two checks.
    while due < begin + 9 * MINUTE {
        assert!(step(&mut host, due).due > due);
        due += Duration::from_secs(1);
    }
    assert_eq!(self::asked(&host), asked);
    host.machine().unhealthy.insert(2);
    let next = step(&mut host, due + MINUTE / 2);
    assert_eq!(next.phase, Phase::GoingBack);
    assert_eq!(step(&mut host, due + MINUTE / 2).phase, Phase::WentBack);
    assert_eq!(self::asked(&host), asked);
    assert_eq!(host.known().bad.unwrap().end, End::WentBack(1));
    // The newer release comes after the verdict.
    judge_at_once(&mut host);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(3));
}

#[test]
fn after_a_restart_the_gate_checks_first() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut host, _) = watching(folder.path());
    host.start();
    host.machine().unhealthy.insert(2);
    let asked = asked(&host);
    assert_eq!(step(&mut host, Instant::now()).phase, Phase::GoingBack);
    assert_eq!(step(&mut host, Instant::now()).phase, Phase::WentBack);
    assert_eq!(self::asked(&host), asked);
}

/// A gate that judges for long, or that cannot judge, must not hide newer releases.
#[test]
fn after_a_while_the_registry_is_asked_between_checks() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host, due) = watching(folder.path());
    let before = asked(&host);
    let dead = || Offering::Fails(Trouble::environment("io", "dead"));
    world.offer(PLACE, dead());
    let late = due + 10 * MINUTE;
    // Both are due, and the check comes first.
    assert!(step(&mut host, late).due <= late);
    assert_eq!(asked(&host), before);
    let next = step(&mut host, late);
    assert_eq!((next.phase, next.trouble), (Phase::Watching, None));
    assert_eq!(asked(&host), before + 1);
    // The next check comes when it would have come without the failure.
    assert_eq!(next.due, late + Duration::from_secs(5));
    // A newer release is taken.
    world.publish(3, 3);
    let _ = step(&mut host, next.due);
    assert_eq!(step(&mut host, next.due).phase, Phase::Watching);
    assert_eq!(host.machine().current, Some(3));
    assert_eq!(host.known().trial.unwrap().release.version, 3);

    let folder = tempfile::tempdir().unwrap();
    let (_, mut host, due) = watching(folder.path());
    let (_, follower) = host.running.as_mut().unwrap();
    follower.not_judged = Some("the host does not answer".to_owned());
    let before = asked(&host);
    let _ = step(&mut host, due - Duration::from_secs(1));
    assert!(asked(&host) > before);
}

/// Hosts stop an application whose timestamp has ended.
#[test]
fn a_timestamp_does_not_end_while_the_gate_watches() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host, due) = watching(folder.path());
    let between = due - Duration::from_secs(1);
    let before = asked(&host);
    world.pass(86_400 - 601);
    let _ = step(&mut host, between);
    assert_eq!(asked(&host), before);
    world.pass(1);
    let _ = step(&mut host, between);
    assert!(asked(&host) > before);
}

/// A newer release is there, and cannot be admitted.
#[test]
fn an_admission_that_fails_does_not_hold_up_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host, due) = watching(folder.path());
    let late = due + 10 * MINUTE;
    let _ = step(&mut host, late);
    {
        let (shared, follower) = host.running.as_mut().unwrap();
        follower.look(shared, late).unwrap();
        follower.seen = None;
        follower.next_poll = late + 60 * MINUTE;
    }
    world.offer(PLACE, Offering::Fails(Trouble::environment("io", "dead")));
    let (shared, follower) = host.running.as_mut().unwrap();
    let failed = follower.step(shared, late);
    assert_eq!(failed.trouble.unwrap().code, "io");
    assert_eq!(failed.due, late + Duration::from_secs(5));
    host.machine().unhealthy.insert(2);
    assert_eq!(step(&mut host, failed.due).phase, Phase::GoingBack);
}

/// A place counts as silent from when it failed: a request may hang for longer than that.
#[test]
fn a_place_that_hangs_comes_last_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    let hangs = "cache:5000/shop:stable";
    for looks in [0, 1] {
        world.offer(hangs, Offering::Fails(Trouble::environment("io", "slow")));
        let (shared, follower) = host.running.as_mut().unwrap();
        shared.mirrors = vec!["cache:5000".to_owned()];
        shared.silent = Silent::new(30 * MINUTE, 60 * MINUTE, 4);
        follower.looks = looks;
        let begun = Instant::now();
        follower.look(shared, begun).unwrap();
        let places = vec![hangs.to_owned(), PLACE.to_owned()];
        let order = shared.silent.last(places, begun + 30 * MINUTE);
        assert_eq!(order[0], PLACE);
    }
}
