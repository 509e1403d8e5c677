//! The functions of WASI preview 1, and on which of them the adapter behaves as the engine does.
//!
//! Both were compared call by call on files, folders, and standard input and output, in ordinary
//! use and in its usual errors. A function is in [`SAME`] if a program that only imports others of
//! [`SAME`] gets the same from both. Such a program opens no files, so that its descriptors are the
//! standard streams and the folders that it was given. docs/preview1.md lists what still differs.
//!
//! Source: WASI, `phases/snapshot/docs.md`; Wasmtime 48, `crates/wasi/src/p1.rs` and
//! `crates/wasi-preview1-component-adapter/src/lib.rs`.

/// The functions that the adapter and the engine answer alike in ordinary use.
pub(super) const SAME: [&str; 25] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_filestat_get",
    "fd_prestat_get",
    "fd_read",
    "fd_renumber",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// The functions on which the adapter traps, or where it gives other results, be it only another
/// error.
pub(super) const DIFFERENT: [&str; 21] = [
    // On standard input and output, the adapter gives other errors.
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_sync",
    // For flags of synchronous writing, the adapter gives another error.
    "fd_fdstat_set_flags",
    // The adapter says that a standard stream is not a folder in another way.
    "fd_prestat_dir_name",
    // A standard stream that was closed is still a stream to the adapter.
    "fd_pwrite",
    "fd_seek",
    "fd_tell",
    // The folder above has another inode number.
    "fd_readdir",
    // After several descriptors were closed, the engine uses the lowest number again, and the
    // adapter the one that was closed last.
    "path_open",
    // The adapter reports other events of those that are ready.
    "poll_oneoff",
    // The adapter traps.
    "proc_raise",
    "sock_accept",
    "sock_recv",
    "sock_send",
    // For flags that do not exist, the engine traps. It is of no use without the others.
    "sock_shutdown",
];

/// Whether WASI preview 1 has a function of this name. The adapter also exports functions of its
/// own, and those are not of WASI.
pub(super) fn exists(name: &str) -> bool {
    SAME.contains(&name) || DIFFERENT.contains(&name)
}
