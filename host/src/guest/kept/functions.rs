//! The functions of `wasi:http` that let a program leave bytes in the host, in place of those of
//! `wasmtime-wasi-http`. Each counts its bytes first, and then does the same.

use edgec_loader::wasmtime::component::{
    ComponentNamedList, Lift, Linker, Lower, Resource, ResourceTable,
};
use edgec_loader::wasmtime::{Result, StoreContextMut};
use wasmtime_wasi_http::p2::bindings::http::types as v2;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::p3::bindings::http::types as v3;
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView as _, p3};

use super::{BODY, Fields, field, length, map, measure, method_2, removed};
use crate::guest::GuestState;

/// The names in the linker of `wasmtime-wasi-http`. A test compares them.
pub(super) const TYPES_2: &str = "wasi:http/types@0.2.12";
pub(super) const TYPES_3: &str = "wasi:http/types@0.3.0";

type Request2 = Resource<HostOutgoingRequest>;
type Request3 = Resource<p3::Request>;

/// What a call leaves in the host, in bytes.
#[derive(Clone, Copy)]
struct Left {
    /// Until it is dropped.
    kept: usize,
    /// What cannot be measured later, so it counts to the end of the instance.
    hidden: usize,
}

impl Left {
    fn kept(kept: usize) -> Self {
        Self { kept, hidden: 0 }
    }
}

/// What a call leaves, by its parameters.
type Weigh<P> = fn(&ResourceTable, &P) -> Left;
/// What `wasmtime-wasi-http` does.
type Call<P, R> = fn(WasiHttpCtxView<'_>, P) -> Result<R>;

/// Puts a function in place of the one with this name.
fn weighed<P, R>(
    linker: &mut Linker<GuestState>,
    (interface, name): (&str, &str),
    weigh: Weigh<P>,
    call: Call<P, R>,
) -> Result<()>
where
    P: ComponentNamedList + Lift + Send + Sync + 'static,
    R: ComponentNamedList + Lower + Send + Sync + 'static,
{
    let weighed = move |mut store: StoreContextMut<'_, GuestState>, params: P| {
        let state = store.data_mut();
        let Left { kept, hidden } = weigh(&state.table, &params);
        let GuestState { limiter, table, .. } = state;
        limiter.keep(kept, hidden, || measure(table))?;
        call(state.http(), params)
    };
    linker.instance(interface)?.func_wrap(name, weighed)
}

/// The error of a program is its result, and any other one is a trap.
macro_rules! or_trap {
    ($outcome:expr) => {
        match $outcome {
            Ok(value) => Ok(value),
            Err(error) => Err(error.downcast()?),
        }
    };
}

/// The functions of fields, which are the same in both versions.
macro_rules! fields {
    ($linker:ident, $types:expr, $version:ident, $delete:literal, $deleted:ident) => {
        weighed(
            $linker,
            ($types, "[static]fields.from-list"),
            |_, (list,): &(Vec<(String, Vec<u8>)>,)| {
                Left::kept(
                    list.iter()
                        .map(|(name, value)| field(name.len(), value.len()))
                        .sum(),
                )
            },
            |mut view, (list,)| Ok((or_trap!($version::HostFields::from_list(&mut view, list)),)),
        )?;
        weighed(
            $linker,
            ($types, "[method]fields.set"),
            |table, (fields, name, values): &(Fields, String, Vec<Vec<u8>>)| Left {
                kept: values
                    .iter()
                    .map(|value| field(name.len(), value.len()))
                    .sum(),
                hidden: removed(table, fields, name),
            },
            |mut view, (fields, name, values)| {
                Ok((or_trap!($version::HostFields::set(
                    &mut view, fields, name, values
                )),))
            },
        )?;
        weighed(
            $linker,
            ($types, "[method]fields.append"),
            |_, (_, name, value): &(Fields, String, Vec<u8>)| {
                Left::kept(field(name.len(), value.len()))
            },
            |mut view, (fields, name, value)| {
                Ok((or_trap!($version::HostFields::append(
                    &mut view, fields, name, value
                )),))
            },
        )?;
        weighed(
            $linker,
            ($types, $delete),
            |table, (fields, name): &(Fields, String)| Left {
                kept: 0,
                hidden: removed(table, fields, name),
            },
            |mut view, (fields, name)| {
                Ok((or_trap!($version::HostFields::$deleted(
                    &mut view, fields, name
                )),))
            },
        )?;
        weighed(
            $linker,
            ($types, "[method]fields.clone"),
            // The copy shares the fields until it changes.
            |table, (fields,): &(Fields,)| Left::kept(table.get(fields).map_or(0, |it| map(it))),
            |mut view, (fields,)| Ok(($version::HostFields::clone(&mut view, fields)?,)),
        )?;
    };
}

/// Puts the functions that count into a linker that has those of `wasmtime-wasi-http`, and that
/// allows it.
pub(crate) fn add_to_linker(linker: &mut Linker<GuestState>) -> Result<()> {
    fields!(linker, TYPES_2, v2, "[method]fields.delete", delete);
    fields!(linker, TYPES_3, v3, "[method]fields.delete", delete);
    weighed(
        linker,
        (TYPES_3, "[method]fields.get-and-delete"),
        |table, (fields, name): &(Fields, String)| Left {
            kept: 0,
            hidden: removed(table, fields, name),
        },
        |mut view, (fields, name)| {
            let deleted = v3::HostFields::get_and_delete(&mut view, fields, name);
            Ok((or_trap!(deleted),))
        },
    )?;
    texts_of_2(linker)?;
    texts_of_3(linker)?;
    bodies(linker)
}

/// The texts of requests of 0.2.
fn texts_of_2(linker: &mut Linker<GuestState>) -> Result<()> {
    weighed(
        linker,
        (TYPES_2, "[method]outgoing-request.set-method"),
        |_, (_, method): &(Request2, v2::Method)| Left::kept(method_2(method)),
        |mut view, (request, method)| {
            Ok((v2::HostOutgoingRequest::set_method(
                &mut view, request, method,
            )?,))
        },
    )?;
    weighed(
        linker,
        (TYPES_2, "[method]outgoing-request.set-authority"),
        |_, (_, text): &(Request2, Option<String>)| Left::kept(length(text)),
        |mut view, (request, text)| {
            Ok((v2::HostOutgoingRequest::set_authority(
                &mut view, request, text,
            )?,))
        },
    )?;
    weighed(
        linker,
        (TYPES_2, "[method]outgoing-request.set-path-with-query"),
        |_, (_, text): &(Request2, Option<String>)| Left::kept(length(text)),
        |mut view, (request, text)| {
            Ok((v2::HostOutgoingRequest::set_path_with_query(
                &mut view, request, text,
            )?,))
        },
    )
}

/// The texts of requests of 0.3.
fn texts_of_3(linker: &mut Linker<GuestState>) -> Result<()> {
    weighed(
        linker,
        (TYPES_3, "[method]request.set-method"),
        |_, (_, method): &(Request3, v3::Method)| match method {
            v3::Method::Other(name) => Left::kept(name.len()),
            _ => Left::kept(0),
        },
        |mut view, (request, method)| {
            Ok((v3::HostRequest::set_method(&mut view, request, method)?,))
        },
    )?;
    weighed(
        linker,
        (TYPES_3, "[method]request.set-authority"),
        |_, (_, text): &(Request3, Option<String>)| Left::kept(length(text)),
        |mut view, (request, text)| {
            Ok((v3::HostRequest::set_authority(&mut view, request, text)?,))
        },
    )?;
    weighed(
        linker,
        (TYPES_3, "[method]request.set-path-with-query"),
        |_, (_, text): &(Request3, Option<String>)| Left::kept(length(text)),
        |mut view, (request, text)| {
            Ok((v3::HostRequest::set_path_with_query(
                &mut view, request, text,
            )?,))
        },
    )
}

/// The bodies of 0.2. Those of 0.3 stay in the program until they are read.
fn bodies(linker: &mut Linker<GuestState>) -> Result<()> {
    weighed(
        linker,
        (TYPES_2, "[method]outgoing-request.body"),
        |_, _: &(Request2,)| Left::kept(2 * BODY),
        |mut view, (request,)| Ok((v2::HostOutgoingRequest::body(&mut view, request)?,)),
    )?;
    weighed(
        linker,
        (TYPES_2, "[method]outgoing-response.body"),
        |_, _: &(Resource<HostOutgoingResponse>,)| Left::kept(2 * BODY),
        |mut view, (response,)| Ok((v2::HostOutgoingResponse::body(&mut view, response)?,)),
    )?;
    weighed(
        linker,
        (TYPES_2, "[static]outgoing-body.finish"),
        // Trailers wait in the body, where nobody sees them.
        |table, (_, trailers): &(Resource<HostOutgoingBody>, Option<Fields>)| Left {
            kept: 0,
            hidden: trailers
                .as_ref()
                .map_or(0, |it| table.get(it).map_or(0, |it| map(it))),
        },
        |mut view, (body, trailers)| {
            let finished = v2::HostOutgoingBody::finish(&mut view, body, trailers);
            Ok((or_trap!(finished),))
        },
    )
}
