//! Ports that a NAT forwards because somebody said so: by hand, or by a protocol of port mapping.

use std::collections::BTreeMap;

use machine::{Endpoint, Instant, Transport};

use crate::packet::{TCP, UDP};

/// A forwarded port.
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
    fn is_live(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// All of one NAT, by protocol and outside port.
#[derive(Debug, Default)]
pub(super) struct Forwards(BTreeMap<(u8, u16), Forward>);

impl Forwards {
    pub(super) fn insert(&mut self, forward: Forward) {
        self.0.insert((number(forward.protocol), forward.outside_port), forward);
    }

    pub(super) fn remove(&mut self, protocol: Transport, port: u16) -> Option<Forward> {
        self.0.remove(&(number(protocol), port))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn live(&self, now: Instant) -> impl Iterator<Item = &Forward> {
        self.0.values().filter(move |forward| forward.is_live(now))
    }

    /// Whom a port leads to.
    pub(super) fn inside(&self, now: Instant, protocol: u8, port: u16) -> Option<Endpoint> {
        self.0.get(&(protocol, port)).filter(|f| f.is_live(now)).map(|forward| forward.inside)
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
