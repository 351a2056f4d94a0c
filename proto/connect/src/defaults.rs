//! Every limit and timeout of this crate, each with its reason.

use std::time::Duration;

use machine::Transport;

/// Sessions at a time. A phone has a few; the limit keeps a flood of calls from taking every port.
pub const MAX_SESSIONS: usize = 256;

/// Sessions that are closed and still wait for a relay to confirm its end. Each waits
/// [`CLOSE_LIMIT`] at most; of more than these the first waits no longer.
pub const MAX_CLOSING_SESSIONS: usize = MAX_SESSIONS;

/// How long a gateway is asked to hold a port open for a call, at a time: an hour at most is left behind
/// by a program that dies, and a call of any length renews it at half of that.
pub const MAPPING_LIFETIME: Duration = Duration::from_secs(3600);

/// Names set aside for the sockets of the client that asks gateways: far more than it can use.
pub const MAPPING_NAMES: u64 = 1 << 36;

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

/// SRV records that are read of one service: who has more has the first of them tried.
pub const MAX_SRV_RECORDS: usize = 4;

/// Addresses that are read of one host: two of each family, and who has more is reached by these.
pub const MAX_HOST_ADDRESSES: usize = 4;

/// The port of TURN over UDP and TCP (RFC 8656 §14).
pub const TURN_PORT: u16 = 3478;

/// The ports of TURN over TLS, where none is named: 443 first, since what blocks everything else lets
/// it pass, then the registered one (RFC 8656 §14).
pub const TURN_TLS_PORTS: [u16; 2] = [443, 5349];

/// Over what a TURN server is tried, in order: what is quicker and drops what is late before what
/// gets through more firewalls.
pub const TURN_TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// Servers that one attempt tries, of all names, transports and addresses.
pub const MAX_TURN_ENDPOINTS: usize = 12;

/// Attempts at a relayed address of one component: each is a server from a socket of its own. More
/// than one is under way only when the first is slow.
pub const MAX_RELAY_ATTEMPTS: usize = 4;

/// When the next attempt starts if the one before has neither succeeded nor failed: UDP has been given
/// up by then, and TCP had its round trips.
pub const RELAY_STAGGER: Duration = Duration::from_secs(1);

/// How long gathering goes on for a relayed address once some server has answered: for one that is
/// reached by TCP after UDP was silent.
pub const RELAY_GATHER_GRACE: Duration = Duration::from_millis(1200);

/// How long gathering goes on when candidates are told as they are found: nobody waits for it, and
/// until then none may be said to be the last (RFC 8838 §13).
pub const TRICKLE_GATHER_LIMIT: Duration = Duration::from_secs(10);

/// How long gathering goes on when only relayed addresses are of use.
pub const RELAY_ONLY_GATHER_LIMIT: Duration = Duration::from_secs(10);

/// How long a relayed address that no chosen pair uses is kept: the other side may choose a little
/// later (RFC 8445 §8.3).
pub const RELEASE_GRACE: Duration = Duration::from_secs(3);

/// How long the end of a session waits for its relays to confirm that they let go, in all: the time
/// that the client of each gives its server, and some. What is lost then ends with its lifetime.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// Checks that go out before a relay is asked for permissions, whatever they are: the first may be
/// through the other side's relay, which needs none of ours.
pub const CHECKS_BEFORE_PERMISSIONS: u32 = 2;

/// Packets of a relayed address that wait for the relay's permission to send them. They are checks,
/// a few a round trip.
pub const MAX_HELD_PACKETS: usize = 16;

/// Addresses that the other side may name for one relayed address to get permissions for; as many as
/// RFC 8445 §6.1.2.5 has pairs.
pub const MAX_RELAY_PEERS: usize = 64;

/// The largest datagram that is sent or received.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// How long gathering waits for sources that do not answer, before the session counts as gathered.
/// A STUN server that needs more than three transmissions (0, 0.5, 1.5 s) is as good as dead; its
/// late answer still becomes a candidate.
pub const GATHER_LIMIT: Duration = Duration::from_secs(2);

/// How long gathering goes on once a server has answered: for one lost packet of the others. An
/// interface that leads nowhere costs this, and not the whole limit.
pub const GATHER_GRACE: Duration = Duration::from_millis(600);
