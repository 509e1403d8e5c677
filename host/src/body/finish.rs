//! The end of a request, which is told once.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::Outcome;
use crate::application::Application;
use crate::failed::Failed;
use crate::peers::Peer;
use crate::queue::Permits;
use crate::telemetry::{Begun, TraceContext};

/// The status of a request whose client has gone before there was a response. No client sees it.
/// Other servers write this number into their logs as well.
const GONE: u16 = 499;

/// The end of a request. It is told once: with what was found, or else that the client has gone.
/// The server drops the request of such a client, also while it waits or runs.
pub(crate) struct Finish {
    application: Arc<Application>,
    /// `None`: there is no response yet.
    status: Option<StatusCode>,
    begin: Begun,
    /// Holds the places of the request, if its instance does not.
    places: Option<AbortOnDropHandle<()>>,
    /// The place among the requests of its address.
    requester: Option<Peer>,
    told: bool,
}

impl Finish {
    /// Of a request that begins.
    pub(crate) fn new(application: &Arc<Application>, begin: Begun) -> Self {
        Self {
            application: Arc::clone(application),
            status: None,
            begin,
            places: None,
            requester: None,
            told: false,
        }
    }

    /// The trace of the request.
    pub(crate) fn trace(&self) -> TraceContext {
        self.begin.trace
    }

    /// The request has this place among those of its address, until it ends.
    pub(crate) fn asked_by(&mut self, requester: Option<Peer>) {
        self.requester = requester;
    }

    /// A program has answered. The request holds these places until its response has ended, and no
    /// longer than its program may run: a client that takes no bytes must not hold them for ever.
    pub(crate) fn answered(&mut self, status: StatusCode, permits: Option<Permits>) {
        self.status = Some(status);
        let wall_time = self.application.limits().wall_time.get();
        self.places = permits.map(|permits| {
            AbortOnDropHandle::new(tokio::spawn(async move {
                sleep(wall_time).await;
                drop(permits);
            }))
        });
    }

    /// A program has answered, and its body is not whole.
    pub(super) fn cut(&mut self, failed: &Failed) {
        if !self.told {
            let what = match failed {
                Failed::Unanswered(why) => Some(format!("an unfinished response: {why}")),
                failed => failed.log(),
            };
            if let Some(what) = what {
                let label = Some(self.application.label());
                self.application
                    .telemetry()
                    .log(failed.level(), label, what);
            }
            self.tell(failed.outcome());
        }
    }

    /// The host answers in place of a program.
    pub(crate) fn failed(mut self, status: StatusCode, outcome: Outcome) {
        self.status = Some(status);
        self.tell(outcome);
    }

    pub(super) fn tell(&mut self, outcome: Outcome) {
        if !self.told {
            self.told = true;
            self.places = None;
            self.requester = None;
            let telemetry = self.application.telemetry();
            let gone = || StatusCode::from_u16(GONE).unwrap_or(StatusCode::BAD_REQUEST);
            let status = self.status.unwrap_or_else(gone);
            telemetry.request_finished(&self.application, &self.begin, status, outcome);
        }
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.tell(Outcome::Gone);
    }
}
