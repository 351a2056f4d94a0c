//! A mapping of IPv4, whatever the router wants it to be like.

use std::net::IpAddr;
use std::time::Duration;

use machine::{AddressClass, Endpoint, Entropy};

use super::{Given, Known, Next, Outcome, Service, Work};
use crate::upnp::client::event::{Error, Granted, Request};
use crate::upnp::defaults::{LEASE, PORT_TRIES};
use crate::upnp::igd::{Action, Answer, PortMapping, code, kind};
use crate::{Mapping, Protocol};

/// Asks for the address outside, for the mapping, and then what mapping it has become.
#[derive(Debug)]
pub(in crate::upnp::client) struct Map {
    request: Request,
    /// At this port or not at all.
    fixed: bool,
    description: String,
    entropy: Entropy,
    gateway: IpAddr,
    service: Option<Service>,
    step: Step,
    external: Option<IpAddr>,
    port: u16,
    lease: Duration,
    /// AddAnyPortMapping is used.
    any: bool,
    tries: u32,
    /// The mapping in the way was looked at.
    looked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    External,
    Add,
    /// What did the router make of it?
    Verify,
    /// Whose is the mapping in the way?
    Look,
    /// It was ours.
    Clear,
}

impl Map {
    /// A new mapping. `entropy` picks other ports.
    pub(in crate::upnp::client) fn new(
        request: Request,
        description: &str,
        entropy: Entropy,
    ) -> Self {
        let port = request.external_port.filter(|port| *port != 0);
        let port = port.unwrap_or_else(|| request.internal.port());
        //= WANIPConnection:2 §2.3.8: a lease of 0 is the longest there is, and a week is the limit
        let lease = request.lease.min(LEASE);
        Self {
            fixed: request.prefer_failure,
            description: description.into(),
            entropy,
            gateway: request.internal.ip(),
            service: None,
            step: Step::External,
            external: None,
            port,
            lease,
            any: false,
            tries: 0,
            looked: false,
            request,
        }
    }

    /// The same mapping again.
    pub(in crate::upnp::client) fn renewal(
        granted: &Granted,
        description: &str,
        entropy: Entropy,
    ) -> Self {
        let Mapping { transport, internal, external, .. } = granted.mapping;
        let (external_port, lease) = (Some(external.port()), granted.requested);
        let request = Request { transport, internal, external_port, lease, prefer_failure: true };
        Self::new(request, description, entropy)
    }

    fn call(&self, action: Action) -> Next {
        match &self.service {
            Some(service) => Next::call(service, action),
            None => Next::failed(Error::NoGateway),
        }
    }

    fn add(&mut self) -> Next {
        self.step = Step::Add;
        let mapping = PortMapping {
            remote_host: None,
            external_port: self.port,
            transport: self.request.transport,
            internal_port: self.request.internal.port(),
            internal_client: self.request.internal.ip().to_string(),
            enabled: true,
            description: self.description.clone(),
            lease: self.lease,
        };
        self.call(match self.any {
            true => Action::AddAnyPortMapping(mapping),
            false => Action::AddPortMapping(mapping),
        })
    }

    fn specific(&mut self, step: Step) -> Next {
        self.step = step;
        self.call(Action::SpecificPortMappingEntry {
            remote_host: None,
            external_port: self.port,
            transport: self.request.transport,
        })
    }

    fn external(&mut self, ip: Option<IpAddr>) -> Next {
        let Some(ip) = ip.filter(|ip| !ip.is_unspecified()) else {
            return Next::failed(Error::NotConnected);
        };
        let nowhere = matches!(
            AddressClass::of(ip),
            AddressClass::Multicast | AddressClass::Loopback | AddressClass::Broadcast
        );
        if nowhere || ip.is_ipv6() || ip == self.request.internal.ip() {
            return Next::failed(Error::External(ip));
        }
        self.external = Some(ip);
        self.add()
    }

    /// The router would not: with what would it?
    fn refused(&mut self, error: Error) -> Next {
        match error.code() {
            Some(
                code::INVALID_ACTION
                | code::INVALID_ARGS
                | code::ACTION_FAILED
                | code::OPTIONAL_ACTION_NOT_IMPLEMENTED,
            ) if self.any => {
                self.any = false;
                self.add()
            }
            // 725 says what it means; some routers say only that they do not like the lease.
            Some(code::ONLY_PERMANENT_LEASES | code::INVALID_ARGS | code::ACTION_FAILED)
                if !self.lease.is_zero() =>
            {
                self.lease = Duration::ZERO;
                self.add()
            }
            Some(code::SAME_PORT_REQUIRED)
                if !self.fixed && self.port != self.request.internal.port() =>
            {
                self.port = self.request.internal.port();
                self.fixed = true;
                self.add()
            }
            // Some routers do not renew, they see a conflict with the same mapping.
            Some(code::CONFLICT) if !self.looked => {
                self.looked = true;
                self.refusal(error)
            }
            Some(code::CONFLICT | code::CONFLICT_WITH_OTHER_MECHANISMS) => self.other_port(error),
            // Some leave the low ports to themselves.
            Some(code::NOT_AUTHORIZED) if self.port < 1024 => self.other_port(error),
            _ => Next::failed(error),
        }
    }

    fn refusal(&mut self, error: Error) -> Next {
        match self.fixed {
            true => self.specific(Step::Look),
            false => self.other_port(error),
        }
    }

    fn other_port(&mut self, error: Error) -> Next {
        self.tries += 1;
        if self.fixed || self.tries > PORT_TRIES {
            return Next::failed(error);
        }
        // The dynamic ports (RFC 6335 §6) are those that nobody's service waits at.
        self.port = 49_152 + self.entropy.below(16_384) as u16;
        self.add()
    }

    /// Whether an entry leads to us. Hosts may be listed by name, which tells nothing.
    fn is_ours(&self, entry: &PortMapping) -> bool {
        let host = entry.internal_client.parse::<IpAddr>();
        host.map_or(true, |host| host == self.request.internal.ip())
            && entry.internal_port == self.request.internal.port()
    }

    fn granted(&self, entry: Option<&PortMapping>) -> Next {
        // Some routers list every lease as 0; what was asked for is then taken to hold.
        let listed = entry.map(|entry| entry.lease).filter(|lease| !lease.is_zero());
        let lease = match (self.lease, listed) {
            (Duration::ZERO, listed) => listed,
            (asked, listed) => Some(listed.map_or(asked, |listed| listed.min(asked))),
        };
        let Some(external) = self.external else { return Next::failed(Error::NotConnected) };
        let mapping = Mapping {
            protocol: Protocol::Upnp,
            gateway: self.gateway,
            transport: self.request.transport,
            internal: self.request.internal,
            external: Endpoint::new(external, self.port),
            lease,
        };
        let granted = Granted { mapping, pinhole: None, requested: self.lease };
        Next::Done(Outcome::Mapped(granted))
    }
}

impl Work for Map {
    fn begin(&mut self, known: Option<&Known>) -> Next {
        let Some((known, service)) = known.and_then(|k| Some((k, k.connection()?))) else {
            return Next::failed(Error::NoGateway);
        };
        self.gateway = known.gateway.address;
        self.any = service.kind == kind::WAN_IP_2 && !self.fixed;
        self.service = Some(service.clone());
        self.call(Action::ExternalIpAddress)
    }

    fn take(&mut self, answer: Result<Given, Error>) -> Next {
        match (self.step, answer) {
            (Step::External, Ok(Given::Answer(Answer::ExternalIpAddress(ip)))) => self.external(ip),
            (Step::External, Err(error)) if error.code() == Some(code::ACTION_FAILED) => {
                Next::failed(Error::NotConnected)
            }
            (Step::Add, Ok(Given::Answer(Answer::Done))) => self.specific(Step::Verify),
            (Step::Add, Ok(Given::Answer(Answer::Reserved(port)))) => {
                self.port = port;
                self.specific(Step::Verify)
            }
            (Step::Add, Err(error)) => self.refused(error),
            (Step::Verify, Ok(Given::Answer(Answer::Entry(entry)))) => match self.is_ours(&entry) {
                true => self.granted(Some(&entry)),
                false => Next::failed(Error::Elsewhere(entry.internal_client)),
            },
            // Some routers cannot say; they have said that it is done.
            (Step::Verify, Err(error)) if !error.is_silence() => self.granted(None),
            (Step::Look, Ok(Given::Answer(Answer::Entry(entry)))) if self.is_ours(&entry) => {
                self.step = Step::Clear;
                self.call(Action::DeletePortMapping {
                    remote_host: None,
                    external_port: self.port,
                    transport: self.request.transport,
                })
            }
            (Step::Look, Ok(_)) => {
                Next::failed(crate::upnp::soap::Fault::of_code(code::CONFLICT).into())
            }
            (Step::Clear, Ok(_)) => self.add(),
            (_, Err(error)) => Next::failed(error),
            (_, Ok(_)) => Next::failed(Error::NoGateway),
        }
    }
}
