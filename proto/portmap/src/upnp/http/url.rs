//! Where something is fetched: `http://`, an address, a port, a path. No names: a gateway gives its
//! address, and whoever gives a name sends us elsewhere.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use machine::Endpoint;

use crate::upnp::defaults;

/// An address of HTTP whose host is an IP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Where to connect to.
    pub endpoint: Endpoint,
    /// The path and query, from the slash on.
    pub path: String,
}

/// Why a text is no [`Url`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address of HTTP.
    #[error("{0:?} is no address of HTTP")]
    NotHttp(String),
    /// Its host is a name.
    #[error("{0:?} is a name, not an IP address")]
    Name(String),
}

impl Url {
    /// Reads an absolute address.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn read(text: &str) -> Result<Self, UrlError> {
        let not_http = || UrlError::NotHttp(shown(text));
        if text.len() > defaults::URL_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(not_http());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(not_http)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(not_http());
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // Whoever writes a user before the host wants the host to be misread.
        if authority.is_empty() || authority.contains('@') {
            return Err(not_http());
        }
        let endpoint = endpoint(authority).ok_or_else(|| match authority.starts_with('[') {
            true => not_http(),
            false => UrlError::Name(shown(authority)),
        })?;
        if endpoint.port() == 0 {
            return Err(not_http());
        }
        Ok(Self { endpoint, path: path_of(path) })
    }

    /// The address that `reference` names in a document at this one (RFC 3986 §5).
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = reference.trim();
        if reference.contains("://") {
            return Self::read(reference);
        }
        if reference.starts_with("//") {
            return Self::read(&format!("http:{reference}"));
        }
        if reference.starts_with('/') {
            return Self::read(&format!("http://{}{reference}", self.endpoint));
        }
        let path = self.path.split('?').next().unwrap_or_default();
        let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
        Self::read(&format!("http://{}{folder}{reference}", self.endpoint))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.endpoint, self.path)
    }
}

/// A path without fragment, from a slash on.
fn path_of(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    match path.starts_with('/') {
        true => path.into(),
        false => format!("/{path}"),
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `[fe80::1%25eth0]:80`: a zone means something to its writer alone.
fn endpoint(authority: &str) -> Option<Endpoint> {
    let port = |text: &str| match text {
        "" => Some(80),
        text => text.strip_prefix(':')?.parse::<u16>().ok(),
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let host = host.split('%').next().unwrap_or_default();
        let ip: Ipv6Addr = host.parse().ok()?;
        return Some(Endpoint::new(ip, port(rest)?));
    }
    let end = authority.find(':').unwrap_or(authority.len());
    let (host, rest) = authority.split_at(end);
    let ip: IpAddr = host.parse().ok()?;
    Some(Endpoint::new(ip, port(rest)?))
}

/// A stranger's text as far as an error shows it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(defaults::SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Url, UrlError};

    #[test]
    fn addresses() {
        for (text, url) in [
            ("http://192.0.2.1", "http://192.0.2.1:80/"),
            ("HTTP://192.0.2.1:5000/rootDesc.xml", "http://192.0.2.1:5000/rootDesc.xml"),
            ("http://192.0.2.1:1/a?b=c#d", "http://192.0.2.1:1/a?b=c"),
            ("http://192.0.2.1:80?x", "http://192.0.2.1:80/?x"),
            ("http://[fe80::1%25eth0]:80/a", "http://[fe80::1]:80/a"),
            ("http://[::ffff:192.0.2.1]:80/a", "http://192.0.2.1:80/a"),
        ] {
            assert_eq!(Url::read(text).unwrap().to_string(), url, "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "/a",
            "https://192.0.2.1/",
            "file:///etc/passwd",
            "http://",
            "http:///a",
            "http://test@192.0.2.1/",
            "http://192.0.2.1/a b",
            "http://192.0.2.1/a\r\nHost: b",
            "http://192.0.2.1:0/",
            "http://[::1/",
            "http://[x]/",
        ] {
            assert!(matches!(Url::read(text), Err(UrlError::NotHttp(_))), "{text}");
        }
        // Numbers that only some programs take for an address count as names.
        for host in ["router", "example.org:80", "3221225985", "1.2", "0300.0.2.1"] {
            let text = format!("http://{host}/");
            assert!(matches!(Url::read(&text), Err(UrlError::Name(_))), "{text}");
        }
        let long = format!("http://192.0.2.1/{}", "a".repeat(5000));
        let Err(UrlError::NotHttp(shown)) = Url::read(&long) else { panic!("that is long") };
        assert!(shown.len() < 200);
    }

    #[test]
    fn references() {
        let base = Url::read("http://192.0.2.1:5000/igd/root.xml?x=/y").unwrap();
        for (reference, url) in [
            ("/ctl", "http://192.0.2.1:5000/ctl"),
            ("ctl", "http://192.0.2.1:5000/igd/ctl"),
            (" ctl ", "http://192.0.2.1:5000/igd/ctl"),
            ("", "http://192.0.2.1:5000/igd/"),
            ("http://192.0.2.1:80/ctl", "http://192.0.2.1:80/ctl"),
            ("//192.0.2.9/ctl", "http://192.0.2.9:80/ctl"),
        ] {
            assert_eq!(base.resolve(reference).unwrap().to_string(), url, "{reference}");
        }
    }

    proptest! {
        #[test]
        fn read_after_write(ip: std::net::IpAddr, port in 1..u16::MAX, path in "(/[a-z0-9.]{0,5}){1,3}(\\?[a-z=]{0,5})?") {
            let url = Url { endpoint: machine::Endpoint::new(ip, port), path };
            prop_assert_eq!(Url::read(&url.to_string()), Ok(url));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}", url in "http://[0-9a-z:.\\[\\]%@/?#]{0,30}") {
            let _ = Url::read(&text);
            if let Ok(url) = Url::read(&url) {
                let _ = url.resolve(&text);
            }
        }
    }
}
