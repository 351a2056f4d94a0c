//! The sockets of a plane.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};

use machine::{BindKind, Endpoint};
use socket2::{Domain, Protocol, Type};

use super::sys::{self, Address};
use crate::Transmit;
use crate::defaults::{RECEIVE_BUFFER_LEN, RELAY_BUFFER_LEN, SEND_BUFFER_LEN};
use crate::socket::{bind_to_device, is_link_local, scoped};

/// A socket that shards receive from and send from.
#[derive(Debug)]
pub(super) struct Sock {
    socket: UdpSocket,
    /// What it is bound to.
    pub(super) bound: Endpoint,
    /// Whether many clients send to it.
    pub(super) shared: bool,
    interface: Option<NonZeroU32>,
    /// Whether it is connected, and sends to one peer alone.
    connected: bool,
}

impl Sock {
    /// Binds one to an address that nobody has.
    pub(super) fn bind(
        kind: BindKind,
        local: Endpoint,
        interface: Option<u32>,
    ) -> io::Result<Self> {
        let interface = interface.and_then(NonZeroU32::new);
        Self::adopt(kind, bound(local, interface, Another::None)?, interface)
    }

    /// Lets others be bound to the same address, from then on.
    pub(super) fn share(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.socket).set_reuse_port(true)
    }

    /// Binds another to the address of a [shared](Self::share) one.
    pub(super) fn bind_another(local: Endpoint, interface: Option<u32>) -> io::Result<Self> {
        let interface = interface.and_then(NonZeroU32::new);
        Self::adopt(BindKind::SharedUdp, bound(local, interface, Another::Shared)?, interface)
    }

    /// Takes one that is bound.
    pub(super) fn adopt(
        kind: BindKind,
        socket: UdpSocket,
        interface: Option<NonZeroU32>,
    ) -> io::Result<Self> {
        let shared = match kind {
            BindKind::SharedUdp => true,
            BindKind::RelayUdp => false,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        socket.set_nonblocking(true)?;
        let bound = Endpoint::from(socket.local_addr()?);
        let sock = Self { socket, bound, shared, interface, connected: false };
        sock.prepare()?;
        Ok(sock)
    }

    /// Whether [`connected`](Self::connected) makes sense: many peers of a shared one are clients, and
    /// what is bound to every address would be bound to one.
    pub(super) fn may_connect(&self) -> bool {
        !self.shared && !self.is_wildcard() && !self.connected
    }

    /// A second socket with the same address, connected to `remote`: the kernel gives it what comes
    /// from there, and it what comes from elsewhere.
    pub(super) fn connected(&self, remote: Endpoint) -> io::Result<Self> {
        let options = socket2::SockRef::from(&self.socket);
        // Only for this moment: afterwards nobody else can take the address, as before.
        options.set_reuse_address(true)?;
        let made = self.connected_now(remote);
        options.set_reuse_address(false)?;
        made
    }

    fn connected_now(&self, remote: Endpoint) -> io::Result<Self> {
        let socket = bound(self.bound, self.interface, Another::Connected)?;
        socket2::SockRef::from(&socket).set_reuse_address(false)?;
        // What came before it was connected, from anywhere, is received from it all the same.
        socket.connect(scoped(remote, self.interface))?;
        let sock = Self::adopt(BindKind::RelayUdp, socket, self.interface)?;
        Ok(Self { connected: true, ..sock })
    }

    /// Connects a connected one to another peer.
    pub(super) fn connect(&self, remote: Endpoint) -> io::Result<()> {
        self.socket.connect(scoped(remote, self.interface))
    }

    fn prepare(&self) -> io::Result<()> {
        let options = socket2::SockRef::from(&self.socket);
        // The kernel caps these by its own settings.
        let receive = if self.shared { RECEIVE_BUFFER_LEN } else { RELAY_BUFFER_LEN };
        let _ = options.set_recv_buffer_size(receive);
        let _ = options.set_send_buffer_size(SEND_BUFFER_LEN);
        let fd = self.socket.as_fd();
        // Old kernels have no GRO and lose nothing by that.
        let _ = sys::set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1);
        self.set_dont_fragment(false)?;
        let (level, information) = if self.bound.is_ipv4() {
            (libc::IPPROTO_IP, libc::IP_PKTINFO)
        } else {
            (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
        };
        // Where the socket has one address, the kernel need not tell it with every datagram.
        if self.is_wildcard() {
            sys::set_option(fd, level, information, 1)?;
        }
        if !self.shared {
            crate::icmp::enable(&self.socket, self.bound)?;
        }
        Ok(())
    }

    /// Sets whether what is sent may be fragmented on its way.
    pub(super) fn set_dont_fragment(&self, dont: bool) -> io::Result<()> {
        let fd = self.socket.as_fd();
        let (level, option, mode) = if self.bound.is_ipv4() {
            let mode = if dont { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_DONT };
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, mode)
        } else {
            let mode = if dont { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_DONT };
            (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, mode)
        };
        sys::set_option(fd, level, option, mode)
    }

    pub(super) fn is_wildcard(&self) -> bool {
        self.bound.ip().is_unspecified()
    }

    /// The address of a message from here to `remote`, as coming from `source`.
    pub(super) fn address(&self, remote: Endpoint, source: IpAddr) -> Address {
        let scope =
            self.interface.filter(|_| is_link_local(remote.ip())).map_or(0, NonZeroU32::get);
        let source = (self.is_wildcard() && !source.is_unspecified()).then_some(source);
        Address { remote, scope, source, connected: self.connected }
    }

    /// Sends a datagram or a train; says how many bytes the kernel took.
    pub(super) fn send(&self, transmit: Transmit<'_>) -> io::Result<usize> {
        let Transmit { source, remote, segment_size, bytes } = transmit;
        let address = self.address(remote, source.unwrap_or(self.bound.ip()));
        let segment = segment_size.filter(|&size| size > 0).unwrap_or(usize::MAX);
        // An empty datagram is one datagram.
        let mut rest = bytes;
        loop {
            let datagram = rest.split_off(..segment.min(rest.len())).unwrap_or_default();
            sys::send(self.socket.as_fd(), address, datagram)?;
            if rest.is_empty() {
                return Ok(bytes.len());
            }
        }
    }

    /// The MTU of the path to `remote`, as far as the kernel knows.
    pub(super) fn mtu(&self, remote: Endpoint) -> io::Result<u16> {
        let any =
            if remote.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        let probe = UdpSocket::bind(SocketAddr::from(any))?;
        probe.connect(scoped(remote, self.interface))?;
        let mtu = if remote.is_ipv4() {
            rustix::net::sockopt::ip_mtu(&probe)?
        } else {
            rustix::net::sockopt::ipv6_mtu(&probe)?
        };
        Ok(u16::try_from(mtu).unwrap_or(u16::MAX))
    }
}

/// What else may be bound to the address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Another {
    None,
    /// Others that share its datagrams.
    Shared,
    /// One whose connected socket this is to be.
    Connected,
}

/// A socket bound to `local`.
fn bound(
    local: Endpoint,
    interface: Option<NonZeroU32>,
    another: Another,
) -> io::Result<UdpSocket> {
    let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    match another {
        Another::None => {}
        Another::Shared => socket.set_reuse_port(true)?,
        Another::Connected => socket.set_reuse_address(true)?,
    }
    if interface.is_some() && !is_link_local(local.ip()) {
        bind_to_device(&socket, local, interface)?;
    }
    socket.bind(&scoped(local, interface).into())?;
    Ok(socket.into())
}

impl AsFd for Sock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
