//! The chooser: finds what maps ports, by all three protocols at once, and maps by one of them.
//!
//! A [`Client`] is a [`machine::Machine`], for a driver of its own or as a part of another machine:
//! its names come out of the [`Ids`] that it is given, and [`Client::owns`] tells which inputs are
//! its own. It has to be told the [`Interfaces`](Input::Interfaces), which belong to everybody.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`]: what is spoken, and with whom |
//! | [`event`] | [`Event`], [`Error`] |
//! | `search` | finding out who is there |
//! | `paths`, `path` | our addresses and their routers |
//! | `lease`, `leases` | a mapping, and its life |
//! | `timing` | when a request is sent again, and when a mapping is renewed |
//! | `answers` | what servers of PCP and NAT-PMP say |
//! | `igd` | what gateways of UPnP say |

pub mod config;
pub mod event;

mod answers;
mod igd;
mod lease;
mod leases;
mod path;
mod paths;
mod search;
mod timing;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{
    Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Timers, Transport,
};

pub use config::Config;
pub use event::{Error, Event, Refusal};

use crate::defaults::{CLOSE, MAX_MAPPINGS};
use crate::pcp::Nonce;
use crate::{Gateway, MappingId, Protocol, Request, upnp};
use igd::Wish;
use lease::Lease;
use path::Path;
use search::Search;

/// How many names UPnP has: more than a connection a second for a century.
const UPNP_NAMES: u64 = 1 << 32;

/// The chooser among PCP, NAT-PMP and UPnP.
#[derive(Debug)]
pub struct Client {
    config: Config,
    ids: Ids,
    nonces: Entropy,
    times: Entropy,
    out: Outputs<Event, Infallible>,
    timers: Timers<Timer>,
    interfaces: Vec<machine::Interface>,
    search: Search,
    paths: BTreeMap<Id, Path>,
    listeners: BTreeMap<Id, Endpoint>,
    upnp: Option<upnp::Client>,
    upnp_searched: bool,
    /// The search waits longer than it would, for UPnP.
    prolonged: bool,
    calls: BTreeMap<upnp::Call, Purpose>,
    gateways: BTreeMap<(Protocol, IpAddr), Gateway>,
    /// Gateways that this search has told of.
    seen: BTreeSet<(Protocol, IpAddr)>,
    leases: BTreeMap<MappingId, Lease>,
    wishes: Vec<Wish>,
    refusals: usize,
    life: Life,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    Closing,
    Over,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The search has taken long enough.
    Search,
    /// Better protocols are not waited for any more.
    Settle,
    /// A server is asked again whether it is there.
    Server(Id, Protocol),
    /// Something is due for a mapping.
    Lease(MappingId),
    /// Mappings that a server forgot are made again.
    Recreate(Id, Protocol),
    /// Gateways of UPnP are looked at.
    Igd,
    /// The end does not wait any more.
    Close,
}

/// What UPnP was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Map(MappingId),
    Renew(MappingId),
    Unmap(MappingId),
    Wish(Wish),
    Nothing,
}

impl Client {
    /// A client that does nothing yet. Its sockets have names of `ids`, a namespace of its own.
    #[must_use]
    pub fn new(config: Config, mut ids: Ids, entropy: &Entropy) -> Self {
        let upnp = config.protocols.contains(&Protocol::Upnp).then(|| {
            let names = ids.block(UPNP_NAMES);
            upnp::Client::new(names, entropy.fork("portmap.upnp"), &config.description)
        });
        Self {
            config,
            ids,
            nonces: entropy.fork("portmap.nonces"),
            times: entropy.fork("portmap.times"),
            out: Outputs::new(),
            timers: Timers::new(),
            interfaces: Vec::new(),
            search: Search::Never,
            paths: BTreeMap::new(),
            listeners: BTreeMap::new(),
            upnp,
            upnp_searched: false,
            prolonged: false,
            calls: BTreeMap::new(),
            gateways: BTreeMap::new(),
            seen: BTreeSet::new(),
            leases: BTreeMap::new(),
            wishes: Vec::new(),
            refusals: 0,
            life: Life::Open,
            next: 0,
        }
    }

    /// Whether an input with this name is for this client.
    #[must_use]
    pub const fn owns(&self, id: Id) -> bool {
        self.ids.contains(id)
    }

    /// Looks for gateways without mapping anything: [`Event::Gateway`] for each, then
    /// [`Event::Searched`].
    pub fn probe(&mut self, now: Now) {
        if self.life == Life::Open {
            self.search(now);
            self.settle(now);
        }
    }

    /// The gateways that are known.
    pub fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.values()
    }

    /// Asks for a mapping and keeps it: [`Event::Mapped`] or [`Event::Failed`]; later, perhaps,
    /// [`Event::Changed`] or [`Event::Lost`].
    pub fn map(&mut self, now: Now, request: Request) -> MappingId {
        let id = MappingId(self.next);
        self.next += 1;
        if let Err(error) = self.check(&request) {
            self.out.event(Event::Failed { id, error });
            return id;
        }
        self.leases.insert(id, Lease::new(request, Nonce(self.nonces.bytes())));
        match self.search {
            Search::Running => self.choose(now, id),
            Search::Over if self.has_choice(id) => self.choose(now, id),
            Search::Over | Search::Never => self.search(now),
        }
        self.settle(now);
        id
    }

    /// Why something cannot be asked for.
    fn check(&self, request: &Request) -> Result<(), Error> {
        let internal = request.internal;
        let known = self.interfaces.is_empty()
            || internal.ip().is_unspecified()
            || self.is_ours(internal.ip());
        let peer_fits = request
            .peer
            .is_none_or(|peer| peer.is_ipv4() == internal.is_ipv4() && peer.port() != 0);
        match () {
            () if self.is_closing() => Err(Error::Closed),
            () if self.leases.len() >= MAX_MAPPINGS => Err(Error::TooMany),
            () if internal.port() == 0 || !peer_fits => Err(Error::Unusable),
            () if self.leases.values().any(|lease| lease.is_for(request)) => Err(Error::Twice),
            () if !known => Err(Error::NotOurs(internal.ip())),
            () => Ok(()),
        }
    }

    /// Removes a mapping: [`Event::Unmapped`].
    pub fn unmap(&mut self, now: Now, id: MappingId) {
        self.release(now, id);
        self.settle(now);
    }

    /// Asks for the router's table of mappings, ours and others', which only UPnP tells:
    /// [`Event::Listed`].
    pub fn list(&mut self, now: Now) {
        self.wish(now, Wish::List);
        self.settle(now);
    }

    /// Removes whatever mapping there is of a port outside, which only UPnP can:
    /// [`Event::Removed`].
    pub fn remove_at(&mut self, now: Now, transport: Transport, external_port: u16) {
        self.wish(now, Wish::Remove { transport, external_port });
        self.settle(now);
    }

    /// Removes all mappings and ends, in bounded time: [`Event::Closed`].
    pub fn close(&mut self, now: Now) {
        if self.is_closing() {
            return;
        }
        self.life = Life::Closing;
        self.timers.set(Timer::Close, now.mono + CLOSE);
        for wish in std::mem::take(&mut self.wishes) {
            self.answer_wish(wish, Err(Error::Closed));
        }
        let ids: Vec<MappingId> = self.leases.keys().copied().collect();
        for id in ids {
            self.release(now, id);
        }
        self.settle(now);
    }

    fn speaks(&self, protocol: Protocol) -> bool {
        self.config.protocols.contains(&protocol)
    }

    fn is_closing(&self) -> bool {
        self.life != Life::Open
    }

    /// Follows every change to where it leads.
    fn settle(&mut self, now: Now) {
        while self.drain_upnp(now) || self.finish_search(now, false) {}
        if self.life == Life::Closing && self.leases.is_empty() {
            self.finish();
        }
    }

    /// Ends, whatever is still open.
    fn finish(&mut self) {
        self.life = Life::Over;
        for id in std::mem::take(&mut self.leases).into_keys() {
            self.out.event(Event::Unmapped { id });
        }
        let paths = std::mem::take(&mut self.paths).into_keys();
        for id in paths.chain(std::mem::take(&mut self.listeners).into_keys()) {
            self.out.push(Output::Close { id });
        }
        if let Some(mut upnp) = self.upnp.take() {
            upnp.close();
            let mut buf = Vec::new();
            while let Some(output) = upnp.poll_output(&mut buf) {
                if let Ok(output) = output.split() {
                    self.out.push_with(output, &buf);
                }
                buf.clear();
            }
        }
        self.timers = Timers::new();
        self.calls.clear();
        self.gateways.clear();
        self.out.event(Event::Closed);
    }

    fn due(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Search => self.search_due(now),
            Timer::Settle => self.choose_for_all(now),
            Timer::Server(socket, protocol) => self.ask_server(now, socket, protocol),
            Timer::Lease(id) => self.lease_due(now, id),
            Timer::Recreate(socket, protocol) => self.recreate_due(now, socket, protocol),
            Timer::Igd => self.igd_due(now),
            Timer::Close => self.finish(),
        }
    }
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        if self.life == Life::Over {
            return;
        }
        for input in input.one_by_one() {
            match input {
                Input::Interfaces(interfaces) => self.interfaces_changed(now, interfaces),
                Input::Bound { id, .. } if self.paths.contains_key(&id) => {
                    if let Some(path) = self.paths.get_mut(&id) {
                        path.bound = true;
                    }
                    self.ask_servers(now, id);
                }
                Input::Failed { id, .. } if self.paths.contains_key(&id) => self.drop_path(now, id),
                // Another program has the port: restarts are noticed at the next answer.
                Input::Failed { id, .. } if self.listeners.remove(&id).is_some() => {}
                Input::Datagram { socket, remote, bytes, .. }
                    if self.listeners.contains_key(&socket) =>
                {
                    self.announced(now, remote, bytes);
                }
                Input::Datagram { socket, remote, bytes, .. }
                    if self.paths.contains_key(&socket) =>
                {
                    self.answered(now, socket, remote, bytes);
                }
                Input::Unreachable { socket, .. } if self.paths.contains_key(&socket) => {
                    self.unreachable(now, socket);
                }
                other => {
                    if let Some(upnp) = &mut self.upnp {
                        upnp.handle_input(now, other);
                    }
                }
            }
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            self.due(now, timer);
        }
        if let Some(upnp) = &mut self.upnp {
            upnp.handle_timeout(now);
        }
        self.settle(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.out.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let upnp = self.upnp.as_ref().and_then(Machine::poll_timeout);
        self.timers.next().into_iter().chain(upnp).min()
    }
}

#[cfg(test)]
mod tests;
