//! What arrives on a media port: RTP and RTCP, in any order and at any time.

use std::time::Duration;

use machine::{Entropy, Instant, Now};
use rtp::rtcp::Compound;
use rtp::session::Received;
use rtp::{JitterBuffer, Law, Packet, Session};

use super::ops::at;

/// Takes `bytes` as a sequence of packets, each after a byte that says how many milliseconds passed
/// and one that says how long it is; reads, rewrites, reports on and plays them.
pub fn run(bytes: &[u8]) {
    let mut session = Session::new(8000, "fuzz@example.org", Entropy::seeded(1));
    let mut buffer = JitterBuffer::new();
    let mut now = at(Duration::ZERO);
    session.start(now);
    let mut rest = bytes;
    while let [pause_ms, len, tail @ ..] = rest {
        let (packet, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        now = at(now.unix + Duration::from_millis(u64::from(*pause_ms)));
        receive(&mut session, &mut buffer, now, packet);
        play(&mut buffer, now.mono);
        report(&mut session, now);
    }
    session.goodbye(now, &mut Vec::new());
}

fn receive(session: &mut Session, buffer: &mut JitterBuffer, now: Now, bytes: &[u8]) {
    if let Ok(packet) = Packet::parse(bytes) {
        let mut written = Vec::new();
        packet.write(&mut written);
        assert_eq!(Packet::parse(&written), Ok(packet), "a packet survives");
        assert_eq!(written.len(), bytes.len());
    }
    if rtp::is_rtcp(bytes) {
        receive_report(session, now, bytes);
        return;
    }
    if let Ok(Received::Packet(packet) | Received::NewSource(packet)) = session.receive(now, bytes)
    {
        let mut samples = Vec::new();
        Law::Mu.decode_all(packet.payload, &mut samples);
        buffer.insert(now.mono, packet.timestamp, &samples);
    }
}

fn receive_report(session: &mut Session, now: Now, bytes: &[u8]) {
    let Ok(compound) = Compound::parse(bytes) else { return };
    for packet in compound.flatten() {
        let mut written = Vec::new();
        packet.write(&mut written);
        let again: Vec<_> = Compound::parse(&written).expect("what was written is read").collect();
        assert_eq!(again, [Ok(packet)], "a packet survives");
    }
    let _ = session.receive_report(now, bytes);
}

fn play(buffer: &mut JitterBuffer, now: Instant) {
    while buffer.play(now).is_some() {}
    assert!(buffer.poll_timeout().is_none_or(|next| next > now));
}

fn report(session: &mut Session, now: Now) {
    let mut out = Vec::new();
    session.handle_timeout(now, &mut out);
    assert!(session.poll_timeout().is_none_or(|next| next > now.mono));
    assert!(out.is_empty() || Compound::parse(&out).is_ok());
}
