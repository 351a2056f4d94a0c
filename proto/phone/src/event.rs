//! What a phone tells its owner.

use std::time::Duration;

pub use call::media::Stats;
pub use connect::{Candidate, CandidateKind, Explanation, Fate, PairReport, PairState, Path};
use machine::{Endpoint, FailKind, Transport};
pub use sip::ua::{By, Reason};
pub use xmpp::stanza::Condition;

pub use crate::reason::{EndKind, EndReason, JingleEnd, RegistrationError, RegistrationErrorKind};

/// The name of a call; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

impl CallId {
    /// The bare number, for logs.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The name of a message that was sent, as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(crate) String);

impl MessageId {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A signalling socket could not be bound.
    ListenFailed {
        /// The address.
        local: Endpoint,
        /// Why.
        kind: FailKind,
    },
    /// An account can be reached: it is registered, or its registration was refreshed (SIP); its stream
    /// is up (XMPP).
    Registered {
        /// Its place in the configuration.
        account: usize,
        /// The core.
        server: Endpoint,
        /// Over what.
        transport: Transport,
        /// Our address as the core sees it, where it tells.
        reflexive: Option<Endpoint>,
        /// How long it holds, and is refreshed in time; `None`: as long as the stream.
        expires: Option<Duration>,
    },
    /// A registration or its refresh failed, or the stream could not be set up or was lost.
    RegistrationFailed {
        /// The account's place in the configuration.
        account: usize,
        /// Why.
        reason: RegistrationError,
        /// When it is tried again; `None`: never.
        retry_in: Option<Duration>,
    },
    /// Somebody calls. Next are [`Phone::answer`](crate::Phone::answer) and
    /// [`Phone::hang_up`](crate::Phone::hang_up).
    Incoming {
        /// The call.
        call: CallId,
        /// The place in the configuration of the account that is called.
        account: usize,
        /// Who calls: the address, with its scheme.
        from: String,
        /// Who calls: the name they give themselves; may be empty.
        display_name: String,
    },
    /// Somebody called with a description that we cannot take part in, and was told so; no
    /// [`Event::Incoming`] was.
    Refused {
        /// The place in the configuration of the account that was called.
        account: usize,
        /// Who called: the address, with its scheme.
        from: String,
        /// Why it was refused.
        reason: EndReason,
    },
    /// The far side rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The call was answered, by us or by them.
    Answered {
        /// The call.
        call: CallId,
        /// The codec that we send.
        codec: String,
    },
    /// A candidate of ours was found.
    Candidate {
        /// The call.
        call: CallId,
        /// The candidate.
        candidate: Candidate,
    },
    /// The other side told its candidates, all or more of them.
    RemoteCandidates {
        /// The call.
        call: CallId,
        /// The candidates; empty if it knows no ICE or has none yet.
        candidates: Vec<Candidate>,
    },
    /// A pair came to be, or its state changed.
    Pair {
        /// The call.
        call: CallId,
        /// The pair.
        pair: Box<PairReport>,
    },
    /// The path of RTP was chosen, or changed.
    Path {
        /// The call.
        call: CallId,
        /// The path.
        path: Path,
        /// What became of every pair so far.
        explanation: Option<Box<Explanation>>,
    },
    /// The first packet of media came in.
    FirstMedia {
        /// The call.
        call: CallId,
    },
    /// Sound was heard: mono, 8 kHz, 20 ms as a rule.
    Heard {
        /// The call.
        call: CallId,
        /// The samples.
        samples: Vec<i16>,
    },
    /// All of the sound that was to be played has been sent.
    Played {
        /// The call.
        call: CallId,
    },
    /// How the media are, now and then and at the end.
    Media {
        /// The call.
        call: CallId,
        /// In numbers.
        stats: Box<Stats>,
    },
    /// There is no path; the call is being ended.
    NoPath {
        /// The call.
        call: CallId,
        /// Why.
        explanation: Box<Explanation>,
    },
    /// A call is over; its name is gone.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: EndReason,
        /// Who ended it.
        by: By,
    },
    /// Somebody wrote to us.
    Message {
        /// The account that was written to.
        account: usize,
        /// Who wrote: the address, with its scheme and device.
        from: String,
        /// What.
        text: String,
    },
    /// A message of ours was not delivered.
    MessageFailed {
        /// The account that wrote.
        account: usize,
        /// The message.
        message: MessageId,
        /// Why.
        condition: Condition,
        /// Why, for people.
        reason: String,
    },
    /// What became of a [`Phone::ping`](crate::Phone::ping).
    Pinged {
        /// The account that asked.
        account: usize,
        /// Whether the core answered: then it has taken all that was sent before.
        answered: bool,
    },
    /// Somebody whose presence we see came, went or changed.
    PresenceChanged {
        /// The account that sees it.
        account: usize,
        /// Who: the address, with its scheme and device.
        who: String,
        /// Whether that device can be reached.
        available: bool,
    },
    /// Somebody wants to see our presence. [`Phone::approve`](crate::Phone::approve) lets them.
    SubscriptionAsked {
        /// The account that is asked.
        account: usize,
        /// Who asks: the address, with its scheme.
        from: String,
    },
    /// All calls are ended and all registrations removed, as [`Phone::stop`](crate::Phone::stop)
    /// asked, or its time was up.
    Stopped,
}
