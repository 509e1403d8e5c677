//! Keeps resident what the instances of a large program write.
//!
//! After a request, Wasmtime copies the original bytes over the pages that the program wrote, so
//! that the next request finds them in memory. It does so for at most 32 ranges of pages, and gives
//! everything behind them back to the kernel (`MAX_REGIONS` in its `sys/unix/pagemap.rs`). A
//! program with an interpreter writes to a hundred ranges and more. So each of its requests takes
//! hundreds of page faults, and most of them interrupt the other processors, because they replace a
//! page that was read before.
//!
//! Here the kernel says which pages were written. The smallest gaps between them are made resident
//! too, until few ranges are left. Then the engine resets all of them, and the next request takes
//! no page fault.

mod ranges;
mod slots;

use std::collections::{HashMap, HashSet};
use std::io;

use rustix::mm::{Advice, madvise};
use wasmtime::component::Component;

use self::ranges::Ranges;
use self::slots::{FileId, Mappings, Memory, PageMap, Slot};

/// The ranges of a slot, at most. The engine resets 32. The rest is for what a single request
/// writes elsewhere.
const RANGES: usize = 28;

/// Makes resident what the instances of large programs write, in all slots of a pool.
///
/// It needs an engine whose pool keeps memory resident
/// ([`PoolPlan::keeping_resident`](crate::PoolPlan::keeping_resident)), and Linux 6.7 or later,
/// where the kernel tells the engine which pages were written. It measures while requests run: call
/// [`Self::settle`] often at first, and rarely as soon as nothing changes.
#[derive(Debug)]
pub struct ResidentPages {
    pages: PageMap,
    /// Bytes in one slot.
    most_in_slot: u64,
    /// Bytes in all slots.
    most: u64,
    known: HashMap<Memory, Known>,
}

/// What is known of a program's memory.
#[derive(Debug, Default)]
struct Known {
    /// What its instances wrote so far, with the gaps that were made resident.
    written: Ranges,
    /// Whether its instances write to more ranges than the engine resets. With the gaps between
    /// them, these ranges are few, so this must be remembered.
    has_many: bool,
}

/// What [`ResidentPages::settle`] found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// Slots that hold an instance of one of the programs, or held one.
    pub slots: usize,
    /// Bytes that are resident in them because they were written.
    pub resident: u64,
    /// Bytes that were made resident now.
    pub added: u64,
    /// Whether instances wrote to pages that no instance had written to before.
    pub changed: bool,
}

impl ResidentPages {
    /// At most `most_in_slot` bytes in one slot, and at most `most` bytes in all slots. What the
    /// engine keeps by itself counts as well.
    ///
    /// # Errors
    ///
    /// The kernel's error if it does not say which pages of this process were written.
    pub fn new(most_in_slot: u64, most: u64) -> io::Result<Self> {
        Ok(Self {
            pages: PageMap::open()?,
            most_in_slot,
            most,
            known: HashMap::new(),
        })
    }

    /// Looks at the slots of these programs, and makes resident what is missing. It costs some 50
    /// µs for each slot, and the contents of no memory change.
    ///
    /// # Errors
    ///
    /// The kernel's error if it does not say which pages were written.
    pub fn settle<'a>(
        &mut self,
        programs: impl IntoIterator<Item = &'a Component>,
    ) -> io::Result<Settled> {
        let mappings = Mappings::read()?;
        let programs = programs.into_iter();
        let files: HashSet<&FileId> = programs.filter_map(|it| mappings.file_of(it)).collect();
        // A later version has a file of its own.
        self.known.retain(|memory, _| files.contains(&memory.file));
        let mut written = Vec::new();
        let mut settled = Settled::default();
        for slot in mappings.slots(|file| files.contains(file)) {
            let pages = self.pages.written(&slot)?;
            settled.slots += 1;
            settled.resident += self.bytes(pages.pages());
            let known = self.known.entry(slot.memory.clone()).or_default();
            settled.changed |= known.written.add(&pages);
            known.has_many |= known.written.count() > RANGES;
            written.push((slot, pages));
        }
        let plans = self.plans();
        for (slot, pages) in &written {
            if let Some(plan) = plans.get(&slot.memory) {
                let room = self.most.saturating_sub(settled.resident);
                let added = self.populate(slot, plan, pages, room);
                settled.resident += added;
                settled.added += added;
            }
        }
        Ok(settled)
    }

    /// The pages that should be resident, for each program that writes to more ranges than the
    /// engine resets.
    fn plans(&self) -> HashMap<Memory, Ranges> {
        let most = usize::try_from(self.most_in_slot).unwrap_or(usize::MAX) / self.pages.page();
        let many = self.known.iter().filter(|(_, it)| it.has_many);
        many.map(|(memory, it)| (memory.clone(), it.written.filled(RANGES, most)))
            .collect()
    }

    /// Makes the pages of a plan resident, unless that takes more than `room` bytes. Returns how
    /// many bytes it took.
    fn populate(&self, slot: &Slot, plan: &Ranges, written: &Ranges, room: u64) -> u64 {
        let missing = plan.pages().saturating_sub(plan.common(written));
        let bytes = self.bytes(missing);
        if missing == 0 || bytes > room {
            return 0;
        }
        for range in plan.iter() {
            let start = slot.addresses.start + range.start * self.pages.page();
            let len = range.len() * self.pages.page();
            // An instance may have less memory than another.
            if start + len > slot.addresses.end {
                break;
            }
            let place = std::ptr::with_exposed_provenance_mut(start);
            // SAFETY: the kernel changes no byte and no right of any page, also if another thread
            // uses it, or it has another mapping now: it does what a write of the same byte does
            // (`MADV_POPULATE_WRITE` in `madvise(2)`).
            let populated = unsafe { madvise(place, len, Advice::LinuxPopulateWrite) };
            if populated.is_err() {
                // The slot was given to another program meanwhile, or there is no memory.
                return 0;
            }
        }
        bytes
    }

    fn bytes(&self, pages: usize) -> u64 {
        pages as u64 * self.pages.page() as u64
    }
}
