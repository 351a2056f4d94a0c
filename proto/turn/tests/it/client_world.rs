//! Hosts of the simulated internet: our server, clients of it, and peers.

use std::net::IpAddr;
use std::time::Duration;

use machine::{
    BindKind, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Transport,
};
use netsim::{Certificate, Happening, Link, NodeId, World};
use stun::{Credentials, integrity};
use turn::client::{self, Client};
use turn::server::{Answer, Keys, Listener, Question, Server, User};

pub(crate) const REALM: &str = "example.org";
pub(crate) const SECOND: Duration = Duration::from_secs(1);
const USERS: [(&str, &str); 2] = [("alice", "swordfish"), ("bob", "hunter2")];

/// What a host tells the test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// A client's event, with its payload.
    Client(client::Event, Vec<u8>),
    /// A peer got a datagram.
    Heard(Endpoint, Vec<u8>),
    /// A peer got bytes on a connection.
    Data(Id, Vec<u8>),
    /// Something of no interest.
    Other,
}

/// A host.
pub(crate) enum Host {
    Server(Box<Server>),
    Client(Box<Client>),
    Peer(Peer),
}

/// Somebody who echoes datagrams and connections.
pub(crate) struct Peer {
    ids: Ids,
    out: Outputs<Told, Question>,
    udp: Option<Id>,
}

impl Peer {
    /// Somebody at port 4000 of every address, UDP and TCP.
    pub(crate) fn new() -> Self {
        let (mut ids, mut out) = (Ids::new(0), Outputs::new());
        let mut udp = None;
        for local in [Endpoint::UNSPECIFIED_V4, Endpoint::UNSPECIFIED_V6] {
            for kind in [BindKind::Udp, BindKind::TcpListener] {
                let (id, local) = (ids.next_id(), local.with_port(4000));
                udp.get_or_insert(id);
                out.push(Output::Bind { id, kind, local, interface: None });
            }
        }
        Self { ids, out, udp }
    }

    pub(crate) fn send(&mut self, remote: Endpoint, bytes: &[u8]) {
        self.out.datagram(self.udp.unwrap(), remote, bytes);
    }

    pub(crate) fn connect(&mut self, remote: Endpoint) -> Id {
        let id = self.ids.next_id();
        self.out.push(Output::Connect { id, local: None, remote });
        id
    }

    fn handle_input(&mut self, input: &Input<'_, Answer>) {
        match *input {
            Input::Datagram { socket, remote, bytes, .. } => {
                self.out.event(Told::Heard(remote, bytes.to_vec()));
                if bytes.starts_with(b"echo") {
                    self.out.datagram(socket, remote, &[b"re: ", bytes].concat());
                }
            }
            Input::Connected { conn, .. } => self.out.write(conn, b"hello from a peer"),
            Input::Data { conn, bytes } => {
                self.out.event(Told::Data(conn, bytes.to_vec()));
                if bytes.starts_with(b"echo") {
                    self.out.write(conn, &[b"re: ", bytes].concat());
                }
            }
            _ => {}
        }
    }
}

impl Machine for Host {
    type Event = Told;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match self {
            Self::Server(server) => server.handle_input(now, input),
            Self::Client(client) => {
                if let Some(input) = input.map_answer(|_| None) {
                    client.handle_input(now, input);
                }
            }
            Self::Peer(peer) => peer.handle_input(&input),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Server(server) => server.handle_timeout(now),
            Self::Client(client) => client.handle_timeout(now),
            Self::Peer(_) => {}
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Told, Question>> {
        match self {
            Self::Server(server) => {
                let output = server.poll_output(buf)?;
                Some(output.map(|_| Told::Other, |question| question))
            }
            Self::Client(client) => {
                let output = client.poll_output(buf)?;
                let told = |event| Told::Client(event, std::mem::take(buf));
                Some(output.map(told, |never| match never {}))
            }
            Self::Peer(peer) => peer.out.poll(buf),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Server(server) => server.poll_timeout(),
            Self::Client(client) => client.poll_timeout(),
            Self::Peer(_) => None,
        }
    }
}

/// A server, a peer, and whoever is added.
pub(crate) struct Net {
    pub(crate) world: World<Host>,
    pub(crate) server: NodeId,
    pub(crate) peer: NodeId,
    pub(crate) internet: NodeId,
    clients: u16,
}

pub(crate) const SERVER: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
pub(crate) const PEER: [&str; 2] = ["198.51.100.7", "2001:db8:3::7"];

fn at(ips: [&str; 2], v6: bool, port: u16) -> Endpoint {
    Endpoint::new(ips[usize::from(v6)].parse::<IpAddr>().unwrap(), port)
}

pub(crate) fn peer(v6: bool) -> Endpoint {
    at(PEER, v6, 4000)
}

/// The server over a transport and a family.
pub(crate) fn server(transport: Transport, v6: bool) -> client::Server {
    match transport {
        Transport::Udp => client::Server::udp(at(SERVER, v6, 3478)),
        Transport::Tcp => client::Server::tcp(at(SERVER, v6, 3478)),
        Transport::Tls => client::Server::tls(at(SERVER, v6, 5349), "turn.example.org"),
    }
}

pub(crate) fn server_config() -> turn::server::Config {
    let relays = SERVER.map(|ip| ip.parse::<IpAddr>().unwrap());
    let mut config = turn::server::Config::new(REALM, relays);
    for local in [Endpoint::UNSPECIFIED_V4, Endpoint::UNSPECIFIED_V6] {
        for (transport, port) in
            [(Transport::Udp, 3478), (Transport::Tcp, 3478), (Transport::Tls, 5349)]
        {
            config.listeners.push(Listener { transport, local: local.with_port(port) });
        }
    }
    config
}

pub(crate) fn client_config(server: client::Server) -> client::Config {
    let credentials = Some(Credentials::new("alice", "swordfish").unwrap());
    client::Config { servers: vec![server], credentials, ..client::Config::default() }
}

impl Net {
    pub(crate) fn new(config: turn::server::Config) -> Self {
        let mut world = World::new(7);
        let internet = world.router("internet");
        let make = || Box::new(Server::new(config.clone(), Ids::new(3), &Entropy::seeded(3)));
        let (it, twin) = (Host::Server(make()), Host::Server(make()));
        let addresses = SERVER
            .map(|ip| if ip.contains(':') { ip.to_owned() + "/64" } else { ip.to_owned() + "/24" });
        let server = world.host_with_twin("server", it, twin, &[&addresses[0], &addresses[1]]);
        world.set_certificate(server, Certificate::new(&["turn.example.org"]));
        let peer =
            world.host("peer", Host::Peer(Peer::new()), &["198.51.100.7/24", "2001:db8:3::7/64"]);
        world.link(server, internet, Link::with_latency(Duration::from_millis(10)));
        world.link(peer, internet, Link::with_latency(Duration::from_millis(10)));
        Self { world, server, peer, internet, clients: 0 }
    }

    /// Adds a client of IPv4 and IPv6, straight on the internet.
    pub(crate) fn client(&mut self, config: client::Config) -> NodeId {
        let n = self.clients + 1;
        let addresses = [format!("203.0.{n}.2/24"), format!("2001:db8:2:{n}::2/64")];
        let node = self.lone_client(config, &[&addresses[0], &addresses[1]]);
        self.world.link(node, self.internet, Link::with_latency(Duration::from_millis(10)));
        node
    }

    /// Adds a client without a link.
    pub(crate) fn lone_client(&mut self, config: client::Config, addresses: &[&str]) -> NodeId {
        self.clients += 1;
        let (n, now) = (u64::from(self.clients), self.world.now());
        let make = |config| Box::new(Client::new(now, config, Ids::new(4), Entropy::seeded(n)));
        let (it, twin) = (Host::Client(make(config.clone())), Host::Client(make(config)));
        self.world.host_with_twin(&format!("client-{n}"), it, twin, addresses)
    }

    /// Lets time pass, answers the server's questions, and gives what a host told.
    pub(crate) fn run(&mut self, duration: Duration, host: NodeId) -> Vec<Told> {
        let deadline = self.world.now().mono + duration;
        let mut told = Vec::new();
        while let Some(happened) = self.world.next_before(deadline) {
            match happened.what {
                Happening::Event(event) if happened.host == host => told.push(event),
                Happening::Event(_) => {}
                Happening::Question(id, question) => {
                    let answer = answer(question);
                    self.world.answer(happened.host, id, answer);
                }
            }
        }
        told
    }

    /// Lets time pass and gives what the peer heard, and when.
    pub(crate) fn heard(&mut self, duration: Duration) -> Vec<(Instant, Vec<u8>)> {
        let deadline = self.world.now().mono + duration;
        let mut heard = Vec::new();
        while let Some(happened) = self.world.next_before(deadline) {
            if let Happening::Event(Told::Heard(_, bytes)) = happened.what {
                heard.push((happened.now.mono, bytes));
            }
        }
        heard
    }

    /// Runs until there is nothing more to be told for a second, and gives a client's events.
    pub(crate) fn events(&mut self, client: NodeId) -> Vec<(client::Event, Vec<u8>)> {
        let told = self.run(SECOND * 2, client);
        told.into_iter()
            .filter_map(|told| match told {
                Told::Client(event, payload) => Some((event, payload)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn verb<R>(
        &mut self,
        client: NodeId,
        mut verb: impl FnMut(&mut Client, Now) -> R,
    ) -> R {
        self.world.verb(client, |host, now| match host {
            Host::Client(client) => verb(client, now),
            _ => panic!("no client"),
        })
    }

    pub(crate) fn peer_verb<R>(&mut self, mut verb: impl FnMut(&mut Peer) -> R) -> R {
        self.world.verb(self.peer, |host, _| match host {
            Host::Peer(peer) => verb(peer),
            _ => panic!("no peer"),
        })
    }

    pub(crate) fn server_verb<R>(&mut self, mut verb: impl FnMut(&mut Server, Now) -> R) -> R {
        self.world.verb(self.server, |host, now| match host {
            Host::Server(server) => verb(server, now),
            _ => panic!("no server"),
        })
    }

    /// How many allocations the server has.
    pub(crate) fn allocations(&self) -> usize {
        match self.world.machine(self.server) {
            Host::Server(server) => server.allocations(),
            _ => panic!("no server"),
        }
    }

    /// Starts the world and waits for a client's allocation.
    pub(crate) fn allocated(&mut self, client: NodeId) -> client::Allocation {
        let events = self.events(client);
        match events.into_iter().next_back() {
            Some((client::Event::Allocated(allocation), _)) => *allocation,
            other => panic!("{other:?}"),
        }
    }
}

fn answer(question: Question) -> Answer {
    let Question::Credentials { user, realm } = question;
    let known = USERS.iter().find(|(name, _)| match &user {
        User::Name(given) => given == name,
        User::Hash(hash) => *hash == integrity::userhash(name, &realm),
    });
    Answer::Credentials(
        known.map(|(name, password)| Keys::derive(name, &realm, password.as_bytes())),
    )
}
