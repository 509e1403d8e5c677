//! Clocks. Verification takes a time and never asks for one: the host says which clock it trusts.

use std::fmt::Debug;
use std::time::SystemTime;

use edgec_artifact::UnixTime;

/// Gives a host the time. A host without a trusted system clock, or a test, can have its own.
///
/// ```
/// use edgec_verifier::{Clock, ClockError, UnixTime};
///
/// /// The time that another machine has signed.
/// #[derive(Debug)]
/// struct Attested(UnixTime);
///
/// impl Clock for Attested {
///     fn now(&self) -> Result<UnixTime, ClockError> {
///         Ok(self.0)
///     }
/// }
///
/// let clock = Attested(UnixTime::from_seconds(1_893_456_000));
/// assert_eq!(clock.now()?.to_string(), "2030-01-01T00:00:00Z");
/// # Ok::<(), ClockError>(())
/// ```
pub trait Clock: Debug + Send + Sync {
    /// The time now.
    ///
    /// # Errors
    ///
    /// [`ClockError`] if the clock does not know the time. Then nothing is trusted.
    fn now(&self) -> Result<UnixTime, ClockError>;
}

/// A clock that does not know the time, so no validity can be checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the clock is not set")]
#[non_exhaustive]
pub struct ClockError {}

impl ClockError {
    /// The error of a clock that does not know the time.
    pub const fn new() -> Self {
        Self {}
    }
}

/// The clock of this system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "a promise: it has no settings, so its name is a value of it"
)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// # Errors
    ///
    /// [`ClockError`] if the clock shows a time before 1970: it was never set.
    fn now(&self) -> Result<UnixTime, ClockError> {
        UnixTime::try_from(SystemTime::now()).map_err(|_| ClockError::new())
    }
}

/// A clock that stands still, for verdicts about another time, and for tests.
impl Clock for UnixTime {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_say_what_they_know() {
        assert!(SystemClock.now().is_ok_and(|now| now > UnixTime::EPOCH));
        let still = UnixTime::from_seconds(7);
        assert_eq!(still.now(), Ok(still));
        assert_eq!(ClockError::new().to_string(), "the clock is not set");
    }
}
