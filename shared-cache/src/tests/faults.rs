//! Stores that are dead, slow, cut off in the middle, or fail now and then: the build goes on
//! alone, and there is one thing to tell.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use opendal::layers::ChaosLayer;

use super::{EDGEC, Keys, answers, machine, memory, names, recalled, write};
use crate::session::runtime;
use crate::store::{Store, StoreError};
use crate::{Address, Options, SharedCache, Trouble};

/// A machine whose shared cache is at this URL.
fn at(url: &str, keys: &Keys, deadline: Duration) -> SharedCache {
    let mut options = Options::new(Address::parse(url).unwrap(), "build".to_owned(), EDGEC);
    options.trusted = keys.readers();
    options.deadline = deadline;
    let names = names("input");
    SharedCache::new(options, move || names)
}

const LONG: Duration = Duration::from_secs(60);

fn assert_store(machine: &SharedCache) {
    assert!(recalled(machine, "a").is_none());
    assert!(recalled(machine, "b").is_none());
    assert!(!machine.is_writable());
    let trouble = machine.trouble();
    assert!(matches!(trouble, Some(Trouble::Store(_))), "{trouble:?}");
    assert_eq!(trouble.unwrap().code(), "cache-store");
    assert!(machine.trouble().is_none());
}

#[test]
fn a_dead_server_is_found_at_once() {
    let keys = Keys::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for url in [
        "redis://127.0.0.1",
        "rediss://127.0.0.1",
        "webdav://127.0.0.1",
    ] {
        assert_store(&at(&format!("{url}:{port}"), &keys, LONG));
    }
}

/// A server that drops a part has no object.
#[test]
fn a_long_object_in_parts_comes_back_as_long_as_all_of_them_are_there() {
    let operator = memory();
    let store = Store::of(operator.clone()).in_parts();
    let long = [&b"long"[..], &[7; 700_000]].concat();
    runtime().unwrap().block_on(async {
        for object in [b"short".to_vec(), long.clone()] {
            let halves = object.split_at(3);
            let halves = vec![halves.0.to_vec().into(), halves.1.to_vec().into()];
            store.put("pack", halves).await.unwrap();
            let back = store.get("pack", 1 << 20).await.unwrap();
            assert!(back.unwrap() == object);
        }
        let error = store.get("pack", 700_000).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
        let head = crate::parts::Head::of(&long).unwrap();
        operator.delete(&head.part("pack", 1)).await.unwrap();
        assert_eq!(store.get("pack", 1 << 20).await.unwrap(), None);
    });
}

#[test]
fn a_silent_server_is_waited_for_only_once() {
    let keys = Keys::new();
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for scheme in ["redis", "webdav"] {
        let url = format!("{scheme}://127.0.0.1:{port}");
        let machine = at(&url, &keys, Duration::from_millis(50));
        for text in ["a", "b", "c"] {
            assert!(recalled(&machine, text).is_none());
        }
        assert!(!machine.is_writable());
        let trouble = machine.trouble();
        assert!(matches!(trouble, Some(Trouble::Late { .. })), "{trouble:?}");
        assert!(machine.trouble().is_none());
    }
}

#[test]
fn a_transfer_that_breaks_off_is_no_pack() {
    let keys = Keys::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            // Half of what is promised.
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&[0; 500]);
        }
    });
    assert_store(&at(&format!("webdav://127.0.0.1:{port}"), &keys, LONG));
}

#[test]
fn a_store_that_fails_now_and_then_gives_the_right_answer_or_none() {
    let (store, keys) = (memory(), Keys::new());
    write(&store, &keys.trusted, "input", &["a", "b"]);
    let (mut found, mut failed) = (0, 0);
    for _ in 0..200 {
        let chaotic = store.clone().layer(ChaosLayer::new(0.5));
        let machine = machine(&chaotic, keys.readers(), "input");
        let is_found = recalled(&machine, "a").is_some();
        assert_eq!(is_found, recalled(&machine, "b").is_some());
        match machine.trouble() {
            None => assert!(is_found),
            Some(Trouble::Store(_)) => assert!(!is_found),
            other => panic!("{other:?}"),
        }
        *(if is_found { &mut found } else { &mut failed }) += 1;
    }
    // 1 in 2^100 that one of them never happens.
    assert!(found > 0 && failed > 0, "{found} {failed}");
}

#[test]
fn writing_to_a_broken_store_is_trouble_and_no_error() {
    let keys = Keys::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = |scheme: &str| {
        let url = format!("{scheme}://127.0.0.1:{port}");
        let mut options = Options::new(Address::parse(&url).unwrap(), "build".to_owned(), EDGEC);
        options.write_deadline = Duration::from_millis(50);
        let names = names("input");
        SharedCache::new(options, move || names)
    };
    let writer = silent("redis");
    assert!(writer.write(&keys.trusted, answers(&["a"])).is_none());
    let trouble = writer.trouble();
    assert!(trouble.is_some());
    drop(listener);
    let writer = at(&format!("redis://127.0.0.1:{port}"), &keys, LONG);
    assert!(writer.write(&keys.trusted, answers(&["a"])).is_none());
    assert!(matches!(writer.trouble(), Some(Trouble::Store(_))));
}

#[test]
fn an_object_that_is_too_long_is_not_read() {
    let store = memory();
    let runtime = runtime().unwrap();
    runtime.block_on(async {
        store.write("x", vec![0; 1000]).await.unwrap();
        let store = Store::of(store);
        assert_eq!(store.get("x", 1000).await.unwrap().unwrap().len(), 1000);
        let long = store.get("x", 999).await;
        assert_eq!(long, Err(StoreError::TooLong { most: 999 }));
        assert_eq!(store.get("y", 999).await, Ok(None));
        let listed = store.list("/").await.unwrap();
        assert_eq!((listed.len(), listed[0].bytes), (1, 1000));
    });
}

#[test]
fn a_store_that_cannot_be_meant_is_told() {
    let keys = Keys::new();
    let redis = Address::parse("redis://127.0.0.1").unwrap();
    let none = crate::survey(&redis, "build", Duration::from_secs(1));
    assert_eq!(none.map(|_| ()), Err(StoreError::NoList));
    let none = crate::verify(&redis, "build", &keys.readers(), Duration::from_secs(1));
    assert_eq!(none.map(|_| ()), Err(StoreError::NoList));
}
