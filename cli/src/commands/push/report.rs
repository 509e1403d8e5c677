//! What a push tells.

use edgec_registry::{Push, Pushed, PushedDifference};
use serde::Serialize;

use crate::render::{count, safe, size, table};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    reference: String,
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    version: u64,
    /// The serial of the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    /// The digest of the index.
    digest: String,
    /// The tag of the index: another one than that of the reference in the split layout.
    index_tag: String,
    /// The digest of the portable program's manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    portable: Option<String>,
    natives: Vec<Native>,
    requests: u64,
    bytes_sent: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Native {
    target: String,
    profile: String,
    /// The digest of its manifest.
    digest: String,
    image_bytes: u64,
    compressed_bytes: u64,
    /// Whether the compressed image was there before.
    was_there: bool,
    /// Differences against other images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Difference {
    /// The fs-verity digest of the other image.
    base: String,
    bytes: u64,
}

impl Difference {
    fn new(pushed: &PushedDifference) -> Self {
        Self {
            base: pushed.base.to_string(),
            bytes: pushed.bytes,
        }
    }
}

impl Report {
    pub(super) fn new(push: &Push, pushed: Pushed) -> Self {
        let natives = pushed.natives.iter().map(|native| Native {
            target: safe(&native.target),
            profile: safe(&native.profile),
            digest: format!("sha256:{}", native.digest),
            image_bytes: native.length,
            compressed_bytes: native.compressed,
            was_there: native.was_there,
            differences: native.differences.iter().map(Difference::new).collect(),
        });
        Self {
            reference: safe(&push.reference.to_string()),
            natives: natives.collect(),
            application: safe(&pushed.application),
            channel: pushed.channel.as_deref().map(safe),
            version: pushed.version,
            serial: pushed.serial,
            digest: format!("sha256:{}", pushed.digest),
            index_tag: pushed.tag,
            portable: pushed.portable.map(|digest| format!("sha256:{digest}")),
            requests: pushed.traffic.requests,
            bytes_sent: pushed.traffic.sent,
        }
    }

    pub(super) fn text(&self) -> String {
        let channel = self.channel.as_ref().map(|it| format!(" ({it})"));
        let serial = self.serial.map(|it| format!(", release {it}"));
        let mut text = format!(
            "{}: pushed {}{} version {}{}\n",
            self.reference,
            self.application,
            channel.unwrap_or_default(),
            self.version,
            serial.unwrap_or_default()
        );
        let row = |first: &str, digest: &str, size: String, was_there: bool| {
            let there = if was_there { "already there" } else { "" };
            vec![
                format!("  {first}"),
                digest.to_owned(),
                size,
                there.to_owned(),
            ]
        };
        let index = match self.reference.ends_with(&format!(":{}", self.index_tag)) {
            true => "index".to_owned(),
            false => format!("index {}", self.index_tag),
        };
        let mut rows = vec![row(&index, &self.digest, String::new(), false)];
        if let Some(portable) = &self.portable {
            rows.push(row("portable", portable, String::new(), false));
        }
        for native in &self.natives {
            let sizes = format!(
                "{} -> {}",
                size(native.image_bytes),
                size(native.compressed_bytes)
            );
            let fits = format!("{} ({})", native.target, native.profile);
            rows.push(row(&fits, &native.digest, sizes, native.was_there));
            for difference in &native.differences {
                let bytes = size(difference.bytes);
                rows.push(row("  difference from", &difference.base, bytes, false));
            }
        }
        text.push_str(&table(&rows));
        let requests = usize::try_from(self.requests).unwrap_or(usize::MAX);
        text.push_str(&format!(
            "  sent {} in {}\n",
            size(self.bytes_sent),
            count(requests, "request")
        ));
        text
    }
}
