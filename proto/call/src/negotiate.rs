//! Offer and answer on neutral descriptions: the rules of RFC 3264 §6, which Jingle's
//! session-initiate and session-accept (XEP-0166 §6) share.

use std::time::Duration;

use crate::defaults;
use crate::description::{
    Codec, Content, Creator, Description, Direction, Keying, MediaKind, Transport,
};

/// What we can do with a stream of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Our codecs, the preferred one first.
    pub codecs: Vec<Codec>,
    /// How much media we want in a packet.
    pub packet_time: Duration,
    /// Whether RTCP may share RTP's port.
    pub rtcp_mux: bool,
}

impl Default for Capabilities {
    /// G.711 in both laws and telephone events, 20 ms a packet, one port.
    fn default() -> Self {
        Self {
            codecs: vec![
                Codec::pcmu(),
                Codec::pcma(),
                Codec::telephone_event(defaults::TELEPHONE_EVENT),
            ],
            packet_time: defaults::PACKET_TIME,
            rtcp_mux: true,
        }
    }
}

/// Why an offer or an answer leads to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No content is sound that both know a codec for.
    #[error("no stream that both sides can take")]
    NothingInCommon,
    /// All that is offered wants protection that we do not have.
    #[error("the other side asks for media protection that is not built yet")]
    Keying,
    /// The answer has other contents than the offer.
    #[error("the answer does not fit the offer")]
    Mismatch,
}

/// What was agreed on one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Its place among the contents.
    pub index: usize,
    /// The codec that we send, under the number that the other side wants.
    pub send: Codec,
    /// The codecs that we may receive, under our numbers.
    pub receive: Vec<Codec>,
    /// Telephone events that we may send, under the other side's number.
    pub telephone_event: Option<Codec>,
    /// Who sends, as we see it.
    pub direction: Direction,
    /// How much media we put into a packet.
    pub packet_time: Duration,
    /// Whether RTP and RTCP share a port.
    pub rtcp_mux: bool,
}

impl Capabilities {
    /// Our offer of one stream of sound.
    #[must_use]
    pub fn offer(&self, direction: Direction, transport: Transport) -> Description {
        let content = Content {
            name: "0".to_owned(),
            creator: Creator::Initiator,
            media: MediaKind::Audio,
            refused: false,
            direction,
            codecs: self.codecs.clone(),
            packet_time: Some(self.packet_time),
            rtcp_mux: self.rtcp_mux,
            keying: Keying::None,
            transport,
        };
        Description { contents: vec![content] }
    }

    /// Which content of `offer` we would take: the first stream of sound with a codec of ours.
    ///
    /// # Errors
    /// If there is none.
    pub fn choose(&self, offer: &Description) -> Result<usize, Error> {
        if let Some(index) = offer.contents.iter().position(|content| self.takes(content)) {
            return Ok(index);
        }
        let fits = |content: &Content| Content { keying: Keying::None, ..content.clone() };
        let protected = offer.contents.iter().any(|content| self.takes(&fits(content)));
        Err(if protected { Error::Keying } else { Error::NothingInCommon })
    }

    /// Whether we would take this content: sound, unprotected, with a codec of ours.
    #[must_use]
    pub fn takes(&self, content: &Content) -> bool {
        !content.refused
            && content.media == MediaKind::Audio
            && content.keying == Keying::None
            && !self.common(content).is_empty()
    }

    /// Our answer to `offer`: the content at `index` with `transport`, the others refused.
    #[must_use]
    pub fn answer(
        &self,
        offer: &Description,
        index: usize,
        direction: Direction,
        transport: Transport,
    ) -> Description {
        let answer = |(at, offered): (usize, &Content)| Content {
            refused: at != index,
            //= RFC 3264 §6.1: a stream that is offered one way is answered with the other way at most.
            direction: offered.direction.reversed().and(direction),
            codecs: self.common(offered),
            packet_time: Some(self.packet_time),
            //= RFC 5761 §5.1.1: multiplexing takes an offer and an answer that both have it.
            rtcp_mux: offered.rtcp_mux && self.rtcp_mux,
            transport: if at == index { fit(&transport, offered) } else { Transport::default() },
            ..offered.clone()
        };
        Description { contents: offer.contents.iter().enumerate().map(answer).collect() }
    }

    /// The offered codecs that we have too, in the offer's order and under its numbers, with our
    /// parameters; empty if none of them is sound.
    fn common(&self, offered: &Content) -> Vec<Codec> {
        let ours = |codec: &Codec| {
            let own = self.codecs.iter().find(|own| own.same_as(codec))?;
            Some(Codec { parameters: own.parameters.clone(), ..codec.clone() })
        };
        let codecs: Vec<Codec> = offered.codecs.iter().filter_map(ours).collect();
        if codecs.iter().all(Codec::is_telephone_event) { Vec::new() } else { codecs }
    }
}

/// Our transport, as far as the offer speaks of it: no ICE to who offers none.
fn fit(ours: &Transport, offered: &Content) -> Transport {
    let ice = ours.ice.clone().filter(|_| offered.transport.ice.is_some());
    Transport { ice, defaults: ours.defaults.clone() }
}

/// What `ours` and `theirs` agree on: one of them is the offer, the other its answer.
///
/// # Errors
/// If they do not fit, or nothing is agreed on.
pub fn agree(ours: &Description, theirs: &Description) -> Result<Agreed, Error> {
    if ours.contents.len() != theirs.contents.len() {
        return Err(Error::Mismatch);
    }
    let pairs = ours.contents.iter().zip(&theirs.contents).enumerate();
    let mut agreed = pairs.filter_map(|(index, (ours, theirs))| agree_content(index, ours, theirs));
    agreed.next().ok_or(Error::NothingInCommon)
}

fn agree_content(index: usize, ours: &Content, theirs: &Content) -> Option<Agreed> {
    let same = ours.media == theirs.media && ours.keying == theirs.keying;
    if ours.refused || theirs.refused || !same || theirs.keying != Keying::None {
        return None;
    }
    let known = |codec: &&Codec| ours.codecs.iter().any(|own| own.same_as(codec));
    let mut common = theirs.codecs.iter().filter(known);
    //= RFC 3264 §7: the first codec that the other side lists is the one to send.
    let send = common.clone().find(|codec| !codec.is_telephone_event())?.clone();
    let telephone_event = common.find(|codec| codec.is_telephone_event()).cloned();
    let (least, most) = defaults::PACKET_TIME_RANGE;
    let packet_time = theirs.packet_time.or(ours.packet_time).unwrap_or(defaults::PACKET_TIME);
    Some(Agreed {
        index,
        send,
        receive: ours.codecs.clone(),
        telephone_event,
        direction: ours.direction.and(theirs.direction.reversed()),
        packet_time: packet_time.clamp(least, most),
        rtcp_mux: ours.rtcp_mux && theirs.rtcp_mux,
    })
}

#[cfg(test)]
mod tests;
