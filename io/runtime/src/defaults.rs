//! Limits and timeouts of the driver.

use std::time::Duration;

/// Bytes that wait in one connection's write buffer at most: what `room` counts down from. Enough
/// for a few SIP messages or XMPP stanzas of the largest size taken.
pub const WRITE_BUFFER_LEN: usize = 256 * 1024;

/// Bytes of memory that an empty write buffer keeps. A burst needs more; thousands of connections
/// that had one should not hold it.
pub const KEPT_BUFFER_LEN: usize = 4 * 1024;

/// Bytes read from one connection before the next resource has its turn.
pub const READ_LEN: usize = 64 * 1024;

/// Bytes of datagrams that wait for room in the kernel, a socket; what comes on top is lost, as
/// the network would lose it.
pub const SEND_QUEUE_LEN: usize = 1024 * 1024;

/// ICMP errors of one socket that wait for the machine, and that it is told before the next resource
/// has its turn. Beyond it they are lost, as the network may lose them.
pub const MAX_UNREACHABLE: usize = 32;

/// Connections that peers opened and that live at the same time. Beyond it a listener accepts no
/// more, and the kernel's backlog holds the rest.
pub const ACCEPTED_MAX: usize = 65_536;

/// The kernel's queue of connections to accept.
pub const BACKLOG: u32 = 1024;

/// How long a connection attempt may take: SYN and four retransmissions (RFC 6298: 1+2+4+8 s).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(16);

/// How long a TLS handshake may take: a few round trips, and time for a slow peer's arithmetic.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a closed connection may take to deliver what was written to it.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long to rest after the kernel had no descriptors or no memory.
pub const RETRY: Duration = Duration::from_millis(100);

/// How often a connection that is not read is asked whether it still stands: reading would tell at
/// once, and whoever waits for its peer should know within the second.
pub const PAUSED_INTERVAL: Duration = Duration::from_secs(1);

/// How often the list of interfaces is read.
pub const INTERFACES_INTERVAL: Duration = Duration::from_secs(3);

/// Verbs that wait for their turn.
pub const VERBS_MAX: usize = 64;

/// Pieces of work between two chances for the runtime's other tasks. Each piece takes at most one
/// unit of tokio's cooperative budget of 128.
pub const ROUND: usize = 64;

/// Arrivals of the data plane that the machine is told before the next resource has its turn: as
/// many as one system call receives from an ordinary socket.
pub const ARRIVALS_PER_TURN: usize = 32;

/// Verbs in one round: few, since each may take long, and sockets wait meanwhile.
pub const VERBS_PER_ROUND: usize = 8;
