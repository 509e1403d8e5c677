//! A host of `wasi:http/proxy` programs: serves one from a store by its name, each request in an
//! instance of its own, and takes newer versions while requests run.
//!
//! `cargo run -p edgec-loader --example http_host -- STORE NAME POLICY ADDRESS [SECONDS]`, for
//! artifacts of `edgec build --profile edge`; a request has ten seconds, or as many as are named.

#![expect(clippy::print_stderr, reason = "a program, not a library")]
#![expect(clippy::print_stdout, reason = "a program, not a library")]

mod failed;
mod server;
mod wasi;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use edgec_loader::store::{Deployment, PolicyFile, RefreshError, Refreshed, Store};
use edgec_loader::wasmtime::component::Linker;
use edgec_loader::{
    EngineProfile, HostEngine, Limits, LoadError, PoolPlan, engine, error_chain, wasmtime,
};
use hyper::{Request, Response, body::Incoming};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::{ProxyPre, http::types::Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use self::failed::Failed;

/// Requests at one time, and how far a memory may grow, in bytes: the dimensions of the pool.
const INSTANCES: u32 = 100;
const MEMORY: u64 = 256 << 20;
/// How often a program that computes lets go of its thread.
const TICK: Duration = Duration::from_millis(10);
/// How often policy and store are looked at.
const REFRESH: Duration = Duration::from_secs(1);

struct Host {
    engine: HostEngine,
    deployment: Deployment<wasi::Request, ProxyPre<wasi::Request>>,
    /// One for each instance that the pool has.
    slots: Arc<Semaphore>,
    deadline: Duration,
}

impl Host {
    fn open(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let [store, name, policy, _, seconds @ ..] = arguments else {
            return Err("usage: http_host STORE NAME POLICY ADDRESS [SECONDS]".into());
        };
        let store = Store::open(store)?;
        // A pool for everything that is in the store now.
        let (programs, unreadable) = store.manifests()?;
        for problem in &unreadable {
            eprintln!("not planned for: {}", problem.error);
        }
        let (plan, left_out) = PoolPlan::fitting_most(INSTANCES, MEMORY, &programs);
        left_out
            .iter()
            .for_each(|error| eprintln!("no pool for it: {error}"));
        let engine = engine(EngineProfile::Edge, &Limits::Pooled(plan))?;
        let mut linker = Linker::new(&engine);
        // Of all but `wasi:http` and clocks, an empty context allows nothing.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        // With `remembered_in`, no older policy is followed after a restart either.
        let policy = PolicyFile::new(policy);
        let name = name.as_str();
        let deployment = Deployment::with(&store, &engine, name, policy, linker, ProxyPre::new)?;
        Ok(Self {
            engine,
            deployment,
            slots: Arc::new(Semaphore::new(INSTANCES as usize)),
            deadline: Duration::from_secs(seconds.first().map_or(Ok(10), |text| text.parse())?),
        })
    }

    /// Reads the policy again, and takes what the store has now.
    fn refresh(&self) -> Result<(), RefreshError> {
        if let Refreshed::Replaced { from, to } = self.deployment.refresh()? {
            println!("version {to} in place of {from}");
        }
        Ok(())
    }

    async fn run(&self, request: Request<Incoming>) -> Result<Response<HyperOutgoingBody>, Failed> {
        // Waits while the pool is empty.
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let version = self.deployment.current().map_err(|_| Failed::Distrusted)?;
        let mut store = wasmtime::Store::new(&self.engine, wasi::Request::new());
        // At each tick the program yields: that is when the timeout below can end it.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let (sender, receiver) = oneshot::channel();
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request);
        let request = request.map_err(Failed::BadRequest)?;
        let response = http.new_response_outparam(sender);
        let response = response.map_err(Failed::Program)?;
        // A task of its own: it goes on when the head of the response was sent.
        let program = async move {
            // However it ends, first the instance goes, then its place is free.
            let _slot = slot;
            let mut store = store;
            let proxy = version.program().instantiate_async(&mut store).await?;
            let handler = proxy.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, response).await
        };
        let program = tokio::spawn(timeout(self.deadline, program));
        match receiver.await {
            Ok(response) => response.map_err(|code| Failed::Program(code.into())),
            // It ended without one.
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
            let code = error.downcast_ref().map_or("host", LoadError::code);
            eprintln!("error[{code}]: {}", error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let host = Arc::new(Host::open(arguments)?);
    let _ticker = host.engine.tick(TICK);
    let refreshed = Arc::clone(&host);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(REFRESH);
            if let Err(error) = refreshed.refresh() {
                eprintln!("refresh: {}", error_chain(&error));
            }
        }
    });
    let address = arguments.get(3).map_or("", String::as_str);
    let listener = TcpListener::bind(address).await?;
    {
        let loaded = host.deployment.current()?;
        let (manifest, mode) = (loaded.manifest(), loaded.report().mode);
        let address = listener.local_addr()?;
        println!(
            "{} version {} ({mode}) at http://{address}",
            manifest.name, manifest.version
        );
    }
    let deadline = host.deadline;
    server::serve(listener, deadline, move |request| {
        Arc::clone(&host).respond(request)
    })
    .await?;
    Ok(())
}
