//! Destinations of guests: patterns of hosts and ports, and classes of addresses. Nothing here
//! looks a name up or connects.

mod address;
mod pattern;
mod range;

pub use self::address::{AddressClass, canonical, class, permit};
pub use self::pattern::{Host, InvalidHost, InvalidPattern, Pattern};
pub use self::range::{AddressRange, InvalidRange};
