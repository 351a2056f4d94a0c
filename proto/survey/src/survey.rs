//! The machine that asks everybody at once.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    AddressClass, BindKind, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant, Interface,
    InterfaceKind, Machine, Now, Output, Outputs, Record, RecordData, RecordKind, ResolveError,
    Timers,
};
use portmap::Gateway;
use stun::behaviour::{self, Discovery, Property};

use crate::alg::{self, Alg, Probe};
use crate::defaults::{HTTPS_PORT, PATIENCE, SIP_PORT, SIP_RETRANSMISSIONS, STUN_PORT};
use crate::nat64;
use crate::report::Report;

/// Names for each part's sockets: far more than it can use.
const NAMES: u64 = 1 << 36;

/// Whom to ask, and for what.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// A STUN server, which may be a SIP server too: a name, or an address without brackets. Without
    /// one nobody outside is asked.
    pub server: Option<String>,
    /// Its port for STUN; the usual one when missing.
    pub port: Option<u16>,
    /// Its port for SIP; the usual one when missing.
    pub sip_port: Option<u16>,
    /// The longest lifetime of a mapping that is looked for; nothing to leave it out, which takes
    /// longer than all else.
    pub lifetime: Option<Duration>,
    /// Whether the server is asked as RFC 3489 has it.
    pub classic: bool,
    /// How gateways are asked.
    pub portmap: portmap::Config,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server told something over IPv4.
    Learned(Property),
    /// A gateway speaks a protocol, or told more of itself.
    Gateway(Box<Gateway>),
    /// Whether TCP to port 443 gets out.
    Tcp443(bool),
    /// The prefix of a NAT64, or that there is none.
    Nat64(Option<nat64::Prefix>),
    /// What becomes of SIP on the way.
    Alg(Result<Alg, alg::Error>),
    /// All is done; the sockets are closed.
    Done(Box<Report>),
}

/// Finds out what stands between this host and the world. It begins with the first
/// [`Input::Interfaces`], and ends with [`Event::Done`].
#[derive(Debug)]
pub struct Survey {
    config: Config,
    report: Report,
    ids: Ids,
    entropy: Entropy,
    interfaces: Option<Vec<Interface>>,
    gateways: portmap::Client,
    /// What is still waited for.
    waiting: Waiting,
    discoveries: Vec<Discovery>,
    /// The names of each discovery's sockets.
    names: Vec<Ids>,
    lookups: Lookups,
    tcp: Vec<Id>,
    sip: Option<Sip>,
    timers: Timers<Timer>,
    outputs: Outputs<Event, Infallible>,
}

/// What is still waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Waiting {
    gateways: bool,
    discoveries: usize,
    over: bool,
}

/// Names that are being looked up.
#[derive(Debug, Default)]
struct Lookups {
    server: Option<Id>,
    nat64: Option<Id>,
}

/// The message that tells on ALGs, on its way.
#[derive(Debug)]
struct Sip {
    socket: Id,
    server: Endpoint,
    probe: Option<Probe>,
    sent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The message to the SIP server goes out again.
    Sip,
    /// Everybody but the STUN server has had time enough.
    Patience,
}

impl Survey {
    /// A survey that waits for the interfaces.
    #[must_use]
    pub fn new(config: Config, mut ids: Ids, entropy: Entropy) -> Self {
        let gateways = portmap::Client::new(
            config.portmap.clone(),
            ids.block(NAMES),
            &entropy.fork("gateways"),
        );
        Self {
            report: Report { server: config.server.clone(), ..Report::default() },
            config,
            ids,
            entropy,
            interfaces: None,
            gateways,
            waiting: Waiting::default(),
            discoveries: Vec::new(),
            names: Vec::new(),
            lookups: Lookups::default(),
            tcp: Vec::new(),
            sip: None,
            timers: Timers::new(),
            outputs: Outputs::new(),
        }
    }

    /// What is known so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    fn start(&mut self, now: Now, interfaces: Vec<Interface>) {
        self.report.address = ipv4_of(&interfaces);
        self.report.has_ipv6 = ipv6_of(&interfaces).is_some();
        self.gateways.handle_input(now, Input::Interfaces(interfaces.clone()));
        self.interfaces = Some(interfaces);
        self.gateways.probe(now);
        self.waiting.gateways = true;
        self.timers.set(Timer::Patience, now.mono + PATIENCE);
        self.lookups.nat64 = Some(self.resolve(nat64::NAME, vec![RecordKind::Aaaa]));
        if let Some(server) = self.config.server.clone() {
            match server.parse::<IpAddr>() {
                Ok(ip) => self.found(&[ip]),
                Err(_) => {
                    let kinds = vec![RecordKind::A, RecordKind::Aaaa];
                    self.lookups.server = Some(self.resolve(&server, kinds));
                }
            }
        }
    }

    fn resolve(&mut self, name: &str, kinds: Vec<RecordKind>) -> Id {
        let id = self.ids.next_id();
        self.outputs.push(Output::Resolve { id, name: name.to_owned(), kinds });
        id
    }

    fn resolved(&mut self, id: Id, records: Result<Vec<Record>, ResolveError>) {
        if self.lookups.nat64 == Some(id) {
            self.lookups.nat64 = None;
            let prefix = match records {
                Ok(records) => Some(nat64::Prefix::of(&records)),
                //= RFC 7050 §3: no IPv6 address for the name means that nobody makes them up.
                Err(ResolveError::NoRecords | ResolveError::NoSuchName) => Some(None),
                Err(ResolveError::TimedOut | ResolveError::Failed) => None,
            };
            self.report.nat64 = prefix;
            prefix.into_iter().for_each(|prefix| self.outputs.event(Event::Nat64(prefix)));
        } else if self.lookups.server == Some(id) {
            self.lookups.server = None;
            match records {
                Ok(records) => {
                    let ips: Vec<IpAddr> = records.iter().filter_map(address).collect();
                    self.found(&ips);
                }
                Err(error) => self.report.trouble = Some(error.to_string()),
            }
        }
    }

    /// The server's addresses are known: the first of each family is asked.
    fn found(&mut self, ips: &[IpAddr]) {
        let v4 = ips.iter().find(|ip| ip.is_ipv4()).copied();
        let v6 = ips.iter().find(|ip| ip.is_ipv6()).copied().filter(|_| self.report.has_ipv6);
        if v4.is_none() && v6.is_none() {
            let trouble = "it has no address that this host could reach";
            self.report.trouble = Some(trouble.to_owned());
        }
        for ip in v4.into_iter().chain(v6) {
            self.discover(ip);
        }
        if let Some(ip) = v4.or(v6) {
            let id = self.ids.next_id();
            self.tcp.push(id);
            let remote = Endpoint::new(ip, HTTPS_PORT);
            self.outputs.push(Output::Connect { id, local: None, remote });
            self.send_sip(ip);
        }
    }

    fn discover(&mut self, ip: IpAddr) {
        let server = Endpoint::new(ip, self.config.port.unwrap_or(STUN_PORT));
        let config = behaviour::Config {
            classic: self.config.classic && ip.is_ipv4(),
            lifetime: self.config.lifetime.filter(|_| ip.is_ipv4()),
            ..behaviour::Config::new(server)
        };
        let entropy = self.entropy.fork(&format!("behaviour {ip}"));
        let mut names = self.ids.block(NAMES);
        self.discoveries.push(Discovery::new(config, names.block(NAMES), entropy));
        self.names.push(names);
        self.waiting.discoveries += 1;
    }

    /// Opens the socket for the message that tells on ALGs, at the address that it tells.
    fn send_sip(&mut self, server: IpAddr) {
        let interfaces = self.interfaces.as_deref().unwrap_or_default();
        let loopback = AddressClass::of(server) == AddressClass::Loopback;
        let ours = if loopback {
            Some(server)
        } else if server.is_ipv4() {
            ipv4_of(interfaces)
        } else {
            ipv6_of(interfaces)
        };
        let Some(ours) = ours else { return };
        let socket = self.ids.next_id();
        let server = Endpoint::new(server, self.config.sip_port.unwrap_or(SIP_PORT));
        self.sip = Some(Sip { socket, server, probe: None, sent: 0 });
        //= RFC 3261 §18: gateways that rewrite SIP look at its port, on our side too; any other will do.
        self.outputs.push(Output::Bind {
            id: socket,
            kind: BindKind::Udp,
            local: Endpoint::new(ours, 0),
            interface: None,
        });
    }

    fn sip_bound(&mut self, now: Now, local: Endpoint) {
        let Some(sip) = &mut self.sip else { return };
        let mut entropy = self.entropy.fork("alg");
        sip.probe = Some(Probe::new(local, sip.server, &mut entropy));
        self.transmit_sip(now);
    }

    fn transmit_sip(&mut self, now: Now) {
        let Some(Sip { socket, server, probe: Some(probe), sent }) = &mut self.sip else { return };
        self.outputs.datagram(*socket, *server, probe.bytes());
        let waits = |at: usize| SIP_RETRANSMISSIONS.get(at).copied();
        let before = sent.checked_sub(1).and_then(waits).unwrap_or_default();
        if let Some(next) = waits(*sent) {
            self.timers.set(Timer::Sip, now.mono + (next - before));
        }
        *sent += 1;
    }

    fn sip_answered(&mut self, from: Endpoint, bytes: &[u8]) {
        let Some(Sip { server, probe: Some(probe), .. }) = &self.sip else { return };
        if from != *server {
            return;
        }
        match probe.judge(bytes) {
            Err(alg::Error::NotOurs) => {}
            told => self.sip_over(Some(told)),
        }
    }

    fn sip_over(&mut self, told: Option<Result<Alg, alg::Error>>) {
        let Some(sip) = self.sip.take() else { return };
        self.timers.cancel(&Timer::Sip);
        self.outputs.push(Output::Close { id: sip.socket });
        if let Some(told) = told {
            self.report.alg = Some(told.clone());
            self.outputs.event(Event::Alg(told));
        }
    }

    /// A connection to port 443 came to be, or why not.
    fn tcp_over(&mut self, id: Id, result: Result<(), FailKind>) {
        self.tcp.retain(|waiting| *waiting != id);
        // Who refuses was reached.
        let reached = match result {
            Ok(()) => {
                self.outputs.push(Output::Close { id });
                Some(true)
            }
            Err(FailKind::Refused) => Some(true),
            Err(FailKind::TimedOut | FailKind::Unreachable) => Some(false),
            Err(_) => None,
        };
        self.report.tcp443 = reached;
        reached.into_iter().for_each(|reached| self.outputs.event(Event::Tcp443(reached)));
    }

    /// Everybody but the STUN server has had time enough.
    fn patience_over(&mut self) {
        self.waiting.gateways = false;
        self.sip_over(None);
        for id in std::mem::take(&mut self.tcp) {
            self.outputs.push(Output::Close { id });
            self.report.tcp443 = Some(false);
            self.outputs.event(Event::Tcp443(false));
        }
        let Lookups { server, nat64 } = std::mem::take(&mut self.lookups);
        if server.is_some() {
            self.report.trouble = Some("the name servers do not answer".to_owned());
        }
        for id in server.into_iter().chain(nat64) {
            self.outputs.push(Output::Close { id });
        }
    }

    /// Passes on what the parts want and say.
    fn settle(&mut self) {
        let mut buf = Vec::new();
        while let Some(output) = poll(&mut self.gateways, &mut buf) {
            match output.split() {
                Ok(output) => self.outputs.push_with(output, &buf),
                Err(event) => self.gateway_says(event),
            }
        }
        for at in 0..self.discoveries.len() {
            while let Some(discovery) = self.discoveries.get_mut(at)
                && let Some(output) = poll(discovery, &mut buf)
            {
                match output.split() {
                    Ok(output) => self.outputs.push_with(output, &buf),
                    Err(event) => self.server_says(event),
                }
            }
        }
        self.finish();
    }

    fn gateway_says(&mut self, event: portmap::Event) {
        match event {
            portmap::Event::Gateway(gateway) => {
                let name = |gateway: &Gateway| (gateway.address, gateway.protocol);
                self.report.gateways.retain(|known| name(known) != name(&gateway));
                self.report.gateways.push((*gateway).clone());
                self.report.gateways.sort_by_key(name);
                self.outputs.event(Event::Gateway(gateway));
            }
            portmap::Event::Searched => self.waiting.gateways = false,
            _ => {}
        }
    }

    fn server_says(&mut self, event: behaviour::Event) {
        match event {
            behaviour::Event::Learned(property) => self.outputs.event(Event::Learned(property)),
            behaviour::Event::Done(report) => {
                self.waiting.discoveries -= 1;
                let place = if report.server.is_ipv4() {
                    &mut self.report.ipv4
                } else {
                    &mut self.report.ipv6
                };
                *place = Some(*report);
            }
        }
    }

    fn finish(&mut self) {
        let Waiting { gateways, discoveries, over } = self.waiting;
        let asking = self.lookups.server.is_some() || self.lookups.nat64.is_some();
        let reaching = !self.tcp.is_empty() || self.sip.is_some();
        if over || self.interfaces.is_none() || gateways || discoveries > 0 || asking || reaching {
            return;
        }
        self.waiting.over = true;
        self.timers.cancel(&Timer::Patience);
        self.outputs.event(Event::Done(Box::new(self.report.clone())));
    }
}

impl Machine for Survey {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        if let Input::Interfaces(interfaces) = &input {
            if self.interfaces.is_none() {
                self.start(now, interfaces.clone());
            }
        } else if let Some(id) = input.id() {
            if self.gateways.owns(id) {
                self.gateways.handle_input(now, input);
            } else if let Some(at) = self.names.iter().position(|names| names.contains(id))
                && let Some(part) = self.discoveries.get_mut(at)
            {
                part.handle_input(now, input);
            } else {
                self.own_input(now, id, input);
            }
        }
        self.settle();
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Sip => self.transmit_sip(now),
                Timer::Patience => self.patience_over(),
            }
        }
        self.gateways.handle_timeout(now);
        self.discoveries.iter_mut().for_each(|part| part.handle_timeout(now));
        self.settle();
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let parts = self.discoveries.iter().filter_map(Discovery::poll_timeout);
        self.timers.next().into_iter().chain(self.gateways.poll_timeout()).chain(parts).min()
    }
}

impl Survey {
    fn own_input(&mut self, now: Now, id: Id, input: Input<'_, Infallible>) {
        let sip = self.sip.as_ref().is_some_and(|sip| sip.socket == id);
        match input {
            Input::Resolved { id, records } => self.resolved(id, records),
            Input::Bound { local, .. } if sip => self.sip_bound(now, local),
            Input::Failed { .. } if sip => self.sip = None,
            Input::Datagram { remote, bytes, .. } if sip => self.sip_answered(remote, bytes),
            Input::Connected { conn, .. } => self.tcp_over(conn, Ok(())),
            Input::Failed { id, kind } => self.tcp_over(id, Err(kind)),
            _ => {}
        }
    }
}

/// The next output of a part, its payload alone in `buf`.
fn poll<M: Machine>(part: &mut M, buf: &mut Vec<u8>) -> Option<Output<M::Event, M::Question>> {
    buf.clear();
    part.poll_output(buf)
}

const fn address(record: &Record) -> Option<IpAddr> {
    match record.data {
        RecordData::Address(ip) => Some(ip),
        _ => None,
    }
}

/// The host's IPv4 address towards the internet: on an interface with a router if there is one, and
/// the host's own only where there is no other.
fn ipv4_of(interfaces: &[Interface]) -> Option<IpAddr> {
    let rank = |interface: &Interface| {
        (
            interface.kind == InterfaceKind::Loopback,
            interface.routers.iter().all(|router| !router.is_ipv4()),
            interface.kind == InterfaceKind::Tunnel,
        )
    };
    let usable = interfaces.iter().flat_map(|interface| {
        let v4 = interface.addresses.iter().filter(|address| address.ip.is_ipv4());
        v4.map(move |address| (rank(interface), address.ip))
    });
    usable.min_by_key(|(rank, _)| *rank).map(|(_, ip)| ip)
}

/// An IPv6 address of the host's that the world can know.
fn ipv6_of(interfaces: &[Interface]) -> Option<IpAddr> {
    let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    let mut v6 = addresses.filter(|address| address.ip.is_ipv6() && !address.deprecated);
    v6.find(|address| AddressClass::of(address.ip).is_public()).map(|address| address.ip)
}
