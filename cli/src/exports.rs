//! The names of all that an artifact exports, also where its manifest only sums them up.
//!
//! The list lies nowhere beside the artifact: the engine finds exports by name, so that every image has it. What is
//! read there is held against what the manifest states.

use std::borrow::Cow;

use edgec_artifact::{Exports, Manifest};
use edgec_compiler::Image;

use crate::failure::{Exit, Failure};
use crate::unvouched;

const CODE: &str = "exports";

/// The names that the manifest states, or those in the image that are the list that it sums up.
pub(crate) fn names<'m>(
    manifest: &'m Manifest,
    image: &Image<'_>,
) -> Result<Cow<'m, [String]>, Failure> {
    let stated = &manifest.capabilities.exports;
    if let Some(names) = stated.names() {
        return Ok(names.into());
    }
    let names = unvouched::exports(CODE, manifest, image)?;
    let found = names.len();
    if Exports::of(names.iter().cloned()) == *stated {
        return Ok(names.into());
    }
    let message = format!(
        "the image's {found} exports are not the list of {} that its manifest sums up",
        stated.count()
    );
    Err(Failure::new(Exit::Rejected, CODE, message)
        .hint("image and manifest do not belong together: do not run it"))
}
