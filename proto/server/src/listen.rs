//! Listeners: bound at the start, explained when they cannot be; and STUN's Binding answers on
//! SIP's ports (RFC 5626 §3.5.2), which need no more than the datagram.

use machine::{Endpoint, FailKind, Id, Output, Transport};

use crate::config::{Listener, Service};
use crate::event::{Address, Event};
use crate::messaging;
use crate::server::Server;

impl Server {
    /// Binds every listener.
    pub(crate) fn listen(&mut self) {
        let listeners = self.config.listeners.clone();
        for listener in &listeners {
            let waits = listener.transport == Transport::Tcp
                && listener.local.port() == 0
                && listeners.iter().any(|other| is_sibling(other, listener));
            if waits {
                self.siblings.push(*listener);
            } else {
                self.bind(*listener);
            }
        }
        self.settle();
    }

    /// Binds a listener; its name.
    pub(crate) fn bind(&mut self, listener: Listener) -> Id {
        let id = match listener.service {
            Service::Sip => self.stack.listen(listener.transport, listener.local),
            Service::Turn | Service::Stun => {
                let Listener { transport, local, .. } = listener;
                self.turn.listen(turn::server::Listener { transport, local })
            }
            Service::Xmpp => self.xmpp.listen(messaging::listener(listener)),
        };
        self.pending.insert(id, listener);
        id
    }

    pub(crate) fn listening(&mut self, id: Id, local: Endpoint) {
        let Some(listener) = self.pending.remove(&id) else { return };
        if local.ip().is_unspecified() {
            self.wildcards.insert(id);
        }
        let Listener { service, transport, .. } = listener;
        self.bound.push(Address { service, transport, local });
        self.pairs.remove(&id);
        for tcp in self.bind_siblings(&listener, local.port()) {
            self.pairs.insert(tcp, id);
        }
        self.settle();
    }

    pub(crate) fn listen_failed(&mut self, id: Id, kind: &FailKind) {
        let Some(listener) = self.pending.remove(&id) else { return };
        let Listener { service, transport, local } = listener;
        let address = Address { service, transport, local };
        let (cause, remedy) = explain(kind, &address);
        self.outputs.event(Event::ListenFailed { address, cause, remedy });
        self.bind_siblings(&listener, 0);
        self.settle();
    }

    /// Whether a listener over TCP failed because its sibling's port is taken over TCP, and another
    /// port may be looked for: the sibling, and what was asked for.
    pub(crate) fn collision(&mut self, id: Id, kind: &FailKind) -> Option<(Id, Listener)> {
        let udp = self.pairs.remove(&id)?;
        if *kind != FailKind::AddressInUse || self.port_tries == 0 {
            return None;
        }
        self.port_tries -= 1;
        Some((udp, self.pending.remove(&id)?))
    }

    /// Binds SIP anew over UDP and TCP, in place of `udp`, which is closed.
    pub(crate) fn bind_pair_again(&mut self, udp: Id, tcp: Listener) {
        self.wildcards.remove(&udp);
        let closed = Address { service: tcp.service, transport: Transport::Udp, local: tcp.local };
        self.bound.retain(|address| *address != closed);
        let local = tcp.local.with_port(0);
        self.siblings.push(Listener { local, ..tcp });
        self.bind(Listener { local, transport: Transport::Udp, ..tcp });
    }

    /// Binds what waited for the port of `listener`; the names.
    fn bind_siblings(&mut self, listener: &Listener, port: u16) -> Vec<Id> {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            self.siblings.drain(..).partition(|sibling| is_sibling(listener, sibling));
        self.siblings = waiting;
        let at = |sibling: Listener| Listener { local: sibling.local.with_port(port), ..sibling };
        ready.into_iter().map(|sibling| self.bind(at(sibling))).collect()
    }

    fn settle(&mut self) {
        if self.ready || !self.pending.is_empty() || !self.siblings.is_empty() {
            return;
        }
        self.bound.sort();
        // What stands behind the second port is known once the first is bound.
        if self.begin_alternates() {
            return;
        }
        self.ready = true;
        let places = self.places();
        if !places.is_empty() {
            self.turn.reveal(places.clone());
        }
        self.outputs.event(Event::Ready { addresses: self.bound.clone(), places });
    }

    /// Answers a Binding request.
    pub(crate) fn binding_request(
        &mut self,
        socket: Id,
        (local, remote): (Endpoint, Endpoint),
        bytes: &[u8],
    ) {
        let source = self.wildcards.contains(&socket).then_some(local.ip());
        let mut answer = Vec::new();
        if stun::binding::answer(bytes, remote, &mut answer) {
            self.stats.stun_answered += 1;
            let output = Output::Datagram {
                socket,
                source,
                remote,
                segment_size: None,
                dont_fragment: false,
            };
            self.outputs.push_with(output, &answer);
        } else {
            self.stats.stun_ignored += 1;
        }
    }
}

/// Whether `udp` is the listener whose port `tcp` shares.
fn is_sibling(udp: &Listener, tcp: &Listener) -> bool {
    udp.service == tcp.service
        && udp.transport == Transport::Udp
        && udp.local.ip() == tcp.local.ip()
}

/// Why a listener failed and what to do, in words for the operator.
fn explain(kind: &FailKind, address: &Address) -> (String, String) {
    let Address { transport, local, .. } = address;
    let (ip, port) = (local.ip(), local.port());
    let name = match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    };
    match kind {
        FailKind::AddressInUse => (
            format!("{name} port {port} of {ip} is taken by another program"),
            format!(
                "stop what listens there (`ss -lpn 'sport = :{port}'` shows it), listen on another \
                 port, or let free ports be chosen"
            ),
        ),
        FailKind::AddressNotAvailable => (
            format!("{ip} is not an address of this machine"),
            format!(
                "listen on one of its own addresses (`ip addr` lists them); if {ip} is that of a \
                 NAT in front, set it as the external address of the address behind"
            ),
        ),
        FailKind::PermissionDenied => (
            format!("{name} port {port} may not be opened by this user"),
            "listen on a port from 1024 on, or give the program the right to bind low ports"
                .to_owned(),
        ),
        FailKind::OutOfResources => (
            format!("the system has no descriptors or memory left for {name} {local}"),
            "raise the limit of open files, or stop what uses them up".to_owned(),
        ),
        other => (
            format!("{name} {local} cannot be opened: {other:?}"),
            "check the address and try again".to_owned(),
        ),
    }
}
