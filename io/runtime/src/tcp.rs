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
    share_port(&socket)?;
    TcpListener::from_std(socket.into())
}

/// Lets connections go out from a listener's port, as RFC 6062 §5.2 wants it of relayed addresses.
///
/// Set once the listener listens: another listener on the port is refused as ever, since it does
/// not share at its own bind, and Linux compares what both sockets say at that time.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn share_port(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn share_port(_: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

/// A listener that was bound before we started.
pub(crate) fn inherited(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Connects to `remote`, from `local` if given. Many connections may go out from one port, one of
/// a listener too.
pub(crate) fn connect(
    local: Option<Endpoint>,
    remote: Endpoint,
    interfaces: &[Interface],
) -> Connecting {
    let scope = local.and_then(|local| interface_of(local.ip(), interfaces));
    Box::pin(async move {
        let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(local) = local {
            #[cfg(unix)]
            if local.port() != 0 {
                socket.set_reuseaddr(true)?;
                #[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
                socket.set_reuseport(true)?;
            }
            socket.bind(with_scope(local, scope)).map_err(|error| no_port(error, local))?;
        }
        let connected = socket.connect(with_scope(remote, scope)).await;
        let any_port = local.is_none_or(|local| local.port() == 0);
        connected.map_err(|error| match error.kind() {
            // IPv6 says the same of a host that has no address to send from.
            io::ErrorKind::AddrNotAvailable if any_port && remote.is_ipv4() => exhausted(),
            _ => error,
        })
    })
}

/// Why binding to `local` failed: where any port would have done, none was left.
pub(crate) fn no_port(error: io::Error, local: Endpoint) -> io::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse if local.port() == 0 => exhausted(),
        _ => error,
    }
}

fn exhausted() -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, "no port is left")
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
