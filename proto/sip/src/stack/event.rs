//! What the [`Stack`](super::Stack) tells its owner, and the names it uses for that.

use machine::{Endpoint, FailKind, Id, Transport};

use crate::message::{Request, Response};
use crate::transport::Flow;
use crate::uri::Uri;

/// Names one transaction of a stack, client or server; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub(crate) u64);

/// Where a request is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Where its topmost Route header, else its Request-URI, points to, by RFC 3263.
    Uri,
    /// Where this URI points to, whatever the headers say: an outbound proxy.
    Proxy(Uri),
    /// Over this flow and no other (RFC 5626).
    Flow(Flow),
    /// To this address.
    Address {
        /// Over which transport.
        transport: Transport,
        /// Where to.
        remote: Endpoint,
    },
}

/// Why a transaction ended without a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The name in the URI does not resolve.
    #[error("the name does not resolve")]
    NoSuchHost,
    /// Nothing we listen on can reach the address, or the transport is not supported.
    #[error("no transport to reach it")]
    NoTransport,
    /// The connection could not be opened, or broke.
    #[error("the connection failed")]
    Connection,
    /// The network says that nobody is there (ICMP).
    #[error("the network says unreachable")]
    Unreachable,
    /// The flow is gone (RFC 5626 §5.3).
    #[error("the flow is gone")]
    FlowGone,
    /// It was cancelled before it was sent.
    #[error("cancelled before it was sent")]
    Cancelled,
    /// A limit of this stack is reached.
    #[error("too much at once")]
    Overload,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A listener is bound.
    Listening {
        /// Its name, as [`Stack::listen`](super::Stack::listen) returned it.
        id: Id,
        /// Its transport.
        transport: Transport,
        /// The address that was bound, port included.
        local: Endpoint,
    },
    /// A listener could not be bound.
    ListenFailed {
        /// Its name.
        id: Id,
        /// Its transport.
        transport: Transport,
        /// The address that was asked for.
        local: Endpoint,
        /// Why.
        kind: FailKind,
    },
    /// A new request, which begins a server transaction. Answer it with
    /// [`Stack::respond`](super::Stack::respond).
    Request {
        /// Its server transaction.
        transaction: TransactionId,
        /// Where it came from.
        flow: Flow,
        /// The request, its topmost Via completed by `received` and `rport`.
        request: Request,
    },
    /// An ACK that belongs to no server transaction: it acknowledges a 2xx.
    Ack {
        /// Where it came from.
        flow: Flow,
        /// The ACK.
        request: Request,
    },
    /// A CANCEL came for an INVITE that has no final response yet. The stack has answered the
    /// CANCEL itself; the INVITE is for the owner to end, with a 487.
    Cancelled {
        /// The INVITE's server transaction.
        transaction: TransactionId,
    },
    /// A response to a request we sent. Each provisional one is told, one final one, and to an
    /// INVITE every 2xx (RFC 6026).
    Response {
        /// The client transaction.
        transaction: TransactionId,
        /// Where it came from.
        flow: Flow,
        /// The response, our Via still on top.
        response: Response,
    },
    /// No final response in time (Timer B or F), after every address was tried.
    TimedOut {
        /// The client transaction; it is gone.
        transaction: TransactionId,
    },
    /// The request could not be sent to any address.
    Failed {
        /// The client transaction; it is gone.
        transaction: TransactionId,
        /// Why.
        failure: Failure,
    },
    /// A client transaction that had its final response ended by its last timer (D, K or M): no
    /// 2xx of it is told any more. The name is gone.
    ClientEnded {
        /// The client transaction.
        transaction: TransactionId,
    },
    /// No ACK came for our final response to an INVITE (Timer H), or for 2xx it ended in peace
    /// (Timer L); or a non-INVITE server transaction ended (Timer J). The name is gone.
    ServerEnded {
        /// The server transaction.
        transaction: TransactionId,
        /// Whether an ACK was due and did not come.
        unacknowledged: bool,
    },
    /// A connection that carried messages is gone.
    FlowLost {
        /// The flow.
        flow: Flow,
    },
    /// A flow that [`Stack::keep_alive`](super::Stack::keep_alive) watches over UDP wants a STUN
    /// Binding request (RFC 5626 §4.4.2): the owner sends one from the flow's socket.
    KeepaliveDue {
        /// The flow.
        flow: Flow,
    },
}
