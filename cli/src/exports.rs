//! The names of an artifact's exports, even if its manifest has only their digest. Every image has
//! the names, because the engine finds exports by name. They count only if they match the digest in
//! the manifest.

use std::borrow::Cow;

use edgec_artifact::{Exports, Manifest};
use edgec_builder::unverified;
use edgec_compiler::Image;

use crate::failure::{Exit, Failure};
use crate::failures::builder::table_failure;
use crate::workers;

const CODE: &str = "exports";

/// The names in the manifest. If the manifest has only their digest, the names in the image, if
/// they match the digest.
pub(crate) fn names<'m>(
    manifest: &'m Manifest,
    image: &Image<'_>,
) -> Result<Cow<'m, [String]>, Failure> {
    let stated = &manifest.capabilities.exports;
    if let Some(names) = stated.names() {
        return Ok(names.into());
    }
    let names = unverified::exports(&workers::program()?, manifest, image);
    let names = names.map_err(|error| table_failure(CODE, &error))?;
    let found = names.len();
    if Exports::of(names.iter().cloned()) == *stated {
        return Ok(names.into());
    }
    let message = format!(
        "the image's {found} exports do not match the digest of {} exports in its manifest",
        stated.count()
    );
    Err(Failure::new(Exit::Rejected, CODE, message)
        .hint("image and manifest do not belong together: do not run it"))
}
