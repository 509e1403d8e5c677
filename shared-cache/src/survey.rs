//! What a shared cache holds, for `edgec cache`. No build needs it.

use std::time::Duration;

use edgec_artifact::SignerKeys;

use crate::address::Address;
use crate::names;
use crate::pack::{MAX_PACK_LEN, Pack};
use crate::session::runtime;
use crate::store::{Store, StoreError};

/// What a namespace of a shared cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// The number of packs.
    pub packs: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

/// The outcome of a check of all packs of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurveyedPacks {
    /// Answers that are whole, in packs that count.
    pub whole: u64,
    /// Answers that are damaged, in packs whose index counts.
    pub damaged: u64,
    /// Packs that do not count: no trusted key has signed them, or they are damaged.
    pub refused: u64,
}

/// Counts the packs of a namespace. `timeout` is for each request.
///
/// # Errors
///
/// [`StoreError`]: among others, Redis and the cache of GitHub Actions cannot list what they hold.
pub fn survey(address: &Address, namespace: &str, timeout: Duration) -> Result<Survey, StoreError> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let store = Store::open(address, timeout)?;
        let listed = store.list(&names::packs(namespace)).await?;
        let lengths = listed.iter().map(|pack| pack.bytes);
        Ok(Survey {
            packs: listed.len() as u64,
            bytes: lengths.fold(0, u64::saturating_add),
        })
    })
}

/// Reads every pack of a namespace. Changes nothing.
///
/// # Errors
///
/// As [`survey`].
pub fn verify(
    address: &Address,
    namespace: &str,
    trusted: &[SignerKeys],
    timeout: Duration,
) -> Result<SurveyedPacks, StoreError> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let store = Store::open(address, timeout)?;
        let mut checked = SurveyedPacks::default();
        for listed in store.list(&names::packs(namespace)).await? {
            let bytes = match store.get(&listed.path, MAX_PACK_LEN).await {
                Ok(Some(bytes)) => bytes,
                // It was removed meanwhile.
                Ok(None) => continue,
                Err(StoreError::TooLong { .. }) => {
                    checked.refused += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match Pack::read(bytes, trusted, namespace, None) {
                Ok(pack) => {
                    let (whole, damaged) = pack.check();
                    checked.whole += whole;
                    checked.damaged += damaged;
                }
                Err(_) => checked.refused += 1,
            }
        }
        Ok(checked)
    })
}
