//! The open files of this process, and what may take them.
//!
//! Clients and programs open connections and sockets. If these could take all file descriptors, the
//! host could neither accept nor read policy and store. So their limits together leave a reserve.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::HostError;
use crate::config::{Limits, LogLevel, ServeConfig};
use crate::telemetry::Telemetry;

/// What every host keeps: 64 connections of the admin interface, and as many for the runtime,
/// listeners, and the files of policy, store and certificates.
const OWN: u64 = 128;
/// What an application keeps: the file of its image, and those with which the engine fills its
/// memories, of the version in use and of the next one.
const APPLICATION: u64 = 8;
/// With less than this for connections and sockets, a host does not start.
const LEAST: u64 = 32;

/// Lets this process have as many open files as the system allows it, and lowers the limits of
/// connections and sockets if they could take all of them. The log says so.
///
/// # Errors
///
/// [`HostError::System`] if hardly any would be left for connections.
pub(crate) fn divide(config: &mut ServeConfig, telemetry: &Telemetry) -> Result<(), HostError> {
    let Some(most) = raised() else {
        return Ok(());
    };
    let kept = reserve(config);
    let left = most.saturating_sub(kept);
    if left < LEAST {
        let what = "there are too few open files for a host";
        let source = io::Error::other(format!(
            "this process may have {most}, and it needs {}: raise the hard limit (`ulimit -Hn`, \
             `LimitNOFILE=` of systemd)",
            kept.saturating_add(LEAST)
        ));
        return Err(HostError::System { what, source });
    }
    if let Some(what) = fit(&mut config.limits, left) {
        let what = format!(
            "this process may have {most} open files, so these limits are lower: {what}; raise \
             the hard limit (`ulimit -Hn`, `LimitNOFILE=` of systemd) or name lower ones"
        );
        telemetry.log(LogLevel::Warn, None, what);
    }
    Ok(())
}

/// The open files that this process may have from now on. `None`: there is no limit.
fn raised() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// What the host needs beside connections and sockets.
fn reserve(config: &ServeConfig) -> u64 {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    // A process may inherit open files. If the system does not say how many, `OWN` has room.
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |files| count(files.count()));
    let redis = config.applications.iter().filter_map(|it| {
        let keyvalue = it.keyvalue.as_ref()?;
        keyvalue.redis.as_ref()?;
        Some(u64::from(keyvalue.max_connections))
    });
    let applications = APPLICATION.saturating_mul(count(config.applications.len()));
    let needs = [
        open,
        applications,
        u64::from(config.limits.dns_lookups),
        redis.fold(0, u64::saturating_add),
    ];
    needs.into_iter().fold(OWN, u64::saturating_add)
}

/// Lowers these limits so that they take at most `left` open files. The smallest ones stay as they
/// are, and the others get equal shares: none of them can squeeze another out. Returns what has
/// changed.
fn fit(limits: &mut Limits, mut left: u64) -> Option<String> {
    let mut shares = [
        ("connections", &mut limits.connections),
        ("outbound-connections", &mut limits.outbound_connections),
        ("sockets", &mut limits.sockets),
    ];
    shares.sort_by_key(|(_, limit)| **limit);
    let mut changes = Vec::new();
    for (rest, (name, limit)) in (1..=3u64).rev().zip(&mut shares) {
        let before = **limit;
        let share = u64::from(before).min(left / rest);
        left = left.saturating_sub(share);
        **limit = u32::try_from(share).unwrap_or(before);
        if **limit != before {
            changes.push(format!("{name} {} (not {before})", **limit));
        }
    }
    (!changes.is_empty()).then(|| changes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_sockets_leave_a_reserve() {
        let mut limits = Limits::default();
        assert_eq!(fit(&mut limits, 4096 + 1024 + 1024), None);
        assert_eq!(limits.connections, 4096);
        let what = fit(&mut limits, 600).unwrap();
        assert_eq!(
            what,
            "outbound-connections 200 (not 1024), sockets 200 (not 1024), connections 200 (not \
             4096)"
        );
        let sum = limits.connections + limits.outbound_connections + limits.sockets;
        assert_eq!(sum, 600);
    }

    #[test]
    fn what_is_off_stays_off() {
        let mut limits = Limits {
            connections: u32::MAX,
            outbound_connections: 1,
            sockets: 0,
            ..Limits::default()
        };
        fit(&mut limits, 100).unwrap();
        assert_eq!(limits.connections, 99);
        assert_eq!((limits.outbound_connections, limits.sockets), (1, 0));
    }

    #[test]
    fn applications_and_lookups_need_files_too() {
        let mut config = ServeConfig::default();
        let none = reserve(&config);
        let application = crate::config::ApplicationConfig::new("acme/app");
        config.applications = vec![application; 10_000];
        // Other tests open and close files meanwhile, so the sums are not compared exactly.
        let many = reserve(&config);
        assert!(many > none + 70_000);
        config.limits.dns_lookups += 100_000;
        assert!(reserve(&config) > many + 50_000);
        assert!(none >= OWN + u64::from(Limits::default().dns_lookups));
    }
}
