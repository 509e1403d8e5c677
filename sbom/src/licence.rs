//! Tells a licence expression from other texts about a licence.

/// Whether a text is an expression of known licences (SPDX 2.3, annex D). CycloneDX and SPDX want
/// other texts in other fields.
pub(crate) fn is_expression(text: &str) -> bool {
    text.len() <= 1_000 && spdx::Expression::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_expression;

    #[test]
    fn expressions_are_told_from_texts() {
        for text in ["MIT", "Apache-2.0 OR MIT", "Apache-2.0 WITH LLVM-exception"] {
            assert!(is_expression(text), "{text}");
        }
        for text in [
            "",
            "my own",
            "MIT/Apache-2.0",
            "Apache 2",
            &"MIT OR ".repeat(200),
        ] {
            assert!(!is_expression(text), "{text}");
        }
    }
}
