//! Finding out who is there, by all protocols at once.

use machine::{BindKind, Endpoint, Id, Input, Interface, Machine as _, Now, Output};

use super::lease::State;
use super::path::{Path, Standing};
use super::paths::routes;
use super::timing::{Sendings, Timing};
use super::{Client, Error, Event, Timer};
use crate::defaults::{READING, SEARCH, SETTLE};
use crate::{Gateway, Protocol, Trouble, natpmp, pcp};

/// Where the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    Never,
    Running,
    Over,
}

impl Client {
    /// Begins a search, or begins it again.
    pub(super) fn search(&mut self, now: Now) {
        self.search = Search::Running;
        self.refusals = 0;
        self.seen.clear();
        self.upnp_searched = self.upnp.is_none();
        self.prolonged = false;
        self.timers.set(Timer::Search, now.mono + SEARCH);
        self.timers.set(Timer::Settle, now.mono + SETTLE);
        self.place_paths(now);
        self.listen();
        let sockets: Vec<Id> = self.paths.keys().copied().collect();
        for socket in sockets {
            if let Some(path) = self.paths.get_mut(&socket) {
                path.forget(&self.config.protocols);
            }
            self.ask_servers(now, socket);
        }
        if let Some(upnp) = &mut self.upnp {
            upnp.search(now);
        }
    }

    /// Takes the list of interfaces; a change begins a search where there was one before.
    pub(super) fn interfaces_changed(&mut self, now: Now, interfaces: Vec<Interface>) {
        if let Some(upnp) = &mut self.upnp {
            upnp.handle_input(now, Input::Interfaces(interfaces.clone()));
        }
        if self.interfaces == interfaces {
            return;
        }
        self.interfaces = interfaces;
        if self.search != Search::Never {
            self.search(now);
        }
    }

    /// Whether `ip` is one of our addresses, as far as we were told.
    pub(super) fn is_ours(&self, ip: std::net::IpAddr) -> bool {
        let mut addresses = self.interfaces.iter().flat_map(|interface| &interface.addresses);
        addresses.any(|address| address.ip.to_canonical() == ip)
    }

    /// Binds a socket for every route that has none and closes those that have no route any more.
    fn place_paths(&mut self, now: Now) {
        let spoken = self.speaks(Protocol::Pcp) || self.speaks(Protocol::NatPmp);
        let wanted =
            if spoken { routes(&self.interfaces, &self.config.gateways) } else { Vec::new() };
        let gone = self.paths.values().filter(|path| !wanted.contains(&path.route));
        let gone: Vec<Id> = gone.map(|path| path.socket).collect();
        for socket in gone {
            self.drop_path(now, socket);
            self.out.push(Output::Close { id: socket });
        }
        for route in wanted {
            if self.paths.values().any(|path| path.route == route) {
                continue;
            }
            let socket = self.ids.next_id();
            let local = Endpoint::new(route.local, 0);
            // A router's link-local address means nothing without the interface (RFC 4007 §6).
            let interface = route.router.is_ipv6().then_some(route.interface);
            self.out.push(Output::Bind { id: socket, kind: BindKind::Udp, local, interface });
            self.paths.insert(socket, Path::new(route, socket));
        }
    }

    /// Forgets a path: its mappings wait for another.
    pub(super) fn drop_path(&mut self, now: Now, socket: Id) {
        self.paths.remove(&socket);
        for protocol in [Protocol::Pcp, Protocol::NatPmp] {
            self.timers.cancel(&Timer::Server(socket, protocol));
            self.timers.cancel(&Timer::Recreate(socket, protocol));
        }
        let on_path = |lease: &super::lease::Lease| lease.way().and_then(|way| way.socket());
        let leases = self.leases.iter().filter(|(_, lease)| on_path(lease) == Some(socket));
        let leases: Vec<_> = leases.map(|(id, _)| *id).collect();
        for id in leases {
            self.displaced(now, id, Error::NoGateway);
        }
    }

    /// Binds the port on which gateways speak to all hosts.
    fn listen(&mut self) {
        let families = [Endpoint::UNSPECIFIED_V4, Endpoint::UNSPECIFIED_V6];
        for local in families {
            let wanted = |path: &Path| path.route.router.is_ipv4() == local.is_ipv4();
            let bound = self.listeners.values().any(|other| other.is_ipv4() == local.is_ipv4());
            if self.config.announcements && !bound && self.paths.values().any(wanted) {
                let (id, local) = (self.ids.next_id(), local.with_port(pcp::CLIENT_PORT));
                let kind = BindKind::Udp;
                self.out.push(Output::Bind { id, kind, local, interface: None });
                self.listeners.insert(id, local);
            }
        }
    }

    /// Asks who is at the other end of a path.
    pub(super) fn ask_servers(&mut self, now: Now, socket: Id) {
        for (protocol, timing) in [(Protocol::Pcp, Timing::Pcp), (Protocol::NatPmp, Timing::NatPmp)]
        {
            let Some(path) = self.paths.get_mut(&socket).filter(|path| path.bound) else { return };
            let Some(server) = path.server(protocol) else { return };
            if server.standing == Standing::Unknown {
                server.asking = Some(Sendings::new(timing, now.mono));
                self.ask_server(now, socket, protocol);
            }
        }
    }

    /// Asks a server whether it is there, once more; by NAT-PMP for the address outside.
    pub(super) fn ask_server(&mut self, now: Now, socket: Id, protocol: Protocol) {
        let Some(path) = self.paths.get_mut(&socket) else { return };
        let (remote, client) = (path.remote(), path.route.local);
        let Some(server) = path.server(protocol) else { return };
        let Some(sendings) = &mut server.asking else { return };
        let Some(next) = sendings.send(now.mono, &mut self.times) else {
            server.asking = None;
            if server.standing == Standing::Unknown {
                server.standing = Standing::Absent;
            }
            return;
        };
        self.timers.set(Timer::Server(socket, protocol), next);
        let mut bytes = Vec::new();
        match protocol {
            //= RFC 6887 §14.1: an ANNOUNCE has no payload and a lifetime of zero.
            Protocol::Pcp => pcp::Request {
                lifetime_secs: 0,
                client,
                operation: pcp::Operation::Announce,
                options: pcp::Options::default(),
            }
            .write(&mut bytes),
            Protocol::NatPmp => natpmp::Request::ExternalAddress.write(&mut bytes),
            Protocol::Upnp => return,
        }
        self.out.datagram(socket, remote, &bytes);
    }

    /// A server has answered.
    pub(super) fn heard(&mut self, now: Now, socket: Id, protocol: Protocol) {
        let Some(path) = self.paths.get_mut(&socket) else { return };
        if let Some(server) = path.server(protocol) {
            server.standing = Standing::Here;
            server.asking = None;
        }
        self.timers.cancel(&Timer::Server(socket, protocol));
        self.show_path(socket, protocol);
        self.choose_for_all(now);
    }

    /// A server says that it is not what it was asked as.
    pub(super) fn absent(&mut self, socket: Id, protocol: Protocol) {
        let Some(path) = self.paths.get_mut(&socket) else { return };
        if let Some(server) = path.server(protocol) {
            server.standing = Standing::Absent;
            server.asking = None;
        }
        self.timers.cancel(&Timer::Server(socket, protocol));
    }

    /// Shows what is known of the server of a path.
    pub(super) fn show_path(&mut self, socket: Id, protocol: Protocol) {
        let Some(path) = self.paths.get(&socket) else { return };
        let told = path.external.and_then(Result::ok).map(Into::into);
        let (external, epoch) = match protocol {
            Protocol::Pcp => {
                let known = self.gateways.get(&(protocol, path.route.router));
                let known = known.filter(|gateway| gateway.local == path.route.local);
                (told.or(known.and_then(|gateway| gateway.external)), path.pcp_epoch.secs())
            }
            _ => (told, path.natpmp_epoch.secs()),
        };
        let failed = Some(Err(natpmp::ResultCode::NETWORK_FAILURE));
        let trouble = match external {
            Some(external) => Trouble::of(external),
            None => (path.external == failed).then_some(Trouble::NotConnected),
        };
        let gateway = Gateway {
            address: path.route.router,
            local: path.route.local,
            protocol,
            external,
            epoch: epoch.map(|secs| std::time::Duration::from_secs(secs.into())),
            details: None,
            trouble,
        };
        self.show(gateway);
    }

    /// Keeps what is known of a gateway, and tells what is new.
    pub(super) fn show(&mut self, gateway: Gateway) {
        let key = (gateway.protocol, gateway.address);
        let timeless = |gateway: &Gateway| Gateway { epoch: None, ..gateway.clone() };
        let known = self.gateways.get(&key);
        let new = self.seen.insert(key)
            || known.is_none_or(|known| timeless(known) != timeless(&gateway));
        self.gateways.insert(key, gateway.clone());
        if new {
            self.out.event(Event::Gateway(Box::new(gateway)));
        }
    }

    /// The search has waited long enough, unless a gateway is in the midst of its answers.
    pub(super) fn search_due(&mut self, now: Now) {
        if self.is_reading() && !std::mem::replace(&mut self.prolonged, true) {
            self.timers.set(Timer::Search, now.mono + READING);
        } else {
            self.finish_search(now, true);
        }
    }

    /// Whether something is still telling by UPnP what it is.
    pub(super) fn is_reading(&self) -> bool {
        self.upnp.as_ref().is_some_and(crate::upnp::Client::is_reading)
    }

    /// Ends the search if all have answered that could, or if `overdue`.
    pub(super) fn finish_search(&mut self, now: Now, overdue: bool) -> bool {
        let unknown =
            |path: &Path| [path.pcp.standing, path.natpmp.standing].contains(&Standing::Unknown);
        let told = !self.interfaces.is_empty();
        let answered = told && self.upnp_searched && !self.paths.values().any(unknown);
        if self.search != Search::Running || !(answered || overdue) {
            return false;
        }
        self.search = Search::Over;
        self.timers.cancel(&Timer::Search);
        self.timers.cancel(&Timer::Settle);
        let seen = &self.seen;
        self.gateways.retain(|key, _| seen.contains(key));
        self.out.event(Event::Searched);
        self.choose_for_all(now);
        self.grant_wishes(now);
        true
    }

    /// Finds somebody to ask for every mapping that waits.
    pub(super) fn choose_for_all(&mut self, now: Now) {
        let waiting = self.leases.iter().filter(|(_, lease)| matches!(lease.state, State::Waiting));
        let waiting: Vec<_> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            self.choose(now, id);
        }
    }
}
