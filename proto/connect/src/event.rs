//! What a session tells its owner.

use std::time::Duration;

use ice::{Candidate, CandidateKind, Explanation, PairReport};
use machine::{Endpoint, Transport};

use crate::SessionId;

/// What a session tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A candidate of ours was found; [`Connect::local`](crate::Connect::local) holds it already.
    Candidate {
        /// The session.
        session: SessionId,
        /// The stream.
        stream: usize,
        /// The candidate.
        candidate: Candidate,
    },
    /// Every source of candidates answered, or its time is up: the description can be sent.
    Gathered {
        /// The session.
        session: SessionId,
    },
    /// A pair came to be, or its state or fate changed.
    Pair {
        /// The session.
        session: SessionId,
        /// The pair.
        pair: Box<PairReport>,
    },
    /// [`Connect::send`](crate::Connect::send) works from now on, though the choice of the path
    /// may still change.
    Writable {
        /// The session.
        session: SessionId,
        /// The stream.
        stream: usize,
        /// The component.
        component: u16,
    },
    /// The path of a component was chosen, or changed.
    Path {
        /// The session.
        session: SessionId,
        /// The stream.
        stream: usize,
        /// The component.
        component: u16,
        /// The path.
        path: Path,
    },
    /// A datagram for the application arrived.
    Received {
        /// The session.
        session: SessionId,
        /// The stream.
        stream: usize,
        /// The component.
        component: u16,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// No path was found. The session stays until it is closed, and may be restarted.
    Failed {
        /// The session.
        session: SessionId,
        /// Why.
        explanation: Box<Explanation>,
    },
    /// The session was closed, and its sockets with it.
    Closed {
        /// The session.
        session: SessionId,
    },
}

/// The way that datagrams of one component take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Our address as the other side sees it, where that is known.
    pub local: Endpoint,
    /// The address on this host that we send from.
    pub base: Endpoint,
    /// Where we send to.
    pub remote: Endpoint,
    /// What kind our address is; `None` without ICE.
    pub local_type: Option<CandidateKind>,
    /// What kind the remote address is; `None` without ICE.
    pub remote_type: Option<CandidateKind>,
    /// Whether a relay is in between.
    pub relayed: bool,
    /// Over what packets leave this host: UDP, or what our relay is reached by.
    pub transport: Transport,
    /// Our own relay's address, if packets go through one.
    pub relay: Option<Endpoint>,
    /// Round-trip time of the check that proved it.
    pub rtt: Option<Duration>,
    /// How many pairs were checked until it was chosen.
    pub pairs_tried: usize,
    /// How many checks were sent until it was chosen, retransmissions not counted.
    pub checks_sent: u64,
}
