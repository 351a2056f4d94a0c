//! Keepalives of the flows that we rely on (RFC 5626 §4.4): a double CRLF over streams, which is
//! answered by a single one; STUN Binding requests over UDP, which the owner sends.

use std::time::Duration;

use machine::{Entropy, Instant, Now, Timers};

use super::Flow;
use crate::defaults;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Send(Flow),
    Pong(Flow),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A STUN Binding request.
    Stun(Flow),
    /// A double CRLF.
    Ping(Flow),
    /// The pong did not come in time: the flow has failed.
    Dead(Flow),
}

/// The flows that are kept alive.
#[derive(Debug)]
pub(super) struct Keepalives {
    timers: Timers<Timer>,
    entropy: Entropy,
}

impl Keepalives {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self { timers: Timers::new(), entropy }
    }

    pub(super) fn watch(&mut self, now: Now, flow: Flow) {
        if self.timers.at(&Timer::Send(flow)).is_none() {
            let pause = self.pause();
            self.timers.set(Timer::Send(flow), now.mono + pause);
        }
    }

    pub(super) fn forget(&mut self, flow: &Flow) {
        self.timers.cancel(&Timer::Send(*flow));
        self.timers.cancel(&Timer::Pong(*flow));
    }

    pub(super) fn pong(&mut self, _: Now, flow: &Flow) {
        self.timers.cancel(&Timer::Pong(*flow));
    }

    pub(super) fn expire(&mut self, now: Now) -> Option<Due> {
        match self.timers.expire(now.mono)? {
            Timer::Send(flow) => {
                let pause = self.pause();
                self.timers.set(Timer::Send(flow), now.mono + pause);
                if flow.is_reliable() {
                    //= RFC 5626 §4.4.1: no pong within 10 seconds means that the flow has failed.
                    self.timers.set(Timer::Pong(flow), now.mono + defaults::PONG_TIMEOUT);
                    Some(Due::Ping(flow))
                } else {
                    Some(Due::Stun(flow))
                }
            }
            Timer::Pong(flow) => {
                self.forget(&flow);
                Some(Due::Dead(flow))
            }
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.timers.next()
    }

    //= RFC 5626 §4.4: the pause is drawn between 80 and 100 per cent of its upper bound.
    fn pause(&mut self) -> Duration {
        let bound = defaults::KEEPALIVE;
        let part = self.entropy.below(1000) as u32;
        bound * 4 / 5 + bound / 5 * part / 1000
    }
}
