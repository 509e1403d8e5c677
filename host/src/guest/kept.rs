//! What the host keeps for a program outside of the program's own memories: header fields, the
//! texts of requests, and bodies that wait. It counts like the program's memory.
//!
//! What is counted is an upper bound: the [functions] that let a program leave bytes in the host
//! add them, and bytes that the host has dropped count until the bound is reached. Only then the
//! host [measures](measure) what is still there.

mod functions;

use std::any::Any;

use edgec_loader::wasmtime::component::{Resource, ResourceTable};
use http::HeaderMap;
use wasmtime_wasi_http::p2::bindings::http::types as v2;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::{FieldMap, p3};

pub(crate) use self::functions::add_to_linker;

/// The bytes that a program writes at a time to a body of 0.2, at most. The engine's default of
/// 1 MiB lets each body keep 2 MiB.
pub(super) const CHUNK: usize = 64 << 10;
/// A body of 0.2 keeps two writes until somebody reads it.
const BODY: usize = 2 * CHUNK;
/// What a field takes beside its bytes, in a map that grows.
const FIELD: usize = 256;

type Fields = Resource<FieldMap>;

/// What the host keeps now, in bytes.
fn measure(table: &mut ResourceTable) -> usize {
    table.iter_mut().map(|entry| weight(entry)).sum()
}

fn weight(entry: &(dyn Any + Send)) -> usize {
    let body = |is_there: bool| if is_there { BODY } else { 0 };
    if let Some(fields) = entry.downcast_ref::<FieldMap>() {
        map(fields)
    } else if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        let texts = length(&request.authority) + length(&request.path_with_query);
        let body = body(request.body.is_some());
        map(&request.headers) + method_2(&request.method) + texts + body
    } else if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
        map(&response.headers) + body(response.body.is_some())
    } else if entry.is::<HostOutgoingBody>() || entry.is::<HostFutureIncomingResponse>() {
        BODY
    } else if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
        map(&response.headers)
    } else if let Some(request) = entry.downcast_ref::<p3::Request>() {
        let authority = request.authority.as_ref().map_or(0, |it| it.as_str().len());
        let path = request
            .path_with_query
            .as_ref()
            .map_or(0, |it| it.as_str().len());
        map(&request.headers) + request.method.as_str().len() + authority + path
    } else if let Some(response) = entry.downcast_ref::<p3::Response>() {
        map(&response.headers)
    } else {
        // The rest is small. `resources` bounds how many there are.
        0
    }
}

fn map(fields: &HeaderMap) -> usize {
    let all = fields.iter();
    let bytes: usize = all
        .map(|(name, value)| field(name.as_str().len(), value.len()))
        .sum();
    // Places of fields that were removed stay.
    bytes + FIELD * fields.capacity().saturating_sub(fields.len())
}

fn field(name: usize, value: usize) -> usize {
    name + value + FIELD
}

/// The places of values after the first of a name. They stay when the values are removed.
fn removed(table: &ResourceTable, fields: &Fields, name: &str) -> usize {
    let values = table
        .get(fields)
        .map_or(0, |it| it.get_all(name).iter().count());
    FIELD * values.saturating_sub(1)
}

fn length(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn method_2(method: &v2::Method) -> usize {
    match method {
        v2::Method::Other(name) => name.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
