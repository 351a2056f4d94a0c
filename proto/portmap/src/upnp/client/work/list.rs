//! Every mapping of a gateway, place by place: the one way that all versions have.

use super::{Given, Known, Next, Outcome, Service, Work};
use crate::upnp::client::event::Error;
use crate::upnp::defaults::LISTED;
use crate::upnp::igd::{Action, Answer, PortMapping, code};

/// Asks for one place after the other.
#[derive(Debug, Default)]
pub(in crate::upnp::client) struct List {
    service: Option<Service>,
    index: u16,
    entries: Vec<PortMapping>,
}

impl List {
    fn ask(&mut self) -> Next {
        match &self.service {
            _ if usize::from(self.index) >= LISTED => self.done(),
            Some(service) => {
                Next::call(service, Action::GenericPortMappingEntry { index: self.index })
            }
            None => Next::failed(Error::NoGateway),
        }
    }

    fn has(&self, entry: &PortMapping) -> bool {
        let key = |entry: &PortMapping| (entry.external_port, entry.transport, entry.remote_host);
        self.entries.last().is_some_and(|last| key(last) == key(entry))
    }

    fn done(&mut self) -> Next {
        Next::Done(Outcome::Listed(std::mem::take(&mut self.entries)))
    }
}

impl Work for List {
    fn begin(&mut self, known: Option<&Known>) -> Next {
        self.service = known.and_then(Known::connection).cloned();
        self.ask()
    }

    fn take(&mut self, answer: Result<Given, Error>) -> Next {
        let ended = |error: &Error| match error.code() {
            Some(code::ARRAY_INDEX_INVALID | code::NO_SUCH_ENTRY_IN_ARRAY) => true,
            // Some routers have no word of their own for the end.
            Some(_) => self.index > 0,
            None => false,
        };
        match answer {
            // The same again, whatever the place: a router that does not look at it.
            Ok(Given::Answer(Answer::Entry(entry))) if self.has(&entry) => self.done(),
            Ok(Given::Answer(Answer::Entry(entry))) => {
                self.entries.push(entry);
                self.index += 1;
                self.ask()
            }
            Ok(_) => Next::failed(Error::NoGateway),
            Err(error) if ended(&error) => self.done(),
            // An entry that cannot be read does not hide the others.
            Err(Error::Igd(_)) => {
                self.index += 1;
                self.ask()
            }
            Err(error) => Next::failed(error),
        }
    }
}
