//! A router and a link to it, in a few hundred lines: what the client sends is read and answered with
//! the same types.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    BindKind, Checked, CloseReason, Endpoint, Entropy, FailKind, Id, Ids, Input, Interface,
    InterfaceAddress, InterfaceKind, Machine, Now, Output, Transport,
};

use super::super::{Call, Client, Error, Event, Granted, Request};
use crate::upnp::description::{Description, Device, Service};
use crate::upnp::http::{self, Fields, Reader, Response};
use crate::upnp::igd::{
    Action, Answer, ConnectionStatus, FirewallStatus, PortMapping, StatusInfo, code, kind,
};
use crate::upnp::soap::{self, Fault, Reply};
use crate::upnp::ssdp::{Found, Search};

pub(super) const ROUTER: &str = "192.168.1.1";
pub(super) const ROUTER_V6: &str = "2001:db8::1";
pub(super) const HERE: &str = "192.168.1.9";
pub(super) const OUTSIDE: &str = "203.0.113.7";

/// A mapping of a port of ours.
pub(super) fn request(port: u16) -> Request {
    Request {
        transport: Transport::Udp,
        internal: Endpoint::new(HERE.parse::<IpAddr>().unwrap(), port),
        external_port: None,
        lease: Duration::from_secs(3600),
        prefer_failure: false,
    }
}

/// What a router does and has.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) address: IpAddr,
    pub(super) version: u8,
    pub(super) is_gateway: bool,
    /// It answers searches.
    pub(super) answers: bool,
    /// The address that it answers searches from, if not its own.
    pub(super) answers_from: Option<IpAddr>,
    /// What it names as its description's address, if not the right one; `{n}` counts.
    pub(super) location: Option<String>,
    /// How many answers it gives.
    pub(super) answer_count: u32,
    /// It refuses connections.
    pub(super) refuses: bool,
    /// It takes connections and says nothing.
    pub(super) silent: bool,
    /// What it sends for its description, if not that, and again and again.
    pub(super) document: Option<(Vec<u8>, bool)>,
    /// What it sends instead of any answer to a call.
    pub(super) answer: Option<Vec<u8>>,
    pub(super) control: String,
    pub(super) base: Option<String>,
    pub(super) external: Option<IpAddr>,
    pub(super) uptime_secs: u64,
    pub(super) boot_id: u32,
    /// These actions fail with these codes.
    pub(super) faults: Vec<(&'static str, u16)>,
    pub(super) only_permanent: bool,
    pub(super) same_port: bool,
    /// Our own mapping is in our own way.
    pub(super) never_overwrites: bool,
    /// Where mappings lead, whatever is asked for.
    pub(super) leads_to: Option<String>,
    /// The longest lease.
    pub(super) longest: u64,
    /// Every entry is listed with a lease of 0.
    pub(super) lists_no_lease: bool,
    /// Every place of the list has the first entry.
    pub(super) lists_one: bool,
    pub(super) table: Vec<PortMapping>,
    pub(super) pinholes: BTreeSet<u16>,
    pub(super) last_pinhole: u16,
    pub(super) asked: Vec<String>,
}

impl Default for Router {
    fn default() -> Self {
        Self {
            address: ROUTER.parse().unwrap(),
            version: 1,
            is_gateway: true,
            answers: true,
            answers_from: None,
            location: None,
            answer_count: 1,
            refuses: false,
            silent: false,
            document: None,
            answer: None,
            control: "/ctl".into(),
            base: None,
            external: Some(OUTSIDE.parse().unwrap()),
            uptime_secs: 1000,
            boot_id: 1,
            faults: Vec::new(),
            only_permanent: false,
            same_port: false,
            never_overwrites: false,
            leads_to: None,
            longest: u64::MAX,
            lists_no_lease: false,
            lists_one: false,
            table: Vec::new(),
            pinholes: BTreeSet::new(),
            last_pinhole: 0,
            asked: Vec::new(),
        }
    }
}

impl Router {
    /// Of another host, at the port `external_port`.
    pub(super) fn occupy(&mut self, external_port: u16) {
        self.table.push(PortMapping {
            remote_host: None,
            external_port,
            transport: Transport::Udp,
            internal_port: 1,
            internal_client: "192.168.1.77".into(),
            enabled: true,
            description: "other".into(),
            lease: Duration::ZERO,
        });
    }

    fn location(&self, n: u32) -> String {
        let own = format!("http://{}/root.xml", Endpoint::new(self.address, 5000));
        self.location.clone().unwrap_or(own).replace("{n}", &n.to_string())
    }

    fn found(&self, search: &Search) -> Vec<Vec<u8>> {
        let gateway = if self.version == 2 { kind::GATEWAY_2 } else { kind::GATEWAY_1 };
        let answers = self.answers && search.is_for(gateway);
        let found = |n| Found {
            target: search.target.clone(),
            unique_name: format!("uuid:router::{}", search.target),
            location: self.location(n),
            server: None,
            max_age_secs: 120,
            boot_id: Some(self.boot_id),
        };
        (0..if answers { self.answer_count } else { 0 }).map(|n| found(n).to_bytes()).collect()
    }

    fn description(&self) -> Description {
        let v2 = self.version == 2;
        let service = |kind: &str, control: &str| Service {
            kind: kind.into(),
            control: control.into(),
            ..Service::default()
        };
        let connection = if v2 { kind::WAN_IP_2 } else { kind::WAN_IP_1 };
        let services = match self.is_gateway {
            true => vec![service(connection, &self.control), service(kind::FIREWALL_1, "/fw")],
            false => vec![service("urn:schemas-upnp-org:service:Printer:1", "http://192.0.2.1/")],
        };
        let inner = Device { kind: kind::CONNECTION_1.into(), services, ..Device::default() };
        let gateway = if v2 { kind::GATEWAY_2 } else { kind::GATEWAY_1 };
        let device = Device {
            kind: if self.is_gateway { gateway.into() } else { "urn:x:device:Printer:1".into() },
            friendly_name: "A router".into(),
            udn: "uuid:router".into(),
            devices: vec![inner],
            ..Device::default()
        };
        Description { base: self.base.clone(), device }
    }

    /// What comes back on a connection, and whether it comes for ever.
    fn respond(&mut self, request: &http::Request) -> (Vec<u8>, bool) {
        if request.method == "GET" {
            if let Some(document) = &self.document {
                return document.clone();
            }
            let body = self.description().to_bytes();
            return (Response::of_status(200, Fields::default(), body).to_bytes(), false);
        }
        if let Some(answer) = &self.answer {
            return (answer.clone(), false);
        }
        let call = soap::Call::read(&request.body).unwrap();
        assert_eq!(request.fields.value("SOAPAction"), Some(call.soap_action().as_str()));
        let action = Action::read(&call).unwrap();
        self.asked.push(action.name().into());
        let fault = self.faults.iter().find(|(name, _)| *name == action.name());
        let answer = match fault {
            Some((_, code)) => Err(*code),
            None => self.act(action),
        };
        let reply = match answer {
            Ok(answer) => answer.reply(&call),
            Err(code) => Reply::Fault(Fault::of_code(code)),
        };
        (reply.to_response().to_bytes(), false)
    }

    fn act(&mut self, action: Action) -> Result<Answer, u16> {
        Ok(match action {
            Action::ExternalIpAddress => Answer::ExternalIpAddress(self.external),
            Action::StatusInfo => Answer::StatusInfo(StatusInfo {
                status: ConnectionStatus::Connected,
                last_error: "ERROR_NONE".into(),
                uptime: Duration::from_secs(self.uptime_secs),
            }),
            Action::AddPortMapping(mapping) => {
                self.add(mapping)?;
                Answer::Done
            }
            Action::AddAnyPortMapping(mut mapping) => {
                while self
                    .at(mapping.external_port)
                    .is_some_and(|other| other.internal_client != mapping.internal_client)
                {
                    mapping.external_port += 1;
                }
                let port = mapping.external_port;
                self.add(mapping)?;
                Answer::Reserved(port)
            }
            Action::DeletePortMapping { external_port, .. } => {
                self.at(external_port).ok_or(code::NO_SUCH_ENTRY_IN_ARRAY)?;
                self.table.retain(|entry| entry.external_port != external_port);
                Answer::Done
            }
            Action::GenericPortMappingEntry { index } => {
                let index = if self.lists_one { 0 } else { usize::from(index) };
                Answer::Entry(self.table.get(index).cloned().ok_or(code::ARRAY_INDEX_INVALID)?)
            }
            Action::SpecificPortMappingEntry { external_port, .. } => {
                let mut entry = self.at(external_port).cloned();
                if let Some(entry) = entry.as_mut().filter(|_| self.lists_no_lease) {
                    entry.lease = Duration::ZERO;
                }
                Answer::Entry(entry.ok_or(code::NO_SUCH_ENTRY_IN_ARRAY)?)
            }
            Action::FirewallStatus => {
                Answer::FirewallStatus(FirewallStatus { enabled: true, pinholes_allowed: true })
            }
            Action::AddPinhole { .. } => {
                self.last_pinhole += 1;
                self.pinholes.insert(self.last_pinhole);
                Answer::Pinhole(self.last_pinhole)
            }
            Action::UpdatePinhole { id, .. } => match self.pinholes.contains(&id) {
                true => Answer::Done,
                false => return Err(code::NO_SUCH_ENTRY),
            },
            Action::DeletePinhole { id } => match self.pinholes.remove(&id) {
                true => Answer::Done,
                false => return Err(code::NO_SUCH_ENTRY),
            },
        })
    }

    fn at(&self, external_port: u16) -> Option<&PortMapping> {
        self.table.iter().find(|entry| entry.external_port == external_port)
    }

    fn add(&mut self, mut mapping: PortMapping) -> Result<(), u16> {
        if self.only_permanent && !mapping.lease.is_zero() {
            return Err(code::ONLY_PERMANENT_LEASES);
        }
        if self.same_port && mapping.external_port != mapping.internal_port {
            return Err(code::SAME_PORT_REQUIRED);
        }
        if let Some(other) = self.at(mapping.external_port)
            && (self.never_overwrites || other.internal_client != mapping.internal_client)
        {
            return Err(code::CONFLICT);
        }
        if let Some(elsewhere) = &self.leads_to {
            mapping.internal_client.clone_from(elsewhere);
        }
        mapping.lease = mapping.lease.min(Duration::from_secs(self.longest));
        self.table.retain(|entry| entry.external_port != mapping.external_port);
        self.table.push(mapping);
        Ok(())
    }
}

/// A client and a router on a link.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) client: Checked<Client>,
    pub(super) router: Router,
    pub(super) now: Now,
    pub(super) sockets: BTreeMap<Id, Endpoint>,
    pub(super) connections: BTreeMap<Id, Reader<http::Request>>,
    /// Whom was connected to.
    pub(super) connected: BTreeSet<IpAddr>,
    /// Bytes that the client was sent on connections.
    pub(super) sent: usize,
    events: Vec<Event>,
}

/// What comes next for the client.
enum Come {
    Input(Input<'static, std::convert::Infallible>),
    Datagram(Id, IpAddr, Vec<u8>),
    Data(Id, Vec<u8>, bool),
}

impl Lab {
    pub(super) fn new(router: Router) -> Self {
        let client = || Client::new(Ids::new(3), Entropy::seeded(1), "lab");
        let mut lab = Self {
            client: Checked::with_twin(client(), client()),
            router,
            now: Now::default(),
            sockets: BTreeMap::new(),
            connections: BTreeMap::new(),
            connected: BTreeSet::new(),
            sent: 0,
            events: Vec::new(),
        };
        let address = |ip: &str, prefix_len| InterfaceAddress {
            ip: ip.parse().unwrap(),
            prefix_len,
            temporary: false,
            deprecated: false,
        };
        lab.interfaces(vec![Interface {
            index: 2,
            name: "eth0".into(),
            kind: InterfaceKind::Physical,
            addresses: vec![address(HERE, 24), address("2001:db8::9", 64), address("fe80::9", 64)],
            routers: vec![ROUTER.parse().unwrap()],
        }]);
        lab
    }

    /// With the router found.
    pub(super) fn found(router: Router) -> Self {
        let mut lab = Self::new(router);
        let events = lab.search();
        assert!(matches!(&events[..], [Event::Found(_), Event::Searched]), "{events:?}");
        lab
    }

    pub(super) fn interfaces(&mut self, interfaces: Vec<Interface>) {
        self.client.handle_input(self.now, Input::Interfaces(interfaces));
        self.drain();
    }

    pub(super) fn verb<R>(&mut self, verb: impl FnMut(&mut Client, Now) -> R) -> R {
        let result = self.client.verb(self.now, verb);
        self.drain();
        result
    }

    /// A verb and what comes of it.
    pub(super) fn call(&mut self, verb: impl FnMut(&mut Client, Now) -> Call) -> Vec<Event> {
        self.verb(verb);
        self.run()
    }

    pub(super) fn search(&mut self) -> Vec<Event> {
        self.verb(|client, now| client.search(now));
        self.run()
    }

    pub(super) fn map(&mut self, request: &Request) -> Result<Granted, Error> {
        let gateway = self.router.address;
        mapped(self.call(|client, now| client.map(now, gateway, request)))
    }

    pub(super) fn renew(&mut self, granted: &Granted) -> Result<Granted, Error> {
        mapped(self.call(|client, now| client.renew(now, granted)))
    }

    pub(super) fn list(&mut self) -> Result<Vec<PortMapping>, Error> {
        let gateway = self.router.address;
        let events = self.call(|client, now| client.list(now, gateway));
        match <[Event; 1]>::try_from(events).unwrap() {
            [Event::Listed { entries, .. }] => Ok(entries),
            [Event::Failed { error, .. }] => Err(error),
            other => panic!("{other:?}"),
        }
    }

    /// What was told so far.
    pub(super) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Until nothing happens any more; what was told.
    pub(super) fn run(&mut self) -> Vec<Event> {
        while let Some(next) = self.client.poll_timeout() {
            self.now.mono = self.now.mono.max(next);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.take()
    }

    fn drain(&mut self) {
        let mut coming = self.poll();
        while !coming.is_empty() {
            for come in std::mem::take(&mut coming) {
                match come {
                    Come::Input(input) => {
                        if let Input::Closed { conn, .. } = &input
                            && self.connections.remove(conn).is_none()
                        {
                            continue;
                        }
                        self.client.handle_input(self.now, input);
                    }
                    Come::Datagram(socket, from, bytes) => {
                        let Some(local) = self.sockets.get(&socket).copied() else { continue };
                        let remote = Endpoint::new(from, 1900);
                        let (ecn, segment_size, bytes) = (None, None, &bytes[..]);
                        let input =
                            Input::Datagram { socket, local, remote, ecn, segment_size, bytes };
                        self.client.handle_input(self.now, input);
                    }
                    Come::Data(conn, bytes, endless) => {
                        if !self.connections.contains_key(&conn) {
                            continue;
                        }
                        self.sent += bytes.len();
                        assert!(self.sent < 1 << 20, "the client reads on and on");
                        self.client.handle_input(self.now, Input::Data { conn, bytes: &bytes });
                        if endless {
                            coming.push(Come::Data(conn, bytes, endless));
                        }
                    }
                }
                coming.extend(self.poll());
            }
        }
    }

    fn poll(&mut self) -> Vec<Come> {
        let (mut coming, mut buf) = (Vec::new(), Vec::new());
        while let Some(output) = self.client.poll_output(&mut buf) {
            match output {
                Output::Bind { id, kind, local, interface } => {
                    assert_eq!((kind, interface), (BindKind::Udp, Some(2)));
                    self.sockets.insert(id, local);
                    coming.push(Come::Input(Input::Bound { id, local: local.with_port(4000) }));
                }
                Output::Datagram { socket, remote, .. } => {
                    let search = Search::read(&buf).unwrap();
                    assert_eq!(search.host, remote);
                    let same = remote.is_ipv4() == self.router.address.is_ipv4();
                    let from = self.router.answers_from.unwrap_or(self.router.address);
                    for answer in self.router.found(&search).into_iter().filter(|_| same) {
                        coming.push(Come::Datagram(socket, from, answer));
                    }
                }
                Output::Connect { id: conn, local, remote } => {
                    self.connected.insert(remote.ip());
                    let local = local.unwrap().with_port(5001);
                    coming.push(Come::Input(match self.router.refuses {
                        true => Input::Failed { id: conn, kind: FailKind::Refused },
                        false => Input::Connected { conn, local, remote, room: 100 },
                    }));
                    if !self.router.refuses {
                        self.connections.insert(conn, Reader::new());
                    }
                }
                Output::Write { conn } => coming.extend(self.written(conn, &buf)),
                Output::Close { id } => {
                    self.sockets.remove(&id);
                    self.connections.remove(&id);
                }
                Output::Event(event) => self.events.push(event),
                other => panic!("{other:?}"),
            }
            buf.clear();
        }
        coming
    }

    fn written(&mut self, conn: Id, bytes: &[u8]) -> Vec<Come> {
        let request = self.connections.get_mut(&conn).unwrap().push(bytes).unwrap();
        match request {
            None => vec![Come::Input(Input::Writable { conn, room: 100 })],
            Some(_) if self.router.silent => vec![],
            Some(request) => {
                let (bytes, endless) = self.router.respond(&request);
                let mut coming = vec![Come::Data(conn, bytes, endless)];
                if !endless {
                    coming.push(Come::Input(Input::Closed { conn, reason: CloseReason::Peer }));
                }
                coming
            }
        }
    }
}

fn mapped(events: Vec<Event>) -> Result<Granted, Error> {
    match <[Event; 1]>::try_from(events).unwrap() {
        [Event::Mapped { granted, .. }] => Ok(granted),
        [Event::Failed { error, .. }] => Err(error),
        other => panic!("{other:?}"),
    }
}
