//! One of our addresses towards one router, and what answers there.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use machine::{Endpoint, Id};

use super::paths::Route;
use super::timing::Sendings;
use crate::natpmp;
use crate::pcp;
use crate::{MappingId, Protocol};

/// One of our addresses towards one router.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) route: Route,
    pub(super) socket: Id,
    pub(super) bound: bool,
    pub(super) pcp: Server,
    pub(super) natpmp: Server,
    pub(super) pcp_epoch: pcp::Epoch,
    pub(super) natpmp_epoch: natpmp::Epoch,
    /// The address outside by NAT-PMP, or its code for why there is none.
    pub(super) external: Option<Result<Ipv4Addr, natpmp::ResultCode>>,
}

/// What is known of a server of PCP or NAT-PMP.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) standing: Standing,
    /// The question whether it is there, while that is open.
    pub(super) asking: Option<Sendings>,
    /// Whether it was found to map nothing.
    pub(super) useless: bool,
    /// Mappings to make again, one after the other.
    pub(super) recreate: VecDeque<MappingId>,
}

/// Whether somebody answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not known, or not any more.
    #[default]
    Unknown,
    /// It has answered.
    Here,
    /// It said that it is not, or never answered.
    Absent,
}

impl Path {
    pub(super) fn new(route: Route, socket: Id) -> Self {
        Self {
            route,
            socket,
            bound: false,
            pcp: Server::default(),
            natpmp: Server::default(),
            pcp_epoch: pcp::Epoch::default(),
            natpmp_epoch: natpmp::Epoch::default(),
            external: None,
        }
    }

    /// Where its requests go. PCP and NAT-PMP share a port (RFC 6887 §9).
    pub(super) fn remote(&self) -> Endpoint {
        Endpoint::new(self.route.router, pcp::SERVER_PORT)
    }

    /// The server of a protocol; UPnP has none here.
    pub(super) fn server(&mut self, protocol: Protocol) -> Option<&mut Server> {
        match protocol {
            Protocol::Pcp => Some(&mut self.pcp),
            Protocol::NatPmp => Some(&mut self.natpmp),
            Protocol::Upnp => None,
        }
    }

    /// What stands at the beginning of a search: nobody has answered yet. NAT-PMP is of IPv4 alone
    /// (RFC 6886 §1).
    pub(super) fn forget(&mut self, protocols: &[Protocol]) {
        for protocol in [Protocol::Pcp, Protocol::NatPmp] {
            let spoken = protocols.contains(&protocol)
                && (protocol == Protocol::Pcp || self.route.router.is_ipv4());
            if let Some(server) = self.server(protocol) {
                server.standing = if spoken { Standing::Unknown } else { Standing::Absent };
                server.asking = None;
                server.useless = false;
            }
        }
    }
}
