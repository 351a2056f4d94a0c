//! Two sides find a path over loopback, on the standard library's sockets: no runtime, no thread.
//!
//! `cargo run -p wayleave-connect --example two_sides`
//!
//! In between stands what signalling would do: each side's parameters are carried to the other.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an example of a driver: somebody has to own the sockets and the clock"
)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connect::{
    Config, Connect, Event, IceMode, RemoteIce, RemoteParameters, RemoteStream, Role, SessionId,
    SessionSpec, StreamSpec,
};
use machine::{
    Endpoint, Entropy, FailKind, Id, Ids, Input, Instant, Interface, InterfaceAddress,
    InterfaceKind, Machine, Now, Output,
};

type Failure = Box<dyn std::error::Error>;

/// One side: a machine and the sockets that it asked for.
struct Side {
    name: &'static str,
    connect: Connect,
    sockets: BTreeMap<Id, UdpSocket>,
    session: SessionId,
    gathered: bool,
    writable: bool,
    found: bool,
    received: Vec<Vec<u8>>,
}

impl Side {
    fn new(name: &'static str, role: Role, seed: u64, now: Now) -> Result<Self, Failure> {
        // A real driver seeds it from the operating system.
        let mut connect = Connect::new(Config::default(), Ids::new(0), Entropy::seeded(seed));
        connect.handle_input(now, Input::Interfaces(vec![loopback()?]));
        let spec = SessionSpec {
            streams: vec![StreamSpec { components: 1 }],
            ice: IceMode::On,
            role,
            stun_servers: Vec::new(),
            include_loopback: true,
            preferred: None,
            ..SessionSpec::default()
        };
        let session = connect.open(now, spec)?;
        let sockets = BTreeMap::new();
        let received = Vec::new();
        let (gathered, writable, found) = (false, false, false);
        Ok(Self { name, connect, sockets, session, gathered, writable, found, received })
    }

    /// Does what the machine wants done until it wants nothing.
    fn drain(&mut self, now: Now) -> Result<(), Failure> {
        let mut buf = Vec::new();
        while let Some(output) = self.connect.poll_output(&mut buf) {
            match output {
                Output::Bind { id, local, .. } => match bind(local) {
                    Ok((socket, local)) => {
                        self.sockets.insert(id, socket);
                        self.connect.handle_input(now, Input::Bound { id, local });
                    }
                    Err(error) => {
                        let kind = FailKind::Other(error.to_string());
                        self.connect.handle_input(now, Input::Failed { id, kind });
                    }
                },
                Output::Datagram { socket, remote, .. } => {
                    if let Some(socket) = self.sockets.get(&socket) {
                        // A datagram may get lost, on the way or right here.
                        let _ = socket.send_to(&buf, SocketAddr::from(remote));
                    }
                }
                Output::Close { id } => {
                    self.sockets.remove(&id);
                }
                Output::Event(event) => self.tell(event),
                _ => {}
            }
            buf.clear();
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Candidate { candidate, .. } => {
                println!("{}: {candidate}, {}", self.name, candidate.origin);
            }
            Event::Gathered { .. } => self.gathered = true,
            Event::Pair { pair, .. } => {
                println!("{}: {} to {}: {}", self.name, pair.local, pair.remote, pair.fate);
            }
            Event::Writable { .. } => self.writable = true,
            Event::Path { path, .. } => {
                let (checks, rtt) = (path.checks_sent, path.rtt.unwrap_or_default());
                self.found = true;
                println!("{}: path to {} in {checks} checks, {rtt:?}", self.name, path.remote);
            }
            Event::Received { bytes, .. } => self.received.push(bytes),
            Event::Failed { explanation, .. } => println!("{}: {explanation}", self.name),
            Event::Closed { .. } => println!("{}: closed", self.name),
        }
    }

    /// Takes in what arrived and what is due.
    fn turn(&mut self, now: Now) -> Result<(), Failure> {
        let mut buf = [0; 2048];
        let ids: Vec<Id> = self.sockets.keys().copied().collect();
        for id in ids {
            let Some(socket) = self.sockets.get(&id) else { continue };
            let local = Endpoint::from(socket.local_addr()?);
            let Ok((len, from)) = socket.recv_from(&mut buf) else { continue };
            let bytes = buf.get(..len).unwrap_or_default();
            let (remote, ecn, segment_size) = (Endpoint::from(from), None, None);
            let input = Input::Datagram { socket: id, local, remote, ecn, segment_size, bytes };
            self.connect.handle_input(now, input);
            self.drain(now)?;
        }
        if self.connect.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.connect.handle_timeout(now);
        }
        self.drain(now)
    }

    /// What a description would carry to the other side.
    fn described(&self) -> RemoteParameters {
        let local = self.connect.local(self.session);
        let (credentials, streams) =
            local.map(|local| (local.credentials, local.streams)).unwrap_or_default();
        let ice = credentials.map(|credentials| RemoteIce {
            credentials,
            lite: false,
            complete: self.gathered,
        });
        let stream = |stream: connect::LocalStream| RemoteStream {
            components: 1,
            candidates: stream.candidates,
            defaults: stream.defaults,
        };
        RemoteParameters { ice, streams: streams.into_iter().map(|s| Some(stream(s))).collect() }
    }
}

fn loopback() -> Result<Interface, Failure> {
    let (ip, prefix_len) = ("127.0.0.1".parse()?, 8);
    let address = InterfaceAddress { ip, prefix_len, temporary: false, deprecated: false };
    let (index, name, kind) = (1, "lo".to_owned(), InterfaceKind::Loopback);
    Ok(Interface { index, name, kind, addresses: vec![address], routers: Vec::new() })
}

fn bind(local: Endpoint) -> std::io::Result<(UdpSocket, Endpoint)> {
    let socket = UdpSocket::bind(SocketAddr::from(local))?;
    // One turn looks at every socket; none may hold it up for long.
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    let local = socket.local_addr()?.into();
    Ok((socket, local))
}

fn main() -> Result<(), Failure> {
    let start = std::time::Instant::now();
    let clock = || {
        let mono = Instant::ORIGIN + start.elapsed();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono, unix }
    };
    let mut alice = Side::new("alice", Role::Controlling, 1, clock())?;
    let mut bob = Side::new("bob", Role::Controlled, 2, clock())?;
    let (mut told, mut greeted) = (false, false);
    while start.elapsed() < Duration::from_secs(5) {
        alice.turn(clock())?;
        bob.turn(clock())?;
        if alice.gathered && bob.gathered && !told {
            told = true;
            let (offer, answer) = (alice.described(), bob.described());
            bob.connect.set_remote(clock(), bob.session, &offer)?;
            alice.connect.set_remote(clock(), alice.session, &answer)?;
        }
        if alice.writable && bob.writable && !greeted {
            greeted = true;
            alice.connect.send(clock(), alice.session, 0, 1, b"hello, Bob")?;
            bob.connect.send(clock(), bob.session, 0, 1, b"hello, Alice")?;
        }
        if [&alice, &bob].iter().all(|side| side.found && !side.received.is_empty()) {
            break;
        }
    }
    for side in [&mut alice, &mut bob] {
        let heard = side.received.first().ok_or("nothing was heard")?;
        println!("{}: heard \"{}\"", side.name, String::from_utf8_lossy(heard));
        side.connect.close(clock(), side.session);
        side.drain(clock())?;
    }
    Ok(())
}
