//! Points in time: from the command line, into the manifest, and back to a reader.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::Failure;

/// Reads an RFC 3339 time in UTC or a number of seconds since 1970; the result is the
/// latter. For clap.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time = humantime::parse_rfc3339(text)
        .map_err(|_| "not a time like 2026-01-31T12:00:00Z, nor seconds since 1970".to_owned())?;
    let since = time.duration_since(UNIX_EPOCH);
    since
        .map(|since| since.as_secs())
        .map_err(|_| "before 1970".to_owned())
}

/// As [`parse`], for the ends of a validity: a small number is more likely a year than a
/// time in the 1970s, and a date alone is its first second.
pub(crate) fn parse_date(text: &str) -> Result<u64, String> {
    const YEARS: u64 = 100_000_000;
    match parse(text).or_else(|error| parse(&format!("{text}T00:00:00Z")).map_err(|_| error))? {
        seconds if seconds < YEARS => Err("that lies before 1973".to_owned()),
        seconds => Ok(seconds),
    }
}

/// RFC 3339 in UTC.
pub(crate) use edgec_verifier::moment as show;

/// Now, in seconds since 1970.
pub(crate) fn now() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map(|since| since.as_secs())
        .map_err(|error| Failure::environment("clock", &error))
}
