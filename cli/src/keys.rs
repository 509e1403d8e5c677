//! Finding the key that signs: named, from the environment, or made for development.

use std::path::{Path, PathBuf};

use edgec_packager::SecretKey;
use etcetera::BaseStrategy as _;

use crate::failure::{Failure, chain};
use crate::files::{self, Access};

/// The variable that names a key file.
pub(crate) const KEY_VARIABLE: &str = "EDGEC_KEY";

/// A key, and what the user should know of where it came from.
pub(crate) struct Signer {
    pub(crate) key: SecretKey,
    /// The development key's public half, for `verify`.
    pub(crate) development: Option<PathBuf>,
    /// Whether the development key was made just now.
    pub(crate) new: bool,
}

/// The key to sign with: `--key` (or `EDGEC_KEY`), else the development key, which is
/// made on first use; in CI there is no such default.
pub(crate) fn signer(named: Option<&Path>) -> Result<Signer, Failure> {
    // A secret that a CI system does not have is often an empty variable.
    if let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) {
        return Ok(Signer {
            key: read(path)?,
            development: None,
            new: false,
        });
    }
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
    development_key()
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Reads a private key that only its owner can read.
pub(crate) fn read(path: &Path) -> Result<SecretKey, Failure> {
    let pem = zeroize::Zeroizing::new(files::read_secret(path)?);
    SecretKey::from_pem(&pem).map_err(|error| {
        let hint = if pem.contains("BEGIN PUBLIC KEY") {
            "this is the public key; whoever signs needs the private one"
        } else {
            "make a key with `edgec keygen -o key.pem`"
        };
        Failure::rejected("secret-key", &error)
            .about(path.display())
            .hint(hint)
    })
}

fn development_key() -> Result<Signer, Failure> {
    let folder = etcetera::choose_base_strategy()
        .map_err(|error| Failure::environment("no-home", &error).hint("name a key with --key"))?
        .config_dir()
        .join("edgec");
    let private = folder.join("dev.pem");
    let public = folder.join("dev.pub.pem");
    let mut new = false;
    if !private.exists() {
        files::create_folder(&folder)?;
        let key = generate()?;
        // Two builds at once may both come here: the first key is everybody's.
        new = files::stage(&private, pem(&key)?.as_bytes(), Access::Private)?.commit_if_absent()?;
    }
    let key = read(&private)?;
    let public_pem = key.public().to_pem();
    if !std::fs::read_to_string(&public).is_ok_and(|text| text == public_pem) {
        files::write(&public, public_pem.as_bytes(), Access::Public)?;
    }
    Ok(Signer {
        key,
        development: Some(public),
        new,
    })
}

pub(crate) fn generate() -> Result<SecretKey, Failure> {
    SecretKey::generate().map_err(|error| Failure::environment("random", &error))
}

pub(crate) fn pem(key: &SecretKey) -> Result<zeroize::Zeroizing<String>, Failure> {
    key.to_pem()
        .map_err(|error| Failure::environment("secret-key", &std::io::Error::other(chain(&error))))
}
