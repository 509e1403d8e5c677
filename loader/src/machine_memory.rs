//! How much memory this machine has, and how much of it is available, to this process: a control
//! group (container) may have less than the machine.

/// The memory that this process may have in all, in bytes: that of the machine, or less if a
/// control group limits it. `None` if neither says anything.
pub fn total() -> Option<u64> {
    system::total()
}

/// The memory that is available to this process now, in bytes: to the machine, or less if a control
/// group has less left. `None` if neither says anything.
pub fn available() -> Option<u64> {
    system::available()
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::read_to_string;
    use std::path::{Path, PathBuf};

    pub(super) fn total() -> Option<u64> {
        least("MemTotal:", limit_of)
    }

    pub(super) fn available() -> Option<u64> {
        least("MemAvailable:", left_in)
    }

    /// The least of what the machine and the control groups say.
    fn least(field: &str, of_group: impl Fn(&Path) -> Option<u64>) -> Option<u64> {
        let machine = read_to_string("/proc/meminfo").ok();
        let machine = machine.as_deref().and_then(|it| field_in(it, field));
        let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
        let groups = folders(&groups).into_iter().filter_map(|it| of_group(&it));
        groups.chain(machine).min()
    }

    /// A field of /proc/meminfo, in bytes.
    pub(super) fn field_in(meminfo: &str, field: &str) -> Option<u64> {
        let mut lines = meminfo.lines();
        let line = lines.find_map(|line| line.strip_prefix(field))?;
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

    fn number(folder: &Path, names: [&str; 2]) -> Option<u64> {
        let read = |name: &&str| -> Option<u64> {
            let text = read_to_string(folder.join(name)).ok()?;
            text.trim().parse().ok()
        };
        names.iter().find_map(read)
    }

    /// The limit of a control group, in bytes. `None` if it sets none.
    fn limit_of(folder: &Path) -> Option<u64> {
        number(folder, ["memory.max", "memory.limit_in_bytes"])
    }

    /// What a control group leaves to its processes, in bytes. `None` if it sets no limit.
    fn left_in(folder: &Path) -> Option<u64> {
        let used = number(folder, ["memory.current", "memory.usage_in_bytes"]);
        Some(limit_of(folder)?.saturating_sub(used.unwrap_or(0)))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn total() -> Option<u64> {
        None
    }

    pub(super) fn available() -> Option<u64> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_system_says_what_is_there() {
        let text = "MemTotal:       16000000 kB\nMemAvailable:    4000000 kB\n";
        let field = |text, name| system::field_in(text, name);
        assert_eq!(field(text, "MemTotal:"), Some(16_384_000_000));
        assert_eq!(field(text, "MemAvailable:"), Some(4_096_000_000));
        assert_eq!(field("MemTotal: 1 kB\n", "MemAvailable:"), None);
        assert_eq!(field("MemAvailable: x kB\n", "MemAvailable:"), None);
        assert!(available().unwrap() <= total().unwrap());
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
