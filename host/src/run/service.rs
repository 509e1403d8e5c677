//! Programs of `wasi:http` 0.3. The engine's handler runs them: an instance for each request, or a
//! bounded number of requests in one, if the application allows it.
//!
//! The handler has a queue without a bound, but only requests that were let in get there. It may
//! not poll a request's own deadline while the program computes, so the deadline of the whole
//! instance is a second one, outside.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use edgec_loader::wasmtime::component::GuestTaskId;
use edgec_loader::wasmtime::{self, Store, StoreContextMut, Trap};
use http::Request;
use http::header::HOST;
use http::uri::{self, Authority};
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::handler::{
    ExpirationError, HandlerState, Instance, InstantiationError, Proxy, ProxyHandler, ShouldAccept,
    WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

use super::instance::{Budget, Processor, store};
use super::{Answer, Entered, Failed};
use crate::Limit;
use crate::LimitHit;
use crate::application::{Application, Sharing};
use crate::config::{LogLevel, Reuse};
use crate::guest::GuestState;
use crate::hit::Hit;
use crate::queue::Permits;
use crate::telemetry::TraceContext;
use crate::turn::Turn;

/// The export that is called for each request.
const EXPORT: &str = "wasi:http/handler@0.3#handle";

/// So much later than a request, its instance runs out of time. The request comes first, because
/// its answer names the limit.
const BEHIND: Duration = Duration::from_millis(50);

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
    limit: Duration,
    trace: TraceContext,
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
        version: _version,
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
    let permits = own;
    let companion = Companion {
        permits,
        limit,
        trace,
    };
    let request = absolute(request.map(http_body_util::BodyExt::boxed_unsync), &scheme);
    let answered = async {
        tokio::select! {
            biased;
            answered = handler.handle(companion, request) => answered,
            limit = hit.wait() => Err(wasmtime::Error::new(LimitHit(limit))),
        }
    };
    // The handler's own deadlines may come late.
    let answered = timeout(limit, answered).await;
    let permits = shared;
    match answered {
        Ok(Ok(response)) => Ok(Answer { response, permits }),
        Ok(Err(error)) => Err(reason(&error, &hit)),
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
        let deployed = application.deployed().ok_or_else(gone)?;
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
        let mut store = store(&deployed.engine, &application, &hit, processor, &turn);
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
        let idle = self.reuse.map_or(Duration::ZERO, |reuse| reuse.idle.get());
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: GuestState::http,
            expiration: Expiration {
                last: begin + last,
                wall_time,
                idle,
                hit,
                timer: Box::pin(sleep(idle)),
                turn,
            },
            state: Worker {
                reuse: self.reuse,
                ends: begin + life,
                cpu_time: limits.cpu_time.get(),
                budget,
                held: Mutex::new(Held(permits.into_iter().collect())),
            },
        })
    }
}

/// When an instance ends.
pub(crate) struct Expiration {
    last: Instant,
    wall_time: Duration,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    hit: Arc<Hit>,
    turn: Arc<Turn>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        // This is called whenever the instance waits.
        self.turn.end();
        let period = match status {
            WorkerStatus::Idle => self.idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.wall_time,
        };
        let deadline: tokio::time::Instant = self.last.min(start + period).into();
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        let expired = self.timer.as_mut().poll(cx);
        // A request without a response counts its own deadline.
        if expired.is_ready() && status == WorkerStatus::PostReturn {
            self.hit.set(Limit::WallTime);
        }
        expired
    }
}

/// The requests of one instance.
pub(crate) struct Worker {
    reuse: Option<Reuse>,
    /// When it takes no further request.
    ends: Instant,
    cpu_time: Duration,
    budget: Arc<Budget>,
    held: Mutex<Held>,
}

/// What an instance holds until it has ended.
struct Held(Vec<Permits>);

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
        held.0.extend(companion.permits);
        Box::pin(sleep(companion.limit))
    }

    fn drop(&self, store: Store<GuestState>, ended: Result<(), wasmtime::Error>) {
        if let Err(error) = ended {
            let application = store.data().application();
            let telemetry = application.telemetry();
            match error.downcast_ref::<Trap>() {
                Some(trap) => telemetry.trapped(application, EXPORT, *trap),
                None => {
                    let what = format!("an instance ended: {error:#}");
                    telemetry.log(LogLevel::Warn, Some(application.label()), what);
                }
            }
        }
        // The instance ends first, and then its place is free.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let application = Arc::clone(store.data().application());
        application.finished((store, std::mem::take(&mut held.0)));
    }
}
