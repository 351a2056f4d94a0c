//! Limits and timeouts, each with its reason and its RFC.

use std::time::Duration;

/// Hops that a request of our own may take (RFC 3261 §8.1.1.6 recommends this).
pub const MAX_FORWARDS: u8 = 70;

/// The largest message: what every element must be able to take (RFC 3261 §18.1.1), and all that a
/// UDP datagram can hold.
pub const MAX_MESSAGE_BYTES: usize = 65_535;

// ---- transactions ----

/// T1: an estimate of the round trip (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// T2: the longest pause between retransmissions (RFC 3261 §17.1.2.2).
pub const T2: Duration = Duration::from_secs(4);
/// T4: how long a message may stay in the network (RFC 3261 §17.1.2.2).
pub const T4: Duration = Duration::from_secs(5);
/// Timer D over UDP: at least 32 seconds (RFC 3261 §17.1.1.2).
pub const TIMER_D: Duration = Duration::from_secs(32);
/// How long an INVITE waits for its owner before a 100 goes out (RFC 3261 §17.2.1).
pub const TRYING_DELAY: Duration = Duration::from_millis(200);
/// Client transactions at once; a busy core has one for each call and fork of the last half minute.
pub const CLIENT_TRANSACTIONS: usize = 200_000;
/// Server transactions at once; above, requests get a 503. Each holds about a kilobyte.
pub const SERVER_TRANSACTIONS: usize = 200_000;
/// What a 503 for overload says in Retry-After (RFC 3261 §21.5.4).
pub const OVERLOAD_RETRY_SECS: u32 = 10;
/// Random characters of a branch after the magic cookie: 95 bits (RFC 3261 §8.1.1.7).
pub const BRANCH_CHARS: usize = 16;
/// Random characters of a tag: above the 32 bits of RFC 3261 §19.3.
pub const TAG_CHARS: usize = 10;
/// Random characters of a Call-ID.
pub const CALL_ID_CHARS: usize = 20;

// ---- transport ----

/// The largest request that goes by datagram while a stream can be had (RFC 3261 §18.1.1).
pub const DATAGRAM_BYTES: usize = 1300;
/// Connections at once, those being opened among them.
pub const CONNS: usize = 20_000;
/// Connections from one address, or one /64 of IPv6, which is what a stranger has at least: a NAT may
/// hide many phones, a stranger may not take them all.
pub const CONNS_PER_ADDRESS: usize = 500;
/// What waits for a peer that does not read; beyond, messages are dropped.
pub const CONN_OUTBOX_BYTES: usize = 256 * 1024;
/// A connection that carried no whole message or keepalive for so long is closed. Peers send
/// keepalives every two minutes (RFC 5626 §4.4.1).
pub const CONN_IDLE: Duration = Duration::from_secs(15 * 60);
/// A connection that was accepted and has carried no whole message or keepalive after so long is
/// closed: who connects has something to say, but for the slowest lines at once.
pub const FIRST_MESSAGE: Duration = Duration::from_secs(30);
/// How long a connection may take to open before the next place is tried: short, so that the
/// fall-back to UDP of RFC 3261 §18.1.1 comes while somebody still waits.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest pause between keepalives of a flow; drawn between 80 and 100 per cent of it
/// (RFC 5626 §4.4.2, for NATs that forget UDP after 30 seconds; over streams as well, since some
/// NATs forget those as fast).
pub const KEEPALIVE: Duration = Duration::from_secs(29);
/// How long a pong may take (RFC 5626 §4.4.1).
pub const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a phone waits for a first response over UDP before it tries a stream: the request and two
/// repetitions of it have gone out by then (T1 and 2·T1 after it, RFC 3261 §17.1.2.2). A firewall that
/// drops UDP says nothing, and nobody waits the 32 seconds of Timer F for that.
pub const FALLBACK_AFTER: Duration = Duration::from_millis(2500);
/// Look-ups for one URI (RFC 3263), so that no zone sends us in circles.
pub const LOCATE_LOOKUPS: usize = 16;
/// Places to try for one URI (RFC 3263 §4.3): a caller has hung up before a ninth has timed out.
pub const LOCATE_DESTINATIONS: usize = 8;

// ---- user agent ----

/// How long a registration is asked to hold (RFC 3261 §10.2.1.1 suggests an hour).
pub const REGISTER_EXPIRES: Duration = Duration::from_secs(3600);
/// The first pause after a failed registration; it doubles (RFC 5626 §4.5).
pub const REGISTER_RETRY: Duration = Duration::from_secs(30);
/// The longest pause after failed registrations (RFC 5626 §4.5).
pub const REGISTER_RETRY_MAX: Duration = Duration::from_secs(1800);
/// Calls of one user agent at once; above, 486.
pub const CALLS: usize = 64;
/// How long a phone rings here before we answer 480 (RFC 3261 §13.3.1.1 leaves it to us).
pub const RINGING: Duration = Duration::from_secs(180);

/// How often a provisional response is sent again while it rings (RFC 3261 §13.3.1.1).
pub const PROVISIONAL_REPEAT: Duration = Duration::from_secs(60);

// ---- registrar and proxy ----

/// Addresses of record with bindings.
pub const ADDRESSES: usize = 1_000_000;
/// Bindings of one address of record.
pub const BINDINGS_PER_ADDRESS: usize = 16;
/// The shortest registration that is granted; below, 423 (RFC 3261 §10.3 step 6).
pub const EXPIRES_MIN: Duration = Duration::from_secs(60);
/// The longest registration that is granted; longer ones are cut.
pub const EXPIRES_MAX: Duration = Duration::from_secs(7200);
/// Timer C: how long a proxied INVITE may go without a final response after its last provisional
/// one; more than three minutes (RFC 3261 §16.6 step 11).
pub const TIMER_C: Duration = Duration::from_secs(181);
/// Branches of one forked request, over all redirections (RFC 5393 §5 bounds breadth).
pub const FORKS: usize = 16;
/// Requests that a proxy forwards at once.
pub const PROXY_CONTEXTS: usize = 100_000;

/// How long a nonce is good for: long enough that a telephone that registers every few minutes
/// seldom meets a challenge, short enough that what was overheard is soon worthless (RFC 7616 §5.4).
pub const NONCE_LIFETIME: Duration = Duration::from_secs(600);

/// Nonces in use that a server remembers to refuse replays (RFC 7616 §5.5): about 4 MB.
pub const NONCES: usize = 65_536;

/// Realms that a client keeps challenges of: its own server, and the proxies of one path.
pub const AUTH_REALMS: usize = 8;

// ---- what a message may hold ----

/// Bytes of a Request-URI; above, 414 (RFC 3261 §21.4.14 leaves the number to us). What telephones
/// and gateways write stays below 300.
pub const MAX_URI_BYTES: usize = 2048;
/// Header fields, and hops in Via; above, 513. A request may take 255 hops (RFC 3261 §20.22), each
/// of which may add a Via and a Record-Route in a field of its own.
pub const MAX_HEADERS: usize = 600;
/// Bytes of one header field; above, 513. Long Identity tokens and lists of routes fit.
pub const MAX_HEADER_BYTES: usize = 8192;
/// Bytes of a body; above, 413. Whatever fits into a message.
pub const MAX_BODY_BYTES: usize = MAX_MESSAGE_BYTES;
