//! From a TURN server's name to addresses to try (RFC 5928, RFC 2782).
//!
//! A name with a port has addresses. A name without one is a domain first: its SRV records say where
//! the server is, for each transport. Without any, it is where the owner says that it falls back to,
//! else at the name's own addresses, on the usual ports.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use machine::{
    Endpoint, Entropy, Id, Ids, Record, RecordData, RecordKind, ResolveError, Transport,
};
use turn::client::Server;

use crate::TurnServer;
use crate::defaults::{
    MAX_HOST_ADDRESSES, MAX_SRV_RECORDS, TURN_PORT, TURN_TLS_PORTS, TURN_TRANSPORTS,
};

/// A look-up to make.
pub(crate) struct Lookup {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) kinds: Vec<RecordKind>,
}

/// What a look-up that is under way is for.
#[derive(Clone, Debug)]
enum Asked {
    Service(Transport),
    Host(String),
}

/// An SRV record.
#[derive(Clone, Debug)]
struct Service {
    transport: Transport,
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

/// Finds one server.
#[derive(Debug)]
pub(crate) struct Locator {
    server: TurnServer,
    asked: BTreeMap<Id, Asked>,
    /// Every host that was asked for.
    named: BTreeSet<String>,
    services: Vec<Service>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    entropy: Entropy,
}

impl Locator {
    /// Starts; returns what to look up first, which is nothing for an address.
    pub(crate) fn new(server: TurnServer, ids: &mut Ids, entropy: Entropy) -> (Self, Vec<Lookup>) {
        let mut locator = Self {
            server,
            asked: BTreeMap::new(),
            named: BTreeSet::new(),
            services: Vec::new(),
            hosts: BTreeMap::new(),
            entropy,
        };
        let mut lookups = Vec::new();
        if locator.literal().is_none() {
            if locator.server.port.is_none() {
                //= RFC 5928 §3: the services are `turn` over UDP and TCP, and `turns` over TCP.
                for transport in locator.transports() {
                    let service = match transport {
                        Transport::Udp => "_turn._udp",
                        Transport::Tcp => "_turn._tcp",
                        Transport::Tls => "_turns._tcp",
                    };
                    let name = format!("{service}.{}", locator.server.host);
                    let id = ids.next_id();
                    locator.asked.insert(id, Asked::Service(transport));
                    lookups.push(Lookup { id, name, kinds: vec![RecordKind::Srv] });
                }
            }
            if locator.server.port.is_some() || locator.server.fallback.is_empty() {
                let host = locator.server.host.clone();
                lookups.extend(locator.ask_host(host, ids));
            }
        }
        (locator, lookups)
    }

    fn literal(&self) -> Option<IpAddr> {
        self.server.host.parse().ok()
    }

    fn transports(&self) -> Vec<Transport> {
        self.server.transport.map_or_else(|| TURN_TRANSPORTS.to_vec(), |only| vec![only])
    }

    fn ask_host(&mut self, host: String, ids: &mut Ids) -> Option<Lookup> {
        if !self.named.insert(host.clone()) {
            return None;
        }
        let (id, name) = (ids.next_id(), host.clone());
        self.asked.insert(id, Asked::Host(host));
        Some(Lookup { id, name, kinds: vec![RecordKind::Aaaa, RecordKind::A] })
    }

    /// A look-up has its answer; returns what to look up next.
    pub(crate) fn resolved(
        &mut self,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
        ids: &mut Ids,
    ) -> Vec<Lookup> {
        let Some(asked) = self.asked.remove(&id) else { return Vec::new() };
        let records = records.as_deref().unwrap_or_default();
        match asked {
            Asked::Service(transport) => self.take_services(transport, records, ids),
            Asked::Host(host) => {
                let addresses = records.iter().filter_map(|record| match record.data {
                    RecordData::Address(ip) => Some(ip.to_canonical()),
                    _ => None,
                });
                self.hosts.insert(host, addresses.take(MAX_HOST_ADDRESSES).collect());
                Vec::new()
            }
        }
    }

    fn take_services(
        &mut self,
        transport: Transport,
        records: &[Record],
        ids: &mut Ids,
    ) -> Vec<Lookup> {
        let found = records.iter().filter_map(|record| match &record.data {
            //= RFC 2782: a target of "." says that the service is not there.
            RecordData::Srv { priority, weight, port, target } if !target.is_empty() => {
                let (priority, weight, port) = (*priority, *weight, *port);
                (target != ".").then(|| Service {
                    transport,
                    priority,
                    weight,
                    port,
                    target: target.clone(),
                })
            }
            _ => None,
        });
        let found = in_order(found.take(MAX_SRV_RECORDS).collect(), &mut self.entropy);
        let targets: Vec<String> = found.iter().map(|service| service.target.clone()).collect();
        self.services.extend(found);
        targets.into_iter().filter_map(|target| self.ask_host(target, ids)).collect()
    }

    /// Whether a look-up is under way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether this is one of the look-ups that are under way.
    pub(crate) fn awaits(&self, id: Id) -> bool {
        self.asked.contains_key(&id)
    }

    /// Gives up waiting for look-ups; returns those that were under way.
    pub(crate) fn give_up(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.asked).into_keys().collect()
    }

    /// The server's name, as it was given.
    pub(crate) const fn server(&self) -> &TurnServer {
        &self.server
    }

    /// Where to try, in order: UDP before TCP before TLS.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let mut servers = Vec::new();
        for transport in self.transports() {
            for endpoint in self.endpoints(transport) {
                let name = self.server.host.clone();
                let server = Server { endpoint, transport, name };
                if !servers.contains(&server) {
                    servers.push(server);
                }
            }
        }
        servers
    }

    fn endpoints(&self, transport: Transport) -> Vec<Endpoint> {
        if !self.services.is_empty() {
            let ours = self.services.iter().filter(|service| service.transport == transport);
            return ours
                .flat_map(|service| {
                    let addresses = self.hosts.get(&service.target).into_iter().flatten();
                    addresses.map(|ip| Endpoint::new(*ip, service.port))
                })
                .collect();
        }
        let own = match self.literal() {
            Some(ip) => vec![ip.to_canonical()],
            None => self.hosts.get(&self.server.host).cloned().unwrap_or_default(),
        };
        let addresses = if own.is_empty() { &self.server.fallback } else { &own };
        let ports = match (self.server.port, transport) {
            (Some(port), _) => vec![port],
            (None, Transport::Tls) => TURN_TLS_PORTS.to_vec(),
            (None, _) => vec![TURN_PORT],
        };
        ports
            .into_iter()
            .flat_map(|port| addresses.iter().map(move |ip| Endpoint::new(ip.to_canonical(), port)))
            .collect()
    }
}

/// The order in which services are tried.
///
//= RFC 2782: the lowest priority first; among equals each next one is drawn by weight, those without
//= any standing first to have a small chance.
fn in_order(mut services: Vec<Service>, entropy: &mut Entropy) -> Vec<Service> {
    let mut ordered = Vec::with_capacity(services.len());
    services.sort_by_key(|service| service.weight != 0);
    while let Some(priority) = services.iter().map(|service| service.priority).min() {
        let equals = |service: &&Service| service.priority == priority;
        let weight = |service: &Service| u64::from(service.weight);
        let total: u64 = services.iter().filter(equals).map(weight).sum();
        let mut drawn = entropy.below(total + 1);
        let chosen = services.iter().position(|service| {
            let ours = service.priority == priority;
            let hit = ours && drawn <= weight(service);
            if ours {
                drawn = drawn.saturating_sub(weight(service));
            }
            hit
        });
        ordered.push(services.remove(chosen.unwrap_or_default()));
    }
    ordered
}

#[cfg(test)]
mod tests;
