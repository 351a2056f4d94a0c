//! What a NAT does, by the axes of RFC 4787, and the notation for it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::defaults::{NAT_TCP_LIFETIME, NAT_UDP_LIFETIME};

/// What a NAT's decision depends on besides the inside endpoint (RFC 4787 §4.1 and §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependence {
    /// Nothing: endpoint-independent, `ei`.
    Endpoint,
    /// The remote address: address-dependent, `ad`.
    Address,
    /// The remote address and port: address- and port-dependent, `apd`.
    AddressAndPort,
}

/// How a NAT chooses the outside port of a mapping (RFC 4787 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The inside port, or the next one that is free.
    Preserve,
    /// One after the other.
    Sequential,
    /// Any free one.
    Random,
    /// These, in order, and no others.
    List(Vec<u16>),
}

/// What a NAT does.
///
/// As text: `mapping=apd,filtering=ad,ports=random,hairpin=off,lifetime=30s`, in any order; what is
/// left out is as in the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatSpec {
    /// What a mapping's outside endpoint depends on.
    pub mapping: Dependence,
    /// Whose packets come in through a mapping.
    pub filtering: Dependence,
    /// How the outside port is chosen.
    pub ports: Ports,
    /// Whether two inside hosts reach each other through their outside endpoints (RFC 4787 §6),
    /// each seeing the other's outside endpoint as the sender.
    pub hairpin: bool,
    /// How long a UDP mapping lives without traffic that refreshes it (RFC 4787 §4.3).
    pub lifetime: Duration,
    /// Whether packets from outside refresh it too; packets from inside always do.
    pub inbound_refresh: bool,
    /// How long an established TCP mapping lives without traffic.
    pub tcp_lifetime: Duration,
    /// Whether it rewrites addresses within SIP messages over UDP, as an "application-level gateway"
    /// does that means well.
    pub alg: bool,
    /// Whether over IPv6 only answers come in, and what has a pinhole (RFC 6092).
    pub closed_v6: bool,
}

impl Default for NatSpec {
    /// Endpoint-independent mapping, address- and port-dependent filtering, ports preserved, no
    /// hairpinning, two minutes, refreshed from inside: the NAT of many a home.
    fn default() -> Self {
        Self {
            mapping: Dependence::Endpoint,
            filtering: Dependence::AddressAndPort,
            ports: Ports::Preserve,
            hairpin: false,
            lifetime: NAT_UDP_LIFETIME,
            inbound_refresh: false,
            tcp_lifetime: NAT_TCP_LIFETIME,
            alg: false,
            closed_v6: false,
        }
    }
}

impl NatSpec {
    /// A NAT with this mapping and filtering, and the default otherwise.
    #[must_use]
    pub fn new(mapping: Dependence, filtering: Dependence) -> Self {
        Self { mapping, filtering, ..Self::default() }
    }

    /// The same with another choice of ports.
    #[must_use]
    pub fn ports(self, ports: Ports) -> Self {
        Self { ports, ..self }
    }

    /// The same with another lifetime of UDP mappings.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// The same with an application-level gateway for SIP, or without.
    #[must_use]
    pub fn alg(self, alg: bool) -> Self {
        Self { alg, ..self }
    }

    /// The same with a firewall for IPv6, or without.
    #[must_use]
    pub fn closed_v6(self, closed_v6: bool) -> Self {
        Self { closed_v6, ..self }
    }

    /// The same with hairpinning on or off.
    #[must_use]
    pub fn hairpin(self, hairpin: bool) -> Self {
        Self { hairpin, ..self }
    }
}

/// A text does not describe a NAT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSpec {
    /// A part without `=`.
    #[error("`{0}` is not AXIS=VALUE")]
    NotAnAxis(String),
    /// An axis that there is not.
    #[error(
        "there is no axis `{0}` (mapping, filtering, ports, hairpin, lifetime, refresh, tcp-lifetime, alg, v6)"
    )]
    NoSuchAxis(String),
    /// A value that the axis does not take.
    #[error("`{axis}` does not take `{value}` (it takes {takes})")]
    BadValue {
        /// The axis.
        axis: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
}

impl FromStr for NatSpec {
    type Err = BadSpec;

    fn from_str(s: &str) -> Result<Self, BadSpec> {
        let mut spec = Self::default();
        for part in split_axes(s) {
            let (axis, value) =
                part.split_once('=').ok_or_else(|| BadSpec::NotAnAxis(part.to_owned()))?;
            match axis {
                "mapping" => spec.mapping = dependence("mapping", value)?,
                "filtering" => spec.filtering = dependence("filtering", value)?,
                "ports" => spec.ports = ports(value)?,
                "hairpin" => spec.hairpin = switch("hairpin", value)?,
                "lifetime" => spec.lifetime = duration("lifetime", value)?,
                "refresh" => spec.inbound_refresh = refresh(value)?,
                "alg" => spec.alg = switch("alg", value)?,
                "v6" => spec.closed_v6 = closed(value)?,
                "tcp-lifetime" => spec.tcp_lifetime = duration("tcp-lifetime", value)?,
                _ => return Err(BadSpec::NoSuchAxis(axis.to_owned())),
            }
        }
        Ok(spec)
    }
}

/// Splits at commas, but not at those of `list:8632,9391`: what has no `=` belongs to the list.
fn split_axes(s: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut start = 0;
    for (at, _) in s.match_indices(',').chain([(s.len(), "")]) {
        let part = &s[start..at];
        let in_list = parts.last().is_some_and(|last| last.starts_with("ports=list:"));
        match parts.last_mut() {
            Some(last) if in_list && !part.contains('=') => {
                *last = &s[start - 1 - last.len()..at];
            }
            _ => parts.push(part),
        }
        start = at + 1;
    }
    parts
}

fn dependence(axis: &'static str, value: &str) -> Result<Dependence, BadSpec> {
    match value {
        "ei" => Ok(Dependence::Endpoint),
        "ad" => Ok(Dependence::Address),
        "apd" => Ok(Dependence::AddressAndPort),
        _ => Err(BadSpec::BadValue { axis, value: value.to_owned(), takes: "ei, ad, apd" }),
    }
}

fn switch(axis: &'static str, value: &str) -> Result<bool, BadSpec> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(BadSpec::BadValue { axis, value: value.to_owned(), takes: "on, off" }),
    }
}

fn refresh(value: &str) -> Result<bool, BadSpec> {
    let (axis, takes) = ("refresh", "out, both");
    match value {
        "out" => Ok(false),
        "both" => Ok(true),
        _ => Err(BadSpec::BadValue { axis, value: value.to_owned(), takes }),
    }
}

fn closed(value: &str) -> Result<bool, BadSpec> {
    let (axis, takes) = ("v6", "open, closed");
    match value {
        "open" => Ok(false),
        "closed" => Ok(true),
        _ => Err(BadSpec::BadValue { axis, value: value.to_owned(), takes }),
    }
}

fn ports(value: &str) -> Result<Ports, BadSpec> {
    let takes = "preserve, sequential, random, list:PORT,PORT…";
    let bad = || BadSpec::BadValue { axis: "ports", value: value.to_owned(), takes };
    match value {
        "preserve" => Ok(Ports::Preserve),
        "sequential" => Ok(Ports::Sequential),
        "random" => Ok(Ports::Random),
        _ => {
            let list = value.strip_prefix("list:").ok_or_else(bad)?;
            let ports: Result<Vec<u16>, _> = list.split(',').map(str::parse).collect();
            match ports {
                Ok(ports) if !ports.contains(&0) => Ok(Ports::List(ports)),
                _ => Err(bad()),
            }
        }
    }
}

fn duration(axis: &'static str, value: &str) -> Result<Duration, BadSpec> {
    let takes = "a time such as 500ms, 30s, 2m, 1h";
    let bad = || BadSpec::BadValue { axis, value: value.to_owned(), takes };
    let digits = value.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (number, unit) = value.split_at(digits);
    let number: u32 = number.parse().map_err(|_| bad())?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(bad()),
    };
    Ok(unit * number)
}

impl fmt::Display for NatSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mapping={},filtering={},ports={}", self.mapping, self.filtering, self.ports)?;
        write!(f, ",hairpin={}", if self.hairpin { "on" } else { "off" })?;
        write!(f, ",lifetime={}", InWords(self.lifetime))?;
        if self.inbound_refresh {
            f.write_str(",refresh=both")?;
        }
        if self.tcp_lifetime != NAT_TCP_LIFETIME {
            write!(f, ",tcp-lifetime={}", InWords(self.tcp_lifetime))?;
        }
        if self.alg {
            f.write_str(",alg=on")?;
        }
        if self.closed_v6 {
            f.write_str(",v6=closed")?;
        }
        Ok(())
    }
}

impl fmt::Display for Dependence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoint => "ei",
            Self::Address => "ad",
            Self::AddressAndPort => "apd",
        })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preserve => f.write_str("preserve"),
            Self::Sequential => f.write_str("sequential"),
            Self::Random => f.write_str("random"),
            Self::List(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(f, "list:{}", ports.join(","))
            }
        }
    }
}

/// A time in the notation that [`duration`] reads.
struct InWords(Duration);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{}s", self.0.as_secs())
        } else {
            write!(f, "{}ms", self.0.as_millis())
        }
    }
}
