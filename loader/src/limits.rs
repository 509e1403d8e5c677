//! The memory that a host gives to instances: on demand, or from a pool of slots that is set up
//! once.
//!
//! A pool makes the instance of a request cheap: slots keep their address space, and the kernel
//! resets a memory. The pool must have room for every program that the host runs, so its dimensions
//! come from the manifests ([`PoolPlan::fitting`]).

use edgec_verifier::{Manifest, PoolLimits};
use serde::Serialize;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

/// The address space of a linear memory in the pool, in bytes: the reservation of 4 GiB and a guard
/// of 32 MiB. The code of both profiles relies on it.
const SLOT: u64 = (4 << 30) + (32 << 20);
/// The smallest size that Wasmtime gives a table, in elements.
const TABLE_ELEMENTS: u64 = 20_000;
/// The address space of a process that a pool may take, in bytes: 64 TiB of the 128 TiB that Linux
/// has on both CPU families with the usual page tables.
const ADDRESS_SPACE: u64 = 64 << 40;
/// The largest size of an instance's own state, in bytes (1 GiB). A program with about thirty
/// thousand functions in tables exceeds the engine's default, 1 MiB.
const MAX_INSTANCE: usize = 1 << 30;
/// The part of a memory and of a table that stays resident when its slot is given back, in bytes.
/// It is overwritten instead of unmapped, which is cheaper for the pages that every request
/// touches.
const KEEP_RESIDENT: u64 = 256 << 10;
/// The slots that stay warm while nobody uses them, as the engine has it by default.
const WARM_SLOTS: u32 = 100;

/// How instances get their memory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Limits {
    /// From the system, for each instance, with the system's own limit only.
    #[default]
    OnDemand,
    /// From a pool.
    Pooled(PoolPlan),
}

/// The dimensions of a pool. They come from the manifests of the programs, for instance of all that
/// are current in a store:
///
/// ```no_run
/// use edgec_loader::store::ArtifactStore;
/// use edgec_loader::{EngineProfile, HostEngine, Limits, PoolPlan};
///
/// let store = ArtifactStore::open("/var/lib/edgec")?;
/// // At most 1000 instances at one time, each with memories of at most 128 MiB.
/// let current = store.manifests()?;
/// let (plan, left_out) = PoolPlan::fitting_most(1000, 128 << 20, &current.manifests);
/// for error in left_out {
///     println!("no instance of it fits: {error}");
/// }
/// let engine = HostEngine::builder(EngineProfile::Edge).limits(Limits::Pooled(plan)).build()?;
/// # drop(engine);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PoolPlan {
    /// The number of components that can be instantiated at one time.
    pub instances: u32,
    /// Memories in one component, at most.
    pub memories: u32,
    /// Tables in one component, at most.
    pub tables: u32,
    /// Elements of one table, at most. A program's table cannot grow beyond this.
    pub table_elements: u64,
    /// Bytes of one memory, at most. A program's memory cannot grow beyond this.
    pub memory_bytes: u64,
    /// Bytes of one memory that stay resident in an unused slot, at most.
    #[serde(skip)]
    resident_bytes: u64,
    /// Unused slots that keep their memory, at most.
    #[serde(skip)]
    warm_slots: u32,
}

/// Why there is no pool for some programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A manifest does not state everything that the program's instances need.
    #[error("the manifest of `{name}` does not state all that the program needs")]
    Incomplete {
        /// The application.
        name: String,
    },
    /// A program starts with more than a pool's slot can hold.
    #[error("`{name}` starts with {what} of {needed}, a pool holds {most}")]
    TooLarge {
        /// The application.
        name: String,
        /// A memory or a table.
        what: &'static str,
        /// The bytes or elements that the program needs.
        needed: u64,
        /// The bytes or elements that a pool can hold.
        most: u64,
    },
    /// The pool needs more address space than a process has for it.
    #[error(
        "{instances} instances of `{name}` with {memories} {} each take {} GiB of address space, more than {} GiB",
        if *memories == 1 { "memory" } else { "memories" }, needed >> 30, ADDRESS_SPACE >> 30
    )]
    AddressSpace {
        /// The application.
        name: String,
        /// Instances at one time.
        instances: u32,
        /// Memories in each.
        memories: u32,
        /// The address space in bytes.
        needed: u64,
    },
}

impl PlanError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "plan-incomplete",
            Self::TooLarge { .. } => "plan-too-large",
            Self::AddressSpace { .. } => "plan-address-space",
        }
    }
}

impl PoolPlan {
    /// The smallest pool in which `instances` of any of these programs run at one time. Each memory
    /// has at most `memory_bytes` (up to 4 GiB).
    ///
    /// # Errors
    ///
    /// [`PlanError`] names the program that no pool fits.
    pub fn fitting<'a>(
        instances: u32,
        memory_bytes: u64,
        programs: impl IntoIterator<Item = &'a Manifest>,
    ) -> Result<Self, PlanError> {
        let mut plan = Self::empty(instances, memory_bytes);
        for manifest in programs {
            plan.include(manifest)?;
        }
        Ok(plan)
    }

    /// Like [`Self::fitting`], but leaves out programs that fit no such pool, so that one tenant's
    /// needs do not prevent a host from starting. Loads of these programs are refused.
    pub fn fitting_most<'a>(
        instances: u32,
        memory_bytes: u64,
        programs: impl IntoIterator<Item = &'a Manifest>,
    ) -> (Self, Vec<PlanError>) {
        let mut plan = Self::empty(instances, memory_bytes);
        let mut left_out = Vec::new();
        for manifest in programs {
            left_out.extend(plan.include(manifest).err());
        }
        (plan, left_out)
    }

    fn empty(instances: u32, memory_bytes: u64) -> Self {
        Self {
            instances,
            memories: 0,
            tables: 0,
            table_elements: TABLE_ELEMENTS,
            memory_bytes: memory_bytes.min(4 << 30),
            resident_bytes: KEEP_RESIDENT,
            warm_slots: WARM_SLOTS,
        }
    }

    /// Sets how many bytes of one memory stay resident in an unused slot, at most, instead of 256
    /// KiB. The next request needs no page fault for them, but they must be cleared.
    #[must_use]
    pub fn keeping_resident(self, bytes: u64) -> Self {
        Self {
            resident_bytes: bytes.min(self.memory_bytes),
            ..self
        }
    }

    /// Sets how many unused slots keep their memory, instead of 100. So the pool keeps resident at
    /// most this number times what one memory keeps.
    #[must_use]
    pub fn with_warm_slots(self, slots: u32) -> Self {
        Self {
            warm_slots: slots,
            ..self
        }
    }

    /// Makes room for programs with so many memories and tables in one component. It is for a pool
    /// whose programs are not known yet.
    #[must_use]
    pub fn with_room_for(self, memories: u32, tables: u32) -> Self {
        Self {
            memories: self.memories.max(memories),
            tables: self.tables.max(tables),
            ..self
        }
    }

    /// Makes room for another program.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if no pool fits it.
    pub fn with_program(mut self, manifest: &Manifest) -> Result<Self, PlanError> {
        self.include(manifest)?;
        Ok(self)
    }

    /// Whether an instance of a program fits as it starts.
    pub fn has_room_for(&self, manifest: &Manifest) -> bool {
        self.limits().has_room_for(&manifest.resources)
    }

    /// Makes room for a program. If there is no room, nothing changes.
    fn include(&mut self, manifest: &Manifest) -> Result<(), PlanError> {
        let needs = &manifest.resources;
        let name = || manifest.name.clone();
        let count = |count: u64| u32::try_from(count).ok();
        let counts = (
            count(needs.memories.len() as u64),
            count(needs.tables.len() as u64),
        );
        let (true, (Some(memories), Some(tables))) = (needs.complete, counts) else {
            return Err(PlanError::Incomplete { name: name() });
        };
        for memory in &needs.memories {
            if memory.minimum > self.memory_bytes {
                return Err(PlanError::TooLarge {
                    name: name(),
                    what: "a memory",
                    needed: memory.minimum,
                    most: self.memory_bytes,
                });
            }
        }
        for table in &needs.tables {
            // Each element takes eight bytes. A slot of this size takes only address space until it
            // is used.
            const MOST: u64 = 10_000_000;
            if table.minimum > MOST {
                return Err(PlanError::TooLarge {
                    name: name(),
                    what: "a table",
                    needed: table.minimum,
                    most: MOST,
                });
            }
        }
        let larger = Self {
            memories: self.memories.max(memories),
            ..self.clone()
        };
        let needed = larger.address_space();
        if needed > ADDRESS_SPACE {
            return Err(PlanError::AddressSpace {
                name: name(),
                instances: self.instances,
                memories,
                needed,
            });
        }
        let elements = needs.tables.iter().map(|table| table.minimum).max();
        self.table_elements = self.table_elements.max(elements.unwrap_or(0));
        self.memories = self.memories.max(memories);
        self.tables = self.tables.max(tables);
        Ok(())
    }

    /// The limits of one instance in this pool.
    pub fn limits(&self) -> PoolLimits {
        let mut limits = PoolLimits::unlimited();
        limits.memories = self.memories.max(1);
        limits.tables = self.tables.max(1);
        limits.table_elements = self.table_elements;
        limits.memory_bytes = self.memory_bytes;
        limits
    }

    /// The address space of the pool's memories, in bytes. It is reserved, not used.
    pub fn address_space(&self) -> u64 {
        let memories = u64::from(self.instances) * u64::from(self.memories);
        memories.saturating_mul(SLOT)
    }

    fn config(&self) -> Result<PoolingAllocationConfig> {
        let one = self.limits();
        let total = |each: u32| self.instances.saturating_mul(each.max(1));
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(self.instances)
            // The pool counts them, and reserves nothing for them. The engine's adapters between
            // components are core instances as well, and no manifest states their number.
            .total_core_instances(u32::MAX)
            .max_core_instances_per_component(u32::MAX)
            // The pool compares this with a program's need, and reserves nothing for it either: the
            // size of an instance follows from its functions and tables.
            .max_core_instance_size(MAX_INSTANCE)
            .max_component_instance_size(MAX_INSTANCE)
            .total_memories(total(self.memories))
            .total_tables(total(self.tables))
            .total_stacks(self.instances)
            .total_gc_heaps(self.instances)
            .max_memories_per_component(one.memories)
            .max_tables_per_component(one.tables)
            .max_memories_per_module(one.memories)
            .max_tables_per_module(one.tables)
            .table_elements(usize::try_from(one.table_elements)?)
            .max_memory_size(usize::try_from(one.memory_bytes)?)
            .max_unused_warm_slots(self.warm_slots)
            .linear_memory_keep_resident(usize::try_from(self.resident_bytes)?)
            .table_keep_resident(usize::try_from(KEEP_RESIDENT)?)
            // The kernel says which pages were written, if it can. Only those are cleared.
            .pagemap_scan(Enabled::Auto);
        Ok(pool)
    }
}

impl Limits {
    pub(crate) fn apply(&self, config: &mut Config) -> Result<()> {
        if let Self::Pooled(plan) = self {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(plan.config()?));
        }
        Ok(())
    }
}
