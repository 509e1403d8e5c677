//! The interfaces of WASI, to find slips in a policy's patterns. A policy may name others: hosts
//! have interfaces of their own.

use edgec_targets::nearest_alike;

use crate::pattern::Pattern;

/// Interfaces of WASI 0.2 and 0.3 (<https://github.com/WebAssembly/WASI>), without versions.
const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/run",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/timezone",
    "wasi:clocks/types",
    "wasi:clocks/wall-clock",
    "wasi:config/store",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/handler",
    "wasi:http/incoming-handler",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:keyvalue/atomics",
    "wasi:keyvalue/batch",
    "wasi:keyvalue/store",
    "wasi:logging/logging",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/types",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// A pattern that looks like one of WASI, and that no known interface matches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The name or pattern that was probably meant.
    pub(crate) nearest: Option<String>,
}

/// Whether a pattern looks like one of WASI, and no known interface of WASI matches it.
pub(crate) fn unknown(pattern: &Pattern) -> Option<Unknown> {
    let text = pattern.as_str();
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let (namespace, _) = name.split_once(':')?;
    if INTERFACES.iter().any(|known| is_known(name, known)) {
        return None;
    }
    let nearest = match name.strip_suffix('*') {
        None => nearest_alike(name, INTERFACES.iter().copied()).map(str::to_owned),
        Some(stem) => {
            let package = |it: &'static str| it.find('/').and_then(|at| it.get(..=at));
            let packages = INTERFACES.iter().filter_map(|it| package(it));
            nearest_alike(stem, packages).map(|it| format!("{it}*"))
        }
    };
    // Others may have a namespace that is nearly the same. Their interfaces differ.
    let is_slip = nearest.is_some() && nearest_alike(namespace, ["wasi"]).is_some();
    (namespace == "wasi" || is_slip).then(|| Unknown {
        nearest: nearest.map(|nearest| match version {
            "" => nearest,
            version => format!("{nearest}@{version}"),
        }),
    })
}

/// Whether the part of a pattern before `@` can be this interface's. A star in it may also take a
/// part of the version.
fn is_known(name: &str, known: &str) -> bool {
    let versioned = format!("{known}@0.2.0");
    edgec_targets::pattern_matches(name, known) || edgec_targets::pattern_matches(name, &versioned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_names_left_alone() {
        let find = |text: &str| {
            let pattern: Pattern = serde_json::from_value(text.into()).unwrap();
            unknown(&pattern)
        };
        for (text, meant) in [
            ("wasi:clocsk/*", Some("wasi:clocks/*")),
            ("wasi:io/stream", Some("wasi:io/streams")),
            ("wasi:filesytem/types@*", Some("wasi:filesystem/types@*")),
            ("wasi:io/pol@0.2.12", Some("wasi:io/poll@0.2.12")),
            ("wassi:io/poll", Some("wasi:io/poll")),
            ("wasi:something-else/entirely", None),
        ] {
            let nearest = meant.map(str::to_owned);
            assert_eq!(find(text), Some(Unknown { nearest }), "{text}");
        }
        for text in [
            "*",
            "wasi:*",
            "wasi:cli/*",
            "wasi:io/streams@0.2.*",
            "wasi:*@0.2.*",
            "wasi_snapshot_preview1::fd_write",
            "acme:shop/cart",
            "env::memory",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
