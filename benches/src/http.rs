//! A host of `wasi:http/proxy` programs, which answers one request at a time.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::{Request, Response};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::{ProxyPre, http::types::Scheme};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView};
use wasmtime_wasi_http::{WasiHttpHooks, WasiHttpView};

/// A host without an engine, so that everything that a program needs is measured.
pub struct Host(Runtime);

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

impl Default for Host {
    fn default() -> Self {
        Self(Builder::new_current_thread().enable_all().build().unwrap())
    }
}

impl Host {
    /// Links a loaded component, makes an instance, and lets it answer a request. Returns after the
    /// last byte of the answer. `None` if the component does not answer requests.
    pub fn first_answer(&self, engine: &Engine, component: &Component) -> Option<Answer> {
        let mut linker = Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        let proxy = ProxyPre::new(linker.instantiate_pre(component).ok()?).ok()?;
        Some(self.0.block_on(answer(engine, &proxy)))
    }
}

async fn answer(engine: &Engine, proxy: &ProxyPre<State>) -> Answer {
    let mut store = Store::new(engine, State::new());
    store.set_epoch_deadline(1 << 40);
    let (sender, receiver) = oneshot::channel();
    let request = Request::get("http://bench.test/path?query=1");
    let request = request
        .body(Empty::<Bytes>::new().map_err(|never: Infallible| -> Error { match never {} }));
    let mut http = store.data_mut().http();
    let request = http
        .new_incoming_request(Scheme::Http, request.unwrap())
        .unwrap();
    let outparam = http.new_response_outparam(sender).unwrap();
    let instance = proxy.instantiate_async(&mut store).await.unwrap();
    let handler = instance.wasi_http_incoming_handler();
    let program = handler.call_handle(&mut store, request, outparam);
    // The program writes its body while the host reads it.
    let response = async {
        let response = receiver.await.unwrap().unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body }
    };
    let (ended, answer) = tokio::join!(program, response);
    ended.unwrap();
    answer
}

/// The state of one request.
struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NothingOutside,
    table: ResourceTable,
}

impl State {
    fn new() -> Self {
        Self {
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NothingOutside,
            table: ResourceTable::new(),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = (&mut self.wasi, &mut self.table);
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (ctx, hooks, table) = (&mut self.http, &mut self.hooks, &mut self.table);
        WasiHttpCtxView { ctx, hooks, table }
    }
}

/// Programs cannot make requests of their own.
struct NothingOutside;

type Outcome<T> = Result<T, Error>;
type Later<T> = Box<dyn Future<Output = Outcome<T>> + Send>;

impl WasiHttpHooks for NothingOutside {
    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Later<()>,
    ) -> Later<(Response<WasiBody>, Later<()>)> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
