//! The table: flows by client and by relayed address.

use std::net::IpAddr;
use std::sync::Arc;

use machine::{Endpoint, Entropy, Id, KeyedMap};

use stun::binding::Places;

use crate::{Cause, Client, Counters, Flow, FlowId};

/// What happened to a flow, or to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exists, and is so from now on.
    Set(FlowId, Arc<Flow>),
    /// It is gone.
    Remove(FlowId),
    /// Binding requests are answered at these places as RFC 5780 has it.
    Places(Arc<[Places]>),
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Send it.
    Send {
        /// From this socket.
        socket: Id,
        /// From this address; unspecified where the socket has but one.
        source: IpAddr,
        /// To here.
        remote: Endpoint,
    },
    /// Write it to the client's connection, in the form of [`Packet`](crate::Packet); the padding
    /// that ChannelData has in a stream (RFC 8656 §12.5) is the writer's. Never from a
    /// [replica](Table::replica).
    Write {
        /// The connection.
        conn: Id,
    },
    /// It is for the flow's controller; the packet is as it was.
    Control,
    /// A train whose datagrams do not all go one way, or have no room to grow; it is as it was. Cut
    /// it apart and forward each datagram. Never for one datagram.
    Split,
    /// Drop it; it has been counted.
    Drop(Cause),
}

/// Every flow, and where its packets go.
#[derive(Debug)]
pub struct Table {
    pub(crate) slots: Vec<Option<Arc<Flow>>>,
    free: Vec<u32>,
    ids: KeyedMap<FlowId, u32>,
    pub(crate) clients: KeyedMap<Client, u32>,
    pub(crate) sockets: KeyedMap<Id, u32>,
    external: KeyedMap<Endpoint, u32>,
    /// The addresses of `external` and how many are of each, so that most packets need no look-up
    /// there.
    external_ips: Vec<(IpAddr, u32)>,
    pub(crate) entropy: Entropy,
    pub(crate) counters: Counters,
    pub(crate) writes: bool,
    places: Arc<[Places]>,
}

impl Table {
    /// An empty table that forwards to clients of every kind.
    #[must_use]
    pub fn new(entropy: &mut Entropy) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            ids: KeyedMap::new(entropy),
            clients: KeyedMap::new(entropy),
            sockets: KeyedMap::new(entropy),
            external: KeyedMap::new(entropy),
            external_ips: Vec::new(),
            entropy: Entropy::new(entropy.bytes()),
            counters: Counters::default(),
            writes: true,
            places: Arc::new([]),
        }
    }

    /// An empty table for a thread that has no connections: what goes to one is
    /// [`Forward::Control`].
    #[must_use]
    pub fn replica(entropy: &mut Entropy) -> Self {
        Self { writes: false, ..Self::new(entropy) }
    }

    /// Takes a change over.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Set(id, flow) => self.set(id, flow),
            Change::Remove(id) => self.remove(id),
            Change::Places(places) => self.places = places,
        }
    }

    /// Where Binding requests are answered as RFC 5780 has it.
    #[must_use]
    pub fn places(&self) -> &[Places] {
        &self.places
    }

    /// The flow `id`.
    #[must_use]
    pub fn flow(&self, id: FlowId) -> Option<&Arc<Flow>> {
        self.slot(*self.ids.get(&id)?)
    }

    /// How many flows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// What it has done.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn set(&mut self, id: FlowId, flow: Arc<Flow>) {
        let slot = match self.ids.get(&id) {
            Some(&slot) => slot,
            None => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    u32::try_from(self.slots.len() - 1).expect("fewer flows than 2^32")
                });
                self.ids.insert(id, slot);
                slot
            }
        };
        let before = self.slots.get_mut(slot as usize).and_then(Option::take);
        let same = before.as_deref().is_some_and(|before| {
            before.client() == flow.client()
                && before.next_client() == flow.next_client()
                && before.relayed().eq(flow.relayed())
        });
        if !same {
            if let Some(before) = before {
                self.unlink(slot, &before);
            }
            self.link(slot, &flow);
        }
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(flow);
        }
    }

    fn remove(&mut self, id: FlowId) {
        let Some(slot) = self.ids.remove(&id) else { return };
        if let Some(flow) = self.slots.get_mut(slot as usize).and_then(Option::take) {
            self.unlink(slot, &flow);
        }
        self.free.push(slot);
    }

    fn link(&mut self, slot: u32, flow: &Flow) {
        for client in clients(flow) {
            self.clients.insert(client, slot);
        }
        for relayed in flow.relayed() {
            self.sockets.insert(relayed.socket, slot);
            if self.external.insert(relayed.external, slot).is_none() {
                self.count_ip(relayed.external.ip());
            }
        }
    }

    /// Takes away what leads to `slot`, but not what leads to another by now.
    fn unlink(&mut self, slot: u32, flow: &Flow) {
        for client in clients(flow) {
            if self.clients.get(&client) == Some(&slot) {
                self.clients.remove(&client);
            }
        }
        for relayed in flow.relayed() {
            if self.sockets.get(&relayed.socket) == Some(&slot) {
                self.sockets.remove(&relayed.socket);
            }
            if self.external.get(&relayed.external) == Some(&slot) {
                self.external.remove(&relayed.external);
                self.discount_ip(relayed.external.ip());
            }
        }
    }

    fn count_ip(&mut self, ip: IpAddr) {
        match self.external_ips.iter_mut().find(|(known, _)| *known == ip) {
            Some((_, count)) => *count += 1,
            None => self.external_ips.push((ip, 1)),
        }
    }

    fn discount_ip(&mut self, ip: IpAddr) {
        let Some(at) = self.external_ips.iter().position(|(known, _)| *known == ip) else { return };
        if let Some((_, count)) = self.external_ips.get_mut(at) {
            *count -= 1;
            if *count == 0 {
                self.external_ips.swap_remove(at);
            }
        }
    }

    pub(crate) fn slot(&self, slot: u32) -> Option<&Arc<Flow>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The flow whose relayed address peers see as `peer`.
    pub(crate) fn behind(&self, peer: Endpoint) -> Option<&Arc<Flow>> {
        if !self.external_ips.iter().any(|(ip, _)| *ip == peer.ip()) {
            return None;
        }
        self.slot(*self.external.get(&peer)?)
    }
}

/// Where the client of `flow` is, and where it moves to.
fn clients(flow: &Flow) -> impl Iterator<Item = Client> {
    std::iter::once(flow.client()).chain(flow.next_client())
}
