//! What the core counts.

use std::collections::BTreeMap;

/// What was counted since the start; gauges say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transport and transactions.
    pub sip: sip::stack::Stats,
    /// Forwarded requests.
    pub proxy: sip::proxy::Stats,
    /// Relaying.
    pub turn: turn::server::Stats,
    /// XMPP.
    pub xmpp: xmpp::server::Stats,
    /// STUN Binding requests answered on SIP's ports.
    pub stun_answered: u64,
    /// Other STUN messages on SIP's ports, which got no answer.
    pub stun_ignored: u64,
    /// REGISTER requests that changed bindings and were answered with 200.
    pub registrations: u64,
    /// Challenges sent.
    pub challenges: u64,
    /// Proofs that failed: wrong password or unknown user.
    pub wrong_proofs: u64,
    /// Final responses of our own from 400 on, by status.
    pub refusals: BTreeMap<u16, u64>,
    /// Addresses of record with bindings, a gauge.
    pub addresses: u64,
    /// Questions that wait for their answer, a gauge.
    pub questions: u64,
}
