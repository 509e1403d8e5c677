//! Releases from registries, and from OCI layouts in folders.

use std::error::Error;
use std::sync::Arc;

use edgec_artifact::Sha256Digest;
use edgec_registry::{
    AdmitOptions, Admitted, ConnectOptions, Offer, PullError, Reference, RegistryError, Session,
    Unseen, Way,
};
use edgec_store::{ArtifactStore, Standing, StoreError};
use edgec_verifier::{HostProfile, error_chain};

use super::{Given, Offered, Source, Taken, Trouble, Wanted};

/// Asks registries and folders, and admits to a store.
#[derive(Debug)]
pub struct RegistrySource {
    session: Session,
    into: Arc<Into>,
}

/// What is admitted, and where.
#[derive(Clone, Debug)]
struct Into {
    store: ArtifactStore,
    host: HostProfile,
    options: AdmitOptions,
}

impl RegistrySource {
    /// Admits to `store` what fits `host`.
    #[must_use]
    pub fn new(options: ConnectOptions, store: ArtifactStore, host: HostProfile) -> Self {
        Self {
            session: Session::new(options),
            into: Arc::new(Into {
                store,
                host,
                options: AdmitOptions::default(),
            }),
        }
    }

    /// Says whether images may come as differences to those that the store has.
    #[must_use]
    pub fn with_options(mut self, options: AdmitOptions) -> Self {
        Arc::make_mut(&mut self.into).options = options;
        self
    }
}

impl Source for RegistrySource {
    fn open(
        &self,
        place: &str,
        known: Option<Sha256Digest>,
    ) -> Result<Option<Box<dyn Offered>>, Trouble> {
        let reference = place.parse::<Reference>();
        let reference = reference.map_err(|error| {
            let text = format!("`{place}` is not a reference: {}", error_chain(&error));
            Trouble::refused("registry-reference", text)
        })?;
        let opened = self.session.open_if_changed(&reference, known);
        let opened = opened.map_err(|error| trouble(&error))?;
        Ok(opened.map(|offer| {
            let into = Arc::clone(&self.into);
            Box::new(Opened { offer, into }) as Box<dyn Offered>
        }))
    }
}

struct Opened {
    offer: Offer,
    into: Arc<Into>,
}

impl Offered for Opened {
    fn digest(&self) -> Sha256Digest {
        self.offer.digest()
    }

    fn statements(&self) -> Result<Option<Given>, Trouble> {
        let statements = self.offer.release().map_err(|error| trouble(&error))?;
        Ok(statements.map(|it| Given::new(it.release, it.timestamp)))
    }

    fn admit(&self, wanted: &Wanted<'_>) -> Result<Taken, Trouble> {
        let Into {
            store,
            host,
            options,
        } = &*self.into;
        let admitted = self.offer.admit(
            store,
            wanted.policy,
            wanted.expected,
            host,
            wanted.profile,
            options,
            &Unseen,
        );
        Ok(taken(&admitted.map_err(|error| trouble(&error))?))
    }
}

fn taken(admitted: &Admitted) -> Taken {
    // The last one is this host's own. With it, the version stands as it will.
    let standing = admitted.admissions.last().map(|it| it.standing.clone());
    let is_difference = |way: &Way| matches!(way, Way::Difference { .. });
    let differences = admitted.fetched.iter();
    let differences = differences.filter(|it| is_difference(&it.way)).count();
    Taken {
        standing: standing.filter(|it| *it != Standing::Current),
        bytes: admitted.fetched.iter().map(|it| it.bytes).sum(),
        differences,
    }
}

fn trouble(error: &PullError) -> Trouble {
    let message = error_chain(error);
    let (code, hint) = (error.code(), hint(error));
    let message = match hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    };
    match error {
        PullError::Registry(error) if error.is_temporary() => Trouble::silence(code, message),
        error if is_environment(error) => Trouble::environment(code, message),
        _ => Trouble::refused(code, message),
    }
}

/// Whether the error is about the network, the registry or this machine.
fn is_environment(error: &PullError) -> bool {
    match error {
        PullError::Registry(_) | PullError::Io { .. } | PullError::OtherSubject { .. } => true,
        PullError::Admission(error) => is_of_machine(error),
        error => error.is_temporary(),
    }
}

/// Whether a file of this machine is behind an error, or its clock.
fn is_of_machine(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() || error.is::<edgec_verifier::ClockError>() {
            return true;
        }
        if let Some(StoreError::Folder(_) | StoreError::Clock(_)) = error.downcast_ref() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What to do about an error that does not say so itself.
fn hint(error: &PullError) -> Option<&'static str> {
    Some(match error {
        PullError::Registry(RegistryError::Absent { .. }) => {
            "push the application there, or correct `reference` in FLEET.toml"
        }
        PullError::Registry(RegistryError::Denied { .. }) => {
            "give this user credentials for the registry (`docker login`, or DOCKER_CONFIG)"
        }
        PullError::Registry(RegistryError::Tls { .. }) => {
            "name the registry's authority in `ca`, or write `plain-http = true` (docs/sync.md)"
        }
        PullError::Mixed { .. } | PullError::Incomplete { .. } | PullError::OtherBytes { .. } => {
            "push the whole release again"
        }
        PullError::NoFit { .. } => "build and push an artifact for this CPU and engine profile",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Fault;

    /// A folder stands for a registry.
    #[test]
    fn what_is_wrong_with_a_place_says_who_has_to_do_something() {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::create(folder.path().join("store")).unwrap();
        let source = RegistrySource::new(ConnectOptions::default(), store, HostProfile::here());
        let opened = |place: &str| source.open(place, None).err().unwrap();
        let malformed = opened("Registry example");
        assert_eq!(malformed.code, "registry-reference");
        assert_eq!(malformed.fault, Fault::Refused);
        let absent = opened(&format!("oci-layout:{}:v1", folder.path().display()));
        assert_eq!(absent.fault, Fault::Environment);
        assert!(absent.message.contains("reference"), "{absent}");
    }
}
