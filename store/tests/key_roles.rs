//! What each key may do in a store: revoked and stolen keys, notaries, and roots that change.
#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first error")]

// Each test program uses other parts of the publisher.
#[allow(dead_code, reason = "shared by several test programs")]
#[path = "support/publisher.rs"]
mod publisher;

use edgec_packager::{SecretKey, UnsignedCompanion};
use edgec_store::verifier::artifact::{Artifact, Envelope, RebuildStatement, Statement, Timestamp};
use edgec_store::verifier::follow_chain;
use edgec_store::{TrustPolicy, UnixTime};
use publisher::{
    FRESH, Host, Keys, PLAIN, START, STRICT, artifact, edition, edition_of, entry, expected,
    policy, signed, stamp, with,
};

/// A revocation from a time on counts against times that the signer cannot choose.
#[test]
fn a_revoked_key_counts_for_what_a_store_knew_before() {
    let (keys, host) = (Keys::new(), Host::new());
    let [one, _] = &keys.signers;
    let id = one.public().id();
    // 2030-03-17 is START.
    let revoked = |from: &str| {
        let tail = format!("[[revoked-key]]\nid = '{id}'\nreason = 'lost'\n{from}\n");
        policy(&keys, PLAIN, &tail)
    };
    let before = artifact(&[one], 0, 1, 0);
    host.add(&before.file, &expected(), &policy(&keys, PLAIN, ""))
        .unwrap();
    let (later, earlier) = (
        "revoked-from = 2030-04-01T00:00:00Z",
        "revoked-from = 2030-01-01T00:00:00Z",
    );
    assert!(host.load(&revoked(later)).is_ok());
    assert_eq!(host.load(&revoked(earlier)), Err("revoked-key".to_owned()));
    assert_eq!(host.load(&revoked("")), Err("revoked-key".to_owned()));
    // The same file on another host: no witness, so the signature is void.
    let other = Host::new();
    let refused = other
        .add(&before.file, &expected(), &revoked(later))
        .unwrap_err();
    assert_eq!(refused, "revoked-key");
    // A timestamp of its release is a witness.
    let copy = artifact(&[one], 1, 1, 0);
    let edition = edition_of(&keys, 1, 1, 0, [before, copy]);
    let said = with(&edition.release, &stamp(&keys.timestamp, &edition, START));
    other
        .add(&edition.artifacts[0].file, &said, &revoked(later))
        .unwrap();
}

/// A store keeps statements. No caller gives them for a load, so a policy that does not demand them
/// is not stricter because of them.
#[test]
fn kept_statements_refuse_nothing_that_the_policy_accepts() {
    let (keys, host) = (Keys::new(), Host::new());
    let strict = policy(&keys, STRICT, "");
    let edition = edition(&keys, 1, 1, 0);
    let said = with(&edition.release, &stamp(&keys.timestamp, &edition, START));
    for it in &edition.artifacts {
        host.add(&it.file, &said, &strict).unwrap();
    }
    // A revocation that has nothing to do with the artifact makes the store look for witnesses.
    let id = keys.notary.public().id();
    let revoked = format!(
        "[[revoked-key]]\nid = '{id}'\nreason = 'lost'\nrevoked-from = 2030-01-01T00:00:00Z\n"
    );
    let [one, two] = &keys.signers;
    let signers = [entry("one", one, "artifact"), entry("two", two, "artifact")].concat();
    let bare = format!("{PLAIN}{signers}{revoked}");
    let bare = TrustPolicy::from_toml(&bare).unwrap();
    assert_eq!(host.load(&bare).map(|it| it.len()), Ok(2));
    let plain = policy(&keys, PLAIN, &revoked);
    let only_releases = policy(&keys, &STRICT.replace("timestamp = 1\n", ""), "");
    assert_eq!(host.load(&only_releases).map(|it| it.len()), Ok(2));
    // The timestamp has expired, and only one policy demands it.
    host.clock.set(START + FRESH);
    assert_eq!(host.load(&strict), Err("release-stale".to_owned()));
    assert_eq!(host.load(&plain).map(|it| it.len()), Ok(2));
    assert_eq!(host.load(&only_releases).map(|it| it.len()), Ok(2));
    // A release that is demanded is judged.
    let thief = keys.release.public().id();
    let stolen = format!("[[revoked-key]]\nid = '{thief}'\nreason = 'stolen'\n");
    let after = policy(&keys, &STRICT.replace("timestamp = 1\n", ""), &stolen);
    assert_eq!(host.load(&after), Err("release-signature".to_owned()));
}

/// Of several files with one statement, the store keeps the one that it has verified.
#[test]
fn a_file_that_was_refused_is_not_kept() {
    let (keys, host) = (Keys::new(), Host::new());
    let strict = policy(&keys, STRICT, "");
    let edition = edition(&keys, 1, 1, 0);
    let good = stamp(&keys.timestamp, &edition, START);
    // The same payload under the right key id, with a signature of other bytes.
    let forged = |file: &[u8]| {
        let envelope = Envelope::decode(file).unwrap();
        let ids = envelope
            .signatures()
            .iter()
            .map(|it| it.key_id().to_owned());
        let wrong = ids.map(|id| edgec_packager::Signature::new(&id, [7; 64]));
        Envelope::new(envelope.payload().to_vec(), wrong.collect()).encode()
    };
    let said = with(&forged(&edition.release), &forged(&good))
        .with_release(edition.release.clone())
        .with_timestamp(good.clone());
    for it in &edition.artifacts {
        host.add(&it.file, &said, &strict).unwrap();
    }
    assert_eq!(host.load(&strict).map(|it| it.len()), Ok(2));
}

/// Neither a signature on the artifact nor a statement about another one replaces a notary.
#[test]
fn only_a_notary_says_that_it_has_rebuilt() {
    let (keys, host) = (Keys::new(), Host::new());
    let [one, _] = &keys.signers;
    let tenant = artifact(&[one], 0, 1, 0);
    let head = format!("{PLAIN}notary = 1\n");
    let policy = policy(&keys, &head, "");
    let refused = |file: &[u8], said| host.add(file, &said, &policy).unwrap_err();
    assert_eq!(refused(&tenant.file, expected()), "no-notary");
    let appended = artifact(&[one, &keys.notary], 0, 1, 0);
    assert_eq!(refused(&appended.file, expected()), "no-notary");
    let statement = |file: &[u8], key: &SecretKey| {
        let decoded = Artifact::decode(file).unwrap();
        let payload = decoded.envelope().payload();
        let manifest = Statement::decode(payload).unwrap().manifest;
        let statement = RebuildStatement::of(&manifest, payload, "0.1.0");
        let signed = UnsignedCompanion::rebuild(&statement).sign(key);
        expected().with_rebuild(signed.unwrap().into_bytes())
    };
    let by_tenant = statement(&tenant.file, one);
    assert_eq!(refused(&tenant.file, by_tenant), "notary-signature");
    // One byte of code is different, and the tenant has signed it.
    let changed = artifact(&[one], 0, 1, 1);
    let about = statement(&tenant.file, &keys.notary);
    assert_eq!(refused(&changed.file, about.clone()), "notary-subject");
    let broken = expected().with_rebuild(b"{}".to_vec());
    assert_eq!(refused(&tenant.file, broken), "notary-statement");
    host.add(&tenant.file, &about, &policy).unwrap();
    // The statement is kept: loads need it, and so does a host that adds a signature.
    assert_eq!(host.load(&policy).map(|it| it.len()), Ok(1));
    host.add(&appended.file, &about, &policy).unwrap();
    host.store.collect().unwrap();
    assert_eq!(host.load(&policy).map(|it| it.len()), Ok(1));
}

/// Anyone who can write a statement's file can put long signatures of unknown kinds into it. The
/// store keeps what counts, in files that it can read.
#[test]
fn long_signatures_make_no_statement_unreadable() {
    let (keys, host) = (Keys::new(), Host::new());
    let head = format!("{STRICT}notary = 1\n");
    let policy = policy(&keys, &head, "");
    let edition = edition(&keys, 1, 1, 0);
    let stuffed = |file: &[u8], salt: u8| {
        let envelope = Envelope::decode(file).unwrap();
        let junk = |number: String| edgec_packager::Signature::new(&number, vec![salt; 16384]);
        let signatures = (0..40).map(|number| junk(format!("{salt} {number}")));
        let signatures = signatures.chain(envelope.signatures().to_vec()).collect();
        Envelope::new(envelope.payload().to_vec(), signatures).encode()
    };
    let time = stamp(&keys.timestamp, &edition, START);
    for salt in 0..6 {
        for made in &edition.artifacts {
            let artifact = Artifact::decode(&made.file).unwrap();
            let payload = artifact.envelope().payload();
            let manifest = Statement::decode(payload).unwrap().manifest;
            let rebuild = RebuildStatement::of(&manifest, payload, "0.1.0");
            let rebuild = UnsignedCompanion::rebuild(&rebuild).sign(&keys.notary);
            let rebuild = stuffed(rebuild.unwrap().as_bytes(), salt);
            let said = with(&stuffed(&edition.release, salt), &time).with_rebuild(rebuild);
            host.add(&made.file, &said, &policy).unwrap();
        }
        assert_eq!(host.load(&policy).map(|it| it.len()), Ok(2), "{salt}");
    }
}

/// A key counts for its role only: an online key that was stolen chooses no code.
#[test]
fn a_timestamp_key_signs_neither_releases_nor_artifacts() {
    let (keys, host) = (Keys::new(), Host::new());
    let strict = policy(&keys, STRICT, "");
    let stolen = &keys.timestamp;
    let good = edition(&keys, 1, 1, 0);
    let release = UnsignedCompanion::release(&good.statement)
        .sign(stolen)
        .unwrap();
    let stamped = stamp(stolen, &good, START);
    let said = with(release.as_bytes(), &stamped);
    let file = &good.artifacts[0].file;
    assert_eq!(
        host.add(file, &said, &strict).unwrap_err(),
        "release-signature"
    );
    let own = artifact(&[stolen], 0, 1, 0);
    let said = with(&good.release, &stamped);
    assert_eq!(host.add(&own.file, &said, &strict).unwrap_err(), "key-role");
    // A timestamp in the place of a release, and the other way round.
    let said = with(&stamped, &good.release);
    assert_eq!(
        host.add(file, &said, &strict).unwrap_err(),
        "release-signature"
    );
    let by_release_key = stamp(&keys.release, &good, START);
    let said = with(&good.release, &by_release_key);
    assert_eq!(
        host.add(file, &said, &strict).unwrap_err(),
        "timestamp-signature"
    );
    let alone = expected().with_release(good.release.clone());
    assert_eq!(host.add(file, &alone, &strict).unwrap_err(), "no-timestamp");
    assert_eq!(
        host.add(file, &expected(), &strict).unwrap_err(),
        "no-release"
    );
    let other = edition(&keys, 2, 2, 0);
    let said = with(&good.release, &stamp(stolen, &other, START));
    assert_eq!(
        host.add(file, &said, &strict).unwrap_err(),
        "timestamp-release"
    );
    // What it can do: repeat what was signed, until a newer release was seen.
    let said = with(&good.release, &stamped);
    host.add(file, &said, &strict).unwrap();
}

/// Root keys change step by step; a host that was off follows every step.
#[test]
fn a_chain_of_policies_is_followed_step_by_step() {
    let keys = Keys::new();
    let [a, b, c] = &keys.roots;
    let text = |version: u64, expires: &str, roots: &[(&str, &SecretKey)]| {
        let head =
            format!("name = 'fleet'\nversion = {version}\nthreshold = 1\nroot = 1\n{expires}");
        let roots: Vec<String> = roots
            .iter()
            .map(|(name, key)| entry(name, key, "root"))
            .collect();
        keys.policy(&head, &roots.concat())
    };
    let now = UnixTime::from_seconds(START);
    let old = "expires = 2030-01-01T00:00:00Z\n";
    let one = signed(&text(1, old, &[("a", a)]), &[a]);
    let two = signed(&text(2, old, &[("b", b)]), &[a, b]);
    let three = signed(&text(3, "", &[("c", c)]), &[b, c]);
    let known = || TrustPolicy::decode(&one, &[], UnixTime::EPOCH).unwrap();
    let chain = follow_chain(known(), &[&three, &one, &two], now).unwrap();
    let steps: Vec<_> = chain
        .followed
        .iter()
        .filter_map(TrustPolicy::version)
        .collect();
    assert_eq!(
        (steps, chain.newest, chain.ignored),
        (vec![2, 3], Some(0), vec![1])
    );
    let code = |offered: &[&[u8]]| follow_chain(known(), offered, now).unwrap_err().code();
    // A step is missing; signed by the old root or the new one alone.
    assert_eq!(code(&[&three]), "policy-root");
    for signers in [[a], [b]] {
        let half = signed(&text(2, old, &[("b", b)]), &signers);
        assert_eq!(code(&[&half]), "policy-root");
    }
    // Only the last one's expiry counts.
    assert_eq!(code(&[&two]), "policy-expired");
    // Without root keys, nothing follows.
    let last = signed(&text(2, "", &[]).replace("root = 1\n", ""), &[a]);
    assert_eq!(code(&[&last]), "policy-chain");
    // A policy of another name does not stand in the way of those that follow.
    let renamed = text(2, "", &[("a", a)]).replace("'fleet'", "'other'");
    let renamed = signed(&renamed, &[a]);
    let chain = follow_chain(known(), &[&renamed, &three, &two], now).unwrap();
    assert_eq!((chain.newest, chain.ignored), (Some(1), vec![0]));
    // An edition that demands that policies expire is not followed by one that does not.
    let expiring = "expires = 2031-01-01T00:00:00Z\n";
    let demanding = text(2, expiring, &[("a", a)]) + "[validity]\npolicy-expiry-required = true\n";
    let demanding = signed(&demanding, &[a]);
    let endless = signed(&text(3, "", &[("a", a)]), &[a]);
    assert_eq!(code(&[&demanding, &endless]), "policy-expiry");
    let many = vec![one.as_slice(); 1025];
    assert_eq!(code(&many), "policy-chain");
    let none = TrustPolicy::from_toml(&keys.policy(PLAIN, "")).unwrap();
    assert_eq!(
        follow_chain(none, &[&one], now).unwrap_err().code(),
        "policy-chain"
    );
    // The newest that is known already stays.
    let stays = follow_chain(known(), &[&one], UnixTime::EPOCH).unwrap();
    assert_eq!(
        (stays.newest, stays.followed.len(), stays.ignored),
        (None, 0, vec![0])
    );
}

/// A thief of the key of timestamps can make one that holds for years. When the key is revoked,
/// that one does not stand in the way of those by the next key.
#[test]
fn a_timestamp_of_a_stolen_key_gives_way() {
    let (mut keys, host) = (Keys::new(), Host::new());
    let before = policy(&keys, STRICT, "");
    let edition = edition(&keys, 1, 1, 0);
    let take = |stamped: &[u8], policy: &TrustPolicy| {
        for it in &edition.artifacts {
            host.add(&it.file, &with(&edition.release, stamped), policy)
                .unwrap();
        }
    };
    let time = UnixTime::from_seconds;
    let long = Timestamp::new(edition.statement.digest(), time(START), time(START * 2)).unwrap();
    let long = UnsignedCompanion::timestamp(&long)
        .sign(&keys.timestamp)
        .unwrap()
        .into_bytes();
    take(&long, &before);
    let thief = keys.timestamp.public().id();
    keys.timestamp = SecretKey::generate().unwrap();
    let after = policy(
        &keys,
        STRICT,
        &format!("[[revoked-key]]\nid = '{thief}'\nreason = 'stolen'\n"),
    );
    assert_eq!(host.load(&after), Err("timestamp-signature".to_owned()));
    take(&stamp(&keys.timestamp, &edition, START), &after);
    assert_eq!(host.load(&after).map(|it| it.len()), Ok(2));
    host.clock.set(START + FRESH);
    assert_eq!(host.load(&after), Err("release-stale".to_owned()));
}
