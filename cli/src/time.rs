//! Points in time, on the command line, in the manifest, and in text for people.

use std::time::{Duration, UNIX_EPOCH};

use edgec_verifier::{Clock as _, SystemClock, UnixTime};

use crate::failure::Failure;

/// Parses a point in time.
///
/// It can be a time of RFC 3339, in UTC or with an offset; a date, which means its first second in
/// UTC; or a number of seconds since 1970.
fn parse(text: &str) -> Result<UnixTime, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return checked(text.parse().unwrap_or(u64::MAX));
    }
    let seconds = of_rfc3339(text).ok_or_else(|| {
        "not a time: write 2030-01-31, 2030-01-31T12:00:00Z, 2030-01-31T12:00:00+02:00, \
         or seconds since 1970"
            .to_owned()
    })?;
    match u64::try_from(seconds) {
        Ok(seconds) if seconds <= LAST.seconds() => Ok(UnixTime::from_seconds(seconds)),
        Ok(_) => Err(TOO_LATE.to_owned()),
        Err(_) => Err("that lies before 1970".to_owned()),
    }
}

/// A number of seconds since 1970. Refuses milliseconds, as JavaScript counts them, because they
/// would be in the far future.
pub(crate) fn checked(seconds: u64) -> Result<UnixTime, String> {
    match seconds <= LAST.seconds() {
        true => Ok(UnixTime::from_seconds(seconds)),
        false => Err(format!("{TOO_LATE}: write seconds, not milliseconds")),
    }
}

/// The seconds since 1970 of a time with `Z` or an offset, or of a date.
fn of_rfc3339(text: &str) -> Option<i64> {
    let (time, offset) = match split_offset(text) {
        Some((local, offset)) => (format!("{local}Z"), offset),
        None => (text.to_owned(), 0),
    };
    let time = humantime::parse_rfc3339(&time)
        .or_else(|_| humantime::parse_rfc3339(&format!("{text}T00:00:00Z")))
        .ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()?.checked_sub(offset)
}

/// A time without its offset from UTC, such as `+02:00`, and that offset in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let at = text.len().checked_sub("+00:00".len())?;
    let (time, offset) = text.split_at_checked(at)?;
    let (sign, digits) = match offset.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hours, minutes) = digits.split_once(':')?;
    if !time.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number = |digits: &str, most: i64| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<i64> = digits.parse().ok();
        number.filter(|number| is_number && *number <= most)
    };
    let seconds = number(hours, 23)? * 3600 + number(minutes, 59)? * 60;
    Some((time, sign * seconds))
}

/// Like [`parse`], for clap. Refuses a small number, because it is probably a year or a date
/// without its dashes, and not a time in the 1970s.
pub(crate) fn parse_date(text: &str) -> Result<UnixTime, String> {
    const YEARS: UnixTime = UnixTime::from_seconds(100_000_000);
    match parse(text)? {
        time if time < YEARS => {
            Err("that lies before 1973: write a date such as 2030-01-31".to_owned())
        }
        time => Ok(time),
    }
}

/// A point in time, or a duration from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    At(UnixTime),
    After(Duration),
}

impl Limit {
    /// Like [`parse_date`], but also accepts `+` and a duration, such as `+90d`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(duration) = text.strip_prefix('+') {
            return parse_duration(duration).map(Self::After);
        }
        let time = parse_date(text).map_err(|error| match (parse_duration(text), years(text)) {
            (Ok(_), _) => format!("a duration begins with `+`: write +{text}"),
            (_, Some(advice)) => advice,
            _ => error,
        });
        time.map(Self::At)
    }

    /// The point in time, if durations count from `start`.
    pub(crate) fn from(self, start: UnixTime) -> Result<UnixTime, String> {
        match self {
            Self::At(time) => Ok(time),
            Self::After(duration) => {
                let sum = start.checked_add(duration).filter(|sum| *sum <= LAST);
                sum.ok_or_else(|| TOO_LATE.to_owned())
            }
        }
    }
}

/// A [`Limit`] from now. For the limits of an artifact's validity.
pub(crate) fn parse_limit(text: &str) -> Result<UnixTime, String> {
    let limit = Limit::parse(text)?;
    let now = SystemClock.now().map_err(|error| error.to_string())?;
    limit.from(now)
}

/// The last second of the year 9999, which is the last that RFC 3339 can write.
const LAST: UnixTime = UnixTime::from_seconds(253_402_300_799);
const TOO_LATE: &str = "that is after the year 9999";

/// What to write instead of a number of years.
fn years(text: &str) -> Option<String> {
    let endings = ["years", "year", "y"];
    let number = endings
        .iter()
        .find_map(|ending| text.strip_suffix(ending))?;
    let days = number.parse::<u64>().ok()?.checked_mul(365)?;
    Some(format!("years differ in length: write +{days}d"))
}

/// One or more numbers with units, such as `1d12h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        years(text).unwrap_or_else(|| {
            "not a duration like +90d, +12h or +1d12h: units are w, d, h, m (minutes), s".to_owned()
        })
    };
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
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// The time by the clock of this machine.
pub(crate) fn now() -> Result<UnixTime, Failure> {
    let now = SystemClock.now();
    now.map_err(|error| Failure::environment("clock", &error))
}

/// The time of the sources, if the environment names one:
/// <https://reproducible-builds.org/specs/source-date-epoch/>
pub(crate) fn source_date() -> Result<Option<UnixTime>, Failure> {
    const VARIABLE: &str = "SOURCE_DATE_EPOCH";
    let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text.parse::<u64>();
    let seconds = seconds.map_err(|_| "not a number of seconds since 1970".to_owned());
    let seconds = seconds.and_then(checked);
    let failure = |message: String| Failure::usage("source-date", message).about(VARIABLE);
    seconds.map(Some).map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_rfc_3339_or_seconds() {
        for (text, seconds) in [
            ("0", 0),
            ("1893456000", 1_893_456_000),
            ("2030-01-01", 1_893_456_000),
            ("2030-01-01T00:00:00Z", 1_893_456_000),
            ("2030-01-01T00:00:00.25Z", 1_893_456_000),
            ("2030-01-01T00:00:00+00:00", 1_893_456_000),
            ("2030-01-01T00:00:00-00:00", 1_893_456_000),
            ("2030-01-01T02:00:00+02:00", 1_893_456_000),
            ("2029-12-31T18:30:00-05:30", 1_893_456_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("9999-12-31T23:59:59Z", LAST.seconds()),
            ("253402300799", LAST.seconds()),
        ] {
            assert_eq!(parse(text), Ok(UnixTime::from_seconds(seconds)), "{text}");
        }
        for text in [
            "",
            "+5",
            "-5",
            "2030",
            "20300131",
            "99999999",
            "2030-01",
            "2030-13-01",
            "01.01.2030",
            "2030-01-01T00:00",
            "2030-01-01T00:00:00",
            "2030-01-01T00:00:00+0200",
            "2030-01-01T00:00:00+24:00",
            "2030-01-01T00:00:00+02:60",
            "2030-01-01T00:00:00Z+02:00",
            "2030-01-01+02:00",
            "1970-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "é+02:00",
            "tomorrow",
        ] {
            assert!(parse_date(text).is_err(), "{text}");
        }
        // 2100-01-01 in milliseconds.
        for text in ["4102444800000", "253402300800", "99999999999999999999999"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("after the year 9999"), "{error}");
            assert!(error.contains("milliseconds"), "{error}");
        }
    }

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [
            ("90d", 7_776_000),
            ("12h", 43_200),
            ("1d12h", 129_600),
            ("2w", 1_209_600),
            ("5m30s", 330),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
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
        for (text, advice) in [
            ("90d", "write +90d"),
            ("1d12h", "write +1d12h"),
            ("1y", "write +365d"),
            ("+1y", "write +365d"),
            ("+2years", "write +730d"),
            ("+1mo", "units are"),
            ("soon", "2030-01-31T12:00:00Z"),
        ] {
            let error = parse_limit(text).unwrap_err();
            assert!(error.contains(advice), "{text}: {error}");
        }
        let start = UnixTime::from_seconds(100);
        let later = Limit::parse("+90d").unwrap().from(start).unwrap();
        assert_eq!(later.seconds(), 7_776_100);
        let now = now().unwrap().seconds();
        let later = parse_limit("+90d").unwrap().seconds();
        assert!((now + 7_776_000..now + 7_776_600).contains(&later));
    }
}
