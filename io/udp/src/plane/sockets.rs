//! The sockets of a shard, by name and by place.

use std::sync::Arc;

use machine::{Entropy, Id, KeyedMap};

use super::sock::Sock;

/// The sockets that a shard sends from and, where they are its own, receives from.
pub(super) struct Sockets {
    places: KeyedMap<u64, u32>,
    sockets: Vec<Option<Open>>,
    free: Vec<u32>,
}

/// One socket.
pub(super) struct Open {
    pub(super) id: Id,
    pub(super) sock: Arc<Sock>,
    /// How many datagrams to ask for at once: what it had last time, and more when it had all that
    /// were asked for.
    pub(super) most: usize,
}

impl Sockets {
    pub(super) fn new(entropy: &mut Entropy) -> Self {
        Self { places: KeyedMap::new(entropy), sockets: Vec::new(), free: Vec::new() }
    }

    /// The place of the socket that has the number `id`.
    pub(super) fn place(&self, id: u64) -> Option<u32> {
        self.places.get(&id).copied()
    }

    pub(super) fn open(&self, place: u32) -> Option<&Open> {
        self.sockets.get(place as usize)?.as_ref()
    }

    pub(super) fn open_mut(&mut self, place: u32) -> Option<&mut Open> {
        self.sockets.get_mut(place as usize)?.as_mut()
    }

    pub(super) fn at(&self, place: u32) -> Option<&Sock> {
        self.open(place).map(|open| &*open.sock)
    }

    pub(super) fn insert(&mut self, id: Id, sock: Arc<Sock>) {
        let open = Some(Open { id, sock, most: 1 });
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.sockets.push(None);
                u32::try_from(self.sockets.len() - 1).expect("fewer descriptors than 2^32")
            }
        };
        if let Some(to) = self.sockets.get_mut(place as usize) {
            *to = open;
        }
        self.places.insert(id.as_u64(), place);
    }

    pub(super) fn remove(&mut self, id: Id) {
        let Some(place) = self.places.remove(&id.as_u64()) else { return };
        if let Some(socket) = self.sockets.get_mut(place as usize) {
            *socket = None;
            self.free.push(place);
        }
    }
}
