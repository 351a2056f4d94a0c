//! One allocation (RFC 8656 §5): who has it, its relayed addresses, what its flow lets through.

use std::sync::Arc;

use machine::{Endpoint, Id, Instant};
use relay::{Flow, FlowId, Limit, Relayed};
use stun::TransactionId;

use super::mobility::Mobility;
use super::origin::Origin;
use super::proof::{Identity, Pending};
use super::tcp::PeerConns;
use crate::Family;

/// A port that is held, with its socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The socket, or the listener.
    pub(super) socket: Id,
    /// What it is bound to.
    pub(super) local: Endpoint,
    /// What peers see.
    pub(super) external: Endpoint,
    /// Whether it is bound by now.
    pub(super) bound: bool,
    /// When it ends.
    pub(super) until: Instant,
}

impl Held {
    pub(super) const fn family(&self) -> Family {
        Family::of(self.external.ip())
    }

    pub(super) const fn relayed(&self) -> Relayed {
        Relayed { socket: self.socket, local: self.local, external: self.external }
    }
}

/// An Allocate that waits for its sockets.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) request: Pending,
    pub(super) wish: super::allocate::Wish,
    /// The next higher port, to be reserved.
    pub(super) reserve: Option<Held>,
    /// How many ports turned out to be taken by others.
    pub(super) tries: u32,
}

/// An allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) id: FlowId,
    pub(super) origin: Origin,
    pub(super) identity: Arc<Identity>,
    /// That of the Allocate, which may come again.
    pub(super) transaction: TransactionId,
    /// Its relayed addresses, one or one a family.
    pub(super) held: [Option<Held>; 2],
    /// What its tables know; nothing before its sockets are bound. The flow of a TCP allocation is
    /// in no table.
    pub(super) flow: Option<Arc<Flow>>,
    pub(super) limit: Option<Arc<Limit>>,
    pub(super) binding: Option<Box<Binding>>,
    /// The family that could not be had besides the other, and the code that says why.
    pub(super) missing: Option<(Family, u16)>,
    /// The token of the port that was reserved with it, which a repeated answer tells again.
    pub(super) token: Option<[u8; 8]>,
    /// The peers' connections of a TCP allocation.
    pub(super) tcp: Option<Box<PeerConns>>,
    pub(super) mobility: Option<Box<Mobility>>,
    /// Its client's connection is gone; it waits for the client to come back elsewhere.
    pub(super) adrift: bool,
}

impl Allocation {
    /// Its relayed addresses.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().flatten()
    }

    /// That of a family.
    pub(super) fn held_of(&self, family: Family) -> Option<&Held> {
        self.held().find(|held| held.family() == family)
    }

    /// The connections to and from its peers of a family.
    pub(super) fn peer_conns(&self, family: Family) -> Vec<Id> {
        self.tcp.as_ref().map(|peers| peers.of(family)).unwrap_or_default()
    }

    /// Whether it relays TCP.
    pub(super) const fn is_tcp(&self) -> bool {
        self.tcp.is_some()
    }

    /// When the first of its relayed addresses ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.held().map(|held| held.until).min()
    }

    /// When the last of them ends.
    pub(super) fn end(&self) -> Option<Instant> {
        self.held().map(|held| held.until).max()
    }

    /// The relayed address that stands for it in events.
    pub(super) fn name(&self) -> Endpoint {
        self.held().next().map_or(Endpoint::UNSPECIFIED_V4, |held| held.external)
    }

    /// A flow for its relayed addresses as they are now, with what the one before let through.
    pub(super) fn make_flow(&self) -> Option<Flow> {
        let mut held = self.held();
        let (first, second) = (held.next()?, held.next());
        let mut flow = Flow::new(self.origin.client, first.relayed(), self.end()?);
        if let Some(second) = second {
            flow.add_relayed(second.relayed());
        }
        flow.set_limit(self.limit.clone());
        flow.set_next_client(self.mobility.as_ref().and_then(|m| m.next).map(|next| next.client));
        if let Some(before) = &self.flow {
            before.permissions().iter().for_each(|permission| flow.permit(*permission));
            before.channels().iter().for_each(|channel| flow.bind(*channel));
        }
        Some(flow)
    }
}
