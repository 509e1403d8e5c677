//! Releases that are judged again: because an operator orders it, or because the host that serves
//! was not up yet.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::super::*;
use super::world::{Host, World};
use super::{kill_at_every_change, settled};
use crate::state::{End, order_retry};

/// A host that went back from release 2, which would be healthy now.
fn went_back(folder: &Path) -> (World, Host) {
    let (world, mut host) = settled(folder, "");
    host.machine().unhealthy.insert(2);
    world.publish(2, 2);
    host.rests(Phase::WentBack);
    host.machine().unhealthy.clear();
    (world, host)
}

/// Orders what an operator can, while the process runs or not. Returns the order's file.
fn order(host: &Host) -> PathBuf {
    let verdict = order_retry(&host.state, "shop", Some("stable"), Some(2)).unwrap();
    assert_eq!(verdict.told(), "release 2 (version 2) was bad: it is ill");
    let mut orders = std::fs::read_dir(host.state.join("orders")).unwrap();
    orders.next().unwrap().unwrap().path()
}

#[test]
fn a_false_verdict_is_taken_back() {
    for is_running in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (world, mut host) = went_back(folder.path());
        order(&host);
        if !is_running {
            host.start();
        }
        // The store has the version before as a choice, and this host has made that.
        assert_eq!(host.standing(), (Some(1), true));
        host.rests(Phase::Healthy);
        assert_eq!(host.standing(), (Some(2), false));
        let status = host.status();
        assert!(status.why_bad().is_none() && status.bad.is_none());
        let forgiven = status.forgiven.unwrap();
        assert_eq!(
            (&*forgiven.verdict.reason, forgiven.verdict.release.version),
            ("it is ill", 2)
        );
        // It passed. So a choice of the version before is the operator's from now on.
        {
            let mut machine = host.machine();
            (machine.current, machine.chosen) = (Some(1), true);
        }
        world.publish(3, 3);
        host.fails("sync-chosen");
        {
            let mut machine = host.machine();
            (machine.current, machine.chosen) = (Some(3), false);
        }
        host.rests(Phase::Healthy);
        assert!(host.status().forgiven.is_none());
    }
}

#[test]
fn a_release_that_is_still_bad_goes_back_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut host) = went_back(folder.path());
    host.machine().unhealthy.insert(2);
    for _ in 0..2 {
        order(&host);
        host.rests(Phase::WentBack);
        assert_eq!(host.standing(), (Some(1), true));
        assert!(host.status().forgiven.is_none());
    }
    let error = order_retry(&host.state, "shop", None, None).unwrap_err();
    assert_eq!(error.code(), "sync-not-bad");
}

/// An order is for one release. It does not forgive what comes after it.
#[test]
fn an_order_for_another_release_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut host) = went_back(folder.path());
    order(&host);
    let (shared, follower) = host.running.as_mut().unwrap();
    let bad = follower.known.bad.as_mut().unwrap();
    bad.release.digest = edgec_artifact::Sha256Digest::of(b"another");
    let before = follower.known.clone();
    follower.obey(shared).unwrap();
    assert_eq!(follower.known, before);
    assert_eq!(shared.state.order("shop", Some("stable")).unwrap(), None);
}

#[test]
fn a_kill_while_a_release_is_tried_again_loses_nothing() {
    kill_at_every_change(|folder| {
        let (world, host) = went_back(folder);
        order(&host);
        (world, host)
    });
}

#[test]
fn an_order_that_cannot_be_read_does_not_stop_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = went_back(folder.path());
    let file = order(&host);
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "{").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o444);
    std::fs::set_permissions(&file, mode).unwrap();
    world.publish(3, 3);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(3));
    assert!(!file.exists());
}

/// Such an order stays for the operator, and is told once.
#[test]
fn an_order_that_others_can_change_does_not_stop_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = went_back(folder.path());
    let file = order(&host);
    let set = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode).unwrap();
    };
    set(0o666);
    let lines = Lines::default();
    host.running.as_mut().unwrap().0.report = Arc::new(lines.clone());
    let told = || {
        let lines = lines.0.lock().unwrap();
        let told = lines.iter().filter(|it| it.contains("is not obeyed"));
        told.count()
    };
    for _ in 0..3 {
        host.rests(Phase::WentBack);
        assert_eq!(told(), 1);
    }
    // There is a folder in its place.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    for _ in 0..3 {
        host.rests(Phase::WentBack);
        assert_eq!(told(), 2);
    }
    world.publish(3, 3);
    host.rests(Phase::Healthy);
    assert_eq!(host.machine().current, Some(3));
}

/// The lines of a report.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Report for Lines {
    fn line(&self, _: Level, _: Option<&str>, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// A host that did not answer before the admission, nor since, says nothing about the release.
#[test]
fn a_host_that_is_not_up_yet_does_not_make_a_release_bad() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    host.machine().silent = true;
    world.publish(2, 2);
    // More often than a release may end its host.
    for _ in 0..8 {
        host.rests(Phase::Watching);
        let waits = host.status().waits.unwrap();
        assert_eq!(
            waits,
            "the gate cannot judge it yet: the host does not answer"
        );
        assert_eq!(host.machine().current, Some(2));
        host.start();
    }
    host.machine().silent = false;
    host.rests(Phase::Healthy);
    assert_eq!(host.status().waits, None);
}

/// A host that answered before the admission is silent after a restart: the release may be why.
#[test]
fn a_host_that_is_no_longer_up_makes_a_release_bad() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut host) = settled(folder.path(), "");
    // It is killed after the admission.
    host.machine().changes_left = Some(1);
    host.machine().is_made = true;
    world.publish(2, 2);
    assert_eq!(host.rest().trouble.unwrap().code, "killed");
    assert!(host.known().trial.unwrap().answered);
    host.machine().silent = true;
    host.start();
    host.rests(Phase::WentBack);
    let bad = host.known().bad.unwrap();
    assert_eq!(bad.end, End::WentBack(1));
    assert!(bad.reason.starts_with("the host does not answer after "));
}
