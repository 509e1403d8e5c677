//! Checks of stored artifacts: how they are protected, and whether a policy accepts them under the
//! name that points at them.

use std::fs::File;

use edgec_verifier::artifact::MAX_SBOM_LEN;
use edgec_verifier::{
    Envelope, Expected, Facts, LoadMode, MAX_ENVELOPE_LEN, Manifest, Measured as Known,
    Sha256Digest, Stored, TrustPolicy, UnixTime, VerifyError, stated, verify_stored,
};

use super::application::Application;
use super::verity::{self, Measured};
use super::version::Entry;
use super::{AdmissionError, ArtifactStore, MAX_SMALL_LEN, StoreError};

impl ArtifactStore {
    /// How an image's file is protected from changes.
    pub(super) fn mode_of(&self, file: &File, entry: &Entry) -> Result<LoadMode, StoreError> {
        let name = || self.0.artifacts.name(&entry.image_name());
        match verity::measure(file).map_err(|error| StoreError::io(name(), error))? {
            Measured::Digest(digest) if digest == entry.image => Ok(LoadMode::FsVerity),
            Measured::NotEnabled => Ok(LoadMode::TrustedStore),
            other => {
                let what = format!("the kernel measures {other:?}");
                Err(StoreError::damaged(name(), what))
            }
        }
    }

    /// The envelope that a release names.
    pub(super) fn envelope(&self, entry: &Entry) -> Result<Vec<u8>, StoreError> {
        let name = entry.envelope_name();
        let envelope = self.0.artifacts.read(&name, MAX_SMALL_LEN)?;
        if Sha256Digest::of(&envelope) != entry.envelope {
            let name = self.0.artifacts.name(&name);
            return Err(StoreError::damaged(name, "it is another envelope"));
        }
        Ok(envelope)
    }

    /// The provenance that an artifact was admitted with. The store does not vouch for it: a policy
    /// that asks for it verifies its signature.
    pub(super) fn provenance(&self, entry: &Entry) -> Result<Option<Vec<u8>>, StoreError> {
        self.kept_beside(&entry.provenance_name(), MAX_SMALL_LEN)
    }

    /// The proof of a transparency log that an artifact was admitted with. The store does not vouch
    /// for it either.
    pub(super) fn log_proof(&self, entry: &Entry) -> Result<Option<Vec<u8>>, StoreError> {
        self.kept_beside(&entry.log_proof_name(), MAX_SMALL_LEN)
    }

    /// The bill of materials that an artifact was admitted with. The store does not vouch for it: a
    /// policy that asks for it compares it with the provenance.
    pub(super) fn sbom(&self, entry: &Entry) -> Result<Option<Vec<u8>>, StoreError> {
        self.kept_beside(&entry.sbom_name(), MAX_SBOM_LEN)
    }

    /// A file beside an artifact, if it is there.
    fn kept_beside(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.artifacts.read(name, most) {
            Err(error) if error.is_absence() => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    /// The manifest in an artifact's envelope: the signers' statements.
    pub(super) fn manifest(&self, entry: &Entry) -> Result<Manifest, StoreError> {
        let manifest = stated(&self.envelope(entry)?);
        let name = || self.0.artifacts.name(&entry.envelope_name());
        manifest.map_err(|error| StoreError::damaged(name(), error))
    }

    /// SHA-256 of the payload of an artifact's envelope.
    pub(super) fn payload(&self, entry: &Entry) -> Result<Sha256Digest, StoreError> {
        let envelope = Envelope::decode(&self.envelope(entry)?);
        let name = || self.0.artifacts.name(&entry.envelope_name());
        let envelope = envelope.map_err(|error| StoreError::damaged(name(), error))?;
        Ok(Sha256Digest::of(envelope.payload()))
    }

    /// Verifies an image with a known digest: its envelope, its manifest, the policy, and that it
    /// is the artifact that the name states.
    pub(super) fn judge(
        &self,
        image: &[u8],
        known: Known,
        entry: &Entry,
        application: &Application,
        policy: &TrustPolicy,
        now: UnixTime,
    ) -> Result<Facts, AdmissionError> {
        let envelope = self.envelope(entry)?;
        let stored = Stored::new(image, &envelope, known);
        let mut expected = Expected::application(&application.name);
        if let Some(channel) = &application.channel {
            expected = expected.in_channel(channel);
        }
        if policy.reads_provenance()
            && let Some(provenance) = self.provenance(entry)?
        {
            expected = expected.with_provenance(provenance);
        }
        if policy.reads_sbom()
            && let Some(sbom) = self.sbom(entry)?
        {
            expected = expected.with_sbom(sbom);
        }
        if policy.reads_log_proof()
            && let Some(proof) = self.log_proof(entry)?
        {
            expected = expected.with_log_proof(proof);
        }
        expected = self.with_statements(expected, application, entry, policy)?;
        let sound;
        let artifact = match verify_stored(&stored, policy, &expected, now) {
            // Nothing could check a signature that came before the policy knew its key, and a
            // mirror can have put it there. It counts as none.
            Err(VerifyError::BadSignature { .. }) => {
                let union = policy.union_of_signatures(&envelope, &envelope, MAX_ENVELOPE_LEN);
                sound = union.unwrap_or_default();
                let stored = Stored::new(image, &sound, known);
                verify_stored(&stored, policy, &expected, now)?
            }
            verdict => verdict?,
        };
        let manifest = artifact.manifest();
        // The store remembers this, whatever the policy demands.
        let floors = self.floors(application, policy)?;
        floors.allows(manifest.version).map_err(StoreError::from)?;
        let named = (
            application.version.unwrap_or(manifest.version),
            &application.channel,
            &entry.target,
            &entry.profile,
        );
        let signed = (
            manifest.version,
            &manifest.channel,
            &manifest.target.id,
            &manifest.engine.profile,
        );
        if named != signed {
            let name = self.0.artifacts.name(&entry.envelope_name());
            let what = "its version, channel, target or profile differs from its name";
            return Err(StoreError::damaged(name, what).into());
        }
        Ok(Facts::of(artifact))
    }
}
