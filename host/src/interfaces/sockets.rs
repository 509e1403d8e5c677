//! The creation and the end of sockets of `wasi:sockets` 0.2 and 0.3, in place of those of
//! `wasmtime-wasi`, which bounds nothing. A socket takes a file descriptor of the process from its
//! creation, so it is counted from there, and not only when it connects.

use edgec_loader::wasmtime::component::{Linker, Resource, ResourceType};
use edgec_loader::wasmtime::{self, StoreContextMut};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket;
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp::HostUdpSocket;
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p2::{TcpSocket, UdpSocket};
use wasmtime_wasi::p3::bindings::sockets::types::{
    ErrorCode as ErrorCode3, HostTcpSocket as HostTcpSocket3, HostUdpSocket as HostUdpSocket3,
    IpAddressFamily as IpAddressFamily3,
};
use wasmtime_wasi::sockets::{
    TcpSocket as TcpSocket3, UdpSocket as UdpSocket3, WasiSocketsView as _,
};

use super::Guest;
use crate::outbound::Sockets;

/// The names in the linker of `wasmtime-wasi`. A test compares them.
pub(super) const CREATE_TCP: &str = "wasi:sockets/tcp-create-socket@0.2.12";
pub(super) const CREATE_UDP: &str = "wasi:sockets/udp-create-socket@0.2.12";
pub(super) const TCP: &str = "wasi:sockets/tcp@0.2.12";
pub(super) const UDP: &str = "wasi:sockets/udp@0.2.12";
pub(super) const TYPES_3: &str = "wasi:sockets/types@0.3.0";

/// What a program of 0.3 is told, which has no code for it.
const TOO_MANY: &str = "new-socket-limit";

pub(super) fn add_to_linker<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    tcp(linker)?;
    udp(linker)?;
    tcp_3(linker)?;
    udp_3(linker)
}

/// The sockets of the instance.
fn sockets<T: Guest>(store: &mut StoreContextMut<'_, T>) -> Sockets {
    store.data_mut().imports().imports.sockets.clone()
}

fn tcp<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let create = |mut store: StoreContextMut<'_, T>, (family,): (IpAddressFamily,)| {
        let sockets = sockets(&mut store);
        let Some(places) = sockets.create() else {
            return Ok((Err(ErrorCode::NewSocketLimit),));
        };
        match store.data_mut().sockets().create_tcp_socket(family) {
            Ok(socket) => {
                sockets.created(socket.rep(), places);
                Ok((Ok(socket),))
            }
            Err(error) => Ok((Err(error.downcast()?),)),
        }
    };
    linker
        .instance(CREATE_TCP)?
        .func_wrap("create-tcp-socket", create)?;
    let end = |mut store: StoreContextMut<'_, T>, number: u32| {
        let socket = Resource::<TcpSocket>::new_own(number);
        HostTcpSocket::drop(&mut store.data_mut().sockets(), socket)?;
        sockets(&mut store).closed(number);
        Ok(())
    };
    let ty = ResourceType::host::<TcpSocket>();
    linker.instance(TCP)?.resource("tcp-socket", ty, end)
}

fn udp<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.instance(CREATE_UDP)?.func_wrap_async(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, T>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                let sockets = sockets(&mut store);
                let Some(places) = sockets.create() else {
                    return Ok((Err(ErrorCode::NewSocketLimit),));
                };
                match store.data_mut().sockets().create_udp_socket(family).await {
                    Ok(socket) => {
                        sockets.created(socket.rep(), places);
                        Ok((Ok(socket),))
                    }
                    Err(error) => Ok((Err(error.downcast()?),)),
                }
            })
        },
    )?;
    let end = |mut store: StoreContextMut<'_, T>, number: u32| {
        let socket = Resource::<UdpSocket>::new_own(number);
        HostUdpSocket::drop(&mut store.data_mut().sockets(), socket)?;
        sockets(&mut store).closed(number);
        Ok(())
    };
    let ty = ResourceType::host::<UdpSocket>();
    linker.instance(UDP)?.resource("udp-socket", ty, end)
}

fn too_many() -> ErrorCode3 {
    ErrorCode3::Other(Some(TOO_MANY.to_owned()))
}

fn tcp_3<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let create = |mut store: StoreContextMut<'_, T>, (family,): (IpAddressFamily3,)| {
        let sockets = sockets(&mut store);
        let Some(places) = sockets.create() else {
            return Ok((Err(too_many()),));
        };
        match HostTcpSocket3::create(&mut store.data_mut().sockets(), family) {
            Ok(socket) => {
                sockets.created(socket.rep(), places);
                Ok((Ok(socket),))
            }
            Err(error) => Ok((Err(error.downcast()?),)),
        }
    };
    let mut types = linker.instance(TYPES_3)?;
    types.func_wrap("[static]tcp-socket.create", create)?;
    let end = |mut store: StoreContextMut<'_, T>, number: u32| {
        let socket = Resource::<TcpSocket3>::new_own(number);
        HostTcpSocket3::drop(&mut store.data_mut().sockets(), socket)?;
        sockets(&mut store).closed(number);
        Ok(())
    };
    types.resource("tcp-socket", ResourceType::host::<TcpSocket3>(), end)
}

fn udp_3<T: Guest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES_3)?;
    types.func_wrap_async(
        "[static]udp-socket.create",
        |mut store: StoreContextMut<'_, T>, (family,): (IpAddressFamily3,)| {
            Box::new(async move {
                let sockets = sockets(&mut store);
                let Some(places) = sockets.create() else {
                    return Ok((Err(too_many()),));
                };
                let mut view = store.data_mut().sockets();
                match HostUdpSocket3::create(&mut view, family).await {
                    Ok(socket) => {
                        sockets.created(socket.rep(), places);
                        Ok((Ok(socket),))
                    }
                    Err(error) => Ok((Err(error.downcast()?),)),
                }
            })
        },
    )?;
    let end = |mut store: StoreContextMut<'_, T>, number: u32| {
        let socket = Resource::<UdpSocket3>::new_own(number);
        HostUdpSocket3::drop(&mut store.data_mut().sockets(), socket)?;
        sockets(&mut store).closed(number);
        Ok(())
    };
    types.resource("udp-socket", ResourceType::host::<UdpSocket3>(), end)
}
