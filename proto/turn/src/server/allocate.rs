//! Allocate (RFC 8656 §7, RFC 6062 §5.1): what a client wishes, whether it may, and the answer.

use std::sync::Arc;
use std::time::Duration;

use machine::{Now, Transport};
use relay::{FlowId, Limit};
use stun::{AttributeType, Builder, Class, ErrorCode, Message, Method};

use super::allocation::{Allocation, Binding};
use super::count::holder;
use super::defaults::RESERVATIONS;
use super::mobility::Mobility;
use super::ports::Want;
use super::proof::{Pending, Request};
use super::{Event, Limits, Refusal, Release, Server};
use crate::attribute::AddressError;
use crate::{Family, RelayTransport, TurnBuilder, TurnMessage};

/// What an Allocate asks for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) tcp: bool,
    pub(super) family: Family,
    /// The other family as well, if it can be had.
    pub(super) additional: Option<Family>,
    /// Whether the port is to be even, and the next one reserved.
    pub(super) even: Option<bool>,
    pub(super) token: Option<[u8; 8]>,
    pub(super) lifetime: Duration,
    pub(super) mobile: bool,
}

impl Wish {
    /// Reads it off a request that came over `transport`.
    fn read(message: &Message<'_>, transport: Transport, limits: &Limits) -> Result<Self, Refusal> {
        let is_there = |kind| message.attribute(kind).is_some();
        //= RFC 8656 §7.2: without REQUESTED-TRANSPORT it is a bad request; a transport that is not
        // served is answered by 442.
        let tcp = match message.requested_transport().ok_or(Refusal::BadRequest)? {
            RelayTransport::Udp => false,
            RelayTransport::Tcp => true,
            RelayTransport::Unknown(_) => return Err(Refusal::TransportProtocol),
        };
        let family = family(message)?;
        let additional = family_besides(message)?;
        let even = parsed(message.even_port(), is_there(AttributeType::EVEN_PORT))?;
        let token =
            parsed(message.reservation_token(), is_there(AttributeType::RESERVATION_TOKEN))?;
        //= RFC 8656 §7.2: RESERVATION-TOKEN names a port that is there already, and goes with
        // neither EVEN-PORT nor a family.
        if token.is_some() && (even.is_some() || family.is_some() || additional.is_some()) {
            return Err(Refusal::BadRequest);
        }
        //= RFC 8656 §7.2: REQUESTED- and ADDITIONAL-ADDRESS-FAMILY exclude each other, and a pair
        // of ports has one family.
        if additional.is_some() && (family.is_some() || even == Some(true)) {
            return Err(Refusal::BadRequest);
        }
        //= RFC 6062 §5.1: a client relays TCP over TCP, and without what is made for datagrams.
        let for_datagrams =
            even.is_some() || token.is_some() || is_there(AttributeType::DONT_FRAGMENT);
        if tcp && (transport == Transport::Udp || for_datagrams) {
            return Err(Refusal::BadRequest);
        }
        //= RFC 8016 §3.2.1: an Allocate asks for a ticket with an empty one.
        let mobile = match message.attribute(AttributeType::MOBILITY_TICKET) {
            Some([]) => true,
            Some(_) => return Err(Refusal::BadRequest),
            None => false,
        };
        Ok(Self {
            tcp,
            family: family.unwrap_or(Family::V4),
            additional,
            even,
            token,
            lifetime: lifetime(message, limits)?,
            mobile,
        })
    }

    /// The port that it asks for.
    pub(super) const fn want(&self) -> Want {
        match self.even {
            None => Want::Any,
            Some(false) => Want::Even,
            Some(true) => Want::Pair,
        }
    }
}

/// An attribute that may be missing, but not malformed.
fn parsed<T>(value: Option<T>, is_there: bool) -> Result<Option<T>, Refusal> {
    if is_there && value.is_none() { Err(Refusal::BadRequest) } else { Ok(value) }
}

fn family(message: &Message<'_>) -> Result<Option<Family>, Refusal> {
    let is_there = message.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY).is_some();
    match parsed(message.requested_address_family(), is_there)? {
        Some(Ok(family)) => Ok(Some(family)),
        //= RFC 8656 §7.2: a family that is not served is answered by 440.
        Some(Err(_)) => Err(Refusal::AddressFamily),
        None => Ok(None),
    }
}

fn family_besides(message: &Message<'_>) -> Result<Option<Family>, Refusal> {
    let is_there = message.attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY).is_some();
    match parsed(message.additional_address_family(), is_there)? {
        //= RFC 8656 §7.2: the additional family is IPv6; IPv4 in its place is a bad request.
        Some(Ok(Family::V4) | Err(_)) => Err(Refusal::BadRequest),
        Some(Ok(Family::V6)) => Ok(Some(Family::V6)),
        None => Ok(None),
    }
}

/// The lifetime that a request gets.
//= RFC 8656 §7.2: at most ours; at least the default one, which is the one for who names none.
pub(super) fn lifetime(message: &Message<'_>, limits: &Limits) -> Result<Duration, Refusal> {
    let is_there = message.attribute(AttributeType::LIFETIME).is_some();
    let wanted = parsed(message.lifetime(), is_there)?.unwrap_or(limits.lifetime);
    Ok(wanted.min(limits.max_lifetime).max(limits.lifetime))
}

impl Server {
    pub(super) fn allocate(&mut self, now: Now, request: &Request<'_>) {
        let (client, id) = (request.origin.client, request.message.id());
        if let Some(allocation) = self.clients.get(&client).and_then(|id| self.allocations.get(id))
        {
            //= RFC 8656 §7.2: a repeated request gets its answer again, another one 437.
            return match (allocation.transaction == id, allocation.binding.is_some()) {
                (true, true) => {}
                (true, false) => {
                    let answer = allocated(now, allocation, &request.pending());
                    self.send(client, &answer);
                }
                (false, _) => self.refuse(request, Refusal::AllocationMismatch),
            };
        }
        let limits = &self.config.limits;
        let wish = Wish::read(&request.message, request.origin.transport, limits)
            .and_then(|wish| self.may_allocate(request, wish));
        match wish {
            Ok(wish) => self.begin(now, request, wish),
            Err(refusal) => self.refuse_allocate(now, &request.pending(), refusal),
        }
    }

    /// Whether a client may have what it wishes, and what of it.
    fn may_allocate(&self, request: &Request<'_>, mut wish: Wish) -> Result<Wish, Refusal> {
        if self.draining {
            return Err(Refusal::Draining);
        }
        if wish.tcp && !self.config.tcp {
            return Err(Refusal::TransportProtocol);
        }
        //= RFC 8016 §3.2.1: 405 where mobility is not granted. Connections of peers do not move.
        if wish.mobile && (wish.tcp || !self.config.mobility) {
            return Err(Refusal::MobilityForbidden);
        }
        if let Some(token) = wish.token {
            let reservation = self.reservations.get(&token).ok_or(Refusal::Capacity)?;
            if reservation.account != request.proof.identity.keys.account() {
                return Err(Refusal::Capacity);
            }
            wish.family = reservation.held.family();
        }
        wish.additional.take_if(|family| !self.relays_to(*family));
        if !self.relays_to(wish.family) {
            //= RFC 8656 §7.2: one family of two is better than none.
            wish.family = wish.additional.take().ok_or(Refusal::AddressFamily)?;
        }
        let limits = &self.config.limits;
        let account = request.proof.identity.keys.account();
        let address = holder(request.origin.remote.ip());
        //= RFC 8656 §7.2: a quota for each user, so that none takes all ports: 486.
        // A reserved port counts as well, until it is an allocation's.
        let counted = self.by_account.of(account).saturating_sub(usize::from(wish.token.is_some()));
        let wanted = 1 + usize::from(wish.even == Some(true));
        if counted + wanted > limits.allocations_per_user
            || self.by_address.of(&address) >= limits.allocations_per_address
        {
            return Err(Refusal::Quota);
        }
        let may_reserve = self.reservations.len() < RESERVATIONS;
        if self.allocations.len() >= limits.allocations || wish.even == Some(true) && !may_reserve {
            return Err(Refusal::Capacity);
        }
        Ok(wish)
    }

    /// Starts an allocation: its ports are taken, its sockets about to be bound.
    fn begin(&mut self, now: Now, request: &Request<'_>, wish: Wish) {
        let id = FlowId(self.next_flow);
        self.next_flow += 1;
        let identity = Arc::clone(&request.proof.identity);
        let limit = self.config.limits.bytes_per_second.map(|rate| Arc::new(Limit::new(rate)));
        let both = request.message.additional_address_family().is_some();
        let missing = (both && wish.additional.is_none()).then(|| other(wish.family));
        let binding =
            Binding { request: request.pending(), wish: wish.clone(), reserve: None, tries: 0 };
        self.clients.insert(request.origin.client, id);
        self.by_account.add(identity.keys.account().to_owned());
        self.by_address.add(holder(request.origin.remote.ip()));
        let allocation = Allocation {
            id,
            origin: request.origin,
            identity,
            transaction: request.message.id(),
            held: [None, None],
            flow: None,
            limit,
            binding: Some(Box::new(binding)),
            missing: missing.map(|family| (family, Refusal::AddressFamily.code())),
            token: None,
            tcp: wish.tcp.then(Box::default),
            mobility: wish.mobile.then(Box::default),
            adrift: false,
        };
        self.allocations.insert(id, allocation);
        if let Some(token) = wish.token {
            return self.redeem(now, id, token);
        }
        if !self.hold(now, id, wish.family, wish.want()) {
            return self.fall_back(now, id);
        }
        if let Some(family) = wish.additional
            && !self.hold(now, id, family, Want::Any)
            && let Some(allocation) = self.allocations.get_mut(&id)
        {
            allocation.missing = Some((family, Refusal::Capacity.code()));
        }
    }

    /// Goes on with the additional family alone, if there is one.
    //= RFC 8656 §7.2: one family of two is better than none, and ADDRESS-ERROR-CODE tells of the
    // other.
    pub(super) fn fall_back(&mut self, now: Now, id: FlowId) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let Some(binding) = allocation.binding.as_deref_mut() else { return };
        let Some(family) = binding.wish.additional.take() else {
            return self.cannot_allocate(now, id);
        };
        let lost = std::mem::replace(&mut binding.wish.family, family);
        let want = binding.wish.want();
        allocation.missing = Some((lost, Refusal::Capacity.code()));
        allocation.held.swap(0, 1);
        if allocation.held().next().is_none() && !self.hold(now, id, family, want) {
            return self.cannot_allocate(now, id);
        }
        self.complete_if_bound(now, id);
    }

    /// Completes an allocation unless it waits for a socket.
    pub(super) fn complete_if_bound(&mut self, now: Now, id: FlowId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        let reserve = allocation.binding.as_ref().and_then(|binding| binding.reserve.as_ref());
        if allocation.held().chain(reserve).all(|held| held.bound) {
            self.complete(now, id);
        }
    }

    /// Every socket of an allocation is bound: tables and client learn of it.
    pub(super) fn complete(&mut self, now: Now, id: FlowId) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let Some(binding) = allocation.binding.take() else { return };
        let until = now.mono + binding.wish.lifetime;
        allocation.held.iter_mut().flatten().for_each(|held| held.until = until);
        allocation.flow = allocation.make_flow().map(Arc::new);
        if let Some(held) = binding.reserve {
            let account = allocation.identity.keys.account().to_owned();
            let token = self.reserve(now, held, account);
            if let Some(allocation) = self.allocations.get_mut(&id) {
                allocation.token = Some(token);
            }
        }
        if binding.wish.tcp {
            self.name_tcp(id);
        }
        if binding.wish.mobile {
            self.issue_ticket(id);
        }
        self.publish(id);
        self.set_timer(id);
        let Some(allocation) = self.allocations.get(&id) else { return };
        self.stats.allocated += 1;
        self.stats.allocated_over_streams +=
            u64::from(allocation.origin.transport != Transport::Udp);
        self.stats.allocated_tcp += u64::from(allocation.is_tcp());
        let answer = allocated(now, allocation, &binding.request);
        let event = Event::Allocated {
            user: allocation.identity.keys.account().to_owned(),
            transport: allocation.origin.transport,
            client: allocation.origin.remote,
            relayed: allocation.name(),
        };
        self.outputs.event(event);
        self.send(binding.request.origin.client, &answer);
        if let relay::Client::Stream { conn } = binding.request.origin.client {
            self.conn_in_use(conn);
        }
    }

    /// No port or no socket is to be had.
    pub(super) fn cannot_allocate(&mut self, now: Now, id: FlowId) {
        let request = self.allocations.get(&id).and_then(|allocation| allocation.binding.as_ref());
        let request = request.map(|binding| binding.request.clone());
        self.release(now, id, Release::Failed);
        if let Some(request) = request {
            self.refuse_allocate(now, &request, Refusal::Capacity);
        }
    }

    /// Refuses an Allocate, and will so again when it is repeated: its client would not hear of a
    /// second answer that gave it an allocation.
    fn refuse_allocate(&mut self, now: Now, request: &Pending, refusal: Refusal) {
        let alternates = &self.config.alternates;
        let alternate = alternates.iter().find(|alternate| {
            refusal == Refusal::Draining && alternate.is_ipv4() == request.origin.remote.is_ipv4()
        });
        self.stats.refuse(refusal);
        // Without a server to name, a draining one is full.
        let code = match (refusal, alternate) {
            (Refusal::Draining, None) => Refusal::Capacity.code(),
            _ => refusal.code(),
        };
        let mut answer = Builder::new(Class::Error, request.method, request.id);
        answer.error_code(ErrorCode::new(code));
        if let Some(alternate) = alternate {
            answer.alternate_server(*alternate);
        }
        let answer = request.proof.sign(&mut answer);
        if request.origin.is_forgeable() {
            self.answers.keep(now.mono, request.origin.client, request.id, &answer);
        }
        self.send(request.origin.client, &answer);
    }
}

/// The answer to an Allocate that was fulfilled.
//= RFC 8656 §7.2: it tells the relayed addresses, the lifetime, and where the client was seen.
fn allocated(now: Now, allocation: &Allocation, request: &Pending) -> Vec<u8> {
    let mut answer = Builder::new(Class::Success, Method::ALLOCATE, request.id);
    for held in allocation.held() {
        answer.relayed_address(held.external);
    }
    let left = allocation.end().map_or(Duration::ZERO, |end| end - now.mono);
    answer.lifetime(Duration::from_secs(left.as_millis().div_ceil(1000) as u64));
    answer.xor_mapped_address(request.origin.remote);
    if let Some((family, code)) = allocation.missing {
        let error = ErrorCode { code, reason: "" };
        answer.address_error(AddressError { family, error });
    }
    if let Some(token) = allocation.token {
        answer.reservation_token(token);
    }
    if let Some(ticket) = allocation.mobility.as_deref().and_then(Mobility::ticket) {
        answer.mobility_ticket(&ticket);
    }
    request.proof.sign(&mut answer)
}

const fn other(family: Family) -> Family {
    match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    }
}
