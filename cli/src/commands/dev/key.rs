//! Who signs, and which public key a development server trusts therefore. The private key is read
//! only by the process that builds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use edgec_verifier::{TrustPolicy, TrustedKey};

use crate::failure::Failure;
use crate::files::{STDIN, VARIABLE_PREFIX};
use crate::keys::{self, Development, KEY_VARIABLE};

/// The key of a development server.
pub(super) struct Trusted {
    /// The private key, as `edgec build --key` takes it. `None`: the development key.
    private: Option<PathBuf>,
    /// The file of the public key. That of the development key may not exist before it has signed.
    public: PathBuf,
}

impl Trusted {
    /// The key that the command line or `EDGEC_KEY` names, or else the development key.
    pub(super) fn find(private: Option<&Path>, public: Option<&Path>) -> Result<Self, Failure> {
        let variable = || std::env::var_os(KEY_VARIABLE).map(PathBuf::from);
        let private = private.map(Path::to_owned).or_else(variable);
        let public = match (&private, public) {
            (_, Some(public)) => public.to_owned(),
            (None, None) => Development::find(None)?.public,
            (Some(private), None) if is_file(private) => private.with_extension("pub.pem"),
            (Some(_), None) => {
                let message = "the public key of --key is not known";
                return Err(Failure::usage("public-key", message).hint(
                    "a variable or standard input has no file beside it: --public-key FILE",
                ));
            }
        };
        let trusted = Self { private, public };
        // The development key is made by the first build.
        if trusted.private.is_some() {
            trusted.policy()?;
        }
        Ok(trusted)
    }

    /// The options with which `edgec build` signs with this key.
    pub(super) fn options(&self) -> Vec<OsString> {
        match &self.private {
            None => Vec::new(),
            Some(private) => vec![
                "--key".into(),
                private.into(),
                "--public-key".into(),
                (&self.public).into(),
            ],
        }
    }

    /// A policy that trusts this key alone.
    pub(super) fn policy(&self) -> Result<TrustPolicy, Failure> {
        let (key, _) = keys::read_public(&self.public)?;
        let keys = vec![TrustedKey::new("development", key)];
        TrustPolicy::new(keys, 1).map_err(|error| Failure::rejected("trust-policy", &error))
    }
}

/// Whether `--key` names a file, rather than standard input or a variable.
fn is_file(key: &Path) -> bool {
    let text = key.to_string_lossy();
    text != STDIN && !text.starts_with(VARIABLE_PREFIX)
}
