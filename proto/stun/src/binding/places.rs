//! The two addresses and two ports of a server that lets clients find out what their NAT does
//! (RFC 5780 §6, RFC 3489 §8.1).

use std::net::IpAddr;

use machine::Endpoint;

/// One address of a server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// As the server's host has it.
    pub local: IpAddr,
    /// As clients see it: another where a NAT in front gives the server its public address.
    pub seen: IpAddr,
}

/// Two addresses of one family, and two ports, all four places of which answer Binding requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    addresses: [Address; 2],
    ports: [u16; 2],
    classic: bool,
}

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    places: &'a Places,
    address: usize,
    port: usize,
}

impl Places {
    /// The places at `addresses` and `ports`. With `classic` clients of RFC 3489 are told of them
    /// too. Nothing where there are not four different ones.
    #[must_use]
    pub fn new(addresses: [Address; 2], ports: [u16; 2], classic: bool) -> Option<Self> {
        let [one, two] = addresses;
        let different = one.local != two.local && one.seen != two.seen && ports[0] != ports[1];
        let alike =
            one.local.is_ipv4() == two.local.is_ipv4() && one.seen.is_ipv4() == two.seen.is_ipv4();
        (different && alike && !ports.contains(&0)).then_some(Self { addresses, ports, classic })
    }

    /// The four places as the server's host has them, the primary one first.
    #[must_use]
    pub fn locals(&self) -> [Endpoint; 4] {
        let [one, two] = self.addresses.map(|address| address.local);
        let [primary, alternate] = self.ports;
        [(one, primary), (one, alternate), (two, primary), (two, alternate)].map(Endpoint::from)
    }

    /// The primary place, as clients see it.
    #[must_use]
    pub fn primary(&self) -> Endpoint {
        Place { places: self, address: 0, port: 0 }.seen()
    }

    /// Whether clients of RFC 3489 are told of them.
    pub(super) const fn classic(&self) -> bool {
        self.classic
    }

    /// Which of the places `local` is.
    pub(super) fn at(&self, local: Endpoint) -> Option<Place<'_>> {
        let address = self.addresses.iter().position(|address| address.local == local.ip())?;
        let port = self.ports.iter().position(|&port| port == local.port())?;
        Some(Place { places: self, address, port })
    }
}

impl Place<'_> {
    pub(super) const fn classic(&self) -> bool {
        self.places.classic()
    }

    /// The place with the other address, the other port, or both.
    pub(super) const fn changed(self, address: bool, port: bool) -> Self {
        Self { address: self.address ^ address as usize, port: self.port ^ port as usize, ..self }
    }

    /// As the server's host has it.
    pub(super) fn local(&self) -> Endpoint {
        self.on(|address| address.local)
    }

    /// As clients see it.
    pub(super) fn seen(&self) -> Endpoint {
        self.on(|address| address.seen)
    }

    fn on(&self, ip: impl Fn(Address) -> IpAddr) -> Endpoint {
        let [one, two] = self.places.addresses;
        let [primary, alternate] = self.places.ports;
        let address = if self.address == 0 { one } else { two };
        Endpoint::new(ip(address), if self.port == 0 { primary } else { alternate })
    }
}
