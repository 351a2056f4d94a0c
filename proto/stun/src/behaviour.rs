//! What a NAT does, found out by asking a STUN server with two addresses (RFC 5780, and RFC 3489
//! where a server knows no better).

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Entropy, Ids, Input, Instant, Machine, Now, Output, Outputs};

mod report;

pub use report::{
    Filtering, Finding, Lifetime, Mapping, Pattern, Ports, Property, Report, Unknown,
};

/// What to find out, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The server: its address and its primary port.
    pub server: Endpoint,
    /// The address of ours to send from; unspecified lets the system choose.
    pub local: IpAddr,
    /// The longest lifetime of a mapping that is looked for; nothing to leave the lifetime out, which
    /// takes longer than all else.
    pub lifetime: Option<Duration>,
    /// Whether to speak as RFC 3489 does, to a server of its time.
    pub classic: bool,
}

impl Config {
    /// To ask `server` all but the lifetime.
    #[must_use]
    pub const fn new(server: Endpoint) -> Self {
        let any =
            if server.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        Self { server, local: any.ip(), lifetime: None, classic: false }
    }
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// One property is known, or known to stay unknown.
    Learned(Property),
    /// All is done; the sockets are closed.
    Done(Box<Report>),
}

/// A machine, or a part of one, that finds out what stands between this host and a server.
#[derive(Debug)]
pub struct Discovery {
    report: Report,
    outputs: Outputs<Event, Infallible>,
}

impl Discovery {
    /// Begins at once: the sockets to bind wait to be polled. `ids` names them.
    #[must_use]
    pub fn new(now: Now, config: Config, ids: Ids, entropy: Entropy) -> Self {
        let _ = (now, ids, entropy);
        Self { report: Report::new(config.server), outputs: Outputs::new() }
    }

    /// What is known so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Gives up: closes the sockets and says what is known.
    pub fn stop(&mut self) {}
}

impl Machine for Discovery {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, _: Now, _: Input<'_, Infallible>) {}

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
