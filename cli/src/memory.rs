//! How much memory this machine can give to a build.

/// The memory that is assumed if the system does not say how much it has, in bytes (4 GiB).
const ASSUMED: u64 = 4 << 30;

/// The memory that programs which are built at a time may take together, in bytes: three quarters
/// of what is available now, to the machine and to the control group (container) of this process.
/// The rest is for the system, and for estimates that are too low.
pub(crate) fn for_programs() -> u64 {
    let available = system::available().unwrap_or(ASSUMED);
    available / 4 * 3
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::read_to_string;
    use std::path::{Path, PathBuf};

    /// What the machine has available, or less if a control group limits it. `None` if neither says
    /// anything.
    pub(super) fn available() -> Option<u64> {
        let machine = read_to_string("/proc/meminfo").ok();
        let machine = machine.as_deref().and_then(available_in);
        let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
        let groups = folders(&groups).into_iter().filter_map(|it| left_in(&it));
        groups.chain(machine).min()
    }

    /// The field `MemAvailable` of /proc/meminfo, in bytes.
    pub(super) fn available_in(meminfo: &str) -> Option<u64> {
        let mut lines = meminfo.lines();
        let line = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024)
    }

    /// The folders of the control groups that limit the memory of this process: its own group and
    /// all groups around it. A container often sees only the outermost folder.
    pub(super) fn folders(groups: &str) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for line in groups.lines() {
            // `0::/path` in version 2, `5:memory:/path` in version 1.
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next(), parts.next());
            let root = match controllers {
                Some("") => "/sys/fs/cgroup",
                Some(list) if list.split(',').any(|it| it == "memory") => "/sys/fs/cgroup/memory",
                _ => continue,
            };
            let path = Path::new(path.unwrap_or_default().trim_start_matches('/'));
            folders.extend(path.ancestors().map(|path| Path::new(root).join(path)));
        }
        folders
    }

    /// What a control group leaves to its processes, in bytes. `None` if it sets no limit.
    fn left_in(folder: &Path) -> Option<u64> {
        let number = |name: &str| -> Option<u64> {
            let text = read_to_string(folder.join(name)).ok()?;
            text.trim().parse().ok()
        };
        let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
        let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"));
        Some(limit.saturating_sub(used.unwrap_or(0)))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn available() -> Option<u64> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_system_says_what_is_available() {
        let text = "MemTotal:       16000000 kB\nMemAvailable:    4000000 kB\n";
        assert_eq!(system::available_in(text), Some(4_096_000_000));
        assert_eq!(system::available_in("MemTotal: 1 kB\n"), None);
        assert_eq!(system::available_in("MemAvailable: x kB\n"), None);
        assert!(for_programs() > 0);
    }

    #[test]
    fn a_group_is_limited_by_those_around_it() {
        let folders = |text| system::folders(text);
        let two = ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup/"];
        assert_eq!(folders("0::/a/b\n"), two.map(Path::new));
        let one = ["/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory/"];
        assert_eq!(folders("4:cpu:/x\n5:memory:/a\n"), one.map(Path::new));
        assert!(folders("nonsense").is_empty());
    }
}
