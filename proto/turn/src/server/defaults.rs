//! Limits and timeouts of the server, each with its reason.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The ports of relayed addresses: the dynamic range of RFC 6335 §6, as RFC 8656 §7.2 wants it.
pub const PORTS: RangeInclusive<u16> = 49_152..=65_535;

/// The lifetime of an allocation whose client names none: RFC 8656 §3.2.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// The longest lifetime that is granted: RFC 8656 §7.2 suggests an hour.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// How long a permission lasts: RFC 8656 §9.
pub const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// How long a channel lasts: RFC 8656 §12.
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// How long a channel that ended stays reserved: neither its number nor its peer is bound anew in
/// the 5 minutes after (RFC 8656 §12).
pub const CHANNEL_QUARANTINE: Duration = Duration::from_secs(300);

/// How long a port waits for its RESERVATION-TOKEN: RFC 8656 §7.2.
pub const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);

/// How long a port rests before it is given out again: two minutes, by when what peers still send
/// to the allocation before has ended (RFC 8656 §7.2).
pub const PORT_QUARANTINE: Duration = Duration::from_secs(120);

/// How many ports of a short range may rest: half, so that a range of a few ports stays usable.
pub const MAX_QUARANTINED_SHARE: usize = 2;

/// How often another random port is tried before the range counts as used up.
pub const MAX_PORT_TRIES: u32 = 32;

/// How long a nonce is good: RFC 8489 §9.2.4 wants it to expire within an hour.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(3600);

/// Allocations in all: each takes a port, of which the range has 16,384 for each family.
pub const ALLOCATIONS: usize = 16_384;

/// Allocations of one user: some telephones, each with some calls of a few candidates.
pub const ALLOCATIONS_PER_USER: usize = 128;

/// Allocations of one client address: an office behind one NAT.
pub const ALLOCATIONS_PER_ADDRESS: usize = 1024;

/// Permissions of one allocation: a call needs one for each address among its peer's candidates.
pub const PERMISSIONS: usize = 64;

/// Channels of one allocation, those in quarantine counted in: a call needs one for each candidate
/// of its peer's that is used.
pub const CHANNELS: usize = 128;

/// XOR-PEER-ADDRESSes of one CreatePermission.
pub const PEERS_PER_REQUEST: usize = PERMISSIONS;

/// Connections to and from peers of one TCP allocation.
pub const PEER_CONNECTIONS: usize = 32;

/// Connections to and from peers in all: each takes a descriptor, and up to twice
/// [`SPLICE_MAX_BYTES`] while one side does not read. A quarter of what clients may hold.
pub const PEER_CONNECTIONS_IN_ALL: usize = 4096;

/// Connections to and from the peers of one user: some telephones, each with all that one
/// allocation may have. One user leaves room for others.
pub const PEER_CONNECTIONS_PER_USER: usize = 256;

/// How long a peer's connection waits for its ConnectionBind: RFC 6062 §5.2 to §5.4.
pub const UNBOUND_LIFETIME: Duration = Duration::from_secs(30);

/// How long a Connect may take: RFC 6062 §5.2 has 30 seconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes that wait for one side of a spliced connection before the other is no longer read.
pub const SPLICE_PAUSE_BYTES: usize = 64 * 1024;

/// Bytes that may come on a connection after its reading stopped: what a driver had read before.
/// Whoever exceeds it is cut off.
pub const SPLICE_MAX_BYTES: usize = 1024 * 1024;

/// Bytes that may wait for a client's connection. What does not fit is dropped, as it would be over
/// UDP.
pub const OUTBOX_BYTES: usize = 128 * 1024;

/// Bytes that may wait when media comes: what would be late is worthless, and answers need room.
pub const MEDIA_BYTES: usize = 32 * 1024;

/// Connections that clients hold to us.
pub const CONNECTIONS: usize = 16_384;

/// Connections from one client address: an office behind one NAT.
pub const CONNECTIONS_PER_ADDRESS: usize = 1024;

/// How long a connection may go without an allocation, and without a binding of a peer's.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(60);

/// The shortest request over UDP that is challenged: a header and one attribute, as an Allocate has
/// (RFC 8656 §7.1). No honest client sends a shorter one without credentials.
pub const CHALLENGED_BYTES: usize = 20 + 8;

/// How many bytes go to the unproven for each that came from them: a challenge has 84 bytes and the
/// realm's for a request of 28 (RFC 8656 §21.3.1), so this holds for realms of up to 24 bytes.
/// [`Config::amplification`](super::Config::amplification) tells of longer ones; for these
/// [`UNPROVEN_BYTES_PER_SECOND`] alone is the limit.
pub const MAX_AMPLIFICATION: f64 = 3.9;

/// Bytes a second that go to the unproven of one source prefix, so that a forger aims no more than
/// a modest line's worth at it. 256 KiB are some 2,700 challenges.
pub const UNPROVEN_BYTES_PER_SECOND: u64 = 256 * 1024;

/// How many seconds' worth of bytes a prefix may have at once: an office that comes to life.
pub const UNPROVEN_BURST_SECS: u64 = 4;

/// Buckets of source prefixes, a fixed number of eight bytes each: prefixes that fall into the same
/// one share it, and which do is keyed at random.
pub const UNPROVEN_BUCKETS: usize = 16_384;

/// How long the world may take to answer a question. A disk that is busy takes a second at worst; a
/// client hears that it failed while it still sends its request again, which it does for 39.5 seconds
/// (RFC 8489 §6.2.1).
pub const QUESTION: Duration = Duration::from_secs(10);

/// Requests that wait for keys. Only proven sources come so far.
pub const WAITING_REQUESTS: usize = 4096;

/// Requests of one source address (of its /64 with IPv6) that wait for keys.
pub const WAITING_PER_ADDRESS: usize = 64;

/// The longest request that may wait for keys; an honest one of 64 peers fits.
pub const WAITING_REQUEST_BYTES: usize = 2048;

/// Keys that are remembered, for the moment between a client's requests.
pub const CACHED_KEYS: usize = 4096;

/// How long keys are remembered: the requests that set a call up come within seconds.
pub const CACHED_KEYS_LIFETIME: Duration = Duration::from_secs(30);

/// Answers kept for retransmissions of requests whose repetition would be answered otherwise.
pub const ANSWERS: usize = 4096;

/// How long such an answer is kept: RFC 8489 §6.3.1 has 40 seconds.
pub const ANSWER_LIFETIME: Duration = Duration::from_secs(40);

/// Reservations that wait for their token.
pub const RESERVATIONS: usize = 1024;

/// How long a client that moves has to confirm it by sending from its new address; until then it
/// is served at the old one (RFC 8016 §3.2.2).
pub const MOVE_LIFETIME: Duration = Duration::from_secs(30);

/// How long a connection that is to be closed may take to write what waits.
pub const LINGER: Duration = Duration::from_secs(30);

/// Bytes of an unfinished frame that a connection without an allocation may have sent: a request of
/// any honest kind.
pub const UNPROVEN_FRAME_BYTES: usize = 4096;
