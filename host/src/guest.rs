//! What the store of an instance holds: the parts of the host that a program sees.

mod hooks;
pub(crate) mod kept;
mod limiter;
mod output;

use std::sync::Arc;

use edgec_loader::wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use self::hooks::Hooks;
pub(crate) use self::limiter::Limiter;
use self::output::Output;
use crate::application::Application;
use crate::config::count;
use crate::hit::Hit;
use crate::interfaces::{Guest, Imports, ImportsView};
use crate::telemetry::TraceContext;

/// What the store of an instance holds. A request has an instance of its own, unless its
/// application reuses instances.
pub struct GuestState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    table: ResourceTable,
    /// After the table, which has the instance's sockets: their places are free when they are
    /// closed.
    imports: Imports,
    limiter: Limiter,
    application: Arc<Application>,
}

impl GuestState {
    /// The state of a new instance. `hit` gets the limit that the instance hits.
    pub(crate) fn new(application: &Arc<Application>, hit: &Arc<Hit>) -> Self {
        let limits = application.limits();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Output::new(application, "stdout"));
        wasi.stderr(Output::new(application, "stderr"));
        for (name, value) in &application.config().environment {
            wasi.env(name, value);
        }
        let services = application.services();
        let sockets = services.sockets();
        sockets.configure(&mut wasi);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.fields.as_usize());
        let mut table = ResourceTable::new();
        table.set_max_capacity(count(limits.resources));
        Self {
            wasi: wasi.build(),
            http,
            hooks: Hooks::new(services.outbound()),
            imports: Imports::new(Arc::clone(services.shared()), sockets),
            table,
            limiter: Limiter::new(limits, application.memory(), hit),
            application: Arc::clone(application),
        }
    }

    /// The application.
    pub fn application(&self) -> &Arc<Application> {
        &self.application
    }

    /// What the program sends from now on belongs to this trace.
    pub(crate) fn set_trace(&mut self, trace: TraceContext) {
        self.hooks.trace = Some(trace);
    }

    pub(crate) fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = (&mut self.wasi, &mut self.table);
        WasiCtxView { ctx, table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (ctx, hooks, table) = (&mut self.http, &mut self.hooks, &mut self.table);
        WasiHttpCtxView { ctx, hooks, table }
    }
}

impl Guest for GuestState {
    fn imports(&mut self) -> ImportsView<'_> {
        let (imports, table) = (&mut self.imports, &mut self.table);
        ImportsView { imports, table }
    }
}
