//! What a program leaves in the host counts, whatever function it calls.

use edgec_loader::wasmtime::StoreContextMut;
use edgec_loader::wasmtime::component::Linker;
use edgec_loader::{EngineProfile, HostEngine};
use wasmtime_wasi_http::p3::bindings::http::types as v3;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use super::functions::{TYPES_2, TYPES_3};
use super::*;
use crate::guest::GuestState;
use crate::interfaces;

/// A wrong name would define a function that no program calls.
#[test]
fn every_function_stands_in_place_of_another() {
    let engine = HostEngine::builder(EngineProfile::Edge).build().unwrap();
    // Without the others, each name is free, so all of them can be defined.
    let mut alone = Linker::new(&engine);
    add_to_linker(&mut alone).unwrap();
    let mut linker: Linker<GuestState> = Linker::new(&engine);
    interfaces::add_to_linker(&mut linker).unwrap();
    let taken = |(interface, name): (&str, &str)| {
        let mut linker = linker.clone();
        let mut instance = linker.instance(interface).unwrap();
        instance
            .func_wrap(name, |_: StoreContextMut<'_, GuestState>, (): ()| Ok(()))
            .is_err()
    };
    for of_fields in ["from-list", "set", "append", "delete", "clone"] {
        let kind = if of_fields == "from-list" {
            "static"
        } else {
            "method"
        };
        let name = format!("[{kind}]fields.{of_fields}");
        assert!(taken((TYPES_2, &name)), "{name}");
        assert!(taken((TYPES_3, &name)), "{name}");
    }
    for name in [
        "[method]outgoing-request.set-method",
        "[method]outgoing-request.set-authority",
        "[method]outgoing-request.set-path-with-query",
        "[method]outgoing-request.body",
        "[method]outgoing-response.body",
        "[static]outgoing-body.finish",
    ] {
        assert!(taken((TYPES_2, name)), "{name}");
    }
    for name in [
        "[method]fields.get-and-delete",
        "[method]request.set-method",
        "[method]request.set-authority",
        "[method]request.set-path-with-query",
    ] {
        assert!(taken((TYPES_3, name)), "{name}");
    }
    assert!(!taken((TYPES_2, "[method]fields.no-such-function")));
}

/// Nothing is sent here.
struct Unsent;

type Later<T> = Box<dyn Future<Output = std::result::Result<T, Error>> + Send>;

impl WasiHttpHooks for Unsent {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Later<()>,
    ) -> Later<(http::Response<WasiBody>, Later<()>)> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

/// Runs `act` on a table with the engine's own functions, and returns what the host keeps then.
fn kept(act: impl FnOnce(&mut WasiHttpCtxView<'_>)) -> usize {
    let (mut ctx, mut table) = (WasiHttpCtx::new(), ResourceTable::new());
    act(&mut WasiHttpCtxView {
        hooks: &mut Unsent,
        table: &mut table,
        ctx: &mut ctx,
    });
    measure(&mut table)
}

#[test]
fn fields_and_texts_and_bodies_are_measured() {
    assert_eq!(kept(|_| {}), 0);
    let fields = |view: &mut WasiHttpCtxView<'_>| {
        let list = vec![("name".to_owned(), vec![b'x'; 10_000]); 3];
        v2::HostFields::from_list(view, list).unwrap()
    };
    let some = kept(|view| _ = fields(view));
    assert!((30_000..35_000).contains(&some), "{some}");
    let in_a_request = kept(|view| {
        let fields = fields(view);
        let request = v2::HostOutgoingRequest::new(view, fields).unwrap();
        let request = || Resource::new_borrow(request.rep());
        let method = v2::Method::Other("m".repeat(1000));
        v2::HostOutgoingRequest::set_method(view, request(), method)
            .unwrap()
            .unwrap();
        let path = Some(format!("/{}", "p".repeat(60_000)));
        v2::HostOutgoingRequest::set_path_with_query(view, request(), path)
            .unwrap()
            .unwrap();
        v2::HostOutgoingRequest::body(view, request())
            .unwrap()
            .unwrap();
    });
    assert_eq!(in_a_request, some + 1000 + 60_001 + 2 * BODY);
    let dropped = kept(|view| {
        let fields = fields(view);
        v2::HostFields::drop(view, fields).unwrap();
    });
    assert_eq!(dropped, 0);
}

#[test]
fn removed_fields_leave_their_places() {
    let removed = kept(|view| {
        let list = (0..500)
            .map(|number| (format!("n{number}"), Vec::new()))
            .collect();
        let fields = v3::HostFields::from_list(view, list).unwrap();
        for number in 0..500 {
            let fields = Resource::new_borrow(fields.rep());
            v3::HostFields::delete(view, fields, format!("n{number}")).unwrap();
        }
    });
    assert!(removed >= 500 * 104, "{removed}");
}
