//! What the data plane costs beside a bare forwarder: CPU per packet of the forwarding threads alone,
//! user and kernel, both in one run on loopback.
//!
//! ```sh
//! cargo run --release -p wayleave-udp --example plane -- to-peer 100 400000
//! cargo run --release -p wayleave-udp --example plane -- between 100 400000
//! cargo run --release -p wayleave-udp --example plane -- to-peer 1 400000 1200 8
//! ```
//!
//! Arguments: the path (`to-peer`, `to-client`, `between` two clients, `binding`), flows, packets, their
//! size (172), how many leave as one train (1), how many of a flow follow each other (1), shards (1), and
//! rounds (5). No more than a window of packets is on its way at any time, so that nothing is lost. The bare forwarder
//! receives 64 at a time and sends from connected sockets.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use machine::{BindKind, Endpoint, Entropy, Id, Ids, Instant};
use relay::{Change, Channel, Client, Flow, FlowId, Permission, Reach, Relayed};
use wayleave_udp::{Batch, Plane, PlaneConfig, Socket, Transmit};

/// Packets on their way at any time.
const WINDOW: u64 = 256;
const CHANNEL: u16 = 0x4000;
const ANY: Endpoint = Endpoint::UNSPECIFIED_V4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    ToPeer,
    ToClient,
    Between,
    Binding,
}

#[derive(Clone, Copy)]
struct Load {
    path: Path,
    flows: usize,
    packets: u64,
    size: usize,
    train: usize,
    burst: usize,
    shards: usize,
    rounds: usize,
}

/// Sockets that load is sent from, each with where to, and sockets where it arrives.
struct Ends {
    from: Vec<(Socket, Endpoint, Vec<u8>)>,
    to: Vec<Socket>,
}

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let number =
        |n: usize, default: usize| args.get(n).and_then(|a| a.parse().ok()).unwrap_or(default);
    let path = match args.first().map(String::as_str) {
        Some("to-client") => Path::ToClient,
        Some("between") => Path::Between,
        Some("binding") => Path::Binding,
        _ => Path::ToPeer,
    };
    let load = Load {
        path,
        flows: number(1, 100),
        packets: number(2, 400_000) as u64,
        size: number(3, 172),
        train: number(4, 1),
        burst: number(5, 1),
        shards: number(6, 1),
        rounds: number(7, 5),
    };
    let (mut bare, mut plane) = (Vec::new(), Vec::new());
    for round in 0..load.rounds {
        bare.push(with_bare(load)?);
        plane.push(with_plane(load)?);
        println!("{round}: bare {:.0} ns, plane {:.0} ns", bare[round], plane[round]);
    }
    let (bare, plane) = (median(bare), median(plane));
    println!("medians: bare {bare:.0} ns, plane {plane:.0} ns, ratio {:.2}", plane / bare);
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn loopback() -> Endpoint {
    Endpoint::new(Ipv4Addr::LOCALHOST, 0)
}

fn socket() -> io::Result<Socket> {
    Socket::bind(loopback(), None)
}

/// CPU nanoseconds of this process's threads whose names begin with `name`.
fn cpu_nanos(name: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let ours = tasks.filter(|task| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    });
    ours.filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    })
    .sum()
}

/// Sends the load and waits until it has arrived; CPU nanoseconds per packet of the threads `name`.
fn measure(load: Load, mut ends: Ends, name: &str) -> f64 {
    let arrived = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let receiver = {
        let (arrived, done, to) = (Arc::clone(&arrived), Arc::clone(&done), ends.to);
        thread::spawn(move || {
            let mut batch = Batch::new();
            while !done.load(Ordering::Relaxed) {
                let mut some = false;
                for socket in &to {
                    while socket.receive(&mut batch).is_ok() {
                        some = true;
                        let packets = batch.messages(ANY).map(|message| {
                            let size = message.segment_size.unwrap_or(message.bytes.len());
                            message.bytes.len().div_ceil(size.max(1))
                        });
                        arrived.fetch_add(packets.sum::<usize>() as u64, Ordering::Release);
                    }
                }
                if !some {
                    thread::sleep(Duration::from_micros(50));
                }
            }
        })
    };
    let before = cpu_nanos(name);
    let (mut sent, mut lost, mut last) = (0, 0, 0);
    'load: loop {
        for (socket, remote, bytes) in &mut ends.from {
            for _ in 0..load.burst {
                let mut idle = 0;
                while sent - lost - arrived.load(Ordering::Acquire) > WINDOW {
                    thread::sleep(Duration::from_micros(20));
                    idle += 1;
                    if idle > 5000 {
                        lost = sent - arrived.load(Ordering::Acquire);
                    }
                }
                let segment_size = (load.train > 1).then_some(bytes.len() / load.train);
                let transmit = Transmit { source: None, remote: *remote, segment_size, bytes };
                if socket.send(transmit).is_ok() {
                    sent += load.train as u64;
                }
                if sent >= load.packets {
                    break 'load;
                }
            }
        }
    }
    loop {
        let now = arrived.load(Ordering::Acquire);
        if now + lost >= sent || now == last {
            break;
        }
        last = now;
        thread::sleep(Duration::from_millis(50));
    }
    let used = cpu_nanos(name) - before;
    done.store(true, Ordering::Relaxed);
    let _ = receiver.join();
    let arrived = arrived.load(Ordering::Acquire);
    if arrived < sent {
        println!("lost {} of {sent}", sent - arrived);
    }
    used as f64 / arrived.max(1) as f64
}

/// Load in the form of the path.
fn payload(load: Load, channel: u16) -> Vec<u8> {
    let mut one = match load.path {
        Path::ToPeer | Path::Between => {
            let len = load.size as u16;
            [channel.to_be_bytes(), len.to_be_bytes()].concat()
        }
        Path::ToClient => Vec::new(),
        Path::Binding => {
            let id = stun::TransactionId([7; 12]);
            return stun::Builder::request(stun::Method::BINDING, id).finish();
        }
    };
    one.resize(one.len() + load.size, 7);
    one.repeat(load.train)
}

fn with_plane(load: Load) -> io::Result<f64> {
    let config =
        PlaneConfig { shards: load.shards, clock: || Instant::ORIGIN, entropy: Entropy::seeded(1) };
    let (plane, _incoming) = Plane::start(config)?;
    let mut ids = Ids::new(0);
    let listener = ids.next_id();
    let server = plane.bind(listener, BindKind::SharedUdp, loopback(), None)?;
    let until = Instant::from_nanos(u64::MAX);
    let peer = socket()?;
    let mut flows: Vec<(Socket, Endpoint, Id)> = Vec::new();
    for _ in 0..load.flows {
        let id = ids.next_id();
        let relayed = plane.bind(id, BindKind::RelayUdp, loopback(), None)?;
        flows.push((socket()?, relayed, id));
    }
    for n in 0..flows.len() {
        let (client, local, id) = &flows[n];
        // Between clients: the next one's relayed address.
        let next = flows[(n + 1) % flows.len()].1;
        let previous = flows[(n + flows.len() - 1) % flows.len()].1;
        let peers = if load.path == Path::Between { [next, previous] } else { [peer.local(); 2] };
        let client =
            Client::Datagram { socket: listener, local: server.ip(), remote: client.local() };
        let relayed = Relayed { socket: *id, local: *local, external: *local };
        let mut flow = Flow::new(client, relayed, until);
        flow.permit(Permission { ip: peer.local().ip(), reach: Reach::Network, until });
        for (number, peer) in (CHANNEL..).zip(peers) {
            flow.bind(Channel { number, peer, until });
        }
        plane.apply(Change::Set(FlowId(n as u64), Arc::new(flow)));
    }
    let ends = match load.path {
        Path::ToPeer => Ends {
            from: flows.into_iter().map(|(c, _, _)| (c, server, payload(load, CHANNEL))).collect(),
            to: vec![peer],
        },
        Path::ToClient => {
            to_clients(load, flows.into_iter().map(|(c, relayed, _)| (c, relayed)), peer)?
        }
        Path::Between | Path::Binding => {
            both_ways(load, flows.into_iter().map(|(c, ..)| c), server)?
        }
    };
    let nanos = measure(load, ends, "relay-");
    println!("    {:?}", plane.counters());
    Ok(nanos)
}

/// One socket that sends to every relayed address.
fn to_clients(
    load: Load,
    flows: impl Iterator<Item = (Socket, Endpoint)>,
    peer: Socket,
) -> io::Result<Ends> {
    let mut ends = Ends { from: Vec::new(), to: Vec::new() };
    for (client, relayed) in flows {
        let sender = Socket::bind(peer.local(), None).or_else(|_| same(&peer))?;
        ends.from.push((sender, relayed, payload(load, CHANNEL)));
        ends.to.push(client);
    }
    Ok(ends)
}

/// Sockets that send and receive.
fn both_ways(
    load: Load,
    clients: impl Iterator<Item = Socket>,
    server: Endpoint,
) -> io::Result<Ends> {
    let mut ends = Ends { from: Vec::new(), to: Vec::new() };
    for client in clients {
        ends.from.push((same(&client)?, server, payload(load, CHANNEL)));
        ends.to.push(client);
    }
    Ok(ends)
}

/// Another handle of a socket.
fn same(socket: &Socket) -> io::Result<Socket> {
    Socket::adopt(socket.owner().try_clone()?)
}

/// A forwarder that knows nothing: what arrives at one socket leaves from as many as there are flows
/// in turn, and the other way round; a Binding request goes back as it came.
fn with_bare(load: Load) -> io::Result<f64> {
    let listener = socket()?;
    let server = listener.local();
    let peer = socket()?;
    let mut clients = Vec::new();
    let mut outer = Vec::new();
    for _ in 0..load.flows {
        clients.push(socket()?);
        outer.push(socket()?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&stop);
    let targets: Vec<Endpoint> = clients.iter().map(Socket::local).collect();
    let relayed: Vec<Endpoint> = outer.iter().map(Socket::local).collect();
    let to_peer = peer.local();
    let thread =
        thread::Builder::new().name("bare".to_owned()).spawn(move || -> io::Result<()> {
            match load.path {
                Path::ToPeer => {
                    for socket in &outer {
                        socket.owner().connect(SocketAddr::from(to_peer))?;
                    }
                    let outer: Vec<&UdpSocket> = outer.iter().map(Socket::owner).collect();
                    bare_loop(&[&listener], &done, |n, bytes, segment| {
                        send_bare(outer[n % outer.len()], None, bytes, segment)
                    })
                }
                Path::ToClient => {
                    let from: Vec<&Socket> = outer.iter().collect();
                    bare_loop(&from, &done, |n, bytes, segment| {
                        send_bare(
                            listener.owner(),
                            Some(targets[n % targets.len()]),
                            bytes,
                            segment,
                        )
                    })
                }
                Path::Between | Path::Binding => {
                    bare_loop(&[&listener], &done, |n, bytes, segment| {
                        send_bare(
                            listener.owner(),
                            Some(targets[n % targets.len()]),
                            bytes,
                            segment,
                        )
                    })
                }
            }
        })?;
    let ends = match load.path {
        Path::ToPeer => Ends {
            from: clients.into_iter().map(|c| (c, server, payload(load, CHANNEL))).collect(),
            to: vec![peer],
        },
        Path::ToClient => to_clients(load, clients.into_iter().zip(relayed), peer)?,
        Path::Between | Path::Binding => both_ways(load, clients.into_iter(), server)?,
    };
    let nanos = measure(load, ends, "bare");
    stop.store(true, Ordering::Relaxed);
    let _ = thread.join();
    Ok(nanos)
}

fn send_bare(socket: &UdpSocket, remote: Option<Endpoint>, bytes: &[u8], segment: usize) {
    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
    use std::os::fd::AsRawFd;
    if segment >= bytes.len() {
        let _ = match remote {
            Some(remote) => socket.send_to(bytes, SocketAddr::from(remote)),
            None => socket.send(bytes),
        };
        return;
    }
    let size = segment as u16;
    let remote = remote.map(|remote| SockaddrStorage::from(SocketAddr::from(remote)));
    let pieces = [io::IoSlice::new(bytes)];
    let control = [ControlMessage::UdpGsoSegments(&size)];
    let _ = sendmsg(socket.as_raw_fd(), &pieces, &control, MsgFlags::empty(), remote.as_ref());
}

fn bare_loop(
    sockets: &[&Socket],
    done: &AtomicBool,
    mut send: impl FnMut(usize, &[u8], usize),
) -> io::Result<()> {
    use rustix::event::epoll;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (n, socket) in (0..).zip(sockets) {
        epoll::add(&epoll, socket.owner(), epoll::EventData::new_u64(n), epoll::EventFlags::IN)?;
    }
    let mut events = Vec::with_capacity(128);
    let mut batch = Batch::new();
    let mut turn = 0;
    let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    while !done.load(Ordering::Relaxed) {
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        for event in events.drain(..) {
            let n = event.data.u64() as usize;
            let _ = sockets[n].receive(&mut batch);
            for message in batch.messages(ANY) {
                let segment = message.segment_size.unwrap_or(message.bytes.len());
                send(if sockets.len() > 1 { n } else { turn }, message.bytes, segment);
                turn += 1;
            }
        }
    }
    Ok(())
}
