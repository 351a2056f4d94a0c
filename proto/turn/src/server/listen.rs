//! Listeners: where clients come in.

use machine::{BindKind, Endpoint, FailKind, Id, Output, Transport};
use relay::Change;
use stun::binding::Places;

use super::{Event, Listener, Server};

/// A listener, bound or about to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) transport: Transport,
    pub(super) local: Endpoint,
}

impl Bound {
    /// Whether it takes datagrams at `local`.
    pub(super) fn serves(&self, local: Endpoint) -> bool {
        self.transport == Transport::Udp && self.local == local
    }
}

impl Server {
    /// Answers Binding requests at `places` as RFC 5780 has it from now on; each is a listener's.
    pub fn reveal(&mut self, places: Vec<Places>) {
        self.change(Change::Places(places.into()));
    }

    pub(super) fn bind_listener(&mut self, listener: Listener) -> Id {
        let Listener { transport, local } = listener;
        let id = self.ids.next_id();
        let kind = match transport {
            Transport::Udp => BindKind::SharedUdp,
            Transport::Tcp | Transport::Tls => BindKind::TcpListener,
        };
        self.listeners.insert(id, Bound { transport, local });
        self.outputs.push(Output::Bind { id, kind, local, interface: None });
        id
    }

    /// Takes note that `id` is bound, if it is a listener.
    pub(super) fn listening(&mut self, id: Id, local: Endpoint) -> bool {
        let Some(bound) = self.listeners.get_mut(&id) else { return false };
        bound.local = local;
        let transport = bound.transport;
        if local.ip().is_unspecified() {
            self.wildcards.insert(id);
        } else {
            self.peers.add_own(local.ip());
        }
        self.outputs.event(Event::Listening { id, transport, local });
        true
    }

    /// Takes note that `id` could not be bound, if it is a listener.
    pub(super) fn listen_failed(&mut self, id: Id, kind: &FailKind) -> bool {
        let Some(Bound { transport, local }) = self.listeners.remove(&id) else { return false };
        let kind = kind.clone();
        self.outputs.event(Event::ListenFailed { id, transport, local, kind });
        true
    }
}
