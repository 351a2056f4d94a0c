//! The non-INVITE server transaction (RFC 3261 §17.2.2).

use super::{Action, Actions, Timer, Times};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

/// A request other than INVITE and ACK that came.
#[derive(Clone, Debug)]
pub struct ServerNonInvite {
    state: State,
    times: Times,
    reliable: bool,
}

impl ServerNonInvite {
    /// Starts the transaction over a transport that is `reliable` or not.
    #[must_use]
    pub fn new(times: Times, reliable: bool) -> (Self, Actions) {
        (Self { state: State::Trying, times, reliable }, vec![Action::Deliver])
    }

    /// The request came again.
    pub fn retransmission(&mut self) -> Actions {
        match self.state {
            State::Trying => Vec::new(),
            State::Proceeding | State::Completed => vec![Action::Send],
        }
    }

    /// The owner answers. Empty actions mean that it is too late to.
    pub fn respond(&mut self, status: u16) -> Actions {
        match (self.state, status) {
            (State::Completed, _) => Vec::new(),
            (_, 100..200) => {
                self.state = State::Proceeding;
                vec![Action::Send]
            }
            _ => {
                self.state = State::Completed;
                //= RFC 3261 §17.2.2: Timer J is 64·T1, or zero over a stream.
                let last = if self.reliable {
                    Action::End
                } else {
                    Action::Set(Timer::J, self.times.timeout())
                };
                vec![Action::Send, last]
            }
        }
    }

    /// A timer fired.
    pub fn timer(&mut self, timer: Timer) -> Actions {
        match (self.state, timer) {
            (State::Completed, Timer::J) => vec![Action::End],
            _ => Vec::new(),
        }
    }

    /// Whether a final response was sent.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.state == State::Completed
    }
}
