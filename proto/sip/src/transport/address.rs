//! Which of our addresses: to send from, and to be reached at.

use std::net::IpAddr;

use machine::{AddressClass, Endpoint, InterfaceKind, Transport};

use super::{Flow, Transports};

impl Transports {
    pub(super) fn udp_flow(&self, remote: Endpoint) -> Option<Flow> {
        let usable = |local: &Endpoint| {
            local.is_ipv4() == remote.is_ipv4()
                && (local.ip().is_unspecified()
                    || local.ip().is_loopback() == remote.ip().is_loopback())
        };
        let (&id, local) = self
            .listeners
            .iter()
            .filter(|(_, listener)| listener.transport == Transport::Udp)
            .find_map(|(id, listener)| Some((id, listener.local.filter(usable)?)))?;
        let local = self.concrete(local, remote);
        Some(Flow { transport: Transport::Udp, id, local, remote })
    }

    /// An address of ours of this family, UDP first.
    pub(crate) fn local_address(&self, ipv4: bool) -> Option<Endpoint> {
        let any = if ipv4 { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        let bound = self.listeners.values().filter_map(|l| Some((l.transport, l.local?)));
        let local = bound.filter(|(_, local)| local.is_ipv4() == ipv4).min_by_key(|(t, _)| *t)?.1;
        let local = self.concrete(local, any);
        let ip = self.external.get(&local.ip()).copied().unwrap_or(local.ip());
        Some(Endpoint::new(ip, local.port()))
    }

    /// An address to stand for `local`, which may be unspecified, towards `remote`.
    fn concrete(&self, local: Endpoint, remote: Endpoint) -> Endpoint {
        if !local.ip().is_unspecified() {
            return local;
        }
        let wanted = if remote.ip().is_loopback() {
            |kind: InterfaceKind| kind == InterfaceKind::Loopback
        } else {
            |kind: InterfaceKind| kind != InterfaceKind::Loopback
        };
        self.interfaces
            .iter()
            .filter(|interface| wanted(interface.kind))
            .flat_map(|interface| &interface.addresses)
            .find(|a| a.ip.is_ipv4() == remote.is_ipv4() && !a.deprecated && !is_link_local(a.ip))
            .map_or(local, |address| Endpoint::new(address.ip, local.port()))
    }

    /// Where the far side of `flow` reaches us, for Via and Record-Route: an external address if
    /// one is configured, and the listening port rather than that of a connection.
    pub(crate) fn advertised(&self, flow: &Flow) -> Endpoint {
        let port = if flow.is_reliable() {
            let listener = self.listeners.values().find_map(|listener| {
                let local = listener.local.filter(|local| {
                    listener.transport == flow.transport && local.is_ipv4() == flow.local.is_ipv4()
                })?;
                (local.ip() == flow.local.ip() || local.ip().is_unspecified()).then_some(local)
            });
            listener.map_or(flow.local.port(), |local| local.port())
        } else {
            flow.local.port()
        };
        let ip = flow.local.ip();
        Endpoint::new(self.external.get(&ip).copied().unwrap_or(ip), port)
    }

    /// Whether `host:port` is one of ours, as Route headers and Request-URIs name us.
    pub(crate) fn is_local(&self, ip: IpAddr, port: u16) -> bool {
        self.listeners.values().filter_map(|listener| listener.local).any(|local| {
            let external = self.external.get(&local.ip()).copied();
            let own = local.ip() == ip
                || external == Some(ip)
                || (local.ip().is_unspecified() && self.is_interface(ip));
            own && local.port() == port
        })
    }

    fn is_interface(&self, ip: IpAddr) -> bool {
        let listed = self.interfaces.iter().flat_map(|i| &i.addresses).any(|a| a.ip == ip);
        listed || ip.is_loopback() || self.external.values().any(|&external| external == ip)
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    AddressClass::of(ip) == AddressClass::LinkLocal
}
