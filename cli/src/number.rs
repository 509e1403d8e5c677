//! Whole numbers on the command line.

use std::ops::RangeInclusive;

/// What options for counts take.
pub(crate) const COUNT: &str = "write a whole number";
/// What options for seconds take.
pub(crate) const SECONDS: &str = "write a whole number of seconds, such as 600";

/// What options for days take.
pub(crate) const DAYS: &str = "write a whole number of days, such as 90";

/// What options for memory take.
pub(crate) const MEBIBYTES: &str = "write a whole number of MiB, such as 4096 for 4 GiB";

/// Parses a whole number in `range`, for clap. `takes` is the message for a text that is not a
/// number. It begins with `write`, and says what the option takes and in which unit.
pub(crate) fn number(
    range: RangeInclusive<u64>,
    takes: &'static str,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text: &str| {
        let number: u64 = text.parse().map_err(|_| takes.to_owned())?;
        match range.contains(&number) {
            true => Ok(number),
            false => Err(format!(
                "write a number from {} to {}: {}",
                range.start(),
                range.end(),
                takes.strip_prefix("write ").unwrap_or(takes)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_told_what_to_write() {
        let seconds = number(1..=60, SECONDS);
        assert_eq!(seconds("1"), Ok(1));
        assert_eq!(seconds("60"), Ok(60));
        for text in ["", "5s", "1.5", "-1", "99999999999999999999", "five"] {
            assert_eq!(seconds(text), Err(SECONDS.to_owned()), "{text}");
        }
        for text in ["0", "61"] {
            let error = seconds(text).unwrap_err();
            let says = "write a number from 1 to 60: a whole number of seconds, such as 600";
            assert_eq!(error, says, "{text}");
        }
    }
}
