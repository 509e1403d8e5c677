//! Recognises a bill of materials that edgec wrote: the tool stands near its beginning.

use super::FileKind;

/// The kind of a text, if it is a bill of materials of edgec.
pub(super) fn kind(text: &str) -> Option<FileKind> {
    let first = text.strip_prefix('{')?.trim_start();
    let cyclonedx = first.starts_with("\"bomFormat\": \"CycloneDX\"");
    let spdx = first.starts_with("\"spdxVersion\": ");
    let is_own = cyclonedx && text.contains("\"name\": \"edgec\"")
        || spdx && text.contains("\"Tool: edgec-");
    is_own.then_some(FileKind::Sbom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_of_other_tools_are_other_files() {
        for own in [
            "{\n  \"bomFormat\": \"CycloneDX\",\n  \"name\": \"edgec\"}",
            "{\n  \"spdxVersion\": \"SPDX-2.3\", [\"Tool: edgec-0.1.0\"]",
        ] {
            assert_eq!(kind(own), Some(FileKind::Sbom));
        }
        for other in [
            "{\n  \"bomFormat\": \"CycloneDX\",\n  \"name\": \"other\"}",
            "{\n  \"spdxVersion\": \"SPDX-2.3\", [\"Tool: other-0.1.0\"]",
            "{\"name\": \"edgec\"}",
            "\"bomFormat\": \"CycloneDX\", \"name\": \"edgec\"",
        ] {
            assert_eq!(kind(other), None, "{other}");
        }
    }
}
