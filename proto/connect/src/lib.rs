//! "Get me a path": the embeddable machine that finds a way between two sides and keeps it open.
//!
//! [`Connect`] takes the host's interfaces, binds sockets, gathers host, server-reflexive and relayed
//! candidates, runs one ICE agent a session under one pacer, and then carries datagrams. It runs by
//! itself as a [`machine::Machine`], and as a part of a larger one, which routes by
//! [`machine::Id::namespace`].
//!
//! A relay is the last resort. It is asked for from the component's own socket, over UDP, else TCP,
//! else TLS, and given back when no path needs it; direct pairs are checked before it, and chosen
//! before it if they work within two seconds. [`Connect::explain`] says what became of each.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`], [`SessionSpec`]: what to open |
//! | [`parameters`] | what both sides tell each other: [`LocalParameters`], [`RemoteParameters`] |
//! | [`event`] | [`Event`], [`Path`] |
//! | `session` | one session: sockets, demultiplexing, paths with ICE and without |
//! | `addresses` | which of the host's addresses are offered |
//! | `gather` | asking STUN servers |
//! | `mappings` | ports that gateways hold open |
//! | `locate` | from a TURN server's name to addresses |
//! | `relay` | one relayed address |
//! | `pacer` | one pace for all transactions |
//! | [`defaults`] | every limit and timeout |

mod addresses;
pub mod config;
mod connect;
pub mod defaults;
pub mod event;
mod gather;
mod locate;
mod mappings;
mod pacer;
pub mod parameters;
mod relay;
mod session;

pub use config::{Config, IceMode, SessionSpec, StreamSpec, TurnServer};
pub use connect::{Connect, OpenError, SendError, SessionError, SessionId, Stats};
pub use event::{Event, Path};
pub use ice::{
    Candidate, CandidateKind, Credentials, Explanation, Fate, Origin, PairReport, PairState, Role,
};
pub use parameters::{LocalParameters, LocalStream, RemoteIce, RemoteParameters, RemoteStream};
pub use portmap::Config as PortMapping;
