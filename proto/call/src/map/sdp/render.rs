//! Description to SDP.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ice::Candidate;
use machine::{Endpoint, Transport as Protocol};
use sdp::{
    Address, Connection, Fmtp, IceOptions, IcePwd, IceUfrag, MediaLine, Ptime, Rtcp, RtpMap,
    Section,
};

use super::{DISCARD_PORT, ICE2, TRICKLE};
use crate::description::{Codec, Content, Creator, Description, Direction, Ice, Keying};
use crate::map::Loss;

/// Adds what holds for the whole session.
pub(super) fn session(description: &Description, session: &mut Section) {
    let ices = || description.contents.iter().filter_map(|content| content.transport.ice.as_ref());
    if ices().next().is_none() {
        return;
    }
    //= RFC 8839 §5.3: ice-lite stands at session level alone.
    if ices().any(|ice| ice.lite) {
        session.add_attribute("ice-lite", "");
    }
    let mut options = vec![ICE2.to_owned()];
    if ices().any(|ice| !ice.complete) {
        options.push(TRICKLE.to_owned());
    }
    session.add(&IceOptions(options));
}

/// One media part. `theirs` is the other side's part at the same place, if it spoke before.
pub(super) fn content(
    index: usize,
    content: &Content,
    theirs: Option<&Section>,
    losses: &mut Vec<Loss>,
) -> Section {
    if content.creator != Creator::Initiator {
        losses.push(Loss::Creator(index));
    }
    let mut section = match (content.refused, theirs) {
        (true, Some(theirs)) => sdp::offer_answer::refused(theirs),
        _ => open(index, content, theirs, losses),
    };
    name(index, content, &mut section, losses);
    section
}

fn name(index: usize, content: &Content, section: &mut Section, losses: &mut Vec<Loss>) {
    if content.name == index.to_string() {
        return;
    }
    if is_token(&content.name) {
        section.add_attribute("mid", &content.name);
    } else {
        losses.push(Loss::Name(index));
    }
}

fn open(
    index: usize,
    content: &Content,
    theirs: Option<&Section>,
    losses: &mut Vec<Loss>,
) -> Section {
    let writable = |codec: &&Codec| {
        let legal = is_token(&codec.name)
            && !codec.name.contains('/')
            && codec.clock_rate > 0
            && codec.payload_type < 128;
        if !legal {
            losses.push(Loss::Codec(index, codec.payload_type));
        }
        legal
    };
    let codecs: Vec<&Codec> = content.codecs.iter().filter(writable).collect();
    // Another rendering's words may break SDP's line, or end it; the place is kept, and refused.
    let (media, protocol) = (content.media.name(), protocol(content, theirs));
    let sayable = is_token(media) && protocol.split('/').all(is_token);
    if !sayable {
        losses.push(Loss::Content(index));
    }
    let refused = content.refused || !sayable;
    let rtp = content.transport.defaults.first().copied().flatten();
    let line = MediaLine {
        media: if sayable { media } else { "application" }.to_owned(),
        port: if refused { 0 } else { rtp.map_or(DISCARD_PORT, |rtp| rtp.port()) },
        port_count: None,
        protocol: if sayable { protocol } else { "RTP/AVP".to_owned() },
        formats: formats(&codecs),
    };
    let mut section = Section::media(&line);
    if !refused {
        let address = rtp.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |rtp| rtp.ip());
        section.set(b'c', &Connection::new(address).to_string());
    }
    for codec in codecs {
        write_codec(index, codec, &mut section, losses);
    }
    if let Some(packet_time) = content.packet_time {
        write_packet_time(index, packet_time, &mut section, losses);
    }
    section.set_direction(direction(content.direction));
    if content.rtcp_mux {
        section.add_attribute("rtcp-mux", "");
    }
    if !refused {
        write_rtcp(content, &mut section);
        if let Some(ice) = &content.transport.ice {
            write_ice(index, ice, &mut section, losses);
        }
    }
    section
}

/// RTP's profile: as the other side named it, or the plain one.
fn protocol(content: &Content, theirs: Option<&Section>) -> String {
    if let Keying::Unknown(protocol) = &content.keying {
        return protocol.clone();
    }
    //= RFC 3264 §6: the transport of the answer is the offer's.
    let theirs = theirs.and_then(|theirs| theirs.media_line().ok()).map(|line| line.protocol);
    theirs.unwrap_or_else(|| "RTP/AVP".to_owned())
}

/// The grammar wants one format at least.
fn formats(codecs: &[&Codec]) -> Vec<String> {
    match codecs {
        [] => vec!["0".to_owned()],
        codecs => codecs.iter().map(|codec| codec.payload_type.to_string()).collect(),
    }
}

fn write_codec(index: usize, codec: &Codec, section: &mut Section, losses: &mut Vec<Loss>) {
    section.add(&RtpMap {
        payload_type: codec.payload_type,
        encoding: codec.name.clone(),
        clock_rate: codec.clock_rate,
        channels: (codec.channels != 1).then_some(codec.channels),
    });
    let legal = |(name, value): &&(String, String)| {
        let word = |s: &str| s.bytes().all(|b| b.is_ascii_graphic() && b != b';');
        let legal = !name.is_empty() && word(name) && !name.contains('=') && word(value);
        if !legal {
            losses.push(Loss::Codec(index, codec.payload_type));
        }
        legal
    };
    let parameters: Vec<String> = codec
        .parameters
        .iter()
        .filter(legal)
        .map(|(name, value)| match value.as_str() {
            "" => name.clone(),
            value => format!("{name}={value}"),
        })
        .collect();
    if !parameters.is_empty() {
        let format = codec.payload_type.to_string();
        section.add(&Fmtp { format, parameters: parameters.join(";") });
    }
}

fn write_packet_time(index: usize, time: Duration, section: &mut Section, losses: &mut Vec<Loss>) {
    let millis = u16::try_from(time.as_millis()).unwrap_or(u16::MAX).max(1);
    if time != Duration::from_millis(millis.into()) {
        losses.push(Loss::PacketTime(index));
    }
    section.add(&Ptime { millis });
}

/// Says where RTCP goes, unless it is the port after RTP's (RFC 3605) or RTP's own.
fn write_rtcp(content: &Content, section: &mut Section) {
    let [Some(rtp), Some(rtcp)] = content.transport.defaults[..] else { return };
    if !content.rtcp_mux && Some(rtcp) == after(rtp) {
        return;
    }
    let connection = (rtcp.ip() != rtp.ip()).then(|| Connection::new(rtcp.ip()));
    section.add(&Rtcp { port: rtcp.port(), connection });
}

/// The port after `rtp`, where RTCP goes by default (RFC 3550 §11).
pub(super) fn after(rtp: Endpoint) -> Option<Endpoint> {
    rtp.port().checked_add(1).map(|port| rtp.with_port(port))
}

fn write_ice(index: usize, ice: &Ice, section: &mut Section, losses: &mut Vec<Loss>) {
    if ice.credentials.check().is_err() {
        losses.push(Loss::Credentials(index));
        return;
    }
    section.add(&IceUfrag(ice.credentials.ufrag.clone()));
    section.add(&IcePwd(ice.credentials.pwd.clone()));
    for candidate in &ice.candidates {
        match write_candidate(candidate) {
            Some(candidate) => section.add(&candidate),
            None => losses.push(Loss::Candidate(index, candidate.to_string())),
        }
    }
}

fn write_candidate(candidate: &Candidate) -> Option<sdp::Candidate> {
    let Candidate { foundation, component, priority, endpoint, related, .. } = candidate;
    let legal = candidate.transport == Protocol::Udp && (1..=256).contains(component);
    let written = sdp::Candidate {
        foundation: foundation.clone(),
        component: *component,
        transport: "UDP".to_owned(),
        priority: *priority,
        address: Address::Ip(endpoint.ip()),
        port: endpoint.port(),
        kind: candidate.kind.name().to_owned(),
        related_address: related.map(|related| Address::Ip(related.ip())),
        related_port: related.map(|related| related.port()),
        extensions: Vec::new(),
    };
    // The foundation comes from elsewhere: what would not be read back is not written.
    (legal && written.to_string().parse() == Ok(written.clone())).then_some(written)
}

/// The attribute that says a direction.
pub(super) fn direction(direction: Direction) -> sdp::Direction {
    sdp::Direction::new(direction.sends, direction.receives)
}

/// A token of RFC 8866 §9.
fn is_token(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic() && !br#""(),/:;<=>?@[\]"#.contains(&b))
}
