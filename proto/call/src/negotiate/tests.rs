//! Who agrees on what.

use std::time::Duration;

use super::{Agreed, Capabilities, Error, agree};
use crate::description::{Codec, Content, Description, Direction, Keying, MediaKind, Transport};

fn opus() -> Codec {
    Codec {
        name: "opus".to_owned(),
        clock_rate: 48_000,
        channels: 2,
        ..Codec::telephone_event(111)
    }
}

fn with(codecs: Vec<Codec>) -> Capabilities {
    Capabilities { codecs, ..Capabilities::default() }
}

fn negotiate(
    offerer: &Capabilities,
    answerer: &Capabilities,
    wanted: [Direction; 2],
) -> Result<[Agreed; 2], Error> {
    let offer = offerer.offer(wanted[0], Transport::default());
    let index = answerer.choose(&offer)?;
    let answer = answerer.answer(&offer, index, wanted[1], Transport::default());
    Ok([agree(&offer, &answer)?, agree(&answer, &offer)?])
}

#[test]
fn the_offerers_first_common_codec_wins() {
    let offerer = with(vec![opus(), Codec::pcma(), Codec::pcmu(), Codec::telephone_event(96)]);
    let both = [Direction::BOTH; 2];
    let [ours, theirs] = negotiate(&offerer, &Capabilities::default(), both).unwrap();
    assert_eq!(ours.send, Codec::pcma());
    assert_eq!(theirs.send, Codec::pcma());
    assert_eq!(ours.telephone_event.unwrap().payload_type, 96);
    assert_eq!(theirs.telephone_event.unwrap().payload_type, 96, "the offer's number holds");
    assert!(ours.rtcp_mux && theirs.rtcp_mux);
}

#[test]
fn telephone_events_alone_are_no_call() {
    let offerer = with(vec![opus(), Codec::telephone_event(101)]);
    let both = [Direction::BOTH; 2];
    let result = negotiate(&offerer, &Capabilities::default(), both);
    assert_eq!(result, Err(Error::NothingInCommon));
}

#[test]
fn the_answerer_may_number_otherwise() {
    let ours = Capabilities::default().offer(Direction::BOTH, Transport::default());
    let mut theirs = ours.clone();
    theirs.contents[0].codecs = vec![Codec { payload_type: 97, ..Codec::pcma() }, Codec::pcmu()];
    let agreed = agree(&ours, &theirs).unwrap();
    assert_eq!(agreed.send.payload_type, 97);
    assert!(agreed.receive.contains(&Codec::pcma()));
    assert_eq!(agreed.telephone_event, None);
}

#[test]
fn directions_meet() {
    for sends in [false, true] {
        for receives in [false, true] {
            let offered = Direction { sends, receives };
            let wanted = [offered, Direction::BOTH];
            let capabilities = Capabilities::default();
            let [ours, theirs] = negotiate(&capabilities, &capabilities, wanted).unwrap();
            assert_eq!(ours.direction, offered);
            assert_eq!(theirs.direction, offered.reversed());
        }
    }
    let held = [Direction::BOTH, Direction::SENDS];
    let [ours, theirs] =
        negotiate(&Capabilities::default(), &Capabilities::default(), held).unwrap();
    assert_eq!((ours.direction, theirs.direction), (Direction::RECEIVES, Direction::SENDS));
}

#[test]
fn the_wish_for_a_packet_time_is_heard_within_reason() {
    let mut capabilities = Capabilities::default();
    for (wish, taken) in [(30, 30), (1, 10), (5000, 200)] {
        capabilities.packet_time = Duration::from_millis(wish);
        let both = [Direction::BOTH; 2];
        let [_, theirs] = negotiate(&capabilities, &Capabilities::default(), both).unwrap();
        assert_eq!(theirs.packet_time, Duration::from_millis(taken));
    }
}

#[test]
fn protection_that_we_lack_is_named() {
    let capabilities = Capabilities::default();
    let mut offer = capabilities.offer(Direction::BOTH, Transport::default());
    offer.contents[0].keying = Keying::Unknown("RTP/SAVP".to_owned());
    assert_eq!(capabilities.choose(&offer), Err(Error::Keying));
    // A plain stream beside it is taken.
    let plain = capabilities.offer(Direction::BOTH, Transport::default());
    offer.contents.extend(plain.contents);
    assert_eq!(capabilities.choose(&offer), Ok(1));
    let answer = capabilities.answer(&offer, 1, Direction::BOTH, Transport::default());
    let refused: Vec<bool> = answer.contents.iter().map(|content| content.refused).collect();
    assert_eq!(refused, [true, false]);
    assert_eq!(agree(&offer, &answer).unwrap().index, 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let capabilities = Capabilities::default();
    let offer = capabilities.offer(Direction::BOTH, Transport::default());
    assert_eq!(agree(&offer, &Description::default()), Err(Error::Mismatch));
    let change = |change: fn(&mut Content)| {
        let mut answer = offer.clone();
        change(&mut answer.contents[0]);
        agree(&offer, &answer)
    };
    let nothing = Err(Error::NothingInCommon);
    assert_eq!(change(|content| content.refused = true), nothing);
    assert_eq!(change(|content| content.media = MediaKind::Video), nothing);
    assert_eq!(change(|content| content.codecs = vec![opus()]), nothing);
    assert!(change(|_| ()).is_ok());
    assert_eq!(capabilities.choose(&Description::default()), nothing.map(|_: Agreed| 0));
}
