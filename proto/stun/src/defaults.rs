//! Limits and timeouts, each with its reason.

use std::time::Duration;

use crate::Timing;

/// The initial retransmission timeout over UDP: RTO of RFC 8489 §6.2.1.
pub const RTO: Duration = Duration::from_millis(500);

/// How many times a request is sent over UDP in all: Rc of RFC 8489 §6.2.1.
pub const RC: u32 = 7;

/// How many RTOs a client waits after the last transmission: Rm of RFC 8489 §6.2.1.
pub const RM: u32 = 16;

/// How long a client waits over a reliable transport: Ti of RFC 8489 §6.2.2.
pub const TI: Duration = Duration::from_millis(39_500);

/// The longest USERNAME that is read: RFC 8489 §14.3 has less than 509 bytes, but two ICE user
/// fragments of 256 characters and a colon (RFC 8839 §5.4) make 513.
pub const MAX_USERNAME_READ_BYTES: usize = 513;

/// The longest user name of long-term credentials: less than 509 bytes (RFC 8489 §14.3).
pub const MAX_USERNAME_WRITTEN_BYTES: usize = 508;

/// The longest REALM, NONCE, SOFTWARE or reason phrase that is read: fewer than 128 characters,
/// which peers of RFC 5389 may have spread over 763 bytes (RFC 8489 §14.8 to §14.14).
pub const MAX_TEXT_READ_BYTES: usize = 763;

/// The longest SOFTWARE or reason phrase that is written: fewer than 128 characters of UTF-8 as
/// RFC 3629 has it (RFC 8489 §14.8, §14.14).
pub const MAX_TEXT_WRITTEN_BYTES: usize = 509;

/// The longest ALTERNATE-DOMAIN: RFC 8489 §14.16.
pub const MAX_DOMAIN_BYTES: usize = 255;

/// How many entries of PASSWORD-ALGORITHMS are looked at. Two are registered; an honest server has
/// no use for more than a few.
pub const MAX_PASSWORD_ALGORITHMS: usize = 16;

/// How many attribute types a 420 lists. A client with more unknown attributes learns of the rest
/// after it dropped these.
pub const MAX_UNKNOWN_ATTRIBUTES: usize = 32;

/// How many times in a row a client follows a new challenge: the first 401, and nonces that go stale
/// between two requests. A server that never accepts a nonce that it just gave is broken or an
/// attacker's.
pub const MAX_CHALLENGES: u32 = 4;

/// How much longer than its request an answer of the Binding server is at most: a request with one
/// unknown attribute of 4 bytes is answered by an ERROR-CODE of 28 and UNKNOWN-ATTRIBUTES of 8.
pub const MAX_GROWTH_BYTES: usize = 32;

/// How much longer than its request an answer of the Binding server is at most where the server has
/// two addresses: three of IPv6, of 24 bytes each (RFC 5780 §6.1).
pub const MAX_PLACED_GROWTH_BYTES: usize = 72;

/// The longest PADDING that is answered: what RFC 5780 §7.6 has for an interface whose MTU is not
/// known. Longer ones are answered by this much.
pub const MAX_PADDING_BYTES: usize = 1500;

/// How many sockets ask a server at once what it sees of them: enough for two to share no test
/// (RFC 5780 §4.1), and to tell a pattern of ports from chance.
pub const DISCOVERY_SOCKETS: usize = 8;

/// How a server is asked for the first time in behaviour discovery: at 0, 0.25, 0.75, 1.75 and 3.75 s,
/// and given up after 5 s, which people wait for. The 39.5 s of RFC 8489 §6.2.1 they would not.
pub const REACH_TIMING: Timing = Timing {
    rto: Duration::from_millis(250),
    transmissions: 5,
    last_wait: Duration::from_millis(1250),
};

/// How a server that has answered is asked on, where silence is an answer too: at 0, 0.15, 0.45, 1.05
/// and 2.25 s, and given up after 3 s. Of 4000 requests one goes under where a tenth of all packets
/// does each way. A slower server has longer ([`MAX_DISCOVERY_RTO`]).
pub const DISCOVERY_TIMING: Timing = Timing {
    rto: Duration::from_millis(150),
    transmissions: 5,
    last_wait: Duration::from_millis(750),
};

/// The longest RTO that behaviour discovery takes from a slow server; it asks one transmission less
/// then, and gives up after 4.5 s: the RTO that RFC 8489 §6.2.1 begins with.
pub const MAX_DISCOVERY_RTO: Duration = RTO;

/// How long the slower of the first sockets are waited for once one has its answer: they asked at the
/// same time, so what is not there by then was lost, and comes with the next transmission.
pub const REACH_GRACE: Duration = Duration::from_millis(300);

/// From one outside port to the next, at most, where they are taken one after the other: others behind
/// the same NAT take some in between. Eight random ports lie as close together once in 10^17 times.
pub const MAX_PORT_STEP: i32 = 16;

/// The shortest lifetime of a mapping that is tried: one tenth of what NATs do at the least that were
/// measured, and far below the two minutes of RFC 4787 §4.3 REQ-5.
pub const FIRST_LIFETIME: Duration = Duration::from_secs(5);

/// How many lifetimes are tried at once, each with a socket of its own: from one to the next half as
/// long again, they reach from five seconds to ten minutes.
pub const LIFETIMES_AT_ONCE: u32 = 15;

/// How exactly a lifetime is found: one part in so many of it. The way of a packet, and NATs that look
/// at their tables once in a while, make more pointless.
pub const LIFETIME_PARTS: u32 = 16;

/// How often the span between the longest lifetime that was survived and the shortest that was not is
/// divided: twice bring it below [`LIFETIME_PARTS`], and each costs a lifetime of waiting.
pub const LIFETIME_ROUNDS: u32 = 2;
