//! From the name of a service to the addresses of its hosts (RFC 2782).
//!
//! [`Lookups`] keeps what is asked of DNS and what came of it, within limits; [`in_order`] says which of
//! the services found is tried first. What a service is called, and what is tried for want of one,
//! differs from protocol to protocol and is the owner's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::{Entropy, Id, Ids, Record, RecordData, RecordKind};

/// A look-up to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Its name, for [`Lookups::resolved`].
    pub id: Id,
    /// What to look up.
    pub name: String,
    /// The kinds of record.
    pub kinds: Vec<RecordKind>,
}

/// What one SRV record says. `K` is the owner's word for the service that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service<K> {
    /// Which service.
    pub kind: K,
    /// Whoever has the lowest comes first.
    pub priority: u16,
    /// The share among those of the same priority.
    pub weight: u16,
    /// Where it listens.
    pub port: u16,
    /// The host, without the dot that ends its name; empty where the service is not there.
    pub target: String,
}

impl<K> Service<K> {
    /// Whether the domain says that it does not have the service.
    ///
    //= RFC 2782: a target of "." means that the service is decidedly not available.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        self.target.is_empty()
    }
}

/// The services among `records`.
pub fn services<K: Clone>(kind: &K, records: &[Record]) -> impl Iterator<Item = Service<K>> {
    records.iter().filter_map(|record| match &record.data {
        RecordData::Srv { priority, weight, port, target } => Some(Service {
            kind: kind.clone(),
            priority: *priority,
            weight: *weight,
            port: *port,
            target: target.trim_end_matches('.').to_owned(),
        }),
        _ => None,
    })
}

/// The order in which services are tried.
///
//= RFC 2782: the lowest priority first; among equals each next one is drawn by weight, those without
//= any standing first to have a small chance.
#[must_use]
pub fn in_order<K>(mut services: Vec<Service<K>>, entropy: &mut Entropy) -> Vec<Service<K>> {
    let mut ordered = Vec::with_capacity(services.len());
    services.sort_by_key(|service| (service.priority, service.weight != 0));
    while let Some(priority) = services.first().map(|service| service.priority) {
        let equals = services.iter().take_while(|service| service.priority == priority);
        let weights: Vec<u64> = equals.map(|service| u64::from(service.weight)).collect();
        let mut drawn = entropy.below(weights.iter().sum::<u64>() + 1);
        let chosen = weights.iter().position(|weight| {
            let hit = drawn <= *weight;
            drawn = drawn.saturating_sub(*weight);
            hit
        });
        ordered.push(services.remove(chosen.unwrap_or_default()));
    }
    ordered
}

/// What a look-up that is under way is for.
#[derive(Clone, Debug)]
enum Asked<K> {
    Service(K),
    Host(String),
}

/// Look-ups of services and hosts: those under way, and what the others found.
#[derive(Clone, Debug)]
pub struct Lookups<K> {
    max_services: usize,
    max_addresses: usize,
    asked: BTreeMap<Id, Asked<K>>,
    /// Every host that was asked for.
    named: BTreeSet<String>,
    services: Vec<Service<K>>,
    denied: Vec<K>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
}

impl<K: Clone> Lookups<K> {
    /// Nothing was asked yet. Of one answer no more than `max_services` SRV records are read, of a host
    /// no more than `max_addresses`.
    #[must_use]
    pub const fn new(max_services: usize, max_addresses: usize) -> Self {
        Self {
            max_services,
            max_addresses,
            asked: BTreeMap::new(),
            named: BTreeSet::new(),
            services: Vec::new(),
            denied: Vec::new(),
            hosts: BTreeMap::new(),
        }
    }

    /// Asks for a service by its whole `name`, as `_turn._udp.example.org`.
    pub fn ask_service(&mut self, kind: K, name: String, ids: &mut Ids) -> Lookup {
        let id = ids.next_id();
        self.asked.insert(id, Asked::Service(kind));
        Lookup { id, name, kinds: vec![RecordKind::Srv] }
    }

    /// Asks for the addresses of a host: once, and never of one that is an address itself.
    pub fn ask_host(&mut self, host: &str, ids: &mut Ids) -> Option<Lookup> {
        if host.parse::<IpAddr>().is_ok() || !self.named.insert(host.to_owned()) {
            return None;
        }
        let id = ids.next_id();
        self.asked.insert(id, Asked::Host(host.to_owned()));
        Some(Lookup { id, name: host.to_owned(), kinds: vec![RecordKind::Aaaa, RecordKind::A] })
    }

    /// A look-up has its answer, an empty one if nothing was found; returns what to look up next: the
    /// hosts of the services.
    pub fn resolved(&mut self, id: Id, records: &[Record], ids: &mut Ids) -> Vec<Lookup> {
        let mut next = Vec::new();
        match self.asked.remove(&id) {
            Some(Asked::Service(kind)) => {
                for service in services(&kind, records).take(self.max_services) {
                    if service.is_denial() {
                        self.denied.push(service.kind);
                    } else {
                        next.extend(self.ask_host(&service.target, ids));
                        self.services.push(service);
                    }
                }
            }
            Some(Asked::Host(host)) => {
                let addresses = records.iter().filter_map(|record| match record.data {
                    RecordData::Address(ip) => Some(ip.to_canonical()),
                    _ => None,
                });
                self.hosts.insert(host, addresses.take(self.max_addresses).collect());
            }
            None => {}
        }
        next
    }

    /// Whether a look-up is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether this is one of the look-ups that are under way.
    #[must_use]
    pub fn awaits(&self, id: Id) -> bool {
        self.asked.contains_key(&id)
    }

    /// Gives up waiting; returns the look-ups that were under way.
    pub fn give_up(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.asked).into_keys().collect()
    }

    /// The services found, in no order.
    #[must_use]
    pub fn services(&self) -> &[Service<K>] {
        &self.services
    }

    /// The services that are decidedly not there.
    #[must_use]
    pub fn denied(&self) -> &[K] {
        &self.denied
    }

    /// The hosts that were asked for.
    pub fn hosts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.named.iter().map(String::as_str)
    }

    /// The addresses of a host, or the one that `host` is.
    #[must_use]
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match host.parse::<IpAddr>() {
            Ok(ip) => vec![ip.to_canonical()],
            Err(_) => self.hosts.get(host).cloned().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lookups, Service, in_order};
    use crate::{Entropy, Ids, Record, RecordData, RecordKind};

    fn service(priority: u16, weight: u16) -> Service<()> {
        Service { kind: (), priority, weight, port: 0, target: "host".to_owned() }
    }

    fn record(data: RecordData) -> Record {
        Record { name: String::new(), ttl_secs: 1, data }
    }

    fn srv(target: &str) -> Record {
        let target = target.to_owned();
        record(RecordData::Srv { priority: 0, weight: 0, port: 1, target })
    }

    #[test]
    fn weights_are_shares() {
        let mut entropy = Entropy::seeded(1);
        let mut first = 0;
        for _ in 0..1_000 {
            let all = vec![service(2, 9), service(1, 30), service(1, 10), service(1, 0)];
            let order = in_order(all, &mut entropy);
            assert_eq!(order.iter().map(|it| it.priority).collect::<Vec<_>>(), [1, 1, 1, 2]);
            first += u32::from(order.first().is_some_and(|it| it.weight == 30));
        }
        assert!((680..=790).contains(&first), "{first} of 1000 where 732 are its share");
    }

    #[test]
    fn services_lead_to_hosts_each_asked_for_once() {
        let (mut lookups, mut ids) = (Lookups::new(3, 2), Ids::new(1));
        let first = lookups.ask_service("a", "_a._udp.example".to_owned(), &mut ids);
        assert_eq!(first.kinds, [RecordKind::Srv]);
        let second = lookups.ask_service("b", "_b._udp.example".to_owned(), &mut ids);
        let records = ["x.example.", "192.0.2.7", "x.example", "more.example"].map(srv);
        let hosts = lookups.resolved(first.id, &records, &mut ids);
        let names: Vec<&str> = hosts.iter().map(|it| it.name.as_str()).collect();
        assert_eq!((names, lookups.services().len()), (vec!["x.example"], 3));
        assert!(lookups.resolved(second.id, &[srv(".")], &mut ids).is_empty());
        assert_eq!(lookups.denied(), ["b"]);
        assert!(lookups.is_busy() && lookups.awaits(hosts[0].id));
        let address = |ip: &str| record(RecordData::Address(ip.parse().unwrap()));
        let addresses = ["::ffff:192.0.2.1", "192.0.2.2", "192.0.2.3"].map(address);
        lookups.resolved(hosts[0].id, &addresses, &mut ids);
        assert!(!lookups.is_busy() && lookups.give_up().is_empty());
        let found = lookups.addresses("x.example");
        assert_eq!(
            found,
            ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse::<std::net::IpAddr>().unwrap())
        );
        assert_eq!(lookups.addresses("192.0.2.7").len(), 1);
        assert!(lookups.addresses("more.example").is_empty());
    }
}
