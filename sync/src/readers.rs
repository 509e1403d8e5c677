//! Readers of what other hosts and pages say, for `fuzz/` alone: this is not part of the interface,
//! and may change at any time. Each function reads bytes as the rest of the crate does, without a
//! network and files.

use crate::config::{MetricsConfig, Period, Share, Url};
use crate::gate::{MetricsProbe, Probe as _, Reading, Subject};
use crate::http::{self, HttpError};
use crate::state::{Known, ReleaseId};
use crate::status::{ApplicationStatus, Board};
use crate::watch::{Answer, Sighting};

pub use crate::gate::prometheus::Sample;

/// What a host with this name says about a release of an application.
///
/// # Errors
///
/// Why the bytes are not its status.
pub fn sighting(
    status: &[u8],
    host: &str,
    (name, channel): (&str, Option<&str>),
    release: &ReleaseId,
) -> Result<Sighting, String> {
    Answer::read(status, host).map(|it| it.about(name, channel, release))
}

/// The status of a host that follows one application, and knows this about it.
pub fn status(host: &str, (name, channel): (&str, Option<&str>), known: &Known) -> String {
    let mut status = ApplicationStatus {
        name: name.to_owned(),
        channel: channel.map(str::to_owned),
        ..ApplicationStatus::default()
    };
    status.know(known);
    let board = Board::new(host);
    board.put(name, &status);
    board.document().to_string()
}

/// The page in an answer of HTTP.
///
/// # Errors
///
/// [`HttpError`].
pub fn page(answer: &[u8], limit: usize) -> Result<Vec<u8>, HttpError> {
    http::body(&Url::unix("/socket".into()), answer, limit)
}

/// What a gate reads of metrics: `before` a version of an application is admitted, and then each of
/// `pages`.
pub fn readings(label: &str, version: u64, before: &str, pages: &[&str]) -> Vec<Reading> {
    let config = MetricsConfig {
        url: None,
        max_error_share: Share::new(0.05).unwrap_or(Share::ALL),
        min_requests: 50,
        max_p99_ratio: Some(2.0),
        take: Period::secs(1),
    };
    let subject = Subject {
        name: label.to_owned(),
        channel: None,
        label: label.to_owned(),
        version,
        serial: version,
        host: "pop-1".to_owned(),
    };
    let texts = [&[before], pages].concat().into_iter().map(str::to_owned);
    let texts: Vec<String> = texts.collect();
    let next = std::sync::Mutex::new(texts.into_iter());
    let fetch = move || {
        let mut next = next
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        next.next().ok_or_else(|| "no page".to_owned())
    };
    let mut probe = MetricsProbe::by(&config, label, fetch);
    probe.before();
    pages.iter().map(|_| probe.read(&subject)).collect()
}
