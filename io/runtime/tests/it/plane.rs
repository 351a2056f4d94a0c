//! A data plane beside a machine: whoever of the two forwards, the same arrives.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use machine::{Checked, Endpoint, Entropy, Icmp, Now};
use runtime::{Config, Handle, Inherited, Running, World};
use tokio::sync::mpsc;
use udp::{Incoming, Plane, PlaneConfig};

use crate::relaying::{CHANNEL, Relaying, Told};

/// How long to wait for what comes at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The machine: there is no plane.
    Machine,
    /// The plane's threads.
    Plane,
}

struct Owner {
    told: mpsc::UnboundedSender<Told>,
    plane: Option<Plane>,
}

impl World<Checked<Relaying>> for Owner {
    fn event(&mut self, _: Now, event: Told) {
        if let (Told::Change(change), Some(plane)) = (&event, &self.plane) {
            plane.apply(change.clone());
        }
        // The test may have seen enough.
        let _ = self.told.send(event);
    }

    fn answer(&mut self, (): ()) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }
}

struct Relay {
    running: Running<Checked<Relaying>>,
    told: mpsc::UnboundedReceiver<Told>,
    plane: Option<Plane>,
    listener: Endpoint,
    relayed: Endpoint,
    client: UdpSocket,
    peer: UdpSocket,
}

fn plane() -> (Plane, Incoming) {
    let entropy = Entropy::seeded(2);
    Plane::start(PlaneConfig { shards: 2, clock: || runtime::now().mono, entropy }).unwrap()
}

fn socket(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn at(socket: &UdpSocket) -> Endpoint {
    socket.local_addr().unwrap().into()
}

impl Relay {
    async fn new(by: By, ip: &str) -> Self {
        let listener = format!("{}:0", if ip == "::1" { "[::1]" } else { ip }).parse().unwrap();
        Self::with(by, ip, listener, Inherited::none()).await
    }

    async fn with(by: By, ip: &str, listener: Endpoint, inherited: Inherited) -> Self {
        let (sender, mut told) = mpsc::unbounded_channel();
        let parts = (by == By::Plane).then(plane);
        let plane = parts.as_ref().map(|(plane, _)| plane.clone());
        let owner = Owner { told: sender, plane: plane.clone() };
        let config = Config { inherited, plane: parts, ..Config::default() };
        let running = runtime::spawn(Checked::new(Relaying::new(listener)), owner, config);
        let Some(Told::Ready { listener, relayed }) = told.recv().await else { panic!("ready") };
        let (client, peer) = (socket(ip), socket(ip));
        Self { running, told, plane, listener, relayed, client, peer }
    }

    fn handle(&self) -> Handle<Checked<Relaying>> {
        self.running.handle()
    }

    async fn allocate(&mut self) {
        self.allocate_to(at(&self.peer)).await;
    }

    async fn allocate_to(&mut self, peer: Endpoint) {
        let client = at(&self.client);
        let allocate = move |machine: &mut Checked<Relaying>, now| {
            machine.verb(now, |machine, now| machine.allocate(now, client, peer));
        };
        self.handle().verb(allocate).await.unwrap();
        assert!(matches!(self.told.recv().await, Some(Told::Change(_))));
    }

    /// Sends from one socket to a place and receives at another; what came, and from where.
    async fn pass(
        from: &UdpSocket,
        bytes: Vec<u8>,
        to: Endpoint,
        out: &UdpSocket,
    ) -> (Vec<u8>, Endpoint) {
        let (from, out) = (from.try_clone().unwrap(), out.try_clone().unwrap());
        let pass = move || {
            from.send_to(&bytes, SocketAddr::from(to)).unwrap();
            let mut buf = vec![0; 65_536];
            let (len, sender) = out.recv_from(&mut buf).unwrap();
            buf.truncate(len);
            (buf, sender.into())
        };
        tokio::task::spawn_blocking(pass).await.unwrap()
    }

    /// Waits until the plane says that it has forwarded so many packets: it counts a moment later.
    async fn forwarded_by_plane(&self, packets: u64) {
        let Some(plane) = &self.plane else { panic!("no plane") };
        let count = || {
            let relay = plane.counters().relay;
            relay.client_to_peer.packets + relay.peer_to_client.packets
        };
        let counted = async {
            while count() < packets {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, counted).await.unwrap();
        assert_eq!(count(), packets);
    }

    /// Stops; how many packets the machine has forwarded.
    async fn forwarded_by_machine(self) -> u64 {
        let machine = self.running.stop().await.unwrap();
        let counters = machine.get().table.counters();
        counters.client_to_peer.packets + counters.peer_to_client.packets
    }
}

/// ChannelData around `bytes` (RFC 8656 §12.4).
fn channel_data(bytes: &[u8]) -> Vec<u8> {
    let (number, len) = (CHANNEL.to_be_bytes(), (bytes.len() as u16).to_be_bytes());
    [&number[..], &len, bytes].concat()
}

/// An Allocate request without attributes (RFC 8489 §5): no flow's data.
fn request() -> Vec<u8> {
    [&[0x00, 0x03, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat()
}

#[tokio::test]
async fn who_forwards_makes_no_difference() {
    const ROUNDS: u8 = 20;
    for by in [By::Machine, By::Plane] {
        for ip in ["127.0.0.1", "::1"] {
            let mut relay = Relay::new(by, ip).await;
            relay.allocate().await;
            let Relay { listener, relayed, .. } = relay;
            for n in 0..ROUNDS {
                let data = vec![n; 100 * usize::from(n)];
                let framed = channel_data(&data);
                let sent = framed.clone();
                let there = Relay::pass(&relay.client, sent, listener, &relay.peer).await;
                assert_eq!(there, (data.clone(), relayed), "{by:?}");
                let back = Relay::pass(&relay.peer, data, relayed, &relay.client).await;
                assert_eq!(back, (framed, listener), "{by:?}");
            }
            let packets = 2 * u64::from(ROUNDS);
            if by == By::Plane {
                relay.forwarded_by_plane(packets).await;
            }
            let by_machine = if by == By::Machine { packets } else { 0 };
            assert_eq!(relay.forwarded_by_machine().await, by_machine, "{by:?}");
        }
    }
}

#[tokio::test]
async fn what_no_flow_wants_goes_to_the_machine() {
    for by in [By::Machine, By::Plane] {
        let mut relay = Relay::new(by, "127.0.0.1").await;
        for _ in 0..3 {
            relay.client.send_to(&request(), SocketAddr::from(relay.listener)).unwrap();
            assert_eq!(relay.told.recv().await, Some(Told::Control(request())));
        }
    }
}

#[tokio::test]
async fn a_flood_for_the_machine_starves_nobody() {
    let mut relay = Relay::new(By::Plane, "127.0.0.1").await;
    let (flooder, listener) = (relay.client.try_clone().unwrap(), relay.listener);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let flood = tokio::task::spawn_blocking(move || {
        while stopped.try_recv().is_err() {
            for _ in 0..100 {
                flooder.send_to(&request(), SocketAddr::from(listener)).unwrap();
            }
        }
    });
    // Verbs are done in between, and the queue is bounded.
    for _ in 0..200 {
        relay.told.recv().await.unwrap();
        relay.handle().verb(|_, _| ()).await.unwrap();
    }
    stop.send(()).unwrap();
    flood.await.unwrap();
}

#[tokio::test]
async fn an_unreachable_peer_is_told() {
    for by in [By::Machine, By::Plane] {
        let mut relay = Relay::new(by, "127.0.0.1").await;
        // Discard, which nobody serves; a port of our own may go to another test.
        let nobody = at(&relay.peer).with_port(9);
        relay.allocate_to(nobody).await;
        let listener = SocketAddr::from(relay.listener);
        relay.client.send_to(&channel_data(b"hello?"), listener).unwrap();
        let told = relay.told.recv().await;
        assert_eq!(told, Some(Told::Unreachable(nobody, Icmp::PortUnreachable)), "{by:?}");
    }
}

#[tokio::test]
async fn of_a_closed_socket_nothing_is_heard_and_its_port_is_free() {
    for by in [By::Machine, By::Plane] {
        let mut relay = Relay::new(by, "127.0.0.1").await;
        relay.allocate().await;
        let close = |machine: &mut Checked<Relaying>, now| {
            machine.verb(now, |machine, _| machine.close_relayed());
        };
        relay.handle().verb(close).await.unwrap();
        assert!(matches!(relay.told.recv().await, Some(Told::Change(_))));
        let relayed = SocketAddr::from(relay.relayed);
        relay.peer.send_to(b"too late", relayed).unwrap();
        relay.client.send_to(&request(), SocketAddr::from(relay.listener)).unwrap();
        assert_eq!(relay.told.recv().await, Some(Told::Control(request())), "{by:?}");
        let free = async {
            while UdpSocket::bind(relayed).is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, free).await.unwrap();
    }
}

#[tokio::test]
async fn an_inherited_socket_serves_in_the_plane() {
    let bound = socket("127.0.0.1");
    let here = at(&bound);
    let inherited = Inherited::none();
    inherited.add_socket(bound);
    let mut relay = Relay::with(By::Plane, "127.0.0.1", here, inherited.clone()).await;
    assert_eq!(relay.listener, here);
    assert_eq!(inherited.waiting(), (Vec::new(), Vec::new()));
    relay.allocate().await;
    let framed = channel_data(b"through it");
    let there = Relay::pass(&relay.client, framed, here, &relay.peer).await;
    assert_eq!(there, (b"through it".to_vec(), relay.relayed));
}
