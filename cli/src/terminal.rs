//! Who reads the messages: a person at a terminal, or a log.

/// Whether the environment asks for text without control characters: `TERM=dumb`, or a CI system.
pub(crate) fn is_plain() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    dumb || in_ci()
}

/// Whether this runs in a CI system, according to the variable `CI`.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
