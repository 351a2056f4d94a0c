//! Limits and timeouts of the server, each with its reason and its RFC.

use std::time::Duration;

/// Connections in all. Each may hold a TLS session, a half-read stanza and a queue: some hundred
/// kilobytes at worst.
pub const CONNECTIONS: usize = 20_000;

/// Connections from one address (one /64 with IPv6) that have not authenticated. A household behind
/// one address logs in a few clients at a time; a flood does more.
pub const UNAUTHENTICATED_PER_ADDRESS: usize = 32;

/// Failed attempts on one stream.
//= RFC 6120 §6.4.5: a server allows a few retries, two to five of them, before it closes the stream.
pub const ATTEMPTS_PER_STREAM: u32 = 3;

/// Failed attempts from one address within [`ATTEMPTS_WINDOW`]: those who forget their password
/// try less, those who guess one try more.
pub const ATTEMPTS_PER_ADDRESS: u32 = 30;

/// The time in which failed attempts of an address are counted.
pub const ATTEMPTS_WINDOW: Duration = Duration::from_secs(600);

/// Addresses whose failed attempts are counted at a time; the oldest are forgotten first. A hundred
/// bytes each.
pub const ATTEMPT_ADDRESSES: usize = 10_000;

/// How long a client may take to log in: TLS over a slow radio and a few round trips, not more, for
/// half-open streams cost memory (RFC 6120 §13.12).
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a closed stream waits for the client's end and for what is still to be written.
//= RFC 6120 §4.4: who closed a stream waits for the other's end for a time of its choice.
pub const LINGER: Duration = Duration::from_secs(10);

/// Sessions of an account: phone, laptop, tablet, and those that have not timed out.
pub const SESSIONS_PER_ACCOUNT: usize = 20;

/// Contacts in a roster, those counted that only asked for a subscription.
pub const CONTACTS: usize = 1_000;

/// Requests for a subscription that a user has not answered, kept in the roster. Strangers make
/// them, so they may take no more than a part of it.
pub const PENDING_IN: usize = 100;

/// Bytes of such a request that are kept with what its sender added; a longer one is kept without.
//= RFC 6121 §3.1.3: the whole stanza is kept, what was added to it included.
pub const PENDING_IN_BYTES: usize = 2_048;

/// Bytes of the name of a contact or of a group. No limit stands in the RFC; names of people are
/// shorter.
//= RFC 6121 §2.3.3: a name longer than the server's limit is not-acceptable.
pub const NAME_BYTES: usize = 1_023;

/// Groups of a contact.
pub const GROUPS: usize = 50;

/// Entities that one session sends directed presence to (RFC 6121 §4.6): they are remembered, for
/// they are told when it goes.
pub const DIRECTED: usize = 200;

/// Bytes of a stanza.
//= RFC 6120 §13.12: a limit on the size of stanzas is not below 10000 bytes.
pub const STANZA_BYTES: usize = 65_536;

/// Bytes that wait for a client which does not read: a large roster and a good deal of presence.
pub const QUEUE_BYTES: usize = 1 << 20;

/// Stanzas a second from one client. A call with trickled candidates is a burst of some tens.
pub const STANZAS_PER_SECOND: u32 = 50;

/// Bytes a second from one client: ten times a chatty one.
pub const BYTES_PER_SECOND: u32 = 65_536;

/// Seconds of both rates that a client may send at once.
pub const BURST_SECS: u32 = 10;

/// Bytes that may still come from a client that is not read: what the driver had read already. More
/// is no accident.
pub const UNREAD_BYTES: usize = 1 << 20;

/// How long a client may be silent before it is asked whether it is there (RFC 6120 §4.6.4): NATs
/// forget idle connections sooner than in five minutes, so clients send something before.
pub const IDLE: Duration = Duration::from_secs(300);

/// How long it may take to answer that.
pub const IDLE_GRACE: Duration = Duration::from_secs(60);

/// Questions of one session that wait for their answer; more stanzas of it are read later.
pub const WAITING_PER_SESSION: usize = 16;

/// Users whose rosters are kept in memory although they have no session, as those are of whom
/// subscription requests and probes speak. The oldest is forgotten first.
pub const IDLE_ROSTERS: usize = 1_000;

/// The length of salts. RFC 5802 says nothing; RFC 8018 §4.1 wants eight at least.
pub const SALT_BYTES: usize = 16;

/// How often keys are derived: as accounts have it, or an unknown one would differ from them.
//= RFC 7677 §4: at least 4096 iterations.
pub const ITERATIONS: u32 = 10_000;
