//! A client's transaction: a request, its retransmissions, and the response (RFC 8489 §6.2).

use std::time::Duration;

use machine::Instant;

use crate::defaults::{RC, RM, RTO, TI};
use crate::{Class, Message, Method, TransactionId};

/// When a request is sent again and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The time before the first retransmission; it doubles from one to the next.
    pub rto: Duration,
    /// How many times the request is sent in all (Rc).
    pub transmissions: u32,
    /// The time between the last transmission and giving up (Rm × RTO over UDP).
    pub last_wait: Duration,
}

impl Timing {
    /// UDP with the default RTO: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s; given up at 39.5 s.
    pub const UDP: Self = Self::udp(RTO);

    /// TCP and TLS, which retransmit themselves: sent once, given up after Ti.
    pub const RELIABLE: Self = Self { rto: TI, transmissions: 1, last_wait: TI };

    /// UDP with an RTO of one's own: a measured one, or the one that ICE computes from its pacing
    /// (RFC 8445 §14.3).
    #[must_use]
    pub const fn udp(rto: Duration) -> Self {
        Self { rto, transmissions: RC, last_wait: rto.saturating_mul(RM) }
    }

    /// How long to wait after the `sent`th transmission.
    fn wait_after(&self, sent: u32) -> Duration {
        if sent >= self.transmissions {
            self.last_wait
        } else {
            self.rto.saturating_mul(1 << sent.saturating_sub(1).min(30))
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::UDP
    }
}

/// What a transaction wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send the request, whose bytes were appended to the buffer.
    Send,
    /// No response came. The transaction is over.
    TimedOut,
}

/// A request on its way. It ends when its owner drops it: after a response that its owner accepts, or
/// after [`Output::TimedOut`].
///
/// A response is not checked beyond its transaction id: whether its integrity is right is for
/// the owner, who has the key, and a wrong one must leave the transaction as it was.
#[derive(Clone, Debug)]
pub struct Transaction {
    request: Vec<u8>,
    id: TransactionId,
    method: Method,
    timing: Timing,
    started: Instant,
    sent: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A transmission is to be polled; the next step comes at `until`.
    Due { until: Instant },
    /// Waiting for a response until the next transmission or the end.
    Waiting { until: Instant },
    /// Nobody answered, and the owner has not been told.
    Unanswered,
    /// The owner was told.
    Over,
}

impl Transaction {
    /// Starts sending `request`.
    ///
    /// # Panics
    /// If `request` is no STUN request; the owner has just built it.
    #[must_use]
    pub fn new(now: Instant, request: Vec<u8>, timing: Timing) -> Self {
        let message = Message::parse(&request).or_else(|_| Message::parse_classic(&request));
        let message = message.expect("a request that was just built");
        assert!(message.class() == Class::Request, "only requests have transactions");
        let (id, method) = (message.id(), message.method());
        let state = State::Due { until: now + timing.wait_after(1) };
        Self { request, id, method, timing, started: now, sent: 0, state }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }

    /// The request's bytes.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// How many times the request was sent.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        self.sent
    }

    /// When it started.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Whether `message` answers it.
    #[must_use]
    pub fn matches(&self, message: &Message<'_>) -> bool {
        message.class().is_response() && message.id() == self.id && message.method() == self.method
    }

    /// The round trip, when a response arrives at `now`: nothing if the request was sent more than
    /// once, since one cannot tell which of them was answered (Karn's rule, RFC 8489 §6.2.1).
    #[must_use]
    pub fn round_trip(&self, now: Instant) -> Option<Duration> {
        (self.sent == 1).then(|| now.saturating_since(self.started))
    }

    /// Sends no more, and still waits for a response as long as it would have (ICE's cancelled
    /// checks, RFC 8445 §7.3.1.4).
    pub fn cancel(&mut self) {
        if let State::Waiting { .. } | State::Due { .. } = self.state
            && self.sent < self.timing.transmissions
        {
            self.state = State::Waiting { until: self.ends() };
            self.timing.transmissions = self.sent;
        }
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Waiting { until } = self.state
            && until <= now
        {
            self.state = if self.sent >= self.timing.transmissions {
                State::Unanswered
            } else {
                State::Due { until: now + self.timing.wait_after(self.sent + 1) }
            };
        }
    }

    /// What is to be done; the bytes to send are appended to `buf`.
    pub fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output> {
        match self.state {
            State::Due { until } => {
                buf.extend_from_slice(&self.request);
                self.sent += 1;
                self.state = State::Waiting { until };
                Some(Output::Send)
            }
            State::Unanswered => {
                self.state = State::Over;
                Some(Output::TimedOut)
            }
            State::Waiting { .. } | State::Over => None,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } | State::Due { until } => Some(until),
            State::Unanswered | State::Over => None,
        }
    }

    /// When it is given up if nothing answers.
    fn ends(&self) -> Instant {
        let waits = (1..=self.timing.transmissions).map(|sent| self.timing.wait_after(sent));
        waits.fold(self.started, |at, wait| at + wait)
    }
}

#[cfg(test)]
mod tests;
