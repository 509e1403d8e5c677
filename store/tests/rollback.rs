//! What a store remembers: versions and serials, signatures, times; and who can make it forget.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

// Each test program uses other parts of the publisher.
#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/publisher.rs"]
mod publisher;

use edgec_packager::{SecretKey, UnsignedArtifact};
use edgec_store::{ArtifactStore, Change, Standing, TrustPolicy, UnixTime};
use publisher::{
    FRESH, Host, Keys, PLAIN, START, STRICT, application, artifact, edition, edition_of, entry,
    expected, policy, signed, stamp, with,
};

#[test]
fn removing_artifacts_does_not_forget_their_versions() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    let [one, _] = &keys.signers;
    let made = |version| artifact(&[one], 0, version, 0).file;
    host.add(&made(3), &expected(), &policy).unwrap();
    let older = host.add(&made(2), &expected(), &policy).unwrap_err();
    assert_eq!(older, "version-rollback");
    host.store.remove(application()).unwrap();
    host.store.collect().unwrap();
    let older = host.add(&made(2), &expected(), &policy).unwrap_err();
    assert_eq!(older, "version-rollback");
    // Also for another process, and after the folder was opened again.
    let again = ArtifactStore::open(host.store.path()).unwrap();
    assert!(again.list().unwrap().artifacts.is_empty());
    let back = host.add(&made(3), &expected(), &policy).unwrap();
    assert_eq!(back.change, Change::Added);
    // A version that is still there takes its artifacts again.
    host.add(&made(4), &expected(), &policy).unwrap();
    let known = host.add(&made(3), &expected(), &policy).unwrap();
    assert_eq!(known.standing, Standing::Older { current: 4 });
    host.store.make_current(application(), 3).unwrap();
    assert!(host.load(&policy).is_ok());
}

#[test]
fn a_version_has_one_artifact_for_a_target() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, PLAIN, "");
    let [one, _] = &keys.signers;
    host.add(&artifact(&[one], 0, 1, 0).file, &expected(), &policy)
        .unwrap();
    let other = artifact(&[one], 0, 1, 1).file;
    let refused = host.add(&other, &expected(), &policy).unwrap_err();
    assert_eq!(refused, "version-taken");
    // For another target, it is another artifact.
    host.add(&artifact(&[one], 1, 1, 0).file, &expected(), &policy)
        .unwrap();
}

/// A release with a higher serial replaces the images of one version, all of them at once.
#[test]
fn a_newer_release_replaces_a_version_as_a_whole() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let [first, second] = [1, 2].map(|serial| edition(&keys, 5, serial, 0));
    let said = |edition: &publisher::Edition| {
        with(&edition.release, &stamp(&keys.timestamp, edition, START))
    };
    for it in &first.artifacts {
        host.add(&it.file, &said(&first), &policy).unwrap();
    }
    let images = |edition: &publisher::Edition| edition.artifacts.each_ref().map(|it| it.image);
    let sorted = |mut images: Vec<_>| {
        images.sort();
        images
    };
    let half = host
        .add(&second.artifacts[0].file, &said(&second), &policy)
        .unwrap();
    assert_eq!(half.change, Change::Waits);
    let Standing::Lacks { targets, .. } = half.standing else {
        panic!("{:?}", half.standing);
    };
    assert_eq!(targets, ["x86_64-v3 (default)"]);
    let running = sorted(host.load(&policy).unwrap());
    assert_eq!(
        running,
        sorted(images(&first).to_vec()),
        "still the first release"
    );
    // A collection keeps what waits.
    host.store.collect().unwrap();
    let whole = host
        .add(&second.artifacts[1].file, &said(&second), &policy)
        .unwrap();
    assert_eq!(whole.standing, Standing::Current);
    let running = sorted(host.load(&policy).unwrap());
    assert_eq!(running, sorted(images(&second).to_vec()));
    // The first does not come back.
    let old = host
        .add(&first.artifacts[0].file, &said(&first), &policy)
        .unwrap_err();
    assert_eq!(old, "serial-rollback");
    // Nor does an artifact without a release, under a policy that does not ask for one.
    let plain = publisher::policy(&keys, PLAIN, "");
    let bare = host
        .add(&second.artifacts[0].file, &expected(), &plain)
        .unwrap_err();
    assert_eq!(bare, "no-release");
    // One serial is one release.
    let twin = edition_of(&keys, 5, 2, 1, first.artifacts.clone());
    let twin = host
        .add(&first.artifacts[0].file, &said(&twin), &policy)
        .unwrap_err();
    assert_eq!(twin, "serial-taken");
}

#[test]
fn the_way_back_leads_to_what_may_run() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let add = |version: u64, floor: u64| {
        let edition = edition(&keys, version, version, floor);
        let said = with(&edition.release, &stamp(&keys.timestamp, &edition, START));
        for it in &edition.artifacts {
            host.add(&it.file, &said, &policy).unwrap();
        }
    };
    add(1, 0);
    add(2, 0);
    add(3, 2);
    host.store.make_current(application(), 2).unwrap();
    assert_eq!(host.load(&policy).unwrap().len(), 2);
    let refused = host.store.make_current(application(), 1).unwrap_err();
    assert_eq!(refused.code(), "release-floor");
    // A newer release takes the way back away: nothing that runs is below its floor.
    let newest = edition(&keys, 4, 4, 3);
    let stamped = stamp(&keys.timestamp, &newest, START);
    let taken = host
        .store
        .add_release(&newest.release, Some(&stamped), &policy, &expected())
        .unwrap();
    assert_eq!(taken.missing.len(), 2);
    assert_eq!(host.load(&policy), Err("release-floor".to_owned()));
}

/// A release that was signed ahead, and of which no timestamp says that it is the newest.
#[test]
fn a_release_without_the_timestamp_that_is_demanded_changes_nothing() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let [now, ahead] = [1, 2].map(|number| edition(&keys, number, number, number));
    let stamped = stamp(&keys.timestamp, &now, START);
    for it in &now.artifacts {
        host.add(&it.file, &with(&now.release, &stamped), &policy)
            .unwrap();
    }
    let add = |edition: &publisher::Edition, stamp: Option<&[u8]>| {
        let added = host
            .store
            .add_release(&edition.release, stamp, &policy, &expected());
        added.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(add(&ahead, None), Err("no-timestamp"));
    assert_eq!(host.load(&policy).map(|it| it.len()), Ok(2));
    assert_eq!(add(&now, Some(&stamped)), Ok(()));
    // The store has a timestamp of this one.
    assert_eq!(add(&now, None), Ok(()));
    let warns = publisher::policy(&keys, STRICT, "[checks]\nfreshness = 'warn'\n");
    let taken = host
        .store
        .add_release(&ahead.release, None, &warns, &expected());
    assert!(taken.is_ok());
}

/// Loads see the statements before a change, or those after it, wherever it was interrupted.
#[test]
fn an_interrupted_change_of_statements_does_not_matter() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let [old, new] = [1, 2].map(|number| edition(&keys, number, number, 0));
    let stamped = stamp(&keys.timestamp, &old, START);
    for it in &old.artifacts {
        host.add(&it.file, &with(&old.release, &stamped), &policy)
            .unwrap();
    }
    let releases = host.store.path().join("releases");
    let folder = std::fs::read_dir(releases).unwrap().next().unwrap();
    let floors = folder.unwrap().path().join("floors");
    let before = std::fs::read(&floors).unwrap();
    let stamped = stamp(&keys.timestamp, &new, START);
    let add = || {
        let added = host
            .store
            .add_release(&new.release, Some(&stamped), &policy, &expected());
        added.unwrap()
    };
    add();
    // The floors are written last.
    std::fs::write(&floors, before).unwrap();
    assert_eq!(host.load(&policy).map(|it| it.len()), Ok(2));
    add();
    assert_eq!(host.load(&policy).map(|it| it.len()), Ok(2));
}

/// The store remembers the floor of a release, whatever a policy demands.
#[test]
fn nothing_runs_below_the_floor_of_a_release_under_any_policy() {
    let (keys, host) = (Keys::new(), Host::new());
    let strict = policy(&keys, STRICT, "");
    let plain = policy(&keys, PLAIN, "");
    let old = edition(&keys, 1, 1, 0);
    let said = with(&old.release, &stamp(&keys.timestamp, &old, START));
    for it in &old.artifacts {
        host.add(&it.file, &said, &strict).unwrap();
    }
    assert_eq!(host.load(&plain).map(|it| it.len()), Ok(2));
    let new = edition(&keys, 2, 2, 2);
    let stamped = stamp(&keys.timestamp, &new, START);
    let taken = host
        .store
        .add_release(&new.release, Some(&stamped), &strict, &expected());
    assert_eq!(taken.unwrap().missing.len(), 2);
    let below = Err("release-floor".to_owned());
    assert_eq!(host.load(&plain), below);
    let off = policy(
        &keys,
        STRICT,
        "[checks]\nrelease = 'off'\nfreshness = 'off'\n",
    );
    assert_eq!(host.load(&off), below);
    let report = host.store.verify(&plain).unwrap();
    let codes: Vec<_> = report
        .artifacts
        .iter()
        .map(|it| it.error.as_ref().map(edgec_store::AdmissionError::code))
        .collect();
    assert_eq!(codes, [Some("release-floor"), Some("release-floor")]);
    // A root can lower it.
    let reset = "[[reset]]\nnumber = 1\napplication = 'acme/shop'\nchannel = 'stable'\n\
        version = 1\nserial = 1\n";
    let [root, ..] = &keys.roots;
    let rooted = signed(&keys.policy(PLAIN, reset), &[root]);
    let now = UnixTime::from_seconds(START);
    let rooted = TrustPolicy::decode(&rooted, &[root.public()], now).unwrap();
    assert_eq!(host.load(&rooted).map(|it| it.len()), Ok(2));
}

/// A host takes the release first, and learns what it lacks; also if it has nothing yet.
#[test]
fn a_release_tells_what_a_store_lacks() {
    let (keys, host) = (Keys::new(), Host::new());
    let policy = policy(&keys, STRICT, "");
    let first = edition(&keys, 1, 1, 0);
    let stamped = stamp(&keys.timestamp, &first, START);
    let lacks = || {
        let taken = host
            .store
            .add_release(&first.release, Some(&stamped), &policy, &expected());
        taken.unwrap().missing
    };
    assert_eq!(lacks().len(), 2, "nothing is there");
    for it in &first.artifacts {
        host.add(&it.file, &with(&first.release, &stamped), &policy)
            .unwrap();
    }
    assert_eq!(lacks(), Vec::<String>::new());
    // Of another application than the host wants.
    for wanted in [
        edgec_store::Expected::application("acme/other"),
        expected().in_channel("beta"),
    ] {
        let refused = host
            .store
            .add_release(&first.release, Some(&stamped), &policy, &wanted);
        assert_eq!(refused.unwrap_err().code(), "release-application");
    }
}

#[test]
fn of_one_manifest_the_signatures_of_both_files_stay() {
    let (keys, host) = (Keys::new(), Host::new());
    let [one, two] = &keys.signers;
    let policy = policy(&keys, PLAIN, "");
    let both = policy_of_two(&keys);
    host.add(&artifact(&[one], 0, 1, 0).file, &expected(), &policy)
        .unwrap();
    assert_eq!(host.load(&both), Err("threshold".to_owned()));
    let second = host
        .add(&artifact(&[two], 0, 1, 0).file, &expected(), &policy)
        .unwrap();
    assert!(
        matches!(second.change, Change::Replaced { .. }),
        "{:?}",
        second.change
    );
    assert_eq!(host.load(&both).map(|it| it.len()), Ok(1));
    // Fewer never replace more.
    let fewer = host
        .add(&artifact(&[one], 0, 1, 0).file, &expected(), &policy)
        .unwrap();
    assert_eq!(fewer.change, Change::Unchanged);
    assert_eq!(host.load(&both).map(|it| it.len()), Ok(1));
    // A false signature under the id of a key that is not known yet counts as none when the key is
    // known, and makes place for the true one.
    let file = artifact(&[two], 0, 2, 0).file;
    let (unsigned, kept) = UnsignedArtifact::reopen(&file).unwrap();
    let id = one.public().id().to_string();
    let forged = edgec_packager::Signature::new(&id, [7; 64]);
    let file = unsigned
        .sign(two, [kept, vec![forged]].concat())
        .unwrap()
        .into_bytes();
    let alone = format!("{PLAIN}{}", entry("two", two, "artifact"));
    let alone = TrustPolicy::from_toml(&alone).unwrap();
    host.add(&file, &expected(), &alone).unwrap();
    assert_eq!(host.load(&policy).map(|it| it.len()), Ok(1));
    assert_eq!(host.load(&both), Err("threshold".to_owned()));
    host.add(&artifact(&[one, two], 0, 2, 0).file, &expected(), &policy)
        .unwrap();
    assert_eq!(host.load(&both).map(|it| it.len()), Ok(1));
}

fn policy_of_two(keys: &Keys) -> TrustPolicy {
    policy(keys, &PLAIN.replace("threshold = 1", "threshold = 2"), "")
}

/// A stolen release key drives the serial up. The root revokes it, and sets the floors again.
#[test]
fn only_a_root_sets_floors_again() {
    let (mut keys, host) = (Keys::new(), Host::new());
    let strict = policy(&keys, STRICT, "");
    let publish = |keys: &Keys, version, serial| {
        let edition = edition(keys, version, serial, 0);
        let stamp = stamp(&keys.timestamp, &edition, START);
        (edition, stamp)
    };
    let (good, stamped) = publish(&keys, 1, 1);
    let take = |edition: &publisher::Edition, stamp: &[u8], policy: &TrustPolicy| {
        let taken = host
            .store
            .add_release(&edition.release, Some(stamp), policy, &expected());
        taken.map(|_| ()).map_err(|error| error.code())
    };
    take(&good, &stamped, &strict).unwrap();
    let (driven, stamped) = publish(&keys, (1 << 53) - 1, (1 << 53) - 1);
    take(&driven, &stamped, &strict).unwrap();
    // A new release key.
    keys.release = SecretKey::generate().unwrap();
    let (next, stamped) = publish(&keys, 2, 2);
    let reset = "[[reset]]\nnumber = 1\napplication = 'acme/shop'\nchannel = 'stable'\n\
        version = 1\nserial = 1\n";
    let unsigned = policy(&keys, STRICT, reset);
    assert_eq!(take(&next, &stamped, &unsigned), Err("serial-rollback"));
    let [root, ..] = &keys.roots;
    let text = keys.policy(STRICT, reset);
    let now = UnixTime::from_seconds(START);
    let rooted = signed(&text, &[root]);
    let rooted = TrustPolicy::decode(&rooted, &[root.public()], now).unwrap();
    take(&next, &stamped, &rooted).unwrap();
    // Once: the floors rise again, and the same order does nothing.
    let (newer, newer_stamp) = publish(&keys, 3, 3);
    take(&newer, &newer_stamp, &rooted).unwrap();
    assert_eq!(take(&next, &stamped, &rooted), Err("serial-rollback"));
}

#[test]
fn a_clock_that_is_set_back_is_noticed() {
    let (keys, host) = (Keys::new(), Host::new());
    let strict = policy(&keys, STRICT, "");
    let edition = edition(&keys, 1, 1, 0);
    let add = |at: u64| {
        let stamped = stamp(&keys.timestamp, &edition, at);
        let said = with(&edition.release, &stamped);
        let added = host.add(&edition.artifacts[0].file, &said, &strict);
        added.map(|_| ())
    };
    // What is ahead of the host's clock is refused, and not remembered.
    assert_eq!(add(START + 400), Err("issued-ahead".to_owned()));
    add(START).unwrap();
    host.clock.set(START + FRESH);
    assert_eq!(host.load(&strict), Err("release-stale".to_owned()));
    add(START + FRESH).unwrap();
    assert!(host.load(&strict).is_ok());
    host.clock.set(START + 10);
    assert_eq!(host.load(&strict), Err("clock-behind".to_owned()));
    assert_eq!(add(START), Err("clock-behind".to_owned()));
    // A root can set it again.
    let tail = "[reset-clock]\nnumber = 1\nto = 2030-01-01T00:00:00Z\n";
    let [root, ..] = &keys.roots;
    let rooted = signed(&keys.policy(STRICT, tail), &[root]);
    let now = UnixTime::from_seconds(START);
    let rooted = TrustPolicy::decode(&rooted, &[root.public()], now).unwrap();
    // The timestamp that the store has is ahead of the clock now: the host needs another one.
    assert_eq!(host.load(&rooted), Err("issued-ahead".to_owned()));
    let stamped = stamp(&keys.timestamp, &edition, START);
    let said = with(&edition.release, &stamped);
    for it in &edition.artifacts {
        host.add(&it.file, &said, &rooted).unwrap();
    }
    assert_eq!(host.load(&rooted).map(|it| it.len()), Ok(2));
}
