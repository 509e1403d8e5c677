//! Loads while a newer release replaces the statements of the one before.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

// Each test program uses other parts of the publisher.
#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/publisher.rs"]
mod publisher;

use std::sync::atomic::{AtomicBool, Ordering};

use edgec_store::ArtifactStore;
use publisher::{
    Host, Keys, START, STRICT, edition, edition_of, expected, load_from, policy, stamp, with,
};

/// A collection removes the statements of older releases. A load that has just read which release
/// is the newest must not miss them.
#[test]
fn loads_succeed_while_releases_come_and_go() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let first = edition(&keys, 1, 1, 0);
    let said = with(&first.release, &stamp(&keys.timestamp, &first, START));
    for it in &first.artifacts {
        host.add(&it.file, &said, &policy).unwrap();
    }
    let newer: Vec<_> = (2..150)
        .map(|serial| {
            let edition = edition_of(&keys, 1, serial, 0, first.artifacts.clone());
            let stamped = stamp(&keys.timestamp, &edition, START);
            (edition.release, stamped)
        })
        .collect();

    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| {
            let mut loads = 0;
            while !ended.load(Ordering::Relaxed) {
                // A store that was just opened has no verdicts in its memory.
                let store = ArtifactStore::open(host.store.path()).unwrap();
                load_from(&store.with_clock(host.clock.clone()), &policy).unwrap();
                loads += 1;
            }
            loads
        });
        for (release, stamped) in &newer {
            host.store
                .add_release(release, Some(stamped), &policy, &expected())
                .unwrap();
            host.store.collect().unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        assert!(loading.join().unwrap() > 0);
    });
}
