//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use std::time::Duration;

use super::{Action, Actions, Timer, Times};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

/// A request other than INVITE and ACK on its way.
#[derive(Clone, Debug)]
pub struct ClientNonInvite {
    state: State,
    times: Times,
    reliable: bool,
    /// The present value of Timer E.
    interval: Duration,
}

impl ClientNonInvite {
    /// Starts the transaction over a transport that is `reliable` or not.
    #[must_use]
    pub fn new(times: Times, reliable: bool) -> (Self, Actions) {
        let machine = Self { state: State::Trying, times, reliable, interval: times.t1 };
        let mut actions = vec![Action::Send];
        if !reliable {
            actions.push(Action::Set(Timer::E, times.t1));
        }
        actions.push(Action::Set(Timer::F, times.timeout()));
        (machine, actions)
    }

    /// A response came.
    pub fn response(&mut self, status: u16) -> Actions {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..200) => {
                self.state = State::Proceeding;
                vec![Action::Deliver]
            }
            (State::Trying | State::Proceeding, _) => {
                self.state = State::Completed;
                let mut actions =
                    vec![Action::Stop(Timer::E), Action::Stop(Timer::F), Action::Deliver];
                //= RFC 3261 §17.1.2.2: Timer K is T4, or zero over a stream.
                actions.push(if self.reliable {
                    Action::End
                } else {
                    Action::Set(Timer::K, self.times.t4)
                });
                actions
            }
            (State::Completed, _) => Vec::new(),
        }
    }

    /// A timer fired.
    pub fn timer(&mut self, timer: Timer) -> Actions {
        match (self.state, timer) {
            //= RFC 3261 §17.1.2.2: Timer E doubles up to T2; after a provisional response it is T2.
            (State::Trying, Timer::E) => {
                self.interval = (self.interval * 2).min(self.times.t2);
                vec![Action::Send, Action::Set(Timer::E, self.interval)]
            }
            (State::Proceeding, Timer::E) => {
                vec![Action::Send, Action::Set(Timer::E, self.times.t2)]
            }
            (State::Trying | State::Proceeding, Timer::F) => {
                vec![Action::Stop(Timer::E), Action::TimedOut, Action::End]
            }
            (State::Completed, Timer::K) => vec![Action::End],
            _ => Vec::new(),
        }
    }

    /// Whether a final response has come.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.state == State::Completed
    }
}
