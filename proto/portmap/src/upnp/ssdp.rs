//! The Simple Service Discovery Protocol (UDA 1.1 §1.3): a search to all, an answer to the asker.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use machine::Endpoint;

use super::defaults;
use super::http::{self, Fields, Reader, Request, Response};

/// Where SSDP listens.
pub const PORT: u16 = 1900;

/// Whom a search goes to over IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);

/// Whom a search goes to from a link-local address (UDA 1.1 annex A).
pub const GROUP_LINK: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);

/// Whom a search goes to from any other IPv6 address (UDA 1.1 annex A).
pub const GROUP_SITE: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0xc);

/// Whom a search from this address goes to.
#[must_use]
pub const fn group(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => IpAddr::V4(GROUP_V4),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => IpAddr::V6(GROUP_LINK),
        IpAddr::V6(_) => IpAddr::V6(GROUP_SITE),
    }
}

/// A search: who is a `target`?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Whom it is sent to, a group or one device.
    pub host: Endpoint,
    /// Within how many seconds answers are sent; none if it goes to one device.
    pub mx_secs: Option<u8>,
    /// ST: what is looked for.
    pub target: String,
}

/// The answer: this is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// ST: what was looked for.
    pub target: String,
    /// USN: which device, and what of it.
    pub unique_name: String,
    /// LOCATION: where it is described.
    pub location: String,
    /// SERVER: what it is made of.
    pub server: Option<String>,
    /// CACHE-CONTROL's max-age: for how many seconds this holds.
    pub max_age_secs: u32,
    /// BOOTID.UPNP.ORG: another one after each restart (UDA 1.1 §1.2.2).
    pub boot_id: Option<u32>,
}

/// Why a datagram was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not HTTP.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Longer than it may be.
    #[error("longer than {} bytes", defaults::SSDP_BYTES)]
    TooLong,
    /// Not what was expected.
    #[error("not such a message: {0}")]
    Other(&'static str),
}

impl Search {
    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut fields = Fields::of(&[
            ("HOST", &self.host.to_string()),
            //= UDA 1.1 §1.3.2: the quotation marks belong to the value
            ("MAN", "\"ssdp:discover\""),
        ]);
        if let Some(mx_secs) = self.mx_secs {
            fields.0.push(("MX".into(), mx_secs.to_string()));
        }
        fields.0.push(("ST".into(), self.target.clone()));
        let (method, target) = ("M-SEARCH".into(), "*".into());
        Request { method, target, fields, body: Vec::new() }.to_bytes()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let Request { method, fields, .. } =
            whole(bytes, |reader| reader.push(bytes)?.ok_or(http::Error::Truncated))?;
        if method != "M-SEARCH" {
            return Err(Error::Other("the method is M-SEARCH"));
        }
        let man = fields.value("MAN").unwrap_or_default();
        if man.trim_matches('"') != "ssdp:discover" {
            return Err(Error::Other("MAN is ssdp:discover"));
        }
        let host = fields.value("HOST").and_then(|host| host.parse().ok());
        let target = fields.value("ST").ok_or(Error::Other("ST is missing"))?.into();
        Ok(Self {
            host: host.unwrap_or(Endpoint::new(GROUP_V4, PORT)),
            //= UDA 1.1 §1.3.3: an MX above 5 is taken for 5
            mx_secs: fields
                .value("MX")
                .and_then(|mx| mx.parse::<u32>().ok())
                .map(|mx| mx.min(5) as u8),
            target,
        })
    }

    /// Whether a device or service of the type `kind` and this or a later version is looked for (UDA
    /// 1.1 §1.3.2), or everything.
    #[must_use]
    pub fn is_for(&self, kind: &str) -> bool {
        let same = match (self.target.rsplit_once(':'), kind.rsplit_once(':')) {
            (Some((wanted, asked)), Some((is, version))) => {
                let number = |text: &str| text.parse::<u32>().ok();
                wanted == is && number(asked).is_some_and(|asked| number(version) >= Some(asked))
            }
            _ => false,
        };
        same || self.target == "ssdp:all"
    }
}

impl Found {
    /// Writes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut fields = Fields::of(&[
            ("CACHE-CONTROL", &format!("max-age={}", self.max_age_secs)),
            ("ST", &self.target),
            ("USN", &self.unique_name),
            ("EXT", ""),
        ]);
        if let Some(server) = &self.server {
            fields.0.push(("SERVER".into(), server.clone()));
        }
        fields.0.push(("LOCATION".into(), self.location.clone()));
        if let Some(boot_id) = self.boot_id {
            fields.0.push(("BOOTID.UPNP.ORG".into(), boot_id.to_string()));
        }
        Response::of_status(200, fields, Vec::new()).to_datagram()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let Response { status, fields, .. } =
            whole(bytes, |reader| reader.push(bytes)?.map_or_else(|| reader.finish(), Ok))?;
        if status != 200 {
            return Err(Error::Other("the status is 200"));
        }
        let wanted = |name: &'static str, missing| {
            let value = fields.value(name).filter(|value| !value.is_empty());
            value.map(String::from).ok_or(Error::Other(missing))
        };
        let age = fields.value("CACHE-CONTROL").and_then(|value| {
            let (_, age) = value
                .split(',')
                .filter_map(|part| part.split_once('='))
                .find(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"))?;
            age.trim().parse().ok()
        });
        Ok(Self {
            target: wanted("ST", "ST is missing")?,
            unique_name: wanted("USN", "USN is missing")?,
            location: wanted("LOCATION", "LOCATION is missing")?,
            server: fields.value("SERVER").map(String::from),
            //= UDA 1.1 §1.2.2: half an hour at least, which is taken where nothing is said
            max_age_secs: age.unwrap_or(1800),
            boot_id: fields.value("BOOTID.UPNP.ORG").and_then(|id| id.parse().ok()),
        })
    }

    /// The device of the unique name: `uuid:…` before any `::`.
    #[must_use]
    pub fn device(&self) -> &str {
        self.unique_name.split("::").next().unwrap_or_default()
    }
}

fn whole<M: http::Message>(
    bytes: &[u8],
    read: impl FnOnce(&mut Reader<M>) -> Result<M, http::Error>,
) -> Result<M, Error> {
    if bytes.len() > defaults::SSDP_BYTES {
        return Err(Error::TooLong);
    }
    Ok(read(&mut Reader::new())?)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::{Error, Found, PORT, Search, group};
    use crate::upnp::{defaults, igd::kind};

    /// What miniupnpd 2.3.1 of Debian 12 answers.
    const MINIUPNPD: &str = "HTTP/1.1 200 OK\r
CACHE-CONTROL: max-age=120\r
ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r
USN: uuid:aa48f0b3-4053-4f27-b522-c033754e35df::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r
EXT:\r
SERVER: Debian/6.18 UPnP/1.1 MiniUPnPd/2.3.1\r
LOCATION: http://192.168.9.1:5000/rootDesc.xml\r
OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r
01-NLS: 1795549092\r
BOOTID.UPNP.ORG: 1795549092\r
CONFIGID.UPNP.ORG: 1337\r
\r
";

    #[test]
    fn an_answer_of_miniupnpd() {
        let found = Found::read(MINIUPNPD.as_bytes()).unwrap();
        assert_eq!(found.target, kind::GATEWAY_1);
        assert_eq!(found.device(), "uuid:aa48f0b3-4053-4f27-b522-c033754e35df");
        assert_eq!(found.location, "http://192.168.9.1:5000/rootDesc.xml");
        assert_eq!((found.max_age_secs, found.boot_id), (120, Some(1_795_549_092)));
        assert_eq!(found.server.as_deref(), Some("Debian/6.18 UPnP/1.1 MiniUPnPd/2.3.1"));
    }

    #[test]
    fn a_search_is_for_this_version_and_later_ones() {
        let search = |target: &str| Search {
            host: "239.255.255.250:1900".parse().unwrap(),
            mx_secs: Some(1),
            target: target.into(),
        };
        assert!(search(kind::GATEWAY_1).is_for(kind::GATEWAY_1));
        assert!(search(kind::GATEWAY_1).is_for(kind::GATEWAY_2));
        assert!(!search(kind::GATEWAY_2).is_for(kind::GATEWAY_1));
        assert!(!search(kind::WAN_PPP_1).is_for(kind::WAN_IP_1));
        assert!(search("ssdp:all").is_for(kind::WAN_IP_1));
        assert!(!search("upnp:rootdevice").is_for(kind::WAN_IP_1));
    }

    #[test]
    fn what_is_neither() {
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(defaults::SSDP_BYTES));
        assert_eq!(Found::read(long.as_bytes()), Err(Error::TooLong));
        for text in [
            "HTTP/1.1 200 OK\r\nST: a\r\nUSN: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nST: a\r\nUSN: b\r\nLOCATION:\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nST: a\r\nUSN: b\r\nLOCATION: c\r\n\r\n",
            "NOTIFY * HTTP/1.1\r\nST: a\r\nUSN: b\r\nLOCATION: c\r\n\r\n",
            "\0\0\0",
            "",
        ] {
            assert!(Found::read(text.as_bytes()).is_err(), "{text}");
        }
        for text in [
            "M-SEARCH * HTTP/1.1\r\nST: a\r\n\r\n",
            "M-SEARCH * HTTP/1.1\r\nMAN: ssdp:discover\r\n\r\n",
            "NOTIFY * HTTP/1.1\r\nMAN: ssdp:discover\r\nST: a\r\n\r\n",
        ] {
            assert!(Search::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn each_scope_has_its_group() {
        for (from, to) in
            [("192.0.2.1", "239.255.255.250"), ("fe80::1", "ff02::c"), ("2001:db8::1", "ff05::c")]
        {
            assert_eq!(group(from.parse().unwrap()), to.parse::<std::net::IpAddr>().unwrap());
        }
    }

    proptest! {
        #[test]
        fn searches_read_after_write(ip: std::net::IpAddr, mx_secs in option::of(0..6_u8), target in "[!-~]{1,40}") {
            let search = Search { host: machine::Endpoint::new(ip, PORT), mx_secs, target };
            prop_assert_eq!(Search::read(&search.to_bytes()), Ok(search));
        }

        #[test]
        fn answers_read_after_write(
            target in "[!-~]{1,40}", unique_name in "[!-~]{1,40}", location in "[!-~]{1,40}",
            server in option::of("[a-zA-Z/0-9.]{1,9}"), max_age_secs: u32, boot_id: Option<u32>,
        ) {
            let found = Found { target, unique_name, location, server, max_age_secs, boot_id };
            prop_assert_eq!(Found::read(&found.to_bytes()), Ok(found));
        }

        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..100), text in "(HTTP/1.1 200 OK|M-SEARCH \\* HTTP/1.1|[A-Z]{1,3}:|\r\n|[ -~]{0,9}){0,9}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = (Found::read(bytes), Search::read(bytes));
            }
        }
    }
}
