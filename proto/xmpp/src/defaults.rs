//! Limits and timeouts, each with its reason and its RFC.

use std::time::Duration;

// XML (RFC 6120 §11, §13.12).

/// Bytes of the header of a stream, white space before it included. Real ones have 200.
pub const HEADER_BYTES: usize = 4096;
/// Bytes of a name or of an attribute's value. Longer ones end the stream; text may be longer.
pub const TOKEN_BYTES: usize = 8192;
/// Bytes of a stanza of an authenticated client. RFC 6120 §13.12 wants at least 10 000; pictures in
/// vCards have some ten times that.
pub const STANZA_BYTES: usize = 256 * 1024;
/// Bytes of a child of a stream before authentication: the RFC's least. SCRAM needs 500.
pub const UNAUTHENTICATED_STANZA_BYTES: usize = 10_000;
/// Bytes of what one's own server sends at once: the roster of somebody with ten thousand contacts.
pub const SERVER_STANZA_BYTES: usize = 4 * 1024 * 1024;
/// Elements in elements. XHTML in messages and data forms in Jingle stay under 20.
pub const DEPTH: usize = 64;
/// The same before authentication; SASL has 2.
pub const UNAUTHENTICATED_DEPTH: usize = 8;
/// Attributes of one element. The candidate of Jingle ICE, which has most, has 13.
pub const ATTRIBUTES: usize = 64;
/// Elements of one stanza: each costs some hundred bytes of memory and four on the wire.
pub const ELEMENTS: usize = 4096;
/// The same before authentication.
pub const UNAUTHENTICATED_ELEMENTS: usize = 32;
/// The same for what one's own server sends.
pub const SERVER_ELEMENTS: usize = 128 * 1024;

// Streams (RFC 6120 §4 to §7).

/// From the connection to a bound resource: a person does not type in between.
pub const UNTIL_BOUND: Duration = Duration::from_secs(30);
/// Failed attempts to authenticate on one stream; RFC 6120 §6.4.5 wants two to five.
pub const ATTEMPTS: u32 = 3;
/// Children of a stream a second, on average. A call that trickles its candidates has some ten.
pub const STANZAS_PER_SECOND: u32 = 50;
/// Bytes a second, on average: what fifty stanzas of a kilobyte take, which is a large one.
pub const BYTES_PER_SECOND: u32 = 64 * 1024;
/// Seconds of both rates that may come at once: a client that has just logged in has much to say.
pub const BURST_SECS: u32 = 10;
/// How long stanzas may come faster than allowed, without a rest: what waits is read late, so that a
/// client with 3,000 stanzas to send gets along; one that goes on all the same is no client.
pub const FLOOD: Duration = Duration::from_secs(60);
/// Bytes that may come although we asked not to be given any: what the driver had read already.
pub const UNREAD_BYTES: usize = 1024 * 1024;
/// How long one side of a stream stays open when the other is closed (RFC 6120 §4.4).
pub const LINGER: Duration = Duration::from_secs(5);
/// Characters of a stream's id: 130 bits, which nobody guesses (RFC 6120 §4.7.3).
pub const STREAM_ID_LEN: usize = 22;
/// Bytes of a stream's language. RFC 5646 §4.4.1 wants 35; longer ones are forgotten, for they would
/// be stamped on every stanza.
pub const LANG_BYTES: usize = 35;

// SASL

/// How long one message of SASL may be, in bytes. The longest that is useful is PLAIN's, with a name
/// and a password of 1,023 bytes each; RFC 4422 sets no limit.
pub const SASL_MESSAGE_MAX: usize = 4_096;
/// The length of our nonces, in letters and digits: 142 bits. RFC 5802 §5.1 wants them to be
/// unpredictable and new each time.
pub const SCRAM_NONCE_LEN: usize = 24;
/// The shortest nonce that we take from a peer, in characters. RFC 5802 names no number; below
/// some 48 bits, exchanges could be made to repeat.
pub const SCRAM_NONCE_MIN: usize = 8;
/// The longest nonce that we take, in characters; both together in a server's message.
pub const SCRAM_NONCE_MAX: usize = 512;
/// The fewest iterations that a client derives with (RFC 5802 §5.1, RFC 7677 §4): with fewer,
/// whoever plays the server learns enough to guess the password at leisure.
pub const SCRAM_ITERATIONS_MIN: u32 = 4_096;
/// The most iterations that a client derives with: a second or two of one core, and above what
/// anybody recommends today. A server that wants more keeps its clients busy for nothing.
pub const SCRAM_ITERATIONS_MAX: u32 = 2_000_000;
/// The iterations of what a server makes up for a user that it does not know: those of accounts made
/// today, so that neither stands out.
pub const SCRAM_ITERATIONS: u32 = 10_000;
/// The length of such a salt, in bytes, likewise.
pub const SCRAM_SALT_LEN: usize = 16;

// Jingle.

/// Contents, and groups of them, in one step of Jingle. A call has one or two.
pub const MAX_JINGLE_CONTENTS: usize = 32;

/// Codecs of one content: twice as many as there are dynamic payload types (96 to 127, RFC 3551 §3).
pub const MAX_JINGLE_PAYLOAD_TYPES: usize = 64;

/// Parameters of one codec; H.264 has a dozen.
pub const MAX_JINGLE_PARAMETERS: usize = 32;

/// Candidates of one content in one step. RFC 8445 §5.1.3 has agents discard what is too much.
pub const MAX_JINGLE_CANDIDATES: usize = 64;

/// Candidates that the other side of a session may send one after the other, until it replaces the
/// transport: eight steps full of them.
pub const MAX_JINGLE_SESSION_CANDIDATES: usize = 512;

/// Bytes of a name: a session's, a content's, a codec's, and of ICE's credentials, which RFC 8839 §5.4
/// allows 256 of.
pub const MAX_JINGLE_STRING_BYTES: usize = 256;
/// Characters of the id of a client's request to bind; nobody else is on the stream.
pub const BIND_ID_LEN: usize = 8;
