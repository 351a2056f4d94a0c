//! The gateway's UPnP: answers to searches, its description, its actions.

use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Id, Now, Transport};
use portmap::upnp::description::{Description, Device, Service};
use portmap::upnp::igd::{
    Action, Answer, ConnectionStatus, FirewallStatus, PortMapping, StatusInfo, code, kind,
};
use portmap::upnp::soap::{Call, Fault, Reply as SoapReply};
use portmap::upnp::{http, ssdp};

use crate::behaviour::{Page, Upnp};
use crate::defaults::{HTTP_PORT, LEASE, MAX_AGE};
use crate::gateway::{Asker, Gateway, Refusal, Reply, Wish};
use crate::table::{Entry, Holder};

const DESCRIPTION: &str = "/description.xml";
const CONNECTION: &str = "/control/connection";
const FIREWALL: &str = "/control/firewall";
const UDN: &str = "uuid:4d696e69-0000-4a00-8000-77617966617a";

/// Who called for a mapping, and how.
#[derive(Debug)]
pub(crate) struct Asked {
    conn: Id,
    call: Call,
    /// How the answer names what was opened.
    names: Names,
}

/// How an answer names what was opened.
#[derive(Clone, Copy, Debug)]
enum Names {
    Nothing,
    Port,
    Pinhole,
}

impl Gateway {
    /// A datagram came to the port of SSDP.
    pub(crate) fn searched(&mut self, from: Asker, bytes: &[u8]) {
        let (Some(upnp), Ok(search)) = (self.behaviour.upnp.clone(), ssdp::Search::read(bytes))
        else {
            return;
        };
        let target = match search.target.as_str() {
            "ssdp:all" | "upnp:rootdevice" => device_kind(&upnp).to_owned(),
            kind::GATEWAY_1 | kind::WAN_IP_1 => search.target.clone(),
            kind::GATEWAY_2 | kind::WAN_IP_2 | kind::FIREWALL_1 if upnp.version > 1 => {
                search.target.clone()
            }
            _ => return,
        };
        let Some(own) = self.inside(from.remote.ip()) else { return };
        let here = format!("http://{}{DESCRIPTION}", Endpoint::new(own, HTTP_PORT));
        let found = ssdp::Found {
            unique_name: format!("{UDN}::{target}"),
            target,
            location: upnp.location.unwrap_or(here),
            server: Some("Lab/1 UPnP/1.1 Gateway/1".to_owned()),
            max_age_secs: MAX_AGE.as_secs() as u32,
            boot_id: Some(self.boot),
        };
        let bytes = found.to_bytes();
        self.answer(from, &bytes);
    }

    /// A request came over HTTP.
    pub(crate) fn serve(&mut self, now: Now, conn: Id, request: &http::Request) {
        let Some(upnp) = self.behaviour.upnp.clone() else {
            return self.send(now, conn, page(404, "Not Found", Vec::new()), &Page::Honest);
        };
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", DESCRIPTION) => {
                let description = describe(&upnp).to_bytes();
                self.send(now, conn, page(200, "OK", description), &upnp.description);
            }
            ("POST", CONNECTION | FIREWALL) => self.called(now, conn, &request.body),
            _ => self.send(now, conn, page(404, "Not Found", Vec::new()), &Page::Honest),
        }
    }

    fn called(&mut self, now: Now, conn: Id, body: &[u8]) {
        let Ok(call) = Call::read(body) else {
            return self.send(now, conn, page(400, "Bad Request", Vec::new()), &Page::Honest);
        };
        match Action::read(&call) {
            Ok(action) => self.act(now, conn, call, action),
            Err(portmap::upnp::igd::Error::NoSuchAction(_)) => {
                self.fault(now, conn, code::INVALID_ACTION);
            }
            Err(_) => self.fault(now, conn, code::INVALID_ARGS),
        }
    }

    fn act(&mut self, now: Now, conn: Id, call: Call, action: Action) {
        self.table.expire(now.mono);
        let done = match action {
            Action::ExternalIpAddress => Ok(Answer::ExternalIpAddress(Some(self.external()))),
            Action::StatusInfo => Ok(Answer::StatusInfo(self.status(now))),
            Action::AddPortMapping(mapping) => return self.add(now, conn, call, &mapping, true),
            Action::AddAnyPortMapping(mapping) => {
                return self.add(now, conn, call, &mapping, false);
            }
            Action::DeletePortMapping { external_port, transport, .. } => {
                self.delete(transport, external_port)
            }
            Action::GenericPortMappingEntry { index } => {
                let mut entries = self.table.iter().filter(|entry| entry.internal.is_ipv4());
                let entry = entries.nth(index.into()).map(|entry| self.listed(now, entry));
                entry.map(Answer::Entry).ok_or(code::ARRAY_INDEX_INVALID)
            }
            Action::SpecificPortMappingEntry { external_port, transport, .. } => {
                let entry = self.table.at(transport, external_port);
                let entry = entry.map(|entry| self.listed(now, entry));
                entry.map(Answer::Entry).ok_or(code::NO_SUCH_ENTRY_IN_ARRAY)
            }
            Action::FirewallStatus => {
                let status = FirewallStatus { enabled: true, pinholes_allowed: true };
                Ok(Answer::FirewallStatus(status))
            }
            Action::AddPinhole { internal_client, internal_port, transport, lease } => {
                let internal = Endpoint::new(internal_client, internal_port);
                return self.add_pinhole(now, conn, call, (transport, internal, lease));
            }
            Action::UpdatePinhole { id, lease } => {
                if let Some(entry) = self.table.pinhole(id).cloned() {
                    let pinhole = (entry.transport, entry.internal, lease);
                    return self.add_pinhole(now, conn, call, pinhole);
                }
                Err(code::NO_SUCH_ENTRY)
            }
            Action::DeletePinhole { id } => match self.table.pinhole(id).cloned() {
                Some(entry) => {
                    self.close(entry);
                    Ok(Answer::Done)
                }
                None => Err(code::NO_SUCH_ENTRY),
            },
        };
        match done {
            Ok(answer) => self.reply(now, conn, &answer.reply(&call)),
            Err(code) => self.fault(now, conn, code),
        }
    }

    fn add(&mut self, now: Now, conn: Id, call: Call, mapping: &PortMapping, exact: bool) {
        let Some(upnp) = self.behaviour.upnp.clone() else { return };
        let peer = self.conns.get(&conn).map(|conn| conn.remote.ip());
        let client: Option<IpAddr> = mapping.internal_client.parse().ok();
        let refusal = match client {
            _ if upnp.refuses.is_some() => upnp.refuses,
            _ if !exact && upnp.version < 2 => Some(code::INVALID_ACTION),
            None => Some(code::INVALID_ARGS),
            // A host may open ports to itself (WANIPConnection:2 §2.5.16).
            _ if client != peer => Some(code::NOT_AUTHORIZED),
            _ if upnp.permanent_only && !mapping.lease.is_zero() => {
                Some(code::ONLY_PERMANENT_LEASES)
            }
            _ if mapping.internal_port == 0 => Some(code::INVALID_ARGS),
            _ if exact && mapping.external_port == 0 => {
                Some(code::WILDCARD_NOT_PERMITTED_IN_EXTERNAL_PORT)
            }
            _ => None,
        };
        let (None, Some(client)) = (refusal, client) else {
            return self.fault(now, conn, refusal.unwrap_or(code::INVALID_ARGS));
        };
        // A lease of 0 is a permanent one in version 1, and the longest in version 2.
        let limit = self.behaviour.lifetime_limit.unwrap_or(LEASE);
        let lifetime = match mapping.lease {
            Duration::ZERO if upnp.permanent_only || upnp.version < 2 => None,
            Duration::ZERO => Some(limit),
            lease => Some(lease.min(limit)),
        };
        let wish = Wish {
            transport: mapping.transport,
            internal: Endpoint::new(client, mapping.internal_port),
            external_port: mapping.external_port,
            exact,
            lifetime,
            holder: Holder::Upnp,
            description: mapping.description.clone(),
        };
        let names = if exact { Names::Nothing } else { Names::Port };
        self.open(now, wish, Reply::Upnp(Asked { conn, call, names }));
    }

    fn add_pinhole(
        &mut self,
        now: Now,
        conn: Id,
        call: Call,
        (transport, internal, lease): (Transport, Endpoint, Duration),
    ) {
        let peer = self.conns.get(&conn).map(|conn| conn.local.ip());
        let refusal = match &self.behaviour.upnp {
            Some(Upnp { refuses: Some(code), .. }) => Some(*code),
            Some(Upnp { version: 2.., .. }) if peer.is_some_and(|ip| ip.is_ipv6()) => None,
            _ => Some(code::INVALID_ACTION),
        };
        if let Some(code) = refusal {
            return self.fault(now, conn, code);
        }
        let wish = Wish {
            transport,
            internal,
            external_port: internal.port(),
            exact: true,
            lifetime: Some(lease),
            holder: Holder::Upnp,
            description: "pinhole".to_owned(),
        };
        let names = if call.action == "AddPinhole" { Names::Pinhole } else { Names::Nothing };
        self.open(now, wish, Reply::Upnp(Asked { conn, call, names }));
    }

    fn delete(&mut self, transport: Transport, port: u16) -> Result<Answer, u16> {
        let entry = self.table.at(transport, port).cloned();
        self.close(entry.ok_or(code::NO_SUCH_ENTRY_IN_ARRAY)?);
        Ok(Answer::Done)
    }

    /// A mapping that was called for stands.
    pub(crate) fn upnp_mapped(&mut self, now: Now, asked: Asked, entry: &Entry) {
        let answer = match asked.names {
            Names::Nothing => Answer::Done,
            Names::Port => Answer::Reserved(entry.external_port),
            Names::Pinhole => Answer::Pinhole(self.table.name_pinhole(entry)),
        };
        self.reply(now, asked.conn, &answer.reply(&asked.call));
    }

    /// A mapping that was called for is not to be had.
    pub(crate) fn upnp_refused(&mut self, now: Now, asked: &Asked, refusal: Refusal) {
        let code = match refusal {
            Refusal::Taken => code::CONFLICT,
            Refusal::SamePort => code::SAME_PORT_REQUIRED,
            Refusal::Full => code::NO_PORT_MAPS_AVAILABLE,
        };
        self.fault(now, asked.conn, code);
    }

    /// A mapping as it is listed, or as a liar lists it.
    fn listed(&self, now: Now, entry: &Entry) -> PortMapping {
        let client = self.behaviour.leads_to.map_or(entry.internal.ip(), |to| to.ip());
        PortMapping {
            remote_host: None,
            external_port: entry.external_port,
            transport: entry.transport,
            internal_port: entry.internal.port(),
            internal_client: client.to_string(),
            enabled: true,
            description: entry.description.clone(),
            lease: entry.expires.map_or(Duration::ZERO, |expires| expires - now.mono),
        }
    }

    fn status(&self, now: Now) -> StatusInfo {
        let connected = !self.external().is_unspecified();
        StatusInfo {
            status: if connected {
                ConnectionStatus::Connected
            } else {
                ConnectionStatus::Disconnected
            },
            last_error: "ERROR_NONE".to_owned(),
            uptime: if connected { self.uptime(now) } else { Duration::ZERO },
        }
    }

    fn fault(&mut self, now: Now, conn: Id, code: u16) {
        let description = format!("error {code}");
        self.reply(now, conn, &SoapReply::Fault(Fault { code, description }));
    }

    fn reply(&mut self, now: Now, conn: Id, reply: &SoapReply) {
        let control = self.behaviour.upnp.as_ref().map(|upnp| upnp.control.clone());
        let status = reply.http_status();
        let reason = if status == 200 { "OK" } else { "Internal Server Error" };
        let response = page(status, reason, reply.to_bytes());
        self.send(now, conn, response, &control.unwrap_or_default());
    }
}

fn page(status: u16, reason: &str, body: Vec<u8>) -> http::Response {
    let fields = http::Fields(vec![
        ("Content-Type".to_owned(), "text/xml; charset=\"utf-8\"".to_owned()),
        ("Connection".to_owned(), "close".to_owned()),
    ]);
    http::Response { status, reason: reason.to_owned(), fields, body }
}

const fn device_kind(upnp: &Upnp) -> &'static str {
    if upnp.version > 1 { kind::GATEWAY_2 } else { kind::GATEWAY_1 }
}

/// A root device, in it the WAN side, in that the connection.
fn describe(upnp: &Upnp) -> Description {
    let new = upnp.version > 1;
    let service = |kind: &str, id: &str, control: &str| Service {
        kind: kind.to_owned(),
        id: format!("urn:upnp-org:serviceId:{id}"),
        scpd: format!("/{id}.xml"),
        control: upnp.control_url.clone().unwrap_or_else(|| control.to_owned()),
        events: format!("/events/{id}"),
    };
    let connection_kind = if new { kind::WAN_IP_2 } else { kind::WAN_IP_1 };
    let mut services = vec![service(connection_kind, "WANIPConn1", CONNECTION)];
    if new {
        services.push(service(kind::FIREWALL_1, "WANIPv6Firewall1", FIREWALL));
    }
    let device = |kind: &str, services, devices| Device {
        kind: kind.to_owned(),
        friendly_name: "The laboratory's gateway".to_owned(),
        manufacturer: "Wayleave".to_owned(),
        model: "Lab".to_owned(),
        udn: UDN.to_owned(),
        services,
        devices,
    };
    let (wan, connection) =
        if new { (kind::WAN_2, kind::CONNECTION_2) } else { (kind::WAN_1, kind::CONNECTION_1) };
    let connection = device(connection, services, Vec::new());
    let wan = device(wan, Vec::new(), vec![connection]);
    Description { base: None, device: device(device_kind(upnp), Vec::new(), vec![wan]) }
}
