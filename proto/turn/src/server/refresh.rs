//! Refresh (RFC 8656 §8): an allocation goes on, or ends.

use std::sync::Arc;
use std::time::Duration;

use machine::Now;
use relay::FlowId;
use stun::{AttributeType, Builder};

use super::allocate::lifetime;
use super::proof::Request;
use super::{Refusal, Release, Server};
use crate::{Family, TurnBuilder, TurnMessage};

impl Server {
    pub(super) fn refresh(&mut self, now: Now, request: &Request<'_>) {
        match self.refreshed(now, request) {
            Ok((id, families, lifetime)) if lifetime.is_zero() => {
                self.end(now, request, id, &families);
            }
            Ok((id, families, lifetime)) => self.prolong(now, request, id, &families, lifetime),
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// What a Refresh is about: which allocation, which of its families, for how long.
    fn refreshed(
        &mut self,
        now: Now,
        request: &Request<'_>,
    ) -> Result<(FlowId, Vec<Family>, Duration), Refusal> {
        let message = &request.message;
        let id = match self.clients.get(&request.origin.client) {
            Some(&id) => id,
            None => self.ticket_holder(request)?,
        };
        let allocation = self.live(id, request)?;
        let is_there = message.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY).is_some();
        let families: Vec<Family> = match message.requested_address_family() {
            None if is_there => return Err(Refusal::BadRequest),
            None => allocation.held().map(|held| held.family()).collect(),
            //= RFC 8656 §8.2: a family that the allocation does not have is answered by 443.
            Some(family) => {
                let family = family.ok().filter(|family| allocation.held_of(*family).is_some());
                vec![family.ok_or(Refusal::PeerFamily)?]
            }
        };
        //= RFC 8656 §8.2: a lifetime of zero ends it.
        let lifetime = match message.lifetime() {
            Some(Duration::ZERO) => Duration::ZERO,
            _ => lifetime(message, &self.config.limits)?,
        };
        self.begin_move(now, request, id)?;
        Ok((id, families, lifetime))
    }

    fn prolong(
        &mut self,
        now: Now,
        request: &Request<'_>,
        id: FlowId,
        families: &[Family],
        lifetime: Duration,
    ) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        for held in allocation.held.iter_mut().flatten() {
            if families.contains(&held.family()) {
                held.until = now.mono + lifetime;
            }
        }
        if let (Some(end), Some(flow)) = (allocation.end(), &mut allocation.flow) {
            Arc::make_mut(flow).set_until(end);
        }
        let ticket = self.ticket_for(request, id);
        self.publish(id);
        self.set_timer(id);
        let mut answer = Builder::success(&request.message);
        answer.lifetime(lifetime);
        if let Some(ticket) = ticket {
            answer.mobility_ticket(&ticket);
        }
        self.answer(request, &mut answer);
    }

    fn end(&mut self, now: Now, request: &Request<'_>, id: FlowId, families: &[Family]) {
        let all = |held: &super::allocation::Held| families.contains(&held.family());
        if self.allocations.get(&id).is_some_and(|allocation| allocation.held().all(all)) {
            self.release(now, id, Release::Client);
        } else {
            families.iter().for_each(|family| self.drop_family(now, id, *family));
            self.set_timer(id);
        }
        let mut answer = Builder::success(&request.message);
        answer.lifetime(Duration::ZERO);
        let answer = request.proof.sign(&mut answer);
        if request.origin.is_forgeable() {
            let (client, id) = (request.origin.client, request.message.id());
            self.answers.keep(now.mono, client, id, &answer);
        }
        self.send(request.origin.client, &answer);
    }
}
