//! How requests and instances of an application are let in.

use std::time::Duration;

use super::{Application, Sharing};
use crate::Limit;
use crate::queue::{Permits, Room, Rooms, Waiting, enter};

impl Application {
    /// Lets a request in, as soon as it may run.
    pub(crate) async fn enter(&self, sharing: Sharing) -> Result<Permits, Limit> {
        let door = &self.door;
        // A shared instance asks for its own place when it is made.
        let slots = match sharing {
            Sharing::Own => self.slots(),
            Sharing::Shared => None,
        };
        let rooms = match &slots {
            Some(slots) => Rooms {
                own: &[&self.requests, &self.instances],
                reserve: &self.reserve,
                // A request that waits for a crowded pool takes no place from other pools.
                shared: &[slots, &door.requests],
            },
            None => Rooms {
                own: &[&self.requests],
                reserve: &self.shared_reserve,
                shared: &[&door.requests],
            },
        };
        self.count_if_full(&self.requests, Limit::ApplicationRequests);
        if slots.is_some() {
            self.count_if_full(&self.instances, Limit::ApplicationInstances);
        }
        if rooms.reserve.free() == 0 {
            self.count_if_full(&door.requests, Limit::Requests);
            if let Some(slots) = &slots {
                self.count_if_full(slots, Limit::Instances);
            }
        }
        let patience = self.limits.queue_time.get();
        enter(rooms, &self.waiting, &door.waiting, patience).await
    }

    /// Counts a limit because of which a request has to wait.
    fn count_if_full(&self, room: &Room, limit: Limit) {
        if room.free() == 0 {
            self.telemetry.limit_hit(Some(self), limit);
        }
    }

    /// Lets an instance be made that several requests use.
    pub(crate) async fn enter_instance(&self, patience: Duration) -> Result<Permits, Limit> {
        // Its requests have passed the queue, so they need no further place in it.
        let unbounded = Waiting::new(u32::MAX, Limit::Instances);
        let slots = self.slots();
        let slots = slots.as_ref();
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

    /// The instances of its pool.
    fn slots(&self) -> Option<Room> {
        self.deployed().map(|deployed| deployed.pool.slots.clone())
    }
}
