//! What the server counts.

/// Why a request was refused, or something else dropped.
macro_rules! refusals {
    ($($(#[$doc:meta])* $ident:ident = $code:literal, $name:literal;)*) => {
        /// Why something was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Refusal { $($(#[$doc])* $ident,)* }

        impl Refusal {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$ident,)*];

            /// Its name in metrics: `bad_request`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$ident => $name,)* }
            }

            /// The code of the error that it is answered with; 0 where there is no answer.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$ident => $code,)* }
            }
        }
    };
}

refusals! {
    /// 300: draining, and there is an alternate server.
    Draining = 300, "draining";
    /// 400: malformed.
    BadRequest = 400, "bad_request";
    /// 401: no credentials yet. Every first request of a client is one.
    Challenged = 401, "challenged";
    /// 401: unknown user, wrong password, or credentials whose time is over.
    Credentials = 401, "credentials";
    /// 403: a peer that nobody may send to.
    PeerForbidden = 403, "peer_forbidden";
    /// 403: not offered here (mobility, TCP).
    Forbidden = 403, "forbidden";
    /// 405: the mobility ticket is not one of ours.
    MobilityForbidden = 405, "mobility_forbidden";
    /// 420.
    UnknownAttribute = 420, "unknown_attribute";
    /// 437: no allocation, or one already.
    AllocationMismatch = 437, "allocation_mismatch";
    /// 438.
    StaleNonce = 438, "stale_nonce";
    /// 440: no relayed address of this family.
    AddressFamily = 440, "address_family";
    /// 441: not the user who allocated.
    WrongCredentials = 441, "wrong_credentials";
    /// 442: no such transport.
    TransportProtocol = 442, "transport_protocol";
    /// 443: the peer's family is not the relayed address's.
    PeerFamily = 443, "peer_family";
    /// 446: there is a connection to this peer already.
    ConnectionExists = 446, "connection_exists";
    /// 447: the peer did not take the connection.
    ConnectionFailed = 447, "connection_failed";
    /// 486: the user's or the address's allocations.
    Quota = 486, "quota";
    /// 500: keys could not be looked up.
    ServerError = 500, "server_error";
    /// 508: no port, no descriptor, or too many of something.
    Capacity = 508, "capacity";
    /// No answer: too much goes to this prefix already without proof.
    UnprovenLimit = 0, "unproven_limit";
    /// No answer: neither a request of TURN's nor of Binding, or an indication of nothing.
    Unintelligible = 0, "unintelligible";
    /// A connection was closed: too many of them.
    ConnectionLimit = 0, "connection_limit";
    /// A connection was closed: what came is no frame, or a longer one than a stranger may send.
    Frame = 0, "frame";
    /// A peer's connection was closed: its address has no permission.
    PeerUnpermitted = 0, "peer_unpermitted";
}

/// What was counted since the start, and what there is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Allocations now.
    pub allocations: u64,
    /// Allocations ever made.
    pub allocated: u64,
    /// Those of them over TCP or TLS.
    pub allocated_over_streams: u64,
    /// Allocations of TCP (RFC 6062) ever made.
    pub allocated_tcp: u64,
    /// Allocations that moved with their client.
    pub moved: u64,
    /// Clients' connections now.
    pub connections: u64,
    /// Peers' connections now.
    pub peer_connections: u64,
    /// Binding requests answered by the machine, not by a data plane.
    pub bindings: u64,
    /// Requests that wait for keys.
    pub waiting: u64,
    /// What the machine's own table forwarded and dropped.
    pub relay: relay::Counters,
    /// Bytes spliced between clients' and peers' connections (RFC 6062).
    pub spliced_bytes: u64,
    /// Datagrams dropped because a client's connection did not take them.
    pub stream_drops: u64,
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
