//! Orders of an operator to try a release again that a gate has refused. The process that keeps the
//! store current holds the lock of the state, so another process leaves a file beside the state.
//! The order names the release, so it cannot be obeyed twice, nor for another release.

use std::path::Path;

use edgec_artifact::Sha256Digest;
use edgec_files::{Folder, is_temporary_name};
use serde::{Deserialize, Serialize};

use super::folder::{MAX_LEN, StateError, StateFolder, file_name, read_known};
use super::{Bad, ReleaseId};

/// The folder of the orders.
const ORDERS: &str = "orders";

/// An order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    schema: u32,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    channel: Option<String>,
    /// The digest of the release that is tried again.
    retry: Sha256Digest,
}

/// Why no release can be tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The state cannot be read, or the order cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// No release of the application was bad.
    #[error("no release of it is bad")]
    NotBad,
    /// The bad release has another version.
    #[error("its bad release is {} (version {}), not version {meant}", found.serial, found.version)]
    OtherVersion {
        /// The version that was meant.
        meant: u64,
        /// The release that was bad.
        found: ReleaseId,
    },
    /// The registry has a newer release by now, which this host tries anyway.
    #[error("release {bad} was bad, and release {newest} has taken its place")]
    Replaced {
        /// The serial of the release that was bad.
        bad: u64,
        /// The serial of the newest one.
        newest: u64,
    },
}

impl OrderError {
    /// A short name for the error that does not change between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::State(error) => error.code(),
            Self::NotBad | Self::OtherVersion { .. } | Self::Replaced { .. } => "sync-not-bad",
        }
    }
}

/// Leaves an order to try the newest release of an application again, which its gate has refused.
/// `state` is the folder of the state. If `version` is given, the release must have that version.
/// A process that keeps the store current obeys at its next step. If none runs, the next one obeys.
/// Returns the verdict that it will take back.
///
/// # Errors
///
/// [`OrderError`]. Then there is no new order.
pub fn order_retry(
    state: &Path,
    name: &str,
    channel: Option<&str>,
    version: Option<u64>,
) -> Result<Bad, OrderError> {
    let folder = match Folder::root(state) {
        Err(error) if error.is_absence() => return Err(OrderError::NotBad),
        folder => folder.map_err(StateError::from)?,
    };
    let known = read_known(&folder, name, channel)?;
    let (bad, newest) = match (known.bad, known.newest) {
        (Some(bad), Some(newest)) => (bad, newest.release),
        _ => return Err(OrderError::NotBad),
    };
    let found = bad.release;
    if let Some(meant) = version.filter(|meant| *meant != found.version) {
        return Err(OrderError::OtherVersion { meant, found });
    }
    if found.digest != newest.digest {
        let (bad, newest) = (found.serial, newest.serial);
        return Err(OrderError::Replaced { bad, newest });
    }
    let order = Order {
        schema: 1,
        name: name.to_owned(),
        channel: channel.map(str::to_owned),
        retry: found.digest,
    };
    let file = file_name(name, channel);
    let bytes = serde_json::to_vec(&order).map_err(|error| damaged(&folder, &file, error))?;
    let orders = folder.folder_or_new(ORDERS).map_err(StateError::from)?;
    let written = orders.replace(&orders, &file, &bytes);
    written.map_err(StateError::from)?;
    Ok(bad)
}

impl StateFolder {
    /// The digest of the release of an application that an operator wants to be tried again.
    ///
    /// # Errors
    ///
    /// [`StateError`], also if the order is damaged.
    pub fn order(
        &self,
        name: &str,
        channel: Option<&str>,
    ) -> Result<Option<Sha256Digest>, StateError> {
        let file = file_name(name, channel);
        let orders = match self.folder().folder(ORDERS) {
            Err(error) if error.is_absence() => return Ok(None),
            orders => orders?,
        };
        let bytes = match orders.read(&file, MAX_LEN) {
            Err(error) if error.is_absence() => return Ok(None),
            bytes => bytes?,
        };
        let order = serde_json::from_slice::<Order>(&bytes);
        let order = order.map_err(|error| damaged(&orders, &file, error))?;
        let is_own = order.name == name && order.channel.as_deref() == channel;
        match order.schema == 1 && is_own {
            true => Ok(Some(order.retry)),
            false => Err(damaged(
                &orders,
                &file,
                "it is not an order for this application",
            )),
        }
    }

    /// Removes an order that was obeyed.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn obeyed(&self, name: &str, channel: Option<&str>) -> Result<(), StateError> {
        let orders = self.folder().folder(ORDERS)?;
        orders.remove(&file_name(name, channel))?;
        Ok(())
    }

    /// Removes orders that were never finished.
    pub(super) fn clear_orders(&self) -> Result<(), StateError> {
        let orders = match self.folder().folder(ORDERS) {
            Err(error) if error.is_absence() => return Ok(()),
            orders => orders?,
        };
        for name in orders.names()? {
            if is_temporary_name(&name) {
                orders.clear(&name)?;
            }
        }
        Ok(())
    }
}

fn damaged(folder: &Folder, file: &str, what: impl ToString) -> StateError {
    StateError::Damaged {
        name: folder.name(file),
        what: what.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{End, Known, Newest};
    use edgec_artifact::UnixTime;

    fn release(serial: u64) -> ReleaseId {
        ReleaseId::new(serial + 10, serial, Sha256Digest::of(&serial.to_le_bytes()))
    }

    fn known(bad: Option<u64>, newest: u64) -> Known {
        let now = UnixTime::from_seconds(9);
        Known {
            newest: Some(Newest {
                release: release(newest),
                first_seen: now,
                issued: None,
            }),
            bad: bad.map(|serial| Bad {
                release: release(serial),
                at: now,
                reason: "exit code 1".to_owned(),
                end: End::WentBack(1),
            }),
            ..Known::default()
        }
    }

    #[test]
    fn an_order_reaches_the_process_that_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync");
        let order = |version| order_retry(&path, "shop", Some("stable"), version);
        assert!(matches!(order(None), Err(OrderError::NotBad)));
        let state = StateFolder::open(&path).unwrap();
        let says = |state: &StateFolder| state.order("shop", Some("stable")).unwrap();
        let write = |known: &Known| state.write("shop", Some("stable"), known).unwrap();
        for nothing in [Known::default(), known(None, 3)] {
            write(&nothing);
            let error = order(None).unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.code()),
                ("no release of it is bad", "sync-not-bad")
            );
        }
        write(&known(Some(2), 3));
        let error = order(None).unwrap_err();
        assert!(matches!(error, OrderError::Replaced { bad: 2, newest: 3 }));
        assert_eq!(error.code(), "sync-not-bad");
        write(&known(Some(3), 3));
        let error = order(Some(12)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its bad release is 3 (version 13), not version 12"
        );
        assert_eq!(error.code(), "sync-not-bad");
        assert_eq!(says(&state), None);
        assert_eq!(order(Some(13)).unwrap().release, release(3));
        assert_eq!(order(None).unwrap().reason, "exit code 1");
        assert_eq!(says(&state), Some(release(3).digest));
        assert_eq!(state.order("shop", None).unwrap(), None);
        // It outlives the process, and what a killed operator left behind does not.
        let left = path.join(ORDERS).join("1.2.3");
        std::fs::write(&left, "half").unwrap();
        let strange = path.join(ORDERS).join("1.2.4");
        std::fs::create_dir(&strange).unwrap();
        drop(state);
        let state = StateFolder::open(&path).unwrap();
        assert!(!left.exists() && !strange.exists());
        assert_eq!(says(&state), Some(release(3).digest));
        state.obeyed("shop", Some("stable")).unwrap();
        state.obeyed("shop", Some("stable")).unwrap();
        assert_eq!(says(&state), None);
    }

    #[test]
    fn a_damaged_order_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        let orders = state.folder().folder_or_new(ORDERS).unwrap();
        let digest = release(1).digest;
        for text in [
            "{".to_owned(),
            format!(r#"{{"schema":2,"name":"shop","retry":"{digest}"}}"#),
            format!(r#"{{"schema":1,"name":"blog","retry":"{digest}"}}"#),
        ] {
            let file = file_name("shop", None);
            orders.replace(&orders, &file, text.as_bytes()).unwrap();
            let error = state.order("shop", None).unwrap_err();
            assert_eq!(error.code(), "sync-state");
            assert!(error.to_string().contains(&file), "{error}");
        }
        // The state itself is damaged.
        std::fs::remove_file(folder.path().join("lock")).unwrap();
        state.write("shop", None, &known(Some(3), 3)).unwrap();
        let file = folder.path().join(file_name("shop", None));
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let error = order_retry(folder.path(), "shop", None, None).unwrap_err();
        assert!(matches!(error, OrderError::State(_)), "{error}");
        assert_eq!(error.code(), "sync-state");
    }
}
