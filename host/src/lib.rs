//! A host of `wasi:http` programs: what `edgec serve` is made of.
//!
//! A host takes verified artifacts from a store, gives each request an instance of its own, holds
//! every program and every client to limits, and replaces programs while requests run. Everything
//! that it loads went through the verifier of `edgec-loader`; there is no other way in.
//!
//! ```no_run
//! use edgec_host::{ConfigFile, Host, run_until_signal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = ConfigFile::new("serve.toml");
//! let host = Host::open(file.read()?, None)?;
//! // Changes of the file take effect while it runs.
//! host.follow(file);
//! run_until_signal(host, |address| println!("{address}"))?;
//! # Ok(())
//! # }
//! ```
//!
//! The parts, in the order of a request: `listener` and `connection` (bytes of a client),
//! [`routing`] (its application), `queue` (the door), `run` (an instance), `guest` (what the
//! program sees), `body` (bytes to and from it). [`config`] has the settings, and [`Limit`] names
//! the limits.

#![forbid(unsafe_code)]

mod admin;
mod answer_head;
pub mod application;
mod body;
mod client;
pub mod config;
mod connection;
mod deploy;
pub mod destination;
mod door;
mod error;
mod failed;
mod fate;
mod finished;
pub mod guest;
mod head;
mod hit;
mod host;
pub mod interfaces;
pub mod keyvalue;
mod limits;
mod linker;
mod listener;
mod lower;
mod memory;
mod meter;
mod needs;
mod open_files;
pub mod outbound;
mod outcome;
mod peers;
mod pools;
mod queue;
mod reload;
mod resident;
mod respond;
pub mod routing;
mod run;
mod serve;
mod services;
pub mod telemetry;
mod teller;
mod turn;
mod wake;

pub use self::application::Application;
pub use self::config::{ConfigError, ConfigFile, ConfigFileError, ServeConfig};
pub use self::deploy::{Policy, application_in};
pub use self::error::HostError;
pub use self::guest::GuestState;
pub use self::host::Host;
pub use self::limits::{Limit, LimitHit};
pub use self::outcome::Outcome;
pub use self::run::Program;
pub use self::serve::{Stop, run_until_signal, serve};
pub use self::telemetry::Telemetry;
