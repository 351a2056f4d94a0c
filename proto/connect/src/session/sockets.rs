//! Binding, and what comes of it.

use machine::{BindKind, Endpoint, FailKind, Id, Interface, Output};

use super::{Base, Context, Session, Socket, SocketState, add_local};
use crate::{IceMode, addresses};

impl Session {
    /// The host's addresses are known: binds a socket for every component at each.
    pub(crate) fn start(&mut self, context: &mut Context<'_>, interfaces: &[Interface]) {
        self.started = true;
        if self.uses_relays() {
            self.relays.start(context, &self.spec.turn_servers, self.gather_limit);
        }
        let addresses = addresses::choose(interfaces, self.spec.include_loopback);
        for (stream, &components) in self.components.iter().enumerate() {
            for component in 1..=components {
                for address in &addresses {
                    let id = context.ids.next_id();
                    context.outputs.push(Output::Bind {
                        id,
                        kind: BindKind::Udp,
                        local: Endpoint::new(address.ip, 0),
                        interface: address.scope,
                    });
                    context.routes.insert(id, context.id);
                    let (address, state) = (address.clone(), SocketState::Binding);
                    self.sockets.insert(id, Socket { stream, component, address, state });
                }
            }
        }
    }

    /// A socket is there: its address is a host candidate, and servers can be asked.
    pub(crate) fn bound(&mut self, context: &mut Context<'_>, id: Id, local: Endpoint) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if socket.state != SocketState::Binding {
            return;
        }
        socket.state = SocketState::Bound(local);
        self.bases.insert(local, Base::Socket(id));
        let direct = self.spec.ice != IceMode::RelayOnly;
        if direct {
            self.gatherer.add(id, local, &self.spec.stun_servers);
            self.open_gate(context, id, local);
        }
        let Some(socket) = self.sockets.get(&id) else { return };
        if let Some(agent) = self.agent.as_mut().filter(|_| direct) {
            let address = &socket.address;
            let found = ice::LocalCandidate::host(
                socket.component,
                local,
                address.preference,
                &address.interface,
            );
            add_local(context, agent, socket.stream, found);
        }
        self.find_plain_ways(context);
    }

    /// A socket could not be bound, or is gone; the others have to do.
    pub(crate) fn bind_failed(&mut self, context: &mut Context<'_>, id: Id, kind: FailKind) {
        context.routes.remove(&id);
        self.gatherer.remove(id);
        self.bases.retain(|_, base| *base != Base::Socket(id));
        self.relays.socket_failed(context, id, &kind);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.state = SocketState::Failed(kind);
        }
        self.find_plain_ways(context);
    }

    /// Closes the sockets that `gone` names, as soon as no relay needs them.
    pub(super) fn close_sockets(&mut self, gone: impl Fn(usize, u16) -> bool) {
        let closing: Vec<Id> = self
            .sockets
            .iter()
            .filter(|(_, socket)| gone(socket.stream, socket.component))
            .map(|(id, _)| *id)
            .collect();
        for id in closing {
            self.gatherer.remove(id);
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            if let SocketState::Bound(base) = socket.state {
                self.bases.remove(&base);
            }
            if matches!(socket.state, SocketState::Failed(_)) {
                self.sockets.remove(&id);
            } else {
                socket.state = SocketState::Closing;
            }
        }
    }

    /// Closes the sockets that nothing needs any longer, not even a relay that is being given back.
    pub(super) fn close_unused(&mut self, context: &mut Context<'_>) {
        let relays = &self.relays;
        let unused = |(id, socket): (&Id, &Socket)| {
            let unused = socket.state == SocketState::Closing && !relays.borrow(*id);
            unused.then_some(*id)
        };
        let unused: Vec<Id> = self.sockets.iter().filter_map(unused).collect();
        for id in unused {
            self.sockets.remove(&id);
            if context.routes.remove(&id).is_some() {
                context.outputs.push(Output::Close { id });
            }
        }
    }

    /// Ends the session. Its relays are told, and only what that needs stays for a moment.
    pub(crate) fn close(&mut self, context: &mut Context<'_>) {
        self.closing = true;
        self.close_sockets(|_, _| true);
        self.relays.close(context);
        context.outputs.event(crate::Event::Closed { session: context.id });
    }

    /// Whether some socket is still being bound.
    pub(super) fn is_binding(&self) -> bool {
        self.sockets.values().any(|socket| socket.state == SocketState::Binding)
    }

    /// The address that a socket is bound to.
    pub(super) fn base_of(&self, socket: Id) -> Option<Endpoint> {
        match self.sockets.get(&socket)?.state {
            SocketState::Bound(base) => Some(base),
            SocketState::Binding | SocketState::Failed(_) | SocketState::Closing => None,
        }
    }
}
