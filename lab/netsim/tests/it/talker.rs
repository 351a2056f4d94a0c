//! A machine that does what it is told and tells what comes in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use machine::{
    BindKind, CloseReason, ConnectionBinding, Endpoint, FailKind, Icmp, Id, Ids, Input, Instant,
    Machine, Now, Outbox, Output, Outputs, RecordKind, TlsRole,
};
use netsim::{Happening, NodeId, World};

/// What a talker tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Heard { local: Endpoint, remote: Endpoint, bytes: Vec<u8> },
    Bound(Id, Endpoint),
    Failed(Id, FailKind),
    Connected(Id),
    Accepted(Id, Endpoint),
    Secured(Id, ConnectionBinding, Option<Vec<u8>>),
    Data(Id, Vec<u8>),
    Closed(Id, CloseReason),
    Unreachable(Endpoint, Icmp),
    Resolved(usize),
    Interfaces(usize),
}

/// The machine.
pub(crate) struct Talker {
    ids: Ids,
    outputs: Outputs<Told, ()>,
    outboxes: BTreeMap<Id, Outbox>,
    /// Answers every datagram with the same bytes.
    pub(crate) echoes: bool,
    /// The default routers that it was told of.
    pub(crate) routers: Vec<IpAddr>,
}

impl Talker {
    pub(crate) fn new() -> Self {
        Self {
            ids: Ids::new(0),
            outputs: Outputs::new(),
            outboxes: BTreeMap::new(),
            echoes: false,
            routers: Vec::new(),
        }
    }

    pub(crate) fn echo() -> Self {
        Self { echoes: true, ..Self::new() }
    }

    pub(crate) fn bind(&mut self, local: &str) -> Id {
        self.bind_kind(BindKind::Udp, local)
    }

    pub(crate) fn listen(&mut self, local: &str) -> Id {
        self.bind_kind(BindKind::TcpListener, local)
    }

    pub(crate) fn bind_on(&mut self, interface: u32, local: &str) -> Id {
        let (id, kind) = (self.ids.next_id(), BindKind::Udp);
        let (local, interface) = (local.parse().unwrap(), Some(interface));
        self.outputs.push(Output::Bind { id, kind, local, interface });
        id
    }

    fn bind_kind(&mut self, kind: BindKind, local: &str) -> Id {
        let id = self.ids.next_id();
        let local = local.parse().unwrap();
        self.outputs.push(Output::Bind { id, kind, local, interface: None });
        id
    }

    pub(crate) fn send(&mut self, socket: Id, remote: &str, bytes: &[u8]) {
        self.outputs.datagram(socket, remote.parse().unwrap(), bytes);
    }

    pub(crate) fn send_from(&mut self, socket: Id, source: &str, remote: &str, bytes: &[u8]) {
        let source: Option<IpAddr> = Some(source.parse().unwrap());
        let remote = remote.parse().unwrap();
        let output =
            Output::Datagram { socket, source, remote, segment_size: None, dont_fragment: false };
        self.outputs.push_with(output, bytes);
    }

    pub(crate) fn connect(&mut self, remote: &str) -> Id {
        self.connect_from(None, remote)
    }

    pub(crate) fn connect_from(&mut self, local: Option<&str>, remote: &str) -> Id {
        let id = self.ids.next_id();
        let (local, remote) = (local.map(|local| local.parse().unwrap()), remote.parse().unwrap());
        self.outputs.push(Output::Connect { id, local, remote });
        id
    }

    pub(crate) fn write(&mut self, conn: Id, bytes: &[u8]) {
        let outbox = self.outboxes.get_mut(&conn).unwrap();
        outbox.send(bytes, &mut self.outputs).unwrap();
    }

    pub(crate) fn write_if_open(&mut self, conn: Id, bytes: &[u8]) {
        if self.outboxes.contains_key(&conn) {
            self.write(conn, bytes);
        }
    }

    pub(crate) fn start_tls(&mut self, conn: Id, role: TlsRole, alpn: &[&str]) {
        let alpn = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self.outputs.push(Output::StartTls { conn, role, alpn });
    }

    pub(crate) fn resolve(&mut self, name: &str) -> Id {
        let id = self.ids.next_id();
        let (name, kinds) = (name.to_owned(), vec![RecordKind::A]);
        self.outputs.push(Output::Resolve { id, name, kinds });
        id
    }

    pub(crate) fn pause(&mut self, conn: Id, paused: bool) {
        self.outputs.push(Output::Pause { conn, paused });
    }

    /// Bytes that wait for room on a connection.
    pub(crate) fn waiting(&self, conn: Id) -> usize {
        self.outboxes.get(&conn).map_or(0, Outbox::waiting)
    }

    pub(crate) fn close(&mut self, id: Id) {
        self.outputs.push(Output::Close { id });
    }

    fn room(&mut self, conn: Id, room: usize) {
        let outbox = || Outbox::new(conn, 0, 64 << 20);
        self.outboxes.entry(conn).or_insert_with(outbox).writable(room, &mut self.outputs);
    }
}

impl Machine for Talker {
    type Event = Told;
    type Question = ();
    type Answer = ();

    fn handle_input(&mut self, _: Now, input: Input<'_, ()>) {
        let told = match input {
            Input::Datagram { socket, local, remote, bytes, .. } => {
                if self.echoes {
                    let source = Some(local.ip()).filter(|ip| !ip.is_multicast());
                    let output = Output::Datagram {
                        socket,
                        source,
                        remote,
                        segment_size: None,
                        dont_fragment: false,
                    };
                    self.outputs.push_with(output, bytes);
                }
                Told::Heard { local, remote, bytes: bytes.to_vec() }
            }
            Input::Bound { id, local } => Told::Bound(id, local),
            Input::Failed { id, kind } => Told::Failed(id, kind),
            Input::Accepted { conn, remote, room, .. } => {
                self.room(conn, room);
                Told::Accepted(conn, remote)
            }
            Input::Connected { conn, room, .. } => {
                self.room(conn, room);
                Told::Connected(conn)
            }
            Input::Secured { conn, binding, alpn, room, .. } => {
                self.room(conn, room);
                Told::Secured(conn, binding, alpn)
            }
            Input::Data { conn, bytes } => Told::Data(conn, bytes.to_vec()),
            Input::Writable { conn, room } => return self.room(conn, room),
            Input::Closed { conn, reason } => Told::Closed(conn, reason),
            Input::Unreachable { remote, icmp, .. } => Told::Unreachable(remote, icmp),
            Input::Resolved { records, .. } => Told::Resolved(records.map_or(0, |r| r.len())),
            Input::Interfaces(list) => {
                self.routers = list.iter().flat_map(|i| i.routers.clone()).collect();
                Told::Interfaces(list.len())
            }
            Input::Answer { .. } => return,
        };
        self.outputs.event(told);
    }

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Told, ()>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// Runs for a while and gives what `host` told.
pub(crate) fn told(world: &mut World<Talker>, host: NodeId, secs: f64) -> Vec<Told> {
    let happened = world.run_for(std::time::Duration::from_secs_f64(secs));
    let of_host = happened.into_iter().filter(|happened| happened.host == host);
    of_host
        .filter_map(|happened| match happened.what {
            Happening::Event(told) => Some(told),
            Happening::Question(..) => None,
        })
        .collect()
}

/// Binds a UDP socket on a host.
pub(crate) fn bind(world: &mut World<Talker>, host: NodeId, local: &str) -> Id {
    world.verb(host, |talker, _| talker.bind(local))
}

/// Sends a datagram and gives, for each that `to` hears within ten seconds, its sender.
pub(crate) fn hears(
    world: &mut World<Talker>,
    (from, socket): (NodeId, Id),
    remote: &str,
    to: NodeId,
) -> Vec<String> {
    world.verb(from, |talker, _| talker.send(socket, remote, b"MSG"));
    let told = told(world, to, 10.0);
    told.into_iter()
        .filter_map(|told| match told {
            Told::Heard { remote, .. } => Some(remote.to_string()),
            _ => None,
        })
        .collect()
}
