//! The sockets of relayed addresses: bound on a random port, tried again where somebody else has
//! it, reserved for a token, closed.

use machine::{BindKind, Endpoint, Entropy, FailKind, Id, Now, Output};
use relay::{Change, FlowId};

use super::allocation::{Binding, Held};
use super::control::Timer;
use super::count::holder;
use super::defaults::{MAX_PORT_TRIES, RESERVATION_LIFETIME};
use super::ports::{Ports, Want};
use super::{Config, Event, Refusal, RelayAddress, Release, Server};
use crate::Family;

/// What relayed addresses of one family are made of.
#[derive(Debug)]
pub(super) struct RelayState {
    pub(super) address: RelayAddress,
    pub(super) ports: Ports,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    /// A relayed address.
    Relayed(FlowId),
    /// One that waits for its token.
    Reserved([u8; 8]),
}

/// A port that waits for its token.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) account: String,
    pub(super) held: Held,
}

/// One relayed address of each family.
pub(super) fn relays(config: &Config, entropy: &Entropy) -> [Option<RelayState>; 2] {
    [Family::V4, Family::V6].map(|family| {
        let is_it = |relay: &&RelayAddress| Family::of(relay.external) == family;
        let address = *config.relays.iter().find(is_it)?;
        let entropy =
            entropy.fork(if family == Family::V4 { "turn.ports.4" } else { "turn.ports.6" });
        Some(RelayState { address, ports: Ports::new(config.ports.clone(), entropy) })
    })
}

const fn index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

impl Server {
    /// Whether there are relayed addresses of a family.
    pub(super) fn relays_to(&self, family: Family) -> bool {
        self.relays[index(family)].is_some()
    }

    /// Takes a port, or two, for an allocation and has them bound; says whether there was one.
    pub(super) fn hold(&mut self, now: Now, id: FlowId, family: Family, want: Want) -> bool {
        let Some(relay) = self.relays[index(family)].as_mut() else { return false };
        let address = relay.address;
        let Some(port) = relay.ports.take(now.mono, want) else { return false };
        let first = self.bind_relayed(id, address, port);
        let second = (want == Want::Pair).then(|| self.bind_relayed(id, address, port + 1));
        let Some(allocation) = self.allocations.get_mut(&id) else { return false };
        let place = if allocation.held[0].is_none() { 0 } else { 1 };
        allocation.held[place] = Some(first);
        if let (Some(second), Some(binding)) = (second, allocation.binding.as_mut()) {
            binding.reserve = Some(second);
        }
        true
    }

    fn bind_relayed(&mut self, id: FlowId, address: RelayAddress, port: u16) -> Held {
        let is_tcp = self.allocations.get(&id).is_some_and(super::allocation::Allocation::is_tcp);
        let kind = if is_tcp { BindKind::TcpListener } else { BindKind::RelayUdp };
        let socket = self.ids.next_id();
        let local = Endpoint::new(address.local, port);
        let external = Endpoint::new(address.external, port);
        self.sockets.insert(socket, Socket::Relayed(id));
        self.outputs.push(Output::Bind { id: socket, kind, local, interface: None });
        Held { socket, local, external, bound: false, until: machine::Instant::ORIGIN }
    }

    /// Closes a socket; its port rests.
    pub(super) fn let_go(&mut self, now: Now, held: &Held) {
        self.unname_tcp(held);
        if self.sockets.remove(&held.socket).is_some() {
            self.outputs.push(Output::Close { id: held.socket });
        }
        self.rest(now, held);
    }

    fn rest(&mut self, now: Now, held: &Held) {
        if let Some(relay) = self.relays[index(held.family())].as_mut() {
            relay.ports.give_back(now.mono, held.local.port());
        }
    }

    /// A listener or a relayed address is bound.
    pub(super) fn bound(&mut self, now: Now, socket: Id, local: Endpoint) {
        if self.listening(socket, local) {
            return;
        }
        let Some(Socket::Relayed(id)) = self.sockets.get(&socket).copied() else {
            // It was given up before it was bound.
            return self.outputs.push(Output::Close { id: socket });
        };
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let Some(binding) = allocation.binding.as_mut() else { return };
        for held in allocation.held.iter_mut().flatten().chain(binding.reserve.as_mut()) {
            held.bound |= held.socket == socket;
        }
        self.complete_if_bound(now, id);
    }

    /// Something could not be opened, or a handshake failed.
    pub(super) fn failed(&mut self, now: Now, id: Id, kind: FailKind) {
        if self.listen_failed(id, &kind) || self.connect_failed(now, id) {
            return;
        }
        match self.sockets.remove(&id) {
            Some(Socket::Relayed(flow)) => self.relayed_failed(now, flow, id, &kind),
            Some(Socket::Reserved(token)) => {
                if let Some(reservation) = self.reservations.remove(&token) {
                    self.by_account.remove(&reservation.account);
                    self.rest(now, &reservation.held);
                }
            }
            None => self.closed(now, id),
        }
    }

    fn relayed_failed(&mut self, now: Now, id: FlowId, socket: Id, kind: &FailKind) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let Some(Binding { wish, reserve, tries, .. }) = allocation.binding.as_deref_mut() else {
            return self.release(now, id, Release::Failed);
        };
        *tries += 1;
        let again = *kind == FailKind::AddressInUse && *tries < MAX_PORT_TRIES;
        let (wish, reserve) = (wish.clone(), reserve.take());
        let is_it = |held: &Held| held.socket == socket;
        let place = allocation.held.iter().position(|held| held.as_ref().is_some_and(is_it));
        // The first is what was asked for, and stands with its pair.
        let first = place != Some(1);
        let failed = allocation.held[usize::from(!first)].take();
        for held in failed.into_iter().chain(reserve) {
            self.let_go(now, &held);
        }
        let (family, want) = match first {
            true => (wish.family, wish.want()),
            false => (wish.additional.unwrap_or(wish.family), Want::Any),
        };
        if again && self.hold(now, id, family, want) {
            return;
        }
        if first {
            return self.fall_back(now, id);
        }
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        allocation.missing = Some((family, Refusal::Capacity.code()));
        self.complete_if_bound(now, id);
    }

    /// Keeps a bound port for a while; gives the token for it.
    //= RFC 8656 §7.2: the next higher port is kept for at least 30 seconds for who shows the token.
    pub(super) fn reserve(&mut self, now: Now, held: Held, account: String) -> [u8; 8] {
        let token = self.entropy.bytes();
        self.by_account.add(account.clone());
        self.sockets.insert(held.socket, Socket::Reserved(token));
        self.reservations.insert(token, Reservation { account, held });
        self.timers.set(Timer::Reservation(token), now.mono + RESERVATION_LIFETIME);
        token
    }

    /// Gives a reserved port to an allocation.
    pub(super) fn redeem(&mut self, now: Now, id: FlowId, token: [u8; 8]) {
        self.timers.cancel(&Timer::Reservation(token));
        let Some(Reservation { held, account }) = self.reservations.remove(&token) else {
            return self.cannot_allocate(now, id);
        };
        self.by_account.remove(&account);
        self.sockets.insert(held.socket, Socket::Relayed(id));
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.held[0] = Some(held);
        }
        self.complete(now, id);
    }

    pub(super) fn reservation_due(&mut self, now: Now, token: [u8; 8]) {
        if let Some(reservation) = self.reservations.remove(&token) {
            self.by_account.remove(&reservation.account);
            self.let_go(now, &reservation.held);
        }
    }

    /// Tells the tables how an allocation is now.
    pub(super) fn publish(&mut self, id: FlowId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        if allocation.is_tcp() || allocation.adrift {
            return;
        }
        if let Some(flow) = allocation.flow.clone() {
            self.change(Change::Set(id, flow));
        }
    }

    /// Changes our own table, and has the others changed.
    pub(super) fn change(&mut self, change: Change) {
        self.table.apply(change.clone());
        self.outputs.event(Event::Relay(change));
    }

    /// Sets the timer of an allocation.
    pub(super) fn set_timer(&mut self, id: FlowId) {
        if let Some(end) = self.allocations.get(&id).and_then(|allocation| allocation.next_end()) {
            self.timers.set(Timer::Allocation(id), end);
        }
    }

    /// A relayed address of an allocation has ended, unless it was refreshed.
    pub(super) fn allocation_due(&mut self, now: Now, id: FlowId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        if allocation.end().is_none_or(|end| end <= now.mono) {
            let adrift = allocation.adrift;
            let cause = if adrift { Release::Disconnected } else { Release::Expired };
            return self.release(now, id, cause);
        }
        let ended: Vec<Family> =
            allocation.held().filter(|held| held.until <= now.mono).map(Held::family).collect();
        for family in ended {
            self.drop_family(now, id, family);
        }
        self.set_timer(id);
    }

    /// Ends one of an allocation's two relayed addresses.
    pub(super) fn drop_family(&mut self, now: Now, id: FlowId, family: Family) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let is_it = |held: &Option<Held>| held.is_some_and(|held| held.family() == family);
        let Some(place) = allocation.held.iter().position(is_it) else { return };
        let held = allocation.held[place].take();
        let peers = allocation.peer_conns(family);
        allocation.flow = allocation.make_flow().map(std::sync::Arc::new);
        self.publish(id);
        if let Some(held) = held {
            self.let_go(now, &held);
        }
        self.close_peers(now, &peers);
    }

    /// Ends an allocation.
    pub(super) fn release(&mut self, now: Now, id: FlowId, cause: Release) {
        let Some(allocation) = self.allocations.remove(&id) else { return };
        let origin = allocation.origin;
        self.timers.cancel(&Timer::Allocation(id));
        if self.clients.get(&origin.client) == Some(&id) {
            self.clients.remove(&origin.client);
        }
        self.by_account.remove(allocation.identity.keys.account());
        self.by_address.remove(&holder(origin.remote.ip()));
        self.forget_mobility(id, allocation.mobility.as_deref());
        if allocation.flow.is_some() && !allocation.is_tcp() && !allocation.adrift {
            self.change(Change::Remove(id));
        }
        let reserve = allocation.binding.as_ref().and_then(|binding| binding.reserve);
        for held in allocation.held().copied().chain(reserve).collect::<Vec<_>>() {
            self.let_go(now, &held);
        }
        for family in [Family::V4, Family::V6] {
            self.close_peers(now, &allocation.peer_conns(family));
        }
        if allocation.binding.is_none() {
            let user = allocation.identity.keys.account().to_owned();
            let (client, relayed) = (origin.remote, allocation.name());
            self.outputs.event(Event::Released { user, client, relayed, cause });
        }
        if let relay::Client::Stream { conn } = origin.client {
            self.conn_idle(now, conn);
        }
        self.check_drained();
    }
}
