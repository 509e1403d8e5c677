//! `edgec keys`: shows what a key file holds, and converts public keys from one encoding to
//! another.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use edgec_artifact::{KeyEncoding, PublicKey, SignerKeys};
use edgec_packager::SecretKey;
use serde::Serialize;

use super::keygen::write;
use crate::document;
use crate::failure::Failure;
use crate::file_kind::{Wanted, explain, explain_file};
use crate::files::{self, Sensitive};
use crate::render::{self, Format, out};
use crate::reports::Reports;
use crate::{Outcome, keys};

/// Show keys, and read and write public keys in other encodings
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the content of key files: kind, key id and public key, never a private key
    Show {
        /// Private keys (PEM), public keys (PEM, raw base64, OpenSSH): files, `-` or `env:NAME`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// A file with the passphrase of encrypted keys, `-` for standard input
        /// [default: EDGEC_PASSPHRASE, else edgec asks on the terminal]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// The output format
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write a public key as PEM, as trust policies need it
    Import {
        /// The public key (PEM, raw base64, OpenSSH): a file, `-` or `env:NAME`
        file: PathBuf,
        /// The PEM file
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The format of the result
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Write the public half of a key
    Export {
        /// The private or public key: a file, `-` or `env:NAME`
        file: PathBuf,
        /// The encoding
        #[arg(long = "as", value_enum, value_name = "ENCODING")]
        encoding: EncodingName,
        /// The output file [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// A file with the passphrase of an encrypted key, `-` for standard input
        /// [default: EDGEC_PASSPHRASE, else edgec asks on the terminal]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// The format of standard output; `json` has the key in a document
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// [`KeyEncoding`] on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum EncodingName {
    /// SubjectPublicKeyInfo in PEM
    Pem,
    /// The 32 bytes in base64
    Raw,
    /// `ssh-ed25519 AAAA...`
    Openssh,
}

impl From<EncodingName> for KeyEncoding {
    fn from(name: EncodingName) -> Self {
        match name {
            EncodingName::Pem => Self::Pem,
            EncodingName::Raw => Self::Raw,
            EncodingName::Openssh => Self::OpenSsh,
        }
    }
}

/// The content of a key file. Nothing in it is secret.
struct Found {
    kind: &'static str,
    encoding: &'static str,
    encrypted: bool,
    public: SignerKeys,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyReport>,
    /// The other keys of a hybrid signer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_keys: Vec<KeyReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyReport {
    kind: &'static str,
    encoding: &'static str,
    encrypted: bool,
    algorithm: &'static str,
    key_id: String,
    pem: String,
    /// Only an Ed25519 key is written like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openssh: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    match &arguments.verb {
        Verb::Show {
            files,
            passphrase_file,
            format,
        } => {
            refuse_stdin_twice(files, passphrase_file.as_ref())?;
            show(files, passphrase_file.as_deref(), *format)
        }
        Verb::Import {
            file,
            output,
            format,
        } => import(file, output, *format),
        Verb::Export {
            file,
            encoding,
            output,
            passphrase_file,
            format,
        } => {
            refuse_stdin_twice(std::slice::from_ref(file), passphrase_file.as_ref())?;
            let found = find(file, passphrase_file.as_deref())?;
            let text = exported(file, &found.public, *encoding)?;
            if let Some(output) = output {
                files::refuse_dash(output)?;
                write(output, text.as_bytes(), Wanted::PublicKey)?;
            }
            match (format, output) {
                (Format::Text, Some(_)) => {}
                (Format::Text, None) => out!("{text}"),
                (_, output) => {
                    let exported = Exported {
                        public_key: output.as_deref().map(render::path),
                        key_id: found.public.ids(),
                        key: text.trim_end(),
                    };
                    document::print(true, &exported);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Refuses to read both keys and their passphrase from standard input.
fn refuse_stdin_twice(keys: &[PathBuf], passphrase: Option<&PathBuf>) -> Result<(), Failure> {
    let read: Vec<PathBuf> = keys.iter().chain(passphrase).cloned().collect();
    files::refuse_stdin_twice(&read)
}

fn show(paths: &[PathBuf], passphrase: Option<&Path>, format: Format) -> Outcome {
    let mut reports = Reports::new(format);
    for path in paths {
        let file = render::path(path);
        let report = match find(path, passphrase) {
            Ok(found) => {
                let mut keys = found.public.iter().map(|key| KeyReport::new(&found, key));
                Report {
                    key: keys.next(),
                    more_keys: keys.collect(),
                    error: None,
                    file,
                }
            }
            Err(failure) => Report {
                key: None,
                more_keys: Vec::new(),
                error: Some(failure),
                file,
            },
        };
        reports.add(report, |report| report.error.as_ref(), Report::text);
    }
    reports.end()
}

impl KeyReport {
    fn new(found: &Found, key: &PublicKey) -> Self {
        let text = |encoding| Some(key.to_text(encoding)?.trim_end().to_owned());
        Self {
            kind: found.kind,
            encoding: found.encoding,
            encrypted: found.encrypted,
            algorithm: key.algorithm().name(),
            key_id: key.id().to_string(),
            pem: key.to_pem(),
            raw: text(KeyEncoding::Raw),
            openssh: text(KeyEncoding::OpenSsh),
        }
    }
}

impl Report {
    fn text(&self) -> String {
        let Some(key) = &self.key else {
            return String::new();
        };
        let encrypted = if key.encrypted { ", encrypted" } else { "" };
        let row = |name: &str, text: &str| vec![format!("  {name}"), text.to_owned()];
        let mut rows = Vec::new();
        for key in std::iter::once(key).chain(&self.more_keys) {
            rows.push(row("key id", &key.key_id));
            match (&key.raw, &key.openssh) {
                (Some(raw), Some(openssh)) => {
                    rows.push(row("raw", raw));
                    rows.push(row("OpenSSH", openssh));
                }
                _ => rows.push(row("algorithm", key.algorithm)),
            }
        }
        format!(
            "{}: {} key ({}{encrypted})\n{}",
            self.file,
            key.kind,
            key.encoding,
            render::table(&rows)
        )
    }
}

/// The file of a public key that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    public_key: String,
    key_id: String,
}

/// A public key that was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported<'a> {
    /// The file. `None` if none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    key_id: String,
    /// The key in the encoding that was asked for.
    key: &'a str,
}

fn import(file: &Path, output: &Path, format: Format) -> Outcome {
    files::refuse_dash(output)?;
    let (public, encoding) = keys::read_public(file)?;
    keys::refuse_raw_secret(file, encoding)?;
    write(output, public.to_pem().as_bytes(), Wanted::PublicKey)?;
    let imported = Imported {
        public_key: render::path(output),
        key_id: public.ids(),
    };
    document::answer(true, &imported, format, |imported| {
        format!(
            "public key  {}\nkey id      {}\n",
            imported.public_key, imported.key_id
        )
    });
    Ok(ExitCode::SUCCESS)
}

/// The key in a file, private or public.
fn find(path: &Path, passphrase: Option<&Path>) -> Result<Found, Failure> {
    let text = files::read_secret(path, Sensitive::Key)
        .map_err(|failure| explain_file(failure, path, Wanted::Key))?;
    if !text.contains("PRIVATE KEY") {
        let key = keys::public_from_text(&text).map_err(|failure| {
            explain(failure.about(path.display()), text.as_bytes(), Wanted::Key)
        })?;
        keys::refuse_raw_secret(path, key.1)?;
        return Ok(public(key));
    }
    let encrypted = SecretKey::is_encrypted(&text);
    let key = keys::open(path, &text, passphrase)?;
    Ok(Found {
        kind: "private",
        encoding: "PKCS#8 PEM",
        encrypted,
        public: key.public(),
    })
}

/// The text of the public keys in an encoding that each of them has.
fn exported(file: &Path, keys: &SignerKeys, encoding: EncodingName) -> Result<String, Failure> {
    let texts = keys.iter().map(|key| key.to_text(encoding.into()));
    let text: Option<String> = match encoding {
        EncodingName::Pem => texts.collect(),
        // One key a line has no place for a second.
        EncodingName::Raw | EncodingName::Openssh => keys.only().and(texts.collect()),
    };
    text.ok_or_else(|| {
        let message = "only one Ed25519 key alone is written like this";
        Failure::usage("encoding", message)
            .about(render::path(file))
            .hint("`--as pem` writes every key")
    })
}

fn public((public, encoding): (SignerKeys, KeyEncoding)) -> Found {
    Found {
        kind: "public",
        encoding: encoding.name(),
        encrypted: false,
        public,
    }
}
