//! What a phone tells its owner.

use std::time::Duration;

pub use call::media::Stats;
pub use connect::{Candidate, CandidateKind, Explanation, Fate, PairReport, PairState, Path};
use machine::{Endpoint, FailKind, Transport};
pub use sip::ua::{By, Reason};

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
    /// An account is registered, or its registration was refreshed.
    Registered {
        /// Its place in the configuration.
        account: usize,
        /// The core.
        server: Endpoint,
        /// Over what.
        transport: Transport,
        /// Our address as the core sees it.
        reflexive: Endpoint,
        /// How long it holds; it is refreshed in time.
        expires: Duration,
    },
    /// A registration, or its refresh, failed.
    RegistrationFailed {
        /// The account's place in the configuration.
        account: usize,
        /// Why.
        reason: Reason,
        /// When it is tried again; `None`: never.
        retry_in: Option<Duration>,
    },
    /// Somebody calls. Next are [`Phone::answer`](crate::Phone::answer) and
    /// [`Phone::hang_up`](crate::Phone::hang_up).
    Incoming {
        /// The call.
        call: CallId,
        /// Who calls: the address.
        from: String,
        /// Who calls: the name they give themselves; may be empty.
        display_name: String,
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
    /// The other side told its candidates.
    RemoteCandidates {
        /// The call.
        call: CallId,
        /// The candidates; empty if it knows no ICE.
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
    /// All calls are ended and all registrations removed, as [`Phone::stop`](crate::Phone::stop)
    /// asked, or its time was up.
    Stopped,
}

/// Why a call is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// Signalling says so.
    #[error(transparent)]
    Signalling(#[from] Reason),
    /// There was no path for the media.
    #[error("no path for the media")]
    NoPath,
    /// Offer and answer lead to nothing, or our side cannot take part.
    #[error(transparent)]
    Call(#[from] call::call::Error),
    /// Nothing was heard of the other side for too long.
    #[error("nothing was heard for {} s", crate::defaults::SILENCE_LIMIT.as_secs())]
    Silent,
    /// What the other side described cannot be read.
    #[error("the other side's description cannot be read")]
    Description,
}
