//! Destinations of guests: patterns of hosts and ports, and classes of addresses. Nothing here
//! looks a name up or connects.

mod address;
mod host;
mod pattern;
mod range;

pub use self::address::{AddressClass, canonical, class, permit};
pub(crate) use self::host::is_served_host;
pub use self::host::{Host, InvalidHost};
pub use self::pattern::{InvalidPattern, Pattern};
pub use self::range::{AddressRange, InvalidRange};
