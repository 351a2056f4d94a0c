//! The four transaction machines (RFC 3261 §17, with RFC 6026), each a value in a file.
//!
//! A machine knows no message and no clock: it is told what came, and returns what to do, as
//! [`Action`]s that the [`Stack`](crate::Stack) carries out. [`key`] finds the transaction that a
//! message belongs to.
//!
//! | machine | RFC 3261 | timers |
//! |---|---|---|
//! | [`ClientInvite`] | §17.1.1 | A, B, D, M |
//! | [`ClientNonInvite`] | §17.1.2 | E, F, K |
//! | [`ServerInvite`] | §17.2.1 | G, H, I, L and the 100 (Trying) |
//! | [`ServerNonInvite`] | §17.2.2 | J |
//!
//! Timer C belongs to the [`proxy`](crate::proxy).

mod client_invite;
mod client_non_invite;
pub mod key;
mod server_invite;
mod server_non_invite;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use client_invite::ClientInvite;
pub use client_non_invite::ClientNonInvite;
pub use server_invite::ServerInvite;
pub use server_non_invite::ServerNonInvite;

use crate::defaults;

/// The times that all timers of transactions derive from (RFC 3261 §17.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// An estimate of the round trip.
    pub t1: Duration,
    /// The longest pause between retransmissions of non-INVITE requests and INVITE responses.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { t1: defaults::T1, t2: defaults::T2, t4: defaults::T4 }
    }
}

impl Times {
    /// 64·T1: Timers B, F, H, J, L and M.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.t1 * 64
    }
}

/// The timers of RFC 3261 table 4 and RFC 6026 that transactions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Retransmits an INVITE.
    A,
    /// Gives up on an INVITE.
    B,
    /// Absorbs retransmitted final responses to an INVITE.
    D,
    /// Retransmits a non-INVITE request.
    E,
    /// Gives up on a non-INVITE request.
    F,
    /// Retransmits a final response to an INVITE.
    G,
    /// Gives up waiting for an ACK.
    H,
    /// Absorbs retransmitted ACKs.
    I,
    /// Absorbs retransmitted non-INVITE requests.
    J,
    /// Absorbs retransmitted responses to a non-INVITE request.
    K,
    /// Absorbs retransmitted INVITEs after a 2xx (RFC 6026).
    L,
    /// Gathers the 2xx of a forked INVITE (RFC 6026).
    M,
    /// Sends 100 (Trying) when the owner has not answered an INVITE yet (RFC 3261 §17.2.1).
    Trying,
}

/// What a transaction machine wants done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the request, or the last response, again or for the first time.
    Send,
    /// Acknowledge the final response (RFC 3261 §17.1.1.3).
    SendAck,
    /// Send a 100 (Trying) of the transaction's own.
    SendTrying,
    /// Start or restart a timer.
    Set(Timer, Duration),
    /// Stop a timer.
    Stop(Timer),
    /// Hand what came to the transaction's user.
    Deliver,
    /// Tell the transaction's user that no answer came in time.
    TimedOut,
    /// Forget the transaction.
    End,
}

/// What a machine wants done.
pub type Actions = Vec<Action>;

/// A client transaction of either kind.
#[derive(Clone, Debug)]
pub enum Client {
    /// For INVITE.
    Invite(ClientInvite),
    /// For any other method but ACK.
    NonInvite(ClientNonInvite),
}

impl Client {
    /// A response came, with this status.
    pub fn response(&mut self, status: u16) -> Actions {
        match self {
            Self::Invite(machine) => machine.response(status),
            Self::NonInvite(machine) => machine.response(status),
        }
    }

    /// A timer fired.
    pub fn timer(&mut self, timer: Timer) -> Actions {
        match self {
            Self::Invite(machine) => machine.timer(timer),
            Self::NonInvite(machine) => machine.timer(timer),
        }
    }

    /// Whether a final response has come.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_completed(),
            Self::NonInvite(machine) => machine.is_completed(),
        }
    }
}

/// A server transaction of either kind.
#[derive(Clone, Debug)]
pub enum Server {
    /// For INVITE.
    Invite(ServerInvite),
    /// For any other method but ACK.
    NonInvite(ServerNonInvite),
}

impl Server {
    /// The request came again.
    pub fn retransmission(&mut self) -> Actions {
        match self {
            Self::Invite(machine) => machine.retransmission(),
            Self::NonInvite(machine) => machine.retransmission(),
        }
    }

    /// The owner answers with this status. Empty actions mean that it is too late to.
    pub fn respond(&mut self, status: u16) -> Actions {
        match self {
            Self::Invite(machine) => machine.respond(status),
            Self::NonInvite(machine) => machine.respond(status),
        }
    }

    /// A timer fired.
    pub fn timer(&mut self, timer: Timer) -> Actions {
        match self {
            Self::Invite(machine) => machine.timer(timer),
            Self::NonInvite(machine) => machine.timer(timer),
        }
    }

    /// Whether a final response was sent.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_answered(),
            Self::NonInvite(machine) => machine.is_answered(),
        }
    }
}
