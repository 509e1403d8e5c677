//! Reads the TOML files of edgec strictly: `edgec.toml`, `serve.toml` and `FLEET.toml`.
//!
//! [`Form::read`] bounds a text, checks its schema first, and reads it as a type that knows all
//! names. A [`TextError`] has the place in the text, and says what to write, in the words of users.
//! A [`Word`] is a value that a TOML type alone does not describe: it checks itself while it is
//! read, so that an error has the place of the value.
//!
//! ```
//! use edgec_configuration::{Form, Period};
//!
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct File {
//!     #[serde(rename = "schema")]
//!     _schema: u32,
//!     pause: Period<1>,
//! }
//!
//! let form = Form { schema: 1, list: "application", nearest: |_, _| None };
//! let file: File = form.read("schema = 1\npause = \"5min\"\n")?;
//! assert_eq!(file.pause.get().as_secs(), 300);
//! let error = form.read::<File>("schema = 1\npause = 5\n").unwrap_err();
//! assert_eq!(error.place().unwrap().to_string(), "2:9");
//! # Ok::<(), edgec_configuration::TextError>(())
//! ```
//!
//! Nothing here touches a file, or knows what the names of a file mean. The texts are not trusted.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod error;
mod form;
mod message;
mod period;
mod place;
mod policy;
mod positive;
mod word;

pub use self::error::TextError;
pub use self::form::{Form, MAX_LEN};
pub use self::period::Period;
pub use self::place::TextPlace;
pub use self::policy::PolicyConfig;
pub use self::positive::{Positive, Zero, positive};
pub use self::word::{Word, number_and_unit, word};
