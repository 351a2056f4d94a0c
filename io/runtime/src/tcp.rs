//! TCP listeners and connection attempts.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::Pin;

use machine::{Endpoint, Interface};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::defaults::BACKLOG;

/// A connection attempt under way.
pub(crate) type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Listens on `local`; an IPv6 listener takes IPv6 alone.
pub(crate) fn listen(local: Endpoint, interface: Option<u32>) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(local.into());
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a server that was restarted linger in TIME-WAIT (RFC 9293 §3.6.1).
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&with_scope(local, interface).into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

/// A listener that was bound before we started.
pub(crate) fn inherited(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Connects to `remote`, from `local` if given.
pub(crate) fn connect(
    local: Option<Endpoint>,
    remote: Endpoint,
    interfaces: &[Interface],
) -> Connecting {
    let scope = local.and_then(|local| interface_of(local.ip(), interfaces));
    Box::pin(async move {
        let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(local) = local {
            socket.bind(with_scope(local, scope))?;
        }
        socket.connect(with_scope(remote, scope)).await
    })
}

/// The index of the interface that has the address `ip`.
fn interface_of(ip: IpAddr, interfaces: &[Interface]) -> Option<u32> {
    let has = |interface: &&Interface| interface.addresses.iter().any(|a| a.ip == ip);
    interfaces.iter().find(has).map(|interface| interface.index)
}

/// A link-local address means nothing without its interface (RFC 4007 §6).
fn with_scope(endpoint: Endpoint, interface: Option<u32>) -> SocketAddr {
    match (endpoint.ip(), interface) {
        (IpAddr::V6(ip), Some(interface)) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, endpoint.port(), 0, interface).into()
        }
        _ => endpoint.into(),
    }
}
