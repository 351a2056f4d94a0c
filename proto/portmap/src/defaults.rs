//! Limits and timeouts, each with its reason. UPnP's stand in [`upnp::defaults`](crate::upnp::defaults).

use std::time::Duration;

/// How long a mapping is asked for at a time: two hours, as RFC 6886 §3.3 recommends and RFC 6887
/// §15 allows. A program that dies leaves its mapping behind for no longer.
pub const LIFETIME: Duration = Duration::from_secs(7200);

/// The longest lifetime that is asked for or believed: a day, after which RFC 6887 §15 wants a
/// mapping to be renewed in any case.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The shortest time between two renewals of a mapping, whatever lifetime a gateway grants
/// (RFC 6887 §11.2.1).
pub const RENEWAL_INTERVAL: Duration = Duration::from_secs(4);

/// The longest message of PCP (RFC 6887 §7), which fits every link with room for tunnels.
pub const PCP_MESSAGE_BYTES: usize = 1100;

/// The most FILTER options of a message that are read. Nobody sends more than the few peers of one
/// call; a message would have room for 43.
pub const PCP_FILTERS: usize = 16;

/// PCP: the time after which a request is sent again for the first time (IRT of RFC 6887 §8.1.1).
pub const PCP_INITIAL_RETRANSMISSION: Duration = Duration::from_secs(3);

/// PCP: the longest time between two sendings of a request (MRT of RFC 6887 §8.1.1).
pub const PCP_MAX_RETRANSMISSION: Duration = Duration::from_secs(1024);

/// PCP: how long a request is sent again at most. RFC 6887 §8.1.1 has no end for somebody who needs
/// the mapping; who looks whether a server is there gives up when it would by NAT-PMP.
pub const PCP_MAX_DURATION: Duration = Duration::from_secs(128);

/// PCP: by how much the times between sendings vary, in percent up and down (RAND of RFC 6887
/// §8.1.1).
pub const PCP_JITTER_PERCENT: u64 = 10;

/// NAT-PMP: the time after which a request is sent again for the first time; it doubles with each
/// (RFC 6886 §3.1).
pub const NATPMP_INITIAL_RETRANSMISSION: Duration = Duration::from_millis(250);

/// NAT-PMP: how many times a request is sent; after the last the client waits 64 seconds and
/// concludes that nobody is there (RFC 6886 §3.1).
pub const NATPMP_TRIES: u32 = 9;

/// How long a search waits for answers: UPnP's takes 3.2 seconds, PCP sends a second time after 3,
/// and a person looks at a screen. Who answers later is still heard.
pub const SEARCH: Duration = Duration::from_millis(3500);

/// How much longer it waits for a gateway of UPnP that has answered and is still telling what it is:
/// on a radio that loses packets each of its five exchanges may cost a second more.
pub const READING: Duration = Duration::from_millis(2500);

/// How long a search waits for a better protocol when a worse one has answered: the answers of one
/// router come within milliseconds of each other, over a busy radio within some hundred.
pub const SETTLE: Duration = Duration::from_millis(600);

/// How long a gateway that speaks a protocol may take to map by it when there is another protocol
/// to try: five sendings of NAT-PMP, three of PCP. Without another, its protocol's own time holds.
pub const ATTEMPT: Duration = Duration::from_secs(10);

/// How long a removal that nobody confirms is tried: three sendings of PCP. The lifetime does the
/// rest.
pub const RELEASE: Duration = Duration::from_secs(10);

/// How long a client that is closed waits for its mappings' removal to be confirmed. Somebody waits
/// for the program to end.
pub const CLOSE: Duration = Duration::from_secs(2);

/// The longest random time before mappings are made again after a gateway's restart, so that not all
/// clients of a network come at once (RFC 6886 §3.7, RFC 6887 §14.1.3).
pub const MAX_RESTART_DELAY: Duration = Duration::from_secs(5);

/// How often a gateway that maps by UPnP is looked at: it announces no restart that all hosts hear,
/// and without a lease nothing else would ask. Two short exchanges on the link a minute.
pub const IGD_INTERVAL: Duration = Duration::from_secs(60);

/// The most mappings of one client. A telephone has two or three for each call; routers hold 32 to
/// 128 in all.
pub const MAX_MAPPINGS: usize = 64;

/// The most pairs of one of our addresses and a router that are asked. A host has one or two
/// interfaces with a router, with a few addresses of IPv6 each.
pub const MAX_PATHS: usize = 12;

/// The most lists and removals that wait for a search.
pub const MAX_WISHES: usize = 16;

/// The most refusals that are told for one search. Anybody on the link can cause them, and after
/// some nothing new is learnt.
pub const MAX_REFUSALS: usize = 16;
