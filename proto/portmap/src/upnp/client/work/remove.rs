//! A mapping or a pinhole is removed.

use machine::Transport;

use super::{Given, Known, Next, Outcome, Work};
use crate::upnp::client::event::Error;
use crate::upnp::igd::{Action, code};

/// Removes one of them.
#[derive(Debug)]
pub(in crate::upnp::client) struct Remove {
    what: What,
    /// That it is gone already is an error.
    must_exist: bool,
}

#[derive(Debug)]
enum What {
    Mapping(Transport, u16),
    Pinhole(u16),
    /// The firewall was off when the pinhole was asked for.
    Nothing,
}

impl Remove {
    /// A mapping by its port outside, whosever it is.
    pub(in crate::upnp::client) const fn mapping(
        transport: Transport,
        port: u16,
        must_exist: bool,
    ) -> Self {
        Self { what: What::Mapping(transport, port), must_exist }
    }

    /// A pinhole by its name.
    pub(in crate::upnp::client) const fn pinhole(id: Option<u16>) -> Self {
        let what = match id {
            Some(id) => What::Pinhole(id),
            None => What::Nothing,
        };
        Self { what, must_exist: false }
    }
}

impl Work for Remove {
    fn begin(&mut self, known: Option<&Known>) -> Next {
        let (service, action) = match self.what {
            What::Mapping(transport, external_port) => (
                known.and_then(Known::connection),
                Action::DeletePortMapping { remote_host: None, external_port, transport },
            ),
            What::Pinhole(id) => {
                (known.and_then(|known| known.firewall.as_ref()), Action::DeletePinhole { id })
            }
            What::Nothing => return Next::Done(Outcome::Unmapped),
        };
        service.map_or(Next::failed(Error::NoGateway), |service| Next::call(service, action))
    }

    fn take(&mut self, answer: Result<Given, Error>) -> Next {
        let gone = |error: &Error| match self.what {
            // miniupnpd looks the pinhole up before the action, and calls a missing one a wrong
            // argument.
            What::Pinhole(_) => {
                matches!(error.code(), Some(code::NO_SUCH_ENTRY | code::INVALID_ARGS))
            }
            _ => error.code() == Some(code::NO_SUCH_ENTRY_IN_ARRAY),
        };
        match answer {
            Ok(_) => Next::Done(Outcome::Unmapped),
            Err(error) if !self.must_exist && gone(&error) => Next::Done(Outcome::Unmapped),
            Err(error) => Next::failed(error),
        }
    }
}
