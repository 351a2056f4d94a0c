//! What the two sides of a session tell each other.

use ice::{Candidate, Credentials};
use machine::Endpoint;

/// What our side tells: to be put into a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalParameters {
    /// Our ICE credentials; `None` with ICE off.
    pub credentials: Option<Credentials>,
    /// Whether every socket is bound, or cannot be: the host candidates are known.
    pub bound: bool,
    /// Whether gathering is done: no candidate will follow, unless a source answers very late.
    pub gathered: bool,
    /// A stream each, in the order of the spec.
    pub streams: Vec<LocalStream>,
}

/// Our side of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalStream {
    /// The candidates found so far, the best first.
    pub candidates: Vec<Candidate>,
    /// The default destination of each component (RFC 8445 §5.1.4): where a peer without ICE sends.
    /// `None` while no socket is bound.
    pub defaults: Vec<Option<Endpoint>>,
}

/// What the other side told: read from its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteParameters {
    /// Its ICE parameters; `None` if it knows no ICE.
    pub ice: Option<RemoteIce>,
    /// A stream each, in the order of the spec. A stream that is missing or `None` was refused.
    pub streams: Vec<Option<RemoteStream>>,
}

/// The other side's ICE parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteIce {
    /// Its credentials.
    pub credentials: Credentials,
    /// It is a lite agent (RFC 8445 §2.5): it sends no checks, and we control.
    pub lite: bool,
    /// It sent all of its candidates (true without trickle).
    pub complete: bool,
}

/// The other side of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteStream {
    /// How many components it uses: 1 with RTP and RTCP on one port.
    pub components: u16,
    /// Its candidates; more may follow later.
    pub candidates: Vec<Candidate>,
    /// Its default destination of each component.
    pub defaults: Vec<Option<Endpoint>>,
}
