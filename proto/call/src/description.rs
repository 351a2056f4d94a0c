//! What one side says of a call, in no wire format's terms.
//!
//! SDP ([`crate::map::sdp`]) and Jingle ([`crate::map::jingle`]) are its renderings. What Jingle
//! (XEP-0166, 0167, 0176, 0177) says, and where it is here:
//!
//! | Jingle | here |
//! |---|---|
//! | `content` name, creator | [`Content::name`], [`Content::creator`] |
//! | `content` senders (initiator, responder, both, none) | [`Content::direction`], turned by who speaks |
//! | `description` media, `payload-type`, `parameter` | [`Content::media`], [`Codec`] |
//! | `payload-type` ptime | [`Content::packet_time`], the same for each codec |
//! | `rtcp-mux` | [`Content::rtcp_mux`] |
//! | `transport` of ICE: ufrag, pwd, `candidate` | [`Transport::ice`] |
//! | `transport` of raw UDP: `candidate` | [`Transport::defaults`] |
//! | `content-remove`, `content-reject` | [`Content::refused`]: a place that is kept, or left out |
//! | `candidate` id, network; generation | made by the rendering; a restart shows as new credentials |
//! | `transport-info` (trickle), `gathering-complete` | [`Ice::complete`] is false, candidates follow |
//! | `encryption`, `fingerprint` | [`Keying`], when there is more than none |
//! | `zrtp-hash`, `ssrc`, `source`, `rtcp-fb`, `rtp-hdrext`, `group` | named as lost, to come beside [`Content`]'s fields |

use std::time::Duration;

use ice::{Candidate, Credentials};
use machine::Endpoint;

/// Everything that one side says of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// What the call consists of. The order counts: an answer keeps the offer's.
    pub contents: Vec<Content>,
}

impl Description {
    /// The content named `name`.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<&Content> {
        self.contents.iter().find(|content| content.name == name)
    }
}

/// One stream of a call and how it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its name, unique in the call. By default its place: `0`, `1`, …
    pub name: String,
    /// Who brought it into the call.
    pub creator: Creator,
    /// What it is.
    pub media: MediaKind,
    /// Whether its describer does not want it (any more). The rest is without meaning then.
    pub refused: bool,
    /// Who sends, as its describer sees it.
    pub direction: Direction,
    /// The codecs, the preferred one first.
    pub codecs: Vec<Codec>,
    /// How much media the describer wants in a packet.
    pub packet_time: Option<Duration>,
    /// Whether RTCP may share RTP's port (RFC 5761).
    pub rtcp_mux: bool,
    /// How the media are protected.
    pub keying: Keying,
    /// How they are reached.
    pub transport: Transport,
}

/// Who brought a content into the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Creator {
    /// Who began the call.
    #[default]
    Initiator,
    /// Who was called.
    Responder,
}

/// What a content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Anything else, by its registered name.
    Other(String),
}

impl MediaKind {
    /// The registered name of the media type.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Other(name) => name,
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "audio" => Self::Audio,
            "video" => Self::Video,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Who sends, as the describer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Direction {
    /// The describer sends.
    pub sends: bool,
    /// The describer receives.
    pub receives: bool,
}

impl Direction {
    /// Both ways.
    pub const BOTH: Self = Self { sends: true, receives: true };
    /// The describer sends and does not receive: it holds the call.
    pub const SENDS: Self = Self { sends: true, receives: false };
    /// The describer receives and does not send: it is held.
    pub const RECEIVES: Self = Self { sends: false, receives: true };
    /// Neither.
    pub const NEITHER: Self = Self { sends: false, receives: false };

    /// The same as the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { sends: self.receives, receives: self.sends }
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { sends: self.sends && other.sends, receives: self.receives && other.receives }
    }
}

/// One codec under one RTP payload type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The payload type, below 128: what its describer wants to receive it as.
    pub payload_type: u8,
    /// Its name, case-insensitive.
    pub name: String,
    /// Ticks of the RTP timestamp per second.
    pub clock_rate: u32,
    /// Channels, at least one.
    pub channels: u8,
    /// Parameters as name and value. A bare word, as `0-15` of telephone-event, is a name whose
    /// value is empty.
    pub parameters: Vec<(String, String)>,
}

impl Codec {
    fn new(payload_type: u8, name: &str) -> Self {
        let parameters = Vec::new();
        Self { payload_type, name: name.to_owned(), clock_rate: 8000, channels: 1, parameters }
    }

    /// G.711 µ-law, payload type 0.
    #[must_use]
    pub fn pcmu() -> Self {
        Self::new(0, "PCMU")
    }

    /// G.711 A-law, payload type 8.
    #[must_use]
    pub fn pcma() -> Self {
        Self::new(8, "PCMA")
    }

    /// Digits and other telephone events (RFC 4733), the sixteen of a keypad.
    #[must_use]
    pub fn telephone_event(payload_type: u8) -> Self {
        let parameters = vec![("0-15".to_owned(), String::new())];
        Self { parameters, ..Self::new(payload_type, "telephone-event") }
    }

    /// Whether it carries telephone events, not sound.
    #[must_use]
    pub fn is_telephone_event(&self) -> bool {
        self.name.eq_ignore_ascii_case("telephone-event")
    }

    /// Whether both are the same codec, whatever number and parameters they have.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
            && self.clock_rate == other.clock_rate
            && self.channels == other.channels
    }
}

/// How media are protected. SDES, DTLS-SRTP and ZRTP will be variants with their parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keying {
    /// Not at all.
    #[default]
    None,
    /// In a way that we do not know, by the name that its rendering gives it. Never agreed to.
    Unknown(String),
}

/// How a content travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// The parameters of ICE; `None` without ICE.
    pub ice: Option<Ice>,
    /// Where who knows no ICE sends: RTP, then RTCP if it has a place of its own. `None` while the
    /// describer has no address.
    pub defaults: Vec<Option<Endpoint>>,
}

/// One side's parameters of ICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ice {
    /// User fragment and password.
    pub credentials: Credentials,
    /// A lite agent (RFC 8445 §2.5).
    pub lite: bool,
    /// No candidates follow.
    pub complete: bool,
    /// The candidates of all components.
    pub candidates: Vec<Candidate>,
}
