//! One UDP socket.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use machine::Endpoint;
use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};

use crate::Batch;
use crate::defaults::{RECEIVE_BUFFER_LEN, SEND_BUFFER_LEN};

/// A UDP socket that never blocks; `S` is whatever owns the descriptor.
#[derive(Debug)]
pub struct Socket<S = UdpSocket> {
    socket: S,
    state: UdpSocketState,
    local: Endpoint,
    interface: Option<NonZeroU32>,
    /// Whether datagrams may not be fragmented, as the kernel knows it.
    whole: AtomicBool,
}

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// The source address, for a socket that is bound to every interface.
    pub source: Option<IpAddr>,
    /// Where to.
    pub remote: Endpoint,
    /// `Some(n)`: cut the payload into datagrams of `n` bytes, the last may be shorter.
    pub segment_size: Option<usize>,
    /// The payload.
    pub bytes: &'a [u8],
}

impl Socket {
    /// Binds a socket to `local`, only on `interface` (its index) if one is given.
    ///
    /// An IPv6 socket takes IPv6 alone (RFC 3493 §5.3), so that one port serves both families with
    /// two sockets. Datagrams above the path's MTU are fragmented, as SIP over UDP may need.
    ///
    /// # Errors
    /// What the operating system says: the address is taken, is not ours, needs a privilege.
    pub fn bind(local: Endpoint, interface: Option<u32>) -> io::Result<Self> {
        let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        let interface = interface.and_then(NonZeroU32::new);
        if interface.is_some() && !is_link_local(local.ip()) {
            bind_to_device(&socket, local, interface)?;
        }
        socket.bind(&scoped(local, interface).into())?;
        Self::prepare(socket.into(), interface)
    }

    /// Takes a socket that is bound already, an inherited one for example.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn adopt(socket: UdpSocket) -> io::Result<Self> {
        Self::prepare(socket, None)
    }

    /// Sets the options that every socket of ours has.
    fn prepare(socket: UdpSocket, interface: Option<NonZeroU32>) -> io::Result<Self> {
        let options = socket2::SockRef::from(&socket);
        // The kernel caps these by its own settings.
        let _ = options.set_recv_buffer_size(RECEIVE_BUFFER_LEN);
        let _ = options.set_send_buffer_size(SEND_BUFFER_LEN);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = Endpoint::from(socket.local_addr()?);
        set_whole(&socket, local, false)?;
        #[cfg(target_os = "linux")]
        crate::icmp::enable(&socket, local)?;
        Ok(Self { socket, state, local, interface, whole: AtomicBool::new(false) })
    }
}

impl<S: AsFd> Socket<S> {
    /// Hands the descriptor to another owner, a runtime's for one.
    ///
    /// # Errors
    /// What `owner` says.
    pub fn try_map<T: AsFd>(self, owner: impl FnOnce(S) -> io::Result<T>) -> io::Result<Socket<T>> {
        let Self { socket, state, local, interface, whole } = self;
        Ok(Socket { socket: owner(socket)?, state, local, interface, whole })
    }

    /// The descriptor's owner, to wait with.
    #[must_use]
    pub const fn owner(&self) -> &S {
        &self.socket
    }

    /// The address that it is bound to, port included.
    #[must_use]
    pub const fn local(&self) -> Endpoint {
        self.local
    }

    /// Whether trains of datagrams leave in one system call.
    #[must_use]
    pub fn segments(&self) -> bool {
        self.state.max_gso_segments() > 1
    }

    /// Says whether routers may fragment what is sent from now on (DF of RFC 791 §3.1): a path too
    /// narrow for a whole datagram comes back as [`unreachable`](Self::unreachable). Costs nothing
    /// while it does not change.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_whole(&self, whole: bool) -> io::Result<()> {
        if self.whole.swap(whole, Ordering::Relaxed) != whole {
            set_whole(&self.socket, self.local, whole)?;
        }
        Ok(())
    }

    /// Receives what waits, up to a batch; says how many messages.
    ///
    /// # Errors
    /// `WouldBlock` when nothing waits; an error of an earlier send may surface here once.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.fill(|slices, metas| self.state.recv(UdpSockRef::from(&self.socket), slices, metas))
    }

    /// Sends one datagram or a train of them. Returns the bytes that the kernel took: all of them,
    /// or fewer when it had no room for the rest of a train.
    ///
    /// # Errors
    /// `WouldBlock` when the kernel has no room at all; anything else loses the datagram, as the
    /// network may.
    pub fn send(&self, transmit: Transmit<'_>) -> io::Result<usize> {
        let whole = transmit.bytes.len();
        let segment = transmit.segment_size.filter(|&n| n > 0 && n < whole);
        let Some(segment) = segment else {
            return self.send_run(transmit, transmit.bytes, None).map(|()| whole);
        };
        let mut sent = 0;
        while let Some(rest) = transmit.bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            let run = self.run_len(segment).min(rest.len());
            let (run, _) = rest.split_at(run);
            match self.send_run(transmit, run, Some(segment)) {
                Ok(()) => sent += run.len(),
                // The kernel or the driver takes no trains after all: quinn-udp noticed, and the
                // next run is one datagram.
                Err(_) if run.len() > segment && !self.segments() => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && sent > 0 => break,
                Err(e) => return Err(e),
            }
        }
        Ok(sent)
    }

    /// The bytes of the longest train of `segment`-byte datagrams that one call can send.
    fn run_len(&self, segment: usize) -> usize {
        const MAX_TRAIN: usize = 65_507;
        let most = (MAX_TRAIN / segment).max(1);
        segment * self.state.max_gso_segments().clamp(1, most)
    }

    fn send_run(
        &self,
        transmit: Transmit<'_>,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: scoped(transmit.remote, self.interface),
            ecn: None,
            contents,
            segment_size,
            src_ip: transmit.source.filter(|ip| !ip.is_unspecified()),
        };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }
}

/// `endpoint` as the kernel wants it: a link-local address needs the interface (RFC 4007 §6).
pub(crate) fn scoped(endpoint: Endpoint, interface: Option<NonZeroU32>) -> SocketAddr {
    match (endpoint.ip(), interface) {
        (IpAddr::V6(ip), Some(interface)) if is_link_local(ip.into()) => {
            SocketAddrV6::new(ip, endpoint.port(), 0, interface.get()).into()
        }
        _ => endpoint.into(),
    }
}

pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local() || is_link_local_multicast(ip),
    }
}

fn is_link_local_multicast(ip: Ipv6Addr) -> bool {
    matches!(ip.segments(), [0xff02, ..])
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(crate) fn bind_to_device(
    socket: &socket2::Socket,
    local: Endpoint,
    interface: Option<NonZeroU32>,
) -> io::Result<()> {
    if local.is_ipv4() {
        socket.bind_device_by_index_v4(interface)
    } else {
        socket.bind_device_by_index_v6(interface)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn bind_to_device(
    _: &socket2::Socket,
    _: Endpoint,
    _: Option<NonZeroU32>,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// quinn-udp forbids fragments, as QUIC wants; a SIP response owed over UDP may be larger than the
/// path takes (RFC 3261 §18.2.2), so whoever needs whole datagrams says so.
#[cfg(target_os = "linux")]
fn set_whole(socket: &impl AsFd, local: Endpoint, whole: bool) -> io::Result<()> {
    use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
    if local.is_ipv4() {
        let discovery = if whole { Ipv4PathMtuDiscovery::DO } else { Ipv4PathMtuDiscovery::DONT };
        sockopt::set_ip_mtu_discover(socket, discovery)?;
    } else {
        let discovery = if whole { Ipv6PathMtuDiscovery::DO } else { Ipv6PathMtuDiscovery::DONT };
        sockopt::set_ipv6_mtu_discover(socket, discovery)?;
        nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::Ipv6DontFrag, &whole)?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn set_whole(_: &impl AsFd, _: Endpoint, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use machine::Endpoint;

    use super::{Socket, Transmit};
    use crate::Batch;

    /// What waits on `socket`. Loopback delivers before `send` returns.
    fn received(socket: &Socket, batch: &mut Batch) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        while socket.receive(batch).is_ok() {
            for message in batch.messages(socket.local()) {
                let size = message.segment_size.unwrap_or(message.bytes.len()).max(1);
                datagrams.extend(message.bytes.chunks(size).map(<[u8]>::to_vec));
            }
        }
        datagrams
    }

    #[test]
    fn a_train_longer_than_one_call_takes() {
        let bind = || Socket::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let (a, b) = (bind(), bind());
        let bytes: Vec<u8> = (0..100_u8).flat_map(|n| [n; 1000]).chain([7; 3]).collect();
        let transmit =
            Transmit { source: None, remote: b.local(), segment_size: Some(1000), bytes: &bytes };
        assert_eq!(a.send(transmit).unwrap(), bytes.len());
        let expected: Vec<_> = bytes.chunks(1000).map(<[u8]>::to_vec).collect();
        assert_eq!(received(&b, &mut Batch::new()), expected);
    }

    #[test]
    fn more_than_the_path_takes_is_cut_into_fragments() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let local: Endpoint = address.parse().unwrap();
            let socket = Socket::bind(local, None).unwrap();
            let bytes = [1; 65_000];
            let transmit = Transmit {
                source: None,
                remote: socket.local(),
                segment_size: None,
                bytes: &bytes,
            };
            socket.send(transmit).unwrap();
            assert_eq!(received(&socket, &mut Batch::new()), [bytes]);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn whole_or_not_as_the_datagram_wants() {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, ip_mtu_discover};
        let socket = Socket::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        for whole in [false, true, true, false] {
            socket.keep_whole(whole).unwrap();
            let discovery = ip_mtu_discover(socket.owner()).unwrap();
            assert_eq!(discovery == Ipv4PathMtuDiscovery::DO, whole);
        }
        let socket = Socket::bind("[::1]:0".parse().unwrap(), None).unwrap();
        socket.keep_whole(true).unwrap();
        let option = nix::sys::socket::sockopt::Ipv6DontFrag;
        assert!(nix::sys::socket::getsockopt(socket.owner(), option).unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nobody_there_is_told() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let bind = || Socket::bind(address.parse().unwrap(), None).unwrap();
            // Discard, which nobody serves; a port of our own may go to another test.
            let (socket, gone) = (bind(), bind().local().with_port(9));
            assert!(socket.unreachable().is_err_and(|e| e.kind() == ErrorKind::WouldBlock));
            let transmit =
                Transmit { source: None, remote: gone, segment_size: None, bytes: b"hello?" };
            socket.send(transmit).unwrap();
            // Loopback answers before `send` returns.
            let told = socket.unreachable().unwrap();
            assert_eq!((told.remote, told.icmp), (gone, machine::Icmp::PortUnreachable));
            assert!(socket.unreachable().is_err_and(|e| e.kind() == ErrorKind::WouldBlock));
            // Once it is taken, sending works at once.
            socket.send(Transmit { remote: socket.local(), ..transmit }).unwrap();
        }
    }

    #[test]
    fn only_one_interface() {
        // The loopback interface is the first on Linux.
        let Ok(socket) = Socket::bind("127.0.0.1:0".parse().unwrap(), Some(1)) else { return };
        let transmit =
            Transmit { source: None, remote: socket.local(), segment_size: None, bytes: b"x" };
        socket.send(transmit).unwrap();
        let mut batch = Batch::new();
        assert_eq!(socket.receive(&mut batch).unwrap(), 1);
        let message = batch.messages(socket.local()).next().unwrap();
        assert_eq!(message.interface, Some(1));
    }
}
