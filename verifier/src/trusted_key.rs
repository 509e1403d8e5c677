//! A signer that a policy trusts, and the keys that it must have signed with.

use edgec_artifact::{Algorithm, Attestation, KeyId, PublicKey, SignerKeys};

/// A signer that a policy trusts. It has one key, or one of each algorithm. A threshold counts
/// signers, however many keys each of them has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrustedKey {
    /// The name in reports.
    pub name: String,
    keys: SignerKeys,
    /// The algorithms of the keys that must have signed; a subset of those of `keys`, not empty.
    required: Vec<Algorithm>,
}

impl TrustedKey {
    /// A signer with its name in reports. Each of its keys must have signed.
    pub fn new(name: impl Into<String>, keys: impl Into<SignerKeys>) -> Self {
        let (name, keys) = (name.into(), keys.into());
        let required = keys.iter().map(PublicKey::algorithm).collect();
        Self {
            name,
            keys,
            required,
        }
    }

    /// The signer counts if its keys of these algorithms have signed, whatever the others did.
    /// `Err` names an algorithm for which it has no key.
    pub(crate) fn requiring(
        self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, Algorithm> {
        let required: Vec<Algorithm> = algorithms.into_iter().collect();
        let own: Vec<Algorithm> = self.keys.iter().map(PublicKey::algorithm).collect();
        match required.iter().find(|wanted| !own.contains(wanted)) {
            Some(missing) => Err(*missing),
            None => Ok(Self { required, ..self }),
        }
    }

    /// All keys of the signer.
    pub fn keys(&self) -> &SignerKeys {
        &self.keys
    }

    /// The keys that must have signed for the signer to count; at least one.
    pub fn required_keys(&self) -> impl Iterator<Item = &PublicKey> {
        let is_required = |key: &&PublicKey| self.required.contains(&key.algorithm());
        self.keys.iter().filter(is_required)
    }

    /// The PEM documents of the keys that must have signed.
    pub(crate) fn required_pem(&self) -> String {
        self.required_keys().map(PublicKey::to_pem).collect()
    }

    /// The key with this id.
    pub(crate) fn key(&self, id: KeyId) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// Whether each required key has signed an attestation.
    pub fn has_signed(&self, attestation: &Attestation) -> bool {
        let mut keys = self.required_keys().peekable();
        keys.peek().is_some() && keys.all(|key| attestation.is_signed_by(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_keys_are_some_of_the_signers() {
        let raw = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let (ed25519, _) = PublicKey::from_text(raw).unwrap();
        let ml_dsa = PublicKey::ml_dsa_65(&[3; 1952]).unwrap();
        let both = SignerKeys::new(vec![ed25519.clone(), ml_dsa.clone()]).unwrap();
        let signer = TrustedKey::new("both", both);
        let all: Vec<&PublicKey> = signer.required_keys().collect();
        assert_eq!(all, [&ed25519, &ml_dsa]);
        for algorithms in [
            vec![Algorithm::MlDsa65, Algorithm::Ed25519],
            vec![Algorithm::MlDsa65],
        ] {
            let signer = signer.clone().requiring(algorithms.clone()).unwrap();
            assert_eq!(signer.required_keys().count(), algorithms.len());
            assert_eq!(signer.keys().iter().count(), 2);
        }
        assert_eq!(signer.key(ml_dsa.id()), Some(&ml_dsa));
        let one = TrustedKey::new("one", ed25519);
        assert_eq!(one.key(ml_dsa.id()), None);
        let missing = one.requiring([Algorithm::Ed25519, Algorithm::MlDsa65]);
        assert_eq!(missing.unwrap_err(), Algorithm::MlDsa65);
    }
}
