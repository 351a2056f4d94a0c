//! From a URI to addresses (RFC 3263 §4), as a value: it says what to look up, and takes what was
//! found.

use std::collections::VecDeque;
use std::net::IpAddr;

use machine::srv;
use machine::{Endpoint, Entropy, Record, RecordData, RecordKind, Transport};

use crate::defaults;

/// One place to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// Over which transport.
    pub transport: Transport,
    /// Where.
    pub remote: Endpoint,
}

/// What a URI says about where it points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host, without brackets, or the `maddr` that overrides it.
    pub host: String,
    /// The port, if it is given.
    pub port: Option<u16>,
    /// The transport, if it is given.
    pub transport: Option<Transport>,
    /// Whether the scheme is `sips`, so that only TLS will do.
    pub secure: bool,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Look up this name, and tell [`Locate::resolved`].
    Lookup {
        /// The name.
        name: String,
        /// The kinds of record.
        kinds: Vec<RecordKind>,
    },
    /// These are the places, best first; empty if there are none.
    Done(Vec<Destination>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Query {
    Naptr(String),
    Srv(Transport, String),
    Addresses(Transport, String, u16),
}

/// One location under way.
#[derive(Clone, Debug)]
pub struct Locate {
    place: Place,
    supported: Vec<Transport>,
    asked: Option<Query>,
    todo: VecDeque<Query>,
    /// How many more look-ups this location may make.
    budget: usize,
    /// Whether SRV records were found, so that the host's own addresses do not count.
    served: bool,
    /// Whether records have named transports.
    named: bool,
    found: Vec<Destination>,
}

/// The port that a URI without one means (RFC 3261 §19.1.2).
#[must_use]
pub const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

impl Locate {
    /// Starts to locate `place` with the transports that we support, best first.
    #[must_use]
    pub fn start(place: Place, supported: &[Transport]) -> (Self, Step) {
        let fallback = if place.secure { Transport::Tls } else { Transport::Udp };
        let transport = place.transport.unwrap_or(fallback);
        let port = place.port.unwrap_or(default_port(transport));
        let mut locate = Self {
            supported: supported.to_vec(),
            asked: None,
            todo: VecDeque::new(),
            budget: defaults::LOCATE_LOOKUPS,
            served: false,
            named: false,
            found: Vec::new(),
            place,
        };
        let host = locate.place.host.clone();
        if let Ok(ip) = host.parse::<IpAddr>() {
            //= RFC 3263 §4.1, §4.2: a numeric host is the address, over UDP unless told otherwise.
            locate.found.push(Destination { transport, remote: Endpoint::new(ip, port) });
        } else if locate.place.port.is_some() {
            //= RFC 3263 §4.2: with a port, the host's own addresses.
            locate.todo.push_back(Query::Addresses(transport, host, port));
        } else if locate.place.transport.is_some() {
            //= RFC 3263 §4.2: with a transport and no port, SRV for that transport.
            locate.todo.push_back(Query::Srv(transport, srv_name(transport, &host)));
        } else {
            //= RFC 3263 §4.1: else NAPTR tells the transports.
            locate.todo.push_back(Query::Naptr(host));
        }
        let step = locate.next();
        (locate, step)
    }

    /// Takes what was found, an empty slice if nothing was.
    pub fn resolved(&mut self, records: &[Record], entropy: &mut Entropy) -> Step {
        match self.asked.take() {
            Some(Query::Naptr(host)) => self.naptr(&host, records),
            Some(Query::Srv(transport, _)) => self.srv(transport, records, entropy),
            Some(Query::Addresses(transport, _, port)) => {
                let ips = records.iter().filter_map(|record| match record.data {
                    RecordData::Address(ip) => Some(ip),
                    _ => None,
                });
                self.found.extend(
                    ips.map(|ip| Destination { transport, remote: Endpoint::new(ip, port) }),
                );
                self.found.truncate(defaults::LOCATE_DESTINATIONS);
            }
            None => {}
        }
        self.next()
    }

    /// Whether the transport of what was found is no more than a default: neither the URI nor any
    /// record named one.
    #[must_use]
    pub fn presumes_transport(&self) -> bool {
        self.place.transport.is_none() && !self.place.secure && !self.named
    }

    fn next(&mut self) -> Step {
        if self.todo.is_empty() && self.found.is_empty() && !self.served {
            //= RFC 3263 §4.2: without SRV records, the host's own addresses at the default port.
            self.served = true;
            let fallback = if self.place.secure { Transport::Tls } else { Transport::Udp };
            let transport = self.place.transport.unwrap_or(fallback);
            let port = self.place.port.unwrap_or(default_port(transport));
            let asked_already = self.place.port.is_some();
            if !asked_already {
                let host = self.place.host.clone();
                self.todo.push_back(Query::Addresses(transport, host, port));
            }
        }
        let Some(query) = self.todo.pop_front().filter(|_| self.budget > 0) else {
            return Step::Done(std::mem::take(&mut self.found));
        };
        self.budget -= 1;
        let (name, kinds) = match &query {
            Query::Naptr(name) => (name, vec![RecordKind::Naptr]),
            Query::Srv(_, name) => (name, vec![RecordKind::Srv]),
            Query::Addresses(_, name, _) => (name, vec![RecordKind::A, RecordKind::Aaaa]),
        };
        let name = name.clone();
        self.asked = Some(query);
        Step::Lookup { name, kinds }
    }

    fn naptr(&mut self, host: &str, records: &[Record]) {
        let mut pointers: Vec<(u16, u16, Transport, &str)> = records
            .iter()
            .filter_map(|record| match &record.data {
                RecordData::Naptr { order, preference, flags, service, replacement }
                    if flags.eq_ignore_ascii_case("s") =>
                {
                    let transport = naptr_transport(service)?;
                    let usable = self.usable(transport);
                    usable.then_some((*order, *preference, transport, replacement.as_str()))
                }
                _ => None,
            })
            .collect();
        pointers.sort_by_key(|&(order, preference, ..)| (order, preference));
        if pointers.is_empty() {
            //= RFC 3263 §4.1: without NAPTR, SRV for each transport that we support.
            let usable = self.supported.iter().copied().filter(|&transport| self.usable(transport));
            let queries: Vec<_> = usable.map(|t| Query::Srv(t, srv_name(t, host))).collect();
            self.todo.extend(queries);
        } else {
            self.named = true;
            let queries = pointers.iter().map(|&(_, _, t, name)| Query::Srv(t, name.to_owned()));
            self.todo.extend(queries);
        }
    }

    fn usable(&self, transport: Transport) -> bool {
        self.supported.contains(&transport) && (!self.place.secure || transport == Transport::Tls)
    }

    fn srv(&mut self, transport: Transport, records: &[Record], entropy: &mut Entropy) {
        let services = srv::in_order(srv::services(&transport, records).collect(), entropy);
        self.served |= !services.is_empty();
        self.named |= self.served;
        let there = services.into_iter().filter(|service| !service.is_denial());
        let queries = there.map(|it| Query::Addresses(it.kind, it.target, it.port));
        let behind = std::mem::take(&mut self.todo);
        self.todo = queries.take(defaults::LOCATE_DESTINATIONS).chain(behind).collect();
    }
}

fn srv_name(transport: Transport, host: &str) -> String {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{service}.{host}")
}

fn naptr_transport(service: &str) -> Option<Transport> {
    match service.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Some(Transport::Udp),
        "SIP+D2T" => Some(Transport::Tcp),
        "SIPS+D2T" => Some(Transport::Tls),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use machine::{Entropy, Record, RecordData, RecordKind, Transport};

    use super::{Locate, Place, Step};

    const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

    fn place(host: &str, port: Option<u16>, transport: Option<Transport>) -> Place {
        Place { host: host.to_owned(), port, transport, secure: false }
    }

    fn record(data: RecordData) -> Record {
        Record { name: String::new(), ttl_secs: 60, data }
    }

    fn address(ip: &str) -> Record {
        record(RecordData::Address(ip.parse().unwrap()))
    }

    fn srv(priority: u16, target: &str, port: u16) -> Record {
        let target = target.to_owned();
        record(RecordData::Srv { priority, weight: 0, port, target })
    }

    /// Runs a location against `zone`, writing names down; gives destinations as text.
    fn run(place: Place, zone: &[(&str, Vec<Record>)]) -> (Vec<String>, Vec<String>) {
        let mut entropy = Entropy::seeded(1);
        let (mut locate, mut step) = Locate::start(place, &BOTH);
        let mut asked = Vec::new();
        loop {
            match step {
                Step::Lookup { name, kinds } => {
                    let found = zone.iter().find(|(owner, _)| *owner == name);
                    asked.push(name);
                    assert!(kinds != [RecordKind::Txt]);
                    step = locate.resolved(found.map_or(&[], |(_, r)| r), &mut entropy);
                }
                Step::Done(places) => {
                    let text = places.iter().map(|d| format!("{:?} {}", d.transport, d.remote));
                    return (asked, text.collect());
                }
            }
        }
    }

    #[test]
    fn a_numeric_host_needs_no_lookup() {
        let (asked, found) = run(place("192.0.2.1", None, None), &[]);
        assert_eq!((asked.len(), found), (0, vec!["Udp 192.0.2.1:5060".to_owned()]));
        let (_, found) = run(place("2001:db8::1", Some(5080), Some(Transport::Tcp)), &[]);
        assert_eq!(found, ["Tcp [2001:db8::1]:5080"]);
    }

    #[test]
    fn a_port_means_addresses() {
        let zone = [("a.test", vec![address("192.0.2.1"), address("2001:db8::1")])];
        let (_, found) = run(place("a.test", Some(5070), None), &zone);
        assert_eq!(found, ["Udp 192.0.2.1:5070", "Udp [2001:db8::1]:5070"]);
        let (asked, found) = run(place("b.test", Some(5070), None), &zone);
        assert_eq!((asked, found), (vec!["b.test".to_owned()], vec![]));
    }

    #[test]
    fn naptr_then_srv_then_addresses() {
        let naptr = |order, service: &str, replacement: &str| {
            record(RecordData::Naptr {
                order,
                preference: 0,
                flags: "s".to_owned(),
                service: service.to_owned(),
                replacement: replacement.to_owned(),
            })
        };
        let zone = [
            ("e.test", vec![naptr(2, "SIP+D2U", "u.e.test"), naptr(1, "SIP+D2T", "t.e.test")]),
            ("t.e.test", vec![srv(2, "b.e.test", 5062), srv(1, "a.e.test", 5061)]),
            ("u.e.test", vec![srv(1, "a.e.test", 5060)]),
            ("a.e.test", vec![address("192.0.2.1")]),
            ("b.e.test", vec![address("192.0.2.2")]),
        ];
        let (_, found) = run(place("e.test", None, None), &zone);
        assert_eq!(found, ["Tcp 192.0.2.1:5061", "Tcp 192.0.2.2:5062", "Udp 192.0.2.1:5060"]);
    }

    #[test]
    fn without_records_the_host_itself() {
        let zone = [("e.test", vec![address("192.0.2.9")])];
        let (asked, found) = run(place("e.test", None, None), &zone);
        assert_eq!(asked, ["e.test", "_sip._udp.e.test", "_sip._tcp.e.test", "e.test"]);
        assert_eq!(found, ["Udp 192.0.2.9:5060"]);
        let (_, found) = run(place("nowhere.test", None, Some(Transport::Tcp)), &zone);
        assert!(found.is_empty());
    }

    #[test]
    fn many_targets_are_cut() {
        let targets = (0..100).map(|n| srv(0, &format!("h{n}.test"), 1)).collect();
        let (asked, found) =
            run(place("e.test", None, Some(Transport::Udp)), &[("_sip._udp.e.test", targets)]);
        assert!(asked.len() <= crate::defaults::LOCATE_LOOKUPS && found.is_empty());
    }
}
