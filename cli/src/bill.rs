//! Bills of materials, for the verb `sbom` and for builds.

use std::borrow::Cow;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use edgec_artifact::{Artifact, MAX_SBOM_LEN};
use edgec_compiler::{Deadline, FrontEnd};
use edgec_sbom::{Bill, Format, Program, SbomError};

use crate::failure::{Exit, Failure};
use crate::failures::compiler::refused_input_failure;
use crate::time;

/// Parses the format of a bill.
pub(crate) fn format() -> impl TypedValueParser<Value = Format> {
    let formats = [
        PossibleValue::new("cyclonedx").help("CycloneDX 1.6 in JSON"),
        PossibleValue::new("spdx").help("SPDX 2.3 in JSON"),
    ];
    PossibleValuesParser::new(formats).map(|format| match format.as_str() {
        "spdx" => Format::Spdx,
        _ => Format::CycloneDx,
    })
}

/// What a bill is about.
pub(crate) struct About {
    /// The application's name.
    pub(crate) name: String,
    /// Its version. `None`: what the program says.
    pub(crate) version: Option<String>,
}

/// The input in the binary format. A process of its own reads text.
pub(crate) fn binary<'i>(
    input: &'i [u8],
    front_end: &FrontEnd,
    timeout: Duration,
) -> Result<Cow<'i, [u8]>, Failure> {
    if input.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(input));
    }
    if Artifact::decode(input).is_ok() {
        let message = "this is an artifact of edgec: it has native code, and no program in it";
        return Err(Failure::new(Exit::Rejected, "sbom-artifact", message).hint(
            "`edgec build --sbom` writes the bill of materials beside the artifact; otherwise give \
             the program that the artifact was built from",
        ));
    }
    let read = front_end.validate(input.to_vec(), Deadline::after(timeout));
    let read = read.map_err(|it| refused_input_failure(&it.error, &it.bytes))?;
    Ok(Cow::Owned(read.component.into_bytes()))
}

/// The bills of a program in these formats.
pub(crate) fn documents(
    program: &[u8],
    about: &About,
    formats: impl Iterator<Item = Format>,
) -> Result<Vec<String>, Failure> {
    let program = Program::read(program).map_err(|error| failure(&error))?;
    let mut bill = Bill::new(&program, about.name.as_str());
    if let Some(version) = &about.version {
        bill = bill.with_version(version.as_str());
    }
    if let Some(date) = time::source_date()? {
        // A time that cannot be written was refused when it was read.
        bill = bill.clone().made_at(date.seconds()).unwrap_or(bill);
    }
    formats
        .map(|format| bounded(bill.document(format)))
        .collect()
}

/// Readers of a bill have a limit.
fn bounded(document: String) -> Result<String, Failure> {
    let len = document.len() as u64;
    if len > MAX_SBOM_LEN {
        let message = format!(
            "the bill of materials would have {len} bytes, and {MAX_SBOM_LEN} is the limit"
        );
        return Err(Failure::new(Exit::Rejected, "sbom-limit", message));
    }
    Ok(document)
}

fn failure(error: &SbomError) -> Failure {
    let failure = Failure::rejected(error.code(), error);
    match error {
        SbomError::NotWasm => failure.hint("give the component or core module, .wasm or .wat"),
        SbomError::Malformed { .. } => {
            failure.hint("`edgec validate` says more about what is wrong with a program")
        }
        SbomError::Section { .. } | SbomError::Length { .. } => failure.hint(
            "fix the section or remove it: `wasm-tools strip -d SECTION` writes a program without it",
        ),
        _ => failure,
    }
}
