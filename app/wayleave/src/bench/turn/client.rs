//! One client of the server: its way there, its credentials, and the request that is under way.

use std::io;
use std::time::{Duration, Instant};

use machine::{Endpoint, Entropy};
use stun::long_term::{Refusal as Verdict401, Verdict};
use stun::{Class, LongTerm, Message};
use turn::TurnMessage as _;

use super::link::Link;
use super::wire::Wish;
use crate::bench::load::Refusal;

/// A request that is not answered by then is sent again (over UDP), so many times in all.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
const TRANSMISSIONS: u8 = 20;

/// How often a client takes another socket because the server knows an allocation of its port's
/// last owner.
const OTHER_SOCKETS: u8 = 3;

/// Allocation Mismatch (RFC 8656 §18.12).
const ALLOCATION_MISMATCH: u16 = 437;

/// A client.
pub struct Client {
    /// Its way to the server.
    pub link: Link,
    /// The address that the server relays for it, once there is an allocation.
    pub relayed: Option<Endpoint>,
    /// How long the server keeps what it allocated.
    pub lifetime: Option<Duration>,
    auth: LongTerm,
    pending: Option<Pending>,
    other_sockets: u8,
}

struct Pending {
    wish: Wish,
    request: Vec<u8>,
    sent: Instant,
    transmissions: u8,
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No answer yet.
    Waiting,
    /// It was granted.
    Done,
    /// It was not.
    Refused(Refusal),
    /// No answer came.
    Lost,
}

impl Client {
    /// A client that has asked for nothing yet.
    pub const fn new(link: Link, auth: LongTerm) -> Self {
        Self { link, relayed: None, lifetime: None, auth, pending: None, other_sockets: 0 }
    }

    /// Whether the server has an allocation of it, or may soon have one.
    pub fn may_hold(&self) -> bool {
        let asked = |pending: &Pending| matches!(pending.wish, Wish::Allocate(_));
        self.relayed.is_some() || self.pending.as_ref().is_some_and(asked)
    }

    /// Asks for `wish`.
    pub fn ask(&mut self, wish: Wish, now: Instant, entropy: &mut Entropy) -> io::Result<()> {
        let request = wish.request(&self.auth, entropy);
        let sent = self.link.send(&request, None);
        self.pending = Some(Pending { wish, request, sent: now, transmissions: 1 });
        unless_full(sent)
    }

    /// Takes a message of the server's.
    pub fn handle(
        &mut self,
        bytes: &[u8],
        now: Instant,
        entropy: &mut Entropy,
    ) -> io::Result<Progress> {
        let (Some(pending), Ok(response)) = (&self.pending, Message::parse(bytes)) else {
            return Ok(Progress::Waiting);
        };
        let Ok(request) = Message::parse(&pending.request) else { return Ok(Progress::Waiting) };
        if response.id() != request.id() || !response.class().is_response() {
            return Ok(Progress::Waiting);
        }
        let wish = pending.wish;
        match self.auth.handle_response(&request, &response) {
            Verdict::Discard => return Ok(Progress::Waiting),
            Verdict::Retry => return self.ask(wish, now, entropy).map(|()| Progress::Waiting),
            Verdict::GiveUp(Verdict401::Credentials) => {
                return Ok(self.refused(Refusal::Unauthorized));
            }
            Verdict::GiveUp(other) => return Ok(self.refused(Refusal::Other(other.to_string()))),
            Verdict::Accept => {}
        }
        if response.class() == Class::Error {
            let Some(error) = response.error_code() else {
                return Ok(self.refused(Refusal::Other("an error without a code".to_owned())));
            };
            let code = error.code;
            if code == ALLOCATION_MISMATCH
                && matches!(wish, Wish::Allocate(_))
                && self.other_sockets < OTHER_SOCKETS
                && let Some(other) = self.link.another()?
            {
                self.other_sockets += 1;
                self.link = other;
                return self.ask(wish, now, entropy).map(|()| Progress::Waiting);
            }
            let reason = error.reason.to_string();
            return Ok(self.refused(Refusal::Code(code, reason)));
        }
        self.pending = None;
        if wish == Wish::Release {
            self.relayed = None;
        }
        if let Wish::Allocate(_) = wish {
            self.relayed = response.relayed_addresses().next();
            self.lifetime = response.lifetime();
            if self.relayed.is_none() {
                return Ok(self.refused(Refusal::Other("no relayed address came".to_owned())));
            }
        }
        Ok(Progress::Done)
    }

    fn refused(&mut self, why: Refusal) -> Progress {
        self.pending = None;
        Progress::Refused(why)
    }

    /// Sends again what is not answered; says whether it did.
    pub fn handle_timeout(&mut self, now: Instant) -> io::Result<(Progress, bool)> {
        let Some(pending) = &mut self.pending else { return Ok((Progress::Waiting, false)) };
        if now.saturating_duration_since(pending.sent) < ANSWER_LIMIT {
            return Ok((Progress::Waiting, false));
        }
        if pending.transmissions == TRANSMISSIONS {
            self.pending = None;
            return Ok((Progress::Lost, false));
        }
        pending.transmissions += 1;
        pending.sent = now;
        // What was written to a stream arrives, however late.
        let Link::Udp(_) = self.link else { return Ok((Progress::Waiting, false)) };
        unless_full(self.link.send(&pending.request, None))?;
        Ok((Progress::Waiting, true))
    }
}

/// A datagram that the kernel does not take counts as lost and is sent again.
fn unless_full(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}
