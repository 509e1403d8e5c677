//! One application of a host: its configuration, its version in use, and the requests that run.

use std::fmt::{self, Display};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use edgec_loader::store::{Deployment, Distrusted};
use edgec_loader::{HostEngine, Loaded};

use crate::Program;
use crate::config::{ApplicationConfig, ByteSize, Limits, LogLevel};
use crate::finished::Finished;
use crate::long::Long;
use crate::memory::{OwnMemory, SharedMemory};
use crate::queue::{Permits, Room, Rooms, Waiting, enter};
use crate::services::{Observer, Process, Services};
use crate::telemetry::{Counted, Telemetry};
use crate::turn::{Habit, Turn, Turns};
use crate::{HostError, Limit};

/// One application of a host.
pub struct Application {
    config: ApplicationConfig,
    label: String,
    limits: Limits,
    telemetry: Arc<Telemetry>,
    /// Its own counters in `telemetry`.
    counted: Arc<Counted>,
    services: Services,
    teller: Arc<Teller>,
    requests: Room,
    instances: Room,
    /// Instances that no other application can take.
    reserve: Room,
    /// Requests in shared instances that no other application can take.
    shared_reserve: Room,
    /// The memory of its instances.
    memory: Arc<SharedMemory>,
    waiting: Waiting,
    turns: Turns,
    habit: Arc<Habit>,
    door: Arc<Door>,
    /// What serves it. Empty until a version of it was loaded for the first time.
    deployed: OnceLock<Deployed>,
}

/// What all applications of a host share.
#[derive(Debug)]
pub(crate) struct Door {
    /// Connections to other hosts and servers.
    pub(crate) process: Process,
    /// The memory of all instances.
    pub(crate) memory: Arc<SharedMemory>,
    /// Requests that run.
    pub(crate) requests: Room,
    /// Requests that wait.
    pub(crate) waiting: Waiting,
    /// Which programs compute now.
    turns: Turns,
    /// Where programs go on that compute for long.
    pub(crate) long: Long,
    /// Instances that have answered.
    pub(crate) finished: Finished,
}

impl Door {
    pub(crate) fn new(limits: &Limits) -> Result<Self, HostError> {
        Ok(Self {
            process: Process::new(limits),
            memory: memory(limits.memory_total, Limit::MemoryTotal),
            requests: Room::new(limits.requests),
            waiting: Waiting::new(limits.queue, Limit::Queue),
            turns: Turns::default(),
            long: Long::new()?,
            finished: Finished::default(),
        })
    }
}

/// The memory of a limit that a host has named ([`Limits::for_machine`]).
fn memory(most: Option<ByteSize>, limit: Limit) -> Arc<SharedMemory> {
    SharedMemory::new(most.map_or(u64::MAX, ByteSize::get), limit)
}

/// What serves an application.
pub(crate) struct Deployed {
    pub(crate) engine: HostEngine,
    /// The instances of its pool.
    pub(crate) slots: Room,
    pub(crate) deployment: Arc<Deployment<Program>>,
}

/// Why an application is not served.
#[derive(Clone, Debug)]
pub(crate) enum Withheld {
    /// No version of it was ever loaded.
    Absent,
    /// The version in use is not trusted any more.
    Distrusted(Distrusted),
}

/// An instance of its own for a request, or a place in one that others use too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    Own,
    Shared,
}

impl Application {
    /// `before` is the same application by an earlier configuration.
    pub(crate) fn new(
        config: ApplicationConfig,
        limits: &Limits,
        door: &Arc<Door>,
        telemetry: &Arc<Telemetry>,
        before: Option<&Self>,
    ) -> Result<Self, HostError> {
        let limits = limits.of(&config.limits);
        let label = match &config.channel {
            Some(channel) => format!("{}@{channel}", config.name),
            None => config.name.clone(),
        };
        let teller = Arc::new(Teller {
            telemetry: Arc::clone(telemetry),
            name: label.clone(),
            application: OnceLock::new(),
        });
        let observer: Arc<dyn Observer> = Arc::clone(&teller) as Arc<dyn Observer>;
        Ok(Self {
            services: Services::new(
                &config,
                &limits,
                &door.process,
                &observer,
                before.map(Self::services),
            )?,
            teller,
            requests: Room::new(limits.application_requests),
            instances: Room::new(limits.application_instances),
            reserve: Room::new(limits.reserved_instances),
            shared_reserve: Room::new(limits.reserved_instances),
            memory: memory(
                limits.application_memory_total,
                Limit::ApplicationMemoryTotal,
            ),
            waiting: Waiting::new(limits.application_queue, Limit::ApplicationQueue),
            turns: Turns::default(),
            habit: Arc::default(),
            door: Arc::clone(door),
            telemetry: Arc::clone(telemetry),
            counted: telemetry.counters(&label),
            deployed: OnceLock::new(),
            config,
            label,
            limits,
        })
    }

    /// Its name in the store and in its artifacts.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its name, with `@` and its channel if its configuration names one. Metrics and the log tell
    /// applications apart by it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its configuration.
    pub fn config(&self) -> &ApplicationConfig {
        &self.config
    }

    /// Its limits: its own, and those of the host.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where its work is told.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// What is counted about it.
    pub(crate) fn counted(&self) -> &Counted {
        &self.counted
    }

    /// What its instances share: connections, buckets, values.
    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// Counts the limits that its services hit as those of this application. Once, when it has its
    /// place in a host.
    pub(crate) fn known(self: &Arc<Self>) {
        let _ = self.teller.application.set(Arc::downgrade(self));
    }

    /// The version in use, with its manifest and its signers. `None`: it is not served.
    pub fn version(&self) -> Option<Arc<Loaded<Program>>> {
        self.current().ok()
    }

    /// The requests of it that wait.
    pub fn queue_depth(&self) -> usize {
        self.waiting.depth()
    }

    /// The memory of a new instance.
    pub(crate) fn memory(&self) -> OwnMemory {
        OwnMemory::new(&self.memory, &self.door.memory)
    }

    /// The turns of a new instance.
    pub(crate) fn turn(&self) -> Arc<Turn> {
        Arc::new(Turn::new(&self.turns, &self.door.turns, &self.habit))
    }

    /// Whether its programs usually compute for long.
    pub(crate) fn habit(&self) -> &Habit {
        &self.habit
    }

    /// Where its programs go on that compute for long.
    pub(crate) fn long(&self) -> &Long {
        &self.door.long
    }

    /// Ends an instance that has answered, with all that it holds.
    pub(crate) fn finished(&self, instance: impl Send + 'static) {
        self.door.finished.end(instance);
    }

    /// What serves it, if it was ever loaded.
    pub(crate) fn deployed(&self) -> Option<&Deployed> {
        self.deployed.get()
    }

    /// Serves it from now on. Its first deployment stays.
    pub(crate) fn deploy(&self, deployed: Deployed) {
        if let Ok(loaded) = deployed.deployment.current() {
            self.tell_loaded(&loaded);
        }
        let _ = self.deployed.set(deployed);
    }

    pub(crate) fn tell_loaded(&self, loaded: &Loaded<Program>) {
        let (version, signers) = (loaded.manifest().version, loaded.accepted());
        let times = loaded.report().times;
        self.telemetry.loaded(self, version, signers, times);
    }

    /// The version for a request.
    pub(crate) fn current(&self) -> Result<Arc<Loaded<Program>>, Withheld> {
        let deployed = self.deployed.get().ok_or(Withheld::Absent)?;
        deployed.deployment.current().map_err(Withheld::Distrusted)
    }

    /// Whether a request has an instance of its own.
    pub(crate) fn sharing(&self) -> Result<Sharing, Withheld> {
        match (self.config.reuse, self.deployed.get()) {
            (_, None) => Err(Withheld::Absent),
            (None, Some(_)) => Ok(Sharing::Own),
            // Programs of `wasi:http` 0.2 are never shared.
            (Some(_), Some(_)) => Ok(self.current()?.program().sharing()),
        }
    }

    /// Lets a request in, as soon as it may run.
    pub(crate) async fn enter(&self, sharing: Sharing) -> Result<Permits, Limit> {
        let (own, door) = (&self.waiting, &self.door);
        let patience = self.limits.queue_time.get();
        let slots = self.deployed.get().map(|deployed| &deployed.slots);
        let (reserve, instances, crowded) = match sharing {
            Sharing::Own => (&self.reserve, Some(&self.instances), slots),
            Sharing::Shared => (&self.shared_reserve, None, None),
        };
        self.count_full(&[
            (Some(&self.requests), Limit::ApplicationRequests),
            (instances, Limit::ApplicationInstances),
        ]);
        if reserve.free() == 0 {
            self.count_full(&[
                (Some(&door.requests), Limit::Requests),
                (crowded, Limit::Instances),
            ]);
        }
        match (sharing, slots) {
            (Sharing::Own, Some(slots)) => {
                let rooms = Rooms {
                    own: &[&self.requests, &self.instances],
                    reserve: &self.reserve,
                    // A request that waits for a crowded pool takes no place from other pools.
                    shared: &[slots, &door.requests],
                };
                enter(rooms, own, &door.waiting, patience).await
            }
            // An instance is asked for when one is made.
            _ => {
                let rooms = Rooms {
                    own: &[&self.requests],
                    reserve: &self.shared_reserve,
                    shared: &[&door.requests],
                };
                enter(rooms, own, &door.waiting, patience).await
            }
        }
    }

    /// Counts the limits because of which a request has to wait.
    fn count_full(&self, rooms: &[(Option<&Room>, Limit)]) {
        for (room, limit) in rooms {
            if room.is_some_and(|room| room.free() == 0) {
                self.telemetry.limit_hit(Some(self), *limit);
            }
        }
    }

    /// Lets an instance be made that several requests use.
    pub(crate) async fn enter_instance(&self, patience: Duration) -> Result<Permits, Limit> {
        // Its requests have passed the queue, so they need no further place in it.
        let unbounded = Waiting::new(u32::MAX, Limit::Instances);
        let slots = self.deployed.get().map(|deployed| &deployed.slots);
        let rooms = Rooms {
            own: &[&self.instances],
            reserve: &self.reserve,
            shared: slots.as_slice(),
        };
        let entered = enter(rooms, &unbounded, &unbounded, patience).await;
        entered.map_err(|_| match self.instances.free() {
            0 => Limit::ApplicationInstances,
            _ => Limit::Instances,
        })
    }
}

/// Tells of the use that programs make of the application's services.
struct Teller {
    telemetry: Arc<Telemetry>,
    name: String,
    application: OnceLock<Weak<Application>>,
}

impl Observer for Teller {
    fn limit(&self, name: &str) {
        let limit = Limit::ALL.iter().find(|limit| limit.name() == name);
        let application = self.application.get().and_then(Weak::upgrade);
        if let Some(limit) = limit {
            self.telemetry.limit_hit(application.as_deref(), *limit);
        }
    }

    fn line(&self, level: LogLevel, what: &dyn Display) {
        self.telemetry.log(level, Some(&self.name), what);
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("name", &self.config.name)
            .field("deployed", &self.deployed.get().is_some())
            .finish_non_exhaustive()
    }
}
