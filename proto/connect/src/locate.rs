//! From a TURN server's name to addresses to try (RFC 5928, RFC 2782).
//!
//! A name with a port has addresses. A name without one is a domain first: its SRV records say where
//! the server is, for each transport. Without any, it is where the owner says that it falls back to,
//! else at the name's own addresses, on the usual ports.

use std::net::IpAddr;

use machine::srv::{self, Lookup, Lookups};
use machine::{Endpoint, Entropy, Id, Ids, Record, ResolveError, Transport};
use turn::client::Server;

use crate::TurnServer;
use crate::defaults::{
    MAX_HOST_ADDRESSES, MAX_SRV_RECORDS, TURN_PORT, TURN_TLS_PORTS, TURN_TRANSPORTS,
};

/// Finds one server.
#[derive(Debug)]
pub(crate) struct Locator {
    server: TurnServer,
    lookups: Lookups<Transport>,
    entropy: Entropy,
}

impl Locator {
    /// Starts; returns what to look up first, which is nothing for an address.
    pub(crate) fn new(server: TurnServer, ids: &mut Ids, entropy: Entropy) -> (Self, Vec<Lookup>) {
        let lookups = Lookups::new(MAX_SRV_RECORDS, MAX_HOST_ADDRESSES);
        let mut locator = Self { server, lookups, entropy };
        let mut first = Vec::new();
        let Self { server, lookups, .. } = &mut locator;
        if server.port.is_none() && server.host.parse::<IpAddr>().is_err() {
            //= RFC 5928 §3: the services are `turn` over UDP and TCP, and `turns` over TCP.
            for transport in transports(server) {
                let service = match transport {
                    Transport::Udp => "_turn._udp",
                    Transport::Tcp => "_turn._tcp",
                    Transport::Tls => "_turns._tcp",
                };
                let name = format!("{service}.{}", server.host);
                first.push(lookups.ask_service(transport, name, ids));
            }
        }
        if server.port.is_some() || server.fallback.is_empty() {
            first.extend(lookups.ask_host(&server.host, ids));
        }
        (locator, first)
    }

    /// A look-up has its answer; returns what to look up next.
    pub(crate) fn resolved(
        &mut self,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
        ids: &mut Ids,
    ) -> Vec<Lookup> {
        self.lookups.resolved(id, records.as_deref().unwrap_or_default(), ids)
    }

    /// Whether a look-up is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.lookups.is_busy()
    }

    /// Whether this is one of the look-ups that are under way.
    pub(crate) fn awaits(&self, id: Id) -> bool {
        self.lookups.awaits(id)
    }

    /// Gives up waiting for look-ups; returns those that were under way.
    pub(crate) fn give_up(&mut self) -> Vec<Id> {
        self.lookups.give_up()
    }

    /// The server's name, as it was given.
    pub(crate) const fn server(&self) -> &TurnServer {
        &self.server
    }

    /// Where to try, in order: UDP before TCP before TLS.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let mut servers = Vec::new();
        for transport in transports(&self.server) {
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
        if !self.lookups.services().is_empty() {
            let services = self.lookups.services().iter();
            let ours = services.filter(|service| service.kind == transport).cloned().collect();
            // The same at every question: what is tried next depends on what was tried before.
            let mut chance = self.entropy.fork("order");
            return srv::in_order(ours, &mut chance)
                .into_iter()
                .flat_map(|service| {
                    let addresses = self.lookups.addresses(&service.target).into_iter();
                    addresses.map(move |ip| Endpoint::new(ip, service.port))
                })
                .collect();
        }
        let own = self.lookups.addresses(&self.server.host);
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

fn transports(server: &TurnServer) -> Vec<Transport> {
    server.transport.map_or_else(|| TURN_TRANSPORTS.to_vec(), |only| vec![only])
}

#[cfg(test)]
mod tests;
