//! The metrics of `edgec sync`, in the text format of Prometheus. `docs/sync.md` lists them.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::{ApplicationStatus, Phase};

/// The metrics of these applications, by their labels.
pub(super) fn text(applications: &BTreeMap<String, ApplicationStatus>) -> String {
    let mut out = Exposition(String::new());
    out.family(
        "edgec_sync_phase",
        "gauge",
        "1 for the phase of an application, else 0.",
    );
    for (label, it) in applications {
        for phase in Phase::ALL {
            let labels = [("application", label.as_str()), ("phase", phase.name())];
            out.sample("edgec_sync_phase", &labels, u8::from(it.phase == phase));
        }
    }
    let name = "edgec_sync_version";
    out.family(name, "gauge", "The version that the store has current.");
    for (label, it) in applications {
        out.some(name, &[("application", label)], it.version);
    }
    let name = "edgec_sync_release_serial";
    let help = "The serial of the newest release that was verified, and of the last healthy one.";
    out.family(name, "gauge", help);
    for (label, it) in applications {
        let newest = it.newest.as_ref().map(|it| it.release.serial);
        let healthy = it.healthy.as_ref().map(|it| it.release.serial);
        out.some(
            name,
            &[("application", label), ("release", "newest")],
            newest,
        );
        out.some(
            name,
            &[("application", label), ("release", "healthy")],
            healthy,
        );
    }
    let name = "edgec_sync_wave";
    out.family(
        name,
        "gauge",
        "The wave of this host for the newest release, from 0.",
    );
    for (label, it) in applications {
        out.sample(name, &[("application", label)], it.wave);
    }
    let name = "edgec_sync_polls_total";
    out.family(name, "counter", "How often references were looked at.");
    for (label, it) in applications {
        let good = it.polls.saturating_sub(it.failures);
        out.sample(name, &[("application", label), ("result", "done")], good);
        out.sample(
            name,
            &[("application", label), ("result", "failed")],
            it.failures,
        );
    }
    let name = "edgec_sync_fetched_bytes_total";
    out.family(name, "counter", "Bytes of artifacts that were fetched.");
    for (label, it) in applications {
        out.sample(name, &[("application", label)], it.bytes);
    }
    let name = "edgec_sync_polled_timestamp_seconds";
    out.family(
        name,
        "gauge",
        "When a reference was looked at last without a failure.",
    );
    for (label, it) in applications {
        let polled = it.polled.map(edgec_artifact::UnixTime::seconds);
        out.some(name, &[("application", label)], polled);
    }
    let name = "edgec_sync_error";
    out.family(
        name,
        "gauge",
        "1 while the last step of an application has failed, else 0.",
    );
    for (label, it) in applications {
        out.sample(
            name,
            &[("application", label)],
            u8::from(it.error.is_some()),
        );
    }
    out.0
}

struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = labels.iter().map(|(label, value)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{label}=\"{}\"", value.replace('\n', "\\n"))
        });
        let labels = labels.collect::<Vec<_>>().join(",");
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    fn some(&mut self, name: &str, labels: &[(&str, &str)], value: Option<impl Display>) {
        if let Some(value) = value {
            self.sample(name, labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_help() {
        let status = ApplicationStatus {
            phase: Phase::Watching,
            version: Some(7),
            polls: 10,
            failures: 3,
            bytes: 1234,
            ..ApplicationStatus::default()
        };
        let applications = BTreeMap::from([("acme/\"shop".to_owned(), status)]);
        let text = text(&applications);
        for line in [
            "# TYPE edgec_sync_phase gauge",
            r#"edgec_sync_phase{application="acme/\"shop",phase="watching"} 1"#,
            r#"edgec_sync_phase{application="acme/\"shop",phase="healthy"} 0"#,
            r#"edgec_sync_version{application="acme/\"shop"} 7"#,
            r#"edgec_sync_polls_total{application="acme/\"shop",result="done"} 7"#,
            r#"edgec_sync_fetched_bytes_total{application="acme/\"shop"} 1234"#,
            r#"edgec_sync_error{application="acme/\"shop"} 0"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        for sample in samples {
            let name = sample.split('{').next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }
}
