//! Numbers for people.

/// A length in bytes, with three significant digits and a binary unit: `41.2 KiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    while value >= 1023.5 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = next;
    }
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A part of a whole in percent, with one digit behind the point; `0.0 %` of nothing.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let share = match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64 * 100.0,
    };
    format!("{share:.1} %")
}

/// `+1.20 KiB`, `-3 B` or `0 B`.
pub(crate) fn change(before: u64, after: u64) -> String {
    let sign = match after.cmp(&before) {
        std::cmp::Ordering::Less => "-",
        std::cmp::Ordering::Equal => "",
        std::cmp::Ordering::Greater => "+",
    };
    format!("{sign}{}", size(after.abs_diff(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(42_189), "41.2 KiB");
        assert_eq!(size(5 << 30), "5.00 GiB");
        assert_eq!(size(u64::MAX), "17179869184 GiB");
        assert_eq!(
            (share(1, 8), share(0, 0)),
            ("12.5 %".to_owned(), "0.0 %".to_owned())
        );
        assert_eq!(
            [change(1, 3), change(3, 1), change(3, 3)],
            ["+2 B", "-2 B", "0 B"]
        );
    }
}
