//! What a content carries: sound or pictures in RTP (XEP-0167, and what XEP-0262, 0293, 0294 and 0339
//! hang into it).

use minidom::Element;
use xso::{AsXml, FromXml};

use crate::ns;

/// `<description/>`: the codecs of a content and how RTP carries them.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP, name = "description", on_unknown_attribute = Discard)]
pub struct Description {
    /// The registered name of the media type: `audio`, `video`.
    #[xml(attribute)]
    pub media: String,
    /// The source that its describer sends from.
    #[xml(attribute(default))]
    pub ssrc: Option<u32>,
    /// The codecs, the preferred one first.
    #[xml(child(n = ..))]
    pub payload_types: Vec<PayloadType>,
    /// How the media are protected.
    #[xml(child(default))]
    pub encryption: Option<Encryption>,
    /// RTCP may share RTP's port (RFC 5761).
    #[xml(flag(name = "rtcp-mux"))]
    pub rtcp_mux: bool,
    /// How much of the network it may take.
    #[xml(child(n = ..))]
    pub bandwidths: Vec<Bandwidth>,
    /// Feedback for all codecs.
    #[xml(child(n = ..))]
    pub feedbacks: Vec<Feedback>,
    /// Header extensions.
    #[xml(child(n = ..))]
    pub header_extensions: Vec<HeaderExtension>,
    /// Short and long header extensions may be mixed (RFC 8285 §4.1.2).
    #[xml(flag(namespace = ns::JINGLE_RTP_HDREXT, name = "extmap-allow-mixed"))]
    pub extmap_allow_mixed: bool,
    /// Attributes of sources.
    #[xml(child(n = ..))]
    pub sources: Vec<Source>,
    /// Sources that belong together.
    #[xml(child(n = ..))]
    pub source_groups: Vec<SourceGroup>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

impl Description {
    /// Every child, at any depth, that is kept and not understood.
    pub(super) fn all_unknown(&self) -> impl Iterator<Item = &Element> {
        let codecs = self.payload_types.iter().flat_map(|codec| &codec.unknown);
        let keys = self.encryption.iter().flat_map(|encryption| &encryption.unknown);
        let extensions = self.header_extensions.iter().flat_map(|extension| &extension.unknown);
        let groups = self.source_groups.iter().flat_map(|group| &group.sources);
        let sources = self.sources.iter().chain(groups).flat_map(|source| &source.unknown);
        self.unknown.iter().chain(codecs).chain(keys).chain(extensions).chain(sources)
    }
}

/// `<payload-type/>`: one codec under one number.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP, name = "payload-type", on_unknown_attribute = Discard)]
pub struct PayloadType {
    /// The number.
    #[xml(attribute)]
    pub id: u8,
    /// The codec's name; what a static number means needs none.
    #[xml(attribute(default))]
    pub name: Option<String>,
    /// Ticks of the RTP timestamp per second.
    #[xml(attribute(default))]
    pub clockrate: Option<u32>,
    /// Channels; one if nothing is said.
    #[xml(attribute(default))]
    pub channels: Option<u8>,
    /// How many milliseconds of media its describer wants in a packet.
    #[xml(attribute(default))]
    pub ptime: Option<u32>,
    /// How many at most.
    #[xml(attribute(default))]
    pub maxptime: Option<u32>,
    /// Parameters.
    #[xml(child(n = ..))]
    pub parameters: Vec<Parameter>,
    /// Feedback for this codec.
    #[xml(child(n = ..))]
    pub feedbacks: Vec<Feedback>,
    /// The least time between reports (RFC 4585 §4.2).
    #[xml(child(default))]
    pub feedback_interval: Option<FeedbackInterval>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<parameter/>` of a codec.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP, name = "parameter", on_unknown_attribute = Discard)]
pub struct Parameter {
    /// Its name. Who turned SDP's bare words into parameters may leave it empty.
    #[xml(attribute(default))]
    pub name: Option<String>,
    /// Its value, or nothing for a bare word.
    #[xml(attribute(default))]
    pub value: Option<String>,
}

/// `<bandwidth/>`: as SDP's `b=` line.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP, name = "bandwidth", on_unknown_attribute = Discard)]
pub struct Bandwidth {
    /// What the number limits: `AS`, `CT`, …
    #[xml(attribute = "type")]
    pub kind: String,
    /// The number, in the kind's unit.
    #[xml(text)]
    pub value: String,
}

/// `<encryption/>`: keys for SRTP, on offer or agreed (XEP-0167 §7).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP, name = "encryption", on_unknown_attribute = Discard)]
pub struct Encryption {
    /// There is no call without.
    #[xml(attribute(default))]
    pub required: Option<bool>,
    /// Keys in the open (RFC 4568).
    #[xml(child(n = ..))]
    pub cryptos: Vec<Crypto>,
    /// Keys that the media agree on (RFC 6189).
    #[xml(child(n = ..))]
    pub zrtp_hashes: Vec<ZrtpHash>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<crypto/>`: SDP's `a=crypto` (RFC 4568 §9.1).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP, name = "crypto", on_unknown_attribute = Discard)]
pub struct Crypto {
    /// Tells offers apart.
    #[xml(attribute)]
    pub tag: String,
    /// The cipher and the authentication.
    #[xml(attribute = "crypto-suite")]
    pub suite: String,
    /// The key itself.
    #[xml(attribute = "key-params")]
    pub key_params: String,
    /// Changes to the suite.
    #[xml(attribute(default, name = "session-params"))]
    pub session_params: Option<String>,
}

/// `<zrtp-hash/>`: the hash of a ZRTP Hello (XEP-0262).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_ZRTP, name = "zrtp-hash", on_unknown_attribute = Discard)]
pub struct ZrtpHash {
    /// ZRTP's version.
    #[xml(attribute)]
    pub version: String,
    /// The hash, in hexadecimal digits.
    #[xml(text)]
    pub value: String,
}

/// `<rtcp-fb/>`: a kind of feedback (XEP-0293).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTCP_FB, name = "rtcp-fb", on_unknown_attribute = Discard)]
pub struct Feedback {
    /// The kind.
    #[xml(attribute = "type")]
    pub kind: String,
    /// The kind's kind.
    #[xml(attribute(default))]
    pub subtype: Option<String>,
    /// Parameters.
    #[xml(child(n = ..))]
    pub parameters: Vec<Parameter>,
}

/// `<rtcp-fb-trr-int/>`: the least time between reports (XEP-0293).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTCP_FB, name = "rtcp-fb-trr-int", on_unknown_attribute = Discard)]
pub struct FeedbackInterval {
    /// In milliseconds.
    #[xml(attribute = "value")]
    pub millis: u32,
}

/// `<rtp-hdrext/>`: a header extension (XEP-0294).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP_HDREXT, name = "rtp-hdrext", on_unknown_attribute = Discard)]
pub struct HeaderExtension {
    /// Its number.
    #[xml(attribute)]
    pub id: u16,
    /// What it is.
    #[xml(attribute)]
    pub uri: String,
    /// Who may send it; both if nothing is said.
    #[xml(attribute(default))]
    pub senders: Option<super::Senders>,
    /// Parameters.
    #[xml(child(n = ..))]
    pub parameters: Vec<Parameter>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<source/>`: one source and its attributes (XEP-0339).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_SSMA, name = "source", on_unknown_attribute = Discard)]
pub struct Source {
    /// The source.
    #[xml(attribute)]
    pub ssrc: u32,
    /// Its attributes.
    #[xml(child(n = ..))]
    pub parameters: Vec<SourceParameter>,
    /// What else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<parameter/>` of a source.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_SSMA, name = "parameter", on_unknown_attribute = Discard)]
pub struct SourceParameter {
    /// Its name.
    #[xml(attribute)]
    pub name: String,
    /// Its value.
    #[xml(attribute(default))]
    pub value: Option<String>,
}

/// `<ssrc-group/>`: sources that belong together (RFC 5576 §4.2).
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_SSMA, name = "ssrc-group", on_unknown_attribute = Discard)]
pub struct SourceGroup {
    /// How.
    #[xml(attribute)]
    pub semantics: String,
    /// Which.
    #[xml(child(n = ..))]
    pub sources: Vec<Source>,
}

/// The payload of a session-info.
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_RTP_INFO)]
pub enum Info {
    /// The telephone rings.
    #[xml(name = "ringing", on_unknown_attribute = Discard)]
    Ringing,
    /// Out of hold or mute again.
    #[xml(name = "active", on_unknown_attribute = Discard)]
    Active,
    /// The other side is to wait.
    #[xml(name = "hold", on_unknown_attribute = Discard)]
    Hold,
    /// Hold is over.
    #[xml(name = "unhold", on_unknown_attribute = Discard)]
    Unhold,
    /// Its sender stopped to send a content, or all of them.
    #[xml(name = "mute", on_unknown_attribute = Discard)]
    Mute {
        /// Who created the content.
        #[xml(attribute(default))]
        creator: Option<super::Creator>,
        /// The content's name.
        #[xml(attribute(default))]
        name: Option<String>,
    },
    /// Its sender sends again.
    #[xml(name = "unmute", on_unknown_attribute = Discard)]
    Unmute {
        /// Who created the content.
        #[xml(attribute(default))]
        creator: Option<super::Creator>,
        /// The content's name.
        #[xml(attribute(default))]
        name: Option<String>,
    },
}
