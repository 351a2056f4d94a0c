//! What gateways of UPnP are asked and say.

use std::net::IpAddr;

use machine::{Endpoint, Machine as _, Now, Transport};

use super::answers::plain;
use super::lease::{Lease, State, Way};
use super::leases::Grant;
use super::search::Search;
use super::{Client, Error, Event, Purpose, Timer};
use crate::defaults::{IGD_INTERVAL, MAX_WISHES};
use crate::upnp::igd::ConnectionStatus;
use crate::upnp::ssdp;
use crate::{Details, Gateway, MappingId, Protocol, Trouble, upnp};

/// What is wanted of the first gateway of UPnP that is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    List,
    Remove { transport: Transport, external_port: u16 },
}

/// Addresses of a gateway and of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) gateway: Endpoint,
    pub(super) local: IpAddr,
}

impl Client {
    /// Where a way leads.
    pub(super) fn place(&self, way: Way) -> Option<Place> {
        match way {
            Way::Pcp(socket) | Way::NatPmp(socket) => {
                let path = self.paths.get(&socket)?;
                Some(Place { gateway: path.remote(), local: path.route.local })
            }
            Way::Upnp(address) => {
                let gateway = self.igd(address)?;
                Some(Place { gateway: Endpoint::new(address, ssdp::PORT), local: gateway.local })
            }
        }
    }

    fn igd(&self, address: IpAddr) -> Option<&upnp::Gateway> {
        self.upnp.as_ref()?.gateways().find(|gateway| gateway.address == address)
    }

    /// Asks a gateway for a mapping.
    pub(super) fn ask_upnp(&mut self, now: Now, id: MappingId, address: IpAddr) {
        let local = self.igd(address).map(|gateway| gateway.local);
        let (Some(upnp), Some(lease)) = (&mut self.upnp, self.leases.get_mut(&id)) else { return };
        let local = local.unwrap_or(lease.request.internal.ip());
        lease.state = State::Asking { way: Way::Upnp(address), sendings: None };
        let call = upnp.map(now, address, &lease.upnp(local));
        self.calls.insert(call, Purpose::Map(id));
    }

    /// Removes a mapping; one that is just being asked for, when the answer has come.
    pub(super) fn release_upnp(&mut self, now: Now, id: MappingId) {
        let (Some(upnp), Some(lease)) = (&mut self.upnp, self.leases.get_mut(&id)) else { return };
        let Some(way) = lease.way() else { return };
        let releasing = State::Releasing { way, sendings: None };
        if let State::Held(held) = std::mem::replace(&mut lease.state, releasing)
            && let Some(granted) = held.upnp
        {
            let call = upnp.unmap(now, &granted);
            self.calls.insert(call, Purpose::Unmap(id));
        }
    }

    /// Looks at the gateways that map, every now and then.
    pub(super) fn watch_upnp(&mut self, now: Now) {
        if self.timers.at(&Timer::Igd).is_none() {
            self.timers.set(Timer::Igd, now.mono + IGD_INTERVAL);
        }
    }

    /// The time has come to look at the gateways that map.
    pub(super) fn igd_due(&mut self, now: Now) {
        let mut gateways: Vec<IpAddr> = Vec::new();
        for lease in self.leases.values() {
            if let Some(Way::Upnp(gateway)) = lease.held_by()
                && !gateways.contains(&gateway)
            {
                gateways.push(gateway);
            }
        }
        for gateway in &gateways {
            if let Some(upnp) = &mut self.upnp {
                let call = upnp.refresh(now, *gateway);
                self.calls.insert(call, Purpose::Nothing);
            }
        }
        if !gateways.is_empty() {
            self.watch_upnp(now);
        }
    }

    /// Notes what is wanted of UPnP alone; searches if nobody is known.
    pub(super) fn wish(&mut self, now: Now, wish: Wish) {
        if self.is_closing() {
            return self.answer_wish(wish, Err(Error::Closed));
        }
        if self.wishes.len() == MAX_WISHES {
            return self.answer_wish(wish, Err(Error::TooMany));
        }
        self.wishes.push(wish);
        if self.mapper().is_none() && self.search != Search::Running {
            self.search(now);
        }
        self.grant_wishes(now);
    }

    /// The first gateway that maps ports.
    fn mapper(&self) -> Option<IpAddr> {
        let mut gateways = self.upnp.iter().flat_map(upnp::Client::gateways);
        gateways.find(|gateway| gateway.connection.is_some()).map(|gateway| gateway.address)
    }

    /// Does what is wanted, or says that it cannot be done.
    pub(super) fn grant_wishes(&mut self, now: Now) {
        let mapper = self.mapper();
        if mapper.is_none() && (self.search == Search::Running || self.is_reading()) {
            return;
        }
        for wish in std::mem::take(&mut self.wishes) {
            let (Some(gateway), Some(upnp)) = (mapper, &mut self.upnp) else {
                self.answer_wish(wish, Err(Error::NoGateway));
                continue;
            };
            let call = match wish {
                Wish::List => upnp.list(now, gateway),
                Wish::Remove { transport, external_port } => {
                    upnp.remove(now, gateway, plain(transport), external_port)
                }
            };
            self.calls.insert(call, Purpose::Wish(wish));
        }
    }

    pub(super) fn answer_wish(&mut self, wish: Wish, result: Result<(), Error>) {
        self.out.event(match wish {
            Wish::List => Event::Listed(result.map(|()| Vec::new())),
            Wish::Remove { transport, external_port } => {
                Event::Removed { transport, external_port, result }
            }
        });
    }

    /// Hands on what UPnP wants done, and hears what it says; whether it said anything.
    pub(super) fn drain_upnp(&mut self, now: Now) -> bool {
        let (mut buf, mut said) = (Vec::new(), false);
        while let Some(output) = self.upnp.as_mut().and_then(|upnp| {
            buf.clear();
            upnp.poll_output(&mut buf)
        }) {
            match output.split() {
                Ok(output) => self.out.push_with(output, &buf),
                Err(event) => {
                    said = true;
                    self.upnp_said(now, event);
                }
            }
        }
        said
    }

    fn upnp_said(&mut self, now: Now, event: upnp::Event) {
        match event {
            upnp::Event::Found(gateway) => {
                self.show(shown(&gateway));
                self.choose_for_all(now);
                self.grant_wishes(now);
            }
            upnp::Event::Searched => {
                self.upnp_searched = true;
                self.choose_for_all(now);
                self.grant_wishes(now);
            }
            upnp::Event::Restarted { gateway } => self.igd_restarted(now, gateway),
            upnp::Event::Lost { gateway, error } => self.igd_lost(now, gateway, error),
            upnp::Event::Mapped { call, granted } => {
                let purpose = self.calls.remove(&call);
                self.igd_mapped(now, purpose, granted);
            }
            upnp::Event::Unmapped { call } => match self.calls.remove(&call) {
                Some(Purpose::Unmap(id)) => self.released(now, id),
                Some(Purpose::Wish(wish)) => self.answer_wish(wish, Ok(())),
                _ => {}
            },
            upnp::Event::Listed { call, entries, .. } => {
                if let Some(Purpose::Wish(Wish::List)) = self.calls.remove(&call) {
                    self.out.event(Event::Listed(Ok(entries)));
                }
            }
            upnp::Event::Failed { call, error, .. } => {
                let purpose = self.calls.remove(&call);
                self.igd_failed(now, purpose, error);
            }
            upnp::Event::Refused { from, why } => {
                self.refuse(Endpoint::new(from, ssdp::PORT), why.into());
            }
        }
    }

    fn held_by_igd(&self, gateway: IpAddr) -> Vec<MappingId> {
        let held = |lease: &Lease| lease.held_by() == Some(Way::Upnp(gateway));
        self.leases.iter().filter(|(_, lease)| held(lease)).map(|(id, _)| *id).collect()
    }

    fn igd_restarted(&mut self, now: Now, gateway: IpAddr) {
        self.out.event(Event::Restarted { gateway, protocol: Protocol::Upnp });
        for id in self.held_by_igd(gateway) {
            self.ask_upnp(now, id, gateway);
        }
    }

    fn igd_lost(&mut self, now: Now, gateway: IpAddr, error: upnp::Error) {
        self.gateways.remove(&(Protocol::Upnp, gateway));
        let error = upnp_error(error, false);
        for id in self.held_by_igd(gateway) {
            self.displaced(now, id, error.clone());
        }
    }

    fn igd_mapped(&mut self, now: Now, purpose: Option<Purpose>, granted: upnp::Granted) {
        let way = Way::Upnp(granted.mapping.gateway);
        let lease = match purpose {
            Some(Purpose::Map(id) | Purpose::Renew(id)) => {
                self.leases.get(&id).filter(|lease| lease.way() == Some(way)).map(|l| (id, l))
            }
            _ => None,
        };
        match (lease, &mut self.upnp) {
            (Some((id, lease)), Some(upnp)) if matches!(lease.state, State::Releasing { .. }) => {
                if purpose == Some(Purpose::Map(id)) {
                    let call = upnp.unmap(now, &granted);
                    self.calls.insert(call, Purpose::Unmap(id));
                }
            }
            (Some((id, _)), _) => {
                let (external, lifetime) = (granted.mapping.external, granted.mapping.lease);
                self.granted(now, id, Grant { way, external, lifetime, upnp: Some(granted) });
            }
            // Nobody waits for it any more.
            (None, Some(upnp)) => {
                let call = upnp.unmap(now, &granted);
                self.calls.insert(call, Purpose::Nothing);
            }
            (None, None) => {}
        }
    }

    fn igd_failed(&mut self, now: Now, purpose: Option<Purpose>, error: upnp::Error) {
        match purpose {
            Some(Purpose::Map(id)) => {
                let Some(lease) = self.leases.get(&id) else { return };
                match &lease.state {
                    State::Releasing { .. } => self.released(now, id),
                    State::Asking { way: Way::Upnp(_), .. } => {
                        let exactly = lease.request.prefer_failure;
                        self.refused(now, id, upnp_error(error, exactly));
                    }
                    _ => {}
                }
            }
            Some(Purpose::Renew(id)) => {
                let way = self.leases.get(&id).and_then(Lease::held_by);
                let silent = matches!(error, upnp::Error::TimedOut | upnp::Error::Unreachable);
                // It may have forgotten the mapping, or given the port to somebody else.
                if let (Some(Way::Upnp(gateway)), false) = (way, silent) {
                    self.ask_upnp(now, id, gateway);
                }
            }
            Some(Purpose::Unmap(id)) => self.released(now, id),
            Some(Purpose::Wish(wish)) => self.answer_wish(wish, Err(upnp_error(error, false))),
            Some(Purpose::Nothing) | None => {}
        }
    }
}

/// A gateway of UPnP as all gateways are shown.
fn shown(gateway: &upnp::Gateway) -> Gateway {
    let down = matches!(&gateway.status, Some(ConnectionStatus::Disconnected));
    let trouble = match gateway.external {
        _ if down => Some(Trouble::NotConnected),
        Some(external) => Trouble::of(external),
        None => gateway.connection.is_some().then_some(Trouble::NotConnected),
    };
    Gateway {
        address: gateway.address,
        local: gateway.local,
        protocol: Protocol::Upnp,
        external: gateway.external,
        epoch: gateway.uptime,
        details: Some(Details {
            version: gateway.version,
            friendly_name: gateway.friendly_name.clone(),
            manufacturer: gateway.manufacturer.clone(),
            model: gateway.model.clone(),
            service: gateway.connection.clone(),
            status: gateway.status.clone(),
            pinholes: gateway.firewall.map(|firewall| firewall.pinholes_allowed),
        }),
        trouble,
    }
}

/// What an error of UPnP means; `exactly` if no other port would do.
fn upnp_error(error: upnp::Error, exactly: bool) -> Error {
    match error {
        upnp::Error::NotConnected => Trouble::NotConnected.into(),
        upnp::Error::NoGateway => Error::NoGateway,
        upnp::Error::TimedOut | upnp::Error::Unreachable => Error::NoAnswer(Protocol::Upnp),
        upnp::Error::External(ip) => Error::Elsewhere(Endpoint::new(ip, 0)),
        upnp::Error::Fault(fault) => match fault.code {
            // ConflictInMappingEntry.
            718 if exactly => Error::NotThatOne,
            code => Error::Refused { protocol: Protocol::Upnp, code, reason: fault.description },
        },
        other => Error::Upnp(other),
    }
}
