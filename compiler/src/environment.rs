//! Variables of the environment that processes of the compiler must not see, since they hold secrets.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

/// Variables that hold secrets, besides those of edgec's own.
static HIDDEN: Mutex<BTreeSet<OsString>> = Mutex::new(BTreeSet::new());

/// Keeps a variable from every process that is started from now on: it holds a secret. Variables
/// whose names begin with `EDGEC_` are always kept from them.
pub fn hide_variable(name: impl Into<OsString>) {
    let mut hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.insert(name.into());
}

/// What [`hide_variable`] was told.
pub fn hidden_variables() -> Vec<OsString> {
    let hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    hidden.iter().cloned().collect()
}
