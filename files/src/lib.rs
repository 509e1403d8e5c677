//! Files and folders that edgec relies on. Only this crate reads, judges, locks and replaces them.
//!
//! - [`read_bounded`], [`open_regular`], [`open_stream`]: bounded reads, which never wait for a
//!   pipe without a writer
//! - [`way`], [`read_guarded`]: who can change a file and everything above it
//! - [`write_aside`], [`put_all`], [`NewFolders`]: files that are complete on disk before they get
//!   their names, and new folders that are removed again if no files follow
//! - [`Unnamed`]: new files that are too long for memory
//! - [`lock_private`], [`replace_private`]: files that belong to this user alone
//! - [`wait_for_lock`], [`try_lock`]: locks
//! - [`write_sparse`]: blocks of zeros that take no disk space
//! - `Folder` (on Linux): all of this inside one open folder, in which no other user can redirect a
//!   path
//!
//! This crate does not know what the files hold.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

#[cfg(target_os = "linux")]
mod access_list;
mod aside;
mod bounded;
#[cfg(target_os = "linux")]
mod folder;
#[cfg(target_os = "linux")]
mod folder_error;
mod guarded;
mod lock;
mod new_folders;
mod open;
mod private;
mod sparse;
mod sync;
mod unnamed;
pub mod way;

pub use aside::{Aside, Durability, NewMode, PutError, put_all, write_aside};
pub use bounded::{BoundError, read_bounded, read_bounded_into};
#[cfg(target_os = "linux")]
pub use folder::{Folder, Identity, Temporary, is_temporary_name};
#[cfg(target_os = "linux")]
pub use folder_error::FolderError;
pub use guarded::{GuardError, MAX_GUARDED_LEN, read_guarded};
pub use lock::{Hold, try_lock, wait_for_lock};
pub use new_folders::{FolderKind, NewFolders};
pub use open::{OpenError, open_regular, open_stream};
pub use private::{PrivateError, lock_private, replace_private};
pub use sparse::write_sparse;
pub use sync::{folder_of, sync_above, sync_folder};
pub use unnamed::Unnamed;
pub use way::WayError;
