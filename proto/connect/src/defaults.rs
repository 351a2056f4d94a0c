//! Every limit and timeout of this crate, each with its reason.

use std::time::Duration;

/// Sessions at a time. A phone has a few; the limit keeps a flood of calls from taking every port.
pub const MAX_SESSIONS: usize = 256;

/// Addresses of the host that one component binds. Each costs a socket and its candidates.
pub const MAX_ADDRESSES: usize = 16;

/// STUN servers of one session: each costs a transaction for every socket, paced by Ta (RFC 8445
/// §14.2), and a second one is for when the first does not answer.
pub const MAX_STUN_SERVERS: usize = 4;

/// TURN servers of one session. Each costs an allocation a component until a path is chosen; a second
/// one is for when the first is gone.
pub const MAX_TURN_SERVERS: usize = 2;

/// Addresses to fall back to for one TURN server: the registrar's, IPv4 and IPv6.
pub const MAX_FALLBACKS: usize = 4;

/// The largest datagram that is sent or received.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// How long gathering waits for sources that do not answer, before the session counts as gathered.
/// A STUN server that needs more than three transmissions (0, 0.5, 1.5 s) is as good as dead; its
/// late answer still becomes a candidate.
pub const GATHER_LIMIT: Duration = Duration::from_secs(2);

/// How long gathering goes on once a server has answered: for one lost packet of the others. An
/// interface that leads nowhere costs this, and not the whole limit.
pub const GATHER_GRACE: Duration = Duration::from_millis(600);
