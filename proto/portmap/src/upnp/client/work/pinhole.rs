//! A pinhole in a firewall of IPv6 (WANIPv6FirewallControl:1 §2.5).

use std::net::IpAddr;
use std::time::Duration;

use super::{Given, Known, Next, Outcome, Service, Work};
use crate::upnp::client::event::{Error, Granted, Request};
use crate::upnp::defaults::PINHOLE_LEASE;
use crate::upnp::igd::{Action, Answer, code};
use crate::{Mapping, Protocol};

/// Opens a pinhole, or keeps one open.
#[derive(Debug)]
pub(in crate::upnp::client) struct Pinhole {
    request: Request,
    /// The pinhole there is.
    id: Option<u16>,
    gateway: IpAddr,
    service: Option<Service>,
}

impl Pinhole {
    pub(in crate::upnp::client) const fn new(request: Request) -> Self {
        let gateway = request.internal.ip();
        Self { request, id: None, gateway, service: None }
    }

    /// The same pinhole again.
    pub(in crate::upnp::client) fn renewal(granted: &Granted) -> Self {
        let Mapping { transport, internal, external, .. } = granted.mapping;
        let (external_port, lease) = (Some(external.port()), granted.requested);
        let request = Request { transport, internal, external_port, lease, prefer_failure: true };
        Self { id: granted.pinhole, ..Self::new(request) }
    }

    /// A lease of a pinhole is never permanent.
    fn lease(&self) -> Duration {
        //= WANIPv6FirewallControl:1 §2.3.4: from one second to a day
        match self.request.lease {
            Duration::ZERO => PINHOLE_LEASE,
            lease => lease.clamp(Duration::from_secs(1), PINHOLE_LEASE),
        }
    }

    fn ask(&self) -> Next {
        let (Some(service), IpAddr::V6(internal_client)) =
            (&self.service, self.request.internal.ip())
        else {
            return Next::failed(Error::NoGateway);
        };
        let lease = self.lease();
        let action = match self.id {
            Some(id) => Action::UpdatePinhole { id, lease },
            None => Action::AddPinhole {
                internal_client,
                internal_port: self.request.internal.port(),
                transport: self.request.transport,
                lease,
            },
        };
        Next::call(service, action)
    }

    fn granted(&self, pinhole: Option<u16>) -> Next {
        let mapping = Mapping {
            protocol: Protocol::Upnp,
            gateway: self.gateway,
            transport: self.request.transport,
            internal: self.request.internal,
            external: self.request.internal,
            lease: pinhole.map(|_| self.lease()),
        };
        let granted = Granted { mapping, pinhole, requested: self.request.lease };
        Next::Done(Outcome::Mapped(granted))
    }
}

impl Work for Pinhole {
    fn begin(&mut self, known: Option<&Known>) -> Next {
        let Some((known, service)) = known.and_then(|k| Some((k, k.firewall.clone()?))) else {
            return Next::failed(Error::NoGateway);
        };
        // A pinhole does not change the port.
        let wanted = self.request.external_port.filter(|port| *port != 0);
        if wanted.is_some_and(|port| port != self.request.internal.port())
            && self.request.prefer_failure
        {
            return Next::failed(
                crate::upnp::soap::Fault::of_code(code::SAME_PORT_REQUIRED).into(),
            );
        }
        self.gateway = known.gateway.address;
        self.service = Some(service);
        self.ask()
    }

    fn take(&mut self, answer: Result<Given, Error>) -> Next {
        match answer {
            Ok(Given::Answer(Answer::Pinhole(id))) => self.granted(Some(id)),
            Ok(Given::Answer(Answer::Done)) => self.granted(self.id),
            Ok(_) => Next::failed(Error::NoGateway),
            // Nothing has to be opened.
            Err(error) if error.code() == Some(code::FIREWALL_DISABLED) => self.granted(None),
            // It has been forgotten: as 704, or by routers that look it up as another error.
            Err(error) if self.id.is_some() && error.code().is_some() => {
                self.id = None;
                self.ask()
            }
            Err(error) => Next::failed(error),
        }
    }
}
