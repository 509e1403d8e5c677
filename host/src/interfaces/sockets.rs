//! The creation and the end of sockets of `wasi:sockets` 0.2 and 0.3, in place of those of
//! `wasmtime-wasi`, which bounds nothing. A socket takes a file descriptor of the process from its
//! creation, so it is counted from there, and not only when it connects.

use std::error::Error;
use std::pin::Pin;

use edgec_loader::wasmtime::component::{
    ComponentType, Lift, Linker, Lower, Resource, ResourceType,
};
use edgec_loader::wasmtime::{self, StoreContextMut};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket;
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp::HostUdpSocket;
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p3::bindings::sockets::types::{
    ErrorCode as ErrorCode3, HostTcpSocket as HostTcpSocket3, HostUdpSocket as HostUdpSocket3,
};
use wasmtime_wasi::sockets::{WasiSocketsCtxView, WasiSocketsView as _};

use super::{Guest, sockets_of};

/// The names in the linker of `wasmtime-wasi`. A test compares them.
pub(super) const CREATE_TCP: &str = "wasi:sockets/tcp-create-socket@0.2.12";
pub(super) const CREATE_UDP: &str = "wasi:sockets/udp-create-socket@0.2.12";
pub(super) const TCP: &str = "wasi:sockets/tcp@0.2.12";
pub(super) const UDP: &str = "wasi:sockets/udp@0.2.12";
pub(super) const TYPES_3: &str = "wasi:sockets/types@0.3.0";

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let tcp = Kind {
        constructor: (CREATE_TCP, "create-tcp-socket"),
        resource: (TCP, "tcp-socket"),
        too_many: || ErrorCode::NewSocketLimit,
        create: |mut view, family| Box::pin(async move { view.create_tcp_socket(family) }),
        close: |mut view, socket| HostTcpSocket::drop(&mut view, socket),
    };
    let udp = Kind {
        constructor: (CREATE_UDP, "create-udp-socket"),
        resource: (UDP, "udp-socket"),
        too_many: || ErrorCode::NewSocketLimit,
        create: |mut view, family| Box::pin(async move { view.create_udp_socket(family).await }),
        close: |mut view, socket| HostUdpSocket::drop(&mut view, socket),
    };
    let tcp_3 = Kind {
        constructor: (TYPES_3, "[static]tcp-socket.create"),
        resource: (TYPES_3, "tcp-socket"),
        too_many: too_many_3,
        create: |mut view, family| {
            Box::pin(async move { HostTcpSocket3::create(&mut view, family) })
        },
        close: |mut view, socket| HostTcpSocket3::drop(&mut view, socket),
    };
    let udp_3 = Kind {
        constructor: (TYPES_3, "[static]udp-socket.create"),
        resource: (TYPES_3, "udp-socket"),
        too_many: too_many_3,
        create: |mut view, family| {
            Box::pin(async move { HostUdpSocket3::create(&mut view, family).await })
        },
        close: |mut view, socket| HostUdpSocket3::drop(&mut view, socket),
    };
    tcp.add_to_linker(linker)?;
    udp.add_to_linker(linker)?;
    tcp_3.add_to_linker(linker)?;
    udp_3.add_to_linker(linker)
}

/// Version 0.3 has no code for it. Its text is the name of the code of 0.2.
fn too_many_3() -> ErrorCode3 {
    ErrorCode3::Other(Some("new-socket-limit".to_owned()))
}

/// One kind of socket `S` in one version of `wasi:sockets`, for a family of addresses `F`. A
/// program gets `E` if there is no socket for it.
struct Kind<F, S: 'static, E> {
    /// The interface and the function that creates one.
    constructor: (&'static str, &'static str),
    /// The interface and the resource.
    resource: (&'static str, &'static str),
    /// What a program gets if there are too many.
    too_many: fn() -> E,
    /// How `wasmtime-wasi` creates one.
    create: for<'a> fn(WasiSocketsCtxView<'a>, F) -> Creation<'a, S, E>,
    /// How `wasmtime-wasi` closes one.
    close: fn(WasiSocketsCtxView<'_>, Resource<S>) -> wasmtime::Result<()>,
}

type Creation<'a, S, E> =
    Pin<Box<dyn Future<Output = Result<Resource<S>, TrappableError<E>>> + Send + 'a>>;

impl<F, S, E> Kind<F, S, E>
where
    F: ComponentType + Lift + Send + 'static,
    S: Send,
    E: ComponentType + Lower + Error + Send + Sync + 'static,
{
    /// Defines how such sockets are created and closed. In between, each has its places.
    fn add_to_linker<T: Guest>(self, linker: &mut Linker<T>) -> wasmtime::Result<()> {
        let Self {
            constructor,
            resource,
            too_many,
            create,
            close,
        } = self;
        linker.instance(constructor.0)?.func_wrap_async(
            constructor.1,
            move |mut store: StoreContextMut<'_, T>, (family,): (F,)| {
                Box::new(async move {
                    let sockets = sockets_of(store.data_mut());
                    let Some(places) = sockets.create() else {
                        return Ok((Err(too_many()),));
                    };
                    match create(store.data_mut().sockets(), family).await {
                        Ok(socket) => {
                            sockets.created(socket.rep(), places);
                            Ok((Ok(socket),))
                        }
                        Err(error) => Ok((Err(error.downcast()?),)),
                    }
                })
            },
        )?;
        let end = move |mut store: StoreContextMut<'_, T>, number: u32| {
            close(store.data_mut().sockets(), Resource::new_own(number))?;
            sockets_of(store.data_mut()).closed(number);
            Ok(())
        };
        linker
            .instance(resource.0)?
            .resource(resource.1, ResourceType::host::<S>(), end)
    }
}
