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

pub mod config;
pub mod event;

use std::convert::Infallible;

use machine::{Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Transport};

pub use config::Config;
pub use event::{Error, Event, Refusal};

use crate::{Gateway, MappingId, Request};

/// The chooser among PCP, NAT-PMP and UPnP.
#[derive(Debug)]
pub struct Client {
    ids: Ids,
    out: Outputs<Event, Infallible>,
    gateways: Vec<Gateway>,
    next: u64,
}

impl Client {
    /// A client that does nothing yet. Its sockets have names of `ids`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: &Entropy) -> Self {
        let _ = (config, entropy);
        Self { ids, out: Outputs::new(), gateways: Vec::new(), next: 0 }
    }

    /// Whether an input with this name is for this client.
    #[must_use]
    pub const fn owns(&self, id: Id) -> bool {
        self.ids.contains(id)
    }

    /// Looks for gateways without mapping anything: [`Event::Gateway`] for each, then
    /// [`Event::Searched`].
    pub fn probe(&mut self, now: Now) {
        let _ = now;
        self.out.event(Event::Searched);
    }

    /// The gateways that are known.
    pub fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.iter()
    }

    /// Asks for a mapping and keeps it: [`Event::Mapped`] or [`Event::Failed`]; later, perhaps,
    /// [`Event::Changed`] or [`Event::Lost`].
    pub fn map(&mut self, now: Now, request: Request) -> MappingId {
        let _ = (now, request);
        let id = MappingId(self.next);
        self.next += 1;
        self.out.event(Event::Failed { id, error: Error::NoGateway });
        id
    }

    /// Removes a mapping: [`Event::Unmapped`].
    pub fn unmap(&mut self, now: Now, id: MappingId) {
        let _ = (now, id);
    }

    /// Asks for the router's table of mappings, ours and others', which only UPnP tells:
    /// [`Event::Listed`].
    pub fn list(&mut self, now: Now) {
        let _ = now;
        self.out.event(Event::Listed(Err(Error::NoGateway)));
    }

    /// Removes whatever mapping there is of a port outside, which only UPnP can:
    /// [`Event::Removed`].
    pub fn remove_at(&mut self, now: Now, transport: Transport, external_port: u16) {
        let _ = now;
        let result = Err(Error::NoGateway);
        self.out.event(Event::Removed { transport, external_port, result });
    }

    /// Removes all mappings and ends, in bounded time: [`Event::Closed`].
    pub fn close(&mut self, now: Now) {
        let _ = now;
        self.out.event(Event::Closed);
    }
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        let _ = (now, input);
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
