//! Mobility (RFC 8016): a client that comes back from another address shows the ticket of its
//! allocation, and has it there.
//!
//! The old address is served until something comes from the new one: the answer that tells the
//! client of its success may be lost.

use std::sync::Arc;

use machine::Now;
use relay::{Change, Client, FlowId};

use super::control::Timer;
use super::count::holder;
use super::defaults::MOVE_LIFETIME;
use super::origin::Origin;
use super::proof::Request;
use super::{Refusal, Server};
use crate::TurnMessage;

type Ticket = [u8; 16];

/// What an allocation that may move has.
#[derive(Debug, Default)]
pub(super) struct Mobility {
    /// The ticket that was issued last.
    current: Option<Ticket>,
    /// The one before, which the client has if it did not hear of the last.
    previous: Option<Ticket>,
    /// Where the client moves to.
    pub(super) next: Option<Origin>,
}

impl Mobility {
    pub(super) const fn ticket(&self) -> Option<Ticket> {
        self.current
    }
}

impl Server {
    /// Gives an allocation a new ticket; the one before stays good.
    pub(super) fn issue_ticket(&mut self, id: FlowId) {
        // No byte is zero: coturn's client keeps the ticket as a C string.
        let ticket: Ticket = self.entropy.bytes().map(|byte: u8| byte | 1);
        let mobility = self.allocations.get_mut(&id).and_then(|found| found.mobility.as_mut());
        let Some(mobility) = mobility else { return };
        let old = std::mem::replace(&mut mobility.previous, mobility.current.replace(ticket));
        if let Some(old) = old {
            self.tickets.remove(&old);
        }
        self.tickets.insert(ticket, id);
    }

    /// The allocation of the ticket that a request without an allocation shows.
    //= RFC 8016 §3.2.2: a ticket that is none of ours is a bad request.
    pub(super) fn ticket_holder(&self, request: &Request<'_>) -> Result<FlowId, Refusal> {
        match request.message.mobility_ticket() {
            None | Some([]) => Err(Refusal::AllocationMismatch),
            Some(_) if !self.config.mobility => Err(Refusal::MobilityForbidden),
            Some(ticket) => {
                let id = Ticket::try_from(ticket).ok().and_then(|t| self.tickets.get(&t));
                id.copied().ok_or(Refusal::BadRequest)
            }
        }
    }

    /// The ticket that a Refresh is answered with, if it shows one.
    //= RFC 8016 §3.2.2: the answer carries a new ticket; the same again when the request is repeated.
    pub(super) fn ticket_for(&mut self, request: &Request<'_>, id: FlowId) -> Option<Ticket> {
        let shown = Ticket::try_from(request.message.mobility_ticket()?).ok();
        let mobility = self.allocations.get(&id)?.mobility.as_deref()?;
        if shown.is_none() || mobility.previous != shown {
            self.issue_ticket(id);
        }
        self.allocations.get(&id)?.mobility.as_deref()?.ticket()
    }

    /// Notes that the client of an allocation has come back elsewhere.
    pub(super) fn begin_move(
        &mut self,
        now: Now,
        request: &Request<'_>,
        id: FlowId,
    ) -> Result<(), Refusal> {
        let to = request.origin;
        let allocation = self.allocations.get_mut(&id).ok_or(Refusal::AllocationMismatch)?;
        if allocation.origin.client == to.client {
            return Ok(());
        }
        let adrift = allocation.adrift;
        let mobility = allocation.mobility.as_mut().ok_or(Refusal::MobilityForbidden)?;
        let before = mobility.next.replace(to);
        if let Some(flow) = &mut allocation.flow {
            Arc::make_mut(flow).set_next_client(Some(to.client));
        }
        if let Some(before) = before.filter(|before| before.client != to.client) {
            self.clients.remove(&before.client);
        }
        self.clients.insert(to.client, id);
        self.timers.set(Timer::Move(id), now.mono + MOVE_LIFETIME);
        if adrift {
            // There is no old address to serve.
            self.confirm_move(now, to.client);
        }
        Ok(())
    }

    /// Moves an allocation to where its client was said to move to, now that something came from
    /// there; says whether there was such a move.
    pub(super) fn confirm_move(&mut self, now: Now, client: Client) -> bool {
        let Some(&id) = self.clients.get(&client) else { return false };
        let Some(allocation) = self.allocations.get_mut(&id) else { return false };
        let Some(mobility) = allocation.mobility.as_mut() else { return false };
        let Some(next) = mobility.next.take_if(|next| next.client == client) else { return false };
        let previous = mobility.previous.take();
        let old = std::mem::replace(&mut allocation.origin, next);
        allocation.adrift = false;
        if let Some(flow) = &mut allocation.flow {
            let flow = Arc::make_mut(flow);
            flow.set_client(next.client);
            flow.set_next_client(None);
        }
        if let Some(previous) = previous {
            self.tickets.remove(&previous);
        }
        if self.clients.get(&old.client) == Some(&id) {
            self.clients.remove(&old.client);
        }
        self.by_address.remove(&holder(old.remote.ip()));
        self.by_address.add(holder(next.remote.ip()));
        self.timers.cancel(&Timer::Move(id));
        self.stats.moved += 1;
        self.publish(id);
        if let Client::Stream { conn } = old.client {
            self.conn_idle(now, conn);
        }
        if let Client::Stream { conn } = next.client {
            self.conn_in_use(conn);
        }
        true
    }

    /// A client did not confirm its move: it is served where it was.
    pub(super) fn move_due(&mut self, _now: Now, id: FlowId) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let next = allocation.mobility.as_mut().and_then(|mobility| mobility.next.take());
        if let Some(flow) = &mut allocation.flow {
            Arc::make_mut(flow).set_next_client(None);
        }
        if let Some(next) = next {
            self.clients.remove(&next.client);
        }
        self.timers.cancel(&Timer::Move(id));
        self.publish(id);
    }

    /// The connection of a client closed: whether its allocation waits for it to come back.
    pub(super) fn set_adrift(&mut self, id: FlowId) -> bool {
        let Some(allocation) = self.allocations.get_mut(&id) else { return false };
        if allocation.mobility.is_none() || allocation.binding.is_some() {
            return false;
        }
        allocation.adrift = true;
        self.clients.remove(&allocation.origin.client);
        self.change(Change::Remove(id));
        true
    }

    /// Forgets the tickets and the move of an allocation.
    pub(super) fn forget_mobility(&mut self, id: FlowId, mobility: Option<&Mobility>) {
        self.timers.cancel(&Timer::Move(id));
        let Some(mobility) = mobility else { return };
        for ticket in mobility.current.iter().chain(&mobility.previous) {
            self.tickets.remove(ticket);
        }
        if let Some(next) = mobility.next {
            self.clients.remove(&next.client);
        }
    }
}
