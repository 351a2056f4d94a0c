//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1).

use std::time::Duration;

use super::{Action, Actions, Timer, Times};
use crate::defaults;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `provisional`: a provisional response was sent, and can be sent again.
    Proceeding { provisional: bool },
    /// A final response other than 2xx was sent; its ACK is due.
    Completed,
    /// The ACK came.
    Confirmed,
    /// A 2xx was sent; the user sends it again until its ACK comes.
    Accepted,
}

/// An INVITE that came.
#[derive(Clone, Debug)]
pub struct ServerInvite {
    state: State,
    times: Times,
    reliable: bool,
    /// The present value of Timer G.
    interval: Duration,
}

impl ServerInvite {
    /// Starts the transaction over a transport that is `reliable` or not.
    #[must_use]
    pub fn new(times: Times, reliable: bool) -> (Self, Actions) {
        let state = State::Proceeding { provisional: false };
        let machine = Self { state, times, reliable, interval: times.t1 };
        //= RFC 3261 §17.2.1: a 100 (Trying) unless the user answers within 200 ms.
        (machine, vec![Action::Set(Timer::Trying, defaults::TRYING_DELAY), Action::Deliver])
    }

    /// The INVITE came again.
    pub fn retransmission(&mut self) -> Actions {
        match self.state {
            State::Proceeding { provisional: true } | State::Completed => vec![Action::Send],
            //= RFC 6026 §7.1: after a 2xx, repeated INVITEs are absorbed without an answer.
            _ => Vec::new(),
        }
    }

    /// The owner answers. Empty actions mean that it is too late to.
    pub fn respond(&mut self, status: u16) -> Actions {
        let stop = Action::Stop(Timer::Trying);
        match (self.state, status) {
            (State::Proceeding { .. }, 100..200) => {
                self.state = State::Proceeding { provisional: true };
                vec![stop, Action::Send]
            }
            (State::Proceeding { .. }, 200..300) => {
                self.state = State::Accepted;
                vec![stop, Action::Send, Action::Set(Timer::L, self.times.timeout())]
            }
            (State::Proceeding { .. }, _) => {
                self.state = State::Completed;
                let mut actions = vec![stop, Action::Send];
                if !self.reliable {
                    actions.push(Action::Set(Timer::G, self.times.t1));
                }
                actions.push(Action::Set(Timer::H, self.times.timeout()));
                actions
            }
            //= RFC 6026 §7.1: 2xx that the user repeats go to the transport.
            (State::Accepted, 200..300) => vec![Action::Send],
            _ => Vec::new(),
        }
    }

    /// An ACK came that matches this transaction.
    pub fn ack(&mut self) -> Actions {
        match self.state {
            State::Completed => {
                self.state = State::Confirmed;
                let stops = [Action::Stop(Timer::G), Action::Stop(Timer::H)];
                //= RFC 3261 §17.2.1: Timer I is T4, or zero over a stream.
                let last =
                    if self.reliable { Action::End } else { Action::Set(Timer::I, self.times.t4) };
                stops.into_iter().chain([last]).collect()
            }
            State::Accepted => vec![Action::Deliver],
            _ => Vec::new(),
        }
    }

    /// A timer fired.
    pub fn timer(&mut self, timer: Timer) -> Actions {
        match (self.state, timer) {
            (State::Proceeding { provisional: false }, Timer::Trying) => {
                self.state = State::Proceeding { provisional: true };
                vec![Action::SendTrying]
            }
            (State::Completed, Timer::G) => {
                self.interval = (self.interval * 2).min(self.times.t2);
                vec![Action::Send, Action::Set(Timer::G, self.interval)]
            }
            (State::Completed, Timer::H) => {
                vec![Action::Stop(Timer::G), Action::TimedOut, Action::End]
            }
            (State::Confirmed, Timer::I) | (State::Accepted, Timer::L) => vec![Action::End],
            _ => Vec::new(),
        }
    }

    /// Whether a final response was sent.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        !matches!(self.state, State::Proceeding { .. })
    }
}
