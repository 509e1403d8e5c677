//! Reads native code: the instructions of an image, and instructions that do not belong there.
//!
//! An audit is a lint and proves no isolation: it sees the code, but not the values that the code
//! computes. Those values decide where an indirect branch goes, and which address a load or a store
//! has. `docs/audit.md` says what an audit states and what it does not.
//!
//! An audit takes bytes and returns findings. It opens no file and compiles nothing. This crate
//! does not link Cranelift 0.135: the list of the instructions that Cranelift emits comes from its
//! source.

mod aarch64;
mod aarch64_list;
mod decoder;
mod features;
mod finding;
mod halves;
mod handlers;
mod map;
mod marks;
mod sweep;
mod x86_64;
mod x86_64_encodings;
mod x86_64_list;

use edgec_artifact::Manifest;
use edgec_artifact::elf::{ElfError, ElfImage};
pub use edgec_targets::Arch;
use serde::Serialize;

use crate::ENGINE_VERSION;

use self::features::Declared;
pub use self::finding::{Finding, Forbidden, Function, Place, Problem};

/// The longest code that is audited, in bytes. An audit takes one byte of memory for each byte of
/// code, and twelve for each direct branch, up to twice that while the list grows. At worst, the
/// code has only branches of two bytes: then an audit takes about twenty bytes for each byte of
/// code. For a compiler's code, it takes about four.
pub const MAX_AUDITED_LEN: usize = 1 << 28;
/// The highest number of findings in a report. The audit counts all findings.
pub const MAX_FINDINGS: usize = 100;

/// The results of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditReport {
    /// The length of the code, in bytes.
    pub length: u64,
    /// The number of its functions: frame set-ups at a function's alignment.
    pub functions: u64,
    /// The number of places where the engine enters the code. Each must be the beginning of a
    /// function. Absent if the caller did not know the places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The number of decoded instructions.
    pub instructions: u64,
    /// Bytes of constants and jump tables, which instructions read.
    pub data: u64,
    /// Bytes of zeros before aligned parts.
    pub padding: u64,
    /// CPU features beyond the family's base that the instructions need, sorted.
    pub features: Vec<String>,
    /// How many findings there are.
    pub found: u64,
    /// The findings in the order of the code, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.found == 0
    }
}

/// Why there is no report: nothing is known about the code, least of all that it is clean.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The image is not one that the engine wrote: sections with another access, relocations and
    /// the like.
    #[error(transparent)]
    Image(#[from] ElfError),
    /// More code than is audited.
    #[error("not audited: {length} bytes of code, and the limit is {MAX_AUDITED_LEN}")]
    TooLong {
        /// The length of the code in bytes.
        length: u64,
    },
    /// The code is another engine's, and other instructions are what that one emits.
    #[error(
        "not audited: it is for wasmtime {found}, and this edgec only knows the code of {ENGINE_VERSION}"
    )]
    Engine {
        /// The major version in the image.
        found: String,
    },
    /// The table of exception handlers does not parse, or has more of them than there are bytes of
    /// code.
    #[error("not audited: the table of exception handlers is malformed")]
    Handlers,
}

/// Audits an image against the CPU features that its manifest declares.
///
/// `entries` are the places where the engine enters the code, in bytes from its start: the rows of
/// the engine's table of functions, which only the engine's crates can read. Without them the audit
/// does not check where the engine enters.
///
/// The family is the one in the ELF header; [`crate::verify`] checks that it is the manifest's. The
/// section rules (access, no relocations of code, nothing else on the code's pages, the engine's
/// tables) are those of [`ElfImage::parse`].
///
/// # Errors
///
/// [`AuditError`] when the code could not be audited as a whole.
pub fn audit(
    image: &[u8],
    manifest: &Manifest,
    entries: Option<&[u32]>,
) -> Result<AuditReport, AuditError> {
    let elf = ElfImage::parse(image)?;
    if elf.engine.major != ENGINE_VERSION.major.to_string() {
        let found = elf.engine.major;
        return Err(AuditError::Engine { found });
    }
    let section = |name: &str| {
        let section = elf.sections.iter().find(|section| section.name == name)?;
        let begin = usize::try_from(section.offset).ok()?;
        image
            .get(begin..)?
            .get(..usize::try_from(section.size).ok()?)
    };
    let text = section(".text").unwrap_or_default();
    let handlers = section(".wasmtime.exceptions").unwrap_or_default();
    let handlers = handlers::read(handlers).filter(|handlers| handlers.len() <= text.len());
    let handlers = handlers.ok_or(AuditError::Handlers)?;
    let features = &manifest.target.cpu_features;
    sweep(elf.arch, text, features, &handlers, entries)
}

/// As [`audit`], of bare code of a family: for tools and tests.
///
/// # Errors
///
/// [`AuditError::TooLong`].
pub fn audit_text(
    arch: Arch,
    text: &[u8],
    cpu_features: &[String],
    entries: Option<&[u32]>,
) -> Result<AuditReport, AuditError> {
    sweep(arch, text, cpu_features, &[], entries)
}

fn sweep(
    arch: Arch,
    text: &[u8],
    features: &[String],
    handlers: &[u32],
    entries: Option<&[u32]>,
) -> Result<AuditReport, AuditError> {
    if text.len() > MAX_AUDITED_LEN {
        let length = text.len() as u64;
        return Err(AuditError::TooLong { length });
    }
    // A family without a decoder is one that does not compile here.
    Ok(match arch {
        Arch::X86_64 => {
            let declared = Declared::new(x86_64_encodings::FEATURES, features);
            halves::run(text, || x86_64::X86::new(text), declared, handlers, entries)
        }
        Arch::Aarch64 => {
            let declared = Declared::new(aarch64::FEATURES, features);
            halves::run(
                text,
                || aarch64::Arm::new(text),
                declared,
                handlers,
                entries,
            )
        }
    })
}
