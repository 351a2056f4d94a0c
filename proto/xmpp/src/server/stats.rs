//! What the server counts.

use crate::stream::server as stream;

/// Why something was refused.
macro_rules! refusals {
    ($($(#[$doc:meta])* $ident:ident = $name:literal;)*) => {
        /// Why a connection, a stream or a stanza was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Refusal { $($(#[$doc])* $ident,)* }

        impl Refusal {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$ident,)*];

            /// Its name in metrics: `bad_xml`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$ident => $name,)* }
            }
        }
    };
}

refusals! {
    /// A connection was closed: too many, in all or of those from its address that are not logged in.
    Connections = "connections";
    /// A connection was closed: it took too long to log in.
    Timeout = "timeout";
    /// A TLS handshake failed.
    Tls = "tls";
    /// Bytes that are no UTF-8, no XML, or XML that streams may not have.
    BadXml = "bad_xml";
    /// Too large, too deep, or too many attributes.
    TooLarge = "too_large";
    /// A stream that is not as it has to be: a wrong header or namespace, another domain, a second
    /// header.
    BadStream = "bad_stream";
    /// A stanza before authentication or before binding.
    Unauthenticated = "unauthenticated";
    /// Plain bytes where TLS has to be.
    Plaintext = "plaintext";
    /// A wrong password or an unknown user.
    Credentials = "credentials";
    /// Too many attempts to authenticate: on a stream, from an address, or in all where keys are
    /// derived.
    Attempts = "attempts";
    /// Something else about an authentication: a mechanism that is not offered, a bad message.
    Sasl = "sasl";
    /// A stanza in another's name.
    SpoofedFrom = "spoofed_from";
    /// A stanza that is malformed, or addressed to what is no address.
    BadStanza = "bad_stanza";
    /// A stanza that nobody takes.
    Undeliverable = "undeliverable";
    /// A stanza for another domain.
    RemoteServer = "remote_server";
    /// A client that does not read.
    SlowReader = "slow_reader";
    /// A client that sends on although nobody reads, or never stops sending too fast.
    Flood = "flood";
    /// A client that was silent for too long.
    Idle = "idle";
    /// Too many sessions of an account.
    Sessions = "sessions";
    /// Too many contacts, requests, or directed presences.
    Roster = "roster";
    /// The world could not answer.
    World = "world";
}

/// What was counted since the start, and what there is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now.
    pub connections: u64,
    /// Sessions now.
    pub sessions: u64,
    /// Sessions ever started.
    pub sessions_started: u64,
    /// Questions that wait for their answer.
    pub waiting: u64,
    /// Stanzas that came from clients.
    pub stanzas_in: u64,
    /// Stanzas that went to clients.
    pub stanzas_out: u64,
    /// Times that a key was derived from a password, or made up for somebody unknown.
    pub derivations: u64,
    /// Times that a client was not read for a while because it sent too fast.
    pub pauses: u64,
    pub(super) refusals: [u64; Refusal::ALL.len()],
}

impl Stats {
    /// How often something was refused for this cause.
    #[must_use]
    pub fn refused(&self, cause: Refusal) -> u64 {
        self.refusals.get(cause as usize).copied().unwrap_or_default()
    }

    /// Counts a refusal.
    pub(super) fn refuse(&mut self, cause: Refusal) {
        if let Some(count) = self.refusals.get_mut(cause as usize) {
            *count += 1;
        }
    }
}

impl From<stream::Refusal> for Refusal {
    fn from(refusal: stream::Refusal) -> Self {
        match refusal {
            stream::Refusal::BadXml => Self::BadXml,
            stream::Refusal::TooBig => Self::TooLarge,
            stream::Refusal::Flood => Self::Flood,
            stream::Refusal::BadHeader | stream::Refusal::OutOfPlace => Self::BadStream,
            stream::Refusal::Unauthenticated => Self::Unauthenticated,
            stream::Refusal::PlaintextAfterStartTls => Self::Plaintext,
            stream::Refusal::WrongCredentials => Self::Credentials,
            stream::Refusal::Sasl => Self::Sasl,
            stream::Refusal::Attempts => Self::Attempts,
            stream::Refusal::SpoofedFrom => Self::SpoofedFrom,
            stream::Refusal::MalformedStanza => Self::BadStanza,
            stream::Refusal::TooSlow => Self::Timeout,
        }
    }
}
