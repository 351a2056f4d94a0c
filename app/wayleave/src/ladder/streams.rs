//! What streams carry, cut into messages: SIP (RFC 3261 §18.3), STUN and ChannelData (RFC 8656
//! §12.5), XMPP (RFC 6120). What is under TLS is read where its sender wrote it.

use std::collections::BTreeMap;

use xmpp::xml::{Limits, Parser};

use super::Topic;
use super::classify::{Kind, Said, classify};
use super::xmpp::{Reader, Way};

/// A segment of TCP.
pub struct Segment<'a> {
    pub ports: (u16, u16),
    pub sequence: u32,
    pub payload: &'a [u8],
}

/// The streams under way.
#[derive(Default)]
pub struct Streams {
    /// As they stand in the packets.
    open: BTreeMap<StreamKey, Stream>,
    /// What TLS carries in them.
    secured: BTreeMap<StreamKey, Framing>,
    /// What was asked over XMPP, by whichever stream.
    xmpp: Reader,
}

/// Columns and ports, the sender's first.
type StreamKey = (Way, (u16, u16));

struct Stream {
    next: u32,
    framing: Framing,
}

enum Framing {
    Sip(sip::framing::Framer),
    Turn(turn::Framer),
    Xmpp(Box<Parser>),
    /// Records of TLS.
    Opaque,
}

impl Framing {
    /// By the first byte: TURN's streams begin with a STUN message, XMPP's with a tag, TLS with a
    /// record's type (RFC 8446 §5.1), both ways.
    fn of(payload: &[u8]) -> Self {
        match payload {
            [0..=3, ..] => Self::Turn(turn::Framer::new(usize::from(u16::MAX))),
            [20..=23, ..] => Self::Opaque,
            [b'<', ..] => Self::Xmpp(Box::new(Parser::new(Limits::SERVER))),
            _ => Self::Sip(sip::framing::Framer::opened()),
        }
    }

    /// What `payload` completes.
    fn push(&mut self, way: Way, payload: &[u8], over: &str, reader: &mut Reader) -> Vec<Kind> {
        let mut kinds = Vec::new();
        match self {
            Self::Sip(framer) => {
                framer.push(payload);
                while let Some(Ok(frame)) = framer.next_frame() {
                    if let sip::framing::Frame::Message(bytes) = frame {
                        kinds.push(classify(&bytes).by(over));
                    }
                }
            }
            Self::Turn(framer) => {
                framer.push(payload);
                while let Ok(Some(frame)) = framer.next_frame() {
                    let kind = match frame {
                        turn::Frame::Stun(bytes) => classify(bytes),
                        turn::Frame::ChannelData(data) => classify(data.data).by("chan"),
                    };
                    kinds.push(kind.by(over));
                }
            }
            // A stream that begins anew does so with a new header, and so with a new parser.
            Self::Xmpp(parser) => {
                if Reader::is_header(payload) {
                    **parser = Parser::new(Limits::SERVER);
                }
                parser.push(payload);
                while let Some(Ok(frame)) = parser.next() {
                    kinds.extend(reader.read(way, &frame).map(Kind::Message));
                }
            }
            Self::Opaque => {}
        }
        kinds
    }
}

impl Streams {
    /// Takes a segment that its sender sent for the first time; what it completes.
    pub fn take(&mut self, way: Way, segment: &Segment<'_>) -> Vec<Kind> {
        let Segment { ports, sequence, payload } = segment;
        if payload.is_empty() {
            return Vec::new();
        }
        let fresh = || Stream { next: *sequence, framing: Framing::of(payload) };
        let mut first = !self.open.contains_key(&(way, *ports));
        let stream = self.open.entry((way, *ports)).or_insert_with(fresh);
        if stream.next != *sequence {
            return Vec::new();
        }
        stream.next = sequence.wrapping_add(payload.len() as u32);
        // After STARTTLS the tags end and records begin.
        if matches!((&stream.framing, payload), (Framing::Xmpp(_), [20..=23, ..])) {
            (stream.framing, first) = (Framing::Opaque, true);
        }
        if first && matches!(stream.framing, Framing::Opaque) {
            return handshake(payload).map(Kind::Message).into_iter().collect();
        }
        stream.framing.push(way, payload, "TCP", &mut self.xmpp)
    }

    /// Takes what its sender wrote under TLS; what it completes.
    pub fn take_secured(&mut self, way: Way, ports: (u16, u16), bytes: &[u8]) -> Vec<Kind> {
        if bytes.is_empty() {
            return Vec::new();
        }
        let framing = self.secured.entry((way, ports)).or_insert_with(|| Framing::of(bytes));
        framing.push(way, bytes, "TLS", &mut self.xmpp)
    }
}

/// What the first record of one side says: a handshake's message by its type (RFC 8446 §4).
fn handshake(record: &[u8]) -> Option<Said> {
    let label = match record.get(5)? {
        1 => "TLS: hello",
        2 => "TLS: hello, certificate",
        21 => "TLS: refused",
        _ => return None,
    };
    Some(Said { topic: Topic::Login, label: label.to_owned(), text: None })
}
