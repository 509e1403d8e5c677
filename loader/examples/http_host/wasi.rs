//! The parts of its host that a program sees: one request, clocks, random numbers, standard error;
//! nothing else.

use edgec_loader::wasmtime::component::ResourceTable;
use hyper::Response;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView};
use wasmtime_wasi_http::{WasiHttpHooks, WasiHttpView};

/// The state of one request.
pub(crate) struct Request {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NothingOutside,
    table: ResourceTable,
}

impl Request {
    pub(crate) fn new() -> Self {
        Self {
            wasi: WasiCtx::builder().inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            hooks: NothingOutside,
            table: ResourceTable::new(),
        }
    }
}

impl WasiView for Request {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = (&mut self.wasi, &mut self.table);
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for Request {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (ctx, hooks, table) = (&mut self.http, &mut self.hooks, &mut self.table);
        WasiHttpCtxView { ctx, hooks, table }
    }
}

/// Programs of this host cannot make requests of their own. The feature `default-send-request` of
/// `wasmtime-wasi-http` has hooks that allow it.
struct NothingOutside;

type Outcome<T> = Result<T, Error>;
type Later<T> = Box<dyn Future<Output = Outcome<T>> + Send>;

impl WasiHttpHooks for NothingOutside {
    fn send_request(
        &mut self,
        _: hyper::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Later<()>,
    ) -> Later<(Response<WasiBody>, Later<()>)> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
