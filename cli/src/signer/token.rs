//! A PKCS#11 token that signs (PKCS #11 v3.0, `CKM_EDDSA`): the key never leaves it.
//!
//! edgec loads the token's module only when a signature is needed, and links none of it. Labels say
//! which token and which key to use, and must be unambiguous.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use edgec_artifact::{Algorithm, PublicKey};

use super::signature::not_a_signature;
use crate::failure::{Exit, Failure};
use crate::secrets;

/// An open session with a token, and a private key on it.
pub(super) struct TokenSigner {
    session: Session,
    key: ObjectHandle,
    label: String,
}

/// Refuses a module that does not exist. The module is loaded when a signature is needed, and not
/// before: no process that works on a program may inherit what the module opens.
pub(super) fn look(module: &Path) -> Result<(), Failure> {
    file(module).map(drop)
}

/// The system would search for a bare name in all of its library folders.
fn file(module: &Path) -> Result<PathBuf, Failure> {
    let file = module.canonicalize();
    file.map_err(|error| Failure::environment("io", &error).about(module.display()))
}

impl TokenSigner {
    /// Logs in, and finds the key and its public half, unless `expected` has the latter.
    pub(super) fn open(
        module: &Path,
        token: &str,
        key: &str,
        pin: Option<&Path>,
        expected: Option<PublicKey>,
    ) -> Result<(Self, PublicKey), Failure> {
        if let Some(other) = expected
            .as_ref()
            .filter(|it| it.algorithm() != Algorithm::Ed25519)
        {
            let message = format!(
                "the public key is for {}, and tokens sign with Ed25519 only",
                other.algorithm()
            );
            return Err(Failure::usage("public-key", message).about("--public-key"));
        }
        let failed = |error: Error| failure(&error).about(module.display());
        let library = Pkcs11::new(file(module)?).map_err(failed)?;
        library
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(failed)?;
        let slot = slot(&library, token).map_err(failed)??;
        let info = library.get_token_info(slot).map_err(failed)?;
        let session = library.open_ro_session(slot).map_err(failed)?;
        if info.protected_authentication_path() {
            // A reader with its own keypad asks for the PIN.
            session.login(UserType::User, None).map_err(failed)?;
        } else if info.login_required() {
            let pin = secrets::pin(pin).find(&format!("token {token}"))?;
            let pin = AuthPin::new(Box::from(pin.as_str()));
            let login = session.login(UserType::User, Some(&pin));
            login.map_err(|error| failure(&error).about(format!("token {token}")))?;
        }
        let private = find(&session, ObjectClass::PRIVATE_KEY, key, &[]).map_err(failed)?;
        let private = one(&private, "private", key)?;
        let signer = Self {
            session,
            key: private,
            label: key.to_owned(),
        };
        let public = match expected {
            Some(public) => public,
            None => signer.public(private).map_err(failed)??,
        };
        Ok((signer, public))
    }

    /// The token's answer. The caller checks whether it is a signature, and by which key.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        let about = format!("key {}", self.label);
        let signature = self.session.sign(&mechanism, self.key, message);
        let signature = signature.map_err(|error| failure(&error).about(&about))?;
        match signature.len() == Algorithm::Ed25519.signature_len() {
            true => Ok(signature),
            false => Err(not_a_signature(&signature, Algorithm::Ed25519).about(about)),
        }
    }

    /// The public half on the token: the object with the same label and id.
    fn public(&self, private: ObjectHandle) -> Result<Result<PublicKey, Failure>, Error> {
        let ids = self.session.get_attributes(private, &[AttributeType::Id])?;
        let same_id: Vec<Attribute> = ids
            .into_iter()
            .filter(|id| !matches!(id, Attribute::Id(bytes) if bytes.is_empty()))
            .collect();
        let found = find(
            &self.session,
            ObjectClass::PUBLIC_KEY,
            &self.label,
            &same_id,
        )?;
        let object = match one(&found, "public", &self.label) {
            Ok(object) => object,
            Err(failure) => {
                return Ok(Err(failure.hint("name its file with --public-key")));
            }
        };
        let points = self
            .session
            .get_attributes(object, &[AttributeType::EcPoint])?;
        let point = points.into_iter().find_map(|attribute| match attribute {
            Attribute::EcPoint(point) => Some(point),
            _ => None,
        });
        Ok(public_key(&point.unwrap_or_default())
            .map_err(|failure| failure.about(format!("key {}", self.label))))
    }
}

/// `CKA_EC_POINT` of an Edwards key: the bytes of RFC 8032. Newer tokens give them as they are, and
/// older ones as a DER OCTET STRING.
fn public_key(point: &[u8]) -> Result<PublicKey, Failure> {
    let bytes = match point {
        [0x04, 0x20, rest @ ..] if rest.len() == 32 => rest,
        other => other,
    };
    let Ok(bytes) = bytes.try_into() else {
        let message = format!("{} bytes are not an Ed25519 public key", point.len());
        return Err(Failure::new(Exit::Rejected, "public-key", message)
            .hint("name its file with --public-key"));
    };
    PublicKey::from_bytes(bytes).map_err(|error| Failure::rejected("public-key", &error))
}

fn slot(library: &Pkcs11, label: &str) -> Result<Result<Slot, Failure>, Error> {
    let mut found = Vec::new();
    let mut labels = Vec::new();
    for slot in library.get_slots_with_token()? {
        let info = library.get_token_info(slot)?;
        if !info.token_initialized() {
            continue;
        }
        if info.label() == label {
            found.push(slot);
        }
        labels.push(info.label().to_owned());
    }
    Ok(match found.as_slice() {
        [slot] => Ok(*slot),
        [] => {
            let failure = missing(format!("no token has the label `{label}`"));
            match labels.is_empty() {
                true => Err(failure.hint("the module finds no token")),
                false => Err(failure.hint(format!("there is {}", labels.join(", ")))),
            }
        }
        several => Err(missing(format!(
            "{} tokens have the label `{label}`",
            several.len()
        ))),
    })
}

fn find(
    session: &Session,
    class: ObjectClass,
    label: &str,
    more: &[Attribute],
) -> Result<Vec<ObjectHandle>, Error> {
    let mut template = vec![
        Attribute::Class(class),
        Attribute::KeyType(KeyType::EC_EDWARDS),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    template.extend_from_slice(more);
    session.find_objects(&template)
}

fn one(found: &[ObjectHandle], half: &str, label: &str) -> Result<ObjectHandle, Failure> {
    match found {
        [object] => Ok(*object),
        [] => Err(missing(format!(
            "no {half} Ed25519 key on the token has the label `{label}`"
        ))),
        several => Err(missing(format!(
            "{} {half} keys on the token have the label `{label}`",
            several.len()
        ))),
    }
}

fn missing(message: String) -> Failure {
    Failure::new(Exit::Environment, "pkcs11-label", message)
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _) => {
            Failure::new(Exit::Rejected, "pin", "the token does not accept this PIN")
                .hint("the token locks itself after a few wrong PINs")
        }
        Error::Pkcs11(RvError::PinLocked, _) => {
            Failure::new(Exit::Rejected, "pin", "the token has locked this PIN")
                .hint("its security officer can unlock it")
        }
        Error::Pkcs11(RvError::MechanismInvalid, _) => Failure::environment("pkcs11", error)
            .hint("the token cannot make Ed25519 signatures (CKM_EDDSA)"),
        _ => Failure::environment("pkcs11", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_bare_or_in_an_octet_string() {
        let key = edgec_packager::SecretKey::generate().unwrap().public();
        let bare = key.as_bytes();
        let wrapped = [&[0x04, 0x20], bare].concat();
        for point in [bare, &wrapped] {
            assert!(public_key(point).is_ok_and(|found| found == key));
        }
        // A point of a NIST curve, a truncated one, one with bytes after it, and one of small
        // order.
        for point in [
            &[0x04; 65],
            &bare[..31],
            &[&wrapped[..], &[0]].concat(),
            &[0; 32],
            &[],
        ] {
            assert!(public_key(point).is_err());
        }
    }
}
