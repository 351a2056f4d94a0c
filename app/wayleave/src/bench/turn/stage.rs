//! The clients, their peer, and what they do together.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use machine::{Endpoint, Entropy};
use rustls::ClientConfig;
use turn::Family;
use udp::{Batch, Socket};

use super::client::Client;
use super::flow::{Flow, Shape, Tag, Via, partner};
use super::gauge::{Gauge, Spent};
use super::link::{self, Link};
use super::traffic::{self, Direction, Parties, Passed, Plan};
use super::users::Users;
use super::wire::{self, Wish};
use super::{Args, Transport, setup, tls};
use crate::bench::load::Outcome;
use crate::bench::nobody_listens;
use crate::bench::stop::Stop;
use crate::failure::{Exit, Failure};

/// Everything that a load needs.
pub struct Stage<'a> {
    args: &'a Args,
    server: SocketAddr,
    local: IpAddr,
    users: Users,
    tls: Option<Arc<ClientConfig>>,
    peer: Socket,
    tag: Tag,
    gauge: Gauge,
    batch: Batch,
    entropy: Entropy,
    stop: Stop,
}

impl<'a> Stage<'a> {
    /// A stage without clients.
    pub fn set(
        args: &'a Args,
        server: SocketAddr,
        local: IpAddr,
        mut entropy: Entropy,
    ) -> Result<Self, Failure> {
        let tls = (args.transport == Transport::Tls).then(tls::any_certificate);
        let peer = args.peer.map_or_else(|| Endpoint::new(local, 0), Endpoint::from);
        Ok(Self {
            args,
            server,
            local,
            users: args.users.read()?,
            tls: tls.transpose().context("TLS cannot be used")?,
            peer: Socket::bind(peer, None).context("cannot open the peer's socket")?,
            tag: Tag::random(&mut entropy),
            gauge: Gauge { pid: args.pid },
            batch: Batch::new(),
            entropy,
            stop: Stop::watch()?,
        })
    }

    /// Clients that are connected and have asked for nothing yet.
    pub fn connect(&self) -> Result<Vec<Client>, Failure> {
        let link = || match self.args.transport {
            Transport::Udp => Link::udp(self.local, self.server),
            Transport::Tcp | Transport::Tls => Link::stream(self.server, self.tls.as_ref()),
        };
        let clients = (0..self.args.allocations).map(|n| {
            if self.stop.is_requested() {
                return Err(Failure::interrupted());
            }
            let link = link().map_err(|error| self.failure(&error))?;
            Ok(Client::new(link, self.users.login(n)?))
        });
        clients.collect()
    }

    /// Has every client allocate.
    pub fn allocate(&mut self, clients: &mut [Client]) -> Result<(Outcome, Spent), Failure> {
        let family = Family::of(self.peer.local().ip());
        self.ask(clients, |_| Wish::Allocate(family))
    }

    /// Has every client permit its peer, and give it a channel where there are channels.
    pub fn permit(&mut self, clients: &mut [Client]) -> Result<(Outcome, Spent), Failure> {
        let peers: Vec<Endpoint> = (0..clients.len()).map(|n| self.peer_of(n, clients)).collect();
        let via = self.args.via;
        self.ask(clients, |n| {
            let peer = peers.get(n).copied().unwrap_or(Endpoint::UNSPECIFIED_V4);
            match via {
                Via::Channel => Wish::Channel(peer),
                Via::Send => Wish::Permit(peer),
            }
        })
    }

    /// Has the clients release their allocations, so that ports and quotas are free for another
    /// load, as far as the server answers soon.
    pub fn release(&mut self, mut clients: Vec<Client>) {
        clients.retain(Client::may_hold);
        let Self { args, batch, entropy, .. } = self;
        let started = Instant::now();
        let window = usize::try_from(args.window).unwrap_or(usize::MAX);
        let stop = || started.elapsed() > RELEASE_LIMIT;
        let pace = setup::Pace { window, stop: &stop, despite_failures: true };
        let _ = setup::run(&mut clients, |_| Wish::Release, &pace, batch, entropy);
    }

    /// Waits, unless told to stop.
    pub fn wait(&self, duration: Duration) -> Result<(), Failure> {
        let started = Instant::now();
        while let Some(rest) = duration.checked_sub(started.elapsed()) {
            if self.stop.is_requested() {
                return Err(Failure::interrupted());
            }
            std::thread::sleep(rest.min(STOP_INTERVAL));
        }
        Ok(())
    }

    /// Why the server cannot be reached.
    fn failure(&self, error: &io::Error) -> Failure {
        let server = self.server;
        let message = match error.kind() {
            ErrorKind::Interrupted => return Failure::interrupted(),
            ErrorKind::ConnectionRefused => return nobody_listens(server),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("{server} did not answer"),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                format!("{server} closed the connection")
            }
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                format!("no way leads to {server}")
            }
            ErrorKind::InvalidData => format!("{server} does not speak as expected: {error}"),
            _ => {
                let message = format!("cannot talk to {server}: {error}");
                return Failure::new(Exit::Failed, "failed", message);
            }
        };
        let remedy = match self.args.transport {
            Transport::Tls => "check address and port, and that the server speaks TLS there",
            Transport::Udp | Transport::Tcp => {
                "check address, port and transport, and that the server runs"
            }
        };
        Failure::new(Exit::Unreachable, "unreachable", message).with_remedy(remedy)
    }

    fn peer_of(&self, n: usize, clients: &[Client]) -> Endpoint {
        let partner = clients.get(partner(n)).and_then(|client| client.relayed);
        match (self.args.direction, partner) {
            (Direction::ClientToClient, Some(relayed)) => relayed,
            _ => self.peer.local(),
        }
    }

    fn ask(
        &mut self,
        clients: &mut [Client],
        wish: impl Fn(usize) -> Wish,
    ) -> Result<(Outcome, Spent), Failure> {
        let Self { args, batch, entropy, gauge, stop, .. } = self;
        let window = usize::try_from(args.window).unwrap_or(usize::MAX);
        let stop = || stop.is_requested();
        let pace = setup::Pace { window, stop: &stop, despite_failures: false };
        let (outcome, spent) =
            gauge.measure(|| setup::run(clients, wish, &pace, batch, entropy))?;
        Ok((outcome.map_err(|error| self.failure(&error))?, spent))
    }

    /// The packets of every client.
    pub fn flows(&mut self, clients: &[Client]) -> Vec<Flow> {
        let payload = self.tag.payload(self.args.size.into());
        let Args { direction, via, train, .. } = *self.args;
        let shape = Shape { direction, via, payload: &payload, train: train.into() };
        let flows = clients.iter().enumerate().map(|(n, client)| {
            let receiver = if direction == Direction::ClientToClient { partner(n) } else { n };
            let relayed = client.relayed.unwrap_or(Endpoint::UNSPECIFIED_V4);
            let peer = self.peer_of(n, clients);
            shape.flow(peer, relayed, receiver, &mut self.entropy)
        });
        flows.collect()
    }

    /// Sends `packets` packets.
    pub fn pass(
        &mut self,
        packets: u64,
        clients: &mut [Client],
        flows: &[Flow],
    ) -> Result<(Passed, Spent), Failure> {
        let Self { args, batch, peer, tag, gauge, stop, .. } = self;
        let Args { direction, window, rate, train, .. } = **args;
        let train = u64::from(train);
        let packets = packets.next_multiple_of(train);
        let plan = Plan { direction, packets, train, window, rate };
        let parties = Parties { clients, flows, peer, tag: *tag };
        let (passed, spent) = gauge.measure(|| traffic::run(plan, parties, batch, stop))?;
        Ok((passed.map_err(|error| self.failure(&error))?, spent))
    }

    /// Sends one train of every flow, and fails if none comes through.
    pub fn try_out(&mut self, clients: &mut [Client], flows: &[Flow]) -> Result<Passed, Failure> {
        let trains = u64::try_from(flows.len()).unwrap_or(u64::MAX);
        let (passed, _) = self.pass(trains * u64::from(self.args.train), clients, flows)?;
        if passed.received > 0 {
            return Ok(passed);
        }
        let peer = self.peer.local();
        let message = format!("nothing comes through between the clients and the peer {peer}");
        let remedy = "check that the server relays to such addresses; few do by default";
        Err(Failure::new(Exit::Unreachable, "unreachable", message).with_remedy(remedy))
    }

    /// Clients of a bare forwarder: the channel's number says which of its sockets a packet leaves
    /// by, and the peer learns these sockets' addresses as the relayed ones.
    pub fn forwarded(&mut self, clients: &mut [Client]) -> Result<Vec<Flow>, Failure> {
        let payload = self.tag.payload(self.args.size.into());
        for (n, client) in (0..).zip(clients.iter_mut()) {
            client.link.send(&wire::channel_data(n, &payload), None).context("cannot send")?;
            let mut tries = 0;
            while client.relayed.is_none() && tries < FORWARD_TRIES {
                link::receive(&self.peer, &mut self.batch, |remote, _| {
                    client.relayed = Some(remote);
                })
                .context("cannot receive")?;
                std::thread::sleep(setup::PAUSE);
                tries += 1;
            }
        }
        let mut flows = self.flows(clients);
        if self.args.direction == Direction::ClientToPeer {
            for (n, flow) in (0..).zip(&mut flows) {
                flow.train = wire::channel_data(n, &payload).repeat(self.args.train.into());
            }
        }
        Ok(flows)
    }
}

/// How long the server may take to release everything.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// How often a wait looks whether to stop.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// How often the peer looks for the first packet of a flow.
const FORWARD_TRIES: u32 = 10_000;
