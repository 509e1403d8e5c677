//! Outbound requests of programs. This sender refuses all of them.

use http::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use std::sync::Arc;

use crate::config::ApplicationConfig;
use crate::{Application, HostError, Limit};

/// What one application may connect to, and its connections.
#[derive(Debug)]
pub struct Outbound(());

impl Outbound {
    /// The rules of an application.
    ///
    /// # Errors
    ///
    /// [`HostError`] if the machine lacks what they need.
    pub fn new(_config: &ApplicationConfig) -> Result<Self, HostError> {
        Ok(Self(()))
    }
}

/// The rest of an exchange: the end of the connection.
pub type Exchange = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Sends a request of an application, and returns the response and the rest of the exchange.
pub fn send(
    application: Arc<Application>,
    _request: Request<WasiBody>,
    _options: Option<RequestOptions>,
) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Exchange), Error>> + Send> {
    let telemetry = Arc::clone(application.telemetry());
    Box::new(async move {
        telemetry.limit_hit(Some(&application), Limit::OutboundDenied);
        Err(Error::HttpRequestDenied)
    })
}

/// Sets what a program may do with `wasi:sockets`: nothing.
pub(crate) fn restrict(wasi: &mut wasmtime_wasi::WasiCtxBuilder, _application: &Arc<Application>) {
    wasi.allow_tcp(false);
    wasi.allow_udp(false);
    wasi.allow_ip_name_lookup(false);
}
