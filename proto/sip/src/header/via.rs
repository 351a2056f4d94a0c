//! Via: where a request has been, and where its responses go (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::Malformed;
use crate::host::{Host, parse_ip};
use crate::message::Version;
use crate::params::Params;
use crate::text;

/// What every branch of RFC 3261 begins with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// The transport that Via names, or a URI's `transport` parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// SCTP.
    Sctp,
    /// TLS over SCTP.
    TlsSctp,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket over TLS (RFC 7118).
    Wss,
    /// Any other token.
    Other(String),
}

impl Protocol {
    /// As Via writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Sctp => "SCTP",
            Self::TlsSctp => "TLS-SCTP",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Other(name) => name,
        }
    }

    /// The port that goes without saying (RFC 3261 §18.1.1, §19.1.2).
    #[must_use]
    pub const fn default_port(&self) -> u16 {
        match self {
            Self::Tls | Self::TlsSctp => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
            _ => 5060,
        }
    }
}

impl FromStr for Protocol {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let known =
            [Self::Udp, Self::Tcp, Self::Tls, Self::Sctp, Self::TlsSctp, Self::Ws, Self::Wss];
        match known.into_iter().find(|p| p.as_str().eq_ignore_ascii_case(text)) {
            Some(protocol) => Ok(protocol),
            None if text::is_token(text) => Ok(Self::Other(text.to_owned())),
            None => Err(Malformed),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One hop that a request took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport it was sent over.
    pub protocol: Protocol,
    /// The host that the sender calls itself.
    pub host: Host,
    /// The port that responses go to if nothing else is said.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, `maddr`, `ttl` and others.
    pub params: Params,
    version: Version,
}

impl Via {
    /// A Via of our own, with a branch and a request for the port (RFC 3581 §3).
    #[must_use]
    pub fn new(protocol: Protocol, host: Host, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", branch);
        params.set_flag("rport");
        Self { protocol, host, port, params, version: Version::SIP_2_0 }
    }

    /// The transaction's name for this hop.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Whether the branch is one of RFC 3261 (and says more than the magic cookie).
    #[must_use]
    pub fn has_unique_branch(&self) -> bool {
        // The cookie is compared without case, as all tokens are.
        let (cookie, rest) = self.branch().unwrap_or("").split_at_checked(7).unwrap_or_default();
        cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()
    }

    /// Where the receiver saw the request come from.
    ///
    /// An IPv6 address is read with and without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received").and_then(parse_ip)
    }

    /// Notes where the request came from (RFC 3261 §18.2.1).
    pub fn set_received(&mut self, ip: IpAddr) {
        self.params.set("received", ip.to_canonical().to_string());
    }

    /// Whether the sender asks for its port, or has been told (RFC 3581).
    #[must_use]
    pub fn has_rport(&self) -> bool {
        self.params.contains("rport")
    }

    /// The port that the receiver saw the request come from.
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }

    /// Notes the port that the request came from (RFC 3581 §4).
    pub fn set_rport(&mut self, port: u16) {
        self.params.set("rport", port.to_string());
    }

    /// The multicast or other address that responses go to.
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        self.params.get("maddr")?.parse().ok()
    }

    /// Time to live of multicast.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        self.params.get("ttl")?.parse().ok()
    }

    /// The port of sent-by, or the transport's own.
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(self.protocol.default_port())
    }

    /// `host[:port]`, as it takes part in matching transactions (RFC 3261 §17.2.3).
    #[must_use]
    pub fn sent_by(&self) -> String {
        format!("{}:{}", self.host.canonical(), self.port_or_default())
    }
}

impl FromStr for Via {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (head, params) = text::cut(text, b';');
        let mut parts = head.splitn(3, '/').map(text::trim);
        let (Some(name), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed);
        };
        if !name.eq_ignore_ascii_case("SIP") {
            return Err(Malformed);
        }
        let version = Version::parse(version).ok_or(Malformed)?;
        let (protocol, sent_by) = rest.split_once([' ', '\t']).ok_or(Malformed)?;
        let (host, port) = Host::parse_with_port(text::trim(sent_by)).map_err(|_| Malformed)?;
        // Without this field no answer finds its way, not even the one that says what is wrong.
        let params = Params::parse_generously(params).ok_or(Malformed)?;
        Ok(Self { protocol: protocol.parse()?, host, port, params, version })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.version, self.protocol, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Protocol, Via};

    #[test]
    fn reads_space_everywhere() {
        let via: Via =
            "SIP  /  2.0 / udp   host.example : 5070 ;  branch = z9hG4bKa ;rport".parse().unwrap();
        assert_eq!(via.protocol, Protocol::Udp);
        assert_eq!((via.host.as_str(), via.port), ("host.example", Some(5070)));
        assert!(via.has_unique_branch() && via.has_rport());
        assert_eq!(via.rport(), None);
        assert_eq!(via.to_string(), "SIP/2.0/UDP host.example:5070;branch=z9hG4bKa;rport");
    }

    #[test]
    fn notes_the_source() {
        let mut via: Via = "SIP/2.0/TCP [2001:db8::1]:5061;rport;branch=z9hG4bKb".parse().unwrap();
        via.set_received("::ffff:192.0.2.1".parse().unwrap());
        via.set_rport(9);
        assert_eq!(via.received(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(
            via.to_string(),
            "SIP/2.0/TCP [2001:db8::1]:5061;rport=9;branch=z9hG4bKb;received=192.0.2.1"
        );
        assert_eq!(via.sent_by(), "[2001:db8::1]:5061");
    }

    #[test]
    fn refuses_what_is_no_via() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/x/UDP a",
            "SIP/2.0/UDP a:b",
            "SIP/2.0/UDP a;=x",
            "SIP/2.0/UDP 2001:db8::1",
        ] {
            assert!(text.parse::<Via>().is_err(), "{text}");
        }
    }
}
