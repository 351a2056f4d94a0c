//! A mapping that is wanted, and how far it has come.

use std::net::IpAddr;
use std::time::Duration;

use machine::{AddressClass, Endpoint, Id, Instant, Transport};

use super::timing::Sendings;
use crate::defaults::{MAX_LIFETIME, RENEWAL_INTERVAL};
use crate::pcp::{Map, Nonce, Operation, Options, Peer};
use crate::{Error, Mapping, Protocol, Request, Trouble};
use crate::{natpmp, pcp, upnp};

/// A mapping that is wanted.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) request: Request,
    //= RFC 6887 §11.2: every mapping has a random nonce, and keeps it.
    pub(super) nonce: Nonce,
    pub(super) state: State,
    /// What refused since it stood last.
    pub(super) tried: Vec<Way>,
    /// Why the last of them did.
    pub(super) error: Option<Error>,
    /// What its owner was told.
    pub(super) told: Option<Mapping>,
}

/// Whom a mapping is asked of: a server by the socket of its path, or a gateway of UPnP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Pcp(Id),
    NatPmp(Id),
    Upnp(IpAddr),
}

impl Way {
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Pcp(_) => Protocol::Pcp,
            Self::NatPmp(_) => Protocol::NatPmp,
            Self::Upnp(_) => Protocol::Upnp,
        }
    }

    /// The socket of its path.
    pub(super) const fn socket(self) -> Option<Id> {
        match self {
            Self::Pcp(socket) | Self::NatPmp(socket) => Some(socket),
            Self::Upnp(_) => None,
        }
    }
}

/// How far a mapping has come.
#[derive(Debug)]
pub(super) enum State {
    /// Nobody is asked: a search is under way.
    Waiting,
    /// Somebody is asked. UPnP sends by itself.
    Asking { way: Way, sendings: Option<Sendings> },
    /// It stands.
    Held(Held),
    /// It is removed.
    Releasing { way: Way, sendings: Option<Sendings> },
}

/// What was granted.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) way: Way,
    pub(super) granted: Instant,
    pub(super) lifetime: Option<Duration>,
    /// How many times it was tried to renew it.
    pub(super) attempts: u32,
    /// The sendings of a renewal by NAT-PMP.
    pub(super) sendings: Option<Sendings>,
    /// By what UPnP knows it.
    pub(super) upnp: Option<upnp::Granted>,
}

impl Held {
    /// When it ends. So short a lifetime that there is no time to renew it is not believed.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.lifetime.map(|lifetime| self.granted + lifetime.max(RENEWAL_INTERVAL * 2))
    }
}

impl Lease {
    pub(super) fn new(request: Request, nonce: Nonce) -> Self {
        let state = State::Waiting;
        Self { request, nonce, state, tried: Vec::new(), error: None, told: None }
    }

    /// Whom it is asked of at present.
    pub(super) const fn way(&self) -> Option<Way> {
        match &self.state {
            State::Waiting => None,
            State::Asking { way, .. } | State::Releasing { way, .. } => Some(*way),
            State::Held(held) => Some(held.way),
        }
    }

    pub(super) const fn sendings(&mut self) -> Option<&mut Sendings> {
        match &mut self.state {
            State::Waiting => None,
            State::Asking { sendings, .. } | State::Releasing { sendings, .. } => sendings.as_mut(),
            State::Held(held) => held.sendings.as_mut(),
        }
    }

    /// The way by which it stands, if it does.
    pub(super) fn held_by(&self) -> Option<Way> {
        if let State::Held(held) = &self.state { Some(held.way) } else { None }
    }

    pub(super) const fn is_tcp(&self) -> bool {
        !matches!(self.request.transport, Transport::Udp)
    }

    /// Whether it may be asked for from our address `local`.
    pub(super) fn fits(&self, local: IpAddr) -> bool {
        let wanted = self.request.internal.ip();
        local == wanted || (wanted.is_unspecified() && local.is_ipv4() == wanted.is_ipv4())
    }

    /// Whether two requests are for the same mapping.
    pub(super) fn is_for(&self, other: &Request) -> bool {
        let (one, two) = (self.request.internal, other.internal);
        let same_ip = one.ip() == two.ip()
            || (one.is_ipv4() == two.is_ipv4()
                && (one.ip().is_unspecified() || two.ip().is_unspecified()));
        let tcp = other.transport != Transport::Udp;
        same_ip
            && one.port() == two.port()
            && self.is_tcp() == tcp
            && self.request.peer == other.peer
    }

    fn lifetime_secs(&self) -> u32 {
        // Zero would remove it.
        let secs = self.request.lifetime.clamp(Duration::from_secs(1), MAX_LIFETIME).as_secs();
        u32::try_from(secs).unwrap_or(u32::MAX)
    }

    /// The address outside to suggest.
    //= RFC 6887 §11.2.1, RFC 6886 §3.3: a renewal suggests what was assigned, so that a gateway that
    //= forgot it assigns the same.
    pub(super) fn suggestion(&self) -> Endpoint {
        if let Some(told) = &self.told {
            return told.external;
        }
        let any = match self.request.internal.ip() {
            IpAddr::V4(_) => Endpoint::UNSPECIFIED_V4,
            IpAddr::V6(_) => Endpoint::UNSPECIFIED_V6,
        };
        let ip = self.request.external_ip.unwrap_or(any.ip());
        Endpoint::new(ip, self.request.external_port.unwrap_or(self.request.internal.port()))
    }

    /// The request for it, or for its removal, of a PCP server that sees us at `local`.
    pub(super) fn pcp(&self, local: IpAddr, remove: bool) -> pcp::Request {
        //= RFC 6887 §15: a removal has a lifetime of zero, and suggests nothing outside.
        let nothing = match local {
            IpAddr::V4(_) => Endpoint::UNSPECIFIED_V4,
            IpAddr::V6(_) => Endpoint::UNSPECIFIED_V6,
        };
        let map = Map {
            nonce: self.nonce,
            protocol: if self.is_tcp() { pcp::TCP } else { pcp::UDP },
            internal_port: self.request.internal.port(),
            external: if remove { nothing } else { self.suggestion() },
        };
        let operation = match self.request.peer {
            Some(remote) => Operation::Peer(Peer { map, remote }),
            None => Operation::Map(map),
        };
        //= RFC 6887 §13.2: PREFER_FAILURE goes with MAP alone, and not with a removal.
        let prefer_failure = self.request.prefer_failure && self.request.peer.is_none() && !remove;
        pcp::Request {
            lifetime_secs: if remove { 0 } else { self.lifetime_secs() },
            client: local,
            operation,
            options: Options { prefer_failure, ..Options::default() },
        }
    }

    /// The request for it, or for its removal, by NAT-PMP.
    pub(super) fn natpmp(&self, remove: bool) -> natpmp::Request {
        natpmp::Request::Map {
            tcp: self.is_tcp(),
            internal_port: self.request.internal.port(),
            //= RFC 6886 §3.4: a removal has a lifetime and a port outside of zero.
            external_port: if remove { 0 } else { self.suggestion().port() },
            lifetime_secs: if remove { 0 } else { self.lifetime_secs() },
        }
    }

    /// The request for it of a UPnP gateway that sees us at `local`.
    pub(super) fn upnp(&self, local: IpAddr) -> upnp::Request {
        let internal = match self.request.internal.ip() {
            ip if ip.is_unspecified() => local,
            ip => ip,
        };
        upnp::Request {
            transport: if self.is_tcp() { Transport::Tcp } else { Transport::Udp },
            internal: Endpoint::new(internal, self.request.internal.port()),
            external_port: Some(self.suggestion().port()),
            lease: Duration::from_secs(self.lifetime_secs().into()),
            prefer_failure: self.request.prefer_failure,
        }
    }

    /// Whether what was granted is what was asked for, and lets anybody in at all.
    pub(super) fn judge(&self, mapping: &Mapping) -> Result<(), Error> {
        use AddressClass as C;
        let (external, internal) = (mapping.external, mapping.internal);
        let class = C::of(external.ip());
        if class == C::Unspecified {
            return Err(Trouble::NotConnected.into());
        }
        let nowhere = matches!(class, C::Multicast | C::Loopback | C::Broadcast | C::LinkLocal)
            || external.port() == 0
            || external.is_ipv4() != internal.is_ipv4();
        let inside = external.ip() == internal.ip() || external.ip() == mapping.gateway;
        if nowhere || (inside && external.is_ipv4() && !class.is_public()) {
            return Err(Error::Elsewhere(external));
        }
        let wanted = self.suggestion();
        let same = wanted.port() == external.port()
            && self.request.external_ip.is_none_or(|ip| ip == external.ip());
        if self.request.prefer_failure && !same {
            return Err(Error::NotThatOne);
        }
        Ok(())
    }
}

/// What a refusal by PCP means.
pub(super) fn pcp_error(result: pcp::ResultCode) -> Error {
    match result {
        pcp::ResultCode::NETWORK_FAILURE => Trouble::NotConnected.into(),
        pcp::ResultCode::CANNOT_PROVIDE_EXTERNAL => Error::NotThatOne,
        pcp::ResultCode(code) => {
            let reason = result.reason().to_owned();
            Error::Refused { protocol: Protocol::Pcp, code: code.into(), reason }
        }
    }
}

/// What a refusal by NAT-PMP means.
pub(super) fn natpmp_error(result: natpmp::ResultCode) -> Error {
    match result {
        natpmp::ResultCode::NETWORK_FAILURE => Trouble::NotConnected.into(),
        natpmp::ResultCode(code) => {
            let reason = result.reason().to_owned();
            Error::Refused { protocol: Protocol::NatPmp, code, reason }
        }
    }
}
