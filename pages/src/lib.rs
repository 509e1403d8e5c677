//! HTML pages that stand alone: one file, which fetches nothing.
//!
//! A page shows names from programs that may be hostile. Two things keep such a name from becoming
//! markup or script. Every text goes through [`Text`], which escapes it. And a Content Security
//! Policy in the page names the digests of its one style and its one script, so a browser runs
//! nothing else and fetches nothing.
//!
//! [`Page`] puts a page together, [`table()`] begins a table, and [`report`] is the page that
//! `edgec report` writes. The style is the same for all pages, in light and in dark.

mod escape;
mod number;
mod page;
pub mod report;
mod table;

pub use escape::{Text, is_hidden};
pub use number::size;
pub use page::{Page, TREEMAP};
pub use table::{end_table, table};
