//! The life of a mapping: asked for, renewed, made again, removed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use machine::{Endpoint, Id, Now};

use super::lease::{Held, Lease, State, Way};
use super::path::Standing;
use super::search::Search;
use super::timing::{Sendings, Timing, renewal};
use super::{Client, Error, Event, Purpose, Refusal, Timer};
use crate::defaults::{ATTEMPT, MAX_LIFETIME, MAX_RESTART_DELAY, RELEASE};
use crate::{Mapping, MappingId, Protocol, Trouble, natpmp, upnp};

/// Whom to ask for a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Take(Way),
    Wait,
    Nobody,
}

impl Client {
    /// The best that answers and has not refused, but for `but`.
    fn choice(&self, lease: &Lease, but: Option<Way>) -> Choice {
        let mut waiting = false;
        let settling = self.timers.at(&Timer::Settle).is_some();
        let running = self.search == Search::Running;
        for protocol in Protocol::ALL {
            let wanted = lease.request.protocol.is_none_or(|only| only == protocol);
            // Only PCP knows mappings towards one peer.
            let able = lease.request.peer.is_none() || protocol == Protocol::Pcp;
            if !self.speaks(protocol) || !wanted || !able {
                continue;
            }
            for (way, standing) in self.ways(lease, protocol) {
                match standing {
                    _ if Some(way) == but => {}
                    Standing::Here if waiting && settling => return Choice::Wait,
                    Standing::Here => return Choice::Take(way),
                    Standing::Unknown => waiting |= running,
                    Standing::Absent => {}
                }
            }
            let telling = running && !self.upnp_searched || self.is_reading();
            waiting |= protocol == Protocol::Upnp && telling;
            // Nobody has told yet what interfaces there are.
            waiting |= running && self.interfaces.is_empty();
        }
        if waiting { Choice::Wait } else { Choice::Nobody }
    }

    /// By whom a mapping could be asked for by one protocol.
    fn ways(&self, lease: &Lease, protocol: Protocol) -> Vec<(Way, Standing)> {
        let untried = |(way, _): &(Way, Standing)| !lease.tried.contains(way);
        if protocol == Protocol::Upnp {
            let upnp = self.upnp.iter().flat_map(upnp::Client::gateways);
            let usable = upnp.filter(|gateway| maps(gateway, lease));
            let mut ways: Vec<_> = usable.map(|gateway| gateway.address).collect();
            // A pinhole is best asked for from the address that it is for.
            let family = lease.request.internal.is_ipv4();
            ways.sort_by_key(|address| address.is_ipv4() != family);
            return ways
                .into_iter()
                .map(|address| (Way::Upnp(address), Standing::Here))
                .filter(untried)
                .collect();
        }
        let near = self.paths.values().filter(|path| lease.fits(path.route.local));
        let ways = near.map(|path| {
            let (way, server) = match protocol {
                Protocol::Pcp => (Way::Pcp(path.socket), &path.pcp),
                _ => (Way::NatPmp(path.socket), &path.natpmp),
            };
            (way, if server.useless { Standing::Absent } else { server.standing })
        });
        ways.filter(untried).collect()
    }

    /// Whether somebody can be asked at once.
    pub(super) fn has_choice(&self, id: MappingId) -> bool {
        let lease = self.leases.get(&id);
        lease.is_some_and(|lease| matches!(self.choice(lease, None), Choice::Take(_)))
    }

    /// Whether somebody else could be asked at once for what is being asked for.
    fn has_rival(&self, id: MappingId) -> bool {
        let lease = self.leases.get(&id);
        lease.is_some_and(|lease| matches!(self.choice(lease, lease.way()), Choice::Take(_)))
    }

    /// Finds somebody to ask for a mapping that waits; ends it if there is nobody.
    pub(super) fn choose(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.get(&id) else { return };
        if !matches!(lease.state, State::Waiting) {
            return;
        }
        match self.choice(lease, None) {
            Choice::Take(way) => self.ask(now, id, way),
            Choice::Wait => {}
            Choice::Nobody => self.end(id, None),
        }
    }

    /// Ends a mapping that is not to be had.
    pub(super) fn end(&mut self, id: MappingId, error: Option<Error>) {
        let Some(lease) = self.leases.remove(&id) else { return };
        self.timers.cancel(&Timer::Lease(id));
        let error = error.or(lease.error).unwrap_or(Error::NoGateway);
        self.out.event(match lease.told {
            Some(_) => Event::Lost { id, error },
            None => Event::Failed { id, error },
        });
    }

    /// Asks for a mapping, or for one again that stood.
    pub(super) fn ask(&mut self, now: Now, id: MappingId, way: Way) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        self.timers.cancel(&Timer::Lease(id));
        let timing = match way {
            Way::Pcp(_) => Timing::Pcp,
            Way::NatPmp(socket) => {
                // The answer to a mapping leaves the address outside out.
                let external = self.paths.get(&socket).and_then(|path| path.external);
                lease.state = State::Asking { way, sendings: None };
                match external {
                    Some(Err(code)) => {
                        return self.refused(now, id, super::lease::natpmp_error(code));
                    }
                    Some(Ok(ip)) if ip.is_unspecified() => {
                        return self.refused(now, id, Trouble::NotConnected.into());
                    }
                    _ => Timing::NatPmp,
                }
            }
            Way::Upnp(gateway) => return self.ask_upnp(now, id, gateway),
        };
        lease.state = State::Asking { way, sendings: Some(Sendings::new(timing, now.mono)) };
        self.send(now, id);
    }

    /// Sends what a mapping's state asks for, once more.
    fn send(&mut self, now: Now, id: MappingId) {
        let rival = self.has_rival(id);
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let Some(sendings) = lease.sendings() else { return };
        let elapsed = sendings.elapsed(now.mono);
        let Some(mut next) = sendings.send(now.mono, &mut self.times) else {
            return self.unanswered(now, id);
        };
        let patience = match &lease.state {
            // Only where there is another way does it matter how long this one takes.
            State::Asking { .. } if rival => ATTEMPT.checked_sub(elapsed),
            State::Releasing { .. } => RELEASE.checked_sub(elapsed),
            State::Held(held) => held.expires().map(|expires| expires - now.mono),
            _ => None,
        };
        if let Some(patience) = patience.filter(|patience| !patience.is_zero()) {
            next = next.min(now.mono + patience);
        }
        self.timers.set(Timer::Lease(id), next);
        self.transmit(id);
    }

    /// Sends the datagram that a mapping's state asks for.
    fn transmit(&mut self, id: MappingId) {
        let Some(lease) = self.leases.get(&id) else { return };
        let remove = matches!(lease.state, State::Releasing { .. });
        if let Some(way) = lease.way() {
            self.write(id, way, remove);
        }
    }

    /// Sends the request for a mapping or its removal.
    fn write(&mut self, id: MappingId, way: Way, remove: bool) {
        let Some(path) = way.socket().and_then(|socket| self.paths.get(&socket)) else { return };
        let Some(lease) = self.leases.get(&id) else { return };
        let mut bytes = Vec::new();
        match way {
            Way::Pcp(_) => lease.pcp(path.route.local, remove).write(&mut bytes),
            _ => lease.natpmp(remove).write(&mut bytes),
        }
        self.out.datagram(path.socket, path.remote(), &bytes);
    }

    /// The timer of a mapping is due.
    pub(super) fn lease_due(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.get(&id) else { return };
        match &lease.state {
            State::Waiting => {}
            State::Asking { sendings: Some(sendings), .. } => {
                if sendings.elapsed(now.mono) >= ATTEMPT && self.has_rival(id) {
                    return self.unanswered(now, id);
                }
                self.send(now, id);
            }
            State::Releasing { sendings: Some(sendings), .. } => {
                if sendings.elapsed(now.mono) >= RELEASE {
                    return self.released(now, id);
                }
                self.send(now, id);
            }
            State::Asking { .. } | State::Releasing { .. } => {}
            State::Held(held) if held.expires().is_some_and(|at| at <= now.mono) => {
                let error = Error::NoAnswer(held.way.protocol());
                self.displaced(now, id, error);
            }
            State::Held(_) => self.renew(now, id),
        }
    }

    /// Nobody has answered for as long as is waited.
    fn unanswered(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        match &mut lease.state {
            State::Waiting => {}
            State::Asking { way, .. } => {
                // It may have been granted, and the answer lost: no rival shall remain.
                let way = *way;
                self.write(id, way, true);
                self.refused(now, id, Error::NoAnswer(way.protocol()));
            }
            State::Held(held) => {
                held.sendings = None;
                self.schedule(now, id);
            }
            State::Releasing { .. } => self.released(now, id),
        }
    }

    /// Tries to renew a mapping, or goes on trying.
    fn renew(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let State::Held(held) = &mut lease.state else { return };
        if held.sendings.is_some() {
            return self.send(now, id);
        }
        held.attempts = held.attempts.saturating_add(1);
        match held.way {
            //= RFC 6887 §11.2.1: one request at each of these times.
            Way::Pcp(_) => {
                self.transmit(id);
                self.schedule(now, id);
            }
            Way::NatPmp(_) => {
                held.sendings = Some(Sendings::new(Timing::NatPmp, now.mono));
                self.send(now, id);
            }
            Way::Upnp(_) => {
                if let (Some(upnp), Some(granted)) = (&mut self.upnp, &held.upnp) {
                    let call = upnp.renew(now, granted);
                    self.calls.insert(call, Purpose::Renew(id));
                }
                self.schedule(now, id);
            }
        }
    }

    /// Sets the time for the next renewal, or for the end.
    fn schedule(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.get(&id) else { return };
        let State::Held(held) = &lease.state else { return };
        let (Some(lifetime), Some(expires)) = (held.lifetime, held.expires()) else { return };
        let at = renewal(held.granted, lifetime, held.attempts, now.mono, &mut self.times);
        self.timers.set(Timer::Lease(id), at.min(expires));
    }

    /// A gateway says that a mapping stands.
    pub(super) fn granted(&mut self, now: Now, id: MappingId, grant: Grant) {
        let Grant { way, external, lifetime, upnp } = grant;
        let Some(place) = self.place(way) else { return };
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let local = match lease.request.internal.ip() {
            ip if ip.is_unspecified() => place.local,
            ip => ip,
        };
        let mapping = Mapping {
            protocol: way.protocol(),
            gateway: place.gateway.ip(),
            transport: lease.request.transport,
            internal: Endpoint::new(local, lease.request.internal.port()),
            external,
            lease: lifetime,
        };
        if let Err(error) = lease.judge(&mapping) {
            match (&error, way) {
                (Error::Elsewhere(external), _) => {
                    self.refuse(place.gateway, Refusal::Elsewhere(*external));
                }
                (Error::Trouble(_), Way::Pcp(socket)) => self.learn_external(socket, None),
                _ => {}
            }
            self.discard(now, id, way, upnp.as_ref());
            return self.refused(now, id, error);
        }
        let lifetime = lifetime.map(|lifetime| lifetime.min(MAX_LIFETIME));
        let granted = now.mono;
        let (attempts, sendings) = (0, None);
        lease.state = State::Held(Held { way, granted, lifetime, attempts, sendings, upnp });
        lease.tried.clear();
        lease.error = None;
        self.timers.cancel(&Timer::Lease(id));
        self.schedule(now, id);
        self.tell(id, mapping);
        match way {
            Way::Pcp(socket) => {
                // Through a firewall for IPv6 it would be our own.
                if external.is_ipv4() {
                    self.learn_external(socket, Some(external.ip()));
                }
                self.make_next_again(now, way);
            }
            Way::NatPmp(_) => self.make_next_again(now, way),
            Way::Upnp(_) => self.watch_upnp(now),
        }
    }

    /// Tells what a mapping is, if that is new.
    pub(super) fn tell(&mut self, id: MappingId, mapping: Mapping) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let told = lease.told.replace(mapping.clone());
        match told {
            None => self.out.event(Event::Mapped { id, mapping }),
            Some(told) if (Mapping { lease: mapping.lease, ..told }) != mapping => {
                self.out.event(Event::Changed { id, mapping });
            }
            Some(_) => {}
        }
    }

    /// A PCP server has told its address outside, or that it has none.
    pub(super) fn learn_external(&mut self, socket: Id, external: Option<IpAddr>) {
        let Some(path) = self.paths.get(&socket) else { return };
        let key = (Protocol::Pcp, path.route.router);
        if let Some(mut gateway) = self.gateways.get(&key).cloned() {
            gateway.external = external;
            gateway.trouble = external.map_or(Some(Trouble::NotConnected), Trouble::of);
            self.show(gateway);
        }
    }

    /// Removes what was granted and cannot be used.
    fn discard(&mut self, now: Now, id: MappingId, way: Way, granted: Option<&upnp::Granted>) {
        match (&mut self.upnp, granted) {
            (Some(upnp), Some(granted)) => {
                let call = upnp.unmap(now, granted);
                self.calls.insert(call, Purpose::Nothing);
            }
            _ => self.write(id, way, true),
        }
    }

    /// Whom a mapping was asked of has refused, or not answered: the next one.
    pub(super) fn refused(&mut self, now: Now, id: MappingId, error: Error) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        let way = lease.way();
        self.timers.cancel(&Timer::Lease(id));
        lease.state = State::Waiting;
        lease.tried.extend(way);
        //= RFC 6887 §13.2: who prefers failure has it.
        if error == Error::NotThatOne {
            self.end(id, Some(error));
        } else {
            lease.error = Some(error);
            self.choose(now, id);
        }
        if let Some(way) = way {
            self.make_next_again(now, way);
        }
    }

    /// Whom a mapping was held by is gone: a search shows who is there now.
    pub(super) fn displaced(&mut self, now: Now, id: MappingId, error: Error) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        self.timers.cancel(&Timer::Lease(id));
        if matches!(lease.state, State::Releasing { .. }) {
            return self.released(now, id);
        }
        lease.state = State::Waiting;
        lease.tried.clear();
        lease.error = Some(error);
        let internal = lease.request.internal.ip();
        if !internal.is_unspecified() && !self.is_ours(internal) {
            return self.end(id, Some(Error::NotOurs(internal)));
        }
        if self.search != Search::Running {
            self.search(now);
        }
    }

    /// Removes a mapping.
    pub(super) fn release(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        self.timers.cancel(&Timer::Lease(id));
        let timing = match lease.way() {
            //= RFC 6887 §12.1: PEER cannot remove a mapping; it ends when nobody renews it.
            Some(_) if lease.request.peer.is_some() => return self.released(now, id),
            None => return self.released(now, id),
            Some(Way::Pcp(_)) => Timing::Pcp,
            Some(Way::NatPmp(_)) => Timing::NatPmp,
            Some(Way::Upnp(_)) => return self.release_upnp(now, id),
        };
        if let (State::Asking { way, .. } | State::Held(Held { way, .. }), sendings) =
            (&lease.state, Sendings::new(timing, now.mono))
        {
            lease.state = State::Releasing { way: *way, sendings: Some(sendings) };
            self.send(now, id);
        }
    }

    /// A mapping is gone, or nobody confirms it.
    pub(super) fn released(&mut self, now: Now, id: MappingId) {
        let Some(lease) = self.leases.remove(&id) else { return };
        self.timers.cancel(&Timer::Lease(id));
        self.out.event(Event::Unmapped { id });
        if let Some(way) = lease.way() {
            self.make_next_again(now, way);
        }
    }

    /// A server has forgotten its mappings: they are made again, those aside that `but` knows of.
    //= RFC 6886 §3.7: after a random time of up to five seconds, one after the other.
    //= RFC 6887 §14.1.3: the same, so that a restarted server is not flooded.
    pub(super) fn restarted(
        &mut self,
        now: Now,
        socket: Id,
        protocol: Protocol,
        but: Option<MappingId>,
    ) {
        let way = if protocol == Protocol::Pcp { Way::Pcp(socket) } else { Way::NatPmp(socket) };
        let lost =
            |(id, lease): &(&MappingId, &Lease)| lease.held_by() == Some(way) && but != Some(**id);
        let lost = self.leases.iter().filter(lost).map(|(id, _)| *id).collect();
        let Some(path) = self.paths.get_mut(&socket) else { return };
        let gateway = path.route.router;
        let Some(server) = path.server(protocol) else { return };
        server.recreate = lost;
        let bound = u64::try_from(MAX_RESTART_DELAY.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(1 + self.times.below(bound));
        self.timers.set(Timer::Recreate(socket, protocol), now.mono + delay);
        self.out.event(Event::Restarted { gateway, protocol });
    }

    /// The time has come to make mappings again.
    pub(super) fn recreate_due(&mut self, now: Now, socket: Id, protocol: Protocol) {
        let way = if protocol == Protocol::Pcp { Way::Pcp(socket) } else { Way::NatPmp(socket) };
        // With the mappings, a NAT that restarted often lost its address outside.
        if protocol == Protocol::NatPmp
            && let Some(path) = self.paths.get_mut(&socket)
        {
            path.natpmp.asking = Some(Sendings::new(Timing::NatPmp, now.mono));
            self.ask_server(now, socket, protocol);
        }
        self.make_next_again(now, way);
    }

    /// Makes the next mapping again that a server forgot.
    fn make_next_again(&mut self, now: Now, way: Way) {
        let Some(socket) = way.socket() else { return };
        if self.timers.at(&Timer::Recreate(socket, way.protocol())).is_some() {
            return;
        }
        loop {
            let server = self.paths.get_mut(&socket).and_then(|path| path.server(way.protocol()));
            let Some(id) = server.and_then(|server| server.recreate.pop_front()) else { return };
            if self.leases.get(&id).is_some_and(|lease| lease.held_by() == Some(way)) {
                return self.ask(now, id, way);
            }
        }
    }

    /// NAT-PMP has told the address outside, or why there is none.
    pub(super) fn external_by_natpmp(
        &mut self,
        now: Now,
        socket: Id,
        external: Result<Ipv4Addr, natpmp::ResultCode>,
    ) {
        let Some(path) = self.paths.get_mut(&socket) else { return };
        path.external = Some(external);
        // It is the address outside for PCP too, which does not tell it by itself.
        if path.pcp.standing == Standing::Here {
            self.show_path(socket, Protocol::Pcp);
        }
        self.heard(now, socket, Protocol::NatPmp);
        let Ok(ip) = external else { return };
        let held = |lease: &Lease| lease.held_by() == Some(Way::NatPmp(socket));
        let told = self.leases.iter().filter(|(_, lease)| held(lease)).filter_map(|(id, lease)| {
            let told = lease.told.clone()?;
            let moved = Mapping { external: Endpoint::new(ip, told.external.port()), ..told };
            lease.judge(&moved).is_ok().then_some((*id, moved))
        });
        let told: Vec<_> = told.collect();
        for (id, mapping) in told {
            self.tell(id, mapping);
        }
    }
}

/// What a gateway says that it granted.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) way: Way,
    pub(super) external: Endpoint,
    pub(super) lifetime: Option<Duration>,
    pub(super) upnp: Option<upnp::Granted>,
}

/// Whether a gateway of UPnP can do what is wanted.
fn maps(gateway: &upnp::Gateway, lease: &Lease) -> bool {
    if lease.request.internal.is_ipv4() {
        return gateway.connection.is_some() && lease.fits(gateway.local);
    }
    let named = !lease.request.internal.ip().is_unspecified();
    let pinholes = gateway.firewall.is_some_and(|firewall| firewall.pinholes_allowed);
    pinholes && (lease.fits(gateway.local) || (gateway.local.is_ipv4() && named))
}
