//! The media of a call: sound in, RTP out; RTP in, sound out.
//!
//! A [`Leg`] sends what its [`Source`] plays, a packet each packet time, and hears what comes
//! through the jitter buffer in frames of 20 ms. It reports by RTCP. It knows no sockets: packets go
//! out as bytes, and bytes come in.
//!
//! Telephone events are negotiated and received without being played; sending them is to come.

mod source;
mod stats;

use std::collections::VecDeque;

use machine::{Entropy, Instant, Now};
use rtp::jitter_buffer::Frame;
use rtp::session::{Received, Report};
use rtp::{JitterBuffer, Law, Session, is_rtcp};

pub use source::Source;
pub use stats::Stats;

use crate::defaults;
use crate::description::Codec;
use crate::negotiate::Agreed;

/// What comes out of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this RTP packet.
    Rtp(Vec<u8>),
    /// Send this RTCP packet.
    Rtcp(Vec<u8>),
    /// 20 ms of the other side's sound, at 8 kHz.
    Heard(Box<Frame>),
    /// The source has been played to its end; silence follows.
    SourceEnded,
    /// The other side said goodbye.
    Goodbye,
}

/// One leg of sound.
#[derive(Debug)]
pub struct Leg {
    session: Session,
    jitter: JitterBuffer,
    source: Source,
    /// What we said that we receive, under our numbers.
    receive: Vec<Codec>,
    terms: Option<Terms>,
    /// When the next packet goes out; `None` while nothing is sent.
    next_packet: Option<Instant>,
    /// The next packet is the first after silence.
    marker: bool,
    started: bool,
    outputs: VecDeque<Output>,
    unplayable: u64,
}

/// What was agreed, as far as each packet needs it.
#[derive(Clone, Debug)]
struct Terms {
    agreed: Agreed,
    law: Law,
}

impl Leg {
    /// A leg that will play `source`, once it is told the terms and started.
    #[must_use]
    pub fn new(source: Source, mut entropy: Entropy) -> Self {
        //= RFC 7022 §4.2: a name for this call alone, 96 bits of randomness.
        let cname = entropy.token(17);
        let session = Session::new(rtp::defaults::CLOCK_RATE, cname, entropy.fork("call.rtp"));
        Self {
            session,
            jitter: JitterBuffer::new(),
            source,
            receive: Vec::new(),
            terms: None,
            next_packet: None,
            marker: true,
            started: false,
            outputs: VecDeque::new(),
            unplayable: 0,
        }
    }

    /// Plays what comes in these codecs already before there are terms.
    //= RFC 3264 §5.1: who has offered to receive must be ready for media from then on.
    pub fn expect(&mut self, codecs: Vec<Codec>) {
        self.receive = codecs;
    }

    /// Sets or changes the terms: codecs, direction, packet time. False if the codec is none that we
    /// can encode.
    pub fn agree(&mut self, now: Now, agreed: Agreed) -> bool {
        let Some(law) = law_of(&agreed.send) else { return false };
        if !agreed.direction.receives {
            self.jitter.restart();
        }
        self.receive.clone_from(&agreed.receive);
        self.terms = Some(Terms { agreed, law });
        self.resume(now);
        true
    }

    /// Starts to send: there is a path.
    pub fn start(&mut self, now: Now) {
        if !self.started {
            self.started = true;
            self.session.start(now);
        }
        self.resume(now);
    }

    /// Starts or stops the clock of packets, as the terms say.
    fn resume(&mut self, now: Now) {
        let sends = self.terms.as_ref().is_some_and(|terms| terms.agreed.direction.sends);
        match (sends && self.started, self.next_packet) {
            (true, None) => {
                self.marker = true;
                self.next_packet = Some(now.mono);
                self.send_due(now);
            }
            (false, Some(_)) => self.next_packet = None,
            _ => {}
        }
    }

    /// Says goodbye and stops.
    pub fn stop(&mut self, now: Now) {
        let mut bytes = Vec::new();
        if self.started {
            self.session.goodbye(now, &mut bytes);
        }
        if !bytes.is_empty() {
            self.outputs.push_back(Output::Rtcp(bytes));
        }
        (self.started, self.next_packet, self.terms) = (false, None, None);
        self.receive.clear();
        self.jitter.restart();
    }

    /// Replaces what is played.
    pub fn play(&mut self, source: Source) {
        self.source = source;
    }

    /// Takes what arrived: RTP, or RTCP on the same port or its own. Anything else is dropped.
    pub fn handle_input(&mut self, now: Now, bytes: &[u8]) {
        if is_rtcp(bytes) {
            let reports = self.session.receive_report(now, bytes).unwrap_or_default();
            if reports.contains(&Report::Goodbye) {
                self.outputs.push_back(Output::Goodbye);
            }
            return;
        }
        if self.receive.is_empty() {
            return;
        }
        let packet = match self.session.receive(now, bytes) {
            Ok(Received::Packet(packet)) => packet,
            Ok(Received::NewSource(packet)) => {
                self.jitter.restart();
                packet
            }
            Ok(Received::Dropped) | Err(_) => return,
        };
        // Packets that were on their way when we held the call are counted and not played.
        if self.terms.as_ref().is_some_and(|terms| !terms.agreed.direction.receives) {
            return;
        }
        let codec = self.receive.iter().find(|codec| codec.payload_type == packet.payload_type);
        match codec.and_then(law_of) {
            Some(law) => {
                let mut samples = Vec::with_capacity(packet.payload.len());
                law.decode_all(packet.payload, &mut samples);
                self.jitter.insert(now.mono, packet.timestamp, &samples);
            }
            None => self.unplayable += 1,
        }
    }

    /// Sends and plays what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.send_due(now);
        while let Some(frame) = self.jitter.play(now.mono) {
            self.outputs.push_back(Output::Heard(Box::new(frame)));
        }
        let mut report = Vec::new();
        self.session.handle_timeout(now, &mut report);
        if !report.is_empty() {
            self.outputs.push_back(Output::Rtcp(report));
        }
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timers = [self.next_packet, self.jitter.poll_timeout(), self.session.poll_timeout()];
        timers.into_iter().flatten().min()
    }

    /// The next output, or `None` when drained.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn send_due(&mut self, now: Now) {
        while let Some(due) = self.next_packet.filter(|due| *due <= now.mono) {
            let Some(terms) = &self.terms else { return };
            // After a long sleep of the host nobody wants what was missed.
            let due = if now.mono - due > defaults::MAX_CATCH_UP { now.mono } else { due };
            let packet_time = terms.agreed.packet_time;
            let count =
                packet_time.as_millis() as usize * rtp::defaults::CLOCK_RATE as usize / 1000;
            self.next_packet = Some(due + packet_time);
            let mut samples = vec![0; count];
            if self.source.read(&mut samples) {
                self.outputs.push_back(Output::SourceEnded);
            }
            let mut payload = Vec::with_capacity(count);
            terms.law.encode_all(&samples, &mut payload);
            let (payload_type, mut bytes) = (terms.agreed.send.payload_type, Vec::new());
            let marker = std::mem::take(&mut self.marker);
            self.session.send(now, payload_type, marker, count as u32, &payload, &mut bytes);
            self.outputs.push_back(Output::Rtp(bytes));
        }
    }

    /// How it goes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(&self.session, &self.jitter, self.unplayable)
    }
}

/// The law of a G.711 codec.
fn law_of(codec: &Codec) -> Option<Law> {
    if codec.clock_rate != rtp::defaults::CLOCK_RATE || codec.channels != 1 {
        return None;
    }
    match codec.name.to_ascii_uppercase().as_str() {
        "PCMU" => Some(Law::Mu),
        "PCMA" => Some(Law::A),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
