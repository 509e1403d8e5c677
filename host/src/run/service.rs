//! Programs of `wasi:http` 0.3. The engine's handler runs them: an instance for each request, or a
//! bounded number of requests in one, if the application allows it.
//!
//! The handler has a queue without a bound, but only requests that were let in get there. It may
//! not poll a request's own deadline while the program computes, so the deadline of the whole
//! instance is a second one, outside.
//!
//! The handler does not tell the requests of an instance why it ended, and a body of such an
//! instance ends as if it were whole. So each request has the [`Fate`] of its instance.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use edgec_loader::Loaded;
use edgec_loader::wasmtime::component::GuestTaskId;
use edgec_loader::wasmtime::{self, Store, StoreContextMut};
use http::Request;
use http::header::HOST;
use http::uri::{self, Authority};
use tokio::time::{sleep, timeout};
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance, InstantiationError, Proxy, ProxyHandler, ShouldAccept,
    TrapOrPanicError, WorkerState,
};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::expiration::{BEHIND, Clock, Expiration};
use super::instance::{Budget, Processor, store};
use super::{Answer, Entered, Program};
use crate::Limit;
use crate::LimitHit;
use crate::application::{Application, Sharing};
use crate::config::{LogLevel, Reuse};
use crate::failed::Failed;
use crate::fate::{Ending, Fate, Teller};
use crate::guest::GuestState;
use crate::hit::Hit;
use crate::queue::Permits;
use crate::telemetry::TraceContext;

/// The export that is called for each request.
const EXPORT: &str = "wasi:http/handler@0.3#handle";

/// Makes the instances of one version.
pub(crate) struct Workers {
    application: Weak<Application>,
    program: Arc<ServicePre<GuestState>>,
    /// `None`: an instance for each request.
    reuse: Option<Reuse>,
}

/// What goes with a request to its instance.
pub(crate) struct Companion {
    /// What an instance of its own holds.
    permits: Option<Permits>,
    /// The image stays in use as long as its instance.
    version: Arc<Loaded<Program>>,
    limit: Duration,
    trace: TraceContext,
    fate: Fate,
}

impl Workers {
    pub(crate) fn new(
        application: &Weak<Application>,
        program: Arc<ServicePre<GuestState>>,
        reuse: Option<Reuse>,
    ) -> Self {
        Self {
            application: Weak::clone(application),
            program,
            reuse,
        }
    }
}

/// Passes a request to an instance, and waits for the head of the response.
pub(super) async fn run(
    handler: &ProxyHandler<Workers>,
    sharing: Sharing,
    entered: Entered,
) -> Result<Answer, Failed> {
    let Entered {
        application,
        version,
        scheme,
        request,
        permits,
        trace,
        hit,
    } = entered;
    let limit = application.limits().wall_time.get();
    let (own, shared) = match sharing {
        Sharing::Own => (Some(permits), None),
        Sharing::Shared => (None, Some(permits)),
    };
    let fate = Fate::default();
    let companion = Companion {
        permits: own,
        version,
        limit,
        trace,
        fate: fate.clone(),
    };
    let request = absolute(request.map(http_body_util::BodyExt::boxed_unsync), &scheme);
    let answered = async {
        let error = tokio::select! {
            biased;
            answered = handler.handle(companion, request) => match answered {
                Ok(response) => return Ok(response),
                Err(error) => error,
            },
            limit = hit.wait() => return Err(Failed::Limit(limit)),
        };
        let fate = match error.downcast_ref::<TrapOrPanicError>() {
            // The instance has counted why it ended, for all of its requests. What this request
            // has hit itself comes first: the end can be a consequence.
            Some(_) if hit.get().is_none() => fate.wait().await,
            _ => None,
        };
        Err(fate.unwrap_or_else(|| reason(&error, &hit)))
    };
    // The handler's own deadlines may come late.
    match timeout(limit, answered).await {
        Ok(Ok(response)) => Ok(Answer {
            response,
            permits: shared,
            ending: Ending::Silent(fate.clone()),
        }),
        Ok(Err(failed)) => Err(failed),
        Err(_) => Err(out_of_time(&hit)),
    }
}

/// The request with scheme and authority in its target. A program of `wasi:http` 0.3 reads them
/// from there, and HTTP/1.1 has them elsewhere.
fn absolute(mut request: Request<WasiBody>, scheme: &Scheme) -> Request<WasiBody> {
    let mut parts = request.uri().clone().into_parts();
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    parts.authority = parts.authority.or(host);
    parts.scheme = match scheme {
        Scheme::Https => Some(uri::Scheme::HTTPS),
        _ => Some(uri::Scheme::HTTP),
    };
    // `*` of OPTIONS is no path.
    if let Ok(target) = uri::Uri::from_parts(parts) {
        *request.uri_mut() = target;
    }
    request
}

fn out_of_time(hit: &Hit) -> Failed {
    hit.set(Limit::WallTime);
    Failed::Limit(Limit::WallTime)
}

fn reason(error: &wasmtime::Error, hit: &Hit) -> Failed {
    if error.downcast_ref::<ExpirationError>().is_some() {
        return out_of_time(hit);
    }
    match error.downcast_ref::<InstantiationError<Companion>>() {
        Some(instantiation) => Failed::of(&instantiation.error, hit),
        None => Failed::of(error, hit),
    }
}

impl HandlerState for Workers {
    type StoreData = GuestState;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<GuestState, Expiration, Worker>> {
        let gone = || wasmtime::format_err!("the application is not served any more");
        let application = self.application.upgrade().ok_or_else(gone)?;
        let limits = application.limits();
        let hit = Arc::new(Hit::of(&application));
        let over = |limit| {
            hit.set(limit);
            wasmtime::Error::new(LimitHit(limit))
        };
        let permits = match self.reuse {
            // The request has brought them.
            None => None,
            Some(_) => {
                let entered = application.enter_instance(limits.queue_time.get()).await;
                Some(entered.map_err(over)?)
            }
        };
        let budget = Arc::<Budget>::default();
        budget.renew(limits.cpu_time.get());
        let processor = Processor::Counted(Arc::clone(&budget));
        let turn = application.turn();
        let mut store = store(self.program.engine(), &application, &hit, processor, &turn);
        let begin = Instant::now();
        let made = self.program.instantiate_async(&mut store);
        let made = timeout(limits.wall_time.get(), made).await;
        let service = made.map_err(|_| over(Limit::WallTime))??;
        application.telemetry().instantiated(begin.elapsed());
        let wall_time = limits.wall_time.get() + BEHIND;
        let (life, last) = match self.reuse {
            None => (wall_time, wall_time),
            // A request that was let in at the end of its life has its own time.
            Some(reuse) => (reuse.life.get(), reuse.life.get() + wall_time),
        };
        let clock = Arc::<Clock>::default();
        let idle = self.reuse.map_or(Duration::ZERO, |reuse| reuse.idle.get());
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: GuestState::http,
            expiration: Expiration {
                last: begin + last,
                wall_time,
                idle,
                hit: Arc::clone(&hit),
                clock: Arc::clone(&clock),
                timer: Box::pin(sleep(idle)),
                turn,
            },
            state: Worker {
                reuse: self.reuse,
                ends: begin + life,
                cpu_time: limits.cpu_time.get(),
                budget,
                hit,
                clock,
                fate: Teller::default(),
                held: Mutex::new(Held {
                    permits: permits.into_iter().collect(),
                    version: None,
                }),
            },
        })
    }
}

/// The requests of one instance.
pub(crate) struct Worker {
    reuse: Option<Reuse>,
    /// When it takes no further request.
    ends: Instant,
    cpu_time: Duration,
    budget: Arc<Budget>,
    /// The limit that the instance hits.
    hit: Arc<Hit>,
    clock: Arc<Clock>,
    fate: Teller,
    held: Mutex<Held>,
}

/// What an instance holds until it has ended.
#[derive(Default)]
struct Held {
    permits: Vec<Permits>,
    version: Option<Arc<Loaded<Program>>>,
}

impl Worker {
    /// Why the instance ended.
    fn reason(&self, error: &wasmtime::Error) -> Failed {
        match self.clock.is_over() {
            true => Failed::Limit(Limit::WallTime),
            false => Failed::of(error, &self.hit),
        }
    }
}

impl WorkerState for Worker {
    type StoreData = GuestState;
    type RequestData = Companion;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        let number = |most: u32| usize::try_from(most).unwrap_or(usize::MAX);
        match self.reuse {
            None => ShouldAccept::Never,
            Some(reuse) if total >= number(reuse.requests) || Instant::now() >= self.ends => {
                ShouldAccept::Never
            }
            Some(reuse) if concurrent >= number(reuse.concurrent) => ShouldAccept::No,
            Some(_) => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, GuestState>,
        companion: Companion,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        self.budget.renew(self.cpu_time);
        // In an instance that others use, nobody knows for which request the program sends one.
        if self.reuse.is_none() {
            store.data_mut().set_trace(companion.trace);
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.permits.extend(companion.permits);
        held.version.get_or_insert(companion.version);
        drop(held);
        self.fate.join(&companion.fate);
        let (clock, limit) = (Arc::clone(&self.clock), companion.limit);
        Box::pin(async move {
            sleep(limit).await;
            clock.request_counts();
        })
    }

    fn drop(&self, store: Store<GuestState>, ended: Result<(), wasmtime::Error>) {
        let application = Arc::clone(store.data().application());
        if let Err(error) = ended {
            let (telemetry, failed) = (application.telemetry(), self.reason(&error));
            match &failed {
                Failed::Trap(trap) => telemetry.trapped(&application, EXPORT, *trap),
                // Its requests tell of it.
                Failed::Limit(limit) => {
                    let what = format!("the limit {limit} ended an instance");
                    telemetry.log(LogLevel::Debug, Some(application.label()), what);
                }
                _ => {
                    let what = format!("an instance ended: {error:#}");
                    telemetry.log(LogLevel::Warn, Some(application.label()), what);
                }
            }
            self.fate.tell(failed);
        }
        // The instance ends first, and then its place is free.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        application.finished((store, std::mem::take(&mut *held)));
    }
}
