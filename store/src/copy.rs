//! The copy of an artifact that an admission verifies and keeps.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::thread;

use edgec_files::write_sparse;
use edgec_verifier::{
    ArtifactFileError, Check, Expected, KeyId, Manifest, Sha256Digest, TrustPolicy, UnixTime,
    VerifiedRelease, VerifiedTimestamp, verify,
};

use super::stable::StableFile;
use super::{AdmissionError, StoreError};

/// The number of bytes that are copied at once. They stay in a processor's cache.
const CHUNK: usize = 1 << 20;

/// The parts of a verified copy that an admission uses.
pub(super) struct Verified {
    pub(super) manifest: Manifest,
    pub(super) checks: Vec<Check>,
    pub(super) envelope: Vec<u8>,
    pub(super) found: Found,
}

/// What a verification found about the statements beside an artifact.
pub(super) struct Found {
    pub(super) payload: Sha256Digest,
    /// Every key whose signature counted.
    pub(super) keys: Vec<KeyId>,
    pub(super) release: Option<VerifiedRelease>,
    pub(super) timestamp: Option<VerifiedTimestamp>,
    /// The notaries' statements that counted.
    pub(super) rebuilds: Vec<Vec<u8>>,
    /// The provenance, and the proof of a log, if any was given about this artifact.
    pub(super) provenance: Option<Vec<u8>>,
    pub(super) log_proof: Option<Vec<u8>>,
    /// The bill of materials, if the policy asks for one.
    pub(super) sbom: Option<Vec<u8>>,
}

/// Verifies a copy while it is written to the disk.
pub(super) fn verified(
    copy: &File,
    len: u64,
    policy: &TrustPolicy,
    expected: &Expected,
    now: UnixTime,
    failed: impl Fn(io::Error) -> StoreError,
) -> Result<Verified, AdmissionError> {
    let file = copy.try_clone().map_err(&failed)?;
    // SAFETY: only this process's user can open the file, and only this user could ever open it by
    // a name. This function does not write to it, and the value does not outlive the function.
    let stable = unsafe { StableFile::new(file, len) }.map_err(&failed)?;
    let view = stable.view().map_err(&failed)?;
    thread::scope(|scope| {
        // If no thread can be started, the copy is synced after the verification.
        let writing = thread::Builder::new().spawn_scoped(scope, || copy.sync_data());
        let artifact = verify(&view, policy, expected, now)?;
        let envelope = artifact.envelope().to_vec();
        let checks = artifact.checks().to_vec();
        let keys = artifact.accepted().iter().chain(artifact.notaries());
        let found = Found {
            payload: artifact.payload(),
            keys: keys.map(|it| it.key_id).collect(),
            release: artifact.release().cloned(),
            timestamp: artifact.timestamp().cloned(),
            rebuilds: artifact.rebuilds().to_vec(),
            provenance: {
                let given = expected.provenance_about(policy, artifact.manifest(), now);
                given.map(<[u8]>::to_vec)
            },
            log_proof: {
                let given = expected.log_proof_about(policy, artifact.manifest());
                given.map(<[u8]>::to_vec)
            },
            sbom: {
                let given = expected.sbom_about(policy, artifact.manifest(), now);
                let given = given.filter(|_| policy.reads_sbom());
                given.map(<[u8]>::to_vec)
            },
        };
        let manifest = artifact.into_manifest();
        // Joining fails if the thread panicked, and syncing does not panic.
        let panicked = |_| Err(io::Error::other("the writing thread failed"));
        let written = match writing {
            Ok(thread) => thread.join().unwrap_or_else(panicked),
            Err(_) => copy.sync_data(),
        };
        written.map_err(failed)?;
        Ok(Verified {
            manifest,
            checks,
            envelope,
            found,
        })
    })
}

/// Copies `len` bytes. Blocks of zeros are not written: they become holes, which take no space.
pub(super) fn copy_sparse(
    mut source: File,
    to: &mut File,
    len: u64,
    unread: impl Fn(io::Error) -> ArtifactFileError,
    failed: impl Fn(io::Error) -> StoreError,
) -> Result<(), AdmissionError> {
    let mut chunk = vec![0; CHUNK];
    let mut left = len;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let piece = chunk.get_mut(..wanted).unwrap_or_default();
        source.read_exact(piece).map_err(&unread)?;
        write_sparse(piece, to).map_err(&failed)?;
        left -= wanted as u64;
    }
    Ok(to.set_len(len).map_err(failed)?)
}

/// Whether two files begin with the same `len` bytes.
pub(super) fn same_bytes(a: &File, b: &File, len: u64) -> io::Result<bool> {
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    while at < len {
        let wanted = usize::try_from(len - at).map_or(CHUNK, |left| left.min(CHUNK));
        let ours = ours.get_mut(..wanted).unwrap_or_default();
        let theirs = theirs.get_mut(..wanted).unwrap_or_default();
        a.read_exact_at(ours, at)?;
        b.read_exact_at(theirs, at)?;
        if ours != theirs {
            return Ok(false);
        }
        at += wanted as u64;
    }
    Ok(true)
}
