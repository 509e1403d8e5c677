//! Reads two parts of the code at a time.
//!
//! The parts are divided at the beginning of a function. The code, tables and constants of a
//! function lie together, so a pass over one part marks only bytes of this part. If it would have
//! to mark others, or finds anything, the results of both passes are dropped, and one pass reads
//! the whole code. So a report with findings is always the result of one pass. A clean report of
//! two passes has the same meaning: every byte has a kind, and the second pass checks every branch,
//! also between the parts.

use std::thread;

use super::AuditReport;
use super::decoder::Decoder;
use super::features::Declared;
use super::sweep::{FUNCTION_ALIGN, Sweep};

/// Code of this length, in bytes, is divided. For less, a second thread costs more than it saves.
const LONG: usize = 256 << 10;

/// Audits code as [`Sweep::run`] does. `decoder` makes a decoder for it.
pub(super) fn run<D: Decoder + Send>(
    text: &[u8],
    decoder: impl Fn() -> D + Sync,
    declared: Declared,
    handlers: &[u32],
    entries: Option<&[u32]>,
) -> AuditReport {
    // The table has one row for each call site, and many rows lead to the same place.
    let places = |places: &[u32]| {
        let mut places = places.to_vec();
        places.sort_unstable();
        places.dedup();
        places
    };
    let handlers = places(handlers);
    let entries = entries.map(places);
    let whole = in_two(text, &decoder, declared, &handlers);
    let whole = whole.unwrap_or_else(|| in_one(text, decoder(), declared, &handlers));
    whole.check(&handlers, entries.as_deref())
}

/// The first pass over the whole code.
fn in_one<'a, D: Decoder>(
    text: &'a [u8],
    decoder: D,
    declared: Declared,
    handlers: &[u32],
) -> Sweep<'a, D> {
    let mut whole = Sweep::new(text, 0..text.len(), decoder, declared);
    whole.pass(handlers);
    whole
}

/// The first pass over both parts of the code. `None` if it is short, or one pass must read it.
fn in_two<'a, D: Decoder + Send>(
    text: &'a [u8],
    decoder: &(impl Fn() -> D + Sync),
    declared: Declared,
    handlers: &[u32],
) -> Option<Sweep<'a, D>> {
    if text.len() < LONG {
        return None;
    }
    let reads = decoder();
    let mut places = (text.len() / 2).next_multiple_of(FUNCTION_ALIGN)..text.len();
    let middle = loop {
        let at = places.next()?;
        if reads.prologue(at) {
            break at;
        }
        places.nth(FUNCTION_ALIGN - 2)?;
    };
    let part = |range, decoder| {
        let mut part = Sweep::new(text, range, decoder, declared);
        part.pass(handlers);
        part.stands_alone().then_some(part)
    };
    thread::scope(|scope| {
        let second = move || part(middle..text.len(), decoder());
        let second = thread::Builder::new().spawn_scoped(scope, second).ok()?;
        let first = part(0..middle, reads);
        let second = second.join().ok()?;
        let mut whole = first?;
        whole.append(second?);
        Some(whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::x86_64::X86;
    use crate::audit::x86_64_encodings::FEATURES;

    const FUNCTIONS: usize = 1 << 14;
    /// Where the code is divided.
    const MIDDLE: usize = FUNCTIONS / 2 * FUNCTION_ALIGN;

    /// Functions that set up a frame and return, and zeros between them.
    fn functions() -> Vec<u8> {
        let mut function = vec![0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3];
        function.resize(FUNCTION_ALIGN, 0);
        function.repeat(FUNCTIONS)
    }

    /// Puts instructions behind the frame of the function at `at`, and its end behind them.
    fn with(at: usize, instructions: &[u8]) -> Vec<u8> {
        let mut code = functions();
        let body = [instructions, &[0x5d, 0xc3]].concat();
        code[at + 4..][..body.len()].copy_from_slice(&body);
        code
    }

    /// `call` or `jmp` from the function at `at`.
    fn leads(opcode: u8, at: usize, to: usize) -> Vec<u8> {
        let next = i64::try_from(at + 4 + 5).unwrap();
        let by = i32::try_from(i64::try_from(to).unwrap() - next).unwrap();
        with(at, &[&[opcode][..], &by.to_le_bytes()].concat())
    }

    /// `movss xmm0, [rip + …]` in the function at `at`.
    fn reads(at: usize, from: usize) -> Vec<u8> {
        let next = i64::try_from(at + 4 + 8).unwrap();
        let by = i32::try_from(i64::try_from(from).unwrap() - next).unwrap();
        with(
            at,
            &[&[0xf3, 0x0f, 0x10, 0x05][..], &by.to_le_bytes()].concat(),
        )
    }

    /// The reports of one pass and of two, and whether the two were enough.
    fn both(code: &[u8], entries: &[u32]) -> (AuditReport, bool) {
        let declared = Declared::new(FEATURES, &[]);
        let decoder = || X86::new(code);
        let one = in_one(code, decoder(), declared, &[]).check(&[], Some(entries));
        assert_eq!(run(code, decoder, declared, &[], Some(entries)), one);
        (one, in_two(code, &decoder, declared, &[]).is_some())
    }

    #[test]
    fn two_passes_find_what_one_does() {
        let last = FUNCTIONS * FUNCTION_ALIGN - FUNCTION_ALIGN;
        let clean = [
            functions(),
            leads(0xe8, 0, MIDDLE),
            leads(0xe8, 0, last),
            leads(0xe8, last, 0),
            leads(0xe8, MIDDLE, MIDDLE - FUNCTION_ALIGN),
        ];
        for code in clean {
            let (report, two) = both(&code, &[0, u32::try_from(MIDDLE).unwrap()]);
            assert!(two && report.is_clean(), "{:?}", report.findings);
            assert_eq!(report.functions, FUNCTIONS as u64);
        }
        // The code between two parts is checked by the second pass.
        let (report, two) = both(&leads(0xe9, 0, MIDDLE + 4), &[]);
        assert!(two && report.found == 1, "{:?}", report.findings);
        let (report, two) = both(&functions(), &[u32::try_from(MIDDLE).unwrap() + 4]);
        assert!(two && report.found == 1, "{:?}", report.findings);
    }

    #[test]
    fn one_pass_reads_what_two_cannot() {
        for at in [0, MIDDLE - FUNCTION_ALIGN, MIDDLE, MIDDLE + FUNCTION_ALIGN] {
            // An instruction that the compiler never emits.
            let (report, two) = both(&with(at, &[0x0f, 0x05]), &[]);
            assert!(!two && report.found > 0, "{at}");
        }
        // Bytes of the other part.
        for (at, from) in [(0, MIDDLE + 16), (MIDDLE, 16), (0, 1 << 24)] {
            let (_, two) = both(&reads(at, from), &[]);
            assert!(!two, "{at} {from}");
        }
        // An instruction that runs on into the next part.
        let mut code = functions();
        for byte in &mut code[MIDDLE - FUNCTION_ALIGN + 4..MIDDLE] {
            *byte = 0x90;
        }
        let (_, two) = both(&code, &[]);
        assert!(!two);
    }
}
