//! What a fleet's hosts read: their configuration, the status of other hosts, and metrics.

use std::collections::BTreeSet;
use std::time::Duration;

use edgec_artifact::Sha256Digest;
use edgec_sync::config::{ApplicationConfig, GateConfig, RolloutConfig, Url, is_host_name};
use edgec_sync::gate::Reading;
use edgec_sync::readers::{Sample, page, readings, sighting, status};
use edgec_sync::state::{Known, ReleaseId};
use edgec_sync::{FleetConfig, Sighting, position};

/// The longest period, in days.
const MOST_DAYS: u64 = 366;
/// The longest text that is repeated of another host, in characters.
const MAX_SAID: usize = 200;

/// A configuration that is accepted is within the limits of docs/sync.md, and gives each host one
/// wave. An error is in the text.
pub fn fleet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(url) = Url::read(text) {
        assert_eq!(Url::read(&url.to_string()), Ok(url), "another address");
    }
    let mut config = match FleetConfig::from_toml(text) {
        Ok(config) => config,
        Err(error) => {
            drop(error.to_string());
            let lines = text.lines().count() + 1;
            assert!(
                error
                    .place()
                    .is_none_or(|it| (1..=lines).contains(&it.line))
            );
            return;
        }
    };
    assert!(config.name.as_deref().is_none_or(is_host_name));
    assert!(config.keep >= 2 && (1..=64).contains(&config.poll.concurrency));
    let poll = [config.poll.interval, config.poll.backoff];
    assert!(poll.iter().all(|it| is_positive(it.get())));
    let hosts: BTreeSet<&String> = config.watch.iter().map(|it| &it.host).collect();
    assert_eq!(hosts.len(), config.watch.len(), "a host is watched twice");
    for watch in &config.watch {
        assert!(is_host_name(&watch.host));
        assert_eq!(Url::read(&watch.url.to_string()), Ok(watch.url.clone()));
    }
    let applications = config.applications.iter();
    let names: BTreeSet<_> = applications.map(|it| (&it.name, &it.channel)).collect();
    assert_eq!(names.len(), config.applications.len(), "the same name");
    assert!(!names.is_empty(), "no application");
    config.applications.iter().for_each(application);

    // It is read the same each time, and a folder takes relative paths only.
    let before = format!("{config:?}");
    let again = FleetConfig::from_toml(text).map(|it| format!("{it:?}"));
    assert_eq!(again.as_ref(), Ok(&before), "it reads as another one");
    config.in_folder("/folder".as_ref());
    let once = format!("{config:?}");
    config.in_folder("/folder".as_ref());
    assert_eq!(format!("{config:?}"), once, "a path changes twice");
}

fn application(it: &ApplicationConfig) {
    edgec_verifier::check_name(&it.name).expect("a name");
    let reference = it.reference.to_string();
    let places = it.places(&["mirror.example".to_owned()]);
    assert_eq!(places.last(), Some(&reference));
    rollout(&it.rollout, &it.label());
    it.gate.iter().for_each(gate);
}

fn rollout(it: &RolloutConfig, label: &str) {
    let mut before = 0.0;
    for wave in &it.waves {
        assert!(wave.share.get() >= before, "a smaller share");
        assert!(wave.pause.get() <= Duration::from_secs(MOST_DAYS * 86_400));
        before = wave.share.get();
    }
    assert!(it.waves.is_empty() || before == 1.0, "hosts are left out");
    for serial in [0, 1, u64::MAX] {
        let at = position::position(it, "pop-1", label, serial);
        assert!((0.0..1.0).contains(&at), "{at}");
        let wave = position::wave(it, "pop-1", label, serial);
        assert!(wave < it.waves.len().max(1), "wave {wave}");
    }
}

fn gate(it: &GateConfig) {
    assert!(!it.command.is_empty() || it.metrics.is_some(), "no gate");
    assert!(it.failures > 0 && is_positive(it.every.get()) && is_positive(it.timeout.get()));
    if let Some(metrics) = &it.metrics {
        assert!((0.0..=1.0).contains(&metrics.max_error_share.get()));
        assert!(
            metrics
                .max_p99_ratio
                .is_none_or(|it| it.is_finite() && it >= 1.0)
        );
        assert!(is_positive(metrics.take.get()));
    }
}

fn is_positive(time: Duration) -> bool {
    !time.is_zero() && time <= Duration::from_secs(MOST_DAYS * 86_400)
}

/// What a host is told by others: the answer of a server, a status, and what a host knows itself. A
/// status says what the host knows, and what it repeats of another host is short and in one line.
pub fn host_status(data: &[u8]) {
    const LIMIT: usize = 1 << 10;
    match page(data, LIMIT) {
        Ok(page) => assert!(page.len() <= LIMIT && data.ends_with(&page)),
        Err(error) => drop(error.to_string()),
    }
    let release = ReleaseId::new(7, 7, Sha256Digest::of(b"release"));
    match sighting(data, "pop-1", ("shop", None), &release) {
        Ok(Sighting::NotYet(said) | Sighting::WentBack(said)) => {
            assert!(said.chars().count() <= MAX_SAID + 20, "{said}");
            assert!(!said.contains(char::is_control), "{said}");
        }
        Ok(_) => {}
        Err(error) => assert!(!error.contains(char::is_control) && error.len() < 1000),
    }
    if let Ok(known) = serde_json::from_slice::<Known>(data) {
        said(&known);
    }
}

/// What a host knows is kept in a file, and told to others.
fn said(known: &Known) {
    let text = serde_json::to_string(known).expect("what was read can be written");
    assert_eq!(
        serde_json::from_str::<Known>(&text).ok().as_ref(),
        Some(known)
    );
    let application = ("shop", Some("stable"));
    let text = status("pop-1", application, known);
    let newest = known.newest.as_ref().map(|it| it.release);
    let healthy = known.healthy.as_ref().map(|it| it.release);
    let bad = known.bad.as_ref().map(|it| it.release);
    for release in [newest, healthy, bad].into_iter().flatten() {
        let said = sighting(text.as_bytes(), "pop-1", application, &release).expect("a status");
        let is = |it: &ReleaseId| it.digest == release.digest;
        let is_bad = bad.is_some_and(|it| is(&it) && it.serial == release.serial);
        let is_healthy = healthy.is_some_and(|it| is(&it) || it.serial > release.serial);
        match said {
            Sighting::WentBack(_) => assert!(is_bad),
            Sighting::Healthy => assert!(is_healthy && !is_bad),
            _ => assert!(!is_healthy && !is_bad, "{said:?}"),
        }
    }
}

/// Metrics that are read and written again read the same. Counters do not fall, and a gate says
/// nothing good about a release that is not served.
///
/// The input is two pages, with a byte between them that no text has.
pub fn metrics(data: &[u8]) {
    let mut pages = data.split(|byte| *byte == 0xff);
    let mut next = || std::str::from_utf8(pages.next().unwrap_or_default()).unwrap_or_default();
    let (before, after) = (next(), next());
    let [one, other] = [before, after].map(|text| Sample::read(text, LABEL));
    for it in [&one, &other] {
        let again = Sample::read(&written(it), LABEL);
        assert_eq!(&again, it, "other counts");
        let none = it.since(it).expect("nothing fell");
        assert_eq!((none.requests(), none.server_errors), (0, 0));
        let bound = it.buckets.iter().map(|it| it.0).filter(|it| it.is_finite());
        let most = bound.fold(0.0, f64::max) * (1.0 + f64::EPSILON);
        if let Some(p99) = it.p99() {
            assert!((0.0..=most).contains(&p99), "{p99} beyond {most}");
        }
    }
    if let Some(since) = other.since(&one) {
        assert!(since.requests() <= other.requests());
        assert!(since.server_errors <= other.server_errors);
        let grown = |(name, count)| other.outcomes.get(name) >= Some(count);
        assert!(
            since.outcomes.iter().all(grown),
            "it counts more than there is"
        );
    }

    let said = readings(LABEL, 7, before, &[before, after]);
    for (said, read) in said.iter().zip([&one, &other]) {
        let is_served = read.version == Some(7);
        assert_eq!(matches!(said, Reading::NotYet(_)), !is_served, "{said:?}");
    }
}

/// The application whose counts are read. Its name needs escapes.
const LABEL: &str = "a\"\n\\";

/// The metrics of a host that has counted this.
fn written(it: &Sample) -> String {
    let quoted = |value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", value.replace('\n', "\\n"))
    };
    let application = format!("application={}", quoted(LABEL));
    let mut text = String::new();
    if let Some(version) = it.version {
        text += &format!("edgec_application_version{{{application}}} {version}\n");
    }
    for (outcome, count) in &it.outcomes {
        let outcome = quoted(outcome);
        text += &format!("edgec_requests_total{{{application},outcome={outcome}}} {count}\n");
    }
    let count = it.server_errors;
    text += &format!("edgec_responses_total{{{application},class=\"5xx\"}} {count}\n");
    for (bound, count) in &it.buckets {
        let bound = match bound.is_finite() {
            true => bound.to_string(),
            false => "+Inf".to_owned(),
        };
        let name = "edgec_request_duration_seconds_bucket";
        text += &format!("{name}{{{application},le=\"{bound}\"}} {count}\n");
    }
    text
}
