//! Signing in two steps: write the bytes to sign, and later attach the signature.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::{files, render};

/// The options of the two steps.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct TwoSteps {
    /// Sign nothing: write the bytes to sign (DSSE PAE); `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["SignerArguments", "attach", "output", "format"], help_heading = "Signatures")]
    export_pae: Option<PathBuf>,
    /// Attach a signature that was made elsewhere (its bytes, or base64)
    #[arg(long, value_name = "FILE", requires = "public_key", conflicts_with_all = ["key", "passphrase_file", "signer", "pkcs11_module"], help_heading = "Signatures")]
    attach: Option<PathBuf>,
}

impl TwoSteps {
    /// Whether the bytes to sign are wanted, and no signature.
    pub(crate) fn is_export(&self) -> bool {
        self.export_pae.is_some()
    }

    /// The file of a signature that was made elsewhere.
    pub(crate) fn attached(&self) -> Option<&Path> {
        self.attach.as_deref()
    }

    /// Writes the bytes that are to be signed elsewhere, over none of the files that were read.
    pub(crate) fn export(
        &self,
        pae: &[u8],
        read: &[PathBuf],
        wanted: Wanted,
    ) -> Result<(), Failure> {
        match &self.export_pae {
            Some(file) if file.as_os_str() != files::STDIN => {
                files::spare(read, file, wanted)?;
                files::write(file, pae, wanted)
            }
            _ => {
                render::write_stdout(pae);
                Ok(())
            }
        }
    }
}
