//! Signs the artifacts of a build, or leaves them unsigned.
//!
//! All inputs are compiled by now. A key is read, signs, and is overwritten before the next one is
//! read.

use edgec_builder::{Signed, Unsigned};
use edgec_packager::UnsignedCompanion;

use super::plan::Planned;
use super::report::Summary;
use super::work::{Done, Finished, Results, attempt, not_written};
use crate::companion::release_of;
use crate::failure::Failure;
use crate::render::Format;
use crate::signer::{NamedSigner, Signer};

/// Signs the artifacts of all inputs, one signer after the other. A signer that has nothing to sign
/// is not opened.
pub(super) fn sign<'p>(
    compiled: Results<'p, Done<Unsigned>>,
    signers: Vec<NamedSigner>,
    format: Format,
    summary: &mut Summary<'_>,
) -> Result<Results<'p, Done<Finished>>, Failure> {
    let mut waiting: Vec<_> = compiled.into_iter().map(Some).collect();
    let mut signed: Vec<_> = waiting.iter().map(|_| None).collect();
    for (number, named) in signers.into_iter().enumerate() {
        let is_for = |slot: &Option<(&Planned, Result<Done<Unsigned>, Failure>)>| {
            let mut input = slot.iter();
            input.any(|(planned, compiled)| planned.signer == number && compiled.is_ok())
        };
        if !waiting.iter().any(is_for) {
            continue;
        }
        let signer = named.open()?;
        summary.add(&signer);
        for (slot, signed) in waiting.iter_mut().zip(&mut signed) {
            if !is_for(&*slot) {
                continue;
            }
            if let Some((planned, compiled)) = slot.take() {
                let done = compiled
                    .and_then(|unsigned| {
                        attempt(planned, format, || sign_all(planned, &signer, unsigned))
                    })
                    .map(|signed| signed.map(Finished::Signed));
                *signed = Some((planned, done));
            }
        }
        // This overwrites the key, before the next one is read.
        drop(signer);
    }
    // What is left was not compiled.
    let left = lost(waiting.into_iter().flatten().collect());
    let mut left = left.into_iter();
    let results = signed.into_iter();
    Ok(results
        .filter_map(|signed| signed.or_else(|| left.next()))
        .collect())
}

/// The inputs of a build that must stay unsigned.
pub(super) fn left_unsigned(compiled: Results<'_, Done<Unsigned>>) -> Results<'_, Done<Finished>> {
    let left = compiled.into_iter().map(|(planned, compiled)| {
        let left = compiled.map(|unsigned| unsigned.map(Finished::Unsigned));
        (planned, left)
    });
    left.collect()
}

/// The inputs of a build that is given up.
pub(super) fn lost(compiled: Results<'_, Done<Unsigned>>) -> Results<'_, Done<Finished>> {
    let failed = compiled.into_iter().map(|(planned, compiled)| {
        let failure = compiled.map_or_else(|failure| failure, |_| not_written());
        (planned, Err(failure))
    });
    failed.collect()
}

/// Signs one artifact after the other, because a signer may ask the user something.
fn sign_all(
    planned: &Planned,
    signer: &Signer,
    unsigned: Done<Unsigned>,
) -> Result<Done<Signed>, Failure> {
    let artifacts = unsigned.artifacts.sign(signer)?;
    let release = planned.release.map(|(serial, floor)| {
        let files = artifacts.files().enumerate();
        let files = files.map(|(index, file)| (format!("artifact number {}", index + 1), file));
        let release = release_of(files, serial, floor)?;
        let signed = UnsignedCompanion::release(&release).sign(signer)?;
        Ok::<_, Failure>(signed.into_bytes())
    });
    Ok(Done {
        artifacts,
        report: unsigned.report,
        reading: unsigned.reading,
        release: release.transpose()?,
        sboms: unsigned.sboms,
    })
}
