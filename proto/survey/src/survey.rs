//! The machine that asks everybody at once.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    AddressClass, BindKind, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant, Interface, Machine,
    Now, Output, Outputs, RecordData, RecordKind, ResolveError, Record, Timers,
};
use portmap::Gateway;
use stun::behaviour::{self, Discovery, Property};

use crate::alg::{self, Alg, Probe};
use crate::defaults::{
    HTTPS_PORT, MAX_SERVER_ADDRESSES, PATIENCE, SIP_PORT, SIP_RETRANSMISSIONS, STUN_PORT,
};
use crate::nat64;
use crate::report::Report;

/// Names for each part's sockets: far more than it can use.
const NAMES: u64 = 1 << 32;

/// Whom to ask, and for what.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// A STUN server, which may be a SIP server too: a name or an address. Without one nobody outside
    /// is asked.
    pub server: Option<String>,
    /// Its port for STUN; the usual one when missing.
    pub port: Option<u16>,
    /// Its port for SIP; the usual one when missing.
    pub sip_port: Option<u16>,
    /// The longest lifetime of a mapping that is looked for; nothing to leave it out, which takes
    /// longer than all else.
    pub lifetime: Option<Duration>,
    /// Whether the server is asked as RFC 3489 has it.
    pub classic: bool,
    /// How gateways are asked.
    pub portmap: portmap::Config,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server told something over IPv4.
    Learned(Property),
    /// A gateway speaks a protocol.
    Gateway(Gateway),
    /// Whether TCP to port 443 gets out.
    Tcp443(bool),
    /// The prefix of a NAT64, or that there is none.
    Nat64(Option<nat64::Prefix>),
    /// What becomes of SIP on the way.
    Alg(Result<Alg, alg::Error>),
    /// All is done.
    Done(Box<Report>),
}

/// Finds out what stands between this host and the world. It begins with the first
/// [`Input::Interfaces`], and ends with [`Event::Done`].
#[derive(Debug)]
pub struct Survey {
    config: Config,
    report: Report,
    ids: Ids,
    entropy: Entropy,
    started: bool,
    done: bool,
    gateways: portmap::Client,
    gateway_ids: Ids,
    searched: bool,
    behaviours: Vec<Behaviour>,
    lookups: Lookups,
    tcp: Vec<Id>,
    sip: Option<Sip>,
    timers: Timers<Timer>,
    outputs: Outputs<Event, Infallible>,
}

/// A discovery over one family.
#[derive(Debug)]
struct Behaviour {
    discovery: Discovery,
    names: Ids,
    over: bool,
}

/// Names that are looked up.
#[derive(Debug, Default)]
struct Lookups {
    server: Option<Id>,
    nat64: Option<Id>,
}

/// The message that tells on ALGs, on its way.
#[derive(Debug)]
struct Sip {
    socket: Id,
    server: Endpoint,
    probe: Option<Probe>,
    sent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The message to the SIP server goes out again.
    Sip,
    /// Everybody but the STUN server has had time enough.
    Patience,
}

impl Survey {
    /// A survey that waits for the interfaces.
    #[must_use]
    pub fn new(config: Config, mut ids: Ids, entropy: Entropy) -> Self {
        let gateway_ids = ids.block(NAMES);
        let gateways = portmap::Client::new(
            config.portmap.clone(),
            names_again(&gateway_ids),
            entropy.fork("survey.gateways"),
        );
        Self {
            report: Report { server: config.server.clone(), ..Report::default() },
            config,
            ids,
            entropy,
            started: false,
            done: false,
            gateways,
            gateway_ids,
            searched: false,
            behaviours: Vec::new(),
            lookups: Lookups::default(),
            tcp: Vec::new(),
            sip: None,
            timers: Timers::new(),
            outputs: Outputs::new(),
        }
    }

    /// What is known so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }
}
