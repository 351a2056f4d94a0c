//! Limits and timeouts of the client, each with its reason.

use std::time::Duration;

/// The time between the start of one attempt and that of the next: longer than most round trips, so
/// that a server that answers is seldom asked twice, and short for somebody who waits for a call.
/// RFC 8305 §5 has 250 ms for the round trip of TCP; an allocation takes one or two more.
pub const STAGGER: Duration = Duration::from_millis(500);

/// How long a connection and its TLS handshake may take: two retransmissions of a SYN and some.
pub const OPEN: Duration = Duration::from_secs(10);

/// How long the client waits for its allocation's release to be confirmed: the request and two
/// retransmissions over UDP, and a round trip. The server's timer does the rest.
pub const RELEASE: Duration = Duration::from_millis(2_500);

/// How long an attempt that is no longer wanted waits for an allocation that the server may be making
/// for it, to release it.
pub const ABANDON: Duration = Duration::from_secs(10);

/// What part of its lifetime an allocation is refreshed after, in percent: the rest leaves time for
/// retransmissions.
pub const REFRESH_PERCENT: u32 = 75;

/// The shortest time between two refreshes, whatever lifetime a server says.
pub const MIN_REFRESH: Duration = Duration::from_secs(1);

/// How often permissions are refreshed. They live 300 s (RFC 8656 §9); a refresh that is lost is
/// retransmitted for 39.5 s.
pub const PERMISSION_REFRESH: Duration = Duration::from_secs(240);

/// How often channels are bound again. They live 600 s (RFC 8656 §12).
pub const CHANNEL_REFRESH: Duration = Duration::from_secs(500);

/// By how much each of these periods is shortened at random, in percent at most, so that clients of
/// one server do not come together for ever.
pub const JITTER_PERCENT: u64 = 10;

/// How long the client is silent towards its server over UDP at most: NATs forget a flow after two
/// minutes (RFC 4787 §4.3), and many sooner.
pub const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long a server that has no room or quota left is left alone: a minute, as RFC 8656 §7.4 asks.
pub const RETRY: Duration = Duration::from_secs(60);

/// How many times the whole list of servers is tried again after all said that they have no room.
pub const MAX_ROUNDS: u32 = 10;

/// How many times a client follows an alternate server (RFC 8489 §10).
pub const MAX_REDIRECTS: u32 = 5;

/// How many times a client takes a new port because the server knows the old one (437, 441).
pub const MAX_REBINDS: u32 = 3;

/// How many attributes that it could do without a client drops, one refusal after the other: there
/// are no more than these.
pub const MAX_CONCESSIONS: u32 = 4;

/// How many peers a client has permissions for, and how many channels. An ICE agent has a hundred
/// pairs at most (RFC 8445 §6.1.2.5).
pub const MAX_PEERS: usize = 512;

/// How many permissions one request refreshes: with IPv6 that is a packet of 900 bytes.
pub const MAX_PEERS_PER_REQUEST: usize = 32;

/// How many connections with peers a client has, those that only knock among them (RFC 6062).
pub const MAX_CONNECTIONS: usize = 64;

/// Bytes of requests that wait for room on a connection with the server. Requests are few and short;
/// a server that does not read this much does not read at all.
pub const MAX_WAITING_BYTES: usize = 64 * 1024;

/// Bytes of media that may be in the driver's buffer of a connection with the server, if none is
/// older than [`MAX_MEDIA_AGE`]: a burst of video. What is there can no longer be taken back.
pub const MAX_MEDIA_AHEAD_BYTES: usize = 32 * 1024;

/// Bytes of media that wait for the driver's buffer to empty: a picture of video, or seconds of
/// voice, which [`MAX_MEDIA_AGE`] cuts.
pub const MAX_MEDIA_BYTES: usize = 64 * 1024;

/// The age at which waiting media is dropped: whoever hears it has gone on without it.
pub const MAX_MEDIA_AGE: Duration = Duration::from_millis(200);

/// How long a peer that knocks is remembered: the server closes its connection after 30 s
/// (RFC 6062 §5.2).
pub const OFFER: Duration = Duration::from_secs(30);

/// The longest datagram for a peer, bytes: what fits a Send indication with an IPv6 address within
/// one UDP datagram.
pub const MAX_PAYLOAD_BYTES: usize = 65_400;

/// How long an allocation may be on its way to another address of ours: a telephone that changes
/// from one network to the next has none for some seconds.
pub const MOVE: Duration = Duration::from_secs(30);

/// How long after a failed attempt to move the next one comes.
pub const MOVE_AGAIN: Duration = Duration::from_secs(1);
