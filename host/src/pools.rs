//! The engines of a host: one for each size of programs, each with a pool of instances.
//!
//! What a pool keeps resident is a setting of its engine. A small program touches few pages, and a
//! pool that keeps many of them would waste memory. A large program touches hundreds, and a pool
//! that keeps none makes each request wait for as many page faults. So programs of a size share a
//! pool. What a pool has room for is a setting too, so a program that needs more gets a new pool.
//! Each application of the old one moves at the next refresh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use edgec_loader::{EngineProfile, HostEngine, Limits as Memory, Manifest, PoolPlan};

use crate::HostError;
use crate::config::ServeConfig;
use crate::queue::Room;

/// The interval at which a computing program yields its thread: epochs of the engines.
pub(crate) const TICK: Duration = Duration::from_millis(2);

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
/// The address space that all pools together may take, in bytes: 120 of the 128 TiB of a process.
const ADDRESS_SPACE: u64 = 120 << 40;
/// The part of it that the pool of one size may take: so the programs of a size take no space from
/// others, and it fits between what Linux has in the middle and at the end of the address space. A
/// pool that is as small as can be may take more.
const OF_ONE_SIZE: u64 = ADDRESS_SPACE / 3;
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
    pub(crate) share: Share,
    /// No other pool of the host has had this number.
    pub(crate) number: usize,
    plan: PoolPlan,
}

/// The engines of a host, by the size of their programs.
#[derive(Debug)]
pub(crate) struct Pools {
    /// Bytes in one memory, at most.
    memory: u64,
    /// Instances at one time in one pool that applications share.
    shared: u32,
    /// These, and the reserves of all applications.
    instances: u32,
    /// Bytes that unused slots of all pools keep.
    budget: u64,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    /// The pools for programs from now on.
    current: BTreeMap<Size, Arc<Pool>>,
    /// All that exist. One that was replaced lives until its applications have left it.
    all: Vec<Weak<Pool>>,
    /// The number of the next pool.
    next: usize,
}

impl Pools {
    /// A pool for each size among these programs. A program that fits no pool is left out, and its
    /// load says why.
    pub(crate) fn new(config: &ServeConfig, needs: &[Manifest]) -> Result<Self, HostError> {
        let shared = config.limits.instances;
        // Every application may have all of its reserve in one pool.
        let applications = u32::try_from(config.applications.len()).unwrap_or(u32::MAX);
        let reserved = config.limits.reserved_instances;
        let pools = Self {
            memory: largest_memory(config),
            shared,
            instances: shared.saturating_add(reserved.saturating_mul(applications)),
            budget: config.pools.memory_budget.get(),
            made: Mutex::default(),
        };
        let edge = EngineProfile::Edge.name();
        let mut sizes: BTreeMap<Size, Vec<&Manifest>> = BTreeMap::new();
        for manifest in needs.iter().filter(|it| it.engine.profile == edge) {
            sizes.entry(Size::of(manifest)).or_default().push(manifest);
        }
        // What comes later is most often small.
        sizes.entry(Size::Small).or_default();
        let shares = shares(sizes.keys());
        for (size, manifests) in sizes {
            let plan = manifests.into_iter().fold(pools.empty(), |plan, manifest| {
                pools.with_program(&plan, size, manifest).unwrap_or(plan)
            });
            let pool = pools.make(&mut pools.made(), size, plan, shares);
            // Without a pool of its size, the load of a program takes another one, or fails.
            if size == Size::Small {
                pool?;
            }
        }
        Ok(pools)
    }

    /// The pool for a program: that of its size. If it is missing or too small, a new one takes its
    /// place. If no new one can be made, another pool with room serves the program.
    pub(crate) fn for_program(&self, manifest: &Manifest) -> Result<Arc<Pool>, HostError> {
        let mut made = self.made();
        let own = made.current.get(&Size::of(manifest));
        if let Some(pool) = own.filter(|pool| pool.has_room_for(manifest)) {
            return Ok(Arc::clone(pool));
        }
        self.enlarge(&mut made, manifest).or_else(|error| {
            let mut others = made.current.values();
            let other = others.find(|pool| pool.has_room_for(manifest));
            other.map(Arc::clone).ok_or(error)
        })
    }

    /// Makes the pool of a program's size, with room for this one too.
    fn enlarge(&self, made: &mut Made, manifest: &Manifest) -> Result<Arc<Pool>, HostError> {
        let size = Size::of(manifest);
        let (is_new, plan) = match made.current.get(&size) {
            Some(pool) => (false, pool.plan.clone()),
            None => (true, self.empty()),
        };
        let plan = self.with_program(&plan, size, manifest)?;
        let shares = shares(made.current.keys().chain(is_new.then_some(&size)));
        let pool = self.make(made, size, plan, shares)?;
        if is_new {
            // The budget is divided again. A pool that cannot be made again keeps its share.
            for (other, pool) in made.current.clone() {
                if other != size {
                    let _ = self.make(made, other, pool.plan.clone(), shares);
                }
            }
        }
        Ok(pool)
    }

    /// The smallest plan. A later version may have a few tables more.
    fn empty(&self) -> PoolPlan {
        let (empty, _) = PoolPlan::fitting_most(self.instances, self.memory, []);
        empty.with_room_for(1, TABLES)
    }

    /// The plan with room for another program of its size.
    fn with_program(
        &self,
        plan: &PoolPlan,
        size: Size,
        manifest: &Manifest,
    ) -> Result<PoolPlan, HostError> {
        let plan = plan.clone().with_program(manifest);
        let plan = plan.map_err(|source| HostError::NoPool {
            application: manifest.name.clone(),
            source,
        })?;
        let most = OF_ONE_SIZE.max(address_space(&self.empty()));
        let needed = address_space(&plan);
        match needed <= most {
            true => Ok(plan),
            false => Err(no_space(size, needed, most)),
        }
    }

    /// The pool for small programs. An application without a version is loaded with it, and that
    /// load says that there is none.
    pub(crate) fn small(&self) -> Option<Arc<Pool>> {
        self.made().current.get(&Size::Small).map(Arc::clone)
    }

    /// Whether another pool has taken the place of this one.
    pub(crate) fn has_replaced(&self, pool: &Pool) -> bool {
        let made = self.made();
        !made.current.values().any(|it| it.number == pool.number)
    }

    /// All pools that exist.
    pub(crate) fn all(&self) -> Vec<Arc<Pool>> {
        self.made().all.iter().filter_map(Weak::upgrade).collect()
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the pool for a size. It gets its part of the budget, which all `shares` divide.
    fn make(
        &self,
        made: &mut Made,
        size: Size,
        plan: PoolPlan,
        shares: u64,
    ) -> Result<Arc<Pool>, HostError> {
        made.all.retain(|pool| pool.strong_count() > 0);
        let living = made.all.iter().filter_map(Weak::upgrade);
        let left = living.fold(ADDRESS_SPACE, |left, pool| {
            left.saturating_sub(address_space(&pool.plan))
        });
        let needed = address_space(&plan);
        if needed > left {
            return Err(no_space(size, needed, left));
        }
        let budget = self.budget.saturating_mul(size.resident()) / shares.max(1);
        // As many slots stay warm as the budget allows. A small budget is for a slot of each
        // processor.
        let processors = std::thread::available_parallelism().map_or(1, |it| it.get() as u64);
        let resident = size.resident().min(budget / processors);
        let warm = budget.checked_div(resident).unwrap_or_default();
        let warm = u32::try_from(warm).unwrap_or(u32::MAX).min(self.instances);
        let plan = plan.keeping_resident(resident).with_warm_slots(warm);
        let limits = Memory::Pooled(plan.clone());
        let engine = HostEngine::builder(EngineProfile::Edge).limits(limits);
        let engine = engine.build().map_err(|source| HostError::Engine {
            pool: size.name(),
            source,
        })?;
        // Instances of a pool that was replaced may still run.
        engine.tick(TICK).until_the_engine_ends();
        let pool = Arc::new(Pool {
            engine,
            slots: match made.current.get(&size) {
                // The limit is for both together, while the replaced one has instances.
                Some(replaced) => replaced.slots.clone(),
                None => Room::new(self.shared),
            },
            share: Share {
                slot: resident,
                all: budget,
            },
            number: made.next,
            plan,
        });
        made.next += 1;
        made.all.push(Arc::downgrade(&pool));
        made.current.insert(size, Arc::clone(&pool));
        Ok(pool)
    }
}

/// What a slot of each of these sizes keeps, in bytes: the budget is divided in this proportion.
fn shares<'a>(sizes: impl Iterator<Item = &'a Size>) -> u64 {
    sizes.map(|size| size.resident()).sum()
}

fn no_space(size: Size, needed: u64, most: u64) -> HostError {
    let pool = size.name();
    HostError::AddressSpace { pool, needed, most }
}

/// The address space of a pool: its memories, and its tables with eight bytes for an element.
fn address_space(plan: &PoolPlan) -> u64 {
    let tables = u64::from(plan.instances).saturating_mul(u64::from(plan.tables));
    let tables = tables.saturating_mul(plan.table_elements).saturating_mul(8);
    plan.address_space().saturating_add(tables)
}

impl Pool {
    /// Whether an instance of the program fits.
    pub(crate) fn has_room_for(&self, manifest: &Manifest) -> bool {
        self.plan.has_room_for(manifest)
    }
}

/// The largest memory that an application may have. It is that of all pools: a slot takes the same
/// address space (4 GiB and a guard) however much of it a memory may use, and the limit of each
/// application holds beside it.
pub(crate) fn largest_memory(config: &ServeConfig) -> u64 {
    let own = config.applications.iter().filter_map(|it| it.limits.memory);
    own.fold(config.limits.memory, Ord::max).get()
}
