//! Transport (RFC 3261 §18): sockets, connections and flows.
//!
//! | file | what |
//! |---|---|
//! | [`flow`] | what a message came over |
//! | [`locate`] | from a URI to addresses (RFC 3263) |
//! | [`token`] | flows written into URIs (RFC 5626 §5.2) |
//! | [`via`] | the Via header: sent-by, `received`, `rport`, and the way back |
//! | `address` | which of our addresses to send from, and to be reached at |
//! | `input` | what the driver tells |
//! | `conn` | one connection |
//! | `keepalive` | CRLF and STUN keepalives (RFC 5626 §4.4) |

mod address;
mod conn;
pub mod flow;
mod input;
mod keepalive;
pub mod locate;
#[cfg(test)]
mod tests;
pub mod token;
pub mod via;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{
    BindKind, Endpoint, Entropy, FailKind, Id, Ids, Instant, Interface, Now, Output, Outputs,
    Timers, Transport,
};

use self::conn::Conn;
use self::keepalive::Keepalives;
use self::locate::Destination;
use self::token::FlowName;
use crate::defaults;
use crate::stack::{Failure, Limits};
use crate::status::Status;

pub use flow::Flow;

/// What the transport tells the [`Stack`](crate::Stack).
#[derive(Debug)]
pub(crate) enum Signal {
    Listening {
        id: Id,
        transport: Transport,
        local: Endpoint,
    },
    ListenFailed {
        id: Id,
        transport: Transport,
        local: Endpoint,
        kind: FailKind,
    },
    /// One message, not parsed.
    Message {
        flow: Flow,
        bytes: Vec<u8>,
    },
    /// A stream that cannot be read any further, to be closed; and the header section and status
    /// of a request that is owed an answer first.
    Broken {
        flow: Flow,
        owed: Option<(Vec<u8>, Status)>,
    },
    /// A connection of ours is open.
    Opened {
        flow: Flow,
    },
    /// A connection of ours could not be opened.
    OpenFailed {
        conn: Id,
    },
    /// A connection is gone.
    Lost {
        flow: Flow,
    },
    /// ICMP says that nobody is there.
    Unreachable {
        socket: Id,
        remote: Endpoint,
    },
    /// A watched UDP flow wants a STUN Binding request.
    KeepaliveDue {
        flow: Flow,
    },
}

/// How to reach a destination.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    /// Over this flow, now.
    Ready(Flow),
    /// Over this connection, once it is open.
    Opening(Id),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A connection is not open yet.
    Connect(Id),
    /// A connection may have fallen idle.
    Idle(Id),
}

#[derive(Debug)]
struct Listener {
    transport: Transport,
    asked: Endpoint,
    local: Option<Endpoint>,
}

/// Everything that messages travel over.
#[derive(Debug)]
pub(crate) struct Transports {
    ids: Ids,
    external: BTreeMap<IpAddr, IpAddr>,
    limits: Limits,
    listeners: BTreeMap<Id, Listener>,
    conns: BTreeMap<Id, Conn>,
    /// Connections by the far side's address, of which one may reach several of ours from one port.
    by_remote: BTreeSet<(Transport, Endpoint, Option<Id>)>,
    per_address: BTreeMap<IpAddr, usize>,
    /// When each connection last carried a whole message.
    used: BTreeMap<Id, Instant>,
    timers: Timers<Timer>,
    keepalives: Keepalives,
    interfaces: Vec<Interface>,
    signals: VecDeque<Signal>,
    outputs: Outputs<Infallible, Infallible>,
    /// Connections turned away because of a limit.
    pub(crate) refused_conns: u64,
    /// Messages dropped because the peer does not read.
    pub(crate) dropped: u64,
}

impl Transports {
    pub(crate) fn new(
        external: BTreeMap<IpAddr, IpAddr>,
        limits: Limits,
        ids: Ids,
        entropy: &Entropy,
    ) -> Self {
        Self {
            ids,
            external,
            limits,
            listeners: BTreeMap::new(),
            conns: BTreeMap::new(),
            by_remote: BTreeSet::new(),
            per_address: BTreeMap::new(),
            used: BTreeMap::new(),
            timers: Timers::new(),
            keepalives: Keepalives::new(entropy.fork("keepalive")),
            interfaces: Vec::new(),
            signals: VecDeque::new(),
            outputs: Outputs::new(),
            refused_conns: 0,
            dropped: 0,
        }
    }

    pub(crate) fn namespace(&self) -> u16 {
        self.ids.namespace()
    }

    pub(crate) fn listen(&mut self, transport: Transport, local: Endpoint) -> Id {
        let id = self.ids.next_id();
        self.listeners.insert(id, Listener { transport, asked: local, local: None });
        let kind = match transport {
            Transport::Udp => BindKind::Udp,
            Transport::Tcp | Transport::Tls => BindKind::TcpListener,
        };
        self.outputs.push(Output::Bind { id, kind, local, interface: None });
        id
    }

    /// Asks for a name; the answer comes to the stack as `Resolved`.
    pub(crate) fn resolve(&mut self, name: String, kinds: Vec<machine::RecordKind>) -> Id {
        let id = self.ids.next_id();
        self.outputs.push(Output::Resolve { id, name, kinds });
        id
    }

    /// The transports that requests of ours can use, best first.
    pub(crate) fn supported(&self) -> Vec<Transport> {
        let udp = self.listeners.values().any(|l| l.transport == Transport::Udp);
        let udp = udp.then_some(Transport::Udp);
        udp.into_iter().chain([Transport::Tcp]).collect()
    }

    /// Whether every listener that was asked for is bound or has failed.
    pub(crate) fn is_settled(&self) -> bool {
        self.listeners.values().all(|listener| listener.local.is_some())
    }

    /// How to reach `to`. Opens a connection if none is there.
    pub(crate) fn route(&mut self, now: Now, to: Destination) -> Result<Route, Failure> {
        match to.transport {
            Transport::Udp => {
                self.udp_flow(to.remote).map(Route::Ready).ok_or(Failure::NoTransport)
            }
            //= RFC 3261 §18: a connection that is there is used again.
            Transport::Tcp => match self.conns_to(to.transport, to.remote).last() {
                Some(conn) => Ok(conn.flow().map_or(Route::Opening(conn.id), Route::Ready)),
                None => self.connect(now, to).map(Route::Opening),
            },
            Transport::Tls => Err(Failure::NoTransport),
        }
    }

    fn connect(&mut self, now: Now, to: Destination) -> Result<Id, Failure> {
        if self.conns.len() >= self.limits.conns {
            return Err(Failure::Overload);
        }
        let id = self.ids.next_id();
        self.add(now, Conn::opening(id, to.transport, to.remote));
        self.timers.set(Timer::Connect(id), now.mono + defaults::CONNECT_TIMEOUT);
        self.outputs.push(Output::Connect { id, local: None, remote: to.remote });
        Ok(id)
    }

    /// Connections between us and an address: those that we opened, then those that we accepted.
    fn conns_to(&self, transport: Transport, remote: Endpoint) -> impl Iterator<Item = &Conn> {
        self.by_remote
            .range((transport, remote, None)..)
            .take_while(move |(t, r, _)| (*t, *r) == (transport, remote))
            .filter_map(|(_, _, id)| self.conns.get(id.as_ref()?))
    }

    /// The flow that a token names, if it is still there. A UDP flow always is.
    pub(crate) fn find(&self, name: FlowName) -> Option<Flow> {
        let FlowName { transport, local, remote } = name;
        if flow::is_reliable(transport) {
            let mut flows = self.conns_to(transport, remote).filter_map(Conn::flow);
            return flows.find(|flow| flow.local == local);
        }
        let bound = |at: Endpoint| {
            at == local
                || (at.ip().is_unspecified()
                    && at.port() == local.port()
                    && at.is_ipv4() == local.is_ipv4())
        };
        let (&id, _) = self.listeners.iter().find(|(_, listener)| {
            listener.transport == transport && listener.local.is_some_and(bound)
        })?;
        Some(Flow { transport, id, local, remote })
    }

    /// Whether messages can still be sent over `flow`.
    pub(crate) fn is_alive(&self, flow: &Flow) -> bool {
        if flow.is_reliable() {
            self.conns.get(&flow.id).is_some_and(|conn| conn.flow().as_ref() == Some(flow))
        } else {
            self.listeners.get(&flow.id).is_some_and(|listener| listener.local.is_some())
        }
    }

    pub(crate) fn send(&mut self, flow: &Flow, bytes: &[u8]) -> Result<(), Failure> {
        if flow.is_reliable() {
            let conn = self.conns.get_mut(&flow.id).ok_or(Failure::FlowGone)?;
            return conn.send(bytes, &mut self.outputs).map_err(|_| {
                self.dropped += 1;
                Failure::Overload
            });
        }
        let listener = self.listeners.get(&flow.id).ok_or(Failure::FlowGone)?;
        let bound = listener.local.ok_or(Failure::NoTransport)?;
        //= RFC 3581 §4: a response leaves from the address that the request came to.
        let source = (bound.ip().is_unspecified() && !flow.local.ip().is_unspecified())
            .then_some(flow.local.ip());
        let (socket, remote) = (flow.id, flow.remote);
        let output =
            Output::Datagram { socket, source, remote, segment_size: None, dont_fragment: false };
        self.outputs.push_with(output, bytes);
        Ok(())
    }

    pub(crate) fn close(&mut self, id: Id) {
        if self.listeners.remove(&id).is_some() {
            self.outputs.push(Output::Close { id });
        } else {
            self.drop_conn(id, true);
        }
    }

    pub(crate) fn keep_alive(&mut self, now: Now, flow: Flow) {
        self.keepalives.watch(now, flow);
    }

    pub(crate) fn let_go(&mut self, flow: &Flow) {
        self.keepalives.forget(flow);
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Connect(id) => self.drop_conn(id, true),
                Timer::Idle(id) => {
                    let used = self.used.get(&id).copied().unwrap_or_default();
                    let patience = self.conns.get(&id).map_or(defaults::CONN_IDLE, Conn::patience);
                    let due = used + patience;
                    if due > now.mono {
                        self.timers.set(Timer::Idle(id), due);
                    } else {
                        self.drop_conn(id, true);
                    }
                }
            }
        }
        while let Some(due) = self.keepalives.expire(now) {
            match due {
                keepalive::Due::Stun(flow) => {
                    self.signals.push_back(Signal::KeepaliveDue { flow });
                }
                keepalive::Due::Ping(flow) => {
                    if self.send(&flow, b"\r\n\r\n").is_err() {
                        self.drop_conn(flow.id, true);
                    }
                }
                keepalive::Due::Dead(flow) => self.drop_conn(flow.id, true),
            }
        }
    }

    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    pub(crate) fn poll_output(
        &mut self,
        buf: &mut Vec<u8>,
    ) -> Option<Output<Infallible, Infallible>> {
        self.outputs.poll(buf)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.keepalives.next()].into_iter().flatten().min()
    }

    /// How many connections there are.
    pub(crate) fn conns(&self) -> usize {
        self.conns.len()
    }
}
