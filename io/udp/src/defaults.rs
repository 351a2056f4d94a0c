//! Limits of the sockets.

/// Bytes asked of the kernel for a socket's receive buffer: a tenth of a second of a thousand
/// calls. The kernel caps it by its own setting and that is fine.
pub const RECEIVE_BUFFER_LEN: usize = 4 << 20;

/// Bytes asked of the kernel for a socket's send buffer.
pub const SEND_BUFFER_LEN: usize = 1 << 20;

/// Messages received in one system call.
pub const BATCH_LEN: usize = quinn_udp::BATCH_SIZE;

/// Bytes for one message: the largest UDP datagram, which is also the largest train that GRO hands
/// over.
pub const MESSAGE_LEN: usize = 65_535;

/// Datagrams that wait for control: a second of what one thread can authenticate. More would be
/// answered after their senders have asked again.
pub const MAX_CONTROL_MESSAGES: usize = 8192;

/// Bytes that wait for control: the messages above at the length of an authenticated request, and as
/// much again.
pub const MAX_CONTROL_LEN: usize = 4 << 20;

/// The part of what waits for control, one in so many, that may have arrived at relayed addresses:
/// media for clients on connections, which anybody can send as fast as he likes once a client has
/// permitted him. The rest is for requests.
pub const RELAYED_SHARE: usize = 2;

/// Bytes asked of the kernel for the receive buffer of a relayed address: a few hundred
/// milliseconds of one call's video.
pub const RELAY_BUFFER_LEN: usize = 256 << 10;

/// Packets that a shard holds at once: as many as wait are received before the first is sent, so
/// that those of one destination leave together.
pub const SLOTS_LEN: usize = 256;

/// Bytes received at most into a slot: the largest train that GRO hands over.
pub const RECEIVE_LEN: usize = 65_535;

/// Bytes of a slot: headroom, a packet, and room for the headers of a train to grow into. No
/// multiple of a page's length, or the slots would fight for the same lines of the cache.
pub const SLOT_LEN: usize = relay::HEADROOM_LEN + 69_760;

/// Sockets that epoll tells of at once.
pub const EVENTS_LEN: usize = 128;

/// Messages sent in one system call.
pub const MAX_SEND_MESSAGES: usize = 64;

/// Pieces of memory sent in one system call: several to a message where packets leave as a train.
pub const MAX_SEND_PIECES: usize = 256;

/// Datagrams of one train: what every kernel that has GSO takes.
pub const MAX_TRAIN_SEGMENTS: usize = 64;

/// Bytes of one train: the longest UDP payload over IPv4 and over IPv6.
pub const MAX_TRAIN_LEN: usize = 65_487;

/// Changes that a shard without packets is told before it is woken to take them over: what they hold
/// stays in memory until then.
pub const MAX_UNREAD_COMMANDS: usize = 256;

/// Errors that a socket gives instead of datagrams before others get their turn: each stands for an
/// ICMP message, and whoever sends those must not hold a shard.
pub const MAX_ERRORS_READ: usize = 4;

/// Bytes a second of Binding answers to one source prefix, over all shards. An answer is hardly
/// longer than its request, so that this is no limit on gain but on what can be aimed at somebody's
/// line; it is 20,000 answers, more than the users of a carrier's NAT ask for.
pub const BINDING_BYTES_PER_SEC: u64 = 1 << 20;

/// How many seconds' worth of Binding answers a prefix may have at once: an office that comes to life.
pub const BINDING_BURST_SECS: u64 = 2;

/// Buckets of source prefixes for Binding answers, a fixed number of eight bytes each; prefixes that
/// fall into the same one share it.
pub const BINDING_BUCKETS: usize = 8192;

/// Rounds of several packets that are closer to each other than this make a shard rest between them:
/// it is woken at most some seven thousand times a second, and a packet waits at most 0.15 ms. Longer
/// than the rest and what the kernel's timers add to it, so that one rest follows the other.
pub const OFTEN: std::time::Duration = std::time::Duration::from_micros(250);

/// Rounds of one packet each that are closer than this do so too.
pub const AT_ONCE: std::time::Duration = std::time::Duration::from_micros(60);

/// How long a shard rests; the kernel's timers add half as much.
pub const REST: std::time::Duration = std::time::Duration::from_micros(100);

/// Packets in a round that are company enough.
pub const ENOUGH_LEN: usize = 96;

/// Packets in a row from a relayed address to one peer that are worth a connected socket: making it
/// costs as much as the routes of some forty packets.
pub const RUN_TO_CONNECT_LEN: usize = 32;

/// One in so many descriptors may be a connected socket's, which saves cycles; the others are for
/// relayed addresses, which carry calls.
pub const CONNECTED_SHARE: usize = 3;
