//! The functions of WASI preview 1, and for which of them the adapter behaves like the engine.
//!
//! Both were compared call by call on files, folders, and standard input and output, in ordinary
//! use and with the usual errors. If a program imports only functions of [`SAME`], it gets the same
//! results from both. Such a program opens no files, so its descriptors are the standard streams
//! and the folders that it got. docs/preview1.md lists the remaining differences.
//!
//! Source: WASI, `phases/snapshot/docs.md`; Wasmtime 48, `crates/wasi/src/p1.rs` and
//! `crates/wasi-preview1-component-adapter/src/lib.rs`.

/// The functions for which the adapter and the engine have the same results in ordinary use.
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

/// The functions for which the adapter traps or has different results, even if only another error.
pub(super) const DIFFERENT: [&str; 21] = [
    // On standard input and output, the adapter returns other errors.
    "fd_advise",
    "fd_allocate",
    "fd_datasync",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_sync",
    // For flags of synchronous writing, the adapter returns another error.
    "fd_fdstat_set_flags",
    // If a standard stream is used as a folder, the adapter returns another error.
    "fd_prestat_dir_name",
    // For the adapter, a closed standard stream is still a stream.
    "fd_pwrite",
    "fd_seek",
    "fd_tell",
    // The parent folder has another inode number.
    "fd_readdir",
    // After several descriptors were closed, the engine reuses the lowest number, and the adapter
    // the one that was closed last.
    "path_open",
    // The adapter reports other events if several are ready.
    "poll_oneoff",
    // The adapter traps.
    "proc_raise",
    "sock_accept",
    "sock_recv",
    "sock_send",
    // For unknown flags, the engine traps. This function is of no use without the others.
    "sock_shutdown",
];

/// Whether WASI preview 1 has a function of this name. The adapter also exports its own functions,
/// which do not belong to WASI.
pub(super) fn exists(name: &str) -> bool {
    SAME.contains(&name) || DIFFERENT.contains(&name)
}
