//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2).

use std::time::Duration;

use super::{Action, Actions, Timer, Times};
use crate::defaults;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Proceeding,
    /// A final response other than 2xx came and was acknowledged.
    Completed,
    /// A 2xx came; its ACK is the user's.
    Accepted,
}

/// An INVITE on its way.
#[derive(Clone, Debug)]
pub struct ClientInvite {
    state: State,
    times: Times,
    reliable: bool,
    /// The present value of Timer A.
    interval: Duration,
}

impl ClientInvite {
    /// Starts the transaction over a transport that is `reliable` or not.
    #[must_use]
    pub fn new(times: Times, reliable: bool) -> (Self, Actions) {
        let machine = Self { state: State::Calling, times, reliable, interval: times.t1 };
        let mut actions = vec![Action::Send];
        //= RFC 3261 §17.1.1.2: retransmissions only over unreliable transports; Timer B always.
        if !reliable {
            actions.push(Action::Set(Timer::A, times.t1));
        }
        actions.push(Action::Set(Timer::B, times.timeout()));
        (machine, actions)
    }

    /// A response came.
    pub fn response(&mut self, status: u16) -> Actions {
        match (self.state, status) {
            (State::Calling, 100..200) => {
                self.state = State::Proceeding;
                vec![Action::Stop(Timer::A), Action::Stop(Timer::B), Action::Deliver]
            }
            (State::Proceeding, 100..200) => vec![Action::Deliver],
            (State::Calling | State::Proceeding, 200..300) => {
                //= RFC 6026 §7.2: stay in Accepted for 64·T1, to pass every 2xx to the user.
                self.state = State::Accepted;
                vec![
                    Action::Stop(Timer::A),
                    Action::Stop(Timer::B),
                    Action::Set(Timer::M, self.times.timeout()),
                    Action::Deliver,
                ]
            }
            (State::Accepted, 200..300) => vec![Action::Deliver],
            (State::Calling | State::Proceeding, 300..) => {
                self.state = State::Completed;
                let mut actions =
                    vec![Action::Stop(Timer::A), Action::Stop(Timer::B), Action::SendAck];
                //= RFC 3261 §17.1.1.2: Timer D is at least 32 seconds, or zero over a stream.
                if !self.reliable {
                    actions.push(Action::Set(Timer::D, defaults::TIMER_D));
                }
                actions.push(Action::Deliver);
                if self.reliable {
                    actions.push(Action::End);
                }
                actions
            }
            //= RFC 3261 §17.1.1.2: each repeated final response is acknowledged, and not passed up.
            (State::Completed, 300..) => vec![Action::SendAck],
            _ => Vec::new(),
        }
    }

    /// A timer fired.
    pub fn timer(&mut self, timer: Timer) -> Actions {
        match (self.state, timer) {
            (State::Calling, Timer::A) => {
                self.interval *= 2;
                vec![Action::Send, Action::Set(Timer::A, self.interval)]
            }
            (State::Calling, Timer::B) => {
                vec![Action::Stop(Timer::A), Action::TimedOut, Action::End]
            }
            (State::Completed, Timer::D) | (State::Accepted, Timer::M) => vec![Action::End],
            _ => Vec::new(),
        }
    }

    /// Whether a final response has come.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        matches!(self.state, State::Completed | State::Accepted)
    }

    /// Whether a provisional response has come, without which no CANCEL may be sent
    /// (RFC 3261 §9.1).
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }
}
