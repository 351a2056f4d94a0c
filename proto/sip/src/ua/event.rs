//! What the [`UserAgent`](super::UserAgent) tells its owner, and the names it uses for that.

use std::time::Duration;

use machine::{Endpoint, FailKind, Id, Transport};

use crate::method::Method;
use crate::stack::Failure;
use crate::status::Status;
use crate::transport::Flow;
use crate::uri::Uri;

/// Names an account of a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub(crate) u32);

/// Names a call of a user agent; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

/// Names an OPTIONS request of a user agent; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(crate) u64);

/// The body of a message, opaque to SIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its media type, `application/sdp` for one.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Body {
    /// A session description.
    #[must_use]
    pub fn sdp(bytes: impl Into<Vec<u8>>) -> Self {
        Self { content_type: "application/sdp".to_owned(), bytes: bytes.into() }
    }
}

/// Why something that we asked of the far side did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It was answered by this final response.
    #[error("{status} {phrase}")]
    Refused {
        /// The status, 300 to 699.
        status: Status,
        /// The reason phrase.
        phrase: String,
    },
    /// Our name or password was not accepted: a challenge came again after we answered it.
    #[error("the user name or password was not accepted")]
    Unauthorized,
    /// A challenge came that we cannot answer: no credentials, or no algorithm that we know.
    #[error("asked for credentials that we cannot give")]
    NoCredentials,
    /// No answer in time.
    #[error("no answer")]
    TimedOut,
    /// The request could not be sent.
    #[error("{0}")]
    Transport(Failure),
    /// We ended it ourselves before it was answered (CANCEL).
    #[error("cancelled")]
    Cancelled,
    /// The caller gave up before we answered.
    #[error("the caller gave up")]
    Abandoned,
    /// The call was ended in peace (BYE).
    #[error("ended")]
    Bye,
    /// We refused the call with this status.
    #[error("refused with {0}")]
    Rejected(Status),
    /// Our answer was never acknowledged (RFC 3261 §13.3.1.4).
    #[error("our answer was never acknowledged")]
    NotAcknowledged,
    /// The far side knows nothing of the call any more (481), or was silent to a request within
    /// it (408).
    #[error("the far side has lost the call")]
    Lost,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// We did.
    Us,
    /// The far side did, or the network.
    Them,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A listener of ours is bound.
    Listening {
        /// Its name.
        id: Id,
        /// Its transport.
        transport: Transport,
        /// The address that was bound.
        local: Endpoint,
    },
    /// A listener of ours could not be bound.
    ListenFailed {
        /// Its name.
        id: Id,
        /// The address that was asked for.
        local: Endpoint,
        /// Why.
        kind: FailKind,
    },
    /// An account is registered, or its registration was refreshed.
    Registered {
        /// The account.
        account: AccountId,
        /// How long it holds; it is refreshed in time.
        expires: Duration,
        /// How the registrar is reached; its UDP port answers STUN as well (RFC 5626 §3.5.2).
        flow: Flow,
        /// Our own address as the registrar sees it (RFC 3581).
        reflexive: Endpoint,
    },
    /// An account is no longer registered, as [`unregister`](super::UserAgent::unregister) asked.
    Unregistered {
        /// The account.
        account: AccountId,
    },
    /// A registration, or its refresh, failed.
    RegistrationFailed {
        /// The account.
        account: AccountId,
        /// Why.
        reason: Reason,
        /// When it is tried again by itself; `None`: never, it is for the owner to decide.
        retry_in: Option<Duration>,
    },
    /// Somebody calls. The user agent has answered 100; next are
    /// [`ring`](super::UserAgent::ring), [`answer`](super::UserAgent::answer) or
    /// [`reject`](super::UserAgent::reject).
    Incoming {
        /// The call.
        call: CallId,
        /// Who is called.
        account: AccountId,
        /// Who calls.
        from: Uri,
        /// The caller's display name, empty when there is none.
        display_name: String,
        /// The offer; `None` when the offer is ours to make in the answer.
        body: Option<Body>,
    },
    /// A provisional response other than 100 came for a call of ours.
    Progress {
        /// The call.
        call: CallId,
        /// Its status, 180 for ringing.
        status: Status,
        /// An early answer (from a 183 for one).
        body: Option<Body>,
    },
    /// Our call was answered and acknowledged.
    Answered {
        /// The call.
        call: CallId,
        /// The answer to our offer.
        body: Option<Body>,
    },
    /// The far side acknowledged our answer.
    Confirmed {
        /// The call.
        call: CallId,
        /// The answer, when the offer was in our 200.
        body: Option<Body>,
    },
    /// The far side asks to change the session (re-INVITE). Next is
    /// [`accept_reoffer`](super::UserAgent::accept_reoffer) or
    /// [`reject_reoffer`](super::UserAgent::reject_reoffer).
    Reoffer {
        /// The call.
        call: CallId,
        /// The new offer; `None` when the offer is ours to make.
        body: Option<Body>,
    },
    /// Our re-INVITE was answered.
    ReofferAnswered {
        /// The call.
        call: CallId,
        /// The answer.
        body: Option<Body>,
    },
    /// Our re-INVITE was refused; the session is as it was.
    ReofferRefused {
        /// The call.
        call: CallId,
        /// Why.
        reason: Reason,
    },
    /// A call is over; its name is gone.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: Reason,
        /// Who ended it.
        by: By,
    },
    /// The far side told what it can do (RFC 3261 §11), or did not.
    Capabilities {
        /// The question, as [`options`](super::UserAgent::options) named it.
        query: QueryId,
        /// The methods that it allows, or why it has not said.
        allow: Result<Vec<Method>, Reason>,
    },
    /// The registration's flow over UDP wants a STUN Binding request, sent from `flow.id` to
    /// `flow.remote`. Report the outcome with
    /// [`keepalive_answered`](super::UserAgent::keepalive_answered) or
    /// [`keepalive_failed`](super::UserAgent::keepalive_failed).
    KeepaliveDue {
        /// The account.
        account: AccountId,
        /// The flow.
        flow: Flow,
    },
}
