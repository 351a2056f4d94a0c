//! `sip:` and `sips:` URIs (RFC 3261 §19.1).

use std::fmt;
use std::str::FromStr;

use crate::host::Host;
use crate::params::Params;
use crate::text;
use crate::uri::{NotAUri, Uri};

/// Characters that the user part may hold unescaped besides the unreserved ones.
const USER_UNRESERVED: &[u8] = b"&=+$,;?/";

/// Parameters that make two URIs differ when only one has them (RFC 3261 §19.1.4). `transport` is
/// among them by the section's own examples.
const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

/// A `sip:` or `sips:` URI in parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// User part as written, with its escapes.
    user: Option<String>,
    /// Password as written, with its escapes.
    password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port, if the URI names one.
    pub port: Option<u16>,
    /// `;name=value` after the host.
    pub params: Params,
    /// `?name=value&…`, as written.
    headers: Vec<(String, String)>,
}

impl SipUri {
    /// `sip:host`.
    #[must_use]
    pub const fn new(host: Host) -> Self {
        Self {
            secure: false,
            user: None,
            password: None,
            host,
            port: None,
            params: Params::new(),
            headers: Vec::new(),
        }
    }

    /// With this user, escaped as needed.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = (!user.is_empty()).then(|| text::escape(user, USER_UNRESERVED));
        self
    }

    /// With this port.
    #[must_use]
    pub const fn with_port(mut self, port: Option<u16>) -> Self {
        self.port = port;
        self
    }

    /// With this parameter; an empty value makes it a flag.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            self.params.set_flag(name);
        } else {
            self.params.set(name, text::escape(value, b"[]/:&+$"));
        }
        self
    }

    /// Without `?headers`, which no Request-URI may hold.
    #[must_use]
    pub fn without_headers(mut self) -> Self {
        self.headers.clear();
        self
    }

    /// The user, unescaped.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.user.as_deref().map(text::unescape)
    }

    /// The password, unescaped.
    #[must_use]
    pub fn password(&self) -> Option<String> {
        self.password.as_deref().map(text::unescape)
    }

    /// `?name=value&…`, names and values unescaped.
    pub fn headers(&self) -> impl Iterator<Item = (String, String)> {
        self.headers.iter().map(|(name, value)| (text::unescape(name), text::unescape(value)))
    }

    /// Whether there are `?headers`.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// The `transport` parameter.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.params.get("transport")
    }

    /// Whether the `lr` parameter is there: a loose router (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.params.contains("lr")
    }

    /// The port, or the default of the scheme and transport (RFC 3261 §19.1.2).
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        let tls = self.transport().is_some_and(|t| t.eq_ignore_ascii_case("tls"));
        self.port.unwrap_or(if self.secure || tls { 5061 } else { 5060 })
    }

    /// The canonical form of the address of record: no parameters, headers or password, the user
    /// unescaped, the host in lower case (RFC 3261 §10.3 step 5).
    #[must_use]
    pub fn address_of_record(&self) -> String {
        let scheme = if self.secure { "sips" } else { "sip" };
        let user = self.user().map_or_else(String::new, |user| user + "@");
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{scheme}:{user}{}{port}", self.host.canonical())
    }

    /// Comparison by RFC 3261 §19.1.4.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        // The same text is what is compared most, and needs no other form.
        if self == other {
            return true;
        }
        let userinfo = |text: &Option<String>| text.as_deref().map(text::normal_escapes);
        self.secure == other.secure
            && userinfo(&self.user) == userinfo(&other.user)
            && userinfo(&self.password) == userinfo(&other.password)
            && self.host.is_equivalent(&other.host)
            && self.port == other.port
            && params_match(&self.params, &other.params)
            && header_set(self) == header_set(other)
    }

    /// Reads what follows `sip:` or `sips:`.
    pub(super) fn parse(secure: bool, text: &str) -> Result<Self, NotAUri> {
        let (userinfo, rest) = match text.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, text),
        };
        if !text::escapes_are_whole(text) || rest.contains('@') || userinfo == Some("") {
            return Err(NotAUri);
        }
        let (user, password) = match userinfo.map(|u| u.split_once(':').ok_or(u)) {
            None => (None, None),
            Some(Ok(("", _)) | Err("")) => return Err(NotAUri),
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, parse_headers(headers)?),
            None => (rest, Vec::new()),
        };
        let (host_port, params) = text::cut(rest, b';');
        let (host, port) = Host::parse_with_port(host_port).map_err(|_| NotAUri)?;
        let params = Params::parse_rest(params).ok_or(NotAUri)?;
        let (user, password) = (user.map(str::to_owned), password.map(str::to_owned));
        Ok(Self { secure, user, password, host, port, params, headers })
    }
}

fn parse_headers(text: &str) -> Result<Vec<(String, String)>, NotAUri> {
    let header = |header: &str| {
        let (name, value) = header.split_once('=')?;
        (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    text.split('&').map(header).collect::<Option<_>>().ok_or(NotAUri)
}

/// Every parameter of both must match; some must not be missing on one side.
fn params_match(a: &Params, b: &Params) -> bool {
    let normal = |value: &str| text::normal_escapes(value).to_ascii_lowercase();
    // Of a name that stands twice, which none may, the first counts.
    let one_way = |a: &Params, b: &Params| {
        a.iter().all(|(name, _)| match b.get(name) {
            Some(value) => a.get(name).map(normal) == Some(normal(value)),
            None => !NEVER_IGNORED.iter().any(|n| n.eq_ignore_ascii_case(name)),
        })
    };
    one_way(a, b) && one_way(b, a)
}

/// Header components are never ignored; their order does not count.
fn header_set(uri: &SipUri) -> Vec<(String, String)> {
    let mut set: Vec<_> =
        uri.headers().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    set.sort();
    set
}

impl FromStr for SipUri {
    type Err = NotAUri;
    fn from_str(text: &str) -> Result<Self, NotAUri> {
        match text.parse()? {
            Uri::Sip(uri) => Ok(uri),
            Uri::Tel(_) | Uri::Other(_) => Err(NotAUri),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        for (i, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}
