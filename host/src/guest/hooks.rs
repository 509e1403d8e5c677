//! Where the requests of programs go: through the host's own sender, with the trace of the request
//! for which they are made.

use std::sync::Arc;

use http::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::outbound::{HttpHooks, Outbound};
use crate::telemetry::TraceContext;

/// The hooks of `wasi:http` for one instance.
pub(super) struct Hooks {
    sender: HttpHooks,
    /// The trace of the request for which the program sends its own, if that is known.
    pub(super) trace: Option<TraceContext>,
}

impl Hooks {
    pub(super) fn new(outbound: &Arc<Outbound>) -> Self {
        Self {
            sender: HttpHooks::new(Arc::clone(outbound)),
            trace: None,
        }
    }
}

type Outcome<T> = Result<T, Error>;
type Later<T> = Box<dyn Future<Output = Outcome<T>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        processed: Later<()>,
    ) -> Later<(Response<WasiBody>, Later<()>)> {
        if let Some(trace) = &self.trace {
            trace.put_into_outbound(request.headers_mut());
        }
        self.sender.send_request(request, options, processed)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        super::kept::CHUNK
    }
}
