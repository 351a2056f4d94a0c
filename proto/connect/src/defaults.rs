//! Every limit and timeout of this crate, each with its reason.

use std::time::Duration;

/// Sessions at a time. A phone has a few; the limit keeps a flood of calls from taking every port.
pub const MAX_SESSIONS: usize = 256;

/// Addresses of the host that one component binds. Each costs a socket and its candidates.
pub const MAX_ADDRESSES: usize = 16;

/// STUN servers of one session.
pub const MAX_STUN_SERVERS: usize = 4;

/// The largest datagram that is sent or received.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// How long gathering waits for sources that do not answer, before the session counts as gathered.
/// A STUN server that needs more than three transmissions (0, 0.5, 1.5 s) is as good as dead; its
/// late answer still becomes a candidate.
pub const GATHER_LIMIT: Duration = Duration::from_secs(2);

/// How often a session that waits for the other side refreshes its NAT bindings by asking the STUN
/// server again (RFC 8445 §5.1.1.4): half of the shortest lifetime that RFC 4787 suffers.
pub const BINDING_REFRESH: Duration = Duration::from_secs(15);
