//! Named kinds of access to the internet, and what the command line takes for one.

use std::fmt;
use std::str::FromStr;

use super::spec::{BadSpec, Dependence as D, NatSpec, Ports};
use crate::firewall::FirewallSpec;

/// A named kind of access: the NATs, and the firewall, that stand between a host and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// A public address.
    Open,
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping, address- and port-dependent filtering.
    PortRestricted,
    /// Mapping and filtering address- and port-dependent, random ports.
    Symmetric,
    /// The same with ports one after the other.
    SymmetricSequential,
    /// Two full cones in a row.
    Double,
    /// A symmetric NAT behind a full cone.
    SymmetricThenCone,
    /// A port-restricted NAT behind a firewall that drops all UDP, in silence.
    UdpBlocked,
}

/// Names of presets that are planned but not built.
const PLANNED: [&str; 7] =
    ["cgn", "tcp-out-only", "web-only", "hotel", "ipv6-only", "dual-stack", "vpn"];

impl Preset {
    /// All of them, the kindest first.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::Symmetric,
        Self::SymmetricSequential,
        Self::Double,
        Self::SymmetricThenCone,
        Self::UdpBlocked,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FullCone => "full-cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::SymmetricSequential => "symmetric-sequential",
            Self::Double => "double",
            Self::SymmetricThenCone => "symmetric-then-cone",
            Self::UdpBlocked => "udp-blocked",
        }
    }

    /// Its NATs, the one next to the host first.
    #[must_use]
    pub fn nats(self) -> Vec<NatSpec> {
        let full_cone = || NatSpec::new(D::Endpoint, D::Endpoint);
        let symmetric = || NatSpec::new(D::AddressAndPort, D::AddressAndPort);
        match self {
            Self::Open => vec![],
            Self::FullCone => vec![full_cone()],
            Self::AddressRestricted => vec![NatSpec::new(D::Endpoint, D::Address)],
            Self::PortRestricted | Self::UdpBlocked => {
                vec![NatSpec::new(D::Endpoint, D::AddressAndPort)]
            }
            Self::Symmetric => vec![symmetric().ports(Ports::Random)],
            Self::SymmetricSequential => vec![symmetric().ports(Ports::Sequential)],
            Self::Double => vec![full_cone(), full_cone()],
            Self::SymmetricThenCone => vec![symmetric().ports(Ports::Random), full_cone()],
        }
    }

    /// The firewall between its NATs and the internet.
    #[must_use]
    pub const fn firewall(self) -> Option<FirewallSpec> {
        match self {
            Self::UdpBlocked => Some(FirewallSpec::without_udp()),
            _ => None,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What stands between a host and the internet: a preset, or one NAT by its axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A preset.
    Preset(Preset),
    /// One NAT.
    Nat(NatSpec),
}

impl Access {
    /// Its NATs, the one next to the host first.
    #[must_use]
    pub fn nats(&self) -> Vec<NatSpec> {
        match self {
            Self::Preset(preset) => preset.nats(),
            Self::Nat(spec) => vec![spec.clone()],
        }
    }

    /// The firewall between its NATs and the internet.
    #[must_use]
    pub const fn firewall(&self) -> Option<FirewallSpec> {
        match self {
            Self::Preset(preset) => preset.firewall(),
            Self::Nat(_) => None,
        }
    }
}

impl From<Preset> for Access {
    fn from(preset: Preset) -> Self {
        Self::Preset(preset)
    }
}

impl From<NatSpec> for Access {
    fn from(spec: NatSpec) -> Self {
        Self::Nat(spec)
    }
}

/// A text names no access.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAccess {
    /// A preset that is planned but not built.
    #[error("the preset `{0}` is not built yet")]
    NotBuilt(&'static str),
    /// No preset has this name.
    #[error("there is no preset `{0}`; presets are {list}", list = Preset::ALL.map(Preset::name).join(", "))]
    NoSuchPreset(String),
    /// The axes are wrong.
    #[error(transparent)]
    Spec(#[from] BadSpec),
}

impl FromStr for Access {
    type Err = BadAccess;

    fn from_str(s: &str) -> Result<Self, BadAccess> {
        if s.contains('=') {
            return Ok(Self::Nat(s.parse()?));
        }
        if let Some(preset) = Preset::ALL.into_iter().find(|preset| preset.name() == s) {
            return Ok(Self::Preset(preset));
        }
        match PLANNED.into_iter().find(|name| *name == s) {
            Some(name) => Err(BadAccess::NotBuilt(name)),
            None => Err(BadAccess::NoSuchPreset(s.to_owned())),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(preset) => preset.fmt(f),
            Self::Nat(spec) => spec.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Access, BadAccess, D, NatSpec, Ports, Preset};

    #[test]
    fn presets_and_axes_parse_and_print() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse(), Ok(Access::Preset(preset)));
        }
        let text = "ports=list:8632,9391,mapping=apd,filtering=ad,hairpin=on,lifetime=30s";
        let access: Access = text.parse().unwrap();
        let spec = NatSpec::new(D::AddressAndPort, D::Address)
            .ports(Ports::List(vec![8632, 9391]))
            .hairpin(true)
            .lifetime(Duration::from_secs(30));
        assert_eq!(access, Access::Nat(spec));
        assert_eq!(access.to_string().parse(), Ok(access));
        let all = "lifetime=1500ms,refresh=both,tcp-lifetime=1h,ports=sequential";
        let access: Access = all.parse().unwrap();
        assert_eq!(access.to_string().parse(), Ok(access));
    }

    #[test]
    fn refusals_say_why() {
        for (text, says) in [
            ("web-only", "the preset `web-only` is not built yet"),
            ("mapping=xx", "`mapping` does not take `xx` (it takes ei, ad, apd)"),
            ("mapping=ei,9", "`9` is not AXIS=VALUE"),
            (
                "ports=list:0",
                "`ports` does not take `list:0` (it takes preserve, sequential, random, list:PORT,PORT…)",
            ),
            (
                "lifetime=30",
                "`lifetime` does not take `30` (it takes a time such as 500ms, 30s, 2m, 1h)",
            ),
        ] {
            assert_eq!(text.parse::<Access>().unwrap_err().to_string(), says);
        }
        assert!(matches!("cone".parse::<Access>(), Err(BadAccess::NoSuchPreset(_))));
        assert!(matches!("colour=red".parse::<Access>(), Err(BadAccess::Spec(_))));
    }
}
