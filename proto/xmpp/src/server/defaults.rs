//! Limits and timeouts of the server, each with its reason and its RFC. Those of one stream stand in
//! [`crate::defaults`].

use std::time::Duration;

/// Connections in all. Each may hold a TLS session, a half-read stanza and a queue: some hundred
/// kilobytes at worst.
pub const CONNECTIONS: usize = 20_000;

/// Connections from one address (one /64 with IPv6) that have not bound a resource. A household behind
/// one address logs in a few clients at a time; a flood does more.
pub const UNAUTHENTICATED_PER_ADDRESS: usize = 32;

/// The part of all connections that may have bound no resource, one in so many: whoever has addresses
/// without end (one /48 has 65,536 times a /64) leaves the rest to those who have logged in.
pub const STRANGERS_SHARE: usize = 4;

/// Attempts from one address (one /64 with IPv6) within [`ATTEMPTS_WINDOW`] that failed or were made
/// with PLAIN: those who forgot their password try less, those who guess one try more. With PLAIN those
/// that succeed count too, for the server derives a key each time: a client that logs in so more often
/// than every twenty seconds does not need it.
pub const ATTEMPTS_PER_ADDRESS: u32 = 30;

/// The time in which attempts of an address are counted.
pub const ATTEMPTS_WINDOW: Duration = Duration::from_secs(600);

/// Addresses whose attempts are counted at a time; the oldest is forgotten first. A hundred
/// bytes each.
pub const ATTEMPT_ADDRESSES: usize = 10_000;

/// Keys a second that are derived for PLAIN, for all clients together; above, they are told to try
/// again. One takes some milliseconds of the thread that serves SIP and TURN as well: a tenth of it.
/// Clients that can use SCRAM do, and derive for themselves (RFC 5802 §1).
pub const DERIVATIONS_PER_SECOND: u32 = 20;

/// How many seconds' worth of keys may be derived at once: a few clients that come back together.
pub const DERIVATIONS_BURST_SECS: u64 = 2;

/// How long the world may take to answer a question. A disk that is busy takes a second at worst; whoever
/// waits is told that it failed, and can try again before giving up.
pub const QUESTION: Duration = Duration::from_secs(10);

/// How long the end of a stream may take to be written before its connection is closed anyway.
pub const FAREWELL: Duration = Duration::from_secs(10);

/// Room that a stream's end has above the queue of a client that does not read: a stream error and
/// the closing tag.
pub const FAREWELL_BYTES: usize = 1_024;

/// Sessions of an account: phone, laptop, tablet, and those that have not timed out.
pub const SESSIONS_PER_ACCOUNT: usize = 20;

/// Things to be done to a roster that wait for those before them. Every session of the domain may wait
/// for one; more are left by sessions that came and went while the world was slow.
pub const TASKS: usize = 1_000;

/// Contacts in a roster, those counted that only asked for a subscription.
pub const CONTACTS: usize = 1_000;

/// Requests for a subscription that a user has not answered, kept in the roster. Strangers make
/// them, so they may take no more than a part of it.
pub const PENDING_IN: usize = 100;

//= RFC 6121 §3.1.3: the whole stanza is kept, what was added to it included
/// Bytes of such a request that are kept with what its sender added, a greeting as a rule; a longer
/// one is kept without.
pub const PENDING_IN_BYTES: usize = 2_048;

//= RFC 6121 §2.3.3: a name longer than the server's limit is not-acceptable
/// Bytes of the name of a contact or of a group. No limit stands in the RFC; names of people are
/// shorter.
pub const NAME_BYTES: usize = 1_023;

/// Groups of a contact. No limit stands in RFC 6121; people sort their contacts into a handful.
pub const GROUPS: usize = 50;

/// Bytes of a roster on the wire, about: it is sent whole, and has to fit into [`QUEUE_BYTES`].
pub const ROSTER_BYTES: usize = 512 * 1024;

/// Entities that one session sends directed presence to (RFC 6121 §4.6): they are remembered, for
/// they are told when it goes.
pub const DIRECTED: usize = 200;

/// Bytes that wait for a client which does not read: a large roster and a good deal of presence.
pub const QUEUE_BYTES: usize = 1024 * 1024;

/// How long a client may be silent before it is asked whether it is there (RFC 6120 §4.6.4): NATs
/// forget idle connections sooner than in five minutes, so clients send something before.
pub const IDLE: Duration = Duration::from_secs(300);

/// How long it may take to answer that.
pub const IDLE_GRACE: Duration = Duration::from_secs(60);

//= RFC 6120 §7.6: it is chosen so that it cannot be guessed, for it may be a way to the client
/// The length of a resource that the server chooses, in letters and digits: some seventy bits.
pub const RESOURCE_LEN: usize = 12;
