//! The mappings of one NAT, with their filters and lifetimes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Entropy, Instant};

use super::forward::{Forward, Forwards, PortTaken, number};
use super::{Dependence, Mapping, NatSpec, Ports, Refusal, transport};
use crate::defaults::{
    NAT_FILTER_LIMIT, NAT_FIRST_SEQUENTIAL_PORT, NAT_MAPPING_LIMIT, NAT_TCP_TRANSITORY_LIFETIME,
};
use crate::packet::{Segment, TCP};

/// The ports that a NAT gives out: not those below 1024 (RFC 4787 §4.2.1).
const FIRST_PORT: u16 = 1024;

#[derive(Debug)]
pub(super) struct Table {
    pub(super) spec: NatSpec,
    by_port: BTreeMap<(u8, u16), Entry>,
    by_inside: BTreeMap<Key, u16>,
    pub(super) forwards: Forwards,
    entropy: Entropy,
    next_port: u16,
    sweep_at: usize,
}

/// What decides whether two packets from inside share a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    protocol: u8,
    inside: Endpoint,
    remote_ip: Option<IpAddr>,
    remote_port: Option<u16>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    sessions: BTreeMap<Endpoint, Session>,
    expires: Instant,
}

/// What an inside endpoint has with one remote endpoint.
#[derive(Debug, Default)]
struct Session {
    expires: Instant,
    answered: bool,
    fin_out: bool,
    fin_in: bool,
    reset: bool,
}

impl Table {
    pub(super) fn new(spec: NatSpec, entropy: Entropy) -> Self {
        Self {
            spec,
            by_port: BTreeMap::new(),
            by_inside: BTreeMap::new(),
            forwards: Forwards::default(),
            entropy,
            next_port: NAT_FIRST_SEQUENTIAL_PORT,
            sweep_at: 1024,
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_port.clear();
        self.by_inside.clear();
        self.forwards.clear();
    }

    pub(super) fn mappings(&self, now: Instant, outside: IpAddr) -> Vec<Mapping> {
        let live = self.by_port.iter().filter(|(_, entry)| entry.expires > now);
        live.map(|(&(protocol, port), entry)| Mapping {
            protocol: transport(protocol),
            inside: entry.key.inside,
            outside: Endpoint::new(outside, port),
            remotes: entry.live_remotes(now).collect(),
            expires: entry.expires,
        })
        .collect()
    }

    /// The outside port for a packet from inside: of the mapping that there is, or of a new one.
    /// Refreshes the mapping and opens its filter for `remote`.
    pub(super) fn map(
        &mut self,
        now: Instant,
        protocol: u8,
        inside: Endpoint,
        remote: Endpoint,
    ) -> Result<u16, Refusal> {
        if let Some(port) = self.forwards.port(now, protocol, inside) {
            return Ok(port);
        }
        let key = self.key(protocol, inside, remote);
        let port = match self.live_port(now, &key) {
            Some(port) => port,
            None => self.add(now, key)?,
        };
        let lifetime = if protocol == TCP { None } else { Some(self.spec.lifetime) };
        if let Some(entry) = self.by_port.get_mut(&(protocol, port)) {
            entry.open(now, remote, lifetime);
        }
        Ok(port)
    }

    /// The outside port of a mapping that exists.
    pub(super) fn existing(
        &mut self,
        now: Instant,
        protocol: u8,
        inside: Endpoint,
        remote: Endpoint,
    ) -> Option<u16> {
        if let Some(port) = self.forwards.port(now, protocol, inside) {
            return Some(port);
        }
        let key = self.key(protocol, inside, remote);
        self.live_port(now, &key)
    }

    /// The inside endpoint that has the outside port `port`.
    pub(super) fn inside(&self, now: Instant, protocol: u8, port: u16) -> Option<Endpoint> {
        if let Some(inside) = self.forwards.inside(now, protocol, port) {
            return Some(inside);
        }
        let entry = self.by_port.get(&(protocol, port))?;
        (entry.expires > now).then_some(entry.key.inside)
    }

    /// Forwards a port, unless somebody else has it.
    pub(super) fn forward(&mut self, now: Instant, forward: Forward) -> Result<(), PortTaken> {
        match self.inside(now, number(forward.protocol), forward.outside_port) {
            Some(other) if other != forward.inside && forward.inside.is_ipv4() => {
                Err(PortTaken(other))
            }
            _ => {
                self.forwards.insert(forward);
                Ok(())
            }
        }
    }

    /// Whether a packet from `remote` may come in through `port`, and to whom.
    ///
    //= RFC 4787 §5: filtering is endpoint-independent, by address, or by address and port.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        protocol: u8,
        port: u16,
        remote: Endpoint,
    ) -> Result<Endpoint, Refusal> {
        if let Some(inside) = self.forwards.inside(now, protocol, port) {
            return Ok(inside);
        }
        let spec = &self.spec;
        let entry = self.by_port.get_mut(&(protocol, port)).filter(|e| e.expires > now);
        let entry = entry.ok_or(Refusal::NoMapping)?;
        let admitted = match spec.filtering {
            Dependence::Endpoint => true,
            Dependence::Address => entry.live_remotes(now).any(|known| known.ip() == remote.ip()),
            Dependence::AddressAndPort => entry.is_live(now, &remote),
        };
        if !admitted {
            return Err(Refusal::Filtered);
        }
        if spec.inbound_refresh && protocol != TCP {
            let expires = now + spec.lifetime;
            entry.expires = entry.expires.max(expires);
            if let Some(session) = entry.sessions.get_mut(&remote) {
                session.expires = expires;
            }
        }
        Ok(entry.key.inside)
    }

    /// Follows a TCP connection through its mapping, for its lifetime.
    ///
    //= RFC 5382 §5 REQ-5: established connections live long; those that open or close, minutes.
    pub(super) fn track_tcp(
        &mut self,
        now: Instant,
        port: u16,
        remote: Endpoint,
        flags: u8,
        out: bool,
    ) {
        let Some(entry) = self.by_port.get_mut(&(TCP, port)) else { return };
        if let Some(session) = entry.sessions.get_mut(&remote) {
            session.follow(flags, out);
            let closed = session.reset || (session.fin_in && session.fin_out);
            let lifetime = if session.answered && !closed {
                self.spec.tcp_lifetime
            } else {
                NAT_TCP_TRANSITORY_LIFETIME.min(self.spec.tcp_lifetime)
            };
            session.expires = now + lifetime;
        }
        let latest = entry.sessions.values().map(|session| session.expires).max();
        entry.expires = latest.unwrap_or(entry.expires);
    }

    const fn key(&self, protocol: u8, inside: Endpoint, remote: Endpoint) -> Key {
        let (remote_ip, remote_port) = match self.spec.mapping {
            Dependence::Endpoint => (None, None),
            Dependence::Address => (Some(remote.ip()), None),
            Dependence::AddressAndPort => (Some(remote.ip()), Some(remote.port())),
        };
        Key { protocol, inside, remote_ip, remote_port }
    }

    fn live_port(&mut self, now: Instant, key: &Key) -> Option<u16> {
        let port = *self.by_inside.get(key)?;
        if self.by_port.get(&(key.protocol, port)).is_some_and(|entry| entry.expires > now) {
            return Some(port);
        }
        self.remove(key.protocol, port);
        None
    }

    fn add(&mut self, now: Instant, key: Key) -> Result<u16, Refusal> {
        self.sweep(now);
        if self.by_port.len() >= NAT_MAPPING_LIMIT {
            return Err(Refusal::PortsExhausted);
        }
        let port = self.choose(now, &key).ok_or(Refusal::PortsExhausted)?;
        self.remove(key.protocol, port);
        self.by_inside.insert(key, port);
        let entry = Entry { key, sessions: BTreeMap::new(), expires: now };
        self.by_port.insert((key.protocol, port), entry);
        Ok(port)
    }

    fn choose(&mut self, now: Instant, key: &Key) -> Option<u16> {
        let first = match &self.spec.ports {
            Ports::List(ports) => {
                return ports.iter().copied().find(|&port| self.is_free(now, key.protocol, port));
            }
            Ports::Preserve => key.inside.port(),
            Ports::Sequential => self.next_port,
            Ports::Random => {
                FIRST_PORT + self.entropy.below(u64::from(u16::MAX - FIRST_PORT) + 1) as u16
            }
        };
        let upwards = (first..=u16::MAX).chain(FIRST_PORT..first.max(FIRST_PORT));
        let port = { upwards }.find(|&port| self.is_free(now, key.protocol, port))?;
        if self.spec.ports == Ports::Sequential {
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
        }
        Some(port)
    }

    fn is_free(&self, now: Instant, protocol: u8, port: u16) -> bool {
        self.inside(now, protocol, port).is_none()
    }

    fn remove(&mut self, protocol: u8, port: u16) {
        if let Some(entry) = self.by_port.remove(&(protocol, port)) {
            self.by_inside.remove(&entry.key);
        }
    }

    /// Drops what has expired, each time the table has doubled.
    fn sweep(&mut self, now: Instant) {
        if self.by_port.len() < self.sweep_at {
            return;
        }
        self.by_port.retain(|_, entry| entry.expires > now);
        let by_port = &self.by_port;
        self.by_inside.retain(|key, port| by_port.contains_key(&(key.protocol, *port)));
        self.sweep_at = (2 * self.by_port.len()).clamp(1024, NAT_MAPPING_LIMIT);
    }
}

impl Entry {
    fn is_live(&self, now: Instant, remote: &Endpoint) -> bool {
        self.sessions.get(remote).is_some_and(|session| session.expires > now)
    }

    fn live_remotes(&self, now: Instant) -> impl Iterator<Item = Endpoint> + '_ {
        self.sessions.iter().filter(move |(_, s)| s.expires > now).map(|(remote, _)| *remote)
    }

    /// A packet went to `remote`: the filter opens for its answers.
    fn open(&mut self, now: Instant, remote: Endpoint, lifetime: Option<Duration>) {
        if self.sessions.len() >= NAT_FILTER_LIMIT && !self.sessions.contains_key(&remote) {
            let oldest = self.sessions.iter().min_by_key(|(_, s)| s.expires).map(|(k, _)| *k);
            oldest.and_then(|key| self.sessions.remove(&key));
        }
        let session = self.sessions.entry(remote).or_default();
        // TCP's lifetime depends on the segment; `track_tcp` sets it.
        if let Some(lifetime) = lifetime {
            session.expires = now + lifetime;
            self.expires = session.expires;
        }
    }
}

impl Session {
    const fn follow(&mut self, flags: u8, out: bool) {
        if flags & Segment::SYN != 0 && out {
            *self = Self {
                expires: self.expires,
                answered: false,
                fin_out: false,
                fin_in: false,
                reset: false,
            };
        }
        self.answered |= !out;
        self.reset |= flags & Segment::RST != 0;
        let fin = flags & Segment::FIN != 0;
        self.fin_out |= fin && out;
        self.fin_in |= fin && !out;
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use machine::{Endpoint, Entropy, Instant, Transport};

    use super::{Segment, TCP, Table};
    use crate::defaults::{NAT_FILTER_LIMIT, NAT_MAPPING_LIMIT};
    use crate::nat::{NatSpec, Refusal};
    use crate::packet::UDP;

    fn table(spec: &str) -> Table {
        Table::new(spec.parse::<NatSpec>().unwrap(), Entropy::seeded(1))
    }

    fn remote(n: u32) -> Endpoint {
        Endpoint::new(IpAddr::from((0xc633_0000 + n).to_be_bytes()), 80)
    }

    fn inside(n: u32) -> Endpoint {
        Endpoint::new(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), 5000)
    }

    #[test]
    fn a_mapping_forgets_the_remote_it_talked_to_longest_ago() {
        let mut table = table("filtering=apd");
        let at = |n: u32| Instant::from_nanos(n.into());
        let limit = NAT_FILTER_LIMIT as u32;
        for n in 0..=limit {
            assert_eq!(table.map(at(n), UDP, inside(1), remote(n)), Ok(5000));
        }
        assert_eq!(table.admit(at(limit), UDP, 5000, remote(0)), Err(Refusal::Filtered));
        assert_eq!(table.admit(at(limit), UDP, 5000, remote(1)), Ok(inside(1)));
        assert_eq!(table.admit(at(limit), UDP, 5000, remote(limit)), Ok(inside(1)));
    }

    #[test]
    fn all_ports_can_be_used_and_come_back_after_their_lifetime() {
        let mut table = table("ports=sequential,lifetime=30s");
        let now = Instant::ORIGIN;
        let ports = u32::from(u16::MAX) - 1023;
        for n in 0..ports {
            assert!(table.map(now, UDP, inside(n), remote(1)).is_ok(), "{n}");
        }
        assert_eq!(table.map(now, UDP, inside(ports), remote(1)), Err(Refusal::PortsExhausted));
        // TCP has ports of its own, as far as the limit of mappings goes.
        let more = NAT_MAPPING_LIMIT as u32 - ports;
        for n in 0..=more {
            let port = table.map(now, TCP, inside(n), remote(1));
            assert_eq!(port.is_ok(), n < more, "{n}");
            table.track_tcp(now, port.unwrap_or_default(), remote(1), Segment::SYN, true);
        }
        let later = now + Duration::from_secs(31);
        assert!(table.map(later, UDP, inside(ports), remote(1)).is_ok());
        let mappings = table.mappings(later, remote(0).ip());
        assert_eq!(mappings.iter().filter(|m| m.protocol == Transport::Udp).count(), 1);
    }
}
