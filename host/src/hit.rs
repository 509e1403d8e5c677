//! The limit that ends a request.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::Limit;
use crate::application::Application;

/// The first limit that a request or an instance has hit. The parts that watch limits share it with
/// the task that runs the program.
#[derive(Debug)]
pub(crate) struct Hit {
    application: Option<Arc<Application>>,
    first: OnceLock<Limit>,
    told: Notify,
}

impl Hit {
    /// Of a request or an instance of an application.
    pub(crate) fn of(application: &Arc<Application>) -> Self {
        Self::by(Some(Arc::clone(application)))
    }

    fn by(application: Option<Arc<Application>>) -> Self {
        Self {
            application,
            first: OnceLock::new(),
            told: Notify::new(),
        }
    }

    /// Remembers and counts a limit, if it is the first, and ends the request.
    pub(crate) fn set(&self, limit: Limit) {
        if self.first.set(limit).is_err() {
            return;
        }
        if let Some(application) = &self.application {
            application.telemetry().limit_hit(Some(application), limit);
        }
        // The task may begin to wait only after this.
        self.told.notify_one();
    }

    /// The first limit that was hit.
    pub(crate) fn get(&self) -> Option<Limit> {
        self.first.get().copied()
    }

    /// Waits until a limit is hit.
    pub(crate) async fn wait(&self) -> Limit {
        loop {
            if let Some(limit) = self.get() {
                return limit;
            }
            self.told.notified().await;
        }
    }
}

#[cfg(test)]
impl Default for Hit {
    fn default() -> Self {
        Self::by(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_limit_counts() {
        let hit = Hit::by(None);
        assert_eq!(hit.get(), None);
        hit.set(Limit::Memory);
        hit.set(Limit::CpuTime);
        assert_eq!(hit.get(), Some(Limit::Memory));
    }
}
