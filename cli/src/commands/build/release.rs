//! The release that a build's artifacts belong to, and when they may be used.

use std::path::Path;

use edgec_artifact::{UnixTime, Validity};
use edgec_builder::Release;

use super::arguments::Arguments;
use super::origin::Stated;
use super::request::Request;
use super::text;
use crate::failure::Failure;
use crate::render;
use crate::time;

/// The time in which the artifacts of an input may be used.
fn validity(arguments: &Arguments, request: &Request) -> Result<Validity, Failure> {
    let (issued, issued_by) = match arguments.issued {
        Some(issued) => (Some(issued), "--issued"),
        None => (time::source_date()?, "SOURCE_DATE_EPOCH"),
    };
    let (expires, expires_by) = match (arguments.expires, &request.expires) {
        (None, Some(text)) => (Some(of_project(text)?), "`expires`"),
        (expires, _) => (expires, "--expires"),
    };
    let validity = Validity::default()
        .with_issued(issued)
        .with_not_before(arguments.not_before)
        .with_expires(expires);
    refuse_never(&validity, issued_by, expires_by)?;
    refuse_past(&validity, expires_by)?;
    Ok(validity)
}

/// When the artifacts of a component expire.
fn of_project(text: &str) -> Result<UnixTime, Failure> {
    time::parse_limit(text).map_err(|error| {
        Failure::usage("validity", format!("`expires` is {text}: {error}"))
            .hint("write \"+90d\", or a date such as \"2030-01-31\" (docs/project.md)")
    })
}

/// The release of an input, as its artifacts state it. What the command line says comes first, then
/// what the project in `folder` says.
pub(super) fn of(
    arguments: &Arguments,
    request: &Request,
    folder: &Path,
    stated: &Stated,
) -> Result<Release, Failure> {
    if let Some(channel) = &arguments.channel {
        edgec_artifact::check_name(channel).map_err(|error| {
            Failure::usage("channel", render::safe(&error.to_string())).with_safe_message()
        })?;
    }
    if let Some(text) = &arguments.display_version
        && text.len() > text::MAX_LEN
    {
        let message = format!(
            "--display-version has {} bytes, and {} is the limit",
            text.len(),
            text::MAX_LEN
        );
        return Err(Failure::usage("display-version", message));
    }
    let mut release = Release::default();
    release.version = match (arguments.app_version, &request.version) {
        (Some(version), _) => version,
        (None, Some(version)) => text::number(version, folder)?,
        (None, None) => 0,
    };
    release.display_version = match (&arguments.display_version, &request.display_version) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(from)) => Some(text::version(from, folder)?),
        (None, None) => None,
    };
    let channel = arguments.channel.as_ref().or(request.channel.as_ref());
    release.channel = channel.cloned();
    release.validity = validity(arguments, request)?;
    let extensions = stated.source.extensions();
    release.extensions = extensions.map_err(|error| Failure::rejected("source", &error))?;
    Ok(release)
}

/// Refuses an artifact that expires before it becomes valid or is issued, because it would never
/// run.
fn refuse_never(validity: &Validity, issued_by: &str, expires_by: &str) -> Result<(), Failure> {
    let begins = [
        ("--not-before", validity.not_before),
        (issued_by, validity.issued),
    ];
    for (what, begin) in begins {
        let (Some(begin), Some(expires)) = (begin, validity.expires) else {
            continue;
        };
        if expires <= begin {
            let message = format!(
                "{expires_by} ({expires}) is not after {what} ({begin}): \
                 the artifact would never be valid"
            );
            return Err(Failure::usage("validity", message));
        }
    }
    Ok(())
}

/// Refuses an artifact that has already expired, because it would never run.
fn refuse_past(validity: &Validity, expires_by: &str) -> Result<(), Failure> {
    let now = time::now()?;
    let Some(expires) = validity.expires.filter(|expires| *expires <= now) else {
        return Ok(());
    };
    let message = format!("{expires_by} lies in the past: {expires}; it is now {now}");
    Err(Failure::usage("validity", message).hint("`+90d` counts from now"))
}
