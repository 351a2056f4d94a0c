//! SDP to description.

use std::time::Duration;

use ice::{Candidate, CandidateKind, Credentials};
use machine::Endpoint;
use sdp::{
    Connection, Fmtp, IceOptions, IcePwd, IceUfrag, MediaLine, Ptime, Rtcp, Section,
    SessionDescription, codec,
};

use super::{DISCARD_PORT, TRICKLE, render};
use crate::defaults;
use crate::description::{
    Codec, Content, Creator, Description, Direction, Ice, Keying, MediaKind, Transport,
};
use crate::map::Loss;

/// Everything that `text` says and we understand, and what was lost.
pub(super) fn description(text: &SessionDescription) -> (Description, Vec<Loss>) {
    let mut losses = Vec::new();
    let media = text.media.iter().enumerate();
    // Over the limit nothing is looked at: the place is kept, to be refused.
    let read = |(index, section)| match index {
        0..defaults::MAX_CONTENTS => content(index, text, section, &mut losses),
        _ => {
            losses.push(Loss::TooMany(index));
            unknown(index, section)
        }
    };
    (Description { contents: media.map(read).collect() }, losses)
}

/// A content that is not understood.
fn unknown(index: usize, section: &Section) -> Content {
    let media = section.value(b'm').and_then(|line| line.split(' ').next()).unwrap_or_default();
    let protocol = section.media_line().map(|line| line.protocol).unwrap_or_default();
    Content {
        name: name(index, section),
        creator: Creator::Initiator,
        media: MediaKind::named(media),
        refused: true,
        direction: Direction::NEITHER,
        codecs: Vec::new(),
        packet_time: None,
        rtcp_mux: false,
        keying: Keying::Unknown(protocol),
        transport: Transport::default(),
    }
}

fn name(index: usize, section: &Section) -> String {
    section.attribute("mid").map_or_else(|| index.to_string(), str::to_owned)
}

fn content(
    index: usize,
    text: &SessionDescription,
    section: &Section,
    losses: &mut Vec<Loss>,
) -> Content {
    let line = match section.media_line() {
        Ok(line) if line.is_rtp() => line,
        _ => {
            losses.push(Loss::Content(index));
            return unknown(index, section);
        }
    };
    let refused = line.port == 0;
    let rtcp_mux = section.has("rtcp-mux");
    let transport = match refused {
        true => Transport::default(),
        false => Transport {
            ice: read_ice(index, text, section, losses),
            defaults: read_defaults(text, section, &line, rtcp_mux),
        },
    };
    let said = text.direction(section);
    let mut direction = Direction { sends: said.sends(), receives: said.receives() };
    //= RFC 3264 §8.4: older phones hold a call by the address 0.0.0.0.
    let unspecified = text.connection(section).is_some_and(|c| c.is_unspecified());
    if unspecified && !refused && transport.ice.is_none() && line.port != DISCARD_PORT {
        direction.receives = false;
    }
    Content {
        name: name(index, section),
        creator: Creator::Initiator,
        media: MediaKind::named(&line.media),
        refused,
        direction,
        codecs: read_codecs(index, section, &line, losses),
        packet_time: match section.first::<Ptime>() {
            Some(Ok(Ptime { millis })) => Some(Duration::from_millis(millis.into())),
            _ => None,
        },
        rtcp_mux,
        keying: match line.protocol.as_str() {
            "RTP/AVP" | "RTP/AVPF" => Keying::None,
            protocol => Keying::Unknown(protocol.to_owned()),
        },
        transport,
    }
}

fn read_codecs(
    index: usize,
    section: &Section,
    line: &MediaLine,
    losses: &mut Vec<Loss>,
) -> Vec<Codec> {
    let mut codecs = codec::codecs(section);
    for payload_type in line.payload_types() {
        if !codecs.iter().any(|codec| codec.payload_type == payload_type) {
            losses.push(Loss::Codec(index, payload_type));
        }
    }
    if codecs.len() > defaults::MAX_CODECS {
        losses.push(Loss::TooMany(index));
        codecs.truncate(defaults::MAX_CODECS);
    }
    let fmtps: Vec<Fmtp> = section.all().collect();
    codecs
        .into_iter()
        .map(|codec| Codec {
            payload_type: codec.payload_type,
            channels: codec.channel_count(),
            name: codec.encoding,
            clock_rate: codec.clock_rate,
            parameters: read_parameters(&fmtps, codec.payload_type),
        })
        .collect()
}

/// `name=value` pairs and bare words, between semicolons.
fn read_parameters(fmtps: &[Fmtp], payload_type: u8) -> Vec<(String, String)> {
    let format = payload_type.to_string();
    let Some(fmtp) = fmtps.iter().find(|fmtp| fmtp.format == format) else { return Vec::new() };
    let parts = fmtp.parameters.split(';').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    parts.take(defaults::MAX_PARAMETERS).map(pair).collect()
}

/// The default destinations: RTP's, and RTCP's where it has a port of its own.
fn read_defaults(
    text: &SessionDescription,
    section: &Section,
    line: &MediaLine,
    rtcp_mux: bool,
) -> Vec<Option<Endpoint>> {
    let connection = text.connection(section);
    let at = |connection: Option<&Connection>, port| {
        let ip = connection?.ip().filter(|ip| !ip.is_unspecified())?;
        Some(Endpoint::new(ip, port))
    };
    let rtp = at(connection.as_ref(), line.port);
    let rtcp = match section.first::<Rtcp>() {
        Some(Ok(rtcp)) => {
            let own = rtcp.connection.as_ref();
            at(own.or(connection.as_ref()), rtcp.port)
        }
        _ if rtcp_mux => None,
        _ => rtp.and_then(render::after),
    };
    //= RFC 8035 §3: with multiplexing, a=rtcp may repeat RTP's own port.
    if rtcp_mux && (rtcp.is_none() || rtcp == rtp) { vec![rtp] } else { vec![rtp, rtcp] }
}

fn read_ice(
    index: usize,
    text: &SessionDescription,
    section: &Section,
    losses: &mut Vec<Loss>,
) -> Option<Ice> {
    let raw = |name| section.attribute(name).or_else(|| text.session.attribute(name));
    raw("ice-ufrag")?;
    let ufrag = text.attribute_of::<IceUfrag>(section);
    let pwd = text.attribute_of::<IcePwd>(section);
    let (Some(IceUfrag(ufrag)), Some(IcePwd(pwd))) = (ufrag, pwd) else {
        losses.push(Loss::Credentials(index));
        return None;
    };
    let trickle = text.attribute_of::<IceOptions>(section).is_some_and(|o| o.contains(TRICKLE));
    Some(Ice {
        credentials: Credentials { ufrag, pwd },
        lite: text.session.has("ice-lite"),
        complete: !trickle || text.flag_of(section, "end-of-candidates"),
        candidates: read_candidates(index, section, losses),
    })
}

fn read_candidates(index: usize, section: &Section, losses: &mut Vec<Loss>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (_, value) in section.attributes().filter(|(name, _)| *name == "candidate") {
        if candidates.len() == defaults::MAX_CANDIDATES {
            losses.push(Loss::TooMany(index));
            break;
        }
        match value.parse().ok().as_ref().and_then(read_candidate) {
            Some(candidate) => candidates.push(candidate),
            None => losses.push(Loss::Candidate(index, value.to_owned())),
        }
    }
    candidates
}

fn read_candidate(read: &sdp::Candidate) -> Option<Candidate> {
    if !read.transport.eq_ignore_ascii_case("udp") {
        return None;
    }
    let kind = CandidateKind::named(&read.kind)?;
    let endpoint = Endpoint::new(read.address.ip()?, read.port);
    let related_ip = read.related_address.as_ref().and_then(sdp::Address::ip);
    let related = related_ip.zip(read.related_port).map(Endpoint::from);
    let (component, priority) = (read.component, read.priority);
    let signalled = Candidate::signalled(kind, component, &read.foundation, priority, endpoint);
    Some(Candidate { related, ..signalled })
}
