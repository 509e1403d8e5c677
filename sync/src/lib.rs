//! Keeps a host's store current with references in registries: in waves, behind gates, and back.
//!
//! `edgec sync` and `[sync]` of `edgec serve` are made of this crate. A host looks at references,
//! verifies the release under each, waits for its turn in the fleet, admits the release to its
//! store, lets a gate judge it, and goes back if the gate refuses it. Hosts do not talk to a
//! center. What a host may do follows from signed statements, its own clock and its own name;
//! what others say can only hold it back.
//!
//! | for | see |
//! |---|---|
//! | the configuration | [`config::FleetConfig`] |
//! | what a host does next | [`state::Known`], [`machine`] |
//! | its position and its wave | [`position`] |
//! | the gate | [`gate`] |
//! | the work itself | [`Sync`] |
//! | what it says about itself | [`status`] |

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod backoff;
pub mod config;
mod follower;
pub mod gate;
mod http;
pub mod machine;
pub mod position;
#[doc(hidden)]
pub mod readers;
mod report;
mod runner;
mod shelf;
mod sightings;
mod silent;
mod source;
pub mod state;
pub mod status;
mod stop;
mod watch;

pub use self::config::{ConfigError, FleetConfig};
pub use self::follower::Policies;
pub use self::http::HttpError;
pub use self::report::{Level, Report, Unreported};
pub use self::runner::{Parts, Round, Sync, SyncError, check_gates};
pub use self::shelf::Shelf;
pub use self::source::{Fault, Given, Offered, RegistrySource, Source, Taken, Trouble, Wanted};
pub use self::stop::Stop;
pub use self::watch::Sighting;
