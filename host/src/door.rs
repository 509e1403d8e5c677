//! What all applications of a host share: places of requests, memory, turns at the processors.

use std::sync::Arc;

use crate::config::{ByteSize, Limits};
use crate::finished::Finished;
use crate::lower::Lower;
use crate::memory::SharedMemory;
use crate::queue::{Room, Waiting};
use crate::services::Process;
use crate::telemetry::Telemetry;
use crate::teller::Teller;
use crate::turn::Turns;
use crate::{HostError, Limit};

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
    pub(crate) turns: Turns,
    /// Where programs run that are not short.
    pub(crate) lower: Lower,
    /// Instances that have answered.
    pub(crate) finished: Finished,
}

impl Door {
    pub(crate) fn new(limits: &Limits, telemetry: &Arc<Telemetry>) -> Result<Self, HostError> {
        Ok(Self {
            process: Process::new(limits, Teller::of_all(telemetry)),
            memory: memory(limits.memory_total, Limit::MemoryTotal),
            requests: Room::new(limits.requests),
            waiting: Waiting::new(limits.queue, Limit::Queue),
            turns: Turns::default(),
            lower: Lower::new()?,
            finished: Finished::default(),
        })
    }
}

/// The memory of a limit that a host has named ([`Limits::for_machine`]).
pub(crate) fn memory(most: Option<ByteSize>, limit: Limit) -> Arc<SharedMemory> {
    SharedMemory::new(most.map_or(u64::MAX, ByteSize::get), limit)
}
