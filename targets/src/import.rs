//! How an import of a core module is written as one text, in manifests, policies and messages.
//!
//! Both names of an import can be any text (WebAssembly core specification, "Names"). A policy
//! decides by the one text, so two different imports must have different texts. `docs/format.md`,
//! "Imports", has the rule.

/// `module::name`; each pair of names has a different text.
///
/// The first `::` ends the module's name. So in that name, a colon is written `\x3a` if another
/// colon follows, or if it is the last character. A backslash is written `\x5c`.
pub fn import_text(module: &str, name: &str) -> String {
    let mut text = String::with_capacity(module.len() + 2 + name.len());
    let mut rest = module.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', _) => text.push_str(r"\x5c"),
            (':', None | Some(':')) => text.push_str(r"\x3a"),
            _ => text.push(c),
        }
    }
    text.push_str("::");
    text.push_str(name);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn usual_names_are_written_as_they_are() {
        for (module, name, text) in [
            ("env", "f", "env::f"),
            (
                "wasi_snapshot_preview1",
                "fd_write",
                "wasi_snapshot_preview1::fd_write",
            ),
            ("wasi:cli/run@0.2.0", "run", "wasi:cli/run@0.2.0::run"),
            (
                "cm32p2|wasi:io/poll@0.2",
                "poll",
                "cm32p2|wasi:io/poll@0.2::poll",
            ),
            ("", "", "::"),
            (":a", r"\", r":a::\"),
            ("a", "b::c", "a::b::c"),
            ("a::b", "c", r"a\x3a:b::c"),
            ("a:", "b", r"a\x3a::b"),
            ("a", ":b", "a:::b"),
            (r"a\x3a:b", "c", r"a\x5cx3a:b::c"),
        ] {
            assert_eq!(import_text(module, name), text);
        }
    }

    /// All pairs of names of up to four of these characters.
    #[test]
    fn two_imports_are_never_written_alike() {
        let mut names = vec![String::new()];
        let mut longest = names.clone();
        for _ in 0..4 {
            let longer = longest
                .iter()
                .flat_map(|name| [':', '\\', 'x'].map(|c| format!("{name}{c}")));
            longest = longer.collect();
            names.extend(longest.iter().cloned());
        }
        names.extend([r"\x3a", r"\x5c", r"\x3a:", r"\x5cx3a"].map(str::to_owned));
        let mut seen = HashMap::new();
        for module in &names {
            for name in &names {
                let text = import_text(module, name);
                assert_eq!(text.split_once("::").map(|(_, name)| name), Some(&**name));
                let before = seen.insert(text, (module, name));
                assert_eq!(before, None, "{module:?} {name:?}");
            }
        }
    }
}
