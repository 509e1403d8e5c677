//! The processes of this machine.

/// The child processes of this process that it has not waited for.
pub fn children(process: u32) -> Vec<u32> {
    let parent = |stat: &str| {
        // The name of a program may contain spaces and parentheses.
        let (_, fields) = stat.rsplit_once(") ")?;
        fields.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let entries = std::fs::read_dir("/proc").expect("Linux has it");
    let found = entries.filter_map(|entry| {
        let folder = entry.ok()?.path();
        let number = folder.file_name()?.to_str()?.parse().ok()?;
        // A process may have ended.
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        (parent(&stat) == Some(process)).then_some(number)
    });
    found.collect()
}
