//! The part of `wasi:http` that the host decides: how a request is sent.

use std::sync::Arc;

use http::Request;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use super::Outbound;

/// The hooks of one request's instance. `outgoing-handler` of 0.2 and `client` of 0.3 both come
/// here.
#[derive(Clone, Debug)]
pub struct HttpHooks(Arc<Outbound>);

impl HttpHooks {
    /// Hooks that send what the rules of `outbound` allow.
    #[must_use]
    pub fn new(outbound: Arc<Outbound>) -> Self {
        Self(outbound)
    }
}

/// What `send_request` returns: a response, and what remains to be done for it.
type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ),
    HttpError,
>;

impl WasiHttpHooks for HttpHooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // Says how the guest has used the response, which changes nothing here.
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let outbound = Arc::clone(&self.0);
        Box::new(async move {
            let response = outbound.send(request, options).await?;
            // The connection works by itself, so nothing remains to be done.
            let done: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}
