//! Description to Jingle.

use std::time::Duration;

use ice::Candidate;
use machine::{Entropy, Transport as Protocol};
use xmpp::jingle as wire;

use super::{Place, read};
use crate::description::{Codec, Content, Creator, Description, Direction, Ice, Keying, Transport};
use crate::map::Loss;

/// The characters of a candidate's name.
const ID_LEN: usize = 10;

/// The names that the contents get on the wire.
pub(super) fn places(description: &Description, losses: &mut Vec<Loss>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (index, content) in description.contents.iter().enumerate() {
        let creator = match content.creator {
            Creator::Initiator => wire::Creator::Initiator,
            Creator::Responder => wire::Creator::Responder,
        };
        let mut place = Place { creator, name: content.name.clone() };
        if !is_text(&place.name) || places.contains(&place) {
            losses.push(Loss::Name(index));
            place.name = index.to_string();
            while places.contains(&place) || description.content(&place.name).is_some() {
                place.name.push('\'');
            }
        }
        places.push(place);
    }
    places
}

/// Writes one content.
pub(super) struct Writer<'a> {
    pub(super) index: usize,
    pub(super) speaker: Creator,
    pub(super) generation: u16,
    pub(super) entropy: &'a mut Entropy,
    pub(super) losses: &'a mut Vec<Loss>,
}

impl Writer<'_> {
    /// Fills in `bare`, which has its name; `None` for what is left out.
    pub(super) fn content(
        &mut self,
        content: &Content,
        bare: wire::Content,
    ) -> Option<wire::Content> {
        if content.refused {
            self.losses.push(Loss::Refused(self.index));
            return None;
        }
        // To leave the protection away and the content there would be another offer.
        if content.keying != Keying::None {
            self.losses.push(Loss::Keying(self.index));
            return None;
        }
        if !is_text(content.media.name()) {
            self.losses.push(Loss::Content(self.index));
            return None;
        }
        let description = wire::rtp::Description {
            media: content.media.name().to_owned(),
            payload_types: self.payload_types(content),
            rtcp_mux: content.rtcp_mux,
            ..wire::rtp::Description::default()
        };
        let written = wire::Content {
            senders: Some(senders(content.direction, self.speaker)),
            description: Some(description),
            transport: Some(self.transport(&content.transport)),
            ..bare
        };
        // What a reader will make of it.
        let transport = read::transport(self.index, &written, content.rtcp_mux, &mut Vec::new());
        if transport.is_none_or(|read| read.defaults != content.transport.defaults) {
            self.losses.push(Loss::Defaults(self.index));
        }
        Some(written)
    }

    fn payload_types(&mut self, content: &Content) -> Vec<wire::rtp::PayloadType> {
        let ptime = content.packet_time.map(|time| self.ptime(time));
        let mut written: Vec<wire::rtp::PayloadType> = Vec::new();
        for codec in &content.codecs {
            let again = written.iter().any(|before| before.id == codec.payload_type);
            let legal = codec.payload_type < 128 && codec.clock_rate > 0 && codec.channels > 0;
            if again || !legal || !is_text(&codec.name) {
                self.losses.push(Loss::Codec(self.index, codec.payload_type));
                continue;
            }
            written.push(wire::rtp::PayloadType {
                id: codec.payload_type,
                name: Some(codec.name.clone()),
                clockrate: Some(codec.clock_rate),
                // A static number of two channels would be taken for two if nothing were said.
                channels: (codec.channels != 1 || codec.payload_type < 96)
                    .then_some(codec.channels),
                ptime,
                parameters: self.parameters(codec),
                ..wire::rtp::PayloadType::default()
            });
        }
        if written.is_empty() && ptime.is_some() {
            self.losses.push(Loss::PacketTime(self.index));
        }
        written
    }

    fn ptime(&mut self, time: Duration) -> u32 {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1);
        if time != Duration::from_millis(millis.into()) {
            self.losses.push(Loss::PacketTime(self.index));
        }
        millis
    }

    fn parameters(&mut self, codec: &Codec) -> Vec<wire::rtp::Parameter> {
        let event = codec.name.eq_ignore_ascii_case(read::TELEPHONE_EVENT);
        let mut written = Vec::new();
        for (name, value) in &codec.parameters {
            let text = is_text(name) && (value.is_empty() || is_text(value));
            // A bare word that reads as the parameter's name would be taken for it.
            if !text || event && name == read::EVENTS {
                self.losses.push(Loss::Codec(self.index, codec.payload_type));
                continue;
            }
            //= RFC 4733 §7.1.1: SDP's bare word is the value of `events` elsewhere.
            let (name, value) = match value.as_str() {
                "" if event => (read::EVENTS.to_owned(), name.clone()),
                value => (name.clone(), value.to_owned()),
            };
            written.push(wire::rtp::Parameter { name: Some(name), value: Some(value) });
        }
        written
    }

    fn transport(&mut self, transport: &Transport) -> wire::Transport {
        match &transport.ice {
            Some(ice) if ice.credentials.check().is_ok() => self.ice(ice),
            broken => {
                if broken.is_some() {
                    self.losses.push(Loss::Credentials(self.index));
                }
                self.raw(transport)
            }
        }
    }

    /// The transport of ICE.
    pub(super) fn ice(&mut self, ice: &Ice) -> wire::Transport {
        if ice.lite {
            self.losses.push(Loss::Lite(self.index));
        }
        let mut candidates = Vec::new();
        for candidate in &ice.candidates {
            match self.candidate(candidate) {
                Some(candidate) => candidates.push(candidate),
                None => self.losses.push(Loss::Candidate(self.index, candidate.to_string())),
            }
        }
        wire::Transport::IceUdp(wire::IceUdp {
            ufrag: Some(ice.credentials.ufrag.clone()),
            pwd: Some(ice.credentials.pwd.clone()),
            candidates,
            gathering_complete: ice.complete,
            ..wire::IceUdp::default()
        })
    }

    fn candidate(&mut self, candidate: &Candidate) -> Option<wire::transport::IceCandidate> {
        let Candidate { foundation, component, priority, endpoint, related, .. } = candidate;
        let legal = candidate.transport == Protocol::Udp
            && (1..=256).contains(component)
            && read::is_foundation(foundation);
        legal.then(|| wire::transport::IceCandidate {
            component: *component,
            foundation: foundation.clone(),
            generation: Some(self.generation),
            id: Some(self.entropy.token(ID_LEN)),
            ip: endpoint.ip().to_string(),
            network: Some(0),
            port: endpoint.port(),
            priority: *priority,
            protocol: "udp".to_owned(),
            rel_addr: related.map(|related| related.ip().to_string()),
            rel_port: related.map(|related| related.port()),
            tcp_type: None,
            kind: candidate.kind.name().to_owned(),
            unknown: Vec::new(),
        })
    }

    /// The transport to one address and port for each component.
    fn raw(&mut self, transport: &Transport) -> wire::Transport {
        let places = transport.defaults.iter().zip(1..=2);
        let candidate = |(endpoint, component): (&Option<machine::Endpoint>, u16)| {
            let endpoint = (*endpoint)?;
            Some(wire::transport::RawCandidate {
                component,
                generation: Some(self.generation),
                id: Some(self.entropy.token(ID_LEN)),
                ip: endpoint.ip().to_string(),
                port: endpoint.port(),
                kind: None,
                unknown: Vec::new(),
            })
        };
        let candidates = places.filter_map(candidate).collect();
        wire::Transport::RawUdp(wire::RawUdp { candidates, ..wire::RawUdp::default() })
    }
}

/// Who sends, said by `speaker`.
fn senders(direction: Direction, speaker: Creator) -> wire::Senders {
    match (direction.sends, direction.receives, speaker) {
        (true, true, _) => wire::Senders::Both,
        (false, false, _) => wire::Senders::None,
        (true, false, Creator::Initiator) | (false, true, Creator::Responder) => {
            wire::Senders::Initiator
        }
        (true, false, Creator::Responder) | (false, true, Creator::Initiator) => {
            wire::Senders::Responder
        }
    }
}

/// What an attribute can hold and a reader takes: not empty, not long, no control characters.
fn is_text(text: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    !text.is_empty() && text.len() <= xmpp::defaults::MAX_JINGLE_STRING_BYTES && !text.contains(odd)
}
