//! One application of a host: its configuration, its version in use, and the requests that run.

mod entry;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use edgec_loader::Loaded;
use edgec_loader::store::{Deployment, Distrusted};

use crate::Program;
use crate::config::{ApplicationConfig, Limits};
use crate::door::{Door, memory};
use crate::lower::Lower;
use crate::memory::{OwnMemory, SharedMemory};
use crate::pools::Pool;
use crate::queue::{Room, Waiting};
use crate::services::Services;
use crate::telemetry::{Counted, Telemetry, Voice};
use crate::teller::Teller;
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
    voice: Arc<Voice>,
    services: Services,
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
    deployed: RwLock<Option<Arc<Deployed>>>,
}

/// What serves an application.
pub(crate) struct Deployed {
    pub(crate) pool: Arc<Pool>,
    pub(crate) deployment: Deployment<Program>,
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
        let counted = telemetry.counters(&label);
        let voice = Arc::new(Voice::new(limits.log_rate.get()));
        let observer = Teller::of_application(telemetry, &counted, &voice, &label);
        Ok(Self {
            services: Services::new(
                &config,
                &limits,
                &door.process,
                &observer,
                before.map(Self::services),
            )?,
            requests: Room::new(limits.application_requests),
            instances: Room::new(limits.application_instances),
            reserve: Room::new(limits.reserved_instances),
            shared_reserve: Room::new(limits.reserved_instances),
            voice,
            memory: memory(
                limits.application_memory_total,
                Limit::ApplicationMemoryTotal,
            ),
            waiting: Waiting::new(limits.application_queue, Limit::ApplicationQueue),
            turns: Turns::default(),
            habit: Arc::default(),
            door: Arc::clone(door),
            telemetry: Arc::clone(telemetry),
            counted,
            deployed: RwLock::default(),
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

    /// What its programs may write to the log.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    /// What its instances share: connections, buckets, values.
    pub(crate) fn services(&self) -> &Services {
        &self.services
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

    /// For how long its programs usually compute.
    pub(crate) fn habit(&self) -> &Habit {
        &self.habit
    }

    /// Where its programs run that are not short.
    pub(crate) fn lower(&self) -> &Lower {
        &self.door.lower
    }

    /// Ends an instance that has answered, with all that it holds.
    pub(crate) fn finished(&self, instance: impl Send + 'static) {
        self.door.finished.end(instance);
    }

    /// What serves it, if it was ever loaded.
    pub(crate) fn deployed(&self) -> Option<Arc<Deployed>> {
        let deployed = self.deployed.read().unwrap_or_else(PoisonError::into_inner);
        deployed.clone()
    }

    /// Serves it with this from now on.
    pub(crate) fn deploy(&self, deployed: Deployed) {
        if let Ok(loaded) = deployed.deployment.current() {
            self.tell_loaded(&loaded);
        }
        let mut now = self
            .deployed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *now = Some(Arc::new(deployed));
    }

    pub(crate) fn tell_loaded(&self, loaded: &Loaded<Program>) {
        let (version, signers) = (loaded.manifest().version, loaded.accepted());
        let times = loaded.report().times;
        self.telemetry.loaded(self, version, signers, times);
    }

    /// The version for a request.
    pub(crate) fn current(&self) -> Result<Arc<Loaded<Program>>, Withheld> {
        let deployed = self.deployed().ok_or(Withheld::Absent)?;
        deployed.deployment.current().map_err(Withheld::Distrusted)
    }

    /// Whether a request has an instance of its own.
    pub(crate) fn sharing(&self) -> Result<Sharing, Withheld> {
        match (self.config.reuse, self.deployed()) {
            (_, None) => Err(Withheld::Absent),
            (None, Some(_)) => Ok(Sharing::Own),
            // Programs of `wasi:http` 0.2 are never shared.
            (Some(_), Some(_)) => Ok(self.current()?.program().sharing()),
        }
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("name", &self.config.name)
            .field("deployed", &self.deployed().is_some())
            .finish_non_exhaustive()
    }
}
