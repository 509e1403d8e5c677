//! The costs of lost fast paths, on one quiet machine, measured with `cargo bench -p edgec lint`
//! (`docs/cold-start.md`). Their purpose is to tell microseconds from milliseconds.

use super::Work;

/// A smaller cost, in nanoseconds, is not reported: a whole small component costs as much. Every
/// component of `wit-component` loses less, for the table of its shim.
pub(super) const NOTABLE: u64 = 10_000;

/// The same for the cost of instances: every component has several.
pub(super) const NOTABLE_INSTANCES: u64 = 50_000;

// All of these are in picoseconds.

/// For each byte that is copied. Most of it is the first access to each page.
const COPY_BYTE: u64 = 800;
/// For each segment that is copied: a small segment in a separate place, with its share of the
/// pages.
const COPY_SEGMENT: u64 = 600_000;
/// For each element of a table, or of a passive segment.
const ELEMENT: u64 = 60_000;
/// For each byte of code that fills tables. One element takes 24 to 40 bytes on x86-64.
const CODE_BYTE: u64 = 2_000;
const GLOBAL: u64 = 4_000;
/// For each segment that is processed.
const ENTRY: u64 = 3_000;
const INSTANCE: u64 = 800_000;
const IMPORT: u64 = 80_000;
/// For the call of the code that does any of this.
const CALL: u64 = 200_000;

pub(super) fn nanoseconds(work: &Work) -> Option<u64> {
    let times = |count: u64, each: u64| count.saturating_mul(each);
    let picoseconds = match work {
        Work::Copy { bytes, segments } => CALL
            .saturating_add(times(*bytes, COPY_BYTE))
            .saturating_add(times(*segments, COPY_SEGMENT)),
        Work::Fill { elements } => CALL.saturating_add(times(*elements, ELEMENT)),
        Work::Compute { globals } => CALL.saturating_add(times(*globals, GLOBAL)),
        Work::Enter { segments } => times(*segments, ENTRY),
        Work::Connect { instances, imports } => {
            times(*instances, INSTANCE).saturating_add(times(*imports, IMPORT))
        }
        Work::Startup { bytes } => CALL.saturating_add(times(*bytes, CODE_BYTE)),
        Work::Run { little: true } => CALL,
        Work::Run { little: false } | Work::Exceed { .. } => return None,
    };
    Some(picoseconds / 1000)
}
