//! What ends the work, what does not, and what keeps it from beginning.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, LazyLock, Mutex};

use edgec_artifact::Sha256Digest;
use edgec_store::Application;
use edgec_verifier::{ClockError, Expected, SystemClock, TrustPolicy, UnixTime};

use super::*;
use crate::report::Unreported;
use crate::source::Offered;
use crate::state::{Known, ReleaseId};

/// Ends what hangs, in the one test that has such a place.
static HANGS: LazyLock<Stop> = LazyLock::new(Stop::default);

/// Places that answer by their names.
struct Places;

impl Source for Places {
    fn open(
        &self,
        place: &str,
        _: Option<Sha256Digest>,
    ) -> Result<Option<Box<dyn Offered>>, Trouble> {
        match place {
            "host.example/panics" => panic!("a fault of this test"),
            "host.example/refused" => Err(Trouble::refused("sync-release", "it is refused")),
            "host.example/hangs" => {
                HANGS.wait(Duration::from_secs(60));
                Err(Trouble::environment("io", "it hung"))
            }
            "host.example/silent" => Err(Trouble::environment("io", "it is silent")),
            _ => Ok(None),
        }
    }
}

/// A store without anything.
struct Empty;

impl Shelf for Empty {
    fn current(&self, _: &Application) -> Result<Option<u64>, Trouble> {
        Ok(None)
    }

    fn make_current(&self, _: &Application, _: u64) -> Result<Result<(), String>, Trouble> {
        Ok(Err("there is nothing".to_owned()))
    }

    fn refresh(&self, _: &[u8], _: &[u8], _: &TrustPolicy, _: &Expected) -> Result<(), Trouble> {
        Ok(())
    }

    fn tidy(&self, _: &Application, _: &BTreeSet<u64>, _: usize) -> Result<(), Trouble> {
        Ok(())
    }
}

/// A clock that does not know the time.
#[derive(Debug)]
struct Unset;

impl Clock for Unset {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Err(ClockError::new())
    }
}

fn parts(clock: impl Clock + 'static) -> Parts {
    Parts {
        host: "pop-1".to_owned(),
        source: Box::new(Places),
        shelf: Box::new(Empty),
        policies: Box::new(|| Err(Trouble::environment("io", "there is no policy"))),
        clock: Box::new(clock),
        report: Arc::new(Unreported),
        admin: None,
    }
}

/// A configuration with these applications.
fn config(more: &str, names: &[&str]) -> FleetConfig {
    let entry = |name: &&str| {
        format!("[[application]]\nname = \"{name}\"\nreference = \"host.example/{name}\"\n{more}")
    };
    let entries: Vec<String> = names.iter().map(entry).collect();
    FleetConfig::from_toml(&format!("schema = 1\n{}", entries.concat())).unwrap()
}

fn round(names: &[&str], clock: impl Clock + 'static) -> Round {
    let folder = tempfile::tempdir().unwrap();
    let sync = Sync::open(&config("", names), folder.path(), parts(clock)).unwrap();
    sync.once(&Stop::default())
}

#[test]
fn what_fails_in_one_application_stops_no_other() {
    let round = round(&["at-rest", "panics", "refused", "silent"], SystemClock);
    let codes = round.applications.iter();
    let codes = codes.map(|(name, _, trouble)| (&**name, trouble.as_ref().map(|it| it.code)));
    let expected = [
        ("at-rest", None),
        ("panics", Some("internal")),
        ("refused", Some("sync-release")),
        ("silent", Some("io")),
    ];
    assert_eq!(codes.collect::<Vec<_>>(), expected);
    assert_eq!(round.fault(), Some(Fault::Refused));
    assert_eq!(self::round(&["at-rest"], SystemClock).fault(), None);
    let silent = self::round(&["at-rest", "silent"], SystemClock).fault();
    assert_eq!(silent, Some(Fault::Environment));
}

#[test]
fn a_clock_that_is_not_set_is_named() {
    let round = round(&["at-rest"], Unset);
    let trouble = round.applications[0].2.as_ref().unwrap();
    assert_eq!((trouble.code, trouble.fault), ("clock", Fault::Environment));
}

#[test]
fn what_keeps_the_work_from_beginning_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = |config: &FleetConfig| {
        let opened = Sync::open(config, folder.path(), parts(SystemClock));
        opened.err().map(|error| (error.code(), error.to_string()))
    };
    let plain = config("", &["at-rest"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut listens = plain.clone();
    listens.status = Some(taken.local_addr().unwrap());
    let (code, text) = open(&listens).unwrap();
    assert_eq!(code, "listen");
    assert!(
        text.contains(&taken.local_addr().unwrap().to_string()),
        "{text}"
    );
    let metrics = config("gate = { metrics = {} }\n", &["at-rest"]);
    assert_eq!(open(&metrics).unwrap().0, "sync-config");
    assert!(check_gates(&metrics, None).is_err());
    let admin = Url::read("http://127.0.0.1:1").unwrap();
    assert!(check_gates(&metrics, Some(&admin)).is_ok());
    let _busy = StateFolder::open(folder.path()).unwrap();
    assert_eq!(open(&plain).unwrap().0, "sync-busy");
}

/// Two registries that hang, and one that answers. Each counts how often it is asked.
#[derive(Clone, Default)]
struct Hanging {
    ends: Arc<Stop>,
    hung: Arc<Mutex<Vec<String>>>,
    answered: Arc<Mutex<Vec<String>>>,
}

impl Source for Hanging {
    fn open(
        &self,
        place: &str,
        _: Option<Sha256Digest>,
    ) -> Result<Option<Box<dyn Offered>>, Trouble> {
        if place.starts_with("good.example/") {
            self.answered.lock().unwrap().push(place.to_owned());
            return Ok(None);
        }
        self.hung.lock().unwrap().push(place.to_owned());
        self.ends.wait(Duration::from_secs(60));
        Err(Trouble::silence("io", "it hung"))
    }
}

/// Each registry that is not known to answer holds one thread, and all of them half of the threads.
#[test]
fn registries_that_hang_stop_the_looks_of_no_other_application() {
    let entry = |name: &str, host: &str| {
        format!("[[application]]\nname = \"{name}\"\nreference = \"{host}.example/{name}\"\n")
    };
    let mut text = "schema = 1\n[poll]\ninterval = \"1s\"\n".to_owned();
    for number in 0..9 {
        let host = ["one", "two", "three"][number % 3];
        text.push_str(&entry(&format!("hangs-{number}"), host));
    }
    text.push_str(&entry("x", "good"));
    text.push_str(&entry("y", "good"));
    let mut config = FleetConfig::from_toml(&text).unwrap();
    config.poll.concurrency = 4;
    let hanging = Hanging::default();
    let folder = tempfile::tempdir().unwrap();
    let mut parts = parts(SystemClock);
    parts.source = Box::new(hanging.clone());
    let sync = Sync::open(&config, folder.path(), parts).unwrap();
    let stop = Stop::default();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| sync.run(&stop));
        let answers = || hanging.answered.lock().unwrap().len();
        let end = Instant::now() + Duration::from_secs(50);
        while answers() < 6 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let (answers, hung) = (answers(), hanging.hung.lock().unwrap().clone());
        stop.tell();
        hanging.ends.tell();
        work.join().unwrap();
        assert!(answers >= 6, "{answers} looks");
        assert_eq!(hung.len(), 2, "{hung:?}");
    });
}

/// A round ends for each application of a registry that hangs, and asks it once.
#[test]
fn one_failed_request_is_enough_for_a_round() {
    let hanging = Hanging::default();
    hanging.ends.tell();
    let folder = tempfile::tempdir().unwrap();
    let mut parts = parts(SystemClock);
    parts.source = Box::new(hanging.clone());
    let config = config("", &["a", "b", "c", "d", "e"]);
    let sync = Sync::open(&config, folder.path(), parts).unwrap();
    let round = sync.once(&Stop::default());
    assert_eq!(round.applications.len(), 5);
    for (name, _, trouble) in &round.applications {
        assert!(trouble.as_ref().unwrap().is_silence, "{name}");
    }
    assert_eq!(hanging.hung.lock().unwrap().len(), 1);
    assert_eq!(round.fault(), Some(Fault::Environment));
}

/// A registry that hangs holds all threads that look. A release on trial is judged meanwhile.
#[test]
fn a_registry_that_hangs_stops_the_gate_of_no_other_application() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(
        "gate = { command = [\"true\"], for = \"0s\" }\n",
        &["hangs", "tried"],
    );
    config.poll.concurrency = 1;
    let mut known = Known::default();
    let release = ReleaseId::new(2, 2, Sha256Digest::of(b"2"));
    let now = UnixTime::from_seconds(9);
    known.observe(release, None, now).unwrap();
    known.begin(Some(1));
    known.admitted();
    let state = StateFolder::open(folder.path()).unwrap();
    state.write("tried", None, &known).unwrap();
    drop(state);
    let sync = Sync::open(&config, folder.path(), parts(SystemClock)).unwrap();
    let board = sync.board();
    let stop = Stop::default();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| sync.run(&stop));
        let is_judged = || board.all().get("tried").map(|it| it.phase) == Some(Phase::Healthy);
        let end = Instant::now() + Duration::from_secs(50);
        while !is_judged() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let judged = is_judged();
        stop.tell();
        HANGS.tell();
        work.join().unwrap();
        assert!(judged);
    });
}
