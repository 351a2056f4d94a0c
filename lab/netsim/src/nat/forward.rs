//! Ports that a NAT forwards because somebody said so, by hand or by a protocol of port mapping; over
//! IPv6, pinholes in its firewall.

use std::collections::BTreeMap;

use machine::{Endpoint, Instant, Transport};

use crate::packet::{TCP, UDP};

/// A forwarded port, or over IPv6 a pinhole: there the port outside is the one inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// UDP or TCP.
    pub protocol: Transport,
    /// The port outside.
    pub outside_port: u16,
    /// The host and port inside.
    pub inside: Endpoint,
    /// When it ends by itself.
    pub expires: Option<Instant>,
}

/// Somebody else has the outside port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has the port")]
pub struct PortTaken(pub Endpoint);

impl Forward {
    fn key(&self) -> Key {
        let pinhole = Some(self.inside).filter(Endpoint::is_ipv6);
        (number(self.protocol), pinhole, pinhole.map_or(self.outside_port, |inside| inside.port()))
    }

    fn is_live(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// All of one NAT.
#[derive(Debug, Default)]
pub(super) struct Forwards(BTreeMap<Key, Forward>);

/// By protocol, the inside endpoint of a pinhole, and outside port.
type Key = (u8, Option<Endpoint>, u16);

impl Forwards {
    pub(super) fn insert(&mut self, forward: Forward) {
        self.0.insert(forward.key(), forward);
    }

    pub(super) fn remove(&mut self, forward: &Forward) -> Option<Forward> {
        self.0.remove(&forward.key())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn live(&self, now: Instant) -> impl Iterator<Item = &Forward> {
        self.0.values().filter(move |forward| forward.is_live(now))
    }

    /// Whom a port leads to.
    pub(super) fn inside(&self, now: Instant, protocol: u8, port: u16) -> Option<Endpoint> {
        self.0.get(&(protocol, None, port)).filter(|f| f.is_live(now)).map(|forward| forward.inside)
    }

    /// Whether the firewall has a pinhole for somebody.
    pub(super) fn has_pinhole(&self, now: Instant, protocol: u8, inside: Endpoint) -> bool {
        let pinhole = self.0.get(&(protocol, Some(inside), inside.port()));
        pinhole.is_some_and(|pinhole| pinhole.is_live(now))
    }

    /// The port that leads to somebody.
    pub(super) fn port(&self, now: Instant, protocol: u8, inside: Endpoint) -> Option<u16> {
        let mut live = self.live(now);
        let found = live.find(|f| f.inside == inside && number(f.protocol) == protocol);
        found.map(|forward| forward.outside_port)
    }
}

/// The number of a transport in an IP header.
pub(super) const fn number(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => UDP,
        Transport::Tcp | Transport::Tls => TCP,
    }
}
