//! What is done at a gateway, one exchange after the other.

mod list;
mod map;
mod pinhole;
mod remove;
mod survey;

use std::fmt::Debug;
use std::time::Duration;

use super::event::{Error, Gateway, Granted, Refusal};
use crate::upnp::defaults::CALL_TIME;
use crate::upnp::http::{Fields, Request, Response, Url};
use crate::upnp::igd::{Action, Answer, PortMapping};
use crate::upnp::soap::Reply;

pub(super) use list::List;
pub(super) use map::Map;
pub(super) use pinhole::Pinhole;
pub(super) use remove::Remove;
pub(super) use survey::Survey;

/// A task of several exchanges.
pub(super) trait Work: Debug + Send {
    /// What is asked first. `known` is what was known when the task's turn came.
    fn begin(&mut self, known: Option<&Known>) -> Next;

    /// What comes after this answer.
    fn take(&mut self, answer: Result<Given, Error>) -> Next;

    /// How long it may take in all.
    fn time(&self) -> Duration {
        CALL_TIME
    }

    /// Whether it finds out what the gateway is, so that its failure means that there is none.
    fn is_survey(&self) -> bool {
        false
    }
}

/// What is known of a gateway once its description is read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) gateway: Gateway,
    /// The services that map ports, as described.
    pub(super) connections: Vec<Service>,
    /// Which of them is used.
    pub(super) used: usize,
    /// The service that opens pinholes.
    pub(super) firewall: Option<Service>,
}

impl Known {
    pub(super) fn connection(&self) -> Option<&Service> {
        self.connections.get(self.used)
    }
}

/// A service and where it is called.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) kind: String,
    pub(super) control: Url,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Ask(Ask),
    Done(Outcome),
}

impl Next {
    /// Asks a service for an action.
    pub(super) fn call(service: &Service, action: Action) -> Self {
        Self::Ask(Ask::Call(service.clone(), action))
    }

    /// Ends without having done it.
    pub(super) const fn failed(error: Error) -> Self {
        Self::Done(Outcome::Failed(error))
    }
}

/// One exchange.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// Fetch a document.
    Document(Url),
    /// Call an action.
    Call(Service, Action),
}

/// What an exchange gave.
#[derive(Debug)]
pub(super) enum Given {
    Document(Vec<u8>),
    Answer(Answer),
}

/// What came of a task.
#[derive(Debug)]
pub(super) enum Outcome {
    /// What is known now of a gateway.
    Surveyed(Box<Known>),
    /// The device is no gateway.
    NoGateway,
    /// The device is not listened to.
    Refused(Refusal),
    Mapped(Granted),
    Unmapped,
    Listed(Vec<PortMapping>),
    Failed(Error),
}

impl Ask {
    pub(super) const fn url(&self) -> &Url {
        match self {
            Self::Document(url) => url,
            Self::Call(service, _) => &service.control,
        }
    }

    /// Whether asking twice does no more than asking once.
    pub(super) const fn is_repeatable(&self) -> bool {
        let Self::Call(_, action) = self else { return true };
        !matches!(action, Action::AddAnyPortMapping(_) | Action::AddPinhole { .. })
    }

    /// The request that asks it.
    pub(super) fn request(&self) -> Request {
        match self {
            Self::Document(url) => Request {
                method: "GET".into(),
                target: url.path.clone(),
                fields: Fields::of(&[("Host", &url.endpoint.to_string()), ("Connection", "close")]),
                body: Vec::new(),
            },
            Self::Call(service, action) => action.call(&service.kind).to_request(&service.control),
        }
    }

    /// What is in the response. No redirect is followed: it would lead away from the gateway.
    pub(super) fn read(&self, response: Response) -> Result<Given, Error> {
        match (self, response.status) {
            (_, 300..400) => {
                let to = response.fields.value("Location").unwrap_or_default();
                Err(Error::Redirect(crate::upnp::http::shown(to)))
            }
            (Self::Document(_), 200) => Ok(Given::Document(response.body)),
            (Self::Call(_, action), 200 | 500) => match Reply::read(&response.body)? {
                Reply::Answer(answer) => Ok(Given::Answer(Answer::read(action, &answer)?)),
                Reply::Fault(fault) => Err(fault.into()),
            },
            (_, status) => Err(Error::Status(status)),
        }
    }
}

impl Error {
    /// The code of a fault; of other errors none.
    pub(super) const fn code(&self) -> Option<u16> {
        match self {
            Self::Fault(fault) => Some(fault.code),
            _ => None,
        }
    }

    /// Whether the gateway itself cannot be talked to any more.
    pub(super) const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable | Self::TimedOut)
    }
}
