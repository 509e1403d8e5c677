//! Limits what an instance takes: the bytes of its memories and of what the host keeps for it, the
//! elements of its tables. The bytes also count for all instances together.

use std::sync::Arc;

use edgec_loader::wasmtime::{Error, ResourceLimiter, Result};

use crate::Limit;
use crate::LimitHit;
use crate::config::{Limits, count};
use crate::hit::Hit;
use crate::memory::OwnMemory;

/// What an instance has taken, and what it may take. The sums are over all its memories and tables:
/// a limit of each alone would grow with the number of memories.
pub(crate) struct Limiter {
    memory: Share,
    own: OwnMemory,
    elements: Share,
    kept: Kept,
    hit: Arc<Hit>,
}

/// What the host keeps for the instance, in bytes.
#[derive(Default)]
struct Kept {
    /// No more than this.
    bound: usize,
    /// The part of it that nobody can measure.
    hidden: usize,
    /// Memory is taken for so much.
    paid: usize,
}

/// The host takes so much more memory than it keeps, in bytes, so that it seldom measures.
const AHEAD: usize = 64 << 10;

/// What was taken of one kind, and the most.
#[derive(Clone, Copy)]
struct Share {
    taken: usize,
    most: usize,
}

impl Share {
    /// What is taken with `desired` in place of `current`. `None` if that is too much.
    fn grown(self, current: usize, desired: usize) -> Option<usize> {
        let sum = self.taken.checked_add(desired.saturating_sub(current))?;
        (sum <= self.most).then_some(sum)
    }
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, own: OwnMemory, hit: &Arc<Hit>) -> Self {
        let share = |most| Share { taken: 0, most };
        Self {
            memory: share(limits.memory.as_usize()),
            own,
            elements: share(count(limits.table_elements)),
            kept: Kept::default(),
            hit: Arc::clone(hit),
        }
    }

    /// The host is about to keep so much more for the program, in bytes. `hidden` is what it keeps
    /// and cannot measure. `measure` says what it keeps before that, without what is hidden.
    pub(crate) fn keep(
        &mut self,
        more: usize,
        hidden: usize,
        measure: impl FnOnce() -> usize,
    ) -> Result<()> {
        let kept = &mut self.kept;
        kept.hidden = kept.hidden.saturating_add(hidden);
        kept.bound = kept.bound.saturating_add(more).saturating_add(hidden);
        if kept.bound <= kept.paid {
            return Ok(());
        }
        kept.bound = measure().saturating_add(more).saturating_add(kept.hidden);
        let paid = kept.bound.saturating_add(AHEAD.max(kept.bound / 8));
        let before = std::mem::replace(&mut kept.paid, paid);
        let Some(sum) = self.memory.grown(before, paid) else {
            return self.end(Limit::Memory).map(drop);
        };
        if let Err(limit) = self.own.take(paid.saturating_sub(before)) {
            return self.end(limit).map(drop);
        }
        let back = before.saturating_sub(paid);
        self.own.give_back(back);
        self.memory.taken = sum.saturating_sub(back);
        Ok(())
    }

    /// Ends the program. It could go on with a failed `memory.grow`, but few programs do, and a
    /// request that hits a limit ends.
    fn end(&self, limit: Limit) -> Result<bool> {
        self.hit.set(limit);
        Err(Error::new(LimitHit(limit)))
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let Some(sum) = self.memory.grown(current, desired) else {
            return self.end(Limit::Memory);
        };
        // Beyond its own maximum, the program's growth fails as the specification says.
        let grows = maximum.is_none_or(|maximum| desired <= maximum);
        if grows {
            // An instance that starts comes here too, with `current` of 0.
            if let Err(limit) = self.own.take(desired.saturating_sub(current)) {
                return self.end(limit);
            }
            self.memory.taken = sum;
        }
        Ok(grows)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let Some(sum) = self.elements.grown(current, desired) else {
            return self.end(Limit::TableElements);
        };
        let grows = maximum.is_none_or(|maximum| desired <= maximum);
        if grows {
            self.elements.taken = sum;
        }
        Ok(grows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::SharedMemory;

    fn limiter(limits: &Limits, host: &Arc<SharedMemory>, hit: &Arc<Hit>) -> Limiter {
        let application = SharedMemory::new(u64::MAX, Limit::ApplicationMemoryTotal);
        Limiter::new(limits, OwnMemory::new(&application, host), hit)
    }

    fn much() -> Arc<SharedMemory> {
        SharedMemory::new(u64::MAX, Limit::MemoryTotal)
    }

    #[test]
    fn all_instances_share_the_memory_of_the_host() {
        let (limits, host) = (
            Limits::default(),
            SharedMemory::new(100, Limit::MemoryTotal),
        );
        let (first, second): (Arc<Hit>, Arc<Hit>) = Default::default();
        let mut one = limiter(&limits, &host, &first);
        let mut two = limiter(&limits, &host, &second);
        assert!(one.memory_growing(0, 60, None).unwrap());
        // A growth that the program's own maximum forbids takes nothing.
        assert!(!one.memory_growing(60, 200, Some(70)).unwrap());
        assert!(two.memory_growing(0, 41, None).is_err());
        assert_eq!(
            (first.get(), second.get()),
            (None, Some(Limit::MemoryTotal))
        );
        drop(one);
        assert!(two.memory_growing(0, 100, None).unwrap());
        drop(two);
        assert_eq!(host.taken(), 0);
    }

    #[test]
    fn memories_share_one_limit() {
        let hit: Arc<Hit> = Arc::default();
        let limits = Limits {
            memory: crate::config::ByteSize::bytes(100),
            ..Limits::default()
        };
        let mut limiter = limiter(&limits, &much(), &hit);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 30, Some(1000)).unwrap());
        assert!(limiter.memory_growing(30, 40, None).unwrap());
        assert_eq!(hit.get(), None);
        assert!(limiter.memory_growing(60, 61, None).is_err());
        assert_eq!(hit.get(), Some(Limit::Memory));
    }

    #[test]
    fn what_the_host_keeps_counts_like_memory() {
        let hit: Arc<Hit> = Arc::default();
        let limits = Limits {
            memory: crate::config::ByteSize::bytes(1 << 20),
            ..Limits::default()
        };
        let host = much();
        let mut limiter = limiter(&limits, &host, &hit);
        assert!(limiter.memory_growing(0, 512 << 10, None).unwrap());
        limiter.keep(1, 0, || 0).unwrap();
        let first = host.taken();
        assert_eq!(first, (512 << 10) + 1 + (64 << 10));
        // Nothing is measured until that is reached.
        limiter.keep(64 << 10, 0, || panic!("measured")).unwrap();
        limiter.keep(300 << 10, 0, || 100).unwrap();
        assert!(host.taken() > first);
        // A stream whose parts are sent takes no more, however long it is.
        for _ in 0..1000 {
            limiter.keep(64 << 10, 0, || 0).unwrap();
        }
        assert!(host.taken() < 900 << 10, "{}", host.taken());
        assert_eq!(hit.get(), None);
        assert!(limiter.keep(600 << 10, 0, || 0).is_err());
        assert_eq!(hit.get(), Some(Limit::Memory));
        drop(limiter);
        assert_eq!(host.taken(), 0);
    }

    #[test]
    fn what_cannot_be_measured_counts_to_the_end() {
        let hit: Arc<Hit> = Arc::default();
        let host = SharedMemory::new(1 << 20, Limit::MemoryTotal);
        let mut limiter = limiter(&Limits::default(), &host, &hit);
        let ended = (0..20).find(|_| limiter.keep(0, 64 << 10, || 0).is_err());
        assert!(ended.is_some());
        assert_eq!(hit.get(), Some(Limit::MemoryTotal));
    }

    #[test]
    fn a_program_s_own_maximum_is_no_limit_of_the_host() {
        let hit: Arc<Hit> = Arc::default();
        let mut limiter = limiter(&Limits::default(), &much(), &hit);
        assert!(!limiter.table_growing(0, 11, Some(10)).unwrap());
        assert_eq!(hit.get(), None);
    }
}
