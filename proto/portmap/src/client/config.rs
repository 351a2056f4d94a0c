//! What a client speaks and with whom.

use std::net::IpAddr;

use crate::Protocol;

/// What a client speaks, and with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is spoken.
    pub protocols: Vec<Protocol>,
    /// Routers to ask besides the interfaces' default ones, by PCP and NAT-PMP.
    pub gateways: Vec<IpAddr>,
    /// Whether to listen to what gateways announce to all hosts (RFC 6886 §3.2.1, RFC 6887 §14.1).
    /// It takes a port that only one program on a host may have; without it a restart is noticed at
    /// the next answer.
    pub announcements: bool,
    /// What the mappings are called in the router's list, where it has names.
    pub description: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protocols: Protocol::ALL.to_vec(),
            gateways: Vec::new(),
            announcements: true,
            description: "Wayleave".to_owned(),
        }
    }
}
