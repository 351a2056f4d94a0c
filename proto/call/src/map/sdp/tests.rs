//! Description to SDP and back, and SDP as other phones write it.

use std::time::Duration;

use ice::{Candidate, CandidateKind, Credentials};
use machine::{Endpoint, Entropy};
use proptest::collection::vec;
use proptest::prelude::*;
use sdp::offer_answer::{check_answer, check_next};

use super::{Error, Session};
use crate::description::{
    Codec, Content, Creator, Description, Direction, Ice, Keying, MediaKind, Transport,
};
use crate::map::Loss;
use crate::map::arbitrary::description;

fn session(seed: u64) -> Session {
    Session::new(&mut Entropy::seeded(seed))
}

fn read(text: &str) -> (Description, Vec<Loss>) {
    session(0).read(text.as_bytes()).unwrap()
}

proptest! {
    #[test]
    fn descriptions_survive(description in description()) {
        let (text, losses) = session(1).write(&description);
        prop_assert_eq!(losses, vec![]);
        let (again, losses) = session(2).read(&text).unwrap();
        prop_assert_eq!((again, losses), (description, vec![]));
        let parsed = sdp::SessionDescription::parse(&text).unwrap();
        prop_assert_eq!(parsed.violations(), vec![]);
    }

    /// What we write in answer keeps to RFC 3264, whatever was offered.
    #[test]
    fn answers_fit_their_offers(description in description(), hold: bool) {
        let mut description = description;
        for content in &mut description.contents {
            content.codecs.push(Codec::pcma());
        }
        let (text, _) = session(1).write(&description);
        let mut ours = session(2);
        let (offer, _) = ours.read(&text).unwrap();
        let capabilities = crate::Capabilities::default();
        let index = capabilities.choose(&offer).unwrap_or(usize::MAX);
        let direction = if hold { Direction::SENDS } else { Direction::BOTH };
        let at = Endpoint::new([192, 0, 2, 2], 7000);
        let transport = Transport { ice: None, defaults: vec![Some(at), None] };
        let answer = capabilities.answer(&offer, index, direction, transport);
        let (answer, _) = ours.write(&answer);
        let [offer, answer] = [text, answer].map(|text| sdp::SessionDescription::parse(&text).unwrap());
        prop_assert_eq!(check_answer(&offer, &answer), Ok(()));
    }

    #[test]
    fn arbitrary_text_never_panics(lines in vec(line(), 0..30)) {
        let text = format!("v=0\r\n{}", lines.join("\r\n"));
        let mut session = session(1);
        if let Ok((description, _)) = session.read(text.as_bytes()) {
            let (answer, _) = session.write(&description);
            prop_assert!(sdp::SessionDescription::parse(&answer).is_ok());
        }
    }
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]=[ -~]{0,20}",
        "a=(rtpmap|fmtp|candidate|rtcp|ptime|ice-ufrag|ice-pwd|mid):[ -~]{0,30}",
        "m=(audio|image|x) [0-9]{1,5} (RTP/AVP|RTP/SAVP|udptl)( [0-9]{1,3}){0,5}",
        "c=IN IP[46] [0-9a-f.:]{1,20}",
        Just("a=rtcp-mux".to_owned()),
        Just("a=candidate:1 1 UDP 5 192.0.2.7 9 typ host".to_owned()),
    ]
}

/// What cannot be said is named.
#[test]
fn losses_are_named() {
    let signalled = Candidate::signalled(
        CandidateKind::Host,
        1,
        "not a foundation",
        1,
        "192.0.2.1:9".parse().unwrap(),
    );
    let mut codec = Codec::pcmu();
    codec.parameters.push(("a b".to_owned(), String::new()));
    let content = Content {
        name: "two words".to_owned(),
        creator: Creator::Responder,
        media: MediaKind::Audio,
        refused: false,
        direction: Direction::BOTH,
        codecs: vec![codec, Codec { name: "a/b".to_owned(), ..Codec::pcma() }],
        packet_time: Some(Duration::from_micros(2500)),
        rtcp_mux: true,
        keying: Keying::None,
        transport: Transport {
            ice: Some(Ice {
                credentials: Credentials { ufrag: "abcd".to_owned(), pwd: "p".repeat(22) },
                lite: false,
                complete: true,
                candidates: vec![signalled],
            }),
            defaults: vec![None],
        },
    };
    let (_, losses) = session(1).write(&Description { contents: vec![content] });
    assert_eq!(
        losses,
        [
            Loss::Creator(0),
            Loss::Codec(0, 8),
            Loss::Codec(0, 0),
            Loss::PacketTime(0),
            Loss::Candidate(0, "host 192.0.2.1:9".to_owned()),
            Loss::Name(0),
        ]
    );
}

/// Nothing that another rendering brings ends a line, or begins one.
#[test]
fn lines_are_not_injected() {
    let evil = "x\r\na=evil";
    let mut offer = crate::Capabilities::default().offer(Direction::BOTH, Transport::default());
    let content = &mut offer.contents[0];
    evil.clone_into(&mut content.name);
    content.codecs[0].name = evil.to_owned();
    content.codecs[1].parameters = vec![(evil.to_owned(), evil.to_owned())];
    let other = Content { media: MediaKind::Other(evil.to_owned()), ..content.clone() };
    let keyed = Content { keying: Keying::Unknown(evil.to_owned()), ..content.clone() };
    offer.contents.extend([other, keyed]);
    let (text, losses) = session(1).write(&offer);
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains("evil"), "{text}");
    assert!(losses.contains(&Loss::Content(1)) && losses.contains(&Loss::Content(2)));
    assert!(text.contains("m=application 0 RTP/AVP ") && text.contains("m=audio 9 RTP/AVP "));
}

const BARESIP: &str = "v=0\r\no=- 3863120293 3205236133 IN IP4 10.77.0.11\r\ns=-\r\n\
    c=IN IP4 10.77.0.11\r\nt=0 0\r\na=tool:baresip 1.1.0\r\na=ice-options:trickle\r\n\
    m=audio 25250 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:25251\r\na=sendrecv\r\n\
    a=label:1\r\na=rtcp-rsize\r\na=ssrc:3110012412 cname:sip:alice@example.test\r\na=ptime:20\r\n\
    a=ice-ufrag:y6Dm\r\na=ice-pwd:9HVBd5bBFyrHBFcEGQbnPn\r\n\
    a=candidate:7f000001 1 UDP 2113929471 10.77.0.11 25250 typ host\r\n\
    a=candidate:7f000001 2 UDP 2113929470 10.77.0.11 25251 typ host\r\n\
    a=candidate:9 1 UDP 5 4b-7a.local 25250 typ host\r\na=end-of-candidates\r\n";

#[test]
fn another_phones_offer() {
    let (offer, losses) = read(BARESIP);
    assert!(matches!(&losses[..], [Loss::Candidate(0, text)] if text.contains("4b-7a.local")));
    let audio = &offer.contents[0];
    assert_eq!((audio.name.as_str(), audio.rtcp_mux), ("0", false));
    assert_eq!(audio.codecs, [Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)]);
    assert_eq!(audio.packet_time, Some(Duration::from_millis(20)));
    let at = |port| Some(Endpoint::new([10, 77, 0, 11], port));
    assert_eq!(audio.transport.defaults, [at(25250), at(25251)]);
    let ice = audio.transport.ice.as_ref().unwrap();
    assert!(ice.complete && ice.candidates.len() == 2);
}

#[test]
fn an_offer_without_ice_ports_or_maps() {
    // As sipp sends it.
    let (offer, losses) = read(
        "v=0\no=user1 53655765 2353687637 IN IP6 ::1\ns=-\nc=IN IP6 ::1\nt=0 0\n\
         m=audio 6000 RTP/AVP 0 63\n",
    );
    assert_eq!(losses, [Loss::Codec(0, 63)]);
    let audio = &offer.contents[0];
    assert_eq!(audio.codecs, [Codec::pcmu()]);
    assert_eq!(audio.transport.ice, None);
    let at = |port| Some(Endpoint::new([0, 0, 0, 0, 0, 0, 0, 1], port));
    assert_eq!(audio.transport.defaults, [at(6000), at(6001)]);
}

#[test]
fn strange_contents_are_refused_in_their_own_words() {
    let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=5 6\r\n\
        m=image 6000 udptl t38\r\na=T38FaxVersion:0\r\nm=audio 4000 RTP/AVPF 0\r\na=mid:a\r\n\
        m=video 5000 RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n";
    let mut session = session(1);
    let (offer, losses) = session.read(offer.as_bytes()).unwrap();
    assert_eq!(losses, [Loss::Content(0)]);
    let capabilities = crate::Capabilities::default();
    assert_eq!(capabilities.choose(&offer), Ok(1));
    let defaults = vec![Some(Endpoint::new([192, 0, 2, 2], 7000))];
    let transport = Transport { ice: None, defaults };
    let answer = capabilities.answer(&offer, 1, Direction::BOTH, transport);
    let (text, _) = session.write(&answer);
    let text = String::from_utf8(text).unwrap();
    for line in [
        "t=5 6",
        "m=image 0 udptl t38",
        "m=audio 7000 RTP/AVPF 0",
        "a=mid:a",
        "m=video 0 RTP/SAVPF 96",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
}

#[test]
fn old_style_hold_is_understood() {
    let (offer, _) = read(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
    );
    assert_eq!(offer.contents[0].direction, Direction::SENDS);
    assert_eq!(offer.contents[0].transport.defaults, [None, None]);
}

#[test]
fn versions_grow_with_changes_alone() {
    let mut session = session(1);
    let offer = crate::Capabilities::default().offer(Direction::BOTH, Transport::default());
    let mut last: Option<sdp::SessionDescription> = None;
    let mut version = |session: &mut Session, description: &Description| {
        let (text, _) = session.write(description);
        let text = sdp::SessionDescription::parse(&text).unwrap();
        assert!(last.iter().all(|last| check_next(last, &text).is_ok()));
        last.insert(text).session.origin().unwrap().version
    };
    assert_eq!(version(&mut session, &offer), 1);
    assert_eq!(version(&mut session, &offer), 1);
    let mut held = offer.clone();
    held.contents[0].direction = Direction::SENDS;
    assert_eq!(version(&mut session, &held), 2);
    assert_eq!(version(&mut session, &offer), 3);
}

#[test]
fn limits_hold() {
    let many = |line: &str, n: usize| line.repeat(n);
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    let (offer, losses) = read(&format!("{head}{}", many("m=audio 9 RTP/AVP 0\r\n", 40)));
    assert_eq!(offer.contents.len(), 40, "each keeps its place");
    assert_eq!(losses.len(), 40 - crate::defaults::MAX_CONTENTS);
    let candidate = "a=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n";
    let ice = "m=audio 9 RTP/AVP 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
    let (offer, losses) = read(&format!("{head}{ice}{}", many(candidate, 100)));
    let candidates = &offer.contents[0].transport.ice.as_ref().unwrap().candidates;
    assert_eq!(candidates.len(), crate::defaults::MAX_CANDIDATES);
    assert_eq!(losses, [Loss::TooMany(0)]);
    let numbers: String = (0..100).map(|n| format!(" {n}")).collect();
    let maps: String = (0..100).map(|n| format!("a=rtpmap:{n} x/8000\r\n")).collect();
    let parameters = many("p=1;", crate::defaults::MAX_PARAMETERS + 1);
    let fmtp = format!("a=fmtp:0 {parameters}\r\n");
    let (offer, losses) = read(&format!("{head}m=audio 9 RTP/AVP{numbers}\r\n{maps}{fmtp}"));
    let codecs = &offer.contents[0].codecs;
    assert_eq!(codecs.len(), crate::defaults::MAX_CODECS);
    assert_eq!(codecs[0].parameters.len(), crate::defaults::MAX_PARAMETERS);
    assert_eq!(losses, [Loss::TooMany(0)]);
}

#[test]
fn what_is_no_description_is_refused() {
    assert_eq!(session(1).read(b"hello"), Err(Error::Version));
    assert_eq!(session(1).read(b""), Err(Error::Version));
    assert!(matches!(session(1).read(&vec![b'x'; 100_000]), Err(Error::Sdp(_))));
}
