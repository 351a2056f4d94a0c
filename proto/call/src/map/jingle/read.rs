//! Jingle to description.

use std::net::IpAddr;
use std::time::Duration;

use ice::{Candidate, CandidateKind, Credentials};
use machine::Endpoint;
use xmpp::jingle as wire;

use super::{DTLS_SRTP, SDES};
use crate::defaults;
use crate::description::{Codec, Content, Creator, Direction, Ice, Keying, MediaKind, Transport};
use crate::map::Loss;

/// Everything that a content says and we understand.
pub(super) fn content(
    index: usize,
    content: &wire::Content,
    speaker: Creator,
    losses: &mut Vec<Loss>,
) -> Content {
    let (Some(description), Some(_)) = (&content.description, &content.transport) else {
        losses.push(Loss::Content(index));
        return unknown(content);
    };
    extras(index, content, description, losses);
    let rtcp_mux = description.rtcp_mux;
    let codecs = codecs(index, description, losses);
    let packet_time = packet_time(index, description, losses);
    let keying = keying(index, content, description, losses);
    let Some(transport) = transport(index, content, rtcp_mux, losses) else {
        return unknown(content);
    };
    Content {
        name: content.name.clone(),
        creator: creator(content.creator),
        media: MediaKind::named(&description.media),
        refused: false,
        direction: direction(content.senders(), speaker),
        codecs,
        packet_time,
        rtcp_mux,
        keying,
        transport,
    }
}

/// A content that is not understood.
pub(super) fn unknown(content: &wire::Content) -> Content {
    let media = content.description.as_ref().map_or("application", |known| known.media.as_str());
    let namespace = content.unknown.first().map(xmpp::Element::ns);
    Content {
        name: content.name.clone(),
        creator: creator(content.creator),
        media: MediaKind::named(media),
        refused: true,
        direction: Direction::NEITHER,
        codecs: Vec::new(),
        packet_time: None,
        rtcp_mux: false,
        keying: Keying::Unknown(namespace.unwrap_or_default()),
        transport: Transport::default(),
    }
}

/// The same content, refused.
pub(super) fn refused(content: &Content) -> Content {
    let transport = Transport::default();
    Content { refused: true, direction: Direction::NEITHER, transport, ..content.clone() }
}

pub(super) const fn creator(creator: wire::Creator) -> Creator {
    match creator {
        wire::Creator::Initiator => Creator::Initiator,
        wire::Creator::Responder => Creator::Responder,
    }
}

/// Who sends, as the speaker sees it.
pub(super) fn direction(senders: wire::Senders, speaker: Creator) -> Direction {
    let (initiator, responder) = match senders {
        wire::Senders::Both => (true, true),
        wire::Senders::Initiator => (true, false),
        wire::Senders::Responder => (false, true),
        wire::Senders::None => (false, false),
    };
    match speaker {
        Creator::Initiator => Direction { sends: initiator, receives: responder },
        Creator::Responder => Direction { sends: responder, receives: initiator },
    }
}

/// Names what a description has no words for.
fn extras(
    index: usize,
    content: &wire::Content,
    description: &wire::rtp::Description,
    losses: &mut Vec<Loss>,
) {
    let codecs = &description.payload_types;
    let disposition = content.disposition.as_deref().is_some_and(|d| d != "session");
    let known = [
        ("disposition", disposition),
        ("ssrc", description.ssrc.is_some()),
        ("bandwidth", !description.bandwidths.is_empty()),
        ("maxptime", codecs.iter().any(|codec| codec.maxptime.is_some())),
        (
            "rtcp-fb",
            !description.feedbacks.is_empty()
                || codecs.iter().any(|codec| !codec.feedbacks.is_empty()),
        ),
        ("rtcp-fb-trr-int", codecs.iter().any(|codec| codec.feedback_interval.is_some())),
        ("rtp-hdrext", !description.header_extensions.is_empty()),
        ("extmap-allow-mixed", description.extmap_allow_mixed),
        ("source", !description.sources.is_empty()),
        ("ssrc-group", !description.source_groups.is_empty()),
    ];
    let mut names: Vec<String> =
        known.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()).collect();
    for unknown in content.all_unknown() {
        let name = unknown.name().to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    losses.extend(names.into_iter().map(|name| Loss::Other(index, name)));
}

fn codecs(
    index: usize,
    description: &wire::rtp::Description,
    losses: &mut Vec<Loss>,
) -> Vec<Codec> {
    let mut codecs: Vec<Codec> = Vec::new();
    for payload_type in &description.payload_types {
        if codecs.len() == defaults::MAX_CODECS {
            losses.push(Loss::TooMany(index));
            break;
        }
        let again = codecs.iter().any(|codec| codec.payload_type == payload_type.id);
        match codec(index, payload_type, losses).filter(|_| !again) {
            Some(codec) => codecs.push(codec),
            None => losses.push(Loss::Codec(index, payload_type.id)),
        }
    }
    codecs
}

fn codec(index: usize, said: &wire::rtp::PayloadType, losses: &mut Vec<Loss>) -> Option<Codec> {
    //= XEP-0167 §4: a static number needs no name and no clock rate.
    let fixed = sdp::codec::static_payload_type(said.id);
    let name = said.name.clone().or_else(|| fixed.as_ref().map(|map| map.encoding.clone()))?;
    let same = |map: &&sdp::RtpMap| map.encoding.eq_ignore_ascii_case(&name);
    let fixed = fixed.as_ref().filter(same);
    let clock_rate = said.clockrate.or_else(|| fixed.map(|map| map.clock_rate))?;
    let channels = said.channels.or_else(|| fixed.map(sdp::RtpMap::channel_count)).unwrap_or(1);
    let legal = said.id < 128 && clock_rate > 0 && channels > 0;
    if said.parameters.len() > defaults::MAX_PARAMETERS {
        losses.push(Loss::TooMany(index));
    }
    let event = name.eq_ignore_ascii_case(TELEPHONE_EVENT);
    let parameters = said.parameters.iter().take(defaults::MAX_PARAMETERS);
    let parameters = parameters.map(|said| parameter(said, event)).collect();
    legal.then_some(Codec { payload_type: said.id, name, clock_rate, channels, parameters })
}

/// The codec whose only parameter has a name in MIME that SDP leaves away (RFC 4733 §7.1.1).
pub(super) const TELEPHONE_EVENT: &str = "telephone-event";

/// That parameter.
pub(super) const EVENTS: &str = "events";

/// A parameter, or a bare word of SDP's: who turns SDP into Jingle gives the word for the name, or for
/// the value of a parameter without a name.
fn parameter(said: &wire::rtp::Parameter, event: bool) -> (String, String) {
    let name = said.name.clone().unwrap_or_default();
    let value = said.value.clone().unwrap_or_default();
    if name.is_empty() || event && name == EVENTS { (value, String::new()) } else { (name, value) }
}

/// The first one that a codec names.
fn packet_time(
    index: usize,
    description: &wire::rtp::Description,
    losses: &mut Vec<Loss>,
) -> Option<Duration> {
    let mut times = description.payload_types.iter().filter_map(|codec| codec.ptime);
    let first = times.next()?;
    if times.any(|time| time != first) {
        losses.push(Loss::PacketTime(index));
    }
    (first > 0).then(|| Duration::from_millis(first.into()))
}

fn keying(
    index: usize,
    content: &wire::Content,
    description: &wire::rtp::Description,
    losses: &mut Vec<Loss>,
) -> Keying {
    let fingerprints = content.transport.as_ref().is_some_and(|t| !t.fingerprints().is_empty());
    // Earlier drafts have other namespaces, and mean the same.
    let named = |name| content.all_unknown().any(|unknown| unknown.name() == name);
    //= XEP-0320 §3: a fingerprint asks for DTLS-SRTP.
    if fingerprints || named("fingerprint") {
        return Keying::Unknown(DTLS_SRTP.to_owned());
    }
    match &description.encryption {
        _ if named("encryption") => Keying::Unknown(SDES.to_owned()),
        Some(encryption) if encryption.required == Some(true) => Keying::Unknown(SDES.to_owned()),
        //= XEP-0167 §7: what is not required can be done without.
        Some(_) => {
            losses.push(Loss::Keying(index));
            Keying::None
        }
        None => Keying::None,
    }
}

/// How a content is reached; `None` if that cannot be: what speaks of ICE is not reached without.
pub(super) fn transport(
    index: usize,
    content: &wire::Content,
    rtcp_mux: bool,
    losses: &mut Vec<Loss>,
) -> Option<Transport> {
    match &content.transport {
        None => Some(Transport::default()),
        Some(wire::Transport::RawUdp(raw)) => Some(raw_udp(index, raw, rtcp_mux, losses)),
        Some(wire::Transport::IceUdp(ice)) => ice_udp(index, ice, rtcp_mux, losses),
    }
}

fn ice_udp(
    index: usize,
    ice: &wire::IceUdp,
    rtcp_mux: bool,
    losses: &mut Vec<Loss>,
) -> Option<Transport> {
    if !ice.remote_candidates.is_empty() {
        losses.push(Loss::Other(index, "remote-candidate".to_owned()));
    }
    let candidates = candidates(index, ice, defaults::MAX_CANDIDATES, losses);
    let defaults = destinations(&candidates, rtcp_mux);
    let ufrag = ice.ufrag.as_deref().unwrap_or_default();
    let Ok(credentials) = Credentials::received(ufrag, ice.pwd.as_deref().unwrap_or_default())
    else {
        // Without them nothing asks whether who is there wants the media.
        losses.push(Loss::Credentials(index));
        return None;
    };
    let complete = ice.gathering_complete;
    Some(Transport { ice: Some(Ice { credentials, lite: false, complete, candidates }), defaults })
}

/// The candidates of a transport that can be used, of `room` at most.
pub(super) fn candidates(
    index: usize,
    ice: &wire::IceUdp,
    room: usize,
    losses: &mut Vec<Loss>,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for said in &ice.candidates {
        if candidates.len() == room {
            losses.push(Loss::TooMany(index));
            break;
        }
        match candidate(said) {
            Some(candidate) => candidates.push(candidate),
            None => {
                let wire::transport::IceCandidate { kind, protocol, ip, port, .. } = said;
                losses.push(Loss::Candidate(index, format!("{kind} {protocol} {ip} {port}")));
            }
        }
    }
    candidates
}

fn candidate(said: &wire::transport::IceCandidate) -> Option<Candidate> {
    if !said.protocol.eq_ignore_ascii_case("udp") || !(1..=256).contains(&said.component) {
        return None;
    }
    let foundation = is_foundation(&said.foundation).then_some(&said.foundation)?;
    let kind = CandidateKind::named(&said.kind)?;
    let ip: IpAddr = said.ip.parse().ok()?;
    let endpoint = Endpoint::new(ip, said.port);
    let related_ip = said.rel_addr.as_ref().and_then(|ip| ip.parse::<IpAddr>().ok());
    let related = related_ip.zip(said.rel_port).map(Endpoint::from);
    let (component, priority) = (said.component, said.priority);
    let signalled = Candidate::signalled(kind, component, foundation, priority, endpoint);
    Some(Candidate { related, ..signalled })
}

/// 1 to 32 ICE characters (RFC 8839 §5.1).
pub(super) fn is_foundation(text: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    (1..=32).contains(&text.len()) && text.bytes().all(character)
}

/// Where who knows no ICE would send: for each component the candidate that reaches furthest.
//= RFC 8445 §5.1.4: relayed before reflexive before host.
fn destinations(candidates: &[Candidate], rtcp_mux: bool) -> Vec<Option<Endpoint>> {
    let furthest = |component: u16| {
        let own = candidates.iter().filter(|candidate| candidate.component == component);
        let best = own.max_by_key(|c| (u8::MAX - c.kind.preference(), c.priority));
        best.map(|candidate| candidate.endpoint)
    };
    shape(furthest(1), furthest(2), rtcp_mux)
}

/// RTP's place, and RTCP's if it has one of its own.
fn shape(rtp: Option<Endpoint>, rtcp: Option<Endpoint>, rtcp_mux: bool) -> Vec<Option<Endpoint>> {
    if rtcp_mux && (rtcp.is_none() || rtcp == rtp) { vec![rtp] } else { vec![rtp, rtcp] }
}

fn raw_udp(index: usize, raw: &wire::RawUdp, rtcp_mux: bool, losses: &mut Vec<Loss>) -> Transport {
    let usable = |said: &&wire::transport::RawCandidate| {
        let ip = said.ip.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified());
        ip.is_some() && matches!(said.component, 1 | 2)
    };
    for said in raw.candidates.iter().filter(|said| !usable(said)) {
        losses.push(Loss::Candidate(index, format!("raw {} {}", said.ip, said.port)));
    }
    let at = |component: u16| {
        let own = raw.candidates.iter().filter(usable).filter(|said| said.component == component);
        //= XEP-0177 §4: a later generation takes the place of an earlier one.
        let said = own.rev().max_by_key(|said| said.generation)?;
        Some(Endpoint::new(said.ip.parse::<IpAddr>().ok()?, said.port))
    };
    Transport { ice: None, defaults: shape(at(1), at(2), rtcp_mux) }
}
