//! What is this device, and is it connected?

use std::net::IpAddr;
use std::time::Duration;

use super::{Ask, Given, Known, Next, Outcome, Service, Work};
use crate::upnp::client::event::{Error, Gateway, Refusal};
use crate::upnp::client::search::check;
use crate::upnp::defaults::{CONNECTIONS, SURVEY_TIME};
use crate::upnp::description::{self, Description};
use crate::upnp::http::{Url, shown};
use crate::upnp::igd::{Action, Answer, ConnectionStatus, StatusInfo, kind};

/// Reads a description, if none was, and asks every connection for its status and the one that stands
/// for the address outside.
#[derive(Debug)]
pub(in crate::upnp::client) struct Survey {
    location: Url,
    local: IpAddr,
    again: bool,
    known: Option<Known>,
    statuses: Vec<Option<StatusInfo>>,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Document,
    Status,
    External,
    Firewall,
}

impl Survey {
    /// Of a device that is described at `location`; `again`: even if its description was read.
    pub(in crate::upnp::client) const fn new(location: Url, local: IpAddr, again: bool) -> Self {
        Self { location, local, again, known: None, statuses: Vec::new(), step: Step::Document }
    }

    /// The next question, or the end.
    fn next(&mut self) -> Next {
        let Some(known) = &mut self.known else {
            return Next::Ask(Ask::Document(self.location.clone()));
        };
        if matches!(self.step, Step::Document | Step::Status) {
            self.step = Step::Status;
            let stands = |status: &Option<StatusInfo>| {
                status.as_ref().is_some_and(|s| s.status == ConnectionStatus::Connected)
            };
            let standing = self.statuses.iter().position(stands);
            match known.connections.get(self.statuses.len()) {
                Some(service) if standing.is_none() => {
                    return Next::call(service, Action::StatusInfo);
                }
                _ => {}
            }
            // A router may say nothing of one; it is taken to stand, rather than one that says it
            // does not.
            let silent = self.statuses.iter().position(Option::is_none);
            known.used = standing.or(silent).unwrap_or(0);
            let status = self.statuses.get(known.used).cloned().flatten();
            known.gateway.uptime = status.as_ref().map(|status| status.uptime);
            known.gateway.status = status.map(|status| status.status);
            known.gateway.connection = known.connection().map(|service| service.kind.clone());
            self.step = Step::External;
            if let Some(service) = known.connection() {
                return Next::call(service, Action::ExternalIpAddress);
            }
        }
        if matches!(self.step, Step::External) {
            self.step = Step::Firewall;
            if let Some(service) = &known.firewall {
                return Next::call(service, Action::FirewallStatus);
            }
        }
        Next::Done(Outcome::Surveyed(Box::new(known.clone())))
    }

    fn described(&mut self, document: &[u8]) -> Result<Next, Refusal> {
        let Description { base, device } = Description::read(document)
            .map_err(|error| Refusal::Description(Error::from(error)))?;
        let own = self.location.endpoint.ip();
        let base = match base {
            Some(base) => check(Url::read(&base), own)?,
            None => self.location.clone(),
        };
        let service = |service: &description::Service| -> Result<Service, Refusal> {
            let control = check(base.resolve(&service.control), own)?;
            Ok(Service { kind: service.kind.clone(), control })
        };
        let all = device.all_services();
        let maps = |kind: &str| [kind::WAN_IP_2, kind::WAN_IP_1, kind::WAN_PPP_1].contains(&kind);
        let connections = all.iter().filter(|service| maps(&service.kind)).take(CONNECTIONS);
        let connections = connections.copied().map(service).collect::<Result<Vec<_>, _>>()?;
        let firewall = all.iter().find(|service| service.kind == kind::FIREWALL_1);
        let firewall = firewall.copied().map(service).transpose()?;
        let version =
            device.kind.strip_prefix("urn:schemas-upnp-org:device:InternetGatewayDevice:");
        if version.is_none() && connections.is_empty() {
            return Ok(Next::Done(Outcome::NoGateway));
        }
        let gateway = Gateway {
            address: own,
            local: self.local,
            version: version.and_then(|version| version.parse().ok()).unwrap_or(1),
            friendly_name: shown(&device.friendly_name),
            manufacturer: shown(&device.manufacturer),
            model: shown(&device.model),
            udn: shown(&device.udn),
            connection: None,
            firewall: None,
            status: None,
            uptime: None,
            external: None,
        };
        self.known = Some(Known { gateway, connections, used: 0, firewall });
        Ok(self.next())
    }
}

impl Work for Survey {
    fn begin(&mut self, known: Option<&Known>) -> Next {
        self.known = known.filter(|_| !self.again).cloned();
        self.next()
    }

    fn take(&mut self, answer: Result<Given, Error>) -> Next {
        let Some(known) = &mut self.known else {
            return match answer {
                Ok(Given::Document(document)) => self
                    .described(&document)
                    .unwrap_or_else(|why| Next::Done(Outcome::Refused(why))),
                Ok(Given::Answer(_)) => Next::failed(Error::NoGateway),
                Err(Error::Redirect(to)) => Next::Done(Outcome::Refused(Refusal::Redirect(to))),
                Err(error) => Next::Done(Outcome::Refused(Refusal::Description(error))),
            };
        };
        match (&answer, self.step) {
            (Err(Error::Redirect(to)), _) => {
                return Next::Done(Outcome::Refused(Refusal::Redirect(to.clone())));
            }
            (Err(error), _) if error.is_silence() => return Next::failed(error.clone()),
            (Ok(Given::Answer(Answer::StatusInfo(status))), Step::Status) => {
                self.statuses.push(Some(status.clone()));
            }
            (_, Step::Status) => self.statuses.push(None),
            (Ok(Given::Answer(Answer::ExternalIpAddress(ip))), Step::External) => {
                known.gateway.external = ip.filter(|ip| !ip.is_unspecified());
            }
            // A router that is not connected may refuse to say.
            (_, Step::External) => known.gateway.external = None,
            (Ok(Given::Answer(Answer::FirewallStatus(status))), Step::Firewall) => {
                known.gateway.firewall = Some(*status);
            }
            _ => known.gateway.firewall = None,
        }
        self.next()
    }

    fn time(&self) -> Duration {
        SURVEY_TIME
    }

    fn is_survey(&self) -> bool {
        true
    }
}
