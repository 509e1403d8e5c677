//! The audit of native code.

use edgec_verifier::audit::{Arch, MAX_FINDINGS, audit_text};

/// The first byte selects the family and an entry point, and the rest is code. Every code gets an
/// answer, and its counts add up.
pub fn audit(data: &[u8]) {
    let Some((first, text)) = data.split_first() else {
        return;
    };
    let (arch, entry) = match first % 2 {
        0 => (Arch::X86_64, first / 2),
        _ => (Arch::Aarch64, first / 2),
    };
    let report = match audit_text(arch, text, &[], Some(&[entry.into()])) {
        Ok(report) => report,
        Err(error) => return drop(error.to_string()),
    };
    let limit = MAX_FINDINGS as u64;
    assert!(report.findings.len() as u64 == report.found.min(limit));
    assert!(report.instructions + report.data + report.padding <= report.length);
    assert!(report.is_clean() || report.findings.iter().all(|it| !it.to_string().is_empty()));
}
