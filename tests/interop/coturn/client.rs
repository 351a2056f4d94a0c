//! Our client on a host of its own: this very test program, started there for one test.

use std::convert::Infallible;
use std::env;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use machine::{Endpoint, Id, Ids, Input, Instant, Machine, Now, Output, Transport};
use runtime::{Handle, Roots, Tls, World};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use turn::RelayTransport;
use turn::client::{Allocation, Client, Config, Event, Families, Server};

use super::NAME;
use crate::harness::net::Host;
use crate::harness::process::Process;

pub(super) const CREDENTIALS: &str = "alice:secret";

/// Where a child finds its task.
const VARIABLE: &str = "WAYLEAVE_INTEROP_COTURN";

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many packets go to the peer and back, each way of sending.
const PACKETS: usize = 50;

/// Bytes that go to the peer and back on each connection.
const STREAM_BYTES: usize = 300_000;

/// What is relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
    /// Datagrams, before and after a move to another port.
    Mobile,
    /// Datagrams, from an allocation with an address of each family.
    Both,
}

const KINDS: [(Kind, &str); 4] =
    [(Kind::Udp, "udp"), (Kind::Tcp, "tcp"), (Kind::Mobile, "mobile"), (Kind::Both, "both")];

const TRANSPORTS: [(Transport, &str); 3] =
    [(Transport::Udp, "udp"), (Transport::Tcp, "tcp"), (Transport::Tls, "tls")];

/// What a child does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) transport: Transport,
    pub(super) server: IpAddr,
    /// An address of the client's host, at which a peer echoes.
    pub(super) peer: IpAddr,
    pub(super) kind: Kind,
    /// Whom to trust, in DER.
    pub(super) certificate: PathBuf,
}

impl Task {
    /// Does it on `host`, and fails if that failed.
    pub(super) fn run(&self, host: &Host) {
        // By its process, not by its path: another test may build the program, and cargo this file,
        // once more meanwhile.
        let mut command = host.command(&format!("/proc/{}/exe", std::process::id()));
        command.args(["coturn::client::the_child", "--exact", "--nocapture"]);
        command.env(VARIABLE, self.to_text());
        let printed = Process::start(&format!("{self:?}"), command).succeed();
        assert!(printed.iter().any(|line| line.contains("all came back")), "{printed:?}");
    }

    fn to_text(&self) -> String {
        let transport = TRANSPORTS.iter().find(|(it, _)| *it == self.transport).expect("one").1;
        let kind = KINDS.iter().find(|(it, _)| *it == self.kind).expect("one of them").1;
        let Self { server, peer, certificate, .. } = self;
        format!("{transport} {server} {peer} {kind} {}", certificate.display())
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.splitn(5, ' ');
        let transport = words.next()?;
        let transport = TRANSPORTS.iter().find(|(_, name)| *name == transport)?.0;
        let (server, peer) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let kind = words.next()?;
        let kind = KINDS.iter().find(|(_, name)| *name == kind)?.0;
        Some(Self { transport, server, peer, kind, certificate: words.next()?.into() })
    }

    fn config(&self) -> Config {
        let at = |port| Endpoint::new(self.server, port);
        let server = match self.transport {
            Transport::Udp => Server::udp(at(3478)),
            Transport::Tcp => Server::tcp(at(3478)),
            Transport::Tls => Server::tls(at(5349), NAME),
        };
        let (user, password) = CREDENTIALS.split_once(':').expect("user and password");
        Config {
            servers: vec![server],
            credentials: Some(stun::Credentials::new(user, password).expect("a short name")),
            families: match self.kind {
                Kind::Both => Families::Both,
                _ if self.peer.is_ipv6() => Families::V6,
                _ => Families::V4,
            },
            relay: if self.kind == Kind::Tcp { RelayTransport::Tcp } else { RelayTransport::Udp },
            mobility: self.kind == Kind::Mobile,
            ..Config::default()
        }
    }
}

/// A client whose events carry their payload, for a driver that hands on events alone.
struct Embedded(Client);

impl Machine for Embedded {
    type Event = (Event, Vec<u8>);
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Self::Answer>) {
        self.0.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.0.handle_timeout(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Self::Event, Self::Question>> {
        let output = self.0.poll_output(buf)?;
        Some(output.map(|event| (event, std::mem::take(buf)), |never| never))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }
}

/// Whoever hears the events.
struct Listener(UnboundedSender<(Event, Vec<u8>)>);

impl World<Embedded> for Listener {
    fn event(&mut self, _: Now, event: (Event, Vec<u8>)) {
        let _ = self.0.send(event);
    }

    #[expect(clippy::manual_async_fn, reason = "an async fn would borrow self")]
    fn answer(
        &mut self,
        question: Infallible,
    ) -> impl Future<Output = Infallible> + Send + 'static {
        async move { question }
    }
}

/// The client at work.
struct Session {
    client: Handle<Embedded>,
    events: UnboundedReceiver<(Event, Vec<u8>)>,
    peer: Endpoint,
}

impl Session {
    async fn verb<R: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Client, Now) -> R + Send + 'static,
    ) -> R {
        self.client.verb(|embedded, now| verb(&mut embedded.0, now)).await.expect("it runs")
    }

    async fn event(&mut self) -> (Event, Vec<u8>) {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.expect("an event in time").expect("it runs")
    }

    async fn allocation(&mut self) -> Allocation {
        match self.event().await {
            (Event::Allocated(allocation), _) => *allocation,
            (other, _) => panic!("{other:?}"),
        }
    }

    async fn permit(&mut self) {
        let peer = self.peer.ip();
        self.verb(move |client, now| client.permit(now, peer)).await.expect("few peers");
        assert_eq!(self.event().await.0, Event::Permitted { peer });
    }

    async fn bind(&mut self) {
        let peer = self.peer;
        self.verb(move |client, now| client.bind_channel(now, peer)).await.expect("few peers");
        assert_eq!(self.event().await.0, Event::ChannelBound { peer });
    }

    /// Packets of many sizes to the peer, which come back in order.
    async fn echo(&mut self, channel: bool) {
        let peer = self.peer;
        for n in 0..PACKETS {
            let packet = vec![n as u8; 1 + n * 24];
            let sent = packet.clone();
            self.verb(move |client, now| client.send(now, peer, &sent)).await.expect("room");
            let (event, payload) = self.event().await;
            assert_eq!((event, payload), (Event::Received { peer, channel }, packet));
        }
    }

    /// Bytes to the peer of a connection, which come back.
    async fn echo_stream(&mut self, conn: Id) {
        let sent: Vec<u8> = (0..STREAM_BYTES).map(|n| (n * 7 + n / 256) as u8).collect();
        let (mut written, mut received) = (0, Vec::new());
        while received.len() < sent.len() {
            let rest = sent[written..].to_vec();
            let write = self.verb(move |client, now| client.write_peer(now, conn, &rest)).await;
            written += write.expect("a connection");
            match self.event().await {
                (Event::PeerData { conn: from }, bytes) if from == conn => received.extend(bytes),
                (Event::PeerWritable { .. }, _) => {}
                (other, _) => panic!("{other:?}"),
            }
        }
        assert!(received == sent, "what came back differs");
    }

    async fn connected(&mut self) -> Id {
        loop {
            match self.event().await {
                (Event::PeerConnected { conn, .. }, _) => return conn,
                (Event::PeerWritable { .. }, _) => {}
                (other, _) => panic!("{other:?}"),
            }
        }
    }

    async fn close(mut self) {
        self.verb(Client::close).await;
        while self.event().await.0 != Event::Ended {}
    }
}

/// A peer that echoes datagrams.
fn echo_datagrams(ip: IpAddr) -> SocketAddr {
    let socket = UdpSocket::bind((ip, 0)).expect("a socket");
    let address = socket.local_addr().expect("an address");
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut packet) {
            let _ = socket.send_to(&packet[..len], from);
        }
    });
    address
}

/// A peer that echoes connections.
fn echo_connections(ip: IpAddr) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).expect("a listener");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || echo(&connection));
        }
    });
    address
}

fn echo(mut connection: &TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(len) = connection.read(&mut bytes)
        && len > 0
        && connection.write_all(&bytes[..len]).is_ok()
    {}
}

async fn relay_datagrams(mut session: Session, kind: Kind) {
    let allocation = session.allocation().await;
    assert_eq!(allocation.mobile, kind == Kind::Mobile);
    assert_eq!(allocation.relayed.len(), if kind == Kind::Both { 2 } else { 1 });
    session.permit().await;
    session.echo(false).await;
    session.bind().await;
    session.echo(true).await;
    if kind == Kind::Mobile {
        session.verb(|client, now| client.move_to(now, None, None)).await.expect("a mobile one");
        let (event, _) = session.event().await;
        assert!(matches!(event, Event::Moved { .. }), "{event:?}");
        let after = session.verb(|client, _| client.allocation().cloned()).await;
        assert_eq!(after.expect("it came along").relayed, allocation.relayed);
        session.echo(true).await;
    }
    session.close().await;
}

async fn relay_connections(mut session: Session) {
    let relayed = session.allocation().await.relayed[0];
    session.permit().await;
    // Ours to the peer.
    let peer = session.peer;
    let conn = session.verb(move |client, now| client.connect_peer(now, peer)).await;
    conn.expect("few connections");
    let conn = session.connected().await;
    session.echo_stream(conn).await;
    // The peer's to us: from the same host, of which every address is permitted that can reach there.
    thread::spawn(move || {
        echo(&TcpStream::connect(SocketAddr::from(relayed)).expect("a connection"));
    });
    let conn = loop {
        match session.event().await {
            (Event::PeerConnecting { conn, .. }, _) => break conn,
            (Event::PeerWritable { .. }, _) => {}
            (other, _) => panic!("{other:?}"),
        }
    };
    session.verb(move |client, now| client.accept_peer(now, conn)).await.expect("it waits");
    let conn = session.connected().await;
    session.echo_stream(conn).await;
    session.close().await;
}

/// What runs on a host of its own. Without a task it does nothing.
#[test]
fn the_child() {
    let Ok(text) = env::var(VARIABLE) else { return };
    let task = Task::from_text(&text).expect("a task");
    let peer = match task.kind {
        Kind::Tcp => echo_connections(task.peer),
        Kind::Udp | Kind::Mobile | Kind::Both => echo_datagrams(task.peer),
    };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio");
    tokio.block_on(async {
        let client = Client::new(
            runtime::now(),
            task.config(),
            Ids::new(0),
            runtime::entropy().expect("randomness"),
        );
        let (sender, events) = unbounded_channel();
        let certificate = std::fs::read(&task.certificate).expect("a certificate");
        let tls = Tls { roots: Roots::Only(vec![certificate]), ..Tls::default() };
        let config = runtime::Config { name: "turn", tls, ..runtime::Config::default() };
        let running = runtime::spawn(Embedded(client), Listener(sender), config);
        let session = Session { client: running.handle(), events, peer: peer.into() };
        match task.kind {
            Kind::Tcp => relay_connections(session).await,
            kind => relay_datagrams(session, kind).await,
        }
    });
    println!("all came back");
}

#[test]
fn tasks_survive_their_text() {
    for (kind, _) in KINDS {
        for (transport, _) in TRANSPORTS {
            let (server, peer) = ([10, 0, 0, 1].into(), "fd77::1".parse().expect("an address"));
            let certificate = "/a folder/cert.der".into();
            let task = Task { transport, server, peer, kind, certificate };
            assert_eq!(Task::from_text(&task.to_text()), Some(task));
        }
    }
}
