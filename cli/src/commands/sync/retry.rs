//! `--retry`: an operator takes back the verdict of a gate.

use std::path::Path;

use edgec_sync::FleetConfig;
use edgec_sync::config::ApplicationConfig;
use edgec_sync::state::order_retry;

use crate::failure::Failure;
use crate::failures::sync::order_failure;
use crate::render::{cell, out, safe};

/// Orders that the bad releases of these applications are tried again, and says which.
pub(super) fn order(config: &FleetConfig, state: &Path, named: &[String]) -> Result<(), Failure> {
    // All names are looked up first, so that a wrong one changes nothing.
    let meant = named.iter().map(|text| meant(&config.applications, text));
    for (application, version) in meant.collect::<Result<Vec<_>, _>>()? {
        let (name, channel) = (&application.name, application.channel.as_deref());
        let label = application.label();
        let verdict = order_retry(state, name, channel, version);
        let verdict = verdict.map_err(|error| order_failure(&error, &label))?;
        out!(
            "{}: {}; it will be tried again\n",
            cell(&label),
            safe(&verdict.told())
        );
    }
    Ok(())
}

/// The application that a `NAME`, `NAME@CHANNEL` or one of them with `:VERSION` means, and the
/// version. A name may itself have colons.
fn meant<'a>(
    all: &'a [ApplicationConfig],
    text: &str,
) -> Result<(&'a ApplicationConfig, Option<u64>), Failure> {
    let with_version = text
        .rsplit_once(':')
        .and_then(|(name, version)| Some((name, Some(version.parse::<u64>().ok()?))));
    for (name, version) in [(text, None)].into_iter().chain(with_version) {
        let is_meant = |it: &&ApplicationConfig| it.label() == name || it.name == name;
        let found: Vec<&ApplicationConfig> = all.iter().filter(is_meant).collect();
        let exact = found.iter().find(|it| it.label() == name);
        match (exact, &*found) {
            (Some(found), _) => return Ok((*found, version)),
            (None, [found]) => return Ok((*found, version)),
            (None, []) => {}
            (None, several) => {
                let text = format!("`{name}` has several channels");
                return Err(Failure::usage("usage", text).hint(format!(
                    "write one of these: {}",
                    labels(several.iter().copied())
                )));
            }
        }
    }
    let failure = Failure::usage("usage", format!("the file has no application `{text}`"));
    Err(failure.hint(format!("it has these: {}", labels(all.iter()))))
}

fn labels<'a>(all: impl Iterator<Item = &'a ApplicationConfig>) -> String {
    let labels: Vec<String> = all.map(ApplicationConfig::label).collect();
    labels.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_has_a_short_name() {
        let entry = |name: &str, more: &str| {
            format!("[[application]]\nname = \"{name}\"\nreference = \"a.b/c\"\n{more}")
        };
        let text = [
            "schema = 1\n".to_owned(),
            entry("shop", "channel = \"stable\"\n"),
            entry("blog", "channel = \"next\"\n"),
            entry("blog", "channel = \"stable\"\n"),
            entry("wiki", ""),
            entry("wiki", "channel = \"next\"\n"),
            entry("a:7", ""),
        ];
        let config = FleetConfig::from_toml(&text.concat()).unwrap();
        let means = |text: &str| {
            let found = meant(&config.applications, text);
            found.map(|(application, version)| (application.label(), version))
        };
        for (text, label, version) in [
            ("shop", "shop@stable", None),
            ("shop:3", "shop@stable", Some(3)),
            ("shop@stable:3", "shop@stable", Some(3)),
            ("blog@next", "blog@next", None),
            ("wiki", "wiki", None),
            ("wiki@next:1", "wiki@next", Some(1)),
            ("a:7", "a:7", None),
            ("a:7:8", "a:7", Some(8)),
        ] {
            assert_eq!(means(text).unwrap(), (label.to_owned(), version));
        }
        for text in ["blog", "blog:1", "shop@next", "shop:", "shop:x", "", "a"] {
            assert_eq!(means(text).unwrap_err().code(), "usage", "{text}");
        }
    }
}
