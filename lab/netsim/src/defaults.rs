//! Limits and timeouts of the simulated internet, each with its reason.

use std::time::Duration;

/// 15 November 2010, 09:00 UTC: the wall clock when a world starts, the month of the OSSIR talk.
pub const WALL_CLOCK_START: Duration = Duration::from_secs(1_289_811_600);

/// What a link takes at most: Ethernet.
pub const MTU: u16 = 1500;

/// How long a packet needs to a socket of its own host. More than zero, so that two machines that
/// answer each other do not stop the clock.
pub const LOOPBACK_LATENCY: Duration = Duration::from_micros(20);

/// How long a look-up takes: a resolver nearby with a cold cache.
pub const DNS_LATENCY: Duration = Duration::from_millis(20);

/// How much later than its turn a reordered packet comes, at least.
pub const REORDER_DELAY: Duration = Duration::from_millis(5);

/// Hops that a packet may take (RFC 1700's recommendation, what most systems use).
pub const HOP_LIMIT: u8 = 64;

/// Ephemeral ports: RFC 6335 §6.
pub const EPHEMERAL_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;

/// How long fragments wait for the rest: RFC 791 §3.2 suggests 15 s, RFC 8200 §4.5 says 60 s,
/// systems take 30 s.
pub const REASSEMBLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Packets that a node reassembles at once; more, and the oldest is dropped.
pub const REASSEMBLY_LIMIT: usize = 256;

/// Life of a UDP mapping: the least that RFC 4787 REQ-5 allows.
pub const NAT_UDP_LIFETIME: Duration = Duration::from_mins(2);

/// Life of an established TCP mapping: RFC 5382 REQ-5.
pub const NAT_TCP_LIFETIME: Duration = Duration::from_mins(124);

/// Life of a TCP mapping that is opening or closing: RFC 5382 REQ-5.
pub const NAT_TCP_TRANSITORY_LIFETIME: Duration = Duration::from_mins(4);

/// Mappings that one NAT keeps; more are refused and counted.
pub const NAT_MAPPING_LIMIT: usize = 65_536;

/// Remote endpoints that one mapping remembers; the oldest is forgotten first.
pub const NAT_FILTER_LIMIT: usize = 4096;

/// First port of a NAT that counts upwards.
pub const NAT_FIRST_SEQUENTIAL_PORT: u16 = 40_000;

/// Bytes that a TCP connection holds for the peer: the `room` of a fresh connection.
pub const TCP_SEND_BUFFER: usize = 64 * 1024;

/// TCP's receive window: the largest without the scaling option. A machine reads at once, so the
/// window narrows only while one has paused the connection.
pub const TCP_WINDOW: u16 = u16::MAX;

/// First retransmission timeout: RFC 6298 §2.1.
pub const TCP_INITIAL_RTO: Duration = Duration::from_secs(1);

/// Least retransmission timeout: RFC 6298 §2.4 says 1 s, systems take 200 ms.
pub const TCP_MIN_RTO: Duration = Duration::from_millis(200);

/// Largest retransmission timeout: RFC 6298 §2.5 wants at least 60 s.
pub const TCP_MAX_RTO: Duration = Duration::from_mins(1);

/// SYNs sent again before a connection attempt times out (after 63 s).
pub const TCP_SYN_RETRIES: u32 = 5;

/// Segments sent again before a connection times out. RFC 1122 §4.2.3.5 wants at least 100 s.
pub const TCP_RETRIES: u32 = 8;

/// How long a closed connection answers late segments; 2 MSL is minutes (RFC 9293 §3.6.1), but
/// the simulated internet keeps no packet that long.
pub const TCP_TIME_WAIT: Duration = Duration::from_secs(10);

/// Connections that a host holds; further SYNs are refused.
pub const TCP_CONNECTION_LIMIT: usize = 65_536;

/// Bytes of out-of-order data that a connection holds: what the window allows.
pub const TCP_OUT_OF_ORDER_LIMIT: usize = TCP_WINDOW as usize;

/// Largest plaintext of a TLS record: RFC 8446 §5.1.
pub const TLS_RECORD_LIMIT: usize = 16_384;
