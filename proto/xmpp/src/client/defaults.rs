//! Limits and timeouts of the client, each with its reason and its RFC.

use std::time::Duration;

/// How long DNS may take before what it has said so far has to do: the drivers' own patience, and
/// somewhat more.
pub const LOOKUP: Duration = Duration::from_secs(15);
/// How long one address may take to accept a connection and to finish TLS: a few retransmissions of
/// a SYN (RFC 6298 begins at one second and doubles), not the minutes of an operating system.
pub const CONNECT: Duration = Duration::from_secs(10);
/// SRV records that are looked at of each of the two services. Nobody has as many.
pub const MAX_SRV_RECORDS: usize = 16;
/// Addresses that are tried for a host.
pub const MAX_HOST_ADDRESSES: usize = 8;
/// Addresses that are tried in one attempt; with `CONNECT` it bounds how long an attempt takes.
pub const MAX_TARGETS: usize = 24;

//= RFC 6120 §3.3: the pause is drawn at random, so that not all come back at the same time.
/// The first pause before another attempt, doubled with each that fails: a server that restarts is
/// back about then.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(2);
/// The longest pause: who comes back from a failure of an hour waits five minutes more at most.
pub const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// How long a login has to last before the next failure counts as the first again.
pub const STABLE: Duration = Duration::from_secs(30);

/// How long nothing may be heard before a ping: below the five minutes after which many NATs forget
/// a connection, whatever RFC 5382 §5 demands of them.
pub const KEEPALIVE: Duration = Duration::from_secs(120);
/// How long the answer to a ping, or anything else from the server, may take then.
pub const PING: Duration = Duration::from_secs(20);
/// How long the answer to a request may take. It passes two servers and a person's phone, no person.
pub const REQUEST: Duration = Duration::from_secs(30);
/// How long the server may take to close its side when we stop (RFC 6120 §4.4).
pub const STOP: Duration = Duration::from_secs(3);

/// Requests that wait for their answers. A call sends some tens of candidates, each a request.
pub const MAX_REQUESTS: usize = 256;
/// Messages whose failure can be told; of older ones it is forgotten what they were.
pub const MAX_SENT: usize = 256;
/// Bytes that wait until the server reads; more, and the connection is taken for dead.
pub const OUTBOX: usize = 1 << 20;
/// Contacts that are kept; servers' own limits are lower.
pub const MAX_CONTACTS: usize = 5_000;
/// Groups that are kept of a contact.
pub const MAX_GROUPS: usize = 64;
/// Resources that are kept of one account: a server of somebody else's could name them without end.
pub const MAX_RESOURCES_OF_ONE: usize = 32;
/// Resources that are kept in all.
pub const MAX_RESOURCES: usize = 10_000;
/// Bytes of a status text that are kept with a presence.
pub const MAX_STATUS: usize = 1_024;
/// Sets of capabilities that are kept (XEP-0115), each once for all who have it; the ones unused
/// longest go first.
pub const MAX_CAPS: usize = 256;
/// Questions for capabilities that are under way at a time.
pub const MAX_CAPS_QUESTIONS: usize = 16;
/// Identities, features and fields of forms that are taken from one answer; with more of them the
/// answer is not taken at all.
pub const MAX_DISCO_ITEMS: usize = 512;
/// Bytes of one name in such an answer.
pub const MAX_DISCO_NAME: usize = 1_024;
