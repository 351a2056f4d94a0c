//! CreatePermission and ChannelBind (RFC 8656 §10, §12): whom an allocation lets through.

use std::net::IpAddr;
use std::sync::Arc;

use machine::{Endpoint, Instant, Now};
use relay::{Channel, Flow, FlowId, Permission, Reach};
use stun::Builder;

use super::allocation::Allocation;
use super::defaults::{
    CHANNEL_LIFETIME, CHANNEL_QUARANTINE, CHANNELS, PEERS_PER_REQUEST, PERMISSION_LIFETIME,
    PERMISSIONS,
};
use super::proof::{Identity, Request};
use super::{Refusal, Server};
use crate::{ChannelNumber, Family, TurnMessage};

impl Server {
    /// The identity of the allocation of a client.
    pub(super) fn identity_of(&self, client: relay::Client) -> Option<&Arc<Identity>> {
        Some(&self.allocations.get(self.clients.get(&client)?)?.identity)
    }

    /// The allocation `id`, if it is there and the request's user has it.
    //= RFC 8656 §5: later requests come from the user who allocated; others get 441.
    pub(super) fn live(&self, id: FlowId, request: &Request<'_>) -> Result<&Allocation, Refusal> {
        let allocation = self.allocations.get(&id).filter(|found| found.flow.is_some());
        let allocation = allocation.ok_or(Refusal::AllocationMismatch)?;
        let same = allocation.identity.is_same(&request.proof.identity);
        if same { Ok(allocation) } else { Err(Refusal::WrongCredentials) }
    }

    /// The allocation of a request's 5-tuple.
    pub(super) fn allocation_of(&self, request: &Request<'_>) -> Result<&Allocation, Refusal> {
        let id = self.clients.get(&request.origin.client).ok_or(Refusal::AllocationMismatch)?;
        self.live(*id, request)
    }

    /// How an allocation may reach a peer.
    pub(super) fn reach(&self, allocation: &Allocation, ip: IpAddr) -> Result<Reach, Refusal> {
        //= RFC 8656 §10.2: a peer of a family that the allocation has no address of gets 443.
        if allocation.held_of(Family::of(ip)).is_none() {
            return Err(Refusal::PeerFamily);
        }
        //= RFC 8656 §10.2: the server may forbid peers: 403.
        self.peers.reach(ip).ok_or(Refusal::PeerForbidden)
    }

    pub(super) fn create_permission(&mut self, now: Now, request: &Request<'_>) {
        match self.permitted(now, request) {
            Ok((id, flow)) => self.change_flow(id, flow, request),
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// The flow with the permissions of a CreatePermission: all or none.
    fn permitted(&self, now: Now, request: &Request<'_>) -> Result<(FlowId, Flow), Refusal> {
        let allocation = self.allocation_of(request)?;
        let mut flow = flow_of(allocation, now.mono)?;
        let mut count = 0;
        for peer in request.message.peer_addresses() {
            //= RFC 8656 §10.2: one or more peers, all well-formed.
            let ip = peer.ok_or(Refusal::BadRequest)?.ip();
            let reach = self.reach(allocation, ip)?;
            count += 1;
            if count > PEERS_PER_REQUEST {
                return Err(Refusal::Capacity);
            }
            permit(&mut flow, now.mono, ip, reach)?;
        }
        if count == 0 { Err(Refusal::BadRequest) } else { Ok((allocation.id, flow)) }
    }

    pub(super) fn channel_bind(&mut self, now: Now, request: &Request<'_>) {
        match self.channel_bound(now, request) {
            Ok((id, flow)) => self.change_flow(id, flow, request),
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// The flow with the channel of a ChannelBind.
    fn channel_bound(&self, now: Now, request: &Request<'_>) -> Result<(FlowId, Flow), Refusal> {
        let message = &request.message;
        let allocation = self.allocation_of(request)?;
        //= RFC 6062 §5: there are no channels on connections.
        if allocation.is_tcp() {
            return Err(Refusal::Forbidden);
        }
        //= RFC 8656 §12.2: number and peer are there, and the number is one of a channel.
        let (Some(number), Some(peer)) = (message.channel_number(), message.peer_address()) else {
            return Err(Refusal::BadRequest);
        };
        let mut flow = flow_of(allocation, now.mono)?;
        bind(&mut flow, now.mono, number, peer, self.reach(allocation, peer.ip()))?;
        Ok((allocation.id, flow))
    }

    /// Gives an allocation another flow, then the client its success.
    fn change_flow(&mut self, id: FlowId, flow: Flow, request: &Request<'_>) {
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.flow = Some(Arc::new(flow));
        }
        self.publish(id);
        self.answer(request, &mut Builder::success(&request.message));
    }
}

/// The flow of an allocation, without what ended so long ago that nothing of it counts.
fn flow_of(allocation: &Allocation, now: Instant) -> Result<Flow, Refusal> {
    let mut flow = allocation.flow.as_deref().ok_or(Refusal::AllocationMismatch)?.clone();
    let quarantine = CHANNEL_QUARANTINE.as_nanos() as u64;
    flow.forget_ended(Instant::from_nanos(now.as_nanos().saturating_sub(quarantine)));
    Ok(flow)
}

/// Installs or renews a permission.
fn permit(flow: &mut Flow, now: Instant, ip: IpAddr, reach: Reach) -> Result<(), Refusal> {
    let live = flow.permissions().iter().filter(|p| p.until > now && p.ip != ip).count();
    if live >= PERMISSIONS {
        return Err(Refusal::Capacity);
    }
    flow.permit(Permission { ip, reach, until: now + PERMISSION_LIFETIME });
    Ok(())
}

/// Binds or renews a channel, and the permission that goes with it.
fn bind(
    flow: &mut Flow,
    now: Instant,
    number: ChannelNumber,
    peer: Endpoint,
    reach: Result<Reach, Refusal>,
) -> Result<(), Refusal> {
    let number = number.value();
    //= RFC 8656 §12.2: a number is bound to one peer and a peer to one number, also in the five
    // minutes after a binding ended.
    let is_bound_otherwise =
        |channel: &Channel| (channel.number == number) != (channel.peer == peer);
    if flow.channels().iter().any(is_bound_otherwise) {
        return Err(Refusal::BadRequest);
    }
    let reach = reach?;
    if flow.channel(number).is_none() && flow.channels().len() >= CHANNELS {
        return Err(Refusal::Capacity);
    }
    permit(flow, now, peer.ip(), reach)?;
    flow.bind(Channel { number, peer, until: now + CHANNEL_LIFETIME });
    Ok(())
}
