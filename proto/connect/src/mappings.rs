//! Ports that gateways hold open for the sockets of sessions (PCP, NAT-PMP, UPnP).
//!
//! One client for all sessions: it looks for gateways as soon as the interfaces are known, long
//! before the first call, so that a call waits for none that is not there.

use std::collections::BTreeMap;

use machine::{AddressClass, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Transport};
use portmap::{Client, Event, Mapping, MappingId, Request};

use crate::SessionId;
use crate::defaults::MAPPING_LIFETIME;

/// The gateways, and whose each mapping is.
#[derive(Debug)]
pub(crate) struct Mappings {
    client: Client,
    owners: BTreeMap<MappingId, (SessionId, Id)>,
    end: End,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Shutting,
    Shut,
}

/// What became of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It stands.
    Open(Mapping),
    /// There is none; why, in words.
    None(String),
}

/// What a session is told: which, about which of its sockets, and what.
pub(crate) type News = (SessionId, Id, Told);

impl Mappings {
    pub(crate) fn new(config: portmap::Config, ids: Ids, entropy: &Entropy) -> Self {
        Self { client: Client::new(config, ids, entropy), owners: BTreeMap::new(), end: End::Open }
    }

    pub(crate) fn owns(&self, id: Id) -> bool {
        self.client.owns(id)
    }

    /// Whether a mapping could help a socket that is bound to `local`.
    ///
    /// What is public needs none; IPv6 addresses are, and ICE opens firewalls by its checks.
    pub(crate) fn helps(local: Endpoint) -> bool {
        use AddressClass::{Private, SharedCgn};
        local.is_ipv4() && matches!(AddressClass::of(local.ip()), Private | SharedCgn)
    }

    /// Asks for a way in to a socket.
    pub(crate) fn open(
        &mut self,
        now: Now,
        session: SessionId,
        socket: Id,
        local: Endpoint,
    ) -> MappingId {
        let request = Request { lifetime: MAPPING_LIFETIME, ..Request::new(Transport::Udp, local) };
        let id = self.client.map(now, request);
        self.owners.insert(id, (session, socket));
        id
    }

    /// Nobody needs it any longer.
    pub(crate) fn close(&mut self, now: Now, id: MappingId) {
        if self.owners.remove(&id).is_some() {
            self.client.unmap(now, id);
        }
    }

    /// Removes all, and ends.
    pub(crate) fn shut(&mut self, now: Now) {
        if self.end == End::Open {
            self.end = End::Shutting;
            self.client.close(now);
        }
    }

    pub(crate) fn is_shutting(&self) -> bool {
        self.end == End::Shutting
    }

    pub(crate) fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        let search = matches!(input, Input::Interfaces(_));
        if let Some(input) = input.map_answer(|()| None) {
            self.client.handle_input(now, input);
        }
        if search && self.end == End::Open {
            self.client.probe(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        self.client.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// What the client wants done, its payload in `buf`; or news for a session, or neither.
    pub(crate) fn poll(&mut self, buf: &mut Vec<u8>) -> Option<Polled> {
        buf.clear();
        Some(match self.client.poll_output(buf)?.split() {
            Ok(output) => Polled::Output(output),
            Err(event) => self.news(event).map_or(Polled::Nothing, Polled::News),
        })
    }

    fn news(&mut self, event: Event) -> Option<News> {
        let (id, told) = match event {
            Event::Mapped { id, mapping } | Event::Changed { id, mapping } => {
                (id, Told::Open(mapping))
            }
            Event::Failed { id, error } | Event::Lost { id, error } => {
                (id, Told::None(error.to_string()))
            }
            Event::Closed => {
                self.owners.clear();
                self.end = End::Shut;
                return None;
            }
            _ => return None,
        };
        let (session, socket) = match told {
            Told::Open(_) => self.owners.get(&id).copied(),
            Told::None(_) => self.owners.remove(&id),
        }?;
        Some((session, socket, told))
    }
}

/// What [`Mappings::poll`] gives.
pub(crate) enum Polled {
    /// The client wants this done.
    Output(machine::Output<crate::Event, std::convert::Infallible>),
    /// A session is told.
    News(News),
    /// Nothing that matters here.
    Nothing,
}
