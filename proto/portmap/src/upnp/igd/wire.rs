//! Actions and their answers as the arguments of SOAP calls, and back.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use machine::Transport;

use super::{Action, Answer, ConnectionStatus, Error, FirewallStatus, PortMapping, StatusInfo};
use crate::upnp::http::shown;
use crate::upnp::soap::{Call, Reply};

impl Action {
    /// The action's name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ExternalIpAddress => "GetExternalIPAddress",
            Self::StatusInfo => "GetStatusInfo",
            Self::AddPortMapping(_) => "AddPortMapping",
            Self::AddAnyPortMapping(_) => "AddAnyPortMapping",
            Self::DeletePortMapping { .. } => "DeletePortMapping",
            Self::GenericPortMappingEntry { .. } => "GetGenericPortMappingEntry",
            Self::SpecificPortMappingEntry { .. } => "GetSpecificPortMappingEntry",
            Self::FirewallStatus => "GetFirewallStatus",
            Self::AddPinhole { .. } => "AddPinhole",
            Self::UpdatePinhole { .. } => "UpdatePinhole",
            Self::DeletePinhole { .. } => "DeletePinhole",
        }
    }

    /// The call of this action at a service of the type `service`.
    #[must_use]
    pub fn call(&self, service: &str) -> Call {
        let arguments = match self {
            Self::ExternalIpAddress | Self::StatusInfo | Self::FirewallStatus => Arguments::new(),
            Self::AddPortMapping(mapping) | Self::AddAnyPortMapping(mapping) => mapping.arguments(),
            Self::DeletePortMapping { remote_host, external_port, transport }
            | Self::SpecificPortMappingEntry { remote_host, external_port, transport } => {
                key(*remote_host, *external_port, *transport)
            }
            Self::GenericPortMappingEntry { index } => {
                vec![argument("NewPortMappingIndex", index)]
            }
            Self::AddPinhole { internal_client, internal_port, transport, lease } => vec![
                // Everybody's packets, from whatever port.
                argument("RemoteHost", ""),
                argument("RemotePort", 0),
                argument("InternalClient", internal_client),
                argument("InternalPort", internal_port),
                argument("Protocol", number_of(*transport)),
                argument("LeaseTime", lease.as_secs()),
            ],
            Self::UpdatePinhole { id, lease } => {
                vec![argument("UniqueID", id), argument("NewLeaseTime", lease.as_secs())]
            }
            Self::DeletePinhole { id } => vec![argument("UniqueID", id)],
        };
        Call { service: service.into(), action: self.name().into(), arguments }
    }

    /// The action that is called.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(call: &Call) -> Result<Self, Error> {
        Ok(match call.action.as_str() {
            "GetExternalIPAddress" => Self::ExternalIpAddress,
            "GetStatusInfo" => Self::StatusInfo,
            "AddPortMapping" => Self::AddPortMapping(PortMapping::read(call)?),
            "AddAnyPortMapping" => Self::AddAnyPortMapping(PortMapping::read(call)?),
            "DeletePortMapping" => Self::DeletePortMapping {
                remote_host: host(call)?,
                external_port: number(call, "NewExternalPort")?,
                transport: protocol(call)?,
            },
            "GetGenericPortMappingEntry" => {
                Self::GenericPortMappingEntry { index: number(call, "NewPortMappingIndex")? }
            }
            "GetSpecificPortMappingEntry" => Self::SpecificPortMappingEntry {
                remote_host: host(call)?,
                external_port: number(call, "NewExternalPort")?,
                transport: protocol(call)?,
            },
            "GetFirewallStatus" => Self::FirewallStatus,
            "AddPinhole" => Self::AddPinhole {
                internal_client: number(call, "InternalClient")?,
                internal_port: number(call, "InternalPort")?,
                transport: match text(call, "Protocol")? {
                    "17" => Transport::Udp,
                    "6" => Transport::Tcp,
                    other => return Err(invalid("Protocol", other)),
                },
                lease: seconds(call, "LeaseTime")?,
            },
            "UpdatePinhole" => Self::UpdatePinhole {
                id: number(call, "UniqueID")?,
                lease: seconds(call, "NewLeaseTime")?,
            },
            "DeletePinhole" => Self::DeletePinhole { id: number(call, "UniqueID")? },
            other => return Err(Error::NoSuchAction(shown(other))),
        })
    }
}

impl Answer {
    /// The answer to `call`.
    #[must_use]
    pub fn reply(&self, call: &Call) -> Reply {
        let arguments = match self {
            Self::Done => Arguments::new(),
            Self::ExternalIpAddress(ip) => {
                vec![argument("NewExternalIPAddress", or_empty(*ip))]
            }
            Self::StatusInfo(StatusInfo { status, last_error, uptime }) => vec![
                argument("NewConnectionStatus", status.as_str()),
                argument("NewLastConnectionError", last_error),
                argument("NewUptime", uptime.as_secs()),
            ],
            Self::Reserved(port) => vec![argument("NewReservedPort", port)],
            Self::Entry(mapping) => {
                let mut arguments = mapping.arguments();
                if call.action == "GetSpecificPortMappingEntry" {
                    // What was asked with is not answered.
                    arguments.retain(|(name, _)| {
                        !["NewRemoteHost", "NewExternalPort", "NewProtocol"]
                            .contains(&name.as_str())
                    });
                }
                arguments
            }
            Self::FirewallStatus(FirewallStatus { enabled, pinholes_allowed }) => vec![
                argument("FirewallEnabled", u8::from(*enabled)),
                argument("InboundPinholeAllowed", u8::from(*pinholes_allowed)),
            ],
            Self::Pinhole(id) => vec![argument("UniqueID", id)],
        };
        let (service, action) = (call.service.clone(), call.action.clone());
        Reply::Answer(Call { service, action, arguments })
    }

    /// The answer to `action` in what came back.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(action: &Action, answer: &Call) -> Result<Self, Error> {
        if answer.action != action.name() {
            return Err(Error::NoSuchAction(shown(&answer.action)));
        }
        Ok(match action {
            Action::ExternalIpAddress => {
                Self::ExternalIpAddress(address(answer, "NewExternalIPAddress")?)
            }
            Action::StatusInfo => Self::StatusInfo(StatusInfo {
                status: ConnectionStatus::of(text(answer, "NewConnectionStatus")?),
                last_error: shown(text(answer, "NewLastConnectionError").unwrap_or_default()),
                uptime: seconds(answer, "NewUptime").unwrap_or_default(),
            }),
            Action::AddPortMapping(_)
            | Action::DeletePortMapping { .. }
            | Action::UpdatePinhole { .. }
            | Action::DeletePinhole { .. } => Self::Done,
            Action::AddAnyPortMapping(_) => Self::Reserved(number(answer, "NewReservedPort")?),
            Action::GenericPortMappingEntry { .. } => Self::Entry(PortMapping::read(answer)?),
            Action::SpecificPortMappingEntry { remote_host, external_port, transport } => {
                let key = (*remote_host, *external_port, *transport);
                Self::Entry(PortMapping::read_rest(answer, key)?)
            }
            Action::FirewallStatus => Self::FirewallStatus(FirewallStatus {
                enabled: truth(answer, "FirewallEnabled")?,
                pinholes_allowed: truth(answer, "InboundPinholeAllowed")?,
            }),
            Action::AddPinhole { .. } => Self::Pinhole(number(answer, "UniqueID")?),
        })
    }
}

impl PortMapping {
    fn arguments(&self) -> Arguments {
        let mut arguments = key(self.remote_host, self.external_port, self.transport);
        arguments.extend([
            argument("NewInternalPort", self.internal_port),
            argument("NewInternalClient", &self.internal_client),
            argument("NewEnabled", u8::from(self.enabled)),
            argument("NewPortMappingDescription", &self.description),
            argument("NewLeaseDuration", self.lease.as_secs()),
        ]);
        arguments
    }

    fn read(call: &Call) -> Result<Self, Error> {
        let key = (host(call)?, number(call, "NewExternalPort")?, protocol(call)?);
        Self::read_rest(call, key)
    }

    fn read_rest(
        call: &Call,
        (remote_host, external_port, transport): (Option<IpAddr>, u16, Transport),
    ) -> Result<Self, Error> {
        Ok(Self {
            remote_host,
            external_port,
            transport,
            internal_port: number(call, "NewInternalPort")?,
            internal_client: shown(text(call, "NewInternalClient")?),
            // Only what the client cannot do without must be there: routers leave the rest out.
            enabled: truth(call, "NewEnabled").unwrap_or(true),
            description: shown(text(call, "NewPortMappingDescription").unwrap_or_default()),
            lease: seconds(call, "NewLeaseDuration").unwrap_or_default(),
        })
    }
}

impl ConnectionStatus {
    /// Its word.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match self {
            Self::Connected => "Connected",
            Self::Connecting => "Connecting",
            Self::Disconnected => "Disconnected",
            Self::Other(other) => other.as_str(),
        }
    }

    fn of(text: &str) -> Self {
        match text {
            "Connected" | "Up" => Self::Connected,
            "Connecting" => Self::Connecting,
            "Disconnected" => Self::Disconnected,
            other => Self::Other(shown(other)),
        }
    }
}

type Arguments = Vec<(String, String)>;

fn argument(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}

fn key(remote_host: Option<IpAddr>, external_port: u16, transport: Transport) -> Arguments {
    vec![
        argument("NewRemoteHost", or_empty(remote_host)),
        argument("NewExternalPort", external_port),
        argument("NewProtocol", if transport == Transport::Udp { "UDP" } else { "TCP" }),
    ]
}

fn or_empty(ip: Option<IpAddr>) -> String {
    ip.map(|ip| ip.to_string()).unwrap_or_default()
}

/// The protocol number of IP (RFC 5237).
const fn number_of(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 17,
        Transport::Tcp | Transport::Tls => 6,
    }
}

fn text<'a>(call: &'a Call, name: &'static str) -> Result<&'a str, Error> {
    let mut arguments = call.arguments.iter();
    let found = arguments.find(|(argument, _)| argument == name);
    found.map(|(_, value)| value.as_str()).ok_or(Error::Missing(name))
}

fn invalid(name: &'static str, value: &str) -> Error {
    Error::Invalid { name, value: shown(value) }
}

fn number<T: FromStr>(call: &Call, name: &'static str) -> Result<T, Error> {
    let text = text(call, name)?;
    text.parse().map_err(|_| invalid(name, text))
}

fn seconds(call: &Call, name: &'static str) -> Result<Duration, Error> {
    number::<u32>(call, name).map(|secs| Duration::from_secs(secs.into()))
}

fn truth(call: &Call, name: &'static str) -> Result<bool, Error> {
    //= UDA 1.1 §2.5: a boolean is 1 or 0, and true, yes, false, no must be understood
    match text(call, name)?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        other => Err(invalid(name, other)),
    }
}

/// An address, none if it is empty.
fn address(call: &Call, name: &'static str) -> Result<Option<IpAddr>, Error> {
    match text(call, name)? {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| invalid(name, text)),
    }
}

/// Whom a mapping is for: everybody, by no address or that of all zeros or by an asterisk.
fn host(call: &Call) -> Result<Option<IpAddr>, Error> {
    match text(call, "NewRemoteHost").unwrap_or_default() {
        "" | "*" => Ok(None),
        text => match text.parse::<IpAddr>() {
            Ok(ip) => Ok(Some(ip).filter(|ip| !ip.is_unspecified())),
            Err(_) => Err(invalid("NewRemoteHost", text)),
        },
    }
}

fn protocol(call: &Call) -> Result<Transport, Error> {
    match text(call, "NewProtocol")? {
        text if text.eq_ignore_ascii_case("UDP") => Ok(Transport::Udp),
        text if text.eq_ignore_ascii_case("TCP") => Ok(Transport::Tcp),
        other => Err(invalid("NewProtocol", other)),
    }
}
