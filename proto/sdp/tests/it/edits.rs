//! Edits touch the edited lines alone; limits hold.

use sdp::{
    Address, Candidate, Connection, Direction, Error, Fmtp, IcePwd, IceUfrag, MediaLine, Rtcp,
    RtpMap, SessionDescription, Violation, codec, defaults,
};

const OFFER: &str = "v=0\r\no=alice 2890844526 2890844526 IN IP4 host.example.com\r\ns= \r\n\
    c=IN IP4 192.0.2.10\r\nt=0 0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
    m=audio 49170 RTP/AVP 0 8 97 101\r\nb=AS:64\r\na=rtpmap:97 iLBC/8000\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=x-unknown:keep  me \r\n\
    a=candidate:1 1 UDP 2130706431 192.0.2.10 49170 typ host\r\n\
    a=candidate:2 1 UDP 1694498815 203.0.113.1 45664 typ srflx raddr 192.0.2.10 rport 49170 generation 0\r\n\
    a=candidate:3 1 udp 2113937151 5a7c.local 4000 typ host\r\n\
    a=candidate:4 1 UDP 1 2001:db8::7 4000 typ host\r\n\
    a=rtcp:53020 IN IP6 2001:db8::7\r\na=sendonly\r\nm=video 0 RTP/AVP 31";

#[test]
fn reads_what_stands_there() {
    let offer = SessionDescription::parse(OFFER.as_bytes()).unwrap();
    assert_eq!(offer.violations(), []);
    let audio = &offer.media[0];
    let codecs = codec::codecs(audio);
    let names: Vec<&str> = codecs.iter().map(|codec| codec.encoding.as_str()).collect();
    assert_eq!(names, ["PCMU", "PCMA", "iLBC", "telephone-event"]);
    assert_eq!(audio.all::<Fmtp>().next().unwrap().parameters, "0-15");
    assert_eq!(offer.direction(audio), Direction::SendOnly);
    assert_eq!(offer.direction(&offer.media[1]), Direction::SendRecv);
    assert_eq!(offer.attribute_of::<IceUfrag>(audio).unwrap().0, "8hhY");
    assert_eq!(offer.attribute_of::<IcePwd>(audio).unwrap().0.len(), 22);
    let candidates: Vec<Candidate> = audio.all().collect();
    assert_eq!(candidates.len(), 4);
    assert_eq!(candidates[1].related_port, Some(49170));
    assert_eq!(candidates[1].extensions, [("generation".to_owned(), "0".to_owned())]);
    assert_eq!(candidates[2].address, Address::Name("5a7c.local".to_owned()));
    assert_eq!(candidates[3].address.ip(), Some("2001:db8::7".parse().unwrap()));
    let rtcp = audio.first::<Rtcp>().unwrap().unwrap();
    assert!(rtcp.connection.unwrap().is_ipv6);
}

#[test]
fn edits_leave_the_rest_alone() {
    let mut offer = SessionDescription::parse(OFFER.as_bytes()).unwrap();
    let connection = Connection::new([198, 51, 100, 7].into());
    offer.session.set(b'c', &connection.to_string());
    let audio = &mut offer.media[0];
    audio.remove_attributes("candidate");
    audio.set_direction(Direction::Inactive);
    audio.set(b'c', &connection.to_string());
    audio.set_attribute("rtcp", "9");
    offer.media[1].add(&RtpMap {
        payload_type: 31,
        encoding: "H261".to_owned(),
        clock_rate: 90_000,
        channels: None,
    });
    let candidates = OFFER.find("a=candidate:1").unwrap()..OFFER.find("a=rtcp").unwrap();
    let mut expected = OFFER.to_owned();
    expected.replace_range(candidates, "");
    let expected = expected
        .replace("c=IN IP4 192.0.2.10", "c=IN IP4 198.51.100.7")
        .replace("b=AS:64", "c=IN IP4 198.51.100.7\r\nb=AS:64")
        .replace("a=sendonly", "a=inactive")
        .replace("a=rtcp:53020 IN IP6 2001:db8::7", "a=rtcp:9")
        + "\r\na=rtpmap:31 H261/90000\r\n";
    assert_eq!(String::from_utf8(offer.to_bytes()).unwrap(), expected);
}

#[test]
fn values_cannot_smuggle_lines() {
    let mut description = SessionDescription::new(1, 1, [192, 0, 2, 1].into());
    description.session.add_attribute("x", "a\r\nm=audio 9 RTP/AVP 0");
    let again = SessionDescription::parse(&description.to_bytes()).unwrap();
    assert!(again.media.is_empty());
}

#[test]
fn limits_hold() {
    let parse = |text: String| SessionDescription::parse(text.as_bytes()).map(|_| ());
    assert_eq!(parse("a=x\n".repeat(defaults::MAX_LINES)), Ok(()));
    assert_eq!(parse("a=x\n".repeat(defaults::MAX_LINES + 1)), Err(Error::TooManyLines));
    assert_eq!(parse("m=x\n".repeat(defaults::MAX_MEDIA + 1)), Err(Error::TooManyMedia));
    assert_eq!(parse("x".repeat(defaults::MAX_BYTES + 1)), Err(Error::TooLarge));
    let many = "x y ".repeat(defaults::MAX_CANDIDATE_EXTENSIONS + 1);
    assert!(format!("1 1 UDP 1 192.0.2.1 1 typ host {many}").parse::<Candidate>().is_err());
}

#[test]
fn violations_are_named() {
    let of = |text: &str| SessionDescription::parse(text.as_bytes()).unwrap().violations();
    assert_eq!(
        of("v=1\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP\r\n"),
        [
            Violation::Version,
            Violation::Missing('o'),
            Violation::NoFormats(0),
            Violation::NoConnection(0),
        ]
    );
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
    assert_eq!(of(&format!("{head}c=IN IP4 192.0.2.1\r\n")), [Violation::OutOfOrder('c')]);
    assert_eq!(of(&format!("{head}\r\n")), [Violation::NotALine(5)]);
    assert_eq!(of(&format!("{head}a=x\rb\r\n")), [Violation::NotALine(5)]);
}

#[test]
fn a_payload_type_counts_once() {
    let numbers = "8 0 8 128 127 255 256 x 0 127 ".repeat(1000);
    let line: MediaLine = format!("audio 4000 RTP/AVP {numbers}").parse().unwrap();
    assert_eq!(line.payload_types().collect::<Vec<_>>(), [8, 0, 127]);
    let text = format!("m={line}\r\na=rtpmap:127 opus/48000/2\r\na=rtpmap:127 x/1\r\n");
    let codecs = codec::codecs(&SessionDescription::parse(text.as_bytes()).unwrap().media[0]);
    let names: Vec<&str> = codecs.iter().map(|codec| codec.encoding.as_str()).collect();
    assert_eq!(names, ["PCMA", "PCMU", "opus"]);
}
