//! Parse and write are inverse, and no bytes panic.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rtp::defaults::{MAX_COMPOUND_PACKETS, MAX_RTCP_COUNT, MAX_SDES_ITEM};
use rtp::packet::Extension;
use rtp::rtcp::{self, Chunk, Compound, ReportBlock, SenderInfo};
use rtp::{Error, Packet};

prop_compose! {
    fn block()(
        ssrc: u32, fraction_lost: u8, cumulative_lost in -0x80_0000..=0x7f_ffff,
        highest_sequence: u32, jitter: u32, last_report: u32, delay_since: u32,
    ) -> ReportBlock {
        ReportBlock {
            ssrc, fraction_lost, cumulative_lost, highest_sequence, jitter, last_report, delay_since,
        }
    }
}

prop_compose! {
    fn info()(ntp: u64, rtp_timestamp: u32, packets: u32, octets: u32) -> SenderInfo {
        SenderInfo { ntp, rtp_timestamp, packets, octets }
    }
}

fn rtcp_packet() -> impl Strategy<Value = rtcp::Packet> {
    let reports = || vec(block(), 0..=31);
    let item = (1..=255_u8, vec(any::<u8>(), 0..=255));
    let chunk = (any::<u32>(), vec(item, 0..4)).prop_map(|(ssrc, items)| Chunk { ssrc, items });
    prop_oneof![
        (any::<u32>(), info(), reports())
            .prop_map(|(ssrc, info, reports)| rtcp::Packet::SenderReport { ssrc, info, reports }),
        (any::<u32>(), reports())
            .prop_map(|(ssrc, reports)| rtcp::Packet::ReceiverReport { ssrc, reports }),
        vec(chunk, 0..5).prop_map(|chunks| rtcp::Packet::SourceDescription { chunks }),
        (vec(any::<u32>(), 0..=31), option::of(vec(any::<u8>(), 0..=255)))
            .prop_map(|(sources, reason)| rtcp::Packet::Goodbye { sources, reason }),
        (0..32_u8, 204..=255_u8, vec(any::<[u8; 4]>(), 0..20)).prop_map(
            |(count, packet_type, body)| rtcp::Packet::Other {
                count,
                packet_type,
                body: body.concat()
            }
        ),
    ]
}

proptest! {
    #[test]
    fn rtp_survives(
        marker: bool, payload_type in 0..128_u8, sequence: u16, timestamp: u32, ssrc: u32,
        csrcs in vec(any::<[u8; 4]>(), 0..=15),
        extension in option::of((any::<u16>(), vec(any::<[u8; 4]>(), 0..10))),
        payload in vec(any::<u8>(), 0..200), padding: u8,
    ) {
        let csrcs = csrcs.concat();
        let extension = extension.map(|(profile, data)| (profile, data.concat()));
        let extension =
            extension.as_ref().map(|(profile, data)| Extension { profile: *profile, data });
        let packet = Packet {
            marker, payload_type, sequence, timestamp, ssrc,
            csrcs: &csrcs, extension, payload: &payload, padding,
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
    }

    #[test]
    fn rtcp_survives(packets in vec(rtcp_packet(), 1..6)) {
        let mut bytes = Vec::new();
        packets.iter().for_each(|packet| packet.write(&mut bytes));
        let again: Result<Vec<_>, Error> = Compound::parse(&bytes).unwrap().collect();
        prop_assert_eq!(again, Ok(packets));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Packet::parse(&bytes);
        let _ = Compound::parse(&bytes).map(Iterator::count);
        // With a head that looks right, deeper code is reached.
        for kind in 199..=206 {
            let mut framed = vec![0x80 | bytes.first().unwrap_or(&0) & 0x3f, kind, 0, 0];
            framed[3] = (bytes.len() / 4) as u8;
            framed.extend(&bytes[..bytes.len() / 4 * 4]);
            let _ = Compound::parse(&framed).map(Iterator::count);
        }
    }
}

#[test]
fn impossible_frames_are_refused() {
    assert_eq!(Packet::parse(&[]), Err(Error::Truncated));
    assert_eq!(Packet::parse(&[0x40; 12]), Err(Error::Version));
    let mut padded = [0; 13];
    padded[0] = 0xa0;
    assert_eq!(Packet::parse(&padded), Err(Error::Padding));
    padded[12] = 2;
    assert_eq!(Packet::parse(&padded), Err(Error::Padding));
    assert_eq!(Packet::parse(&[0x8f; 20]), Err(Error::Truncated));
    let frame = |bytes: &[u8]| Compound::parse(bytes).map(|_| ()).unwrap_err();
    assert_eq!(frame(&[]), Error::Truncated);
    assert_eq!(frame(&[0x80, 201, 0, 9]), Error::Truncated);
    // Padding before the last packet.
    assert_eq!(frame(&[0xa0, 201, 0, 1, 0, 0, 0, 4, 0x80, 201, 0, 0]), Error::Padding);
}

/// What was read of one packet as it was written.
fn written(packet: &rtcp::Packet) -> rtcp::Packet {
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    Compound::parse(&bytes).unwrap().next().unwrap().unwrap()
}

#[test]
fn what_does_not_fit_is_cut_off() {
    let reports = vec![ReportBlock::default(); MAX_RTCP_COUNT + 1];
    let report = written(&rtcp::Packet::ReceiverReport { ssrc: 1, reports });
    let reports = vec![ReportBlock::default(); MAX_RTCP_COUNT];
    assert_eq!(report, rtcp::Packet::ReceiverReport { ssrc: 1, reports });
    let described = |length: usize| {
        let items = vec![(rtcp::CNAME, vec![b'x'; length])];
        rtcp::Packet::SourceDescription { chunks: vec![Chunk { ssrc: 1, items }] }
    };
    assert_eq!(written(&described(MAX_SDES_ITEM + 1)), described(MAX_SDES_ITEM));
    let other = |length| rtcp::Packet::Other { count: 0, packet_type: 204, body: vec![0; length] };
    assert_eq!(written(&other(7)), other(4));
    assert_eq!(written(&other(300_000)), other(4 * 65_535));
}

#[test]
fn a_compound_packet_is_read_to_a_limit() {
    let bytes = [0x80, 204, 0, 0].repeat(MAX_COMPOUND_PACKETS + 1);
    assert_eq!(Compound::parse(&bytes).unwrap().count(), MAX_COMPOUND_PACKETS);
}
