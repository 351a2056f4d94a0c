//! Parse and write are inverse, and no bytes panic.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sdp::{
    Address, Attribute, Candidate, Connection, Fmtp, IceOptions, MediaLine, Origin, Ptime, Rtcp,
    RtpMap, SessionDescription, codec,
};

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.-]{1,20}".prop_filter("not an address", |s| s.parse::<IpAddr>().is_err())
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![any::<IpAddr>().prop_map(Address::Ip), name().prop_map(Address::Name)]
}

prop_compose! {
    fn candidate()(
        foundation in "[a-zA-Z0-9+/]{1,32}",
        component in 1..=256u16,
        transport in "(UDP|udp|TCP|x-t)",
        priority: u32,
        address in address(),
        port: u16,
        kind in "(host|srflx|prflx|relay|token)",
        related_address in option::of(address()),
        related_port: Option<u16>,
        extensions in vec(("(generation|ufrag|tcptype|x)", "[!-~]{1,8}"), 0..4),
    ) -> Candidate {
        Candidate {
            foundation, component, transport, priority, address, port, kind,
            related_address, related_port, extensions,
        }
    }
}

prop_compose! {
    fn rtp_map()(
        payload_type in 0..128u8,
        encoding in "[a-zA-Z0-9-]{1,12}",
        clock_rate in 1..400_000u32,
        channels in option::of(1..=8u8),
    ) -> RtpMap {
        RtpMap { payload_type, encoding, clock_rate, channels }
    }
}

prop_compose! {
    fn connection()(is_ipv6: bool, address in address()) -> Connection {
        Connection { is_ipv6, address }
    }
}

/// Lines as peers send them, some right and some not.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        "[a-z]=[ -~]{0,30}".prop_map(String::into_bytes),
        Just(b"m=audio 4000 RTP/AVP 0 8 101".to_vec()),
        Just(b"m=video 0/2 RTP/SAVPF 96".to_vec()),
        Just(b"a=sendonly".to_vec()),
        candidate().prop_map(|c| format!("a=candidate:{c}").into_bytes()),
        rtp_map().prop_map(|m| format!("a=rtpmap:{m}").into_bytes()),
        vec(any::<u8>(), 0..12),
    ];
    let ending = prop_oneof![Just(&b"\r\n"[..]), Just(&b"\n"[..]), Just(&b"\r"[..])];
    (vec((line, ending), 0..40), any::<bool>()).prop_map(|(lines, cut)| {
        let mut text: Vec<u8> =
            lines.into_iter().flat_map(|(line, end)| [line, end.to_vec()].concat()).collect();
        text.truncate(text.len() - usize::from(cut && !text.is_empty()));
        text
    })
}

fn round_trip<T: Attribute + PartialEq + std::fmt::Debug>(value: &T) {
    assert_eq!(value.to_string().parse::<T>().as_ref(), Ok(value));
}

/// Calls everything that reads.
fn read_all(description: &SessionDescription) {
    let _ = description.violations();
    let _ = description.session.origin();
    for section in description.sections() {
        let _ = (section.media_line(), section.connection(), section.first::<Rtcp>());
        let _ = (section.first::<Ptime>(), section.first::<IceOptions>(), codec::codecs(section));
        let _ = (section.all::<Candidate>().count(), section.all::<Fmtp>().count());
        let _ = (description.connection(section), description.direction(section));
    }
    let refusal = sdp::offer_answer::refusal(description, 1, 1, [192, 0, 2, 1].into());
    let _ = sdp::offer_answer::check_answer(description, &refusal);
    let _ = sdp::offer_answer::check_next(description, &refusal);
}

proptest! {
    #[test]
    fn text_survives(text in text()) {
        let description = SessionDescription::parse(&text).unwrap();
        prop_assert_eq!(description.to_bytes(), text);
        read_all(&description);
    }

    #[test]
    fn arbitrary_bytes_survive(bytes in vec(any::<u8>(), 0..400)) {
        let description = SessionDescription::parse(&bytes).unwrap();
        prop_assert_eq!(description.to_bytes(), bytes);
        read_all(&description);
    }

    #[test]
    fn arbitrary_values_never_panic(value in "\\PC{0,60}") {
        let _ = (value.parse::<Candidate>(), value.parse::<RtpMap>(), value.parse::<Rtcp>());
        let _ = (value.parse::<Origin>(), value.parse::<Connection>(), value.parse::<MediaLine>());
    }

    #[test]
    fn candidates(candidate in candidate()) {
        round_trip(&candidate);
    }

    #[test]
    fn rtp_maps(map in rtp_map()) {
        round_trip(&map);
    }

    #[test]
    fn small_attributes(
        port: u16,
        connection in option::of(connection()),
        millis in 1..=u16::MAX,
        format in "[0-9]{1,3}",
        parameters in "[!-~]([ -~]{0,20}[!-~])?",
    ) {
        round_trip(&Rtcp { port, connection });
        round_trip(&Ptime { millis });
        round_trip(&Fmtp { format, parameters });
    }

    #[test]
    fn fields(
        connection in connection(),
        version: u64,
        session_id in "[0-9]{1,30}",
        media in "(audio|video)",
        port: u16,
        port_count: Option<u16>,
        formats in vec("[0-9]{1,3}", 0..8),
    ) {
        let username = "-".to_owned();
        let origin = Origin { username, session_id, version, connection };
        prop_assert_eq!(origin.to_string().parse::<Origin>(), Ok(origin));
        let protocol = "RTP/AVP".to_owned();
        let line = MediaLine { media, port, port_count, protocol, formats };
        prop_assert_eq!(line.to_string().parse::<MediaLine>(), Ok(line));
    }
}
