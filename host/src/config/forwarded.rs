//! Who says to programs who the client is.

use serde::Deserialize;

/// What happens to the fields `Forwarded`, `X-Forwarded-*` and `X-Real-IP` of a request
/// (RFC 7239).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Forwarded {
    /// Those of the client are removed, and the host sets its own. For a host that clients reach
    /// themselves.
    #[default]
    Replace,
    /// The host adds the address of its peer. For a host behind a proxy that sets them.
    Append,
    /// They stay as they are.
    Keep,
}
