//! Where the requests of programs go: through the host's own sender.

use std::sync::Arc;

use http::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::application::Application;

/// The hooks of `wasi:http` for one application.
pub(super) struct Hooks(Arc<Application>);

impl Hooks {
    pub(super) fn new(application: &Arc<Application>) -> Self {
        Self(Arc::clone(application))
    }
}

type Outcome<T> = Result<T, Error>;
type Later<T> = Box<dyn Future<Output = Outcome<T>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Later<()>,
    ) -> Later<(Response<WasiBody>, Later<()>)> {
        crate::outbound::send(Arc::clone(&self.0), request, options)
    }
}
