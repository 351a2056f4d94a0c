//! Description to Jingle and back, across to SDP, and Jingle as other programs write it.

use std::time::Duration;

use ice::{Candidate, CandidateKind, Credentials};
use machine::{Endpoint, Entropy};
use proptest::prelude::*;
use xmpp::jingle as wire;
use xmpp::{Element, Jid};

use super::{DTLS_SRTP, SDES, Session, Trickled, condition};
use crate::description::{
    Codec, Content, Creator, Description, Direction, Ice, Keying, MediaKind, Transport,
};
use crate::map::arbitrary::{description, forgiven};
use crate::map::{Loss, sdp};
use crate::negotiate::{Error, agree};
use crate::{Capabilities, defaults};

const DINO: &str = include_str!("../../../../xmpp/tests/fixtures/jingle/dino-0.4.2.xml");
const STANZA: &str =
    include_str!("../../../../xmpp/tests/fixtures/jingle/stanza-12.22-chromium-156.xml");
const TALK: &str = include_str!("../../../../xmpp/tests/fixtures/jingle/talk-session-accept.xml");

fn session(role: Creator) -> Session {
    Session::new(role, &Entropy::seeded(1))
}

/// Jingle's steps in a recording, each with its sender if the stanza names one.
fn steps(recording: &str) -> Vec<wire::Jingle> {
    let mut text = String::new();
    for part in recording.split("<!--") {
        text.push_str(part.split_once("-->").map_or(part, |(_, after)| after));
    }
    let document: Element = format!("<s xmlns='jabber:client'>{text}</s>").parse().unwrap();
    let elements =
        document.children().filter_map(|stanza| stanza.get_child("jingle", xmpp::ns::JINGLE));
    elements.map(|element| wire::Jingle::try_from(element).unwrap()).collect()
}

/// What the other end reads of the XML that is written.
fn carried(contents: &[wire::Content]) -> Vec<wire::Content> {
    let mut jingle = wire::Jingle::new(wire::Action::SessionInitiate, "s");
    jingle.contents = contents.to_vec();
    let text = String::from(&Element::from(&jingle));
    wire::Jingle::try_from(&text.parse::<Element>().unwrap()).unwrap().contents
}

/// Writes and reads again.
fn round(description: &Description, speaker: Creator) -> (Description, Vec<Loss>) {
    let (contents, losses) = session(speaker).write(description);
    let (read, more) = session(super::other(speaker)).read(&carried(&contents), &[]);
    assert_eq!(more, [], "what we write, we understand");
    (read, losses)
}

fn party() -> impl Strategy<Value = Creator> {
    prop_oneof![Just(Creator::Initiator), Just(Creator::Responder)]
}

proptest! {
    #[test]
    fn descriptions_survive(
        description in description(),
        speaker in party(),
        creators in prop::collection::vec(party(), 4),
    ) {
        let mut description = description;
        for (content, creator) in description.contents.iter_mut().zip(creators) {
            content.creator = creator;
        }
        let (read, losses) = round(&description, speaker);
        let (before, after) = forgiven(&description, &read, &losses);
        prop_assert_eq!(before, after);
        // Only what this rendering has no words for was lost.
        let expected = |loss: &Loss| matches!(
            loss,
            Loss::Refused(_) | Loss::Keying(_) | Loss::Lite(_) | Loss::Defaults(_) | Loss::Name(_)
        );
        prop_assert!(losses.iter().all(expected), "{losses:?}");
        // What was read is said without loss.
        prop_assert_eq!(round(&read, speaker), (read, vec![]));
    }

    #[test]
    fn descriptions_cross_to_sdp_and_back(description in description()) {
        let (jingle, _) = round(&description, Creator::Initiator);
        let [mut ours, mut theirs] = [1, 2].map(|n| sdp::Session::new(&mut Entropy::seeded(n)));
        let (text, losses) = ours.write(&jingle);
        let (read, more) = theirs.read(&text).unwrap();
        prop_assert_eq!(more, vec![]);
        let (before, after) = forgiven(&jingle, &read, &losses);
        prop_assert_eq!(before, after);
        let expected = |loss: &Loss| matches!(loss, Loss::Defaults(_));
        prop_assert!(losses.iter().all(expected), "{losses:?}");
        // And back.
        let (back, losses) = round(&read, Creator::Initiator);
        let (before, after) = forgiven(&read, &back, &losses);
        prop_assert_eq!(before, after);
        // The other way around: SDP first.
        let (text, _) = ours.write(&description);
        let (read, _) = theirs.read(&text).unwrap();
        let (jingle, losses) = round(&read, Creator::Responder);
        let (before, after) = forgiven(&read, &jingle, &losses);
        prop_assert_eq!(before, after);
    }
}

fn at(port: u16) -> Endpoint {
    Endpoint::new([192, 0, 2, 1], port)
}

fn candidate(port: u16) -> Candidate {
    Candidate::signalled(CandidateKind::Host, 1, "1", 1000, at(port))
}

fn ice(ufrag: &str) -> Ice {
    let credentials = Credentials { ufrag: ufrag.to_owned(), pwd: "p".repeat(22) };
    Ice { credentials, lite: false, complete: false, candidates: vec![candidate(1000)] }
}

fn offer() -> Description {
    let transport = Transport { ice: Some(ice("aaaa")), defaults: vec![Some(at(1000))] };
    Capabilities::default().offer(Direction::BOTH, transport)
}

/// Both ends after an offer and its answer.
fn agreed() -> (Session, Session) {
    let (mut ours, mut theirs) = (session(Creator::Initiator), session(Creator::Responder));
    let (contents, losses) = ours.write(&offer());
    assert_eq!(losses, []);
    let (offer, _) = theirs.read(&carried(&contents), &[]);
    let transport = Transport { ice: Some(ice("bbbb")), defaults: vec![Some(at(1000))] };
    let answer = Capabilities::default().answer(&offer, 0, Direction::BOTH, transport);
    let (contents, _) = theirs.write(&answer);
    let (read, _) = ours.read(&carried(&contents), &[]);
    assert_eq!(read, answer);
    agree(&offer, &read).unwrap();
    (ours, theirs)
}

/// What cannot be said is named.
#[test]
fn losses_are_named() {
    let mut tcp = candidate(9);
    tcp.transport = machine::Transport::Tcp;
    let mut odd = candidate(9);
    odd.foundation = "not a foundation".to_owned();
    let mut codec = Codec::pcmu();
    codec.parameters.push(("a\u{1}b".to_owned(), String::new()));
    let lite = Ice { lite: true, candidates: vec![tcp, odd], ..ice("aaaa") };
    let content = Content {
        name: "line\nbreak".to_owned(),
        creator: Creator::Responder,
        media: MediaKind::Audio,
        refused: false,
        direction: Direction::BOTH,
        codecs: vec![codec, Codec::pcmu(), Codec { clock_rate: 0, ..Codec::pcma() }],
        packet_time: Some(Duration::from_micros(2500)),
        rtcp_mux: true,
        keying: Keying::None,
        transport: Transport { ice: Some(lite), defaults: vec![Some(at(5))] },
    };
    let broken = Credentials { ufrag: "x".to_owned(), pwd: "y".to_owned() };
    let broken = Transport {
        ice: Some(Ice { credentials: broken, ..ice("aaaa") }),
        defaults: vec![Some(at(5))],
    };
    let contents = vec![
        content.clone(),
        Content { refused: true, ..content.clone() },
        Content { keying: Keying::Unknown(SDES.to_owned()), ..content.clone() },
        Content { media: MediaKind::Other(String::new()), ..content.clone() },
        Content { transport: broken, codecs: Vec::new(), name: "v".to_owned(), ..content },
    ];
    let (written, losses) = session(Creator::Initiator).write(&Description { contents });
    let lost = |text: &str| Loss::Candidate(0, text.to_owned());
    assert_eq!(
        losses,
        [
            Loss::Name(0),
            Loss::Name(1),
            Loss::Name(2),
            Loss::Name(3),
            Loss::PacketTime(0),
            Loss::Codec(0, 0),
            Loss::Codec(0, 0),
            Loss::Codec(0, 8),
            Loss::Lite(0),
            lost("host 192.0.2.1:9"),
            lost("host 192.0.2.1:9"),
            Loss::Defaults(0),
            Loss::Refused(1),
            Loss::Keying(2),
            Loss::Content(3),
            Loss::PacketTime(4),
            Loss::PacketTime(4),
            Loss::Credentials(4),
        ]
    );
    let names: Vec<&str> = written.iter().map(|content| content.name.as_str()).collect();
    assert_eq!(names, ["0", "v"]);
    assert!(matches!(written[1].transport, Some(wire::Transport::RawUdp(_))));
}

#[test]
fn names_that_are_there_twice_are_told_apart() {
    let mut twice = offer();
    twice.contents.push(twice.contents[0].clone());
    "1".clone_into(&mut twice.contents[0].name);
    "1".clone_into(&mut twice.contents[1].name);
    let (contents, losses) = session(Creator::Initiator).write(&twice);
    assert_eq!(losses, [Loss::Name(1)]);
    assert_eq!((contents[0].name.as_str(), contents[1].name.as_str()), ("1", "1'"));
}

#[test]
fn telephone_events_have_a_name_in_jingle() {
    let (contents, losses) = session(Creator::Initiator).write(&offer());
    assert_eq!(losses, []);
    let codecs = &contents[0].description.as_ref().unwrap().payload_types;
    let parameter = |name: Option<&str>, value: Option<&str>| wire::rtp::Parameter {
        name: name.map(str::to_owned),
        value: value.map(str::to_owned),
    };
    assert_eq!(codecs[2].parameters, [parameter(Some("events"), Some("0-15"))]);
    assert!(codecs.iter().all(|codec| codec.ptime == Some(20)));
    // Others turn the bare word of SDP into a name, or into a value.
    for said in [
        parameter(Some("0-15"), None),
        parameter(Some("0-15"), Some("")),
        parameter(Some(""), Some("0-15")),
        parameter(None, Some("0-15")),
    ] {
        let mut contents = contents.clone();
        contents[0].description.as_mut().unwrap().payload_types[2].parameters = vec![said];
        let (read, _) = session(Creator::Responder).read(&contents, &[]);
        assert_eq!(read.contents[0].codecs[2], Codec::telephone_event(101));
    }
}

#[test]
fn the_talks_accept_is_understood() {
    let accept = &steps(TALK)[0];
    let mut ours = session(Creator::Initiator);
    let g729 = Codec { name: "G729".to_owned(), payload_type: 18, ..Codec::pcmu() };
    let mut offer = offer();
    "voice".clone_into(&mut offer.contents[0].name);
    offer.contents[0].codecs.push(g729.clone());
    // It is by raw UDP, which only an offer without ICE is answered with.
    offer.contents[0].transport.ice = None;
    ours.write(&offer);
    let (answer, losses) = ours.read(&accept.contents, &accept.groups);
    assert_eq!(losses, []);
    let voice = &answer.contents[0];
    assert_eq!((voice.codecs.as_slice(), voice.direction), (&[g729][..], Direction::BOTH));
    let at = |port| Some(Endpoint::new([208, 68, 163, 214], port));
    assert_eq!(voice.transport, Transport { ice: None, defaults: vec![at(9876), at(9877)] });
    let agreed = agree(&offer, &answer).unwrap();
    assert_eq!((agreed.send.name.as_str(), agreed.rtcp_mux), ("G729", false));
}

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

/// The answer to a session-initiate that wants media keys.
fn refuse(initiate: &wire::Jingle) -> (Description, Vec<Loss>, wire::Jingle) {
    let (us, them) = (jid("bob@example.test/b"), jid("alice@example.test/a"));
    let mut signalling = wire::Session::incoming(us, them, initiate).unwrap();
    let (offer, losses) = session(Creator::Responder).read(&initiate.contents, &initiate.groups);
    let error = Capabilities::default().choose(&offer).unwrap_err();
    assert_eq!(error, Error::Keying);
    let reason = condition(&initiate.contents, &error).into();
    (offer, losses, signalling.terminate(reason).unwrap())
}

#[test]
fn calls_with_media_keys_are_refused_for_that() {
    let other = |name: &str| Loss::Other(0, name.to_owned());
    let lost = [
        vec![],
        vec![
            Loss::Grouping,
            other("ssrc"),
            other("rtcp-fb"),
            other("rtp-hdrext"),
            other("source"),
            other("rtcp-reduced-size"),
            other("stream"),
        ],
    ];
    for (recording, lost) in [DINO, STANZA].into_iter().zip(lost) {
        let steps = steps(recording);
        let (offer, losses, terminate) = refuse(&steps[0]);
        assert_eq!(losses, lost);
        assert_eq!(offer.contents[0].keying, Keying::Unknown(DTLS_SRTP.to_owned()));
        assert_eq!(terminate.action, wire::Action::SessionTerminate);
        assert_eq!(terminate.sid, steps[0].sid);
        assert_eq!(terminate.reason.unwrap().condition, Some(wire::Condition::SecurityError));
    }
}

#[test]
fn recorded_descriptions_are_understood() {
    let dino = steps(DINO);
    let (offer, _) = session(Creator::Responder).read(&dino[0].contents, &dino[0].groups);
    let audio = &offer.contents[0];
    assert_eq!((audio.name.as_str(), audio.codecs.len(), audio.rtcp_mux), ("audio", 6, true));
    assert_eq!(audio.codecs[0].parameters, [("useinbandfec".to_owned(), "1".to_owned())]);
    let ice = audio.transport.ice.as_ref().unwrap();
    assert_eq!((ice.candidates.len(), ice.complete, ice.lite), (4, false, false));
    let at = |port| Some(Endpoint::new("fd77::11".parse::<std::net::IpAddr>().unwrap(), port));
    assert_eq!(audio.transport.defaults, [at(35412), at(33297)]);
    let stanza = steps(STANZA);
    let mut ours = session(Creator::Responder);
    let (offer, _) = ours.read(&stanza[0].contents, &stanza[0].groups);
    assert_eq!(offer.contents[0].codecs[1].parameters, [("111/111".to_owned(), String::new())]);
    let mut told = Vec::new();
    let mut lost = Vec::new();
    for step in &stanza[1..6] {
        let (trickled, losses) = ours.read_candidates(&step.contents);
        told.extend(trickled.into_iter().map(|t| (t.candidates.len(), t.complete)));
        lost.extend(losses);
    }
    assert_eq!(told, [(1, false), (1, false), (0, false), (0, false), (0, true)]);
    let tcp = |text: &str| Loss::Candidate(0, text.to_owned());
    assert_eq!(lost, [tcp("host tcp 10.77.0.11 9"), tcp("host tcp fd77::11 9")]);
    let ice = ours.theirs().unwrap().contents[0].transport.ice.as_ref().unwrap();
    assert_eq!((ice.candidates.len(), ice.complete), (2, true));
}

/// One content with `change`, and how its protection is understood.
fn keying(change: fn(&mut wire::Content)) -> (Keying, Vec<Loss>) {
    let (mut contents, _) = session(Creator::Initiator).write(&offer());
    change(&mut contents[0]);
    let (read, losses) = session(Creator::Responder).read(&contents, &[]);
    (read.contents[0].keying.clone(), losses)
}

#[test]
fn protection_that_can_be_done_without_is_done_without() {
    fn encrypt(content: &mut wire::Content, required: Option<bool>) {
        let encryption = wire::rtp::Encryption { required, ..Default::default() };
        content.description.as_mut().unwrap().encryption = Some(encryption);
    }
    fn unknown(content: &mut wire::Content, name: &str) {
        content.unknown.push(Element::bare(name, "urn:xmpp:tmp"));
    }
    let sdes = Keying::Unknown(SDES.to_owned());
    let dtls = Keying::Unknown(DTLS_SRTP.to_owned());
    assert_eq!(keying(|_| {}), (Keying::None, vec![]));
    assert_eq!(keying(|c| encrypt(c, None)), (Keying::None, vec![Loss::Keying(0)]));
    assert_eq!(keying(|c| encrypt(c, Some(false))), (Keying::None, vec![Loss::Keying(0)]));
    assert_eq!(keying(|c| encrypt(c, Some(true))), (sdes, vec![]));
    // Earlier drafts under other names are no less protection.
    assert_eq!(keying(|c| unknown(c, "fingerprint")).0, dtls);
    assert_eq!(keying(|c| unknown(c, "encryption")).0, Keying::Unknown(SDES.to_owned()));
}

#[test]
fn what_is_missing_or_unknown_has_its_reason() {
    let (contents, _) = session(Creator::Initiator).write(&offer());
    let reason = |change: fn(&mut wire::Content)| {
        let mut contents = contents.clone();
        change(&mut contents[0]);
        let (read, _) = session(Creator::Responder).read(&contents, &[]);
        let error = Capabilities::default().choose(&read).unwrap_err();
        condition(&contents, &error)
    };
    assert_eq!(reason(|c| c.description = None), wire::Condition::UnsupportedApplications);
    let video = |c: &mut wire::Content| {
        "video".clone_into(&mut c.description.as_mut().unwrap().media);
    };
    assert_eq!(reason(video), wire::Condition::UnsupportedApplications);
    assert_eq!(reason(|c| c.transport = None), wire::Condition::UnsupportedTransports);
    let bare = |c: &mut wire::Content| c.description.as_mut().unwrap().payload_types.clear();
    assert_eq!(reason(bare), wire::Condition::IncompatibleParameters);
}

#[test]
fn an_answer_keeps_the_offers_places() {
    let mut two = offer();
    let mut video = two.contents[0].clone();
    (video.name, video.media) = ("1".to_owned(), MediaKind::Video);
    two.contents.insert(0, video);
    let mut ours = session(Creator::Initiator);
    let (contents, _) = ours.write(&two);
    let (offered, _) = session(Creator::Responder).read(&contents, &[]);
    let transport = Transport { ice: Some(ice("bbbb")), defaults: vec![Some(at(1000))] };
    let answer = Capabilities::default().answer(&offered, 1, Direction::BOTH, transport);
    let mut theirs = session(Creator::Responder);
    theirs.read(&contents, &[]);
    let (contents, losses) = theirs.write(&answer);
    assert_eq!((contents.len(), losses), (1, vec![Loss::Refused(0)]));
    let (read, _) = ours.read(&contents, &[]);
    assert!(read.contents[0].refused && !read.contents[1].refused);
    assert_eq!(agree(&two, &read).unwrap().index, 1);
}

#[test]
fn candidates_trickle() {
    let (mut ours, mut theirs) = agreed();
    let (contents, losses) = ours.write_candidates(0, &[candidate(2000)], false);
    assert_eq!(losses, []);
    let told =
        |candidates: Vec<Candidate>, complete| vec![Trickled { index: 0, candidates, complete }];
    let read = theirs.read_candidates(&carried(&contents));
    assert_eq!(read, (told(vec![candidate(2000)], false), vec![]));
    let (contents, _) = ours.write_candidates(0, &[], true);
    assert_eq!(theirs.read_candidates(&carried(&contents)), (told(vec![], true), vec![]));
    let ice = theirs.theirs().unwrap().contents[0].transport.ice.as_ref().unwrap();
    assert_eq!((ice.candidates.len(), ice.complete), (2, true));
    // Candidates of other credentials are of another time.
    let mut late = contents;
    if let Some(wire::Transport::IceUdp(ice)) = &mut late[0].transport {
        ice.ufrag = Some("zzzz".to_owned());
    }
    assert_eq!(theirs.read_candidates(&late), (vec![], vec![Loss::Credentials(0)]));
    // Places that nobody has are nobody's.
    late[0].name = "other".to_owned();
    assert_eq!(theirs.read_candidates(&late), (vec![], vec![]));
    assert_eq!(ours.write_candidates(7, &[], true).0, []);
}

#[test]
fn a_restart_has_a_generation_of_its_own() {
    let (mut ours, mut theirs) = agreed();
    let mut again = offer();
    assert!(!ours.replaces(&again));
    again.contents[0].transport.ice = Some(ice("cccc"));
    assert!(ours.replaces(&again));
    let (contents, _) = ours.write_transports(&again);
    assert!(contents[0].description.is_none());
    let Some(wire::Transport::IceUdp(sent)) = &contents[0].transport else { panic!("ICE") };
    assert_eq!(sent.candidates[0].generation, Some(1));
    let (offer, losses) = theirs.read_transports(&carried(&contents)).unwrap();
    assert_eq!((offer, losses), (again.clone(), vec![]));
    let transport = Transport { ice: Some(ice("dddd")), defaults: vec![Some(at(1000))] };
    let answer = Capabilities::default().answer(&again, 0, Direction::BOTH, transport);
    let (contents, _) = theirs.write_transports(&answer);
    let (read, _) = ours.read_transports(&carried(&contents)).unwrap();
    assert_eq!(read, answer);
}

#[test]
fn holds_of_both_sides_are_told_apart() {
    let (mut ours, mut theirs) = agreed();
    let mut held = offer();
    held.contents[0].direction = Direction::SENDS;
    assert_eq!(Session::info(&held), wire::Info::Hold);
    assert_eq!(Session::info(&offer()), wire::Info::Unhold);
    let direction = |read: Option<Description>| read.unwrap().contents[0].direction;
    assert_eq!(direction(theirs.read_info(&wire::Info::Hold)), Direction::SENDS);
    assert_eq!(direction(ours.read_info(&wire::Info::Hold)), Direction::SENDS);
    assert_eq!(direction(theirs.read_info(&wire::Info::Unhold)), Direction::BOTH);
    assert_eq!(direction(ours.read_info(&wire::Info::Active)), Direction::BOTH);
    assert_eq!(ours.read_info(&wire::Info::Ringing), None);
    // Who may send at all is another matter.
    let mut bare = wire::Content::new(wire::Creator::Initiator, "0");
    bare.senders = Some(wire::Senders::Responder);
    assert_eq!(direction(theirs.read_senders(&[bare.clone()])), Direction::RECEIVES);
    assert_eq!(direction(theirs.read_info(&wire::Info::Hold)), Direction::NEITHER);
    assert_eq!(direction(theirs.read_info(&wire::Info::Unhold)), Direction::RECEIVES);
    assert!(theirs.read_removed(&[bare]).unwrap().contents[0].refused);
}

#[test]
fn limits_hold() {
    let (contents, _) = session(Creator::Initiator).write(&offer());
    let read = |contents: &[wire::Content]| session(Creator::Responder).read(contents, &[]);
    let many = vec![contents[0].clone(); defaults::MAX_CONTENTS + 2];
    let (offer, losses) = read(&many);
    assert_eq!((offer.contents.len(), losses.len()), (many.len(), 2));
    let mut content = contents[0].clone();
    let description = content.description.as_mut().unwrap();
    let codec = description.payload_types[2].clone();
    let many = |id: u8| wire::rtp::PayloadType { id, ..codec.clone() };
    description.payload_types = (0..100).map(many).collect();
    let parameter = description.payload_types[0].parameters[0].clone();
    description.payload_types[0].parameters = vec![parameter; defaults::MAX_PARAMETERS + 1];
    let Some(wire::Transport::IceUdp(ice)) = &mut content.transport else { panic!("ICE") };
    ice.candidates = vec![ice.candidates[0].clone(); defaults::MAX_CANDIDATES + 1];
    let (offer, losses) = read(&[content]);
    assert_eq!(losses, [Loss::TooMany(0), Loss::TooMany(0), Loss::TooMany(0)]);
    let read = &offer.contents[0];
    assert_eq!(read.codecs.len(), defaults::MAX_CODECS);
    assert_eq!(read.codecs[0].parameters.len(), defaults::MAX_PARAMETERS);
    let candidates = |content: &Content| content.transport.ice.as_ref().unwrap().candidates.len();
    assert_eq!(candidates(read), defaults::MAX_CANDIDATES);
    // One by one they are no more.
    let (mut ours, mut theirs) = agreed();
    let (more, _) = ours.write_candidates(0, &vec![candidate(9); defaults::MAX_CANDIDATES], false);
    let (trickled, losses) = theirs.read_candidates(&more);
    assert_eq!(trickled[0].candidates.len(), defaults::MAX_CANDIDATES - 1);
    assert_eq!(losses, [Loss::TooMany(0)]);
}

#[test]
fn odd_codecs_and_candidates_are_named() {
    let (mut contents, _) = session(Creator::Initiator).write(&offer());
    let description = contents[0].description.as_mut().unwrap();
    let bare = |id| wire::rtp::PayloadType { id, ..wire::rtp::PayloadType::default() };
    let named = |id, name: &str| wire::rtp::PayloadType { name: Some(name.to_owned()), ..bare(id) };
    description.payload_types = vec![
        bare(0),
        bare(8),
        bare(8),
        bare(96),
        named(97, "x"),
        named(128, "PCMU"),
        named(9, "g722"),
    ];
    description.payload_types[0].ptime = Some(20);
    description.payload_types[1].ptime = Some(30);
    let Some(wire::Transport::IceUdp(ice)) = &mut contents[0].transport else { panic!("ICE") };
    let candidate = ice.candidates[0].clone();
    let odd = |ip: &str, kind: &str, foundation: &str| wire::transport::IceCandidate {
        ip: ip.to_owned(),
        kind: kind.to_owned(),
        foundation: foundation.to_owned(),
        ..candidate.clone()
    };
    ice.candidates = vec![
        odd("4b-7a.local", "host", "1"),
        odd("192.0.2.1", "strange", "1"),
        odd("192.0.2.1", "host", ""),
    ];
    ice.remote_candidates.push(wire::transport::RemoteCandidate::default());
    let (read, losses) = session(Creator::Responder).read(&contents, &[]);
    let names: Vec<_> =
        read.contents[0].codecs.iter().map(|c| (c.payload_type, c.name.as_str())).collect();
    assert_eq!(names, [(0, "PCMU"), (8, "PCMA"), (9, "g722")]);
    assert_eq!(read.contents[0].packet_time, Some(Duration::from_millis(20)));
    let lost = |text: &str| Loss::Candidate(0, text.to_owned());
    assert_eq!(
        losses,
        [
            Loss::Codec(0, 8),
            Loss::Codec(0, 96),
            Loss::Codec(0, 97),
            Loss::Codec(0, 128),
            Loss::PacketTime(0),
            Loss::Other(0, "remote-candidate".to_owned()),
            lost("host udp 4b-7a.local 1000"),
            lost("strange udp 192.0.2.1 1000"),
            lost("host udp 192.0.2.1 1000"),
        ]
    );
}

/// Who leaves the credentials away gets no media where nothing asks for consent.
#[test]
fn ice_without_credentials_is_refused() {
    let (mut contents, _) = session(Creator::Initiator).write(&offer());
    if let Some(wire::Transport::IceUdp(ice)) = &mut contents[0].transport {
        ice.pwd = None;
    }
    let (read, losses) = session(Creator::Responder).read(&contents, &[]);
    assert!(read.contents[0].refused && read.contents[0].transport == Transport::default());
    assert_eq!(losses, [Loss::Credentials(0)]);
    let error = Capabilities::default().choose(&read).unwrap_err();
    assert_eq!(condition(&contents, &error), wire::Condition::FailedTransport);
}

#[test]
fn no_other_transport_takes_the_place_of_ice() {
    let (_, mut theirs) = agreed();
    let before = theirs.theirs().cloned();
    let mut plain = offer();
    plain.contents[0].transport.ice = None;
    let (contents, _) = session(Creator::Initiator).write(&plain);
    assert!(matches!(contents[0].transport, Some(wire::Transport::RawUdp(_))));
    assert_eq!(theirs.read_transports(&contents), None);
    assert_eq!(theirs.theirs().cloned(), before, "nothing has changed");
    // Nor in an answer.
    let mut ours = session(Creator::Initiator);
    let _ = ours.write(&offer());
    let (answer, _) = ours.read(&contents, &[]);
    assert!(answer.contents[0].refused);
    assert_eq!(answer.contents[0].transport, Transport::default());
}
