//! The shape that every protocol machine of Wayleave shares.
//!
//! A [`Machine`] is a value. Bytes, answers and an explicit [`Now`] go in; bytes, timers, questions
//! and events come out. It owns no socket, reads no clock and draws randomness only from the
//! [`Entropy`] it was given, so the same code runs on tokio and in the simulator, and a recorded run
//! replays to the byte.
//!
//! | module | what |
//! |---|---|
//! | [`time`] | [`Instant`], [`Now`]: monotonic time for timers, wall clock for the wire |
//! | [`id`] | [`Id`], [`Ids`]: names of sockets, connections, look-ups and questions |
//! | [`io`] | [`Input`], [`Output`] and what they carry |
//! | [`outputs`] | [`Outputs`], the queue that implements `poll_output` |
//! | [`outbox`] | [`Outbox`], a bounded write queue for one connection |
//! | [`train`] | several datagrams in one input, cut apart |
//! | [`timers`] | [`Timers`], every deadline of a machine, the next one in O(1) |
//! | [`entropy`] | [`Entropy`], seeded randomness that forks by label |
//! | [`srv`] | [`srv::Lookups`]: from the name of a service to addresses (RFC 2782) |
//! | [`endpoint`], [`address`] | [`Endpoint`] in canonical form, address classes of RFC 6890 |
//! | [`bucket`] | [`Bucket`]: so much at once, and so much a second |
//! | [`bytes`] | [`Reader`] and [`Writer`] for network byte order |
//! | [`map`] | [`KeyedMap`], a hash map whose keys strangers may choose |
//! | [`checked`] | [`Checked`], the laws of the shape as assertions |
//! | [`journal`] | recording of inputs and replay to the same outputs |
//! | [`redacted`] | [`Redacted`], a value that does not show in logs |

pub mod address;
pub mod bucket;
pub mod bytes;
pub mod checked;
pub mod endpoint;
pub mod entropy;
pub mod id;
pub mod io;
pub mod journal;
pub mod map;
pub mod outbox;
pub mod outputs;
pub mod redacted;
pub mod srv;
pub mod time;
pub mod timers;
pub mod train;

pub use address::{AddressClass, embedded_v4};
pub use bucket::Bucket;
pub use bytes::{Reader, Truncated, Writer};
pub use checked::Checked;
pub use endpoint::Endpoint;
pub use entropy::Entropy;
pub use id::{Id, Ids};
pub use io::{
    BindKind, CloseReason, ConnectionBinding, Ecn, FailKind, Icmp, Input, Interface,
    InterfaceAddress, InterfaceKind, Output, Record, RecordData, RecordKind, ResolveError, TlsRole,
    Transport,
};
pub use map::KeyedMap;
pub use outbox::Outbox;
pub use outputs::Outputs;
pub use redacted::Redacted;
pub use time::{Instant, Now};
pub use timers::Timers;

/// A protocol as a value: inputs in, outputs out, no side effects.
///
/// The laws, which [`Checked`] enforces:
///
/// 1. `poll_output` is drained to `None` after every input, timeout and verb, before the next one.
/// 2. `now` never goes back.
/// 3. After `handle_timeout(now)` and a drain, `poll_timeout` lies after `now` (or is `None`).
/// 4. Bytes from the network never panic.
/// 5. The same seed and the same inputs give the same outputs.
pub trait Machine {
    /// What the machine tells its owner.
    type Event;
    /// What the machine asks of the world (a password, a roster).
    type Question;
    /// What the world answers.
    type Answer;

    /// Takes one input. Never blocks, never panics on bytes from the network.
    fn handle_input(&mut self, now: Now, input: Input<'_, Self::Answer>);

    /// Fires every timer that is due at `now`.
    fn handle_timeout(&mut self, now: Now);

    /// The next output, or `None` when drained.
    ///
    /// The payload of [`Output::Datagram`] and [`Output::Write`] is appended to `buf`, which the
    /// driver clears before each call.
    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Self::Event, Self::Question>>;

    /// When `handle_timeout` is due next. O(1).
    fn poll_timeout(&self) -> Option<Instant>;
}
