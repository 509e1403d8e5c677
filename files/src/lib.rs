//! Files and folders that are to be relied on: the one place that knows how they are read, judged,
//! locked and replaced.
//!
//! - [`read_bounded`], [`open_regular`], [`open_stream`]: reads with a bound, which never wait for
//!   the writer of a pipe that has none
//! - [`way`], [`read_guarded`]: who can change a file and everything above it
//! - [`write_aside`], [`put_all`], [`NewFolders`]: files that are whole on the disk before they
//!   have their names, and folders that are removed again if the files do not come
//! - [`lock_private`], [`replace_private`]: files of this user alone
//! - [`wait_for_lock`], [`try_lock`]: locks
//! - [`write_sparse`]: blocks of zeros that take no room
//! - `Folder` (on Linux): all of this in one open folder, in which no other user can redirect a
//!   path
//!
//! Nothing here knows what the files hold.

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
pub mod way;

pub use aside::{Aside, NewMode, PutError, put_all, write_aside};
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
pub use way::WayError;
