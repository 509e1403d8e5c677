//! What watched hosts say about a release. Their answers can hold this host back and nothing else:
//! a host's wave follows from its configured name, and the time of this host's own wave from its
//! own clock. An answer that is too long, too slow or malformed counts as none.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::{MOST_APPLICATIONS, WatchConfig};
use crate::http::{self, HttpError};
use crate::state::ReleaseId;

/// The longest status of a host, in bytes (32 MiB): one of all applications that a host may have.
const MAX_STATUS: usize = 32 << 20;
/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest text of another host that this one repeats, in characters.
const MAX_TEXT: usize = 200;

/// What a watched host said about a release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sighting {
    /// It runs it, or a newer one, and its gate has passed it.
    Healthy,
    /// It does not run it yet, or still watches it.
    NotYet(String),
    /// It went back from it, for this reason, or could not go back.
    WentBack(String),
    /// It did not answer, or not with a status.
    Silent(String),
}

/// A status of a host, as far as others read it. It may have more.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    #[serde(default)]
    host: String,
    #[serde(default, deserialize_with = "bounded")]
    applications: HashMap<Label, Said>,
}

/// The name and the channel of an application.
type Label = (String, Option<String>);

/// Reads the list of applications, and no more of them than a host may have. The first entry of an
/// application counts.
fn bounded<'de, D: Deserializer<'de>>(list: D) -> Result<HashMap<Label, Said>, D::Error> {
    struct Bounded;

    impl<'de> Visitor<'de> for Bounded {
        type Value = HashMap<Label, Said>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MOST_APPLICATIONS} applications")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut all = HashMap::new();
            let mut count = 0;
            while let Some(mut said) = list.next_element::<Said>()? {
                count += 1;
                if count > MOST_APPLICATIONS {
                    return Err(A::Error::invalid_length(count, &self));
                }
                let label = (std::mem::take(&mut said.name), said.channel.take());
                all.entry(label).or_insert(said);
            }
            Ok(all)
        }
    }
    list.deserialize_seq(Bounded)
}

/// What a status says about an application.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    name: String,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    healthy: Option<ReleaseSaid>,
    #[serde(default)]
    bad: Option<BadSaid>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseSaid {
    serial: u64,
    digest: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BadSaid {
    serial: u64,
    digest: String,
    #[serde(default)]
    reason: String,
}

/// Asks a host for its status.
pub(crate) fn ask(config: &WatchConfig) -> Result<Answer, String> {
    let url = config.url.or_path("/status");
    let body = http::get(&url, MAX_STATUS, PATIENCE);
    let body = body.map_err(|error: HttpError| edgec_verifier::error_chain(&error))?;
    Answer::read(&body, &config.host)
}

impl Answer {
    /// Reads a status. It must be that of `host`: otherwise an address is mixed up.
    pub(crate) fn read(body: &[u8], host: &str) -> Result<Self, String> {
        let answer: Self =
            serde_json::from_slice(body).map_err(|_| "its answer is not a status".to_owned())?;
        match answer.host == host {
            true => Ok(answer),
            false => {
                let other = clean(&answer.host);
                Err(format!(
                    "its answer is the status of another host, `{other}`"
                ))
            }
        }
    }

    /// What it says about a release of an application.
    pub(crate) fn about(&self, name: &str, channel: Option<&str>, release: &ReleaseId) -> Sighting {
        let label = (name.to_owned(), channel.map(str::to_owned));
        let Some(said) = self.applications.get(&label) else {
            return Sighting::NotYet("it does not follow the application".to_owned());
        };
        let digest = release.digest.to_string();
        if let Some(bad) = &said.bad
            && bad.serial == release.serial
            && bad.digest == digest
        {
            return Sighting::WentBack(clean(&bad.reason));
        }
        match &said.healthy {
            Some(healthy) if healthy.serial > release.serial => Sighting::Healthy,
            Some(healthy) if healthy.digest == digest => Sighting::Healthy,
            _ => Sighting::NotYet(format!("its phase is `{}`", clean(&said.phase))),
        }
    }
}

/// A text of another host, short and in one line.
fn clean(text: &str) -> String {
    let shown = |c: char| match c.is_control() || c == '`' {
        true => ' ',
        false => c,
    };
    text.chars().take(MAX_TEXT).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use edgec_artifact::Sha256Digest;
    use serde_json::{Value, json};

    use super::*;

    fn release(serial: u64) -> ReleaseId {
        ReleaseId::new(serial, serial, Sha256Digest::of(&[serial.to_le_bytes()[0]]))
    }

    fn said(application: &str) -> Answer {
        let text = format!(r#"{{"host":"pop-1","more":1,"applications":[{application}]}}"#);
        Answer::read(text.as_bytes(), "pop-1").unwrap()
    }

    #[test]
    fn a_status_says_what_became_of_a_release() {
        let digest = |serial| release(serial).digest;
        let healthy = |serial: u64| {
            let digest = digest(serial);
            said(&format!(
                r#"{{"name":"shop","channel":"stable","phase":"healthy",
                    "healthy":{{"serial":{serial},"digest":"{digest}","version":1}}}}"#
            ))
        };
        let about = |answer: &Answer| answer.about("shop", Some("stable"), &release(7));
        assert_eq!(about(&healthy(7)), Sighting::Healthy);
        assert_eq!(about(&healthy(8)), Sighting::Healthy);
        assert!(matches!(about(&healthy(6)), Sighting::NotYet(_)));
        let other = healthy(7).about("shop", None, &release(7));
        assert!(matches!(other, Sighting::NotYet(_)));
        let bad = said(&format!(
            r#"{{"name":"shop","channel":"stable","phase":"went-back",
                "healthy":{{"serial":6,"digest":"{}"}},
                "bad":{{"serial":7,"digest":"{}","reason":"exit\ncode 1"}}}}"#,
            digest(6),
            digest(7)
        ));
        assert_eq!(about(&bad), Sighting::WentBack("exit code 1".to_owned()));
        assert!(matches!(
            bad.about("shop", Some("stable"), &release(8)),
            Sighting::NotYet(_)
        ));
    }

    /// An answer that is too long counts as none, and then later waves wait.
    #[test]
    fn a_status_of_as_many_applications_as_a_host_may_have_is_read() {
        let words = "a sentence about what is wrong and where ".repeat(8);
        let release = || json!({"version": u64::MAX, "serial": u64::MAX, "digest": "f".repeat(64)});
        let at = "2026-01-01T00:00:00Z";
        let with = |more: Value| {
            let mut value = release();
            value
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            value
        };
        let bad = with(json!({"at": at, "reason": words, "wentBackTo": u64::MAX}));
        let mut forgiven = bad.clone();
        forgiven["forgivenAt"] = json!(at);
        let application = json!({
            "name": "team/application-".repeat(4),
            "channel": "stable",
            "reference": "registry.example/team/".repeat(4),
            "phase": "going-back",
            "version": u64::MAX,
            "wave": 10, "waves": 10,
            "waits": words,
            "newest": with(json!({"firstSeen": at})),
            "trial": release(),
            "healthy": with(json!({"since": at})),
            "bad": bad,
            "forgiven": forgiven,
            "error": {"code": "registry-unreachable", "message": words},
            "polls": u64::MAX, "failures": u64::MAX, "bytes": u64::MAX, "polled": at,
        });
        let all = vec![application; MOST_APPLICATIONS];
        let text = serde_json::to_string_pretty(&json!({"host": "a", "applications": all}));
        let text = text.unwrap();
        assert!(text.len() < MAX_STATUS, "{}", text.len());
        assert!(Answer::read(text.as_bytes(), "a").is_ok());
    }

    /// Otherwise a short text could take much memory.
    #[test]
    fn a_status_of_more_applications_is_none() {
        let of = |count: usize| {
            let all = vec![json!({"name": ""}); count];
            let text = json!({"host": "a", "applications": all}).to_string();
            Answer::read(text.as_bytes(), "a")
        };
        assert!(of(MOST_APPLICATIONS).is_ok());
        assert!(of(MOST_APPLICATIONS + 1).is_err());
    }

    #[test]
    fn an_answer_of_another_host_is_none() {
        for (body, says) in [
            (&b"{"[..], "is not a status"),
            (b"[]", "another host"),
            (br#"{"host":"pop-2"}"#, "another host, `pop-2`"),
            (b"{}", "another host"),
            (
                br#"{"host":"pop-1","applications":[{}]}"#,
                "is not a status",
            ),
        ] {
            let error = Answer::read(body, "pop-1").unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let config = WatchConfig {
            host: "pop-1".to_owned(),
            url: crate::config::Url::read("http://127.0.0.1:1").unwrap(),
            patience: None,
        };
        assert!(ask(&config).unwrap_err().contains("127.0.0.1:1/status"));
    }
}
