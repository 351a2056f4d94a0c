//! The machines of a scenario as one type, so that one world holds them.

use gateway::Gateway;
use machine::{Input, Instant, Machine, Now, Output};
use phone::Phone;
use server::Server;

/// Who somebody is in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The caller.
    Alice,
    /// The network core.
    Core,
    /// The callee.
    Bob,
}

impl Who {
    /// The name in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Core => "core",
            Self::Bob => "bob",
        }
    }
}

/// A machine of a scenario.
#[derive(Debug)]
pub enum Node {
    /// The network core.
    Core(Box<Server>),
    /// A phone.
    Phone(Box<Phone>),
    /// What maps ports at somebody's NAT.
    Gateway(Box<Gateway>),
}

/// What a machine of a scenario tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The core's.
    Core(server::Event),
    /// A phone's.
    Phone(phone::Event),
    /// A gateway's.
    Gateway(gateway::Event),
}

/// What a machine of a scenario asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// The core's.
    Core(server::Question),
    /// A gateway's.
    Gateway(gateway::Question),
}

/// What it is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The core.
    Core(server::Answer),
    /// A gateway.
    Gateway(gateway::Answer),
}

impl From<gateway::Answer> for Answer {
    fn from(answer: gateway::Answer) -> Self {
        Self::Gateway(answer)
    }
}

impl Node {
    /// The phone.
    ///
    /// # Panics
    /// If it is none.
    pub fn phone(&mut self) -> &mut Phone {
        match self {
            Self::Phone(phone) => phone,
            Self::Core(_) | Self::Gateway(_) => panic!("no phone"),
        }
    }
}

impl Machine for Node {
    type Event = Event;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match self {
            Self::Core(server) => {
                let core =
                    |answer| if let Answer::Core(answer) = answer { Some(answer) } else { None };
                if let Some(input) = input.map_answer(core) {
                    server.handle_input(now, input);
                }
            }
            Self::Phone(phone) => {
                if let Some(input) = input.map_answer(|_| None) {
                    phone.handle_input(now, input);
                }
            }
            Self::Gateway(gateway) => {
                let own =
                    |answer| if let Answer::Gateway(answer) = answer { Some(answer) } else { None };
                if let Some(input) = input.map_answer(own) {
                    gateway.handle_input(now, input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Core(server) => server.handle_timeout(now),
            Self::Phone(phone) => phone.handle_timeout(now),
            Self::Gateway(gateway) => gateway.handle_timeout(now),
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        match self {
            Self::Core(server) => Some(server.poll_output(buf)?.map(Event::Core, Question::Core)),
            Self::Phone(phone) => {
                Some(phone.poll_output(buf)?.map(Event::Phone, |never| match never {}))
            }
            Self::Gateway(gateway) => {
                Some(gateway.poll_output(buf)?.map(Event::Gateway, Question::Gateway))
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Core(server) => server.poll_timeout(),
            Self::Phone(phone) => phone.poll_timeout(),
            Self::Gateway(gateway) => gateway.poll_timeout(),
        }
    }
}
