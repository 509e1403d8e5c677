//! A whole host: verifies an artifact and runs the `wasi:cli` command in it.
//!
//! `cargo run -p edgec-loader --example host -- key.pub.pem app.x86_64.cwasm`

use edgec_loader::{
    EngineProfile, Expected, Limits, PublicKey, TrustPolicy, TrustedKey, engine, load,
};
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

struct Request {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Request {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (ctx, table) = (&mut self.wasi, &mut self.table);
        WasiCtxView { ctx, table }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(key), Some(artifact)) = (arguments.next(), arguments.next()) else {
        return Err("usage: host PUBLIC_KEY ARTIFACT".into());
    };

    // Whom this host trusts: one signature by this key.
    let key = PublicKey::from_pem(&std::fs::read_to_string(key)?)?;
    let name = "release".to_owned();
    let policy = TrustPolicy::new(vec![TrustedKey { name, key }], 1)?;

    // Once a process: the engine that artifacts of the default profile fit.
    let engine = engine(EngineProfile::Default, &Limits::OnDemand)?;
    let mut linker = Linker::<Request>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;

    // Once an artifact: verified, and kept where nobody can change it.
    let loaded = load(&engine, artifact, &policy, &Expected::anything())?;

    // Once a request.
    let request = Request {
        wasi: WasiCtx::builder().inherit_stdout().build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(&engine, request);
    let command = Command::instantiate(&mut store, loaded.program(), &linker)?;
    let result = command.wasi_cli_run().call_run(&mut store)?;
    result.map_err(|()| "the program failed".into())
}
