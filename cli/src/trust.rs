//! Whom a command trusts: `--key` and `--trust`.

use std::path::{Path, PathBuf};

use edgec_artifact::{Artifact, Statement};
use edgec_verifier::{PublicKey, TrustPolicy, TrustedKey, verify};

use crate::failure::Failure;
use crate::files;

/// The keys that count.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TrustArguments {
    /// A public key (PEM) whose signature is required; repeat it and each is required
    #[arg(long, value_name = "PUBLIC_KEY")]
    key: Vec<PathBuf>,
    /// A trust policy (TOML): keys and a threshold
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

impl TrustArguments {
    pub(crate) fn policy(&self) -> Result<TrustPolicy, Failure> {
        match &self.trust {
            Some(path) => TrustPolicy::from_toml(&files::read_text(path)?)
                .map_err(|error| Failure::rejected("trust-policy", &error).about(path.display())),
            None => {
                let keys = self.key.iter().map(|path| public_key(path));
                let keys: Vec<TrustedKey> = keys.collect::<Result<_, _>>()?;
                let threshold = keys.len();
                TrustPolicy::new(keys, threshold)
                    .map_err(|error| Failure::rejected("trust-policy", &error))
            }
        }
    }
}

fn public_key(path: &Path) -> Result<TrustedKey, Failure> {
    let text = files::read_text(path)?;
    let key = PublicKey::from_pem(&text).map_err(|error| {
        let failure = Failure::rejected("public-key", &error).about(path.display());
        if text.contains("PRIVATE KEY") {
            failure.hint(
                "this is a private key; whoever verifies needs the public one, \
                 which `edgec keygen` writes beside it",
            )
        } else {
            failure
        }
    })?;
    Ok(TrustedKey {
        name: path.display().to_string(),
        key,
    })
}

/// Verifies what was just signed as a host would, at a time at which it is meant to be valid.
pub(crate) fn self_check(file: &[u8], signer: &PublicKey) -> Result<(), Failure> {
    let check = || -> Result<(), Box<dyn std::error::Error>> {
        let artifact = Artifact::decode(file)?;
        let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
        let at = manifest.validity.and_then(|validity| validity.not_before);
        let trusted = TrustedKey {
            name: "signer".to_owned(),
            key: *signer,
        };
        let policy = TrustPolicy::new(vec![trusted], 1)?;
        verify(file, &policy, at.unwrap_or(0))?;
        Ok(())
    };
    check().map_err(|error| {
        Failure::rejected("self-check", &*error)
            .hint("edgec would not accept its own artifact, so nothing was written")
    })
}
