//! A plane with a listener, clients and peers on loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use machine::{BindKind, Endpoint, Entropy, Id, Ids, Instant};
use relay::{Change, Channel, Client, Flow, FlowId, Permission, Reach, Relayed};
use wayleave_udp::{Incoming, Plane, PlaneConfig};

pub(crate) const CHANNEL: u16 = 0x4000;
pub(crate) const FOREVER: Instant = Instant::from_nanos(u64::MAX);
/// How long something may take that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One test at a time: they count what the process does.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct World {
    pub(crate) plane: Plane,
    pub(crate) incoming: Incoming,
    pub(crate) ids: Ids,
    pub(crate) listener: Id,
    pub(crate) server: Endpoint,
    ip: IpAddr,
    flows: BTreeMap<u64, Flow>,
}

/// A socket that waits for what has to come.
pub(crate) fn socket(ip: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("loopback works");
    socket.set_read_timeout(Some(PATIENCE)).expect("loopback works");
    socket
}

pub(crate) fn local(socket: &UdpSocket) -> Endpoint {
    socket.local_addr().expect("loopback works").into()
}

/// The next datagram at `socket`, and where it came from.
pub(crate) fn next(socket: &UdpSocket) -> (Vec<u8>, Endpoint) {
    let mut buf = vec![0; 65_535];
    let (len, from) = socket.recv_from(&mut buf).expect("it comes");
    buf.truncate(len);
    (buf, from.into())
}

/// Whether `bound` becomes true soon.
pub(crate) fn soon(mut happens: impl FnMut() -> bool) -> bool {
    let start = std::time::Instant::now();
    while start.elapsed() < PATIENCE {
        if happens() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

pub(crate) fn channel_data(data: &[u8]) -> Vec<u8> {
    [&CHANNEL.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

impl World {
    pub(crate) fn new(shards: usize) -> Self {
        Self::at(shards, Ipv4Addr::LOCALHOST.into(), false)
    }

    pub(crate) fn v6(shards: usize) -> Self {
        Self::at(shards, Ipv6Addr::LOCALHOST.into(), false)
    }

    /// The listener has every address, or one.
    pub(crate) fn at(shards: usize, ip: IpAddr, wildcard: bool) -> Self {
        let config = PlaneConfig { shards, clock: || Instant::ORIGIN, entropy: Entropy::seeded(1) };
        let (plane, incoming) = Plane::start(config).expect("loopback works");
        let mut ids = Ids::new(3);
        let listener = ids.next_id();
        let any = if ip.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        let at = if wildcard { any } else { Endpoint::new(ip, 0) };
        let bound = plane.bind(listener, BindKind::SharedUdp, at, None).expect("loopback works");
        let server = Endpoint::new(ip, bound.port());
        Self { plane, incoming, ids, listener, server, ip, flows: BTreeMap::new() }
    }

    pub(crate) fn socket(&self) -> UdpSocket {
        socket(self.ip)
    }

    /// A flow for `client`, with a permission for and a channel to each of `peers`.
    pub(crate) fn flow(&mut self, id: u64, client: &UdpSocket, peers: &[Endpoint]) -> Relayed {
        let socket = self.ids.next_id();
        let at = Endpoint::new(self.ip, 0);
        let bound = self.plane.bind(socket, BindKind::RelayUdp, at, None).expect("loopback works");
        let relayed = Relayed { socket, local: bound, external: bound };
        let client =
            Client::Datagram { socket: self.listener, local: self.ip, remote: local(client) };
        self.flows.insert(id, Flow::new(client, relayed, FOREVER));
        self.allow(id, peers);
        relayed
    }

    pub(crate) fn allow(&mut self, id: u64, peers: &[Endpoint]) {
        let flow = self.flows.get_mut(&id).expect("a flow of this world");
        for &peer in peers {
            let number = CHANNEL + flow.channels().len() as u16;
            flow.permit(Permission { ip: peer.ip(), reach: Reach::Network, until: FOREVER });
            flow.bind(Channel { number, peer, until: FOREVER });
        }
        self.plane.apply(Change::Set(FlowId(id), Arc::new(flow.clone())));
    }

    pub(crate) fn send(&self, client: &UdpSocket, bytes: &[u8]) {
        client.send_to(bytes, SocketAddr::from(self.server)).expect("loopback works");
    }
}
