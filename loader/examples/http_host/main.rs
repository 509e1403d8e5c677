//! A host of `wasi:http/proxy` programs. It serves a program from a store by its name, each request
//! in a new instance, and takes newer versions while requests run.
//!
//! `cargo run -p edgec-loader --example http_host -- (--root KEY... | --no-root) (--state FILE |
//! --no-state) STORE NAME POLICY ADDRESS [SECONDS]`, for artifacts of `edgec build --profile edge`.
//! A request has ten seconds, or `SECONDS`. Each root key must have signed the policy (`edgec
//! policy sign`), and the host reads the policy again every second. The state file remembers the
//! newest policy. With it, the host refuses older policies, also after a restart, and the policy
//! must state a version.

mod failed;
mod log;
mod server;
#[path = "../common/trust.rs"]
mod trust;
mod wasi;

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use edgec_loader::store::{
    ArtifactStore, Deployment, Distrusted, Preparation, RefreshError, Refreshed, StoreError,
    Versions,
};
use edgec_loader::wasmtime::component::Linker;
use edgec_loader::{EngineProfile, HostEngine, Limits, LoadError, PoolPlan, error_chain, wasmtime};
use hyper::{Request, Response, body::Incoming};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::{ProxyPre, http::types::Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use self::failed::Failed;
use self::log::{log, say};
use self::server::End;

/// The dimensions of the pool: requests at one time, and the largest memory in bytes.
const INSTANCES: u32 = 100;
const MEMORY: u64 = 256 << 20;
/// The interval at which a computing program yields its thread.
const TICK: Duration = Duration::from_millis(10);
/// The interval at which the host reads the policy and the store again.
const REFRESH: Duration = Duration::from_secs(1);
/// If the last refresh is older, for instance because the disk does not answer, nothing is served.
const STALE_AFTER: Duration = Duration::from_secs(30);

struct Host {
    engine: HostEngine,
    deployment: Deployment<ProxyPre<wasi::Request>>,
    /// One permit for each instance in the pool.
    slots: Arc<Semaphore>,
    deadline: Duration,
}

impl Host {
    /// Opens the store. Also returns the address to listen at.
    fn open(arguments: &[String]) -> Result<(Self, &str), Box<dyn Error>> {
        let trust = trust::read(arguments)?;
        let rest = trust.rest;
        let [store, name, policy, address, seconds @ ..] = rest else {
            let options = trust::OPTIONS;
            let usage = format!("usage: http_host {options} STORE NAME POLICY ADDRESS [SECONDS]");
            return Err(usage.into());
        };
        let store = ArtifactStore::open(store)?;
        // A pool for every program that is in the store now.
        let current = store.manifests()?;
        for problem in &current.problems {
            log(format!("not planned for: {}", error_chain(&problem.error)));
        }
        let (plan, left_out) = PoolPlan::fitting_most(INSTANCES, MEMORY, &current.manifests);
        left_out
            .iter()
            .for_each(|error| log(format!("no pool for it: {error}")));
        let engine = HostEngine::builder(EngineProfile::Edge).limits(Limits::Pooled(plan));
        let engine = engine.build()?;
        let mut linker = Linker::new(&engine);
        // Except for `wasi:http` and clocks, an empty context allows nothing.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        let versions = Versions::in_store(&store, name.as_str());
        let preparation = Preparation::component_as(linker, ProxyPre::new);
        let deployment = Deployment::of(versions, &engine, trust.policy(policy), preparation)?;
        let host = Self {
            engine,
            deployment: deployment.stale_after(STALE_AFTER),
            slots: Arc::new(Semaphore::new(INSTANCES as usize)),
            deadline: Duration::from_secs(seconds.first().map_or(Ok(10), |text| text.parse())?),
        };
        Ok((host, address.as_str()))
    }

    /// Reads the policy again, and takes the version that the store has now.
    fn refresh(&self) -> Result<(), RefreshError> {
        if let Refreshed::Replaced { from, to } = self.deployment.refresh()? {
            say(format!("version {to} in place of {from}"));
        }
        Ok(())
    }

    async fn run(&self, request: Request<Incoming>) -> Result<Response<HyperOutgoingBody>, Failed> {
        // This waits while the pool is empty.
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let version = self.deployment.current().map_err(Failed::Distrusted)?;
        let mut store = wasmtime::Store::new(&self.engine, wasi::Request::new());
        // The program yields at each tick. Then the timeout below can end it.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let (sender, receiver) = oneshot::channel();
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request);
        let request = request.map_err(Failed::BadRequest)?;
        let response = http.new_response_outparam(sender);
        let response = response.map_err(Failed::Program)?;
        // A separate task, because the program goes on after it has sent the head of the response.
        let program = async move {
            // However the program ends, the instance is dropped first, and then its place is free.
            let _slot = slot;
            let mut store = store;
            let proxy = version.program().instantiate_async(&mut store).await?;
            let handler = proxy.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, response).await
        };
        let program = tokio::spawn(timeout(self.deadline, program));
        match receiver.await {
            Ok(response) => response.map_err(|code| Failed::Program(code.into())),
            // The program ended without a response.
            Err(_) => Err(match program.await {
                Ok(Ok(Ok(()))) => Failed::Program(wasmtime::Error::msg("no response")),
                Ok(Ok(Err(error))) => Failed::Program(error),
                Ok(Err(_)) => Failed::OutOfTime,
                Err(panic) => Failed::Program(panic.into()),
            }),
        }
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        self.run(request).await.unwrap_or_else(Failed::response)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(format!(
                "error[{}]: {}",
                code(&*error),
                error_chain(&*error)
            ));
            ExitCode::FAILURE
        }
    }
}

/// The stable code of the library's errors.
fn code(error: &(dyn Error + 'static)) -> &'static str {
    let load = error.downcast_ref().map(LoadError::code);
    let store = error.downcast_ref().map(StoreError::code);
    let trust = error.downcast_ref().map(Distrusted::code);
    load.or(store).or(trust).unwrap_or("host")
}

async fn serve(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let (host, address) = Host::open(arguments)?;
    let host = Arc::new(host);
    let _ticker = host.engine.tick(TICK);
    let refreshed = Arc::clone(&host);
    // Nothing is sent: if the thread ends, the sender is dropped, and the receiver notices.
    let (refreshing, refreshes_end) = oneshot::channel::<Infallible>();
    std::thread::spawn(move || {
        let _refreshing = refreshing;
        loop {
            std::thread::sleep(REFRESH);
            if let Err(error) = refreshed.refresh() {
                log(format!("refresh: {}", error_chain(&error)));
            }
        }
    });
    let listener = TcpListener::bind(address).await?;
    {
        let loaded = host.deployment.current()?;
        let (manifest, mode) = (loaded.manifest(), loaded.report().mode);
        let address = listener.local_addr()?;
        say(format!(
            "{} version {} ({mode}) at http://{address}",
            manifest.name, manifest.version
        ));
    }
    let deadline = host.deadline;
    let refreshes_end = async {
        let _ = refreshes_end.await;
    };
    let respond = move |request| Arc::clone(&host).respond(request);
    match server::serve(listener, deadline, refreshes_end, respond).await? {
        End::Terminated => Ok(()),
        // Otherwise the host would go on serving a program that was revoked meanwhile.
        End::Reason => Err("the thread that refreshes has ended".into()),
    }
}
