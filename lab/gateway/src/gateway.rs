//! The machine: sockets, what is asked of the world, and what was promised to whom.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use machine::{
    BindKind, Endpoint, Id, Ids, Input, Instant, Interface, Machine, Now, Output, Outputs, Timers,
    Transport,
};
use netsim::Forward;

use crate::behaviour::{Behaviour, Ports};
use crate::defaults::{HTTP_PORT, MAPPINGS, PORT_TRIES, UPTIME};
use crate::page::Conn;
use crate::table::{Entry, Holder, Table};
use crate::{portctl, upnp};

/// A home router's side of port mapping.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) behaviour: Behaviour,
    pub(crate) outputs: Outputs<Event, Question>,
    pub(crate) table: Table,
    pub(crate) conns: BTreeMap<Id, Conn>,
    pub(crate) timers: Timers<Timer>,
    pub(crate) boot: u32,
    ids: Ids,
    interfaces: Vec<Interface>,
    sockets: BTreeMap<Id, Socket>,
    pending: BTreeMap<Id, Pending>,
    began: Option<Instant>,
    uptime: Duration,
    /// So many more ports are found taken.
    taken: u16,
}

/// What a gateway asks of its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Forward this port.
    Open(Forward),
    /// Forward it no longer.
    Close(Forward),
}

/// Whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(pub bool);

/// What a gateway tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It opened a port, or keeps it open for longer.
    Mapped(Entry),
    /// It closed a port.
    Unmapped(Entry),
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Socket {
    /// PCP and NAT-PMP.
    Control { v6: bool },
    /// SSDP.
    Search,
    /// HTTP.
    Http,
}

/// What happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Everybody is told of the restart, for the so many-th time.
    Announce(u32),
    /// The next byte of an answer that drips.
    Drip(Id),
}

/// Where a datagram came from and at which address of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) socket: Id,
    pub(crate) remote: Endpoint,
    pub(crate) local: IpAddr,
}

/// A mapping that somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) transport: Transport,
    pub(crate) internal: Endpoint,
    /// 0 for any.
    pub(crate) external_port: u16,
    /// That port or none.
    pub(crate) exact: bool,
    /// For how long; `None`: until it is removed.
    pub(crate) lifetime: Option<Duration>,
    pub(crate) holder: Holder,
    pub(crate) description: String,
}

/// Whom a mapping is told to.
#[derive(Debug)]
pub(crate) enum Reply {
    Port(portctl::Asked),
    Upnp(upnp::Asked),
}

/// Why there is no mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Somebody else has the port.
    Taken,
    /// The ports inside and outside must be the same.
    SamePort,
    /// No room.
    Full,
}

/// A mapping that the world is asked for.
#[derive(Debug)]
struct Pending {
    wish: Wish,
    port: u16,
    tries: u16,
    reply: Reply,
}

impl Gateway {
    /// A gateway that does this.
    #[must_use]
    pub fn new(behaviour: Behaviour) -> Self {
        let taken = if let Ports::Taken(taken) = behaviour.ports { taken } else { 0 };
        Self {
            behaviour,
            outputs: Outputs::new(),
            table: Table::default(),
            conns: BTreeMap::new(),
            timers: Timers::new(),
            boot: 1,
            ids: Ids::new(0),
            interfaces: Vec::new(),
            sockets: BTreeMap::new(),
            pending: BTreeMap::new(),
            began: None,
            uptime: UPTIME,
            taken,
        }
    }

    /// What it has promised, by transport and port.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.table.iter()
    }

    /// Asker now on it does this instead.
    pub fn behave(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// It has been switched off and on: it knows nothing any more, and its epoch starts again.
    pub fn restart(&mut self, now: Now) {
        self.table.clear();
        self.pending.clear();
        for conn in std::mem::take(&mut self.conns).into_keys() {
            self.outputs.push(Output::Close { id: conn });
        }
        self.timers = Timers::new();
        self.boot += 1;
        self.began = Some(now.mono);
        self.uptime = Duration::ZERO;
        if self.behaviour.announces {
            self.announce(now, 1);
        }
    }

    /// For how long it has known its mappings.
    pub(crate) fn uptime(&self, now: Now) -> Duration {
        self.began.map_or(self.uptime, |began| self.uptime + (now.mono - began))
    }

    /// What it says its address outside is.
    pub(crate) fn external(&self) -> IpAddr {
        let outside = self.interfaces.iter().find(|interface| interface.name == "outside");
        let mut own = outside.into_iter().flat_map(|i| &i.addresses).map(|address| address.ip);
        let own = own.find(IpAddr::is_ipv4).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.behaviour.external.unwrap_or(own)
    }

    /// Its address inside that somebody there speaks to.
    pub(crate) fn inside(&self, peer: IpAddr) -> Option<IpAddr> {
        let link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let inside = self.interfaces.iter().filter(|interface| interface.name != "outside");
        let mut addresses = inside.flat_map(|i| &i.addresses).map(|address| address.ip);
        addresses.find(|ip| ip.is_ipv4() == peer.is_ipv4() && link_local(*ip) == link_local(peer))
    }

    /// The socket of PCP and NAT-PMP.
    pub(crate) fn control_socket(&self, v6: bool) -> Option<Id> {
        let found = self.sockets.iter().find(|(_, socket)| **socket == Socket::Control { v6 });
        found.map(|(id, _)| *id)
    }

    /// Answers a datagram from the address that was asked, or from where it likes.
    pub(crate) fn answer(&mut self, to: Asker, bytes: &[u8]) {
        let asked = Some(to.local).filter(|ip| !ip.is_multicast());
        let elsewhere =
            self.behaviour.answers_from.filter(|ip| ip.is_ipv4() == to.remote.is_ipv4());
        let output = Output::Datagram {
            socket: to.socket,
            source: elsewhere.or(asked),
            remote: to.remote,
            segment_size: None,
            dont_fragment: false,
        };
        self.outputs.push_with(output, bytes);
    }

    /// Opens a port, and tells `reply` what came of it.
    pub(crate) fn open(&mut self, now: Now, wish: Wish, reply: Reply) {
        self.table.expire(now.mono);
        let known = self.table.of(wish.transport, wish.internal).map(|entry| entry.external_port);
        if known.is_none() && self.table.is_full() || self.pending.len() >= MAPPINGS {
            return self.refuse(now, reply, Refusal::Full);
        }
        let wanted =
            if wish.external_port == 0 { wish.internal.port() } else { wish.external_port };
        let port = match (self.behaviour.ports, known) {
            _ if wish.internal.is_ipv6() => wish.internal.port(),
            (_, Some(known)) if !wish.exact || known == wanted => known,
            (Ports::Same, _) if wish.exact && wanted != wish.internal.port() => {
                return self.refuse(now, reply, Refusal::SamePort);
            }
            (Ports::Same, _) => wish.internal.port(),
            (Ports::Others, _) if wish.exact => return self.refuse(now, reply, Refusal::Taken),
            (Ports::Others, _) => other(wanted, 1000),
            (Ports::Taken(_), _) if wish.exact && self.taken > 0 => {
                self.taken -= 1;
                return self.refuse(now, reply, Refusal::Taken);
            }
            (Ports::Taken(_), _) => other(wanted, std::mem::take(&mut self.taken)),
            (Ports::AsAsked, _) => wanted,
        };
        self.ask(now, Pending { wish, port, tries: 0, reply });
    }

    fn ask(&mut self, now: Now, mut pending: Pending) {
        let Wish { transport, internal, exact, lifetime, .. } = pending.wish;
        let is_free = |table: &Table, port| {
            internal.is_ipv6() || table.at(transport, port).is_none_or(|e| e.internal == internal)
        };
        while !is_free(&self.table, pending.port) {
            pending.tries += 1;
            if exact || pending.tries > PORT_TRIES {
                return self.refuse(now, pending.reply, Refusal::Taken);
            }
            pending.port = other(pending.port, 1);
        }
        let id = self.ids.next_id();
        let expires = lifetime.map(|lifetime| now.mono + lifetime);
        let protocol = transport;
        let forward = Forward { protocol, outside_port: pending.port, inside: internal, expires };
        self.pending.insert(id, pending);
        self.outputs.push(Output::Ask { id, question: Question::Open(forward) });
    }

    fn answered(&mut self, now: Now, id: Id, done: bool) {
        let Some(mut pending) = self.pending.remove(&id) else { return };
        if !done {
            pending.tries += 1;
            if pending.wish.exact || pending.tries > PORT_TRIES {
                return self.refuse(now, pending.reply, Refusal::Taken);
            }
            pending.port = other(pending.port, 1);
            return self.ask(now, pending);
        }
        let wish = pending.wish;
        let entry = Entry {
            transport: wish.transport,
            internal: wish.internal,
            external_port: pending.port,
            expires: wish.lifetime.map(|lifetime| now.mono + lifetime),
            holder: wish.holder,
            description: wish.description,
        };
        self.table.insert(entry.clone());
        self.outputs.event(Event::Mapped(entry.clone()));
        match pending.reply {
            Reply::Port(asked) => self.port_mapped(now, asked, &entry),
            Reply::Upnp(asked) => self.upnp_mapped(now, asked, &entry),
        }
    }

    fn refuse(&mut self, now: Now, reply: Reply, refusal: Refusal) {
        match reply {
            Reply::Port(asked) => self.port_refused(now, &asked, refusal),
            Reply::Upnp(asked) => self.upnp_refused(now, &asked, refusal),
        }
    }

    /// Closes a port.
    pub(crate) fn close(&mut self, entry: Entry) {
        self.table.remove(&entry);
        let id = self.ids.next_id();
        let (protocol, outside_port) = (entry.transport, entry.external_port);
        let forward =
            Forward { protocol, outside_port, inside: entry.internal, expires: entry.expires };
        self.outputs.push(Output::Ask { id, question: Question::Close(forward) });
        self.outputs.event(Event::Unmapped(entry));
    }

    fn listen(&mut self) {
        for v6 in [false, true] {
            let ip =
                if v6 { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
            for (socket, kind, port) in [
                (Socket::Control { v6 }, BindKind::Udp, portmap::pcp::SERVER_PORT),
                (Socket::Search, BindKind::Udp, portmap::upnp::ssdp::PORT),
                (Socket::Http, BindKind::TcpListener, HTTP_PORT),
            ] {
                let (id, local) = (self.ids.next_id(), Endpoint::new(ip, port));
                self.sockets.insert(id, socket);
                self.outputs.push(Output::Bind { id, kind, local, interface: None });
            }
        }
    }
}

/// A port `by` places farther on, none of those below 1024.
const fn other(port: u16, by: u16) -> u16 {
    let port = port.wrapping_add(by);
    if port < 1024 { port + 1024 } else { port }
}

impl Machine for Gateway {
    type Event = Event;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match input {
            Input::Interfaces(interfaces) => {
                self.interfaces = interfaces;
                if self.began.is_none() {
                    self.began = Some(now.mono);
                    self.listen();
                }
            }
            Input::Datagram { socket, local, remote, bytes, .. } => {
                let from = Asker { socket, remote, local: local.ip() };
                match self.sockets.get(&socket) {
                    Some(Socket::Control { .. }) => self.controlled(now, from, bytes),
                    Some(Socket::Search) => self.searched(from, bytes),
                    Some(Socket::Http) | None => {}
                }
            }
            Input::Accepted { conn, local, remote, room, .. } => {
                self.accepted(conn, local, remote, room);
            }
            Input::Data { conn, bytes } => self.requested(now, conn, bytes),
            Input::Writable { conn, room } => self.writable(conn, room),
            Input::Closed { conn, .. } => {
                self.conns.remove(&conn);
                self.timers.cancel(&Timer::Drip(conn));
            }
            Input::Answer { id, answer } => self.answered(now, id, answer.0),
            Input::Bound { .. }
            | Input::Failed { .. }
            | Input::Connected { .. }
            | Input::Secured { .. }
            | Input::Unreachable { .. }
            | Input::Resolved { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Announce(nth) => self.announce(now, nth),
                Timer::Drip(conn) => self.drip(now, conn),
            }
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}
