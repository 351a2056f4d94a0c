//! One TCP connection (RFC 9293) as a value: segments in, segments out, a deadline.
//!
//! An ordered stream with a handshake, acknowledgements, retransmission (RFC 6298), fast
//! retransmit and a growing window (RFC 5681 in outline): enough that a capture looks right and
//! that loss costs what it costs. A receiver that is paused lets its window close; the sender probes
//! it. No delayed acknowledgements, no SACK, no window scaling, no
//! timestamps.

mod receive;
mod send;

use std::collections::VecDeque;
use std::time::Duration;

use machine::{CloseReason, Endpoint, FailKind, Instant};

use crate::defaults::{
    TCP_INITIAL_RTO, TCP_MAX_RTO, TCP_RETRIES, TCP_SEND_BUFFER, TCP_SYN_RETRIES, TCP_TIME_WAIT,
};
use crate::packet::Segment;
use receive::Receiver;
use send::Sender;

/// One side of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
    state: State,
    sender: Sender,
    receiver: Receiver,
    /// The peer closed before we did: no need to wait for late segments.
    passive: bool,
    retries: u32,
    /// Probes of the peer's closed window, however often they are answered.
    probes: u32,
    deadline: Option<Instant>,
    notices: VecDeque<Notice>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    SynSent,
    SynReceived,
    Open,
    TimeWait,
    Gone,
}

/// What the owner of a connection gets to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Opened,
    Failed(FailKind),
    Closed(CloseReason),
}

impl Connection {
    /// Opens a connection: sends the SYN.
    pub(crate) fn connect(
        now: Instant,
        local: Endpoint,
        remote: Endpoint,
        iss: u32,
        mss: u16,
        out: &mut Vec<Segment>,
    ) -> Self {
        let mut connection = Self::new(local, remote, State::SynSent, iss, mss);
        connection.send_syn(out);
        connection.deadline = Some(now + TCP_INITIAL_RTO);
        connection
    }

    /// Takes a SYN: answers it.
    pub(crate) fn accept(
        now: Instant,
        local: Endpoint,
        remote: Endpoint,
        iss: u32,
        mss: u16,
        syn: &Segment,
        out: &mut Vec<Segment>,
    ) -> Self {
        let mut connection = Self::new(local, remote, State::SynReceived, iss, mss);
        connection.take_syn(syn);
        connection.send_syn(out);
        connection.deadline = Some(now + TCP_INITIAL_RTO);
        connection
    }

    fn new(local: Endpoint, remote: Endpoint, state: State, iss: u32, mss: u16) -> Self {
        Self {
            local,
            remote,
            state,
            sender: Sender::new(iss, mss),
            receiver: Receiver::default(),
            passive: false,
            retries: 0,
            probes: 0,
            deadline: None,
            notices: VecDeque::new(),
        }
    }

    /// When [`on_timeout`](Self::on_timeout) is due.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether nothing more will come of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether a new connection may take its place.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, State::TimeWait | State::Gone)
    }

    /// Bytes that may be written now.
    pub(crate) fn room(&self) -> usize {
        TCP_SEND_BUFFER.saturating_sub(self.sender.waiting())
    }

    /// The next thing that happened. Bytes come with [`read`](Self::read): after `Opened`, before
    /// `Closed`.
    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Whether the next notice ends the connection: what was read comes before it.
    pub(crate) fn ends_next(&self) -> bool {
        matches!(self.notices.front(), Some(Notice::Closed(_)) | None)
    }

    /// How the connection ended, for an owner that reads no more of it.
    pub(crate) fn end_notice(&mut self) -> Option<Notice> {
        self.notices.drain(..).next_back()
    }

    /// Stops reading, or goes on and tells the peer of the window that opens.
    pub(crate) fn pause(&mut self, paused: bool, out: &mut Vec<Segment>) {
        let before = self.receiver.window();
        self.receiver.paused = paused;
        if self.receiver.window() > before && matches!(self.state, State::Open) {
            out.push(self.ack());
        }
    }

    /// The bytes that arrived in order.
    pub(crate) fn read(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.receiver.ready)
    }

    /// Sends bytes after all others.
    pub(crate) fn write(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<Segment>) {
        self.sender.queue(bytes);
        self.transmit(now, out);
    }

    /// Closes our direction after what was written.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Vec<Segment>) {
        match self.state {
            State::SynSent | State::SynReceived => self.abort(out),
            State::Open => {
                self.sender.close();
                self.transmit(now, out);
            }
            State::TimeWait | State::Gone => {}
        }
    }

    /// Ends the connection at once with a RST.
    pub(crate) fn abort(&mut self, out: &mut Vec<Segment>) {
        if matches!(self.state, State::Open | State::SynReceived) {
            out.push(self.segment(Segment::RST | Segment::ACK, self.sender.next_seq()));
        }
        self.end();
    }

    /// An ICMP error came back for a segment: it ends an attempt, not a connection.
    ///
    //= RFC 1122 §4.2.3.9: unreachable is a hint only, once a connection stands.
    pub(crate) fn on_unreachable(&mut self) {
        if self.state == State::SynSent {
            self.fail(FailKind::Unreachable);
        }
    }

    /// The path takes less than thought: sends again in smaller segments.
    pub(crate) fn on_too_big(&mut self, now: Instant, mss: u16, out: &mut Vec<Segment>) {
        if self.state == State::Open && self.sender.shrink(mss) {
            self.sender.rewind();
            self.transmit(now, out);
        }
    }

    /// Takes a segment.
    pub(crate) fn receive(&mut self, now: Instant, segment: &Segment, out: &mut Vec<Segment>) {
        match self.state {
            State::SynSent => self.receive_in_syn_sent(now, segment, out),
            State::SynReceived => {
                if segment.has(Segment::RST) {
                    self.end();
                } else if segment.has(Segment::SYN) {
                    self.send_syn(out);
                } else if segment.has(Segment::ACK) && segment.ack == self.sender.first_seq() {
                    self.open();
                    self.receive_open(now, segment, out);
                }
            }
            State::Open => self.receive_open(now, segment, out),
            State::TimeWait => {
                if segment.has(Segment::FIN) {
                    out.push(self.ack());
                }
            }
            State::Gone => {}
        }
    }

    fn receive_in_syn_sent(&mut self, now: Instant, segment: &Segment, out: &mut Vec<Segment>) {
        if !segment.has(Segment::ACK) || segment.ack != self.sender.first_seq() {
            return;
        }
        if segment.has(Segment::RST) {
            self.fail(FailKind::Refused);
        } else if segment.has(Segment::SYN) {
            self.take_syn(segment);
            self.open();
            out.push(self.ack());
            self.transmit(now, out);
        }
    }

    fn receive_open(&mut self, now: Instant, segment: &Segment, out: &mut Vec<Segment>) {
        if segment.has(Segment::RST) {
            // The sequence number must be the one expected, or a stranger could guess (RFC 5961).
            if self.receiver.is_expected(segment.seq) {
                self.notices.push_back(Notice::Closed(CloseReason::Reset));
                self.end();
            }
            return;
        }
        if segment.has(Segment::SYN) {
            // Our ACK of the handshake was lost.
            out.push(self.ack());
            return;
        }
        if segment.has(Segment::ACK) {
            self.take_ack(now, segment, out);
        }
        let had_fin = self.receiver.finished;
        let fin = segment.has(Segment::FIN);
        if !segment.payload.is_empty() || fin {
            self.receiver.take(segment.seq, &segment.payload, fin);
            out.push(self.ack());
        }
        if self.receiver.finished && !had_fin {
            self.passive = !self.sender.is_closing();
            self.notices.push_back(Notice::Closed(CloseReason::Peer));
        }
        self.transmit(now, out);
        self.finish(now);
    }

    fn take_ack(&mut self, now: Instant, segment: &Segment, out: &mut Vec<Segment>) {
        let news = self.sender.acknowledge(now, segment);
        if news.again {
            out.extend(self.resend_first());
        }
        if news.progress || news.opened {
            self.retries = 0;
            self.probes = 0;
            self.deadline = None;
        } else if self.sender.is_held_back() {
            //= RFC 9293 §3.8.6.1: a peer that answers probes may keep its window closed for ever.
            self.retries = 0;
        }
    }

    /// The deadline has come.
    pub(crate) fn on_timeout(&mut self, now: Instant, out: &mut Vec<Segment>) {
        self.deadline = None;
        self.retries += 1;
        match self.state {
            State::SynSent | State::SynReceived if self.retries > TCP_SYN_RETRIES => {
                if self.state == State::SynSent {
                    self.fail(FailKind::TimedOut);
                } else {
                    self.end();
                }
            }
            State::SynSent | State::SynReceived => {
                self.send_syn(out);
                self.deadline = Some(now + backed_off(TCP_INITIAL_RTO, self.retries));
            }
            State::Open if self.sender.is_done() => self.end(),
            State::Open if self.retries > TCP_RETRIES => {
                self.notices.push_back(Notice::Closed(CloseReason::TimedOut));
                self.abort(out);
            }
            State::Open => {
                if let Some((seq, flags, payload)) = self.sender.probe() {
                    self.probes += 1;
                    out.push(Segment { payload, ..self.segment(flags | Segment::ACK, seq) });
                } else {
                    self.sender.rewind();
                }
                self.transmit(now, out);
            }
            State::TimeWait | State::Gone => self.end(),
        }
    }

    fn open(&mut self) {
        self.state = State::Open;
        self.retries = 0;
        self.deadline = None;
        self.notices.push_back(Notice::Opened);
    }

    fn fail(&mut self, kind: FailKind) {
        self.notices.push_back(Notice::Failed(kind));
        self.end();
    }

    fn end(&mut self) {
        self.state = State::Gone;
        self.deadline = None;
    }

    /// Both directions closed: over, or waiting for late segments.
    fn finish(&mut self, now: Instant) {
        if self.state != State::Open || !self.sender.is_done() {
            return;
        }
        if self.receiver.finished && self.passive {
            self.end();
        } else if self.receiver.finished {
            self.state = State::TimeWait;
            self.deadline = Some(now + TCP_TIME_WAIT);
        } else if self.deadline.is_none() {
            // The peer has our FIN and does not answer with its own.
            self.deadline = Some(now + TCP_MAX_RTO);
        }
    }

    fn transmit(&mut self, now: Instant, out: &mut Vec<Segment>) {
        if self.state != State::Open {
            return;
        }
        while let Some((seq, flags, payload)) = self.sender.next_segment(now) {
            out.push(Segment { payload, ..self.segment(flags | Segment::ACK, seq) });
        }
        if self.deadline.is_none() && self.sender.is_outstanding() {
            self.deadline = Some(now + backed_off(self.sender.rto(), self.retries));
        } else if self.deadline.is_none() && self.sender.is_held_back() {
            self.deadline = Some(now + backed_off(self.sender.rto(), self.probes));
        }
    }

    fn resend_first(&mut self) -> Option<Segment> {
        let (seq, flags, payload) = self.sender.first_segment()?;
        Some(Segment { payload, ..self.segment(flags | Segment::ACK, seq) })
    }

    fn send_syn(&self, out: &mut Vec<Segment>) {
        let flags = match self.state {
            State::SynSent => Segment::SYN,
            _ => Segment::SYN | Segment::ACK,
        };
        let mss = Some(self.sender.mss());
        let mut syn = Segment { mss, ..self.segment(flags, self.sender.initial_seq()) };
        if self.state == State::SynSent {
            syn.ack = 0;
        }
        out.push(syn);
    }

    fn take_syn(&mut self, syn: &Segment) {
        self.receiver.start(syn.seq);
        self.sender.start(syn);
    }

    fn ack(&self) -> Segment {
        self.segment(Segment::ACK, self.sender.next_seq())
    }

    fn segment(&self, flags: u8, seq: u32) -> Segment {
        Segment {
            src_port: self.local.port(),
            dst_port: self.remote.port(),
            seq,
            ack: self.receiver.next_seq(),
            flags,
            window: self.receiver.window(),
            mss: None,
            payload: Vec::new(),
        }
    }
}

/// RFC 6298 §5.5: twice as long each time.
fn backed_off(rto: Duration, times: u32) -> Duration {
    rto.saturating_mul(1 << times.min(16)).min(TCP_MAX_RTO)
}

/// The answer to a segment that belongs to no connection (RFC 9293 §3.10.7.1).
pub(crate) fn refuse(segment: &Segment) -> Option<Segment> {
    if segment.has(Segment::RST) {
        return None;
    }
    let mut rst = Segment {
        src_port: segment.dst_port,
        dst_port: segment.src_port,
        flags: Segment::RST,
        ..Segment::default()
    };
    if segment.has(Segment::ACK) {
        rst.seq = segment.ack;
    } else {
        let counted = u32::from(segment.has(Segment::SYN)) + u32::from(segment.has(Segment::FIN));
        rst.ack = segment.seq.wrapping_add(segment.payload.len() as u32).wrapping_add(counted);
        rst.flags |= Segment::ACK;
    }
    Some(rst)
}
