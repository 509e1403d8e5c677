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

/// As [`parse_date`], or `+` and a duration from now, such as `+90d`: the limits of an artifact's
/// validity.
pub(crate) fn parse_limit(text: &str) -> Result<u64, String> {
    let Some(duration) = text.strip_prefix('+') else {
        return parse_date(text);
    };
    let after = parse_duration(duration)?;
    let now = now().map_err(|_| "the clock is not set".to_owned())?;
    let sum = now.checked_add(after).filter(|sum| *sum <= LAST);
    sum.ok_or_else(|| "that lies behind the year 9999".to_owned())
}

/// The last second of the year 9999, which RFC 3339 can write.
const LAST: u64 = 253_402_300_799;

/// The seconds of one or several numbers with units, such as `1d12h`.
fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong =
        || "not a duration like +90d, +12h or +1d12h: units are w, d, h, m (minutes), s".to_owned();
    let mut rest = text;
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at_checked(digits).ok_or_else(wrong)?;
        let mut behind = behind.chars();
        let unit = match behind.next() {
            Some('w') => 604_800,
            Some('d') => 86_400,
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(unit);
        seconds = part
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(wrong)?;
        rest = behind.as_str();
    }
    match seconds {
        0 => Err(wrong()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [
            ("90d", 7_776_000),
            ("12h", 43_200),
            ("1d12h", 129_600),
            ("2w", 1_209_600),
            ("5m30s", 330),
        ] {
            assert_eq!(parse_duration(text), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "90",
            "d",
            "90 d",
            "-1d",
            "1.5d",
            "0d",
            "90D",
            "1y",
            "+1d",
            "99999999999999999999d",
            "99999999999999999w",
            "9é",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_limit("+8000000d").is_err());
        let now = now().unwrap();
        let later = parse_limit("+90d").unwrap();
        assert!((now + 7_776_000..now + 7_776_600).contains(&later));
    }
}
