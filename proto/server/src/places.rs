//! Two addresses and two ports, so that clients can look into their NATs (RFC 5780 §6).

use std::net::IpAddr;

use machine::{AddressClass, Endpoint, Transport};
use stun::binding::{Address as PlaceAddress, Places};

use crate::config::{Listener, Service};
use crate::server::Server;

impl Server {
    /// Binds the second port where there are two addresses; says whether it is on its way.
    pub(crate) fn begin_alternates(&mut self) -> bool {
        if std::mem::replace(&mut self.alternates_begun, true) {
            return false;
        }
        let seconds = self.possible().into_iter().flat_map(|places| {
            let [_, one, _, two] = places.locals();
            [one, two]
        });
        let mut seconds: Vec<Endpoint> = seconds.collect();
        seconds.retain(|local| !self.is_bound(local));
        for local in seconds {
            let (service, transport) = (Service::Stun, Transport::Udp);
            self.bind(Listener { service, transport, local });
        }
        !self.pending.is_empty()
    }

    /// The places that are bound, all four of each.
    pub(crate) fn places(&self) -> Vec<Places> {
        let mut places = self.possible();
        places.retain(|places| places.locals().iter().all(|local| self.is_bound(local)));
        places
    }

    fn is_bound(&self, local: &Endpoint) -> bool {
        let answers = |service| matches!(service, Service::Turn | Service::Stun);
        let mut udp = self.bound.iter().filter(|address| address.transport == Transport::Udp);
        udp.any(|address| answers(address.service) && address.local == *local)
    }

    /// Of each family the first two addresses of one kind on which TURN is at one port.
    fn possible(&self) -> Vec<Places> {
        let Some(alternate) = self.config.alternate_port else { return Vec::new() };
        let turn = |address: &&crate::Address| {
            (address.service, address.transport) == (Service::Turn, Transport::Udp)
        };
        let primaries: Vec<Endpoint> =
            self.bound.iter().filter(turn).map(|address| address.local).collect();
        let mut possible: Vec<Places> = Vec::new();
        for (n, one) in primaries.iter().enumerate() {
            let family = |places: &Places| places.primary().is_ipv4() == one.is_ipv4();
            let rest = primaries.iter().skip(n + 1);
            let pairs = rest.filter(|two| two.port() == one.port());
            let mut pairs = pairs.filter_map(|two| self.pair(one, two, alternate));
            if let Some(places) = pairs.next().filter(|_| !possible.iter().any(family)) {
                possible.push(places);
            }
        }
        possible
    }

    /// The places at two addresses and this second port, if they are of one kind.
    fn pair(&self, one: &Endpoint, two: &Endpoint, alternate: u16) -> Option<Places> {
        let seen = |ip: IpAddr| self.config.external.get(&ip).copied().unwrap_or(ip);
        let address = |local: IpAddr| PlaceAddress { local, seen: seen(local) };
        let addresses = [address(one.ip()), address(two.ip())];
        let [kind, other] = addresses.map(|address| AddressClass::of(address.seen));
        let alike = kind == other && kind != AddressClass::Unspecified;
        let ports = [one.port(), alternate];
        Places::new(addresses, ports, self.config.classic).filter(|_| alike)
    }
}
