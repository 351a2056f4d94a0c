//! Jingle as others write it, and as we do.

use jid::Jid;
use minidom::Element;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::content::Grouped;
use super::reason::Text;
use super::transport::{Fingerprint, IceCandidate, RawCandidate, RemoteCandidate, Setup};
use super::{
    Action, Condition, Content, Creator, Group, IceUdp, Info, Initiation, Jingle, RawUdp, Reason,
    Refusal, Senders, Transport, limits, rtp,
};
use crate::stanza::StanzaError;
use crate::{defaults, ns};

const DINO: &str = include_str!("../../tests/fixtures/jingle/dino-0.4.2.xml");
const STANZA: &str = include_str!("../../tests/fixtures/jingle/stanza-12.22-chromium-156.xml");
const TALK: &str = include_str!("../../tests/fixtures/jingle/talk-session-accept.xml");

/// The stanzas of a recording, in order.
pub(super) fn stanzas(recording: &str) -> Vec<Element> {
    let mut text = String::new();
    for part in recording.split("<!--") {
        text.push_str(part.split_once("-->").map_or(part, |(_, after)| after));
    }
    let document: Element = format!("<s xmlns='jabber:client'>{text}</s>").parse().unwrap();
    document.children().cloned().collect()
}

/// Every element at any depth that is called `name` in `namespace`.
fn all_called(element: &Element, name: &str, namespace: &str) -> Vec<Element> {
    if element.is(name, namespace) {
        return vec![element.clone()];
    }
    element.children().flat_map(|child| all_called(child, name, namespace)).collect()
}

/// Jingle's steps in a recording, each with its sender if the stanza names one.
pub(super) fn steps(recording: &str) -> Vec<(Option<Jid>, Jingle)> {
    let step = |stanza: &Element| {
        let from = stanza.attr("from").map(|from| from.parse().unwrap());
        let elements = all_called(stanza, "jingle", ns::JINGLE);
        elements.into_iter().map(move |e| (from.clone(), read_whole(&e))).collect::<Vec<_>>()
    };
    stanzas(recording).iter().flat_map(step).collect()
}

/// Reads an element, which loses nothing; and the same is read again of what is written.
fn read_whole(element: &Element) -> Jingle {
    let read = Jingle::try_from(element).unwrap();
    assert_eq!(Jingle::dropped(element), [""; 0], "{element:?}");
    assert_eq!(again(&read), read);
    read
}

/// What is read of the text that is written.
fn again(jingle: &Jingle) -> Jingle {
    let text = String::from(&Element::from(jingle));
    let element: Element = text.parse().unwrap();
    Jingle::try_from(&element).unwrap()
}

fn names(unknown: Vec<&Element>) -> Vec<String> {
    unknown.into_iter().map(|element| element.name().to_owned()).collect()
}

#[test]
fn dinos_call_is_read_whole() {
    let steps = steps(DINO);
    let actions: Vec<Action> = steps.iter().map(|(_, jingle)| jingle.action).collect();
    assert_eq!(actions, [Action::SessionInitiate, Action::SessionAccept]);
    for (_, jingle) in &steps {
        assert_eq!(names(jingle.unknown()), [""; 0]);
        assert_eq!(jingle.sid, "3477b11a-cdaf-4613-9f58-59b6b475d33e");
    }
    let [audio] = &steps[0].1.contents[..] else { panic!("one content") };
    assert_eq!((audio.name.as_str(), audio.senders()), ("audio", Senders::Both));
    let description = audio.description.as_ref().unwrap();
    let codecs: Vec<&str> =
        description.payload_types.iter().filter_map(|codec| codec.name.as_deref()).collect();
    assert_eq!(codecs, ["opus", "speex", "speex", "speex", "PCMU", "PCMA"]);
    let encryption = description.encryption.as_ref().unwrap();
    assert_eq!((encryption.required, encryption.cryptos.len()), (None, 1));
    let Some(Transport::IceUdp(ice)) = &audio.transport else { panic!("ICE") };
    assert_eq!((ice.candidates.len(), ice.gathering_complete), (4, false));
    assert_eq!(ice.fingerprints[0].setup, Some(Setup::ActPass));
    assert_eq!(ice.fingerprints[0].bytes().unwrap().len(), 32);
}

#[test]
fn dinos_proposals_are_read_whole() {
    let mut read = Vec::new();
    for stanza in stanzas(DINO) {
        for name in ["propose", "ringing", "proceed", "reject", "retract", "accept", "finish"] {
            for element in all_called(&stanza, name, ns::JINGLE_MESSAGE) {
                let initiation = Initiation::try_from(&element).unwrap();
                let written = Element::from(&initiation);
                assert_eq!(super::tree::missing(&element, &written), [""; 0]);
                assert_eq!(Initiation::try_from(&written).unwrap(), initiation);
                let unknown = names(initiation.unknown().iter().collect());
                read.push((name, initiation.proposes("audio"), unknown));
            }
        }
    }
    // What Dino adds is of its own: which device's keys verify the fingerprint.
    let device = || vec!["device".to_owned()];
    assert_eq!(
        read,
        [
            ("propose", true, vec![]),
            ("proceed", false, device()),
            ("propose", true, vec![]),
            ("proceed", false, device()),
        ]
    );
}

#[test]
fn stanzas_call_is_read_whole() {
    let steps = steps(STANZA);
    let actions: Vec<Action> = steps.iter().map(|(_, jingle)| jingle.action).collect();
    let (initiate, info) = (Action::SessionInitiate, Action::TransportInfo);
    let accept = Action::SessionAccept;
    assert_eq!(actions, [initiate, info, info, info, info, info, accept, info, info, info]);
    let unknown: Vec<_> = steps.iter().map(|(_, jingle)| names(jingle.unknown())).collect();
    // No specification of Jingle's has these two.
    let both = vec!["rtcp-reduced-size".to_owned(), "stream".to_owned()];
    for (index, unknown) in unknown.into_iter().enumerate() {
        assert_eq!(unknown, if matches!(index, 0 | 6) { both.clone() } else { vec![] });
    }
    let description = steps[0].1.contents[0].description.as_ref().unwrap();
    assert_eq!((description.ssrc, description.rtcp_mux), (Some(723_456_548), true));
    assert_eq!((description.header_extensions.len(), description.sources.len()), (4, 1));
    assert_eq!(description.payload_types[0].feedbacks[0].kind, "transport-cc");
    let bare = &description.payload_types[1].parameters[0];
    assert_eq!((bare.name.as_deref(), bare.value.as_deref()), (Some("111/111"), None));
    assert_eq!(steps[0].1.groups[0].semantics, "BUNDLE");
    let candidates: Vec<_> = steps
        .iter()
        .filter_map(|(_, step)| match step.contents[0].transport.as_ref()? {
            Transport::IceUdp(ice) => ice.candidates.first(),
            Transport::RawUdp(_) => None,
        })
        .collect();
    let protocols: Vec<_> = candidates.iter().map(|c| c.protocol.as_str()).collect();
    assert_eq!(protocols, ["udp", "udp", "tcp", "tcp", "udp", "udp"]);
    assert_eq!(candidates[2].tcp_type.as_deref(), Some("active"));
    assert_eq!(candidates[0].id, None);
    let complete = |index: usize| {
        let transport = steps[index].1.contents[0].transport.as_ref();
        matches!(transport, Some(Transport::IceUdp(ice)) if ice.gathering_complete)
    };
    assert!(complete(5) && complete(9) && !complete(0));
}

#[test]
fn the_talks_accept_is_read_whole() {
    let steps = steps(TALK);
    let [(Some(from), accept)] = &steps[..] else { panic!("one step") };
    assert_eq!(from.as_str(), "juliet@capulet.lit/balcony");
    assert_eq!((accept.action, accept.sid.as_str()), (Action::SessionAccept, "a73sjjvkla37jfea"));
    assert_eq!(accept.responder.as_ref(), Some(from));
    assert!(accept.unknown().is_empty());
    let content = &accept.contents[0];
    assert_eq!((content.creator, content.name.as_str()), (Creator::Initiator, "voice"));
    let codec = &content.description.as_ref().unwrap().payload_types[0];
    assert_eq!((codec.id, codec.name.as_deref(), codec.clockrate), (18, Some("G729"), None));
    let Some(Transport::RawUdp(raw)) = &content.transport else { panic!("raw UDP") };
    let ports: Vec<_> = raw.candidates.iter().map(|c| (c.component, c.port)).collect();
    assert_eq!(ports, [(1, 9876), (2, 9877)]);
}

#[test]
fn what_is_lost_is_named() {
    let element: Element =
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='a' odd='1'>\
        <ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1' loud='yes'/><kept xmlns='urn:x'/></jingle>"
            .parse()
            .unwrap();
    assert_eq!(Jingle::dropped(&element), ["/jingle/ringing@loud=yes", "/jingle@odd=1"]);
    let read = Jingle::try_from(&element).unwrap();
    assert_eq!((names(read.unknown()), read.info), (vec!["kept".to_owned()], Some(Info::Ringing)));
}

#[test]
fn what_breaks_the_schema_is_refused() {
    for text in [
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='a'>words</jingle>",
        "<jingle xmlns='urn:xmpp:jingle:0' action='session-info' sid='a'/>",
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-info'/>",
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-dance' sid='a'/>",
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='a' initiator='@'/>",
        "<jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='a'><content name='a'/></jingle>",
        "<jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='a'>\
         <content creator='me' name='a'/></jingle>",
    ] {
        let element: Element = text.parse().unwrap();
        assert!(Jingle::try_from(&element).is_err(), "{text}");
    }
}

#[test]
fn refusals_are_stanza_errors() {
    for refusal in Refusal::ALL {
        let error = StanzaError::from(*refusal);
        assert_eq!(Refusal::of(&StanzaError::parse(&error.element())), Some(*refusal));
    }
    let other = StanzaError::from(crate::stanza::Condition::ServiceUnavailable);
    assert_eq!(Refusal::of(&other), None);
    // Some name the general condition wrongly, and Jingle's own right.
    let app = Element::bare("tie-break", ns::JINGLE_ERRORS);
    assert_eq!(Refusal::of(&other.with_app(app)), Some(Refusal::TieBreak));
}

#[test]
fn fingerprints_are_bytes_or_nothing() {
    let fingerprint = |value: &str| {
        let (hash, value) = ("sha-1".to_owned(), value.to_owned());
        Fingerprint { hash, setup: None, required: None, value }.bytes()
    };
    assert_eq!(fingerprint(" 0A:ff \n"), Some(vec![10, 255]));
    for odd in ["", "0", "0A:", "+1", "0Aff", "0A:é", "0g"] {
        assert_eq!(fingerprint(odd), None, "{odd}");
    }
}

#[test]
fn limits_hold() {
    fn step(change: impl FnOnce(&mut Content)) -> Result<(), Refusal> {
        let mut content = Content::new(Creator::Initiator, "a");
        content.description = Some(rtp::Description::default());
        content.transport = Some(Transport::IceUdp(IceUdp::default()));
        change(&mut content);
        let mut jingle = Jingle::new(Action::SessionInitiate, "s");
        jingle.contents = vec![content];
        limits::check(&jingle)
    }
    type Change = fn(&mut Content, usize);
    let cases: [(usize, Change); 5] = [
        (defaults::MAX_JINGLE_PAYLOAD_TYPES, |content, n| {
            let codecs = vec![rtp::PayloadType::default(); n];
            content.description.as_mut().unwrap().payload_types = codecs;
        }),
        (defaults::MAX_JINGLE_PARAMETERS, |content, n| {
            let parameters = vec![rtp::Parameter::default(); n];
            let codec = rtp::PayloadType { parameters, ..Default::default() };
            content.description.as_mut().unwrap().payload_types = vec![codec];
        }),
        (defaults::MAX_JINGLE_CANDIDATES, |content, n| {
            let candidates = vec![RawCandidate::default(); n];
            content.transport =
                Some(Transport::RawUdp(RawUdp { candidates, ..Default::default() }));
        }),
        (defaults::MAX_JINGLE_STRING_BYTES, |content, n| content.name = "x".repeat(n)),
        (defaults::MAX_JINGLE_STRING_BYTES, |content, n| {
            let ufrag = Some("x".repeat(n));
            content.transport = Some(Transport::IceUdp(IceUdp { ufrag, ..Default::default() }));
        }),
    ];
    for (limit, change) in cases {
        assert_eq!(step(|content| change(content, limit)), Ok(()));
        assert_eq!(step(|content| change(content, limit + 1)), Err(Refusal::TooMuch));
    }
    let mut jingle = Jingle::new(Action::SessionInitiate, "s");
    jingle.contents =
        vec![Content::new(Creator::Initiator, "a"); defaults::MAX_JINGLE_CONTENTS + 1];
    assert_eq!(limits::check(&jingle), Err(Refusal::TooMuch));
    let sid = "s".repeat(defaults::MAX_JINGLE_STRING_BYTES + 1);
    assert_eq!(limits::check(&Jingle::new(Action::SessionInfo, &sid)), Err(Refusal::TooMuch));
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß∂]{0,12}"
}

fn word<T: Copy + std::fmt::Debug>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn unknown() -> impl Strategy<Value = Vec<Element>> {
    let element =
        ("[a-z]{1,8}", text(), vec("[a-z]{1,4}", 0..3)).prop_map(|(name, text, children)| {
            let children = children.into_iter().map(|name| Element::bare(name, "urn:x:child"));
            let builder = Element::builder(name, "urn:x:unknown").append_all(children);
            if text.trim().is_empty() { builder.build() } else { builder.append(text).build() }
        });
    vec(element, 0..3)
}

prop_compose! {
    fn payload_type()(
        id: u8,
        name in option::of(text()),
        clockrate: Option<u32>,
        channels: Option<u8>,
        ptime: Option<u32>,
        maxptime: Option<u32>,
        parameters in vec((option::of(text()), option::of(text())), 0..3),
        feedback in option::of((text(), option::of(text()))),
        interval: Option<u32>,
        unknown in unknown(),
    ) -> rtp::PayloadType {
        let feedback = feedback.map(|(kind, subtype)| rtp::Feedback {
            kind, subtype, parameters: Vec::new(),
        });
        rtp::PayloadType {
            id, name, clockrate, channels, ptime, maxptime, unknown,
            parameters: parameters
                .into_iter()
                .map(|(name, value)| rtp::Parameter { name, value })
                .collect(),
            feedbacks: feedback.into_iter().collect(),
            feedback_interval: interval.map(|millis| rtp::FeedbackInterval { millis }),
        }
    }
}

prop_compose! {
    fn encryption()(
        required: Option<bool>,
        crypto in option::of([text(), text(), text()]),
        zrtp in option::of(text()),
        unknown in unknown(),
    ) -> rtp::Encryption {
        let crypto = crypto.map(|[tag, suite, key_params]| rtp::Crypto {
            tag, suite, key_params, session_params: None,
        });
        let zrtp = zrtp.map(|value| rtp::ZrtpHash { version: "1.10".to_owned(), value });
        let (cryptos, zrtp_hashes) = (crypto.into_iter().collect(), zrtp.into_iter().collect());
        rtp::Encryption { required, cryptos, zrtp_hashes, unknown }
    }
}

prop_compose! {
    fn description()(
        media in text(),
        ssrc: Option<u32>,
        payload_types in vec(payload_type(), 0..3),
        encryption in option::of(encryption()),
        flags: [bool; 2],
        bandwidth in option::of((text(), text())),
        extension in option::of((any::<u16>(), text(), option::of(word(Senders::ALL)))),
        source in option::of((any::<u32>(), text(), option::of(text()))),
        unknown in unknown(),
    ) -> rtp::Description {
        let source = source.map(|(ssrc, name, value)| rtp::Source {
            ssrc, parameters: vec![rtp::SourceParameter { name, value }], unknown: Vec::new(),
        });
        let group = source.clone().map(|source| rtp::SourceGroup {
            semantics: "FID".to_owned(), sources: vec![source],
        });
        let extension = extension.map(|(id, uri, senders)| rtp::HeaderExtension {
            id, uri, senders, parameters: Vec::new(), unknown: Vec::new(),
        });
        let bandwidth = bandwidth.map(|(kind, value)| rtp::Bandwidth { kind, value });
        let [rtcp_mux, extmap_allow_mixed] = flags;
        rtp::Description {
            media, ssrc, payload_types, encryption, rtcp_mux, extmap_allow_mixed, unknown,
            bandwidths: bandwidth.into_iter().collect(),
            feedbacks: Vec::new(),
            header_extensions: extension.into_iter().collect(),
            sources: source.into_iter().collect(),
            source_groups: group.into_iter().collect(),
        }
    }
}

prop_compose! {
    fn ice_candidate()(
        component: u16,
        texts in [text(), text(), text(), text()],
        numbers: [Option<u16>; 3],
        port: u16,
        priority: u32,
        options in [option::of(text()), option::of(text()), option::of(text())],
        unknown in unknown(),
    ) -> IceCandidate {
        let [foundation, ip, protocol, kind] = texts;
        let [generation, network, rel_port] = numbers;
        let [id, rel_addr, tcp_type] = options;
        IceCandidate {
            component, foundation, generation, id, ip, network, port, priority, protocol, rel_addr,
            rel_port, tcp_type, kind, unknown,
        }
    }
}

fn fingerprints() -> impl Strategy<Value = Vec<Fingerprint>> {
    let fingerprint = (text(), option::of(word(Setup::ALL)), any::<Option<bool>>(), text());
    let fingerprint = fingerprint.prop_map(|(hash, setup, required, value)| Fingerprint {
        hash,
        setup,
        required,
        value,
    });
    vec(fingerprint, 0..3)
}

fn transport() -> impl Strategy<Value = Transport> {
    let ice = (
        [option::of(text()), option::of(text())],
        fingerprints(),
        vec(ice_candidate(), 0..4),
        vec((any::<u16>(), text(), any::<u16>()), 0..2),
        any::<bool>(),
        unknown(),
    );
    let ice =
        ice.prop_map(|([ufrag, pwd], fingerprints, candidates, remote, complete, unknown)| {
            let remote = remote.into_iter();
            let remote =
                remote.map(|(component, ip, port)| RemoteCandidate { component, ip, port });
            Transport::IceUdp(IceUdp {
                ufrag,
                pwd,
                fingerprints,
                candidates,
                remote_candidates: remote.collect(),
                gathering_complete: complete,
                unknown,
            })
        });
    let candidate = (any::<u16>(), any::<Option<u16>>(), option::of(text()), text(), any::<u16>());
    let candidate = candidate.prop_map(|(component, generation, id, ip, port)| {
        let (kind, unknown) = (id.clone(), Vec::new());
        RawCandidate { component, generation, id, ip, port, kind, unknown }
    });
    let raw = (vec(candidate, 0..4), fingerprints(), unknown());
    let raw = raw.prop_map(|(candidates, fingerprints, unknown)| {
        Transport::RawUdp(RawUdp { candidates, fingerprints, unknown })
    });
    prop_oneof![ice, raw]
}

prop_compose! {
    fn content()(
        creator in word(Creator::ALL),
        name in text(),
        senders in option::of(word(Senders::ALL)),
        disposition in option::of(text()),
        description in option::of(description()),
        transport in option::of(transport()),
        unknown in unknown(),
    ) -> Content {
        Content { creator, name, senders, disposition, description, transport, unknown }
    }
}

fn reason() -> impl Strategy<Value = Reason> {
    let condition = prop_oneof![
        Just(Condition::Success),
        Just(Condition::SecurityError),
        Just(Condition::UnsupportedTransports),
        option::of(text()).prop_map(|sid| Condition::AlternativeSession { sid }),
    ];
    let text = (option::of("[a-z]{2}"), text()).prop_map(|(lang, value)| Text { lang, value });
    (option::of(condition), option::of(text), unknown())
        .prop_map(|(condition, text, unknown)| Reason { condition, text, unknown })
}

fn info() -> impl Strategy<Value = Info> {
    prop_oneof![
        Just(Info::Ringing),
        Just(Info::Active),
        Just(Info::Hold),
        Just(Info::Unhold),
        (option::of(word(Creator::ALL)), option::of(text()))
            .prop_map(|(creator, name)| Info::Mute { creator, name }),
        (option::of(word(Creator::ALL)), option::of(text()))
            .prop_map(|(creator, name)| Info::Unmute { creator, name }),
    ]
}

prop_compose! {
    pub(super) fn jingle()(
        action in word(Action::ALL),
        sid in text(),
        named: bool,
        contents in vec(content(), 0..3),
        groups in vec((text(), vec(text(), 0..3)), 0..2),
        reason in option::of(reason()),
        info in option::of(info()),
        unknown in unknown(),
    ) -> Jingle {
        let jid: Jid = "juliet@capulet.lit/balcony".parse().unwrap();
        let group = |(semantics, names): (String, Vec<String>)| Group {
            semantics,
            contents: names.into_iter().map(|name| Grouped { name }).collect(),
        };
        Jingle {
            action, sid, contents, reason, info, unknown,
            initiator: named.then(|| jid.clone()),
            responder: (!named).then_some(jid),
            groups: groups.into_iter().map(group).collect(),
        }
    }
}

/// Trees that look like Jingle from afar.
fn tree() -> impl Strategy<Value = Element> {
    let name = || {
        prop::sample::select(vec![
            "jingle",
            "content",
            "description",
            "payload-type",
            "parameter",
            "transport",
            "candidate",
            "fingerprint",
            "encryption",
            "crypto",
            "reason",
            "text",
            "group",
            "ringing",
            "mute",
            "odd",
        ])
    };
    let namespace = || {
        prop::sample::select(vec![
            ns::JINGLE,
            ns::JINGLE_RTP,
            ns::JINGLE_ICE_UDP,
            ns::JINGLE_RAW_UDP,
            ns::JINGLE_DTLS,
            ns::JINGLE_GROUPING,
            ns::JINGLE_RTP_INFO,
            "urn:x",
        ])
    };
    let attribute = || {
        let names = vec!["action", "sid", "creator", "name", "id", "port", "component", "media"];
        let values = vec!["session-initiate", "initiator", "1", "audio", "99999", "udp", ""];
        (prop::sample::select(names), prop::sample::select(values))
    };
    let element = move |children: Vec<Element>, text: String| {
        (name(), namespace(), vec(attribute(), 0..6)).prop_map(
            move |(name, namespace, attributes)| {
                let builder = Element::builder(name, namespace).append_all(children.clone());
                let builder = if text.is_empty() { builder } else { builder.append(text.as_str()) };
                let mut element = builder.build();
                for (name, value) in attributes {
                    crate::xml::set_attribute(&mut element, name, Some(value));
                }
                element
            },
        )
    };
    text().prop_flat_map(move |text| element(Vec::new(), text)).prop_recursive(
        5,
        40,
        5,
        move |inner| {
            vec(inner, 0..5).prop_flat_map(move |children| element(children, String::new()))
        },
    )
}

proptest! {
    #[test]
    fn every_step_survives(jingle in jingle()) {
        prop_assert_eq!(again(&jingle), jingle.clone());
        let element = Element::from(&jingle);
        prop_assert_eq!(Jingle::dropped(&element), Vec::<String>::new());
    }

    #[test]
    fn arbitrary_trees_never_panic(tree in tree()) {
        let _ = Initiation::try_from(&tree);
        let mut jingle = Element::builder("jingle", ns::JINGLE).append(tree).build();
        crate::xml::set_attribute(&mut jingle, "action", Some("session-initiate"));
        crate::xml::set_attribute(&mut jingle, "sid", Some("a"));
        if let Ok(read) = Jingle::try_from(&jingle) {
            let _ = (Jingle::dropped(&jingle), limits::check(&read));
            prop_assert_eq!(again(&read), read);
        }
    }
}
