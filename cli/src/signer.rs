//! Signers: a key in a file, a program that the user names, a PKCS#11 token, or a signature that
//! was made elsewhere.
//!
//! Signing has two steps. First the signer is named: this finds every error that can be found
//! without a secret. Later it is opened: this reads the key, or asks for the passphrase or the PIN.
//! Between the two steps, a verb works on untrusted programs.
//!
//! Every signature is verified with the public key before it is used, because a program or a token
//! may hold another key than the expected one.

mod command;
mod signature;
mod token;

use std::path::{Path, PathBuf};

use edgec_artifact::{PublicKey, SignerKeys};
use edgec_packager::{MadeSignature, SecretKeys};

use self::command::CommandSigner;
use self::signature::read_signature;
use self::token::TokenSigner;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::keys::{self, Development};
use crate::number::{SECONDS, number};
use crate::shield::shield;

/// Who signs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who signs")]
pub(crate) struct SignerArguments {
    /// The private key (PKCS#8 PEM, plain or encrypted): a file, `-` for standard input, or
    /// `env:NAME` for a variable's content [env: EDGEC_KEY] [default: for `build`, a development
    /// key that is made on first use; not in CI]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["signer", "pkcs11_module"])]
    key: Option<PathBuf>,
    /// A file with the passphrase of an encrypted key, `-` for standard input
    /// [default: EDGEC_PASSPHRASE, else edgec asks on the terminal]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["signer", "pkcs11_module"])]
    passphrase_file: Option<PathBuf>,
    /// A program that signs: it reads the bytes to sign from its standard input, and writes the
    /// signature (its bytes, or base64) to its standard output. Quotes group words; there is no
    /// shell
    #[arg(
        long,
        value_name = "COMMAND",
        requires = "public_key",
        conflicts_with = "pkcs11_module"
    )]
    signer: Option<String>,
    /// Seconds that the program may take [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "signer", value_parser = number(1..=86_400, SECONDS))]
    signer_timeout: Option<u64>,
    /// The public key that must sign; signatures by other keys are refused
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// The PKCS#11 module of a token that signs, such as /usr/lib/softhsm/libsofthsm2.so
    #[arg(long, value_name = "FILE", requires_all = ["pkcs11_token", "pkcs11_key"])]
    pkcs11_module: Option<PathBuf>,
    /// The token's label
    #[arg(long, value_name = "LABEL", requires = "pkcs11_module")]
    pkcs11_token: Option<String>,
    /// The label of the private key on the token
    #[arg(long, value_name = "LABEL", requires = "pkcs11_module")]
    pkcs11_key: Option<String>,
    /// A file with the token's PIN, `-` for standard input
    /// [default: EDGEC_PKCS11_PIN, else edgec asks on the terminal]
    #[arg(long, value_name = "FILE", requires = "pkcs11_module")]
    pkcs11_pin_file: Option<PathBuf>,
}

/// A signer that was named. No secret has been read yet.
pub(crate) struct NamedSigner {
    who: Who,
    /// The public keys that must have signed.
    expected: Option<SignerKeys>,
    passphrase: Option<PathBuf>,
}

enum Who {
    File(PathBuf),
    Development(Development),
    /// A program, and the public key with which it signs.
    Command(CommandSigner, PublicKey),
    Token {
        module: PathBuf,
        token: String,
        key: String,
        pin: Option<PathBuf>,
    },
}

/// An open signer, and what the user should know about the source of its key.
pub(crate) struct Signer {
    holder: Holder,
    public: SignerKeys,
    /// The public half of the development key, for `verify`.
    pub(crate) development: Option<PathBuf>,
    /// Whether the development key was made just now.
    pub(crate) new: bool,
}

enum Holder {
    File(Box<SecretKeys>),
    Command(CommandSigner, PublicKey),
    Token(TokenSigner, PublicKey),
    /// A signature that was made elsewhere.
    Elsewhere(MadeSignature),
}

impl SignerArguments {
    /// The input files of the signer, which no output may overwrite.
    pub(crate) fn reads(&self) -> Vec<PathBuf> {
        let named = [
            &self.passphrase_file,
            &self.public_key,
            &self.pkcs11_module,
            &self.pkcs11_pin_file,
        ];
        // An empty name is not a file; `signer` refuses it.
        let key = self.key_file().filter(|path| !path.as_os_str().is_empty());
        key.into_iter()
            .chain(named.into_iter().flatten().cloned())
            .collect()
    }

    /// Whether the command line or `EDGEC_KEY` names who signs.
    pub(crate) fn is_named(&self) -> bool {
        self.signer.is_some() || self.pkcs11_module.is_some() || self.key_file().is_some()
    }

    /// The public keys that the user named.
    fn public_keys(&self) -> Result<Option<SignerKeys>, Failure> {
        let keys = self.public_key.as_deref().map(keys::read_public);
        Ok(keys.transpose()?.map(|(keys, _)| keys))
    }

    /// The public key that the user named, for a signature that is made elsewhere: one at a time.
    pub(crate) fn public_key(&self) -> Result<Option<PublicKey>, Failure> {
        let keys = self.public_keys()?;
        keys.map(|keys| self.only(&keys)).transpose()
    }

    fn only(&self, keys: &SignerKeys) -> Result<PublicKey, Failure> {
        keys.only().cloned().ok_or_else(|| {
            let message = "two public keys are in the file, and one signature is made at a time";
            let named = self.public_key.as_deref().unwrap_or(Path::new(""));
            Failure::usage("public-key", message)
                .about(named.display())
                .hint("sign with one key after the other (--append), each from a file of its own")
        })
    }

    /// The signer that the user named, ready to sign.
    pub(crate) fn signer(&self) -> Result<Option<Signer>, Failure> {
        let expected = self.public_keys()?;
        let who = self.who(expected.as_ref())?;
        who.map(|who| self.named(who, expected).open()).transpose()
    }

    /// The signer that the user named, or the signature in a file, which was made elsewhere.
    pub(crate) fn signer_or_attached(&self, attached: Option<&Path>) -> Result<Signer, Failure> {
        let Some(attached) = attached else {
            return self.signer()?.ok_or_else(|| {
                Failure::usage("no-key", "no signing key given").hint(format!(
                    "name a key with --key or {}, or --signer, or --pkcs11-module",
                    keys::KEY_VARIABLE
                ))
            });
        };
        // clap requires this argument.
        let public = self
            .public_key()?
            .ok_or_else(|| Failure::usage("public-key", "--attach needs --public-key"))?;
        let signature = read_signature(attached, &public)?;
        Ok(Signer {
            public: public.clone().into(),
            holder: Holder::Elsewhere(MadeSignature::new(public, signature)),
            development: None,
            new: false,
        })
    }

    /// The signer that the user named, else this key, else the development key.
    pub(crate) fn named_or(&self, key: Option<&Path>) -> Result<NamedSigner, Failure> {
        let expected = self.public_keys()?;
        let passphrase = self.passphrase_file.as_deref();
        let who = match (self.who(expected.as_ref())?, key) {
            (Some(who), _) => who,
            (None, Some(path)) => {
                keys::look(path, passphrase)?;
                Who::File(path.to_owned())
            }
            (None, None) => Who::Development(Development::find(passphrase)?),
        };
        Ok(self.named(who, expected))
    }

    fn named(&self, who: Who, expected: Option<SignerKeys>) -> NamedSigner {
        NamedSigner {
            who,
            expected,
            passphrase: self.passphrase_file.clone(),
        }
    }

    /// The signer from the command line, else from `EDGEC_KEY`. The public key comes as an argument
    /// because its file may be a pipe, which gives its content only once.
    fn who(&self, expected: Option<&SignerKeys>) -> Result<Option<Who>, Failure> {
        let secrets = [&self.passphrase_file, &self.pkcs11_pin_file];
        for file in secrets.into_iter().flatten() {
            files::refuse_shared_secret(file)?;
        }
        if let Some(command) = &self.signer {
            // clap requires this argument.
            let public = expected
                .ok_or_else(|| Failure::usage("public-key", "--signer needs --public-key"))?;
            let command = CommandSigner::new(command, self.signer_timeout)?;
            Ok(Some(Who::Command(command, self.only(public)?)))
        } else if let Some(module) = &self.pkcs11_module {
            token::look(module)?;
            // It has one key. `open` compares it.
            expected.map(|keys| self.only(keys)).transpose()?;
            Ok(Some(Who::Token {
                module: module.clone(),
                token: self.pkcs11_token.clone().unwrap_or_default(),
                key: self.pkcs11_key.clone().unwrap_or_default(),
                pin: self.pkcs11_pin_file.clone(),
            }))
        } else if let Some(path) = self.key_file() {
            // An empty value is not the same as none: otherwise another key would sign without a
            // warning.
            if path.as_os_str().is_empty() {
                return Err(empty_variable());
            }
            keys::look(&path, self.passphrase_file.as_deref())?;
            Ok(Some(Who::File(path)))
        } else {
            Ok(None)
        }
    }

    /// `--key`, else `EDGEC_KEY`, which has a lower priority than any other signer. The variable
    /// may be set and empty.
    fn key_file(&self) -> Option<PathBuf> {
        let variable = || match self.signer.is_some() || self.pkcs11_module.is_some() {
            true => None,
            false => std::env::var_os(keys::KEY_VARIABLE).map(PathBuf::from),
        };
        self.key.clone().or_else(variable)
    }
}

impl NamedSigner {
    /// Reads the key, or logs in. From now on, this process holds a secret.
    pub(crate) fn open(self) -> Result<Signer, Failure> {
        shield();
        let Self {
            who,
            expected,
            passphrase,
        } = self;
        let (mut development, mut new) = (None, false);
        let (holder, public) = match who {
            Who::Command(command, public) => {
                let keys = public.clone().into();
                (Holder::Command(command, public), keys)
            }
            Who::Token {
                module,
                token,
                key,
                pin,
            } => {
                let named = expected.as_ref().and_then(SignerKeys::only).cloned();
                let opened = TokenSigner::open(&module, &token, &key, pin.as_deref(), named)?;
                let keys = opened.1.clone().into();
                (Holder::Token(opened.0, opened.1), keys)
            }
            Who::File(path) => of_key(keys::read(&path, passphrase.as_deref())?),
            Who::Development(files) => {
                let opened = files.open(passphrase.as_deref())?;
                (development, new) = (Some(files.public), opened.1);
                of_key(opened.0)
            }
        };
        if let Some(expected) = expected.filter(|expected| *expected != public) {
            let message = format!(
                "the key that signs is {}, and --public-key is {}",
                public.ids(),
                expected.ids()
            );
            return Err(Failure::new(Exit::Rejected, "other-key", message));
        }
        Ok(Signer {
            holder,
            public,
            development,
            new,
        })
    }
}

fn of_key(keys: SecretKeys) -> (Holder, SignerKeys) {
    let public = keys.public();
    (Holder::File(Box::new(keys)), public)
}

impl Signer {
    /// The public keys.
    pub(crate) fn public(&self) -> SignerKeys {
        self.public.clone()
    }

    /// The signer's answer for `message`: a signature with each key. The code that attaches them
    /// verifies them.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<MadeSignature>, Failure> {
        let (bytes, by) = match &self.holder {
            Holder::File(keys) => return Ok(keys.sign(message)),
            Holder::Command(command, by) => (command.sign(message, by.algorithm())?, by),
            Holder::Token(token, by) => (token.sign(message)?, by),
            Holder::Elsewhere(made) => return Ok(vec![made.clone()]),
        };
        Ok(vec![MadeSignature::new(by.clone(), bytes)])
    }
}

impl edgec_packager::Signer for Signer {
    type Error = Failure;

    fn public(&self) -> SignerKeys {
        Signer::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<MadeSignature>, Failure> {
        Signer::sign(self, message)
    }
}

/// A secret that is not set up in a CI system is often an empty variable.
fn empty_variable() -> Failure {
    let message = format!("{} is empty", keys::KEY_VARIABLE);
    Failure::usage("no-key", message).hint(
        "it names the key that signs, as --key does: a CI system may keep secrets from builds of \
         forks;\nunset the variable if it should not name a key",
    )
}
