//! What a host does when releases come, fail, are bad, or are not to be trusted, and when it is
//! killed. The state and the statuses are real.
//!
//! More than 400 lines: one table of cases about one host, which read best beside each other.

mod offers;
mod retry;
mod slow;
mod world;

use std::path::Path;
use std::sync::Arc;

use edgec_artifact::Sha256Digest;
use edgec_store::Standing;

use self::world::{Host, Index, Offering, PLACE, World};
use super::*;
use crate::config::Url;
use crate::source::Taken;
use crate::state::{End, Stage};
use crate::status::StatusServer;

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
    let why = "release 2 (version 2) was bad: it is ill; publish a newer release, or try it \
               again with --retry";
    assert_eq!(host.status().why_bad().as_deref(), Some(why));
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
    let why = host.status().why_bad().unwrap();
    assert!(
        why.contains("it stays, because version 1 is below the floor"),
        "{why}"
    );
    // Nor is a bad version one to go back to.
    world.publish(3, 3);
    host.rests(Phase::Failed);
    assert_eq!(host.machine().current, Some(3));
    let stays = host.status().bad.unwrap().stays.unwrap();
    assert_eq!(stays, "the store has no other version to go back to");
}

#[test]
fn the_status_tells_what_is_there_before_anything_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    assert_eq!(host.machine().said, [Phase::Admitting]);
    // A process that never reached the registry.
    world.offer(PLACE, Offering::Fails(Trouble::environment("io", "dead")));
    host.start();
    host.fails("io");
    assert_eq!(host.status().version, Some(1));
    assert_eq!(host.status().phase, Phase::Healthy);
}

/// Kills the process at every change of the store, just before it is made or just after it, while
/// release 2 is tried. `prepare` leads to the round that tries it.
fn kill_at_every_change(prepare: impl Fn(&Path) -> (World, Host)) {
    for unhealthy in [false, true] {
        for is_made in [false, true] {
            for changes in 1..4 {
                let folder = tempfile::tempdir().unwrap();
                let (_world, mut host) = prepare(folder.path());
                {
                    let mut machine = host.machine();
                    machine.unhealthy.extend(unhealthy.then_some(2));
                    machine.changes_left = Some(changes);
                    machine.is_made = is_made;
                }
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
fn a_kill_at_any_point_leaves_a_host_that_goes_on() {
    kill_at_every_change(|folder| {
        let (world, host) = settled(folder, "");
        world.publish(2, 2);
        (world, host)
    });
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
    let plain = "[[application]]\nname = \"x\"\nreference = \"a.b/c\"\n";
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
    let mirrors = "[registry]\nmirrors = [\"cache-1:5000\", \"cache-2:5000\"]\n";
    let (world, mut host) = settled(folder.path(), mirrors);
    // One cache is dead, one is behind, and the registry has the new one.
    let old = world.index(1, 1, Some("stable"));
    world.publish(2, 2);
    host.rests(Phase::Healthy);
    let (one, two) = ("cache-1:5000/shop:stable", "cache-2:5000/shop:stable");
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

/// A mirror that answers, but never with anything new, looks like a registry at rest.
#[test]
fn a_mirror_that_stands_still_hides_a_release_only_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let old = world.index(1, 1, Some("stable"));
    let mirror = "cache.example/shop:stable";
    world.offer(mirror, Offering::Index(old.clone()));
    world.offer(PLACE, Offering::Index(old));
    let config = "[registry]\nmirrors = [\"cache.example\"]\n";
    let mut host = Host::new(&world, folder.path(), "pop-1", config);
    host.rests(Phase::Healthy);
    world.publish(2, 2);
    let looks = (0..20).take_while(|_| {
        host.rests(Phase::Healthy);
        host.machine().current != Some(2)
    });
    assert_eq!(looks.count(), 9);

    // Near the end of the timestamp, each look asks all places.
    world.offer(mirror, Offering::Index(world.index(2, 2, Some("stable"))));
    host.rests(Phase::Healthy);
    let expires = host.known().expires.unwrap();
    world.pass(86_300);
    world.publish(2, 2);
    host.rests(Phase::Healthy);
    assert!(host.known().expires.unwrap() > expires);
}

#[test]
fn a_timestamp_that_has_ended_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    world.pass(90_000);
    // If the policy demands none, it does not matter.
    host.rests(Phase::Healthy);
    world.demand_timestamps();
    let says = host.fails("sync-release");
    assert!(says.contains("ended at"), "{says}");
    // A newer one ends that.
    world.publish(1, 1);
    host.rests(Phase::Healthy);
    // The first release of a host may come with an old timestamp, if none is demanded.
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    world.publish(1, 1);
    world.pass(90_000);
    let mut host = Host::new(&world, folder.path(), "pop-1", "");
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(1));
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
        says.contains("edgec store use shop --channel stable --app-version 3"),
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

/// This host went back to version 1, so it may choose another one again. The store refuses that.
#[test]
fn a_version_that_may_not_be_current_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    host.machine().unhealthy.insert(2);
    world.publish(2, 2);
    host.rests(Phase::WentBack);
    host.machine().lowest = 9;
    world.publish(3, 3);
    let says = host.fails("sync-standing");
    assert!(says.contains("version 3 is below the floor"), "{says}");
    assert_eq!(host.machine().current, Some(1));
    host.machine().lowest = 0;
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(3));
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
