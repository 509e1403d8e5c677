//! What a place offers: how often it is read, and what the store makes of it.

use super::super::*;
use super::settled;
use super::world::{Offering, PLACE};

#[test]
fn a_store_that_takes_no_timestamp_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    let refused = Trouble::refused("sync-timestamp", "it is of another release");
    host.machine().refuses = Some(refused);
    world.pass(60);
    world.publish(1, 1);
    let says = host.fails("sync-timestamp");
    assert_eq!(says, format!("{PLACE}: it is of another release"));
    // It is offered again at the next look.
    host.machine().refuses = None;
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().timestamps, 2);
}

/// A place that says "unchanged" to a host that has nothing to compare with.
#[test]
fn a_host_does_not_admit_from_a_place_that_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let waves = "[rollout]\nwaves = [{ share = 0, pause = \"60s\" }, { share = 1 }]\n";
    let (world, mut host) = settled(folder.path(), waves);
    world.publish(2, 2);
    host.rests(Phase::Waiting);
    host.start();
    world.pass(60);
    world.offer(PLACE, Offering::Unchanged);
    assert_eq!(host.fails("io"), format!("{PLACE}: it did not answer"));
    world.publish(2, 2);
    host.rests(Phase::Healthy);
}

/// What a look has read is not read again for the admission, also if that comes later.
#[test]
fn an_index_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let waves = "[rollout]\nwaves = [{ share = 0, pause = \"60s\" }, { share = 1 }]\n";
    let (world, mut host) = settled(folder.path(), waves);
    assert_eq!(host.machine().opened, 1);
    world.publish(2, 2);
    host.rests(Phase::Waiting);
    world.pass(60);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().opened, 2);
    // Another index under the tag is read, of course.
    world.publish(3, 3);
    host.rests(Phase::Waiting);
    world.pass(60);
    world.publish(3, 3);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().opened, 4);
}
