//! Checks the buckets of `edgec-host` on a Redis server, which this program starts, kills and
//! starts again. The cases of `host/src/keyvalue/tests.rs` run on it too, and what only a server
//! can show: separate applications, bounds that two hosts share, an outage.
//!
//!     keyvalue-check FOLDER

#![allow(clippy::print_stdout, reason = "it prints what it has checked")]

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use edgec_host::keyvalue::{Bucket, KeyValue, KeyValueError, KeyValueLimits, Place, RedisServer};

type Outcome = Result<(), Box<dyn Error>>;

/// A Redis server on a Unix socket, without a file on disk, so that it is empty after a restart.
struct Server {
    socket: String,
    process: Child,
}

impl Server {
    fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let socket = folder.join("redis.sock").display().to_string();
        let process = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "no",
                "--unixsocket",
                &socket,
            ])
            .args(["--maxmemory-policy", "noeviction", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { socket, process };
        for _ in 0..500 {
            if std::os::unix::net::UnixStream::connect(&server.socket).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("redis-server does not listen".into())
    }

    fn kill(&mut self) -> std::io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// What the checks need to open buckets.
struct Hosts {
    server: Arc<RedisServer>,
    reports: Arc<AtomicUsize>,
}

impl Hosts {
    fn new(socket: &str) -> Result<Self, Box<dyn Error>> {
        let reports = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reports);
        let server = RedisServer::new(&format!("unix://{socket}"), 3, move |reason| {
            counter.fetch_add(1, Ordering::Relaxed);
            println!("  the host hears: {reason}");
        })?;
        let server = Arc::new(server);
        Ok(Self { server, reports })
    }

    fn bucket(
        &self,
        application: &str,
        bucket: &str,
        limits: KeyValueLimits,
    ) -> Result<Bucket, KeyValueError> {
        let place = Place::Redis(Arc::clone(&self.server));
        KeyValue::new(application, place, [bucket.to_owned()], limits).open(bucket)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let folder = std::env::args().nth(1).ok_or("keyvalue-check FOLDER")?;
    let folder = Path::new(&folder);
    let mut server = Server::start(folder)?;
    let hosts = Hosts::new(&server.socket)?;
    values(&hosts).await?;
    println!("values: ok");
    bounds(&hosts).await?;
    println!("bounds: ok");
    numbers_and_swaps(&hosts).await?;
    println!("numbers and swaps: ok");
    pages(&hosts).await?;
    println!("pages: ok");
    applications(&hosts).await?;
    println!("applications: ok");
    at_the_same_time(&hosts).await?;
    println!("increments at the same time: ok");
    assert_eq!(
        hosts.reports.load(Ordering::Relaxed),
        0,
        "no operation failed so far"
    );

    let bucket = hosts.bucket("acme/outage", "default", KeyValueLimits::default())?;
    server.kill()?;
    for _ in 0..20 {
        assert_eq!(bucket.get("a").await, Err(KeyValueError::Unavailable));
        assert_eq!(
            bucket.increment("a", 1).await,
            Err(KeyValueError::Unavailable)
        );
    }
    assert!(
        hosts.reports.load(Ordering::Relaxed) > 0,
        "the host has heard of it"
    );
    println!("outage: operations fail, and the host says why");
    std::fs::remove_file(&server.socket)?;
    drop(server);
    let mut server = Server::start(folder)?;
    recovered(&bucket).await?;
    println!("restart: operations succeed again");

    // Reads do not fail at all if the server is there again before them: they are repeated.
    server.kill()?;
    std::fs::remove_file(&server.socket)?;
    drop(server);
    let server = Server::start(folder)?;
    for _ in 0..6 {
        assert_eq!(bucket.get("a").await?, None);
    }
    println!("restart between two requests: reads do not fail");
    drop(server);
    Ok(())
}

/// Waits until operations succeed, as a guest that tries again would.
async fn recovered(bucket: &Bucket) -> Outcome {
    for _ in 0..100 {
        if bucket.set(vec![entry("b", "1")]).await.is_ok() {
            // All connections, not only the first.
            for _ in 0..6 {
                assert_eq!(bucket.get("b").await?, Some(b"1".to_vec()));
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("operations do not succeed again".into())
}

fn entry(key: &str, value: &str) -> (String, Vec<u8>) {
    (key.to_owned(), value.as_bytes().to_vec())
}

async fn values(hosts: &Hosts) -> Outcome {
    let bucket = hosts.bucket("acme/values", "default", KeyValueLimits::default())?;
    assert_eq!(bucket.get("a").await?, None);
    let bytes = vec![0, 255, b'\r', b'\n', b'"'];
    bucket
        .set(vec![
            ("a".to_owned(), bytes.clone()),
            entry("b", ""),
            entry("", "e"),
        ])
        .await?;
    assert_eq!(bucket.get("a").await?, Some(bytes));
    assert_eq!(bucket.get("").await?, Some(b"e".to_vec()));
    let keys = ["b".to_owned(), "c".to_owned()];
    assert_eq!(bucket.get_many(&keys).await?, [Some(Vec::new()), None]);
    assert!(bucket.exists("b").await?);
    bucket.delete(&keys).await?;
    assert!(!bucket.exists("b").await?);
    bucket.delete(&[]).await?;
    bucket.set(Vec::new()).await?;
    assert_eq!(bucket.get_many(&[]).await?, []);
    assert_eq!(bucket.all_keys().await?, ["", "a"]);
    Ok(())
}

async fn bounds(hosts: &Hosts) -> Outcome {
    let limits = || KeyValueLimits {
        keys: 3,
        bytes: 20,
        ..KeyValueLimits::default()
    };
    let bucket = hosts.bucket("acme/bounds", "default", limits())?;
    // Another host, and another bucket of the same application.
    let other = hosts.bucket("acme/bounds", "other", limits())?;
    bucket.set(vec![entry("a", "12345678")]).await?;
    other.set(vec![entry("b", "12345678")]).await?;
    let full = other.set(vec![entry("c", "12")]).await;
    assert_eq!(full, Err(KeyValueError::Bytes { limit: 20 }));
    bucket.set(vec![entry("c", "1")]).await?;
    let keys = Err(KeyValueError::Keys { limit: 3 });
    assert_eq!(other.set(vec![entry("d", "")]).await, keys);
    assert_eq!(other.increment("d", 1).await.map(|_| ()), keys);
    assert_eq!(other.swap("d", None, Vec::new()).await.map(|_| ()), keys);
    assert!(!other.exists("d").await?);
    // Smaller values and deletions make room.
    bucket.set(vec![entry("a", "")]).await?;
    other.delete(&["b".to_owned(), "none".to_owned()]).await?;
    other.set(vec![entry("d", "12345678")]).await?;
    bucket.delete(&["a".to_owned(), "c".to_owned()]).await?;
    other.delete(&["d".to_owned()]).await?;
    // Nothing is left of what was counted.
    bucket.set(vec![entry("a", "1234567890123456789")]).await?;
    Ok(())
}

async fn numbers_and_swaps(hosts: &Hosts) -> Outcome {
    let bucket = hosts.bucket("acme/numbers", "default", KeyValueLimits::default())?;
    assert_eq!(bucket.increment("n", i64::MAX).await?, i64::MAX);
    assert_eq!(
        bucket.increment("n", 1).await,
        Err(KeyValueError::NotANumber)
    );
    assert_eq!(bucket.increment("n", -1).await?, i64::MAX - 1);
    assert_eq!(bucket.increment("m", i64::MIN).await?, i64::MIN);
    // The same as in memory: `host/src/keyvalue/tests.rs`.
    for text in [
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
    ] {
        bucket.set(vec![entry("text", text)]).await?;
        let error = bucket.increment("text", 1).await;
        assert_eq!(error, Err(KeyValueError::NotANumber), "{text:?}");
        let kept = bucket.get("text").await?;
        assert_eq!(kept, Some(text.as_bytes().to_vec()));
    }

    assert!(!bucket.swap("s", Some(b"1"), b"2".to_vec()).await?);
    assert!(bucket.swap("s", None, b"1".to_vec()).await?);
    assert!(!bucket.swap("s", None, b"3".to_vec()).await?);
    assert!(bucket.swap("s", Some(b"1"), Vec::new()).await?);
    assert!(bucket.swap("s", Some(b""), b"4".to_vec()).await?);
    assert_eq!(bucket.get("s").await?, Some(b"4".to_vec()));
    Ok(())
}

async fn pages(hosts: &Hosts) -> Outcome {
    let limits = KeyValueLimits {
        page: 2,
        ..KeyValueLimits::default()
    };
    let bucket = hosts.bucket("acme/pages", "default", limits)?;
    let entries = ["e", "b", "a", "d", "c"].map(|key| entry(key, ""));
    bucket.set(entries.to_vec()).await?;
    let first = bucket.keys(None).await?;
    assert_eq!(
        (first.keys, first.next),
        (vec!["a".into(), "b".into()], Some("b".into()))
    );
    let last = bucket.keys(Some("d")).await?;
    assert_eq!((last.keys, last.next), (vec!["e".into()], None));
    Ok(())
}

/// No name of an application or a bucket leads to the values of another.
async fn applications(hosts: &Hosts) -> Outcome {
    let limits = KeyValueLimits::default;
    hosts
        .bucket("a", "b:c", limits())?
        .set(vec![entry("k", "1")])
        .await?;
    for (application, bucket) in [
        ("a:b", "c"),
        ("a", "c"),
        ("a", "b"),
        ("", "a:b:c"),
        ("a", "B:C"),
    ] {
        let bucket = hosts.bucket(application, bucket, limits())?;
        assert!(!bucket.exists("k").await?);
        assert_eq!(bucket.all_keys().await?, [""; 0]);
    }
    Ok(())
}

async fn at_the_same_time(hosts: &Hosts) -> Outcome {
    let bucket = hosts.bucket("acme/counter", "default", KeyValueLimits::default())?;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let bucket = bucket.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    bucket.increment("n", 1).await?;
                }
                Ok::<_, KeyValueError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(bucket.get("n").await?, Some(b"1000".to_vec()));
    Ok(())
}
