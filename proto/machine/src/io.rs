//! What goes into a machine and what comes out of it.
//!
//! Everything that a machine needs of the world passes through [`Input`] and [`Output`]: sockets
//! bound on demand, connections, TLS with its channel bindings, DNS, interface changes, ICMP
//! errors, backpressure, and questions.

use std::convert::Infallible;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Endpoint, Id};

/// One input of a machine. `A` answers the machine's questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input<'a, A> {
    /// A datagram arrived on a UDP socket.
    Datagram {
        /// The socket it arrived on.
        socket: Id,
        /// The address it was sent to: one of ours.
        local: Endpoint,
        /// The address it came from.
        remote: Endpoint,
        /// Its ECN codepoint, where the driver knows it.
        ecn: Option<Ecn>,
        /// `Some(n)`: `bytes` is a train of datagrams of `n` bytes each, the last may be shorter.
        segment_size: Option<usize>,
        /// The payload.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// [`Output::Bind`] succeeded; `local` is the address that was bound, port included.
    Bound {
        /// The socket or listener.
        id: Id,
        /// Its local address.
        local: Endpoint,
    },
    /// A bind, connection attempt or handshake failed; `id` is gone.
    Failed {
        /// What failed.
        id: Id,
        /// How.
        kind: FailKind,
    },
    /// A listener accepted a connection.
    Accepted {
        /// The listener.
        listener: Id,
        /// The new connection; the driver named it with [`Id::accepted`].
        conn: Id,
        /// Our side's address.
        local: Endpoint,
        /// The peer's address.
        remote: Endpoint,
        /// Bytes that may be written now.
        room: usize,
    },
    /// [`Output::Connect`] succeeded.
    Connected {
        /// The connection.
        conn: Id,
        /// Our side's address.
        local: Endpoint,
        /// The peer's address.
        remote: Endpoint,
        /// Bytes that may be written now.
        room: usize,
    },
    /// The TLS handshake of [`Output::StartTls`] is done.
    Secured {
        /// The connection.
        conn: Id,
        /// The peer's certificates in DER, its own first; empty when it sent none.
        peer_certs: Vec<Vec<u8>>,
        /// The application protocol that was agreed.
        alpn: Option<Vec<u8>>,
        /// What SASL can bind to.
        binding: ConnectionBinding,
        /// Bytes that may be written now.
        room: usize,
    },
    /// Bytes arrived on a connection, in order.
    Data {
        /// The connection.
        conn: Id,
        /// The bytes.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// Room in the send buffer grew: `room` bytes in all may be written now.
    Writable {
        /// The connection.
        conn: Id,
        /// Bytes that may be written now.
        room: usize,
    },
    /// A connection ended; `conn` is gone.
    Closed {
        /// The connection.
        conn: Id,
        /// Why.
        reason: CloseReason,
    },
    /// An ICMP error came back for something sent from `socket`.
    Unreachable {
        /// The socket that sent it.
        socket: Id,
        /// Where it was sent.
        remote: Endpoint,
        /// What the network says.
        icmp: Icmp,
    },
    /// The answer to [`Output::Resolve`].
    Resolved {
        /// The look-up.
        id: Id,
        /// The records of every kind asked for, or why there are none.
        records: Result<Vec<Record>, ResolveError>,
    },
    /// The complete list of interfaces, at the start and after every change.
    Interfaces(Vec<Interface>),
    /// The answer to [`Output::Ask`].
    Answer {
        /// The question.
        id: Id,
        /// Its answer.
        answer: A,
    },
}

impl<'a, A> Input<'a, A> {
    /// The socket, connection, look-up or question that it is about; a new connection itself, not its
    /// listener. `None`: it is about the host.
    #[must_use]
    pub const fn id(&self) -> Option<Id> {
        match self {
            Self::Datagram { socket: id, .. }
            | Self::Unreachable { socket: id, .. }
            | Self::Bound { id, .. }
            | Self::Failed { id, .. }
            | Self::Accepted { conn: id, .. }
            | Self::Connected { conn: id, .. }
            | Self::Secured { conn: id, .. }
            | Self::Data { conn: id, .. }
            | Self::Writable { conn: id, .. }
            | Self::Closed { conn: id, .. }
            | Self::Resolved { id, .. }
            | Self::Answer { id, .. } => Some(*id),
            Self::Interfaces(_) => None,
        }
    }

    /// The same input with another answer type, for machines made of several kinds; `None` if
    /// `answer` gives none.
    pub fn map_answer<A2>(self, answer: impl FnOnce(A) -> Option<A2>) -> Option<Input<'a, A2>> {
        Some(match self {
            Self::Datagram { socket, local, remote, ecn, segment_size, bytes } => {
                Input::Datagram { socket, local, remote, ecn, segment_size, bytes }
            }
            Self::Bound { id, local } => Input::Bound { id, local },
            Self::Failed { id, kind } => Input::Failed { id, kind },
            Self::Accepted { listener, conn, local, remote, room } => {
                Input::Accepted { listener, conn, local, remote, room }
            }
            Self::Connected { conn, local, remote, room } => {
                Input::Connected { conn, local, remote, room }
            }
            Self::Secured { conn, peer_certs, alpn, binding, room } => {
                Input::Secured { conn, peer_certs, alpn, binding, room }
            }
            Self::Data { conn, bytes } => Input::Data { conn, bytes },
            Self::Writable { conn, room } => Input::Writable { conn, room },
            Self::Closed { conn, reason } => Input::Closed { conn, reason },
            Self::Unreachable { socket, remote, icmp } => {
                Input::Unreachable { socket, remote, icmp }
            }
            Self::Resolved { id, records } => Input::Resolved { id, records },
            Self::Interfaces(interfaces) => Input::Interfaces(interfaces),
            Self::Answer { id, answer: given } => Input::Answer { id, answer: answer(given)? },
        })
    }
}

/// One output of a machine. `E` is for its owner, `Q` for the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<E, Q> {
    /// Bind a UDP socket or a TCP listener. Answered by `Bound` or `Failed`.
    Bind {
        /// The name it will have.
        id: Id,
        /// What to bind.
        kind: BindKind,
        /// Where; an unspecified address means every interface, port 0 any port.
        local: Endpoint,
        /// Only on this interface (its index), as link-local addresses need it.
        interface: Option<u32>,
    },
    /// Send the payload in `buf` as one datagram, or as a train of them.
    Datagram {
        /// The socket to send from.
        socket: Id,
        /// The source address, for a socket that is bound to every interface.
        source: Option<IpAddr>,
        /// Where to.
        remote: Endpoint,
        /// `Some(n)`: cut the payload into datagrams of `n` bytes.
        segment_size: Option<usize>,
        /// Whether no router may fragment it (DF of RFC 791); a path too narrow for it answers with
        /// [`Icmp::TooBig`].
        dont_fragment: bool,
    },
    /// Open a TCP connection. Answered by `Connected` or `Failed`.
    Connect {
        /// The name it will have.
        id: Id,
        /// The source address, where the choice matters.
        local: Option<Endpoint>,
        /// Where to.
        remote: Endpoint,
    },
    /// Write the payload in `buf` to a connection; at most the room announced for it.
    Write {
        /// The connection.
        conn: Id,
    },
    /// Stop reading from a connection, or go on: unread bytes make its peer wait, and the peer's
    /// orderly end waits behind them. What was read before may still come as `Data`; room and the
    /// end of a connection that broke are told as ever. Before a connection stands, and while its
    /// handshake is under way, it is of no effect; `StartTls` reads again.
    Pause {
        /// The connection.
        conn: Id,
        /// Whether reading stops.
        paused: bool,
    },
    /// Start TLS on a connection. Answered by `Secured` or `Failed`.
    StartTls {
        /// The connection.
        conn: Id,
        /// Which side we are.
        role: TlsRole,
        /// The protocols to offer, or to accept, in order of preference.
        alpn: Vec<Vec<u8>>,
    },
    /// Look up a name. Answered by `Resolved`.
    Resolve {
        /// The look-up.
        id: Id,
        /// The name, without a trailing dot.
        name: String,
        /// The kinds of record wanted.
        kinds: Vec<RecordKind>,
    },
    /// Ask the world. Answered by `Answer`.
    Ask {
        /// The question's name.
        id: Id,
        /// The question.
        question: Q,
    },
    /// Close a socket, listener or connection (after what was written), or drop a look-up.
    Close {
        /// What to close.
        id: Id,
    },
    /// Tell the owner.
    Event(E),
}

impl<E, Q> Output<E, Q> {
    /// The same output with another event and question type, for machines made of parts.
    pub fn map<E2, Q2>(
        self,
        event: impl FnOnce(E) -> E2,
        question: impl FnOnce(Q) -> Q2,
    ) -> Output<E2, Q2> {
        match self {
            Self::Bind { id, kind, local, interface } => {
                Output::Bind { id, kind, local, interface }
            }
            Self::Datagram { socket, source, remote, segment_size, dont_fragment } => {
                Output::Datagram { socket, source, remote, segment_size, dont_fragment }
            }
            Self::Connect { id, local, remote } => Output::Connect { id, local, remote },
            Self::Write { conn } => Output::Write { conn },
            Self::Pause { conn, paused } => Output::Pause { conn, paused },
            Self::StartTls { conn, role, alpn } => Output::StartTls { conn, role, alpn },
            Self::Resolve { id, name, kinds } => Output::Resolve { id, name, kinds },
            Self::Ask { id, question: q } => Output::Ask { id, question: question(q) },
            Self::Close { id } => Output::Close { id },
            Self::Event(e) => Output::Event(event(e)),
        }
    }
}

impl<E> Output<E, Infallible> {
    /// Tells a part's events from what it wants done, for machines made of parts: `Err` is the
    /// event.
    ///
    /// # Errors
    /// The event.
    pub fn split<E2, Q2>(self) -> Result<Output<E2, Q2>, E> {
        match self {
            Self::Event(event) => Err(event),
            other => {
                Ok(other.map(|_| unreachable!("events are split off"), |never| match never {}))
            }
        }
    }
}

/// The transports that machines know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream.
    Tcp,
    /// A byte stream under TLS.
    Tls,
}

/// What [`Output::Bind`] binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BindKind {
    /// A UDP socket.
    Udp,
    /// A UDP socket that many clients of a relay send to. A driver with a data plane may spread it
    /// over several cores, forward what the relay's table says without asking the machine, and drop
    /// what is neither of a flow nor a request; to any other driver it is [`Udp`](Self::Udp).
    SharedUdp,
    /// The UDP socket of one relayed address. A driver with a data plane may forward what the
    /// relay's table says without asking the machine, and drop the rest; to any other driver it is
    /// [`Udp`](Self::Udp).
    RelayUdp,
    /// A TCP listener.
    TcpListener,
}

impl BindKind {
    /// Whether it is a UDP socket of any kind.
    #[must_use]
    pub const fn is_udp(self) -> bool {
        !matches!(self, Self::TcpListener)
    }
}

/// Which side of a TLS handshake we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsRole {
    /// We connect, and expect a certificate for `name`.
    Client {
        /// The name that the certificate must carry.
        name: String,
    },
    /// We accept, and show the certificate that the driver holds for us.
    Server,
}

/// Channel bindings of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionBinding {
    /// `tls-exporter` (RFC 9266).
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` (RFC 5929 §4).
    pub server_end_point: Option<Vec<u8>>,
}

/// The ECN field of an IP header (RFC 3168).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ecn {
    /// ECT(0).
    Ect0,
    /// ECT(1).
    Ect1,
    /// Congestion experienced.
    Ce,
}

/// Why a bind, a connection attempt or a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailKind {
    /// The address is taken.
    AddressInUse,
    /// The address is not one of ours.
    AddressNotAvailable,
    /// The port needs a privilege.
    PermissionDenied,
    /// No descriptors, ports or memory left.
    OutOfResources,
    /// The peer refused.
    Refused,
    /// No route, or the network said unreachable.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The peer's certificate was not accepted; the text says why.
    Certificate(String),
    /// The TLS handshake failed; the text says why.
    Tls(String),
    /// Something else; the text says what.
    Other(String),
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The peer closed it in order.
    Peer,
    /// It was reset.
    Reset,
    /// It timed out.
    TimedOut,
    /// The peer broke TLS.
    Protocol,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Icmp {
    /// Nobody listens on the port.
    PortUnreachable,
    /// The host cannot be reached.
    HostUnreachable,
    /// The network cannot be reached.
    NetworkUnreachable,
    /// A filter forbids it.
    Prohibited,
    /// Larger than the path takes; the MTU in bytes, 0 when not told.
    TooBig {
        /// The next hop's MTU.
        mtu: u16,
    },
    /// Time to live exceeded.
    TimeExceeded,
}

/// The kinds of DNS record that machines ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecordKind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Service location (RFC 2782).
    Srv,
    /// Naming authority pointer (RFC 3403).
    Naptr,
    /// Text.
    Txt,
}

/// One DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its owner name, without a trailing dot.
    pub name: String,
    /// How long it may be kept, in seconds.
    pub ttl_secs: u32,
    /// Its data.
    pub data: RecordData,
}

/// The data of a DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordData {
    /// An A or AAAA record.
    Address(IpAddr),
    /// An SRV record.
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// Share among equals.
        weight: u16,
        /// The service's port.
        port: u16,
        /// The host, without a trailing dot.
        target: String,
    },
    /// A NAPTR record.
    Naptr {
        /// Lower is processed first.
        order: u16,
        /// Lower is preferred among equals.
        preference: u16,
        /// Its flags, `s` for SRV next.
        flags: String,
        /// Its service, `SIP+D2U` for one.
        service: String,
        /// The next name.
        replacement: String,
    },
    /// A TXT record.
    Txt(Vec<u8>),
}

/// Why a look-up gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist.
    #[error("no such name")]
    NoSuchName,
    /// The name exists without such records.
    #[error("no such record")]
    NoRecords,
    /// No server answered in time.
    #[error("no answer from the name servers")]
    TimedOut,
    /// The servers refused or failed.
    #[error("the name servers failed")]
    Failed,
}

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
    /// The default routers reached through it, the preferred first, where the system tells.
    pub routers: Vec<IpAddr>,
}

/// What an interface is, as far as path selection cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InterfaceKind {
    /// The host itself.
    Loopback,
    /// A wire or a radio.
    Physical,
    /// A tunnel or VPN.
    Tunnel,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: IpAddr,
    /// The length of its network's prefix in bits.
    pub prefix_len: u8,
    /// A temporary address of RFC 8981, preferred for outgoing traffic.
    pub temporary: bool,
    /// Deprecated (RFC 4862): not for new uses.
    pub deprecated: bool,
}
