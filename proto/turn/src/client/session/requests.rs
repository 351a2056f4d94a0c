//! What a session asks its server: requests by their purpose, and what an Allocate request can do
//! without.

use std::net::IpAddr;

use machine::{Endpoint, Id};
use stun::{AttributeType, Builder, Method, TransactionId};

use super::Session;
use crate::attribute::{Family, RelayTransport};
use crate::client::config::{Config, Families};
use crate::message::TurnBuilder;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An allocation.
    Allocate,
    /// To keep it.
    Refresh,
    /// To end it.
    Release,
    /// To take it to another address of ours.
    Move,
    /// Permissions.
    Permit(Vec<IpAddr>),
    /// A channel.
    Bind(Endpoint),
    /// A connection to a peer.
    Connect(Id),
    /// To make a connection with the server one with a peer.
    ConnectionBind(Id),
}

impl Purpose {
    const fn method(&self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Release | Self::Move => Method::REFRESH,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Bind(_) => Method::CHANNEL_BIND,
            Self::Connect(_) => Method::CONNECT,
            Self::ConnectionBind(_) => Method::CONNECTION_BIND,
        }
    }
}

impl Session {
    /// The request for `purpose`, authenticated as far as the server has challenged.
    pub(super) fn request(&self, config: &Config, purpose: &Purpose, id: TransactionId) -> Vec<u8> {
        let mut request = Builder::request(purpose.method(), id);
        match purpose {
            Purpose::Allocate => self.wishes.write(config, &mut request),
            Purpose::Refresh => {
                config.lifetime.map(|lifetime| request.lifetime(lifetime));
            }
            Purpose::Release => {
                request.lifetime(std::time::Duration::ZERO);
            }
            Purpose::Move => {
                request.mobility_ticket(self.ticket.as_deref().unwrap_or_default());
                config.lifetime.map(|lifetime| request.lifetime(lifetime));
            }
            Purpose::Permit(peers) => peers.iter().for_each(|peer| {
                request.peer_address(Endpoint::new(*peer, 0));
            }),
            Purpose::Bind(peer) => {
                self.peers.number(*peer).map(|number| request.channel_number(number));
                request.peer_address(*peer);
            }
            Purpose::Connect(conn) => {
                self.connections.peer(*conn).map(|peer| request.peer_address(peer));
            }
            Purpose::ConnectionBind(conn) => {
                self.connections.connection_id(*conn).map(|id| request.connection_id(id));
            }
        }
        if let Some(auth) = &self.auth {
            auth.authenticate(&mut request);
        }
        request.finish()
    }
}

/// What an Allocate request asks for, less what the server turned out not to have.
#[derive(Clone, Debug)]
pub(super) struct Wishes {
    pub(super) families: Families,
    pub(super) mobility: bool,
    pub(super) dont_fragment: bool,
    even_port: Option<bool>,
    reservation: Option<[u8; 8]>,
}

impl Wishes {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            families: config.families,
            mobility: config.mobility,
            dont_fragment: config.dont_fragment,
            even_port: config.even_port,
            reservation: config.reservation,
        }
    }

    fn write(&self, config: &Config, request: &mut Builder) {
        request.requested_transport(config.relay);
        config.lifetime.map(|lifetime| request.lifetime(lifetime));
        let udp = config.relay == RelayTransport::Udp;
        //= RFC 8656 §7.1: RESERVATION-TOKEN stands without EVEN-PORT and without families;
        // EVEN-PORT without ADDITIONAL-ADDRESS-FAMILY.
        //= RFC 6062 §4.1: neither they nor DONT-FRAGMENT in a request for TCP.
        match (self.reservation.filter(|_| udp), self.even_port.filter(|_| udp), self.families) {
            (Some(token), ..) => {
                request.reservation_token(token);
            }
            (None, even_port, families) => {
                even_port.map(|reserve| request.even_port(reserve));
                match families {
                    Families::V4 => {}
                    Families::V6 => {
                        request.requested_address_family(Family::V6);
                    }
                    Families::Both if even_port.is_none() && udp => {
                        request.additional_address_family(Family::V6);
                        // Coturn 4.6 knows it by the number that it had in a draft.
                        let draft = AttributeType::ADDITIONAL_ADDRESS_FAMILY_DRAFT;
                        request.attribute(draft, &[Family::V6.value(), 0, 0, 0]);
                    }
                    Families::Both => {}
                }
            }
        }
        if self.dont_fragment && udp {
            request.dont_fragment();
        }
        if self.mobility {
            request.mobility_ticket(&[]);
        }
    }

    /// Drops what the server does not know, if the allocation is of use without it; says whether
    /// there was anything to drop.
    pub(super) fn concede(&mut self, unknown: impl Iterator<Item = AttributeType>) -> bool {
        let before = self.clone();
        for kind in unknown {
            match kind {
                AttributeType::DONT_FRAGMENT => self.dont_fragment = false,
                AttributeType::EVEN_PORT => self.even_port = None,
                AttributeType::MOBILITY_TICKET => self.mobility = false,
                AttributeType::ADDITIONAL_ADDRESS_FAMILY => self.families = Families::V4,
                _ => return false,
            }
        }
        before.dont_fragment != self.dont_fragment
            || before.even_port != self.even_port
            || before.mobility != self.mobility
            || before.families != self.families
    }
}
