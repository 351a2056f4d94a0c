//! The sockets of a shard, by name and by place.
//!
//! A relayed address that sends to one peer for a while gets a second socket, connected to that
//! peer: the kernel then looks up the route once and not for every packet.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use machine::{Endpoint, Entropy, Id, KeyedMap};
use rustix::event::epoll;

use super::sock::Sock;
use crate::defaults::RUN_TO_CONNECT_LEN;

/// The sockets that a shard sends from and, where they are its own, receives from.
pub(super) struct Sockets {
    places: KeyedMap<u64, u32>,
    sockets: Vec<Option<Open>>,
    free: Vec<u32>,
    /// How many more connected sockets there may be.
    connections: usize,
}

/// One socket.
pub(super) struct Open {
    pub(super) id: Id,
    pub(super) sock: Arc<Sock>,
    /// How many datagrams to ask for at once: what it had last time, and more when it had all that
    /// were asked for.
    pub(super) most: usize,
    /// The socket connected to the peer that this one sends to most.
    connection: Option<Connection>,
    /// The last destination, and how often it was so without a break.
    last: Endpoint,
    run: usize,
}

#[derive(Clone, Copy)]
struct Connection {
    place: u32,
    remote: Endpoint,
}

/// What epoll is told to say of a connected socket: its place, in a namespace that no [`Id`] here has.
const CONNECTED: u64 = 0xffff << 48;

impl Sockets {
    /// None, of which `connections` may be connected ones.
    pub(super) fn new(entropy: &mut Entropy, connections: usize) -> Self {
        let places = KeyedMap::new(entropy);
        Self { places, sockets: Vec::new(), free: Vec::new(), connections }
    }

    /// The place of the socket of which epoll said `number`.
    pub(super) fn place(&self, number: u64) -> Option<u32> {
        if number & CONNECTED == CONNECTED {
            return u32::try_from(number & !CONNECTED).ok();
        }
        self.places.get(&number).copied()
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
        let place = self.put(id, sock);
        self.places.insert(id.as_u64(), place);
    }

    fn put(&mut self, id: Id, sock: Arc<Sock>) -> u32 {
        let last = Endpoint::UNSPECIFIED_V4;
        let open = Some(Open { id, sock, most: 1, connection: None, last, run: 0 });
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
        place
    }

    fn take(&mut self, place: u32) -> Option<Open> {
        let open = self.sockets.get_mut(place as usize)?.take();
        self.free.push(place);
        open
    }

    pub(super) fn remove(&mut self, id: Id) {
        let Some(place) = self.places.remove(&id.as_u64()) else { return };
        let connection = self.take(place).and_then(|open| open.connection);
        if let Some(connection) = connection {
            self.take(connection.place);
            self.connections += 1;
        }
    }

    /// The place to send to `remote` from, for the socket at `place`: that of its connected socket, if
    /// that is the destination. Also whether it is time to connect one.
    pub(super) fn towards(&mut self, place: u32, remote: Endpoint) -> (u32, bool) {
        let Some(open) = self.open_mut(place).filter(|open| open.sock.may_connect()) else {
            return (place, false);
        };
        if let Some(connection) = open.connection
            && connection.remote == remote
        {
            open.run = 0;
            return (connection.place, false);
        }
        if open.last != remote {
            (open.last, open.run) = (remote, 0);
        }
        open.run += 1;
        // When it does not work, as many go by before the next attempt.
        (place, open.run.is_multiple_of(RUN_TO_CONNECT_LEN))
    }

    /// Connects a socket to `remote` beside the one at `place`, or the one that there is to another
    /// peer; says its place. What comes from there comes to it from then on, and `epoll` tells.
    pub(super) fn connect(&mut self, place: u32, remote: Endpoint, epoll: &OwnedFd) -> Option<u32> {
        let open = self.open(place)?;
        if let Some(connection) = open.connection {
            self.at(connection.place)?.connect(remote).ok()?;
            self.open_mut(place)?.connection = Some(Connection { remote, ..connection });
            return Some(connection.place);
        }
        if self.connections == 0 {
            return None;
        }
        let (id, sock) = (open.id, Arc::new(open.sock.connected(remote).ok()?));
        let beside = self.put(id, Arc::clone(&sock));
        let data = epoll::EventData::new_u64(CONNECTED | u64::from(beside));
        if epoll::add(epoll, sock.as_fd(), data, epoll::EventFlags::IN).is_err() {
            self.take(beside);
            return None;
        }
        self.connections -= 1;
        self.open_mut(place)?.connection = Some(Connection { place: beside, remote });
        Some(beside)
    }
}
