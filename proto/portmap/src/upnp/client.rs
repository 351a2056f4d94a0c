//! Finds gateways and asks them.
//!
//! A part of a machine: it searches the interfaces that it is told, reads the description of what
//! answers, and carries out one call after the other at each gateway. It renews nothing by itself:
//! its owner maps again.

mod event;

use std::convert::Infallible;
use std::net::IpAddr;

use machine::{Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Transport};

pub use event::{Call, Error, Event, Gateway, Granted, Refusal, Request};

/// The UPnP client.
#[derive(Debug)]
pub struct Client {
    ids: Ids,
    entropy: Entropy,
    out: Outputs<Event, Infallible>,
    gateways: Vec<Gateway>,
    calls: u64,
}

impl Client {
    /// A client that knows no gateway. Its sockets and connections have names of `ids`; `description`
    /// is what its mappings are called in the router's list.
    #[must_use]
    pub fn new(ids: Ids, entropy: Entropy, description: &str) -> Self {
        let _ = description;
        Self { ids, entropy, out: Outputs::new(), gateways: Vec::new(), calls: 0 }
    }

    /// Whether an input with this name is for this client.
    #[must_use]
    pub const fn owns(&self, id: Id) -> bool {
        self.ids.contains(id)
    }

    /// Searches every interface; gateways come as [`Event::Found`], those known too, and then
    /// [`Event::Searched`]. A search under way begins again.
    pub fn search(&mut self, now: Now) {
        let _ = now;
        self.out.event(Event::Searched);
    }

    /// The gateways that were found.
    pub fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.iter()
    }

    /// Asks a gateway for its external address and status again: [`Event::Found`], perhaps
    /// [`Event::Restarted`], or [`Event::Lost`].
    pub fn refresh(&mut self, now: Now, gateway: IpAddr) -> Call {
        self.fail(now, gateway)
    }

    /// Asks for a mapping (IPv4) or a pinhole (IPv6): [`Event::Mapped`] or [`Event::Failed`]. Mapping
    /// again what is mapped renews its lease.
    pub fn map(&mut self, now: Now, gateway: IpAddr, request: &Request) -> Call {
        let _ = request;
        self.fail(now, gateway)
    }

    /// Renews what was granted, at the same port or not at all: [`Event::Mapped`] or
    /// [`Event::Failed`].
    pub fn renew(&mut self, now: Now, granted: &Granted) -> Call {
        self.fail(now, granted.mapping.gateway)
    }

    /// Removes what was granted: [`Event::Unmapped`], also if it was gone, or [`Event::Failed`].
    pub fn unmap(&mut self, now: Now, granted: &Granted) -> Call {
        self.fail(now, granted.mapping.gateway)
    }

    /// Removes whatever mapping there is of an external port: [`Event::Unmapped`] or
    /// [`Event::Failed`].
    pub fn remove(&mut self, now: Now, gateway: IpAddr, transport: Transport, port: u16) -> Call {
        let _ = (transport, port);
        self.fail(now, gateway)
    }

    /// Asks for all mappings of a gateway: [`Event::Listed`] or [`Event::Failed`].
    pub fn list(&mut self, now: Now, gateway: IpAddr) -> Call {
        self.fail(now, gateway)
    }

    /// Gives a call up that has not been answered; nothing more is heard of it.
    pub fn cancel(&mut self, now: Now, call: Call) {
        let _ = (now, call);
    }

    /// Closes sockets and connections at once and forgets everything.
    pub fn close(&mut self) {
        self.gateways.clear();
    }

    fn fail(&mut self, _: Now, gateway: IpAddr) -> Call {
        self.calls += 1;
        let call = Call(self.calls);
        self.out.event(Event::Failed { call, gateway, error: Error::NoGateway });
        call
    }
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        let _ = (now, input, &self.entropy);
    }

    fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.out.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
