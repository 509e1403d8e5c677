//! Runs a program for a request: a new instance, or a place in a shared one.

mod expiration;
mod instance;
mod program;
mod proxy;
mod service;

use std::sync::Arc;

use edgec_loader::Loaded;
use http::{Request, Response};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use self::program::Form;
pub use self::program::Program;
use crate::application::Application;
use crate::body::RequestBody;
use crate::failed::Failed;
use crate::fate::Ending;
use crate::hit::Hit;
use crate::queue::Permits;
use crate::telemetry::TraceContext;

/// A request that was let in.
pub(crate) struct Entered {
    pub(crate) application: Arc<Application>,
    pub(crate) version: Arc<Loaded<Program>>,
    pub(crate) scheme: Scheme,
    pub(crate) request: Request<RequestBody>,
    pub(crate) permits: Permits,
    /// Its place in a trace, for what its program sends.
    pub(crate) trace: TraceContext,
    /// Gets the limit that the request hits.
    pub(crate) hit: Arc<Hit>,
}

/// The head of a program's response, and what is held until its body has ended.
pub(crate) struct Answer {
    pub(crate) response: Response<WasiBody>,
    pub(crate) permits: Option<Permits>,
    /// What becomes of the instance until then.
    pub(crate) ending: Ending,
}

/// Runs the program until it has sent the head of its response. It goes on in a task of its own.
pub(crate) async fn run(entered: Entered) -> Result<Answer, Failed> {
    let version = Arc::clone(&entered.version);
    match version.program().form() {
        Form::Proxy(program) => proxy::run(program, entered).await,
        Form::Service(handler, sharing) => service::run(handler, *sharing, entered).await,
    }
}
