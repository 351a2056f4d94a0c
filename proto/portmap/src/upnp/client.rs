//! Finds gateways and asks them.
//!
//! A part of a machine: it searches the interfaces that it is told, reads the description of what
//! answers, and carries out one call after the other at each gateway. It renews nothing by itself:
//! its owner does.
//!
//! What answers is not trusted further than it must be: it is on the link, it is asked at its own
//! address and no other, it is not followed anywhere, and what it sends is bounded in size and time.

mod device;
mod event;
mod exchange;
mod search;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{
    Endpoint, Entropy, Id, Ids, Input, Instant, Interface, Machine, Now, Output, Outputs, Timers,
    Transport,
};

use super::defaults::{AGAIN, GATEWAYS, SEARCH_TIME, SEARCH_TIMES, SILENCES, UPTIME_SLACK};
use device::{Device, Over};
use search::{Candidate, Search};
use work::{List, Map, Outcome, Pinhole, Remove, Survey, Work};

pub use event::{Call, Error, Event, Gateway, Granted, Refusal, Request};

/// The UPnP client.
#[derive(Debug)]
pub struct Client {
    ids: Ids,
    entropy: Entropy,
    description: String,
    out: Outputs<Event, Infallible>,
    timers: Timers<Timer>,
    interfaces: Vec<Interface>,
    search: Option<Search>,
    began: Instant,
    devices: BTreeMap<u64, Device>,
    devices_begun: u64,
    calls: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The search is sent again.
    Send,
    /// The search has waited long enough.
    Searched,
    /// The exchange of a device has taken too long.
    Exchange(u64),
    /// A gateway that was silent is asked again.
    Again(u64),
}

impl Client {
    /// A client that knows no gateway. Its sockets and connections have names of `ids`; `description`
    /// is what its mappings are called in the router's list.
    #[must_use]
    pub fn new(ids: Ids, entropy: Entropy, description: &str) -> Self {
        Self {
            ids,
            entropy,
            description: description.into(),
            out: Outputs::new(),
            timers: Timers::new(),
            interfaces: Vec::new(),
            search: None,
            began: Instant::ORIGIN,
            devices: BTreeMap::new(),
            devices_begun: 0,
            calls: 0,
        }
    }

    /// Whether an input with this name is for this client.
    #[must_use]
    pub const fn owns(&self, id: Id) -> bool {
        self.ids.contains(id)
    }

    /// Searches every interface; gateways come as [`Event::Found`], those known too, and then
    /// [`Event::Searched`]. A search under way begins again.
    pub fn search(&mut self, now: Now) {
        if let Some(mut search) = self.search.take() {
            search.close(&mut self.out);
        }
        for device in self.devices.values_mut() {
            device.seen = false;
        }
        self.began = now.mono;
        self.search = Some(Search::begin(&mut self.ids, &self.interfaces, &mut self.out));
        self.timers.set(Timer::Searched, now.mono + SEARCH_TIME);
        self.send();
        self.finish();
    }

    /// The gateways that were found.
    pub fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.devices.values().filter_map(|device| device.known.as_ref()).map(|known| &known.gateway)
    }

    /// Whether a device that has answered is still telling what it is.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.devices.values().any(|device| device.pending && device.known.is_none())
    }

    /// Asks a gateway for its external address and status again: [`Event::Found`], perhaps after
    /// [`Event::Restarted`]; or [`Event::Failed`], and [`Event::Lost`] if it is silent.
    pub fn refresh(&mut self, now: Now, gateway: IpAddr) -> Call {
        self.ask(now, gateway, None, |device| {
            Box::new(Survey::new(device.location.clone(), device.local, false))
        })
    }

    /// Asks for a mapping (IPv4) or a pinhole (IPv6): [`Event::Mapped`] or [`Event::Failed`]. Gateways
    /// open pinholes only for who asks over IPv6.
    pub fn map(&mut self, now: Now, gateway: IpAddr, request: &Request) -> Call {
        let mut request = request.clone();
        let (description, entropy) = (self.description.clone(), self.fork());
        self.ask(now, gateway, Some(request.internal.ip()), |device| {
            if request.internal.ip().is_unspecified() {
                request.internal = Endpoint::new(device.local, request.internal.port());
            }
            match request.internal.is_ipv4() {
                true => Box::new(Map::new(request, &description, entropy)),
                false => Box::new(Pinhole::new(request)),
            }
        })
    }

    /// Renews what was granted, at the same port or not at all: [`Event::Mapped`] or
    /// [`Event::Failed`].
    pub fn renew(&mut self, now: Now, granted: &Granted) -> Call {
        let (description, entropy) = (self.description.clone(), self.fork());
        let internal = granted.mapping.internal;
        self.ask(now, granted.mapping.gateway, Some(internal.ip()), |_| match internal.is_ipv4() {
            true => Box::new(Map::renewal(granted, &description, entropy)),
            false => Box::new(Pinhole::renewal(granted)),
        })
    }

    /// Removes what was granted: [`Event::Unmapped`], also if it was gone, or [`Event::Failed`].
    pub fn unmap(&mut self, now: Now, granted: &Granted) -> Call {
        let mapping = &granted.mapping;
        self.ask(now, mapping.gateway, Some(mapping.internal.ip()), |_| {
            Box::new(match mapping.internal.is_ipv4() {
                true => Remove::mapping(mapping.transport, mapping.external.port(), false),
                false => Remove::pinhole(granted.pinhole),
            })
        })
    }

    /// Removes whatever mapping there is of an external port: [`Event::Unmapped`] or
    /// [`Event::Failed`].
    pub fn remove(&mut self, now: Now, gateway: IpAddr, transport: Transport, port: u16) -> Call {
        self.ask(now, gateway, None, |_| Box::new(Remove::mapping(transport, port, true)))
    }

    /// Asks for all mappings of a gateway: [`Event::Listed`] or [`Event::Failed`].
    pub fn list(&mut self, now: Now, gateway: IpAddr) -> Call {
        self.ask(now, gateway, None, |_| Box::new(List::default()))
    }

    /// Gives a call up that has not been answered; nothing more is heard of it.
    pub fn cancel(&mut self, now: Now, call: Call) {
        let Self { devices, out, .. } = self;
        let mut devices = devices.iter_mut();
        let found =
            devices.find_map(|(number, device)| device.cancel(call, out).then_some(*number));
        if let Some(number) = found {
            self.advance(now, number);
        }
    }

    /// Closes sockets and connections at once and forgets everything.
    pub fn close(&mut self) {
        if let Some(mut search) = self.search.take() {
            search.close(&mut self.out);
        }
        for device in self.devices.values_mut() {
            device.close(&mut self.out);
        }
        self.devices.clear();
        self.timers = Timers::new();
    }

    fn fork(&self) -> Entropy {
        self.entropy.fork(&format!("upnp.port.{}", self.calls))
    }

    /// Queues a call at a gateway. It connects from the address that the call is about, where that is
    /// ours: gateways may let hosts open ports for themselves alone.
    fn ask(
        &mut self,
        now: Now,
        gateway: IpAddr,
        about: Option<IpAddr>,
        work: impl FnOnce(&Device) -> Box<dyn Work>,
    ) -> Call {
        self.calls += 1;
        let call = Call(self.calls);
        let is_ours = |ip: &IpAddr| {
            self.interfaces.iter().flat_map(|i| &i.addresses).any(|address| address.ip == *ip)
        };
        let about = about.filter(|ip| ip.is_ipv4() == gateway.is_ipv4() && is_ours(ip));
        let mut devices = self.devices.iter_mut();
        let found =
            devices.find(|(_, device)| device.known.is_some() && device.address() == gateway);
        let error = match found {
            None => Error::NoGateway,
            Some((number, device)) => {
                let (number, work) = (*number, work(device));
                if device.ask(call, about.unwrap_or(device.local), work) {
                    self.advance(now, number);
                    return call;
                }
                Error::TooManyCalls
            }
        };
        self.out.event(Event::Failed { call, gateway, error });
        call
    }

    /// Sends the search.
    fn send(&mut self) {
        let Some(search) = &mut self.search else { return };
        if search.send(&self.interfaces, &mut self.out) {
            let next = SEARCH_TIMES.get(search.sent).copied().unwrap_or(SEARCH_TIME);
            self.timers.set(Timer::Send, self.began + next);
        }
    }

    /// No more answers are waited for: those gateways that gave none are asked whether they still
    /// are there.
    fn searched(&mut self, now: Now) {
        let Some(search) = &mut self.search else { return };
        search.over = true;
        search.close(&mut self.out);
        let silent = self.devices.iter_mut().filter(|(_, device)| !device.seen);
        let silent: Vec<u64> = silent
            .map(|(number, device)| {
                device.survey(false);
                *number
            })
            .collect();
        for number in silent {
            self.advance(now, number);
        }
        self.finish();
    }

    /// Ends the search if nothing of it is open.
    fn finish(&mut self) {
        let deaf = self.search.as_ref().is_some_and(|search| search.is_deaf() || search.over);
        if !deaf || self.devices.values().any(|device| device.pending) {
            return;
        }
        let Some(mut search) = self.search.take() else { return };
        search.close(&mut self.out);
        self.timers.cancel(&Timer::Send);
        self.timers.cancel(&Timer::Searched);
        let Self { devices, out, .. } = self;
        let is_found = |udn: &str| devices.values().any(|device| device.udn == udn);
        for (from, why) in search.refusals(is_found) {
            out.event(Event::Refused { from, why });
        }
        out.event(Event::Searched);
    }

    /// A device has answered the search.
    fn candidate(&mut self, now: Now, candidate: Candidate) {
        let mut devices = self.devices.iter_mut();
        let known = devices.find(|(_, device)| device.location == candidate.location);
        let number = match known {
            Some((number, device)) => {
                let changed = |(old, new)| old != new;
                device.restarted |= device.boot_id.zip(candidate.boot_id).is_some_and(changed);
                (device.boot_id, device.local) = (candidate.boot_id, candidate.local);
                device.seen = true;
                device.survey(true);
                *number
            }
            None => {
                self.devices_begun += 1;
                let mut device = Device::new(candidate);
                device.survey(true);
                self.devices.insert(self.devices_begun, device);
                self.devices_begun
            }
        };
        self.advance(now, number);
    }

    /// Goes on with a device, and takes what came of it.
    fn advance(&mut self, now: Now, number: u64) {
        while let Some(device) = self.devices.get_mut(&number) {
            let over = device.advance(now, &mut self.ids, &mut self.out);
            if over.is_empty() {
                match device.ends() {
                    Some(ends) => self.timers.set(Timer::Exchange(number), ends),
                    None => _ = self.timers.cancel(&Timer::Exchange(number)),
                }
                break;
            }
            for over in over {
                self.over(now, number, over);
            }
        }
        if !self.devices.contains_key(&number) {
            self.timers.cancel(&Timer::Exchange(number));
        }
        self.finish();
    }

    /// A task is over.
    fn over(&mut self, now: Now, number: u64, Over { call, is_survey, outcome, before }: Over) {
        let Some(device) = self.devices.get_mut(&number) else { return };
        let gateway = device.address();
        if call.is_none() {
            device.pending = false;
        }
        device.silences = match &outcome {
            Outcome::Failed(error) if error.is_silence() => device.silences + 1,
            _ => 0,
        };
        let gone = device.silences == 0 || device.silences >= SILENCES || device.known.is_none();
        let mut fail = |error: Error| {
            if let Some(call) = call {
                self.out.event(Event::Failed { call, gateway, error });
            }
        };
        match (outcome, call) {
            (Outcome::Surveyed(known), _) => self.surveyed(number, before, known.gateway),
            (Outcome::NoGateway, _) => self.lose(number, &Error::NoGateway),
            (Outcome::Refused(why), _) => {
                let error = match &why {
                    Refusal::Description(error) => error.clone(),
                    Refusal::Redirect(to) => Error::Redirect(to.clone()),
                    _ => Error::NoGateway,
                };
                fail(error.clone());
                match &mut self.search {
                    Some(search) => search.refuse(gateway, why, &device.udn),
                    None => self.out.event(Event::Refused { from: gateway, why }),
                }
                self.lose(number, &error);
            }
            (Outcome::Failed(error), _) => {
                fail(error.clone());
                if error == Error::Unreachable || is_survey {
                    match gone {
                        true => self.lose(number, &error),
                        false => self.timers.set(Timer::Again(number), now.mono + AGAIN),
                    }
                }
            }
            (Outcome::Mapped(granted), Some(call)) => {
                self.out.event(Event::Mapped { call, granted });
            }
            (Outcome::Unmapped, Some(call)) => self.out.event(Event::Unmapped { call }),
            (Outcome::Listed(entries), Some(call)) => {
                self.out.event(Event::Listed { call, gateway, entries });
            }
            (Outcome::Mapped(_) | Outcome::Unmapped | Outcome::Listed(_), None) => {}
        }
    }

    fn surveyed(&mut self, number: u64, before: Option<Gateway>, gateway: Gateway) {
        let Some(device) = self.devices.get_mut(&number) else { return };
        let fell = |before: &Gateway| {
            before.uptime.zip(gateway.uptime).is_some_and(|(old, new)| new + UPTIME_SLACK < old)
        };
        let restarted = std::mem::take(&mut device.restarted) || before.as_ref().is_some_and(fell);
        if before.is_none() && self.is_surplus(number, &gateway) {
            self.devices.remove(&number);
            return;
        }
        if before.is_some() && restarted {
            self.out.event(Event::Restarted { gateway: gateway.address });
        }
        self.out.event(Event::Found(gateway));
    }

    /// Whether a device that has just been found is not needed: there is a better one at the same
    /// address, or there are too many. A worse one makes room for it.
    fn is_surplus(&mut self, number: u64, gateway: &Gateway) -> bool {
        let rank = self.devices.get(&number).map(Device::rank);
        let mut others =
            self.devices.iter().filter(|(n, other)| **n != number && other.known.is_some());
        let twin = others.clone().find(|(_, other)| other.address() == gateway.address);
        if let Some((twin, other)) = twin {
            if Some(other.rank()) >= rank || !other.is_idle() {
                return true;
            }
            let twin = *twin;
            self.devices.remove(&twin);
            return false;
        }
        let is_router = self.interfaces.iter().any(|i| i.routers.contains(&gateway.address));
        others.by_ref().count() >= GATEWAYS && !is_router
    }

    /// Forgets a device.
    fn lose(&mut self, number: u64, error: &Error) {
        let Some(mut device) = self.devices.remove(&number) else { return };
        device.close(&mut self.out);
        self.timers.cancel(&Timer::Exchange(number));
        self.timers.cancel(&Timer::Again(number));
        let gateway = device.address();
        for call in device.calls() {
            self.out.event(Event::Failed { call, gateway, error: error.clone() });
        }
        let others = self.gateways().any(|other| other.address == gateway);
        if device.known.is_some() && !others {
            self.out.event(Event::Lost { gateway, error: error.clone() });
        }
    }

    /// Interfaces have changed: what was reached from an address that is gone is lost.
    fn interfaces(&mut self, interfaces: Vec<Interface>) {
        self.interfaces = interfaces;
        let addresses = self.interfaces.iter().flat_map(|interface| &interface.addresses);
        let ours: Vec<IpAddr> = addresses.map(|address| address.ip).collect();
        let gone = self.devices.iter().filter(|(_, device)| !ours.contains(&device.local));
        for number in gone.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.lose(number, &Error::Unreachable);
        }
        self.finish();
    }

    fn datagram(&mut self, now: Now, socket: Id, from: IpAddr, bytes: &[u8]) {
        let Some(search) = self.search.as_mut().filter(|search| !search.over) else { return };
        if let Some(candidate) = search.answer(&self.interfaces, socket, from, bytes) {
            self.candidate(now, candidate);
        }
    }

    fn connection(&mut self, now: Now, conn: Id, input: &Input<'_, Infallible>) {
        let mut devices = self.devices.iter_mut();
        let found = devices.find(|(_, device)| device.conn() == Some(conn));
        if let Some((number, device)) = found {
            let number = *number;
            device.handle_input(input, &mut self.out);
            self.advance(now, number);
        }
    }
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        for input in input.one_by_one() {
            match &input {
                Input::Interfaces(interfaces) => self.interfaces(interfaces.clone()),
                Input::Datagram { socket, remote, bytes, .. } => {
                    self.datagram(now, *socket, remote.ip(), bytes);
                }
                Input::Bound { id, .. } => {
                    if let Some(search) = &mut self.search {
                        search.bound(*id, &self.interfaces, &mut self.out);
                    }
                }
                Input::Failed { id, .. }
                    if self.search.as_ref().is_some_and(|search| search.owns(*id)) =>
                {
                    if let Some(search) = &mut self.search {
                        search.failed(*id);
                    }
                    self.finish();
                }
                Input::Connected { conn, .. }
                | Input::Failed { id: conn, .. }
                | Input::Data { conn, .. }
                | Input::Writable { conn, .. }
                | Input::Closed { conn, .. } => self.connection(now, *conn, &input),
                _ => {}
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Send => self.send(),
                Timer::Searched => self.searched(now),
                Timer::Again(number) => {
                    if let Some(device) = self.devices.get_mut(&number) {
                        device.survey(false);
                    }
                    self.advance(now, number);
                }
                Timer::Exchange(number) => {
                    if let Some(device) = self.devices.get_mut(&number) {
                        device.handle_timeout(now, &mut self.out);
                    }
                    self.advance(now, number);
                }
            }
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.out.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}
