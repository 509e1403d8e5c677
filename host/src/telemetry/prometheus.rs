//! The metrics of a host, as Prometheus reads them. `docs/telemetry.md` lists them.

use std::sync::atomic::Ordering;

use super::exposition::{Exposition, Family, Kind, Seconds};
use super::metrics::{CLASSES, Metrics, OUTCOMES};

const BUILD: Family = family(
    "edgec_build_info",
    Kind::Gauge,
    "The version of the host; always 1.",
);
const RUNNING: Family = family(
    "edgec_requests_running",
    Kind::Gauge,
    "Requests that run or wait now.",
);
const REQUESTS: Family = family(
    "edgec_requests_total",
    Kind::Counter,
    "Requests that ended, by outcome.",
);
const REFUSED: Family = family(
    "edgec_requests_refused_total",
    Kind::Counter,
    "Requests that were refused before their application was known, by reason.",
);
const RESPONSES: Family = family(
    "edgec_responses_total",
    Kind::Counter,
    "Requests that ended, by the class of their status.",
);
const DURATION: Family = family(
    "edgec_request_duration_seconds",
    Kind::Histogram,
    "Time of a request, from when it was read to the last byte of its response.",
);
const QUEUE: Family = family(
    "edgec_queue_depth",
    Kind::Gauge,
    "Requests that wait for their turn.",
);
const LIMITS: Family = family(
    "edgec_limits_hit_total",
    Kind::Counter,
    "Limits that were hit; without an application, by a client that had none yet.",
);
const TRAPS: Family = family(
    "edgec_traps_total",
    Kind::Counter,
    "Traps of programs, by code.",
);
const COLD_STARTS: Family = family(
    "edgec_cold_starts_total",
    Kind::Counter,
    "Instances that were made; each is the cold start of a request.",
);
const INSTANTIATION: Family = family(
    "edgec_instantiation_duration_seconds",
    Kind::Histogram,
    "Time to make an instance.",
);
const LOADS: Family = family(
    "edgec_loads_total",
    Kind::Counter,
    "Versions that were put in use.",
);
const LOAD: Family = family(
    "edgec_load_duration_seconds",
    Kind::Histogram,
    "Time to load a version: read, verify and give it to the engine.",
);
const LAST_LOAD: Family = family(
    "edgec_last_load_seconds",
    Kind::Gauge,
    "Time of each step of the last load.",
);
const VERSION: Family = family(
    "edgec_application_version",
    Kind::Gauge,
    "The version in use. An application that was never loaded has none.",
);
const SIGNER: Family = family(
    "edgec_application_signer_info",
    Kind::Gauge,
    "A key that signed the version in use and that the policy trusts; always 1.",
);
const LOG_LINES_LOST: Family = family(
    "edgec_log_lines_lost_total",
    Kind::Counter,
    "Lines of the log that were lost, because its reader is too slow.",
);

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help }
}

/// All metrics, and the requests that wait. Each has its HELP and its TYPE, also without samples.
pub(super) fn text(metrics: &Metrics, waiting: usize) -> String {
    let mut out = Exposition::default();
    let applications = metrics.applications();
    out.family(&BUILD);
    out.sample(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.family(&QUEUE);
    out.sample(&QUEUE, &[], waiting);
    out.family(&LOG_LINES_LOST);
    let lost = metrics.log_lines_lost.load(Ordering::Relaxed);
    out.sample(&LOG_LINES_LOST, &[], lost);
    let instantiation = metrics.instantiation.seen();
    out.family(&COLD_STARTS);
    out.sample(&COLD_STARTS, &[], instantiation.count);
    out.family(&INSTANTIATION);
    out.histogram(&INSTANTIATION, &[], &instantiation);
    out.family(&LOAD);
    out.histogram(&LOAD, &[], &metrics.load.seen());

    out.family(&RUNNING);
    for it in &applications {
        out.sample(&RUNNING, &[("application", it.name())], it.running());
    }
    out.family(&REQUESTS);
    for it in &applications {
        for (outcome, count) in OUTCOMES.iter().zip(it.outcomes()) {
            let labels = [("application", it.name()), ("outcome", outcome)];
            out.sample(&REQUESTS, &labels, count);
        }
    }
    out.family(&REFUSED);
    for (refused, count) in metrics.all_refused() {
        out.sample(&REFUSED, &[("reason", refused.name())], count);
    }
    out.family(&RESPONSES);
    for it in &applications {
        for (class, count) in CLASSES.iter().zip(&it.classes) {
            let labels = [("application", it.name()), ("class", class)];
            out.sample(&RESPONSES, &labels, count.load(Ordering::Relaxed));
        }
    }
    out.family(&DURATION);
    for it in &applications {
        let labels = [("application", it.name())];
        out.histogram(&DURATION, &labels, &it.duration.seen());
    }
    out.family(&LIMITS);
    for (limit, count) in metrics.limits.all() {
        out.sample(
            &LIMITS,
            &[("application", ""), ("limit", limit.name())],
            count,
        );
    }
    for it in &applications {
        // A series for each limit and application would be thousands, of which most stay zero.
        for (limit, count) in it.limits.all().filter(|(_, count)| *count > 0) {
            let labels = [("application", it.name()), ("limit", limit.name())];
            out.sample(&LIMITS, &labels, count);
        }
    }
    out.family(&TRAPS);
    for it in &applications {
        for (code, count) in it.traps() {
            out.sample(
                &TRAPS,
                &[("application", it.name()), ("code", &code)],
                count,
            );
        }
    }
    out.family(&LOADS);
    for it in &applications {
        let loads = it.loads.load(Ordering::Relaxed);
        out.sample(&LOADS, &[("application", it.name())], loads);
    }
    let in_use = applications
        .iter()
        .filter_map(|it| Some((it.name(), it.version()?)));
    let in_use: Vec<_> = in_use.collect();
    out.family(&VERSION);
    for (name, version) in &in_use {
        out.sample(&VERSION, &[("application", name)], version.version);
    }
    out.family(&SIGNER);
    for (name, version) in &in_use {
        for (key, id) in &version.signers {
            let labels = [("application", *name), ("key", key), ("key_id", id)];
            out.sample(&SIGNER, &labels, 1);
        }
    }
    out.family(&LAST_LOAD);
    for (name, version) in &in_use {
        let times = &version.times;
        for (step, took) in [
            ("read", times.read),
            ("verify", times.verify),
            ("engine", times.engine),
        ] {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            let labels = [("application", *name), ("step", step)];
            out.sample(&LAST_LOAD, &labels, Seconds(nanos));
        }
    }
    out.into_text()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use http::StatusCode;

    use super::super::metrics::{Counted, InUse};
    use super::super::requests::Refused;
    use super::*;
    use crate::{Limit, Outcome};

    /// Metrics of two applications; one has a name that the format must escape. Who counts for
    /// them is beside.
    fn metrics() -> (Metrics, [Arc<Counted>; 2]) {
        let metrics = Metrics::default();
        let applications = ["acme/shop", "a\"\n\\"].map(|name| metrics.application(name));
        for it in &applications {
            it.started.fetch_add(2, Ordering::Relaxed);
            it.finished(StatusCode::OK, Duration::from_millis(2), Outcome::Answered);
            it.limits.add(Limit::CpuTime);
            it.trapped("MemoryOutOfBounds");
            metrics.in_use(it, InUse::sample());
        }
        metrics.instantiation.observe(Duration::from_micros(80));
        metrics.limits.add(Limit::HeaderSize);
        metrics.refused(Refused::UnknownHost);
        metrics.refused(Refused::Limit(Limit::HeaderSize));
        metrics.log_lines_lost.store(3, Ordering::Relaxed);
        (metrics, applications)
    }

    fn exposed() -> String {
        let (metrics, _applications) = metrics();
        text(&metrics, 0)
    }

    #[test]
    fn every_series_belongs_to_a_family_with_help() {
        let text = exposed();
        let mut families = BTreeSet::new();
        let mut series = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(help.ends_with('.') && families.insert(name), "{line}");
            } else if !line.starts_with("# TYPE ") {
                let name = line.split(['{', ' ']).next().unwrap();
                let of = ["", "_bucket", "_sum", "_count"];
                let known = of.iter().any(|end| {
                    name.strip_suffix(end)
                        .is_some_and(|name| families.contains(name))
                });
                assert!(known, "{line}");
                let (labels, value) = line.rsplit_once(' ').unwrap();
                assert!(
                    series.insert(labels) && value.parse::<f64>().is_ok(),
                    "{line}"
                );
            }
        }
        assert_eq!(families.len(), 17);
        for line in [
            "edgec_requests_total{application=\"acme/shop\",outcome=\"answered\"} 1",
            "edgec_requests_running{application=\"acme/shop\"} 1",
            "edgec_limits_hit_total{application=\"acme/shop\",limit=\"cpu-time\"} 1",
            "edgec_limits_hit_total{application=\"\",limit=\"header-size\"} 1",
            "edgec_application_version{application=\"a\\\"\\n\\\\\"} 7",
            "edgec_cold_starts_total 1",
            "edgec_log_lines_lost_total 3",
            "edgec_requests_refused_total{reason=\"unknown-host\"} 1",
            "edgec_requests_refused_total{reason=\"syntax\"} 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }

    /// `docs/telemetry.md` names each metric and its labels.
    #[test]
    fn every_metric_is_documented() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/telemetry.md");
        let document = std::fs::read_to_string(document).unwrap();
        let text = exposed();
        for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let name = line.split(' ').next().unwrap();
            let row = format!("| `{name}` |");
            assert!(document.contains(&row), "{name}");
        }
    }

    /// `golden.prom` is what `tests/pages/telemetry.py` gives to `promtool`. `BLESS=1` writes it.
    #[test]
    fn the_text_is_the_golden_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/telemetry/golden.prom");
        let text = exposed();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, golden, "BLESS=1 writes it");
    }
}
