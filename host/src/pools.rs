//! The engines of a host: at most three, each with a pool of instances.
//!
//! What a pool keeps resident is a setting of its engine. A small program touches few pages, and a
//! pool that keeps many of them would waste memory. A large program touches hundreds, and a pool
//! that keeps none makes each request wait for as many page faults. So programs of a size share a
//! pool.

use std::collections::BTreeMap;

use edgec_loader::{EngineProfile, HostEngine, Limits as Memory, Manifest, PoolPlan, error_chain};

use crate::HostError;
use crate::config::{LogLevel, ServeConfig};
use crate::queue::Room;
use crate::telemetry::Telemetry;

/// The size of a program, by the memory with which its instances start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    /// Up to 4 MiB: programs in Rust, C or Go.
    Small,
    /// Up to 16 MiB.
    Medium,
    /// More: programs with an interpreter.
    Large,
}

/// Tables for which every pool has room. They take only address space.
const TABLES: u32 = 4;
/// Bytes.
const MIB: u64 = 1 << 20;

impl Size {
    /// The size of a program.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let memories = manifest.resources.memories.iter();
        let bytes = memories.fold(0u64, |sum, it| sum.saturating_add(it.minimum));
        match bytes {
            ..=4_194_304 => Self::Small,
            4_194_305..=16_777_216 => Self::Medium,
            _ => Self::Large,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// The bytes of a memory that stay resident in an unused slot, if the budget allows it.
    fn resident(self) -> u64 {
        match self {
            Self::Small => MIB,
            Self::Medium => 8 * MIB,
            Self::Large => 16 * MIB,
        }
    }
}

/// What the unused slots of a pool may keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Bytes in one slot.
    pub(crate) slot: u64,
    /// Bytes in all slots.
    pub(crate) all: u64,
}

/// An engine, and the instances that its pool has room for.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) engine: HostEngine,
    pub(crate) slots: Room,
    share: Share,
}

/// The engines of a host, by the size of their programs.
#[derive(Debug)]
pub(crate) struct Pools(BTreeMap<Size, Pool>);

impl Pools {
    /// A pool for each size among these programs.
    pub(crate) fn new(
        config: &ServeConfig,
        needs: &[Manifest],
        telemetry: &Telemetry,
    ) -> Result<Self, HostError> {
        let mut sizes: BTreeMap<Size, Vec<&Manifest>> = BTreeMap::new();
        for manifest in needs {
            sizes.entry(Size::of(manifest)).or_default().push(manifest);
        }
        // What comes later needs a pool too.
        sizes.entry(Size::Small).or_default();
        let budget = config.pools.memory_budget.get();
        let shares: u64 = sizes.keys().map(|size| size.resident()).sum();
        let mut pools = BTreeMap::new();
        for (size, manifests) in sizes {
            // Each pool gets a part of the budget, in the proportion of what a slot keeps.
            let part = budget.saturating_mul(size.resident()) / shares.max(1);
            let pool = pool(config, size, part, &manifests, telemetry)?;
            pools.insert(size, pool);
        }
        Ok(Self(pools))
    }

    /// The pool for a program: that of its size, or else the next larger one, or the largest.
    pub(crate) fn of(&self, size: Size) -> Option<&Pool> {
        let larger = self.0.range(size..).next();
        let (_, pool) = larger.or_else(|| self.0.last_key_value())?;
        Some(pool)
    }

    /// The engine of each pool, and what its unused slots may keep.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (&HostEngine, Share)> {
        self.0.values().map(|pool| (&pool.engine, pool.share))
    }

    pub(crate) fn engines(&self) -> impl Iterator<Item = &HostEngine> {
        self.0.values().map(|pool| &pool.engine)
    }
}

fn pool(
    config: &ServeConfig,
    size: Size,
    budget: u64,
    manifests: &[&Manifest],
    telemetry: &Telemetry,
) -> Result<Pool, HostError> {
    let memory = largest_memory(config);
    let shared = config.limits.instances;
    // Every application may have all of its reserve in this pool.
    let applications = u32::try_from(config.applications.len()).unwrap_or(u32::MAX);
    let reserved = config
        .limits
        .reserved_instances
        .saturating_mul(applications);
    let instances = shared.saturating_add(reserved);
    let (plan, left_out) = PoolPlan::fitting_most(instances, memory, manifests.iter().copied());
    for error in left_out {
        let what = format!("no pool for it: {}", error_chain(&error));
        telemetry.log(LogLevel::Error, None, what);
    }
    // A later version, or a program that is not there yet, may have a few tables more.
    let plan = plan.with_room_for(1, TABLES);
    // As many slots stay warm as the budget allows. A small budget is for a slot of each processor.
    let processors = std::thread::available_parallelism().map_or(1, |it| it.get() as u64);
    let resident = size.resident().min(budget / processors);
    let warm = budget.checked_div(resident).unwrap_or_default();
    let warm = u32::try_from(warm).unwrap_or(u32::MAX).min(instances);
    let share = Share {
        slot: resident,
        all: budget,
    };
    let plan = plan.keeping_resident(resident).with_warm_slots(warm);
    let engine = HostEngine::builder(EngineProfile::Edge).limits(Memory::Pooled(plan));
    let pool = size.name();
    let engine = engine
        .build()
        .map_err(|source| HostError::Engine { pool, source })?;
    let slots = Room::new(shared);
    Ok(Pool {
        engine,
        slots,
        share,
    })
}

/// The largest memory that an application may have. It is that of all pools: a slot takes the same
/// address space (4 GiB and a guard) however much of it a memory may use, and the limit of each
/// application holds beside it.
pub(crate) fn largest_memory(config: &ServeConfig) -> u64 {
    let own = config.applications.iter().filter_map(|it| it.limits.memory);
    own.fold(config.limits.memory, Ord::max).get()
}
