//! Environment variables that processes of the compiler must not see, because they hold secrets.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

/// Variables that hold secrets, besides edgec's own.
static HIDDEN: Mutex<BTreeSet<OsString>> = Mutex::new(BTreeSet::new());

/// Hides a variable that holds a secret from every process that is started from now on. Variables
/// whose names begin with `EDGEC_` are always hidden.
pub fn hide_variable(name: impl Into<OsString>) {
    let mut hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.insert(name.into());
}

/// The variables that [`hide_variable`] hides.
pub fn hidden_variables() -> Vec<OsString> {
    let hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.iter().cloned().collect()
}
