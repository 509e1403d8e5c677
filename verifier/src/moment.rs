//! Points in time as reports show them.

use std::time::{Duration, UNIX_EPOCH};

/// Seconds since 1970, written as in RFC 3339 in UTC if that is possible.
pub fn moment(seconds: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
        // The year 9999 is where RFC 3339 ends.
        Some(time) if seconds < 253_402_300_800 => humantime::format_rfc3339(time).to_string(),
        _ => format!("{seconds} s after 1970"),
    }
}
