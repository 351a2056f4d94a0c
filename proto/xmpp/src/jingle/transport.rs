//! How a content travels: by ICE (XEP-0176), or to one address and port (XEP-0177).

use minidom::Element;
use xso::{AsXml, FromXml};

use super::word::words;
use crate::ns;

/// `<transport/>`, of the two kinds that we know.
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml()]
pub enum Transport {
    /// By ICE.
    #[xml(transparent)]
    IceUdp(IceUdp),
    /// To one address and port.
    #[xml(transparent)]
    RawUdp(RawUdp),
}

impl Transport {
    /// How many candidates it holds.
    #[must_use]
    pub const fn candidate_count(&self) -> usize {
        match self {
            Self::IceUdp(ice) => ice.candidates.len(),
            Self::RawUdp(raw) => raw.candidates.len(),
        }
    }

    /// Fingerprints of the certificate that DTLS will show.
    #[must_use]
    pub fn fingerprints(&self) -> &[Fingerprint] {
        match self {
            Self::IceUdp(ice) => &ice.fingerprints,
            Self::RawUdp(raw) => &raw.fingerprints,
        }
    }

    /// Every child, at any depth, that is kept and not understood.
    pub(super) fn all_unknown(&self) -> impl Iterator<Item = &Element> {
        let (unknown, ice, raw) = match self {
            Self::IceUdp(ice) => (&ice.unknown, &ice.candidates[..], &[][..]),
            Self::RawUdp(raw) => (&raw.unknown, &[][..], &raw.candidates[..]),
        };
        let ice = ice.iter().flat_map(|candidate| &candidate.unknown);
        let raw = raw.iter().flat_map(|candidate| &candidate.unknown);
        unknown.iter().chain(ice).chain(raw)
    }
}

/// `<transport/>` of ICE (XEP-0176 §9).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_ICE_UDP, name = "transport", on_unknown_attribute = Discard)]
pub struct IceUdp {
    /// The user fragment.
    #[xml(attribute(default))]
    pub ufrag: Option<String>,
    /// The password; what only adds candidates may leave it out.
    #[xml(attribute(default))]
    pub pwd: Option<String>,
    /// Fingerprints of the certificate that DTLS will show.
    #[xml(child(n = ..))]
    pub fingerprints: Vec<Fingerprint>,
    /// Candidates, all or some.
    #[xml(child(n = ..))]
    pub candidates: Vec<IceCandidate>,
    /// The candidates that were chosen, of the other side's.
    #[xml(child(n = ..))]
    pub remote_candidates: Vec<RemoteCandidate>,
    /// No more candidates follow (XEP-0176 §5.5).
    #[xml(flag(name = "gathering-complete"))]
    pub gathering_complete: bool,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<candidate/>` of ICE.
///
/// What RFC 8839 §5.1 says of the values holds here; whether they can be used is for the reader to
/// judge: addresses may be names, the protocol may be another than UDP.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_ICE_UDP, name = "candidate", on_unknown_attribute = Discard)]
pub struct IceCandidate {
    /// The component: 1 is RTP, 2 is RTCP.
    #[xml(attribute)]
    pub component: u16,
    /// The foundation.
    #[xml(attribute)]
    pub foundation: String,
    /// How often ICE was restarted.
    #[xml(attribute(default))]
    pub generation: Option<u16>,
    /// Tells candidates apart.
    #[xml(attribute(default))]
    pub id: Option<String>,
    /// The address.
    #[xml(attribute)]
    pub ip: String,
    /// Tells its describer's networks apart.
    #[xml(attribute(default))]
    pub network: Option<u16>,
    /// The port.
    #[xml(attribute)]
    pub port: u16,
    /// The priority.
    #[xml(attribute)]
    pub priority: u32,
    /// The protocol: `udp`.
    #[xml(attribute)]
    pub protocol: String,
    /// The related address.
    #[xml(attribute(default, name = "rel-addr"))]
    pub rel_addr: Option<String>,
    /// The related port.
    #[xml(attribute(default, name = "rel-port"))]
    pub rel_port: Option<u16>,
    /// Who connects, with TCP (RFC 6544 §4.5).
    #[xml(attribute(default, name = "tcptype"))]
    pub tcp_type: Option<String>,
    /// The kind: `host`, `srflx`, `prflx`, `relay`.
    #[xml(attribute = "type")]
    pub kind: String,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<remote-candidate/>`: a candidate of the other side's that was chosen (XEP-0176 §5.8).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_ICE_UDP, name = "remote-candidate", on_unknown_attribute = Discard)]
pub struct RemoteCandidate {
    /// The component.
    #[xml(attribute)]
    pub component: u16,
    /// The address.
    #[xml(attribute)]
    pub ip: String,
    /// The port.
    #[xml(attribute)]
    pub port: u16,
}

/// `<transport/>` to one address and port for each component (XEP-0177 §4).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RAW_UDP, name = "transport", on_unknown_attribute = Discard)]
pub struct RawUdp {
    /// Where to send: one for each component.
    #[xml(child(n = ..))]
    pub candidates: Vec<RawCandidate>,
    /// Fingerprints of the certificate that DTLS will show.
    #[xml(child(n = ..))]
    pub fingerprints: Vec<Fingerprint>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<candidate/>` of raw UDP.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RAW_UDP, name = "candidate", on_unknown_attribute = Discard)]
pub struct RawCandidate {
    /// The component: 1 is RTP, 2 is RTCP.
    #[xml(attribute)]
    pub component: u16,
    /// How often the candidate was replaced.
    #[xml(attribute(default))]
    pub generation: Option<u16>,
    /// Tells candidates apart.
    #[xml(attribute(default))]
    pub id: Option<String>,
    /// The address.
    #[xml(attribute)]
    pub ip: String,
    /// The port.
    #[xml(attribute)]
    pub port: u16,
    /// The kind, if its describer says it.
    #[xml(attribute(default, name = "type"))]
    pub kind: Option<String>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

words! {
    /// Which end begins the handshake of DTLS (RFC 4145 §4, RFC 5763 §5).
    Setup {
        /// This one.
        Active = "active",
        /// The other one.
        Passive = "passive",
        /// Either: the answer says it.
        ActPass = "actpass",
        /// Neither for now.
        HoldConn = "holdconn",
    }
}

/// `<fingerprint/>` of the certificate that DTLS will show (XEP-0320).
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_DTLS, name = "fingerprint", on_unknown_attribute = Discard)]
pub struct Fingerprint {
    /// The hash function, by its name in SDP (RFC 8122 §5).
    #[xml(attribute)]
    pub hash: String,
    /// Which end begins.
    #[xml(attribute(default))]
    pub setup: Option<Setup>,
    /// There is no call without, which goes without saying; older clients said it.
    #[xml(attribute(default))]
    pub required: Option<bool>,
    /// The hash, in hexadecimal pairs between colons, and what white space stood around them.
    #[xml(text)]
    pub value: String,
}

impl Fingerprint {
    /// The hash as bytes; `None` if the text is no such thing.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let pair = |pair: &str| {
            let digits = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        };
        self.value.trim().split(':').map(pair).collect()
    }
}
