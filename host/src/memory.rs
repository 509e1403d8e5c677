//! The memory of all instances together, with what the host keeps for them. The limit of each
//! instance alone would let many of them take more than the machine has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Limit;

/// Memory that instances share: that of a host, or of one application.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    taken: AtomicU64,
    most: u64,
    /// The limit that is hit if it does not suffice.
    limit: Limit,
}

impl SharedMemory {
    /// So many bytes.
    pub(crate) fn new(most: u64, limit: Limit) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicU64::new(0),
            most,
            limit,
        })
    }

    fn take(&self, bytes: u64) -> Result<(), Limit> {
        let order = Ordering::Relaxed;
        let more = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= self.most);
        let took = self.taken.fetch_update(order, order, more);
        took.map(|_| ()).map_err(|_| self.limit)
    }

    fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The bytes that instances have now.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// What one instance has of its application's memory and of the host's. It gives all of it back
/// when it is dropped, with the instance.
#[derive(Debug)]
pub(crate) struct OwnMemory {
    application: Arc<SharedMemory>,
    host: Arc<SharedMemory>,
    taken: u64,
}

impl OwnMemory {
    /// Nothing yet.
    pub(crate) fn new(application: &Arc<SharedMemory>, host: &Arc<SharedMemory>) -> Self {
        Self {
            application: Arc::clone(application),
            host: Arc::clone(host),
            taken: 0,
        }
    }

    /// Takes more of both, or nothing: then it returns the limit that is hit.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Limit> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.application.take(bytes)?;
        self.host
            .take(bytes)
            .inspect_err(|_| self.application.give_back(bytes))?;
        // Both sums have it, so it does not overflow.
        self.taken = self.taken.saturating_add(bytes);
        Ok(())
    }

    /// Gives a part back.
    pub(crate) fn give_back(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).min(self.taken);
        self.taken -= bytes;
        self.application.give_back(bytes);
        self.host.give_back(bytes);
    }
}

impl Drop for OwnMemory {
    fn drop(&mut self) {
        self.application.give_back(self.taken);
        self.host.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_share_the_memory_of_their_application_and_of_the_host() {
        let host = SharedMemory::new(100, Limit::MemoryTotal);
        let of_application = || SharedMemory::new(60, Limit::ApplicationMemoryTotal);
        let (one, two) = (of_application(), of_application());
        let mut first = OwnMemory::new(&one, &host);
        let mut second = OwnMemory::new(&one, &host);
        let mut third = OwnMemory::new(&two, &host);
        first.take(40).unwrap();
        assert_eq!(second.take(21), Err(Limit::ApplicationMemoryTotal));
        second.take(20).unwrap();
        assert_eq!(third.take(41), Err(Limit::MemoryTotal));
        // What fails takes nothing.
        assert_eq!((one.taken(), two.taken(), host.taken()), (60, 0, 60));
        third.take(40).unwrap();
        drop(first);
        assert_eq!((one.taken(), two.taken(), host.taken()), (20, 40, 60));
        assert_eq!(third.take(usize::MAX), Err(Limit::ApplicationMemoryTotal));
        second.give_back(5);
        assert_eq!((one.taken(), host.taken()), (15, 55));
        // It gives back no more than it has.
        second.give_back(usize::MAX);
        assert_eq!((one.taken(), host.taken()), (0, 40));
        drop((second, third));
        assert_eq!((one.taken(), two.taken(), host.taken()), (0, 0, 0));
    }
}
