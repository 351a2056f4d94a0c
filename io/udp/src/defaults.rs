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
