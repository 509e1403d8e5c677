//! The bounds of a store, in memory. `tests/keyvalue/` has the same cases on a Redis server.

use super::*;

fn bucket(limits: KeyValueLimits) -> Bucket {
    let buckets = ["other".to_owned()];
    KeyValue::new("acme/app", Place::Memory, buckets, limits)
        .open("")
        .unwrap()
}

fn entry(key: &str, value: &str) -> (String, Vec<u8>) {
    (key.to_owned(), value.as_bytes().to_vec())
}

#[tokio::test]
async fn a_value_is_read_as_it_was_written() {
    let bucket = bucket(KeyValueLimits::default());
    assert_eq!(bucket.get("a").await.unwrap(), None);
    bucket
        .set(vec![entry("a", "1"), entry("b", "")])
        .await
        .unwrap();
    assert_eq!(bucket.get("a").await.unwrap(), Some(b"1".to_vec()));
    let keys = ["b".to_owned(), "c".to_owned(), "a".to_owned()];
    let values = bucket.get_many(&keys).await.unwrap();
    assert_eq!(values, [Some(Vec::new()), None, Some(b"1".to_vec())]);
    bucket.delete(&keys).await.unwrap();
    assert!(!bucket.exists("a").await.unwrap());
    assert_eq!(bucket.all_keys().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn buckets_and_applications_have_nothing_in_common() {
    let bucket = bucket(KeyValueLimits::default());
    let other = bucket.store.open("other").unwrap();
    bucket.set(vec![entry("a", "1")]).await.unwrap();
    assert_eq!(other.get("a").await.unwrap(), None);
    let same = bucket.store.open(DEFAULT_BUCKET).unwrap();
    assert!(same.exists("a").await.unwrap());
    let unknown = bucket.store.open("unknown").unwrap_err();
    assert_eq!(unknown, KeyValueError::NoSuchStore);
    let limits = KeyValueLimits::default();
    let neighbour = KeyValue::new("acme/app", Place::Memory, [], limits)
        .open("")
        .unwrap();
    assert!(!neighbour.exists("a").await.unwrap());
}

#[tokio::test]
async fn keys_are_listed_in_pages() {
    let limits = KeyValueLimits {
        page: 2,
        ..KeyValueLimits::default()
    };
    let bucket = bucket(limits);
    let entries = ["e", "b", "a", "d", "c"].map(|key| entry(key, ""));
    bucket.set(entries.to_vec()).await.unwrap();
    let mut after = None;
    let mut pages = Vec::new();
    loop {
        let page = bucket.keys(after.as_deref()).await.unwrap();
        pages.push(page.keys);
        after = match page.next {
            Some(next) => Some(next),
            None => break,
        };
    }
    assert_eq!(pages, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    assert_eq!(bucket.all_keys().await.unwrap().len(), 5);
    let after_last = bucket.keys(Some("z")).await.unwrap();
    assert_eq!(after_last.keys, [""; 0]);
}

#[tokio::test]
async fn each_limit_is_one() {
    let limits = KeyValueLimits {
        key: 4,
        value: 8,
        keys: 3,
        bytes: 20,
        batch: 2,
        ..KeyValueLimits::default()
    };
    let bucket = bucket(limits);
    let set = |key: &'static str, value: &'static str| bucket.set(vec![entry(key, value)]);
    assert_eq!(set("abcde", "").await, Err(KeyValueError::Key { limit: 4 }));
    assert_eq!(
        set("a", "123456789").await,
        Err(KeyValueError::Value { limit: 8 })
    );
    let many = vec![entry("a", ""), entry("b", ""), entry("c", "")];
    assert_eq!(
        bucket.set(many).await,
        Err(KeyValueError::Batch { limit: 2 })
    );
    assert_eq!(bucket.all_keys().await.unwrap().len(), 0);

    set("a", "12345678").await.unwrap();
    set("b", "12345678").await.unwrap();
    assert_eq!(
        set("c", "12").await,
        Err(KeyValueError::Bytes { limit: 20 })
    );
    set("c", "1").await.unwrap();
    assert_eq!(set("d", "").await, Err(KeyValueError::Keys { limit: 3 }));
    // A swap and a number are writes like others.
    let swapped = bucket.swap("d", None, Vec::new()).await;
    assert_eq!(swapped, Err(KeyValueError::Keys { limit: 3 }));
    assert_eq!(
        bucket.increment("d", 1).await,
        Err(KeyValueError::Keys { limit: 3 })
    );
    // Space is free again after a deletion, and after a smaller value.
    set("a", "").await.unwrap();
    bucket.delete(&["b".to_owned()]).await.unwrap();
    set("d", "12345678").await.unwrap();
}

#[tokio::test]
async fn numbers_stay_within_64_bits() {
    let bucket = bucket(KeyValueLimits::default());
    assert_eq!(bucket.increment("n", i64::MAX).await, Ok(i64::MAX));
    assert_eq!(
        bucket.increment("n", 1).await,
        Err(KeyValueError::NotANumber)
    );
    assert_eq!(bucket.increment("n", -1).await, Ok(i64::MAX - 1));
    // As on Redis, where `tests/keyvalue/` asks for the same.
    for text in NO_NUMBERS {
        bucket.set(vec![entry("text", text)]).await.unwrap();
        let error = bucket.increment("text", 1).await;
        assert_eq!(error, Err(KeyValueError::NotANumber), "{text:?}");
        let kept = bucket.get("text").await.unwrap();
        assert_eq!(kept, Some(text.as_bytes().to_vec()));
    }
    for (text, sum) in [
        ("0", 1),
        ("-1", 0),
        ("-9223372036854775808", i64::MIN + 1),
        ("9223372036854775806", i64::MAX),
    ] {
        bucket.set(vec![entry("text", text)]).await.unwrap();
        assert_eq!(bucket.increment("text", 1).await, Ok(sum));
    }
}

/// What is no number of 64 bits.
const NO_NUMBERS: [&str; 11] = [
    "",
    "x1",
    "+5",
    " 5",
    "5 ",
    "05",
    "-0",
    "00",
    "-",
    "9223372036854775808",
    "1e3",
];

#[tokio::test]
async fn a_swap_needs_the_value_that_was_seen() {
    let bucket = bucket(KeyValueLimits::default());
    assert_eq!(bucket.swap("a", Some(b"1"), b"2".to_vec()).await, Ok(false));
    assert_eq!(bucket.swap("a", None, b"1".to_vec()).await, Ok(true));
    assert_eq!(bucket.swap("a", None, b"3".to_vec()).await, Ok(false));
    assert_eq!(bucket.swap("a", Some(b"1"), b"2".to_vec()).await, Ok(true));
    assert_eq!(bucket.get("a").await.unwrap(), Some(b"2".to_vec()));
}

#[tokio::test]
async fn operations_at_a_time_are_bounded() {
    let limits = KeyValueLimits {
        operations: 0,
        ..KeyValueLimits::default()
    };
    let error = bucket(limits).get("a").await.unwrap_err();
    assert_eq!(error, KeyValueError::Busy);
}
