//! From a domain to addresses to try (RFC 6120 §3.2, RFC 2782, XEP-0368).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use machine::{Endpoint, Entropy, Id, Ids, Record, RecordData, RecordKind, ResolveError};

use super::config::Config;
use super::defaults::{MAX_HOST_ADDRESSES, MAX_SRV_RECORDS, MAX_TARGETS};
use super::event::Error;

/// The port of STARTTLS (RFC 6120 §14.7).
const PORT: u16 = 5222;
/// The port that is usual for TLS from the first byte on; no RFC gives it.
const DIRECT_TLS_PORT: u16 = 5223;

/// An address to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) direct_tls: bool,
}

/// A look-up to make.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) kinds: Vec<RecordKind>,
}

#[derive(Clone, Debug)]
enum Asked {
    Service { direct_tls: bool },
    Host(String),
}

#[derive(Clone, Debug)]
struct Service {
    direct_tls: bool,
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

/// Finds one server.
#[derive(Debug)]
pub(super) struct Locator {
    domain: String,
    /// The only kind of TLS that will do, where one does.
    direct: Option<bool>,
    /// Where the host is asked for without a service: by the owner's word, or for want of one.
    plain: Vec<(String, u16, bool)>,
    fallback: Vec<Target>,
    asked: BTreeMap<Id, Asked>,
    named: BTreeSet<String>,
    services: Vec<Service>,
    hosts: BTreeMap<String, Vec<IpAddr>>,
    /// DNS says that there is no such service.
    refused: bool,
    /// What DNS said last where it said nothing useful.
    cause: ResolveError,
}

impl Locator {
    /// Starts; returns what to look up first, which is nothing for an address.
    pub(super) fn new(config: &Config, ids: &mut Ids) -> (Self, Vec<Lookup>) {
        let domain = config.jid.domain().as_str().to_owned();
        let direct = config.direct_tls;
        let fallback_tls = |port| direct.unwrap_or(port == DIRECT_TLS_PORT);
        let fallback = config.fallback.iter().map(|endpoint| Target {
            endpoint: *endpoint,
            direct_tls: fallback_tls(endpoint.port()),
        });
        let mut locator = Self {
            domain: domain.clone(),
            direct,
            plain: Vec::new(),
            fallback: fallback.collect(),
            asked: BTreeMap::new(),
            named: BTreeSet::new(),
            services: Vec::new(),
            hosts: BTreeMap::new(),
            refused: false,
            cause: ResolveError::NoRecords,
        };
        let mut lookups = Vec::new();
        match &config.server {
            Some((host, port)) => {
                locator.plain.push((host.clone(), *port, fallback_tls(*port)));
                lookups.extend(locator.ask_host(host.clone(), ids));
            }
            // RFC 6120 §3.2.1: an address for a domain is taken as it is.
            None if domain.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
                locator.domain = domain.trim_matches(['[', ']']).to_owned();
                lookups.extend(locator.ask_domain(ids));
            }
            None => {
                for direct_tls in [true, false] {
                    if direct.is_none_or(|only| only == direct_tls) {
                        let service = if direct_tls { "_xmpps-client" } else { "_xmpp-client" };
                        let name = format!("{service}._tcp.{domain}");
                        let id = ids.next_id();
                        locator.asked.insert(id, Asked::Service { direct_tls });
                        lookups.push(Lookup { id, name, kinds: vec![RecordKind::Srv] });
                    }
                }
            }
        }
        (locator, lookups)
    }

    fn ask_host(&mut self, host: String, ids: &mut Ids) -> Option<Lookup> {
        if host.parse::<IpAddr>().is_ok() || !self.named.insert(host.clone()) {
            return None;
        }
        let (id, name) = (ids.next_id(), host.clone());
        self.asked.insert(id, Asked::Host(host));
        Some(Lookup { id, name, kinds: vec![RecordKind::Aaaa, RecordKind::A] })
    }

    /// A look-up has its answer; returns what to look up next.
    pub(super) fn resolved(
        &mut self,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
        ids: &mut Ids,
    ) -> Vec<Lookup> {
        let Some(asked) = self.asked.remove(&id) else { return Vec::new() };
        if let Err(cause) = records {
            self.cause = *cause;
        }
        let records = records.as_deref().unwrap_or_default();
        match asked {
            Asked::Service { direct_tls } => self.take_services(direct_tls, records, ids),
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
        direct_tls: bool,
        records: &[Record],
        ids: &mut Ids,
    ) -> Vec<Lookup> {
        let room = MAX_SRV_RECORDS.saturating_sub(self.services.len());
        let mut lookups = Vec::new();
        let services = records.iter().filter_map(|record| match &record.data {
            RecordData::Srv { priority, weight, port, target } => {
                Some((*priority, *weight, *port, target.trim_end_matches('.').to_owned()))
            }
            _ => None,
        });
        for (priority, weight, port, target) in services.take(room).collect::<Vec<_>>() {
            //= RFC 6120 §3.2.1: a target of "." says that there is no such service, and then nothing else
            //= is tried.
            //= XEP-0368 §3: for direct TLS alone, it says no more than that.
            if target.is_empty() {
                self.refused |= !direct_tls || self.direct == Some(true);
                continue;
            }
            lookups.extend(self.ask_host(target.clone(), ids));
            self.services.push(Service { direct_tls, priority, weight, port, target });
        }
        //= RFC 6120 §3.2.2: the domain's own addresses are for want of services alone.
        if !self.is_busy() && self.services.is_empty() && !self.refused {
            lookups.extend(self.ask_domain(ids));
        }
        lookups
    }

    fn ask_domain(&mut self, ids: &mut Ids) -> Option<Lookup> {
        let direct_tls = self.direct == Some(true);
        let port = if direct_tls { DIRECT_TLS_PORT } else { PORT };
        self.plain.push((self.domain.clone(), port, direct_tls));
        self.ask_host(self.domain.clone(), ids)
    }

    /// Whether a look-up is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Gives up waiting for look-ups; returns those that were under way.
    pub(super) fn give_up(&mut self) -> Vec<Id> {
        self.cause = ResolveError::TimedOut;
        std::mem::take(&mut self.asked).into_keys().collect()
    }

    /// Where to try, in order.
    ///
    //= XEP-0368 §3: the records of both services are one list, in RFC 2782's order.
    pub(super) fn targets(mut self, entropy: &mut Entropy) -> Result<VecDeque<Target>, Error> {
        let services = in_order(std::mem::take(&mut self.services), entropy);
        let hosts = services.into_iter().map(|it| (it.target, it.port, it.direct_tls));
        let hosts: Vec<_> = hosts.chain(std::mem::take(&mut self.plain)).collect();
        let mut targets = VecDeque::new();
        for (host, port, direct_tls) in hosts {
            for ip in self.addresses(&host) {
                let target = Target { endpoint: Endpoint::new(ip, port), direct_tls };
                if !targets.contains(&target) {
                    targets.push_back(target);
                }
            }
        }
        if targets.is_empty() && !self.refused {
            targets.extend(self.fallback);
        }
        targets.truncate(MAX_TARGETS);
        match (targets.is_empty(), self.refused) {
            (false, _) => Ok(targets),
            (true, true) => Err(Error::NoService { domain: self.domain }),
            (true, false) => {
                let domain = self.named.into_iter().next_back().unwrap_or(self.domain);
                Err(Error::NotFound { domain, cause: self.cause })
            }
        }
    }

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match host.parse::<IpAddr>() {
            Ok(ip) => vec![ip.to_canonical()],
            Err(_) => self.hosts.get(host).cloned().unwrap_or_default(),
        }
    }
}

/// The order in which services are tried.
///
//= RFC 2782: the lowest priority first; among equals each next one is drawn by weight, those without
//= any standing first to have a small chance.
fn in_order(mut services: Vec<Service>, entropy: &mut Entropy) -> Vec<Service> {
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

#[cfg(test)]
mod tests;
