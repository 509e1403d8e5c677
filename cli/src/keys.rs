//! Keys in files: private keys, plain or encrypted, public keys in every encoding, and the
//! development key.

mod other;

use std::path::{Path, PathBuf};

use edgec_artifact::{Algorithm, KeyEncoding, KeyError, SignerKeys};
use edgec_packager::{SecretKey, SecretKeyError, SecretKeys};
use etcetera::BaseStrategy as _;
use zeroize::Zeroizing;

use crate::failure::{Failure, chain};
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files::{self, Sensitive};
use crate::secrets::{self, Secret};
use crate::shield::shield;
use crate::signals;
use crate::terminal::in_ci;

/// The variable that names a key file.
pub(crate) const KEY_VARIABLE: &str = "EDGEC_KEY";

/// Reads the private keys of a signer, which only their owner can read. Asks for its passphrase if
/// it has one; `passphrase` names a file with the passphrase.
pub(crate) fn read(path: &Path, passphrase: Option<&Path>) -> Result<SecretKeys, Failure> {
    let pem = files::read_secret(path, Sensitive::Key)
        .map_err(|failure| explain_file(failure, path, Wanted::PrivateKey))?;
    open(path, &pem, passphrase)
}

/// Finds early what is wrong with the file of a private key, as far as possible without reading a
/// secret.
pub(crate) fn look(path: &Path, passphrase: Option<&Path>) -> Result<(), Failure> {
    let is_exposed = files::look_at_key(path)
        .map_err(|failure| explain_file(failure, path, Wanted::PrivateKey))?;
    // It cannot sign, and its content says why: it is refused, or it is not a private key.
    match is_exposed {
        true => read(path, passphrase).map(drop),
        false => Ok(()),
    }
}

/// The private keys in a document, which was read from `path`.
pub(crate) fn open(
    path: &Path,
    pem: &str,
    passphrase: Option<&Path>,
) -> Result<SecretKeys, Failure> {
    let wrong = |error: &SecretKeyError| {
        let failure = Failure::rejected(code(error), error).about(path.display());
        if let (SecretKeyError::Pem, Some((message, hint))) = (error, other::what_else(pem)) {
            return failure.instead(message, hint);
        }
        let failure = match hint(error, pem) {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
        // The hint for a public key says more.
        let is_public = pem.contains("BEGIN PUBLIC KEY");
        match error {
            SecretKeyError::Pem | SecretKeyError::Document(_) if !is_public => {
                explain(failure, pem.as_bytes(), Wanted::PrivateKey)
            }
            _ => failure,
        }
    };
    if !SecretKey::is_encrypted(pem) {
        let key = SecretKeys::from_pem(pem).map_err(|error| wrong(&error))?;
        if passphrase.is_some() {
            warn_of_bare_key(path);
        }
        return Ok(key);
    }
    let shown = path.display().to_string();
    let passphrase = secrets::passphrase(passphrase)
        .find(&shown)
        .map_err(|failure| failure.or_about(&shown))?;
    SecretKeys::from_encrypted_pem(pem, passphrase.as_str().as_bytes())
        .map_err(|error| wrong(&error))
}

/// Warns if a passphrase is given for a key that is not encrypted: its user may believe that it is.
/// `EDGEC_PASSPHRASE` causes no warning, because all commands of a job may have it.
fn warn_of_bare_key(path: &Path) {
    let message = "the private key is not encrypted: --passphrase-file is not read";
    Failure::usage("not-encrypted", message)
        .about(path.display())
        .hint(
            "leave the option out, or encrypt the key: \
             openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -in OLD.pem -out NEW.pem",
        )
        .print_warning();
}

fn code(error: &SecretKeyError) -> &'static str {
    match error {
        SecretKeyError::Passphrase => "passphrase",
        _ => "secret-key",
    }
}

fn hint(error: &SecretKeyError, pem: &str) -> Option<&'static str> {
    match error {
        SecretKeyError::Cipher | SecretKeyError::TooCostly => Some(
            "encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -scrypt -in OLD.pem -out NEW.pem",
        ),
        SecretKeyError::Pem if pem.contains("BEGIN PUBLIC KEY") => {
            Some("this is the public key; signing needs the private one")
        }
        SecretKeyError::Pem if pem.contains("BEGIN OPENSSH PRIVATE KEY") => Some(
            "OpenSSH's own format is not read: make a key for artifacts with `edgec keygen`; \
             a key that logs in should not sign as well",
        ),
        SecretKeyError::Pem if pem.contains("PRIVATE KEY") => Some(
            "another kind of key? `openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem` writes PKCS#8; \
             only Ed25519 and ML-DSA-65 sign artifacts",
        ),
        SecretKeyError::ExpandedOnly => Some(
            "write it again with its seed, as RFC 9881 recommends: openssl pkey -provparam \
             ml-dsa.output_formats=seed-only -in OLD.pem -out NEW.pem",
        ),
        SecretKeyError::Inconsistent => {
            Some("the file is damaged or a forgery: do not sign with it")
        }
        SecretKeyError::Pem => Some("make a key with `edgec keygen -o key.pem`"),
        _ => None,
    }
}

/// Reads the public keys of a signer, in any of their encodings.
pub(crate) fn read_public(path: &Path) -> Result<(SignerKeys, KeyEncoding), Failure> {
    let text = files::read_public(path).map_err(|failure| {
        let failure = match failure.code() {
            "not-text" => failure.hint(
                "a public key is text; convert a key in DER to PEM: \
                 openssl pkey -pubin -inform DER -in OLD -out NEW.pub.pem",
            ),
            _ => failure,
        };
        explain_file(failure, path, Wanted::PublicKey)
    })?;
    public_in(path, text.as_bytes())
}

/// The public keys in the content of a file.
pub(crate) fn public_in(path: &Path, bytes: &[u8]) -> Result<(SignerKeys, KeyEncoding), Failure> {
    let text = String::from_utf8_lossy(bytes);
    public_from_text(&text).map_err(|failure| {
        let failure = failure.about(path.display());
        // The hint for a private key says more.
        match text.contains("PRIVATE KEY") {
            true => failure,
            false => explain(failure, bytes, Wanted::PublicKey),
        }
    })
}

/// Refuses to print or write a raw key from a file that only its owner can read, because a private
/// key may have the same form.
pub(crate) fn refuse_raw_secret(path: &Path, encoding: KeyEncoding) -> Result<(), Failure> {
    if encoding != KeyEncoding::Raw || !files::is_for_owner(path) {
        return Ok(());
    }
    let message = "32 bytes in base64, in a file that only its owner can read: they may be a \
                   private key, so they are not shown";
    Err(Failure::usage("public-key", message)
        .about(path.display())
        .hint(format!(
            "if it is a public key, let others read it: chmod 644 {}",
            path.display()
        )))
}

/// The public keys in a text.
pub(crate) fn public_from_text(text: &str) -> Result<(SignerKeys, KeyEncoding), Failure> {
    SignerKeys::from_text(text).map_err(|error| {
        Failure::rejected("public-key", &error).hint(match error {
            _ if text.contains("PRIVATE KEY") => {
                "this is a private key, and a public one is needed: \
                 `edgec keys export` gives its public half"
            }
            KeyError::NotOnCurve | KeyError::NonCanonical | KeyError::Weak => {
                "the key is damaged or a forgery: do not trust it, and get it from its owner again"
            }
            _ => {
                "get the key from its owner again; with the private key, \
                 `edgec keys export key.pem --as pem -o key.pub.pem` writes it"
            }
        })
    })
}

/// The files of the development key, which may not exist yet.
pub(crate) struct Development {
    folder: PathBuf,
    private: PathBuf,
    pub(crate) public: PathBuf,
}

impl Development {
    /// Finds the place of the key and what is wrong with it. Neither reads nor makes a key.
    pub(crate) fn find(passphrase: Option<&Path>) -> Result<Self, Failure> {
        if in_ci() {
            return Err(Failure::usage(
                "no-key",
                "no signing key, and the variable CI is set: a development key is not made there",
            )
            .hint(format!(
                "make a key with `edgec keygen -o release.pem`, keep it as a secret of the CI \
                 system,\nand name its file with --key or {KEY_VARIABLE}"
            )));
        }
        let home = etcetera::choose_base_strategy().map_err(|error| {
            Failure::environment("no-home", &error)
                .about("the development key")
                .hint("set HOME, or name a key with --key")
        })?;
        let folder = home.config_dir().join("edgec");
        let private = folder.join("dev.pem");
        if private.exists() {
            look(&private, passphrase)?;
        } else {
            files::refuse_unwritable(&private)?;
            files::refuse_place_of_key(&private)?;
        }
        Ok(Self {
            public: folder.join("dev.pub.pem"),
            private,
            folder,
        })
    }

    /// The key, and whether it was made just now.
    pub(crate) fn open(&self, passphrase: Option<&Path>) -> Result<(SecretKeys, bool), Failure> {
        let mut new = false;
        if !self.private.exists() {
            // The place may have changed while programs were compiled.
            files::refuse_place_of_key(&self.private)?;
            files::create_private(&self.folder)?;
            let pem = pem(&generate(&[Algorithm::Ed25519])?, None)?;
            // Two builds may come here at the same time: then both use the first key.
            new = signals::uninterrupted(|| {
                files::stage(&self.private, pem.as_bytes(), Wanted::PrivateKey)?.commit_if_absent()
            })?;
        }
        // The user has named no file, so a hint about a wrong file would not help.
        let key = read(&self.private, passphrase).map_err(|failure| match failure.code() {
            "secret-key" | "not-text" => failure.hint(
                "this is the development key: move it away, and edgec makes another one; \
                 hosts that trust it must then trust that one",
            ),
            _ => failure,
        })?;
        let public_pem = key.public().to_pem();
        if !std::fs::read_to_string(&self.public).is_ok_and(|text| text == public_pem) {
            let written = files::write(&self.public, public_pem.as_bytes(), Wanted::PublicKey);
            written.map_err(|failure| match failure.code() {
                "output" => failure.hint("remove it: edgec writes it again, from dev.pem"),
                _ => failure,
            })?;
        }
        Ok((key, new))
    }
}

/// The id of a signer's first key, and those of its others.
pub(crate) fn ids(keys: &SignerKeys) -> (String, Vec<String>) {
    let mut ids = keys.iter().map(|key| key.id().to_string());
    (ids.next().unwrap_or_default(), ids.collect())
}

/// A key id as it is, or the key ids of the public keys in a file.
pub(crate) fn named_ids(named: &Path) -> Result<Vec<String>, Failure> {
    let text = named.to_string_lossy();
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if text.len() == 64 && text.chars().all(digit) {
        return Ok(vec![text.into_owned()]);
    }
    let (public, _) = read_public(named)?;
    Ok(public.iter().map(|key| key.id().to_string()).collect())
}

/// Ids in a text.
pub(crate) fn listed(first: &str, more: &[String]) -> String {
    let all: Vec<&str> = std::iter::once(first)
        .chain(more.iter().map(String::as_str))
        .collect();
    all.join(", ")
}

/// New keys, one for each of these algorithms.
pub(crate) fn generate(algorithms: &[Algorithm]) -> Result<SecretKeys, Failure> {
    shield();
    SecretKeys::generate(algorithms).map_err(|error| Failure::environment("random", &error))
}

/// The documents of private keys, encrypted if there is a passphrase.
pub(crate) fn pem(
    key: &SecretKeys,
    passphrase: Option<&Secret>,
) -> Result<Zeroizing<String>, Failure> {
    match passphrase {
        Some(secret) => key.to_encrypted_pem(secret.as_str().as_bytes()),
        None => key.to_pem(),
    }
    .map_err(|error| Failure::environment("secret-key", &std::io::Error::other(chain(&error))))
}
