//! Who is a gateway? Asked on every interface, and of the default routers themselves, since some
//! networks carry no multicast.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{
    AddressClass, BindKind, Endpoint, Id, Ids, Interface, InterfaceKind, Output, Outputs,
};

use super::event::{Event, Refusal};
use crate::upnp::defaults::{
    CANDIDATES, CANDIDATES_OF_ONE, INTERFACES, SEARCH_MX_SECS, SEARCH_TIMES,
};
use crate::upnp::http::{Url, UrlError};
use crate::upnp::igd::kind;
use crate::upnp::ssdp::{self, Found};

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    sockets: Vec<Socket>,
    /// How often it was sent.
    pub(super) sent: usize,
    /// The descriptions that were named, by who named them.
    named: BTreeMap<IpAddr, Vec<Url>>,
    /// Who was refused, with the device that it said it was. Told at the end, since routers name
    /// their other address over IPv6 and are found at that one as well.
    refused: BTreeMap<IpAddr, (Refusal, String)>,
    /// No more answers are waited for.
    pub(super) over: bool,
}

#[derive(Debug)]
struct Socket {
    id: Id,
    local: IpAddr,
    interface: u32,
    bound: bool,
}

/// A device that may be a gateway.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) location: Url,
    pub(super) local: IpAddr,
    pub(super) udn: String,
    pub(super) boot_id: Option<u32>,
}

impl Search {
    /// Binds the sockets.
    pub(super) fn begin(
        ids: &mut Ids,
        interfaces: &[Interface],
        out: &mut Outputs<Event, Infallible>,
    ) -> Self {
        let links = interfaces.iter().filter(|i| i.kind != InterfaceKind::Loopback);
        let mut sockets = Vec::new();
        for interface in links.take(INTERFACES) {
            for local in sources(interface) {
                let id = ids.next_id();
                out.push(Output::Bind {
                    id,
                    kind: BindKind::Udp,
                    local: Endpoint::new(local, 0),
                    interface: Some(interface.index),
                });
                sockets.push(Socket { id, local, interface: interface.index, bound: false });
            }
        }
        let (named, refused) = (BTreeMap::new(), BTreeMap::new());
        Self { sockets, sent: 0, named, refused, over: false }
    }

    /// Whether there is nothing to search with.
    pub(super) const fn is_deaf(&self) -> bool {
        self.sockets.is_empty()
    }

    pub(super) fn owns(&self, id: Id) -> bool {
        self.sockets.iter().any(|socket| socket.id == id)
    }

    /// A socket stands: the searches that went out without it are made up for.
    pub(super) fn bound(
        &mut self,
        id: Id,
        interfaces: &[Interface],
        out: &mut Outputs<Event, Infallible>,
    ) {
        let late = self.sent > 0;
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id == id) {
            socket.bound = true;
            if late {
                socket.send(interfaces, out);
            }
        }
    }

    /// A socket could not be bound.
    pub(super) fn failed(&mut self, id: Id) {
        self.sockets.retain(|socket| socket.id != id);
    }

    /// Sends the search; whether it is to be sent again.
    pub(super) fn send(
        &mut self,
        interfaces: &[Interface],
        out: &mut Outputs<Event, Infallible>,
    ) -> bool {
        for socket in self.sockets.iter().filter(|socket| socket.bound) {
            socket.send(interfaces, out);
        }
        self.sent += 1;
        self.sent < SEARCH_TIMES.len()
    }

    /// Reads an answer: a device to look at, if it is a new one that may be looked at.
    pub(super) fn answer(
        &mut self,
        interfaces: &[Interface],
        id: Id,
        from: IpAddr,
        bytes: &[u8],
    ) -> Option<Candidate> {
        let socket = self.sockets.iter().find(|socket| socket.id == id)?;
        let interface = interfaces.iter().find(|i| i.index == socket.interface)?;
        // Whatever else is said on a link is none of our business.
        let found = Found::read(bytes).ok()?;
        if !TARGETS.contains(&found.target.as_str()) {
            return None;
        }
        if !is_on_link(interface, from) {
            self.refuse(from, Refusal::OffLink, found.device());
            return None;
        }
        let location = match location(&found.location, from) {
            Ok(location) => location,
            Err(why) => {
                self.refuse(from, why, found.device());
                return None;
            }
        };
        let strangers = self.named.keys().filter(|ip| !interface.routers.contains(ip)).count();
        let is_router = interface.routers.contains(&from);
        if !self.named.contains_key(&from) && !is_router && strangers >= CANDIDATES {
            return None;
        }
        let named = self.named.entry(from).or_default();
        if named.contains(&location) {
            return None;
        }
        if named.len() >= CANDIDATES_OF_ONE {
            self.refuse(from, Refusal::TooMany, found.device());
            return None;
        }
        named.push(location.clone());
        let (udn, boot_id) = (found.device().to_owned(), found.boot_id);
        Some(Candidate { location, local: socket.local, udn, boot_id })
    }

    /// Notes a refusal, one for each address.
    pub(super) fn refuse(&mut self, from: IpAddr, why: Refusal, udn: &str) {
        if self.refused.len() < CANDIDATES {
            self.refused.entry(from).or_insert((why, udn.to_owned()));
        }
    }

    /// Closes the sockets.
    pub(super) fn close(&mut self, out: &mut Outputs<Event, Infallible>) {
        for socket in self.sockets.drain(..) {
            out.push(Output::Close { id: socket.id });
        }
    }

    /// Who was refused, except the other addresses of devices that were found.
    pub(super) fn refusals(
        self,
        is_found: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (IpAddr, Refusal)> {
        let refused = self.refused.into_iter();
        refused.filter_map(move |(from, (why, udn))| {
            let other_address = matches!(why, Refusal::Elsewhere(_)) && from.is_ipv6();
            (!other_address || !is_found(&udn)).then_some((from, why))
        })
    }
}

/// What is looked for: both versions, since not every device of the second answers for the first, and
/// the services, since some routers answer for those alone.
const TARGETS: [&str; 4] = [kind::GATEWAY_1, kind::GATEWAY_2, kind::WAN_IP_1, kind::WAN_PPP_1];

impl Socket {
    fn send(&self, interfaces: &[Interface], out: &mut Outputs<Event, Infallible>) {
        let group = Endpoint::new(ssdp::group(self.local), ssdp::PORT);
        for target in TARGETS {
            let mx_secs = Some(SEARCH_MX_SECS);
            let search = ssdp::Search { host: group, mx_secs, target: target.into() };
            out.datagram(self.id, group, &search.to_bytes());
        }
        let interface = interfaces.iter().find(|i| i.index == self.interface);
        let routers = interface.map(|i| i.routers.as_slice()).unwrap_or_default();
        for router in routers.iter().filter(|router| reaches(self.local, **router)) {
            //= UDA 1.1 §1.3.2: a search to one device has no MX
            let host = Endpoint::new(*router, ssdp::PORT);
            let search = ssdp::Search { host, mx_secs: None, target: kind::GATEWAY_1.into() };
            out.datagram(self.id, host, &search.to_bytes());
        }
    }
}

/// Whether one speaks to the other without a router between: same family, both link-local or neither.
fn reaches(local: IpAddr, router: IpAddr) -> bool {
    let link_local = |ip| AddressClass::of(ip) == AddressClass::LinkLocal;
    local.is_ipv4() == router.is_ipv4()
        && (local.is_ipv4() || link_local(local) == link_local(router))
}

/// The addresses to search from: one of IPv4, and of IPv6 one of each class, link-local only where
/// there is no other. Over IPv6 a router names its global or its unique local address, and only who
/// asks from such a one is answered from it.
fn sources(interface: &Interface) -> Vec<IpAddr> {
    let usable =
        interface.addresses.iter().filter(|address| !address.deprecated && !address.temporary);
    let all: Vec<IpAddr> = usable.map(|address| address.ip).collect();
    let v4 = all.iter().find(|ip| ip.is_ipv4()).copied();
    let v6 = |local: bool, unique: bool| {
        all.iter().copied().find(|ip| {
            let class = AddressClass::of(*ip);
            ip.is_ipv6()
                && (class == AddressClass::LinkLocal) == local
                && (class == AddressClass::Private) == unique
        })
    };
    let mut sources: Vec<IpAddr> = v4.into_iter().collect();
    let wide = [v6(false, false), v6(false, true)];
    match wide {
        [None, None] => sources.extend(v6(true, false)),
        wide => sources.extend(wide.into_iter().flatten()),
    }
    sources
}

/// Whether an address is reached through this interface without a router between, or is that router.
fn is_on_link(interface: &Interface, ip: IpAddr) -> bool {
    let link_local = ip.is_ipv6() && AddressClass::of(ip) == AddressClass::LinkLocal;
    link_local
        || interface.routers.contains(&ip)
        || interface.addresses.iter().any(|address| {
            address.prefix_len > 0 && same_prefix(address.ip, ip, address.prefix_len)
        })
}

fn same_prefix(one: IpAddr, other: IpAddr, prefix_len: u8) -> bool {
    let differ = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= u32::from(prefix_len)
}

/// The address of a description, which is the answerer's own or none.
pub(super) fn location(text: &str, own: IpAddr) -> Result<Url, Refusal> {
    check(Url::read(text.trim()), own)
}

/// An address that a device names, which is its own or none.
pub(super) fn check(url: Result<Url, UrlError>, own: IpAddr) -> Result<Url, Refusal> {
    match url {
        Ok(url) if url.endpoint.ip() == own => Ok(url),
        Ok(url) => Err(Refusal::Elsewhere(url.endpoint.to_string())),
        Err(UrlError::Name(name)) => Err(Refusal::Elsewhere(name)),
        Err(UrlError::NotHttp(text)) => Err(Refusal::NotHttp(text)),
    }
}

#[cfg(test)]
mod tests {
    use machine::{Interface, InterfaceAddress, InterfaceKind};
    use std::net::IpAddr;

    use super::{is_on_link, sources};

    fn interface(addresses: &[(&str, u8)], routers: &[&str]) -> Interface {
        let address = |&(ip, prefix_len): &(&str, u8)| InterfaceAddress {
            ip: ip.parse().unwrap(),
            prefix_len,
            temporary: false,
            deprecated: false,
        };
        Interface {
            index: 1,
            name: "eth0".into(),
            kind: InterfaceKind::Physical,
            addresses: addresses.iter().map(address).collect(),
            routers: routers.iter().map(|ip| ip.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn who_is_on_the_link() {
        let link = interface(&[("192.168.1.9", 24), ("fd00::9", 64)], &["10.0.0.1"]);
        for (ip, on) in [
            ("192.168.1.1", true),
            ("192.168.2.1", false),
            ("10.0.0.1", true),
            ("10.0.0.2", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("fd00:0:0:1::1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_on_link(&link, ip.parse().unwrap()), on, "{ip}");
        }
        // A prefix of nothing is no link.
        assert!(!is_on_link(&interface(&[("192.0.2.1", 0)], &[]), "198.51.100.1".parse().unwrap()));
    }

    #[test]
    fn one_source_of_each_kind() {
        let of = |addresses: &[(&str, u8)]| sources(&interface(addresses, &[]));
        let ips =
            |list: &[&str]| -> Vec<IpAddr> { list.iter().map(|ip| ip.parse().unwrap()).collect() };
        assert_eq!(
            of(&[("192.0.2.1", 24), ("192.0.2.2", 24), ("fe80::1", 64)]),
            ips(&["192.0.2.1", "fe80::1"])
        );
        assert_eq!(
            of(&[("fe80::1", 64), ("fd00::1", 64), ("2001:db8::1", 64), ("2001:db8::2", 64)]),
            ips(&["2001:db8::1", "fd00::1"]),
        );
        assert!(of(&[]).is_empty());
    }
}
