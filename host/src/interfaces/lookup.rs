//! `wasi:sockets/ip-name-lookup` of 0.2 and 0.3, in place of the one of `wasmtime-wasi`, which
//! looks up every name. The rest of `wasi:sockets` asks
//! [`Sockets`](crate::outbound::Sockets::configure) before each use of an address.

use std::net::IpAddr;

use edgec_loader::wasmtime;
use edgec_loader::wasmtime::StoreContextMut;
use edgec_loader::wasmtime::component::{Accessor, Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::ErrorCode as ErrorCode3;
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress as IpAddress3;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;

use super::{Guest, sockets_of};
use crate::outbound::LookupError;

/// The names in the linker of `wasmtime-wasi`. A test compares them.
pub(super) const INTERFACE_2: &str = "wasi:sockets/ip-name-lookup@0.2.12";
pub(super) const INTERFACE_3: &str = "wasi:sockets/ip-name-lookup@0.3.0";

type Answer = Result<Vec<IpAddr>, LookupError>;

/// The resource `resolve-address-stream`. The lookup runs on its own, and ends with the resource.
enum AddressStream {
    Running(AbortOnDropJoinHandle<Answer>),
    Done(Result<std::vec::IntoIter<IpAddr>, ErrorCode>),
}

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(INTERFACE_2)?;
    instance.resource(
        "resolve-address-stream",
        ResourceType::host::<AddressStream>(),
        |mut store, index| {
            let stream = Resource::<AddressStream>::new_own(index);
            store.data_mut().imports().table.delete(stream)?;
            Ok(())
        },
    )?;
    instance.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, T>, (network, name): (Resource<Network>, String)| {
            let view = store.data_mut().imports();
            // The right to use the network at all.
            view.table.get(&network)?;
            let sockets = view.imports.sockets.clone();
            let lookup = wasmtime_wasi::runtime::spawn(async move { sockets.resolve(&name).await });
            let stream = view.table.push(AddressStream::Running(lookup))?;
            Ok((Ok::<_, ErrorCode>(stream),))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: StoreContextMut<'_, T>, (stream,): (Resource<AddressStream>,)| {
            let stream = store.data_mut().imports().table.get_mut(&stream)?;
            Ok((next(stream),))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: StoreContextMut<'_, T>, (stream,): (Resource<AddressStream>,)| {
            let pollable: Resource<DynPollable> =
                subscribe(store.data_mut().imports().table, stream)?;
            Ok((pollable,))
        },
    )?;

    let mut instance = linker.instance(INTERFACE_3)?;
    instance.func_wrap_concurrent(
        "resolve-addresses",
        |store: &Accessor<T>, (name,): (String,)| {
            Box::pin(async move {
                let sockets = store.with(|mut access| sockets_of(access.data_mut()));
                let answer = sockets.resolve(&name).await;
                let answer = answer.map(|all| all.into_iter().map(IpAddress3::from));
                let answer = answer.map(Iterator::collect::<Vec<_>>);
                Ok((answer.map_err(|error| code_3(&error)),))
            })
        },
    )
}

/// The next address, nothing after the last, or `would-block` while the lookup runs.
fn next(stream: &mut AddressStream) -> Result<Option<IpAddress>, ErrorCode> {
    match stream {
        AddressStream::Running(lookup) => {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match std::pin::Pin::new(lookup).poll(&mut context) {
                std::task::Poll::Pending => return Err(ErrorCode::WouldBlock),
                std::task::Poll::Ready(answer) => *stream = AddressStream::Done(done(answer)),
            }
            next(stream)
        }
        AddressStream::Done(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
        AddressStream::Done(Err(error)) => Err(*error),
    }
}

fn done(answer: Answer) -> Result<std::vec::IntoIter<IpAddr>, ErrorCode> {
    match answer {
        Ok(addresses) => Ok(addresses.into_iter()),
        Err(LookupError::Denied) => Err(ErrorCode::AccessDenied),
        Err(LookupError::Invalid) => Err(ErrorCode::InvalidArgument),
        Err(LookupError::Unresolvable) => Err(ErrorCode::NameUnresolvable),
        Err(LookupError::Temporary) => Err(ErrorCode::TemporaryResolverFailure),
    }
}

fn code_3(error: &LookupError) -> ErrorCode3 {
    match error {
        LookupError::Denied => ErrorCode3::AccessDenied,
        LookupError::Invalid => ErrorCode3::InvalidArgument,
        LookupError::Unresolvable => ErrorCode3::NameUnresolvable,
        LookupError::Temporary => ErrorCode3::TemporaryResolverFailure,
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for AddressStream {
    async fn ready(&mut self) {
        if let Self::Running(lookup) = self {
            *self = Self::Done(done(lookup.await));
        }
    }
}
