//! Who hears of the use of services: of limits that were hit, and of lines for the
//! log. A guest cannot flood the log with them, and cannot hide one kind behind another.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Limit;
use crate::config::LogLevel;
use crate::destination::{Host, class};
use crate::interfaces::{GuestLevel, GuestLog};
use crate::outbound::Denial;

/// Lines about refusals and failures of one kind of one application in a second. Counters count all
/// of them.
const LINES: u32 = 20;

/// Hears of the use of services, by an application or by all of them. It must not block.
pub(crate) trait Observer: Debug + Send + Sync {
    /// A limit was hit.
    fn limit(&self, limit: Limit);
    /// Something that the log should have.
    fn line(&self, level: LogLevel, what: &dyn Display);
    /// Something that a program wants to have in the log.
    fn said(&self, level: LogLevel, what: &dyn Display);
}

/// Writes a line of a guest, with its context in brackets.
pub(super) fn said(observer: &dyn Observer, line: &GuestLog<'_>) {
    let level = match line.level {
        GuestLevel::Trace | GuestLevel::Debug => LogLevel::Debug,
        GuestLevel::Info => LogLevel::Info,
        GuestLevel::Warn => LogLevel::Warn,
        GuestLevel::Error | GuestLevel::Critical => LogLevel::Error,
    };
    let cut = if line.cut { " …" } else { "" };
    let last = match line.last {
        true => " (further lines of this instance are left out)",
        false => "",
    };
    let (context, message) = (line.context, line.message);
    observer.said(level, &format_args!("[{context}] {message}{cut}{last}"));
}

/// The kind of a refusal: its rule, and what the address is. Nobody hides a look for credentials
/// behind harmless refusals.
pub(super) fn kind(denial: &Denial) -> String {
    let rule = denial.rule();
    let class = match denial {
        Denial::Address { class, .. } => Some(*class),
        Denial::NotAllowed {
            host: Host::Address(address),
            ..
        } => class(*address),
        _ => None,
    };
    match class {
        Some(class) => format!("{rule} ({class})"),
        None => rule.to_owned(),
    }
}

/// Lines that a guest can cause as often as it wants.
pub(super) struct Lines {
    observer: Arc<dyn Observer>,
    second: Mutex<Second>,
}

/// What was written of each kind. There are few kinds, and no guest makes new ones.
struct Second {
    begin: Instant,
    kinds: BTreeMap<String, u32>,
}

impl Lines {
    pub(super) fn new(observer: &Arc<dyn Observer>) -> Self {
        Self {
            observer: Arc::clone(observer),
            second: Mutex::new(Second {
                begin: Instant::now(),
                kinds: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn write(&self, level: LogLevel, kind: &str, what: &dyn Display) {
        self.write_at(Instant::now(), level, kind, what);
    }

    fn write_at(&self, now: Instant, level: LogLevel, kind: &str, what: &dyn Display) {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = BTreeMap::new();
        if now.saturating_duration_since(second.begin) >= Duration::from_secs(1) {
            second.begin = now;
            before = std::mem::take(&mut second.kinds);
        }
        let count = second.kinds.entry(kind.to_owned()).or_default();
        *count = count.saturating_add(1);
        let count = *count;
        drop(second);
        for (kind, all) in before {
            if let Some(left @ 1..) = all.checked_sub(LINES) {
                let what = format!("{kind}: {left} further lines were left out");
                self.observer.line(level, &what);
            }
        }
        if count <= LINES {
            self.observer.line(level, what);
        } else if count == LINES + 1 {
            let what = format!("{kind}: further lines are left out");
            self.observer.line(level, &what);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[derive(Debug, Default)]
    pub(in crate::services) struct Heard(pub(in crate::services) Mutex<Vec<String>>);

    impl Observer for Heard {
        fn limit(&self, limit: Limit) {
            self.0.lock().unwrap().push(limit.to_string());
        }

        fn line(&self, _: LogLevel, what: &dyn Display) {
            self.0.lock().unwrap().push(what.to_string());
        }

        fn said(&self, level: LogLevel, what: &dyn Display) {
            self.line(level, what);
        }
    }

    #[test]
    fn a_guest_cannot_flood_the_log_with_refusals_nor_hide_one() {
        let heard = Arc::new(Heard::default());
        let observer: Arc<dyn Observer> = Arc::clone(&heard) as Arc<dyn Observer>;
        let lines = Lines::new(&observer);
        let begin = Instant::now();
        let write = |seconds, kind: &str, what: &str| {
            let now = begin + Duration::from_secs(seconds);
            lines.write_at(now, LogLevel::Warn, kind, &what);
        };
        for _ in 0..100 {
            write(0, "denied", "refused");
        }
        write(0, "denied (metadata)", "probe");
        write(2, "denied", "later");
        let mut expected = vec!["refused"; 20];
        expected.extend(["denied: further lines are left out", "probe"]);
        expected.extend(["denied: 80 further lines were left out", "later"]);
        assert_eq!(*heard.0.lock().unwrap(), expected);
    }

    #[test]
    fn a_look_for_credentials_is_a_kind_of_its_own() {
        let denied = |host: &str| {
            let host = Host::parse(host).unwrap();
            kind(&Denial::NotAllowed { host, port: 80 })
        };
        assert_eq!(denied("a.example"), "outbound-denied");
        assert_eq!(denied("192.0.43.8"), "outbound-denied");
        assert_eq!(denied("169.254.169.254"), "outbound-denied (metadata)");
        let (host, address) = (Host::parse("a.example").unwrap(), [10, 0, 0, 1].into());
        let class = class(address).unwrap();
        let denial = Denial::Address {
            host,
            address,
            class,
        };
        assert_eq!(kind(&denial), "outbound-private (private)");
    }
}
