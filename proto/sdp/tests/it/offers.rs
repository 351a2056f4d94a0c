//! RFC 3264.

use sdp::offer_answer::{Error, check_answer, check_next, refusal};
use sdp::{Direction, SessionDescription, codec};

fn description(version: u64, media: &str) -> SessionDescription {
    let text = format!(
        "v=0\r\no=- 7 {version} IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}"
    );
    SessionDescription::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_refusal_answers_everything() {
    let offer = description(1, "m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 31\r\n");
    let answer = refusal(&offer, 1, 1, [192, 0, 2, 2].into());
    assert_eq!(check_answer(&offer, &answer), Ok(()));
    assert!(answer.media.iter().all(|media| media.media_line().unwrap().port == 0));
    assert_eq!(answer.violations(), []);
}

#[test]
fn answers_are_held_to_the_offer() {
    let offer = description(1, "m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 opus/48000/2\r\n");
    let check = |media: &str| check_answer(&offer, &description(1, media));
    assert_eq!(check("m=audio 5 RTP/AVP 0\r\n"), Ok(()));
    // The same codec under another number of the answerer's own.
    assert_eq!(check("m=audio 5 RTP/AVP 99\r\na=rtpmap:99 OPUS/48000/2\r\n"), Ok(()));
    assert_eq!(check(""), Err(Error::MediaCount { expected: 1, found: 0 }));
    assert_eq!(check("m=video 5 RTP/AVP 0\r\n"), Err(Error::OtherMedia(0)));
    assert_eq!(check("m=audio 5 RTP/SAVP 0\r\n"), Err(Error::OtherMedia(0)));
    assert_eq!(check("m=audio 5 RTP/AVP 8\r\n"), Err(Error::NoCommonFormat(0)));
    assert_eq!(check("m=audio x\r\n"), Err(Error::Malformed(0)));
    let fax = description(1, "m=image 5 udptl t38\r\n");
    assert_eq!(check_answer(&fax, &fax), Ok(()));
    let other = description(1, "m=image 5 udptl t37\r\n");
    assert_eq!(check_answer(&fax, &other), Err(Error::NoCommonFormat(0)));
    let disabled = description(1, "m=audio 0 RTP/AVP 0\r\n");
    let taken = description(1, "m=audio 5 RTP/AVP 0\r\n");
    assert_eq!(check_answer(&disabled, &taken), Err(Error::Revived(0)));
}

#[test]
fn directions_answer_each_other() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let all = [SendRecv, SendOnly, RecvOnly, Inactive];
    for (offered, legal) in [
        (SendRecv, &all[..]),
        (SendOnly, &[RecvOnly, Inactive][..]),
        (RecvOnly, &[SendOnly, Inactive][..]),
        (Inactive, &[Inactive][..]),
    ] {
        for answer in all {
            assert_eq!(Direction::allows_answer(offered, answer), legal.contains(&answer));
            assert!(legal.contains(&Direction::answer(offered, answer)));
            let offer = description(1, &format!("m=audio 4 RTP/AVP 0\r\na={offered}\r\n"));
            let answered = description(1, &format!("m=audio 4 RTP/AVP 0\r\na={answer}\r\n"));
            assert_eq!(check_answer(&offer, &answered).is_ok(), legal.contains(&answer));
        }
    }
}

#[test]
fn the_offer_orders_and_numbers_the_codecs() {
    let offer = description(1, "m=audio 4 RTP/AVP 8 0 96\r\na=rtpmap:96 opus/48000/2\r\n");
    let ours = description(1, "m=audio 4 RTP/AVP 0 8 111\r\na=rtpmap:111 opus/48000/2\r\n");
    let chosen = codec::common(&codec::codecs(&offer.media[0]), &codec::codecs(&ours.media[0]));
    let numbers: Vec<u8> = chosen.iter().map(|codec| codec.payload_type).collect();
    assert_eq!(numbers, [8, 0, 96]);
}

#[test]
fn later_descriptions_continue() {
    let first = description(1, "m=audio 4 RTP/AVP 0\r\n");
    assert_eq!(check_next(&first, &first), Ok(()));
    assert_eq!(check_next(&first, &description(2, "m=audio 0 RTP/AVP 0\r\n")), Ok(()));
    assert_eq!(check_next(&first, &description(1, "m=audio 0 RTP/AVP 0\r\n")), Err(Error::Origin));
    assert_eq!(check_next(&first, &description(3, "m=audio 4 RTP/AVP 0\r\n")), Err(Error::Origin));
    let fewer = Err(Error::MediaCount { expected: 1, found: 0 });
    assert_eq!(check_next(&first, &description(2, "")), fewer);
}
