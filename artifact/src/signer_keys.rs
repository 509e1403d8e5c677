//! The public keys of one signer.

use crate::key::PEM_LABEL;
use crate::{Algorithm, KeyEncoding, KeyError, PublicKey, pem};

const BEGIN: &str = "-----BEGIN";

/// The public keys of one signer: one key, or one of each algorithm (a *hybrid* signer). A hybrid
/// signer makes one signature with each key. In a file, its keys are PEM documents one after the
/// other. There is no format of its own for the pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerKeys(Vec<PublicKey>);

impl SignerKeys {
    /// These keys, at least one, in the order of [`Algorithm::ALL`].
    ///
    /// # Errors
    ///
    /// [`KeyError::SameAlgorithm`] if there are two of one algorithm, [`KeyError::Text`] if there
    /// is none.
    pub fn new(mut keys: Vec<PublicKey>) -> Result<Self, KeyError> {
        keys.sort_by_key(PublicKey::algorithm);
        for pair in keys.windows(2) {
            if let [one, other] = pair
                && one.algorithm() == other.algorithm()
            {
                let algorithm = one.algorithm();
                return Err(KeyError::SameAlgorithm { algorithm });
            }
        }
        match keys.is_empty() {
            true => Err(KeyError::Text),
            false => Ok(Self(keys)),
        }
    }

    /// The keys in PEM documents, in the one spelling that all readers of a policy accept
    /// ([`PublicKey::from_pem`]).
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        let mut rest = text.trim();
        // One more than there are algorithms is enough for the error.
        while !rest.is_empty() && keys.len() <= Algorithm::ALL.len() {
            let next = rest
                .match_indices(BEGIN)
                .map(|(at, _)| at)
                .find(|at| *at > 0);
            let (document, behind) = rest.split_at(next.unwrap_or(rest.len()));
            keys.push(PublicKey::from_pem(document)?);
            rest = behind;
        }
        match keys.is_empty() {
            true => PublicKey::from_pem("").map(Self::from),
            false => Self::new(keys),
        }
    }

    /// The keys in a text, and the encoding of the text: PEM documents, or one key in any encoding
    /// that [`PublicKey::from_text`] reads.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn from_text(text: &str) -> Result<(Self, KeyEncoding), KeyError> {
        let trimmed = text.trim_start_matches('\u{feff}').trim();
        if !trimmed.starts_with(BEGIN) {
            let (key, encoding) = PublicKey::from_text(text)?;
            return Ok((key.into(), encoding));
        }
        let mut tidy = String::new();
        let most = Algorithm::ALL.len();
        pem::tidy_pems(
            trimmed,
            PEM_LABEL,
            |label| label == PEM_LABEL,
            most,
            &mut tidy,
        )
        .map_err(|error| KeyError::Pem {
            reason: error.to_string(),
        })?;
        let keys = pem::split_pems(&tidy).map(PublicKey::from_pem);
        let keys = Self::new(keys.collect::<Result<_, _>>()?)?;
        Ok((keys, KeyEncoding::Pem))
    }

    /// The keys, each of another algorithm; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }

    /// The key, if there is only one.
    pub fn only(&self) -> Option<&PublicKey> {
        match self.0.as_slice() {
            [key] => Some(key),
            _ => None,
        }
    }

    /// Whether this is one of the keys.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// The PEM documents of all keys.
    pub fn to_pem(&self) -> String {
        self.iter().map(PublicKey::to_pem).collect()
    }

    /// The ids of the keys, with commas between them.
    pub fn ids(&self) -> String {
        let ids: Vec<String> = self.iter().map(|key| key.id().to_string()).collect();
        ids.join(", ")
    }
}

impl From<PublicKey> for SignerKeys {
    fn from(key: PublicKey) -> Self {
        Self(vec![key])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn a_hybrid_signer_is_two_documents() {
        let (ed25519, _) = PublicKey::from_text(RAW).unwrap();
        let ml_dsa = PublicKey::ml_dsa_65(&[3; 1952]).unwrap();
        let both = SignerKeys::new(vec![ml_dsa.clone(), ed25519.clone()]).unwrap();
        assert_eq!(both.iter().collect::<Vec<_>>(), [&ed25519, &ml_dsa]);
        assert_eq!((both.only(), both.contains(&ml_dsa)), (None, true));
        for text in [
            both.to_pem(),
            format!("{}\n\n{}", ml_dsa.to_pem(), ed25519.to_pem()),
            both.to_pem().replace('\n', " \r\n"),
        ] {
            assert_eq!(
                SignerKeys::from_text(&text),
                Ok((both.clone(), KeyEncoding::Pem))
            );
        }
        assert_eq!(SignerKeys::from_pem(&both.to_pem()), Ok(both.clone()));
        assert!(SignerKeys::from_pem(&both.to_pem().replace("\n-----END", " \n-----END")).is_err());
        let (alone, encoding) = SignerKeys::from_text(RAW).unwrap();
        assert_eq!((alone.only(), encoding), (Some(&ed25519), KeyEncoding::Raw));
        assert!(both.ids().contains(&format!("{}, ", ed25519.id())));
    }

    #[test]
    fn each_error_has_a_case() {
        let (ed25519, _) = PublicKey::from_text(RAW).unwrap();
        let pem = ed25519.to_pem();
        let algorithm = Algorithm::Ed25519;
        let twice = SignerKeys::from_text(&pem.repeat(2));
        assert_eq!(twice, Err(KeyError::SameAlgorithm { algorithm }));
        let thrice = SignerKeys::from_text(&pem.repeat(3)).unwrap_err();
        assert!(thrice.to_string().contains("line 7"), "{thrice}");
        for text in [pem.repeat(2), pem.repeat(30)] {
            let error = SignerKeys::from_pem(&text);
            assert_eq!(error, Err(KeyError::SameAlgorithm { algorithm }));
        }
        for text in ["", "x", &format!("{pem}x"), &format!("x\n{pem}")] {
            let error = SignerKeys::from_pem(text);
            assert!(matches!(error, Err(KeyError::Pem { .. })), "{text}");
        }
        assert_eq!(SignerKeys::new(Vec::new()), Err(KeyError::Text));
    }
}
