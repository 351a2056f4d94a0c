//! Headers, answers, errors.

use proptest::prelude::*;

use super::{Condition, ErrorType, IqType, Kind, MessageType, PresenceType, Stanza, StanzaError};
use crate::{Element, Jid, ns};

fn element(text: &str) -> Element {
    let (name, rest) = text.split_at(text.find([' ', '>', '/']).unwrap());
    format!("{name} xmlns='jabber:client'{rest}").parse().unwrap()
}

fn parse(text: &str) -> Stanza {
    Stanza::parse(element(text)).unwrap()
}

fn refused(text: &str) -> (Condition, Option<String>) {
    let malformed = Stanza::parse(element(text)).unwrap_err();
    let answer = malformed.answer().map(|answer| String::from(&answer));
    (malformed.error.condition, answer)
}

#[test]
fn a_header() {
    let stanza = parse(
        "<message from='A@Example.org/x' to='b@example.org' id='7' type='chat' xml:lang='de'>\
         <body>Hallo</body><x xmlns='urn:x'><y/></x></message>",
    );
    assert_eq!(stanza.kind(), Kind::Message(MessageType::Chat));
    assert_eq!(stanza.from().unwrap().as_str(), "a@example.org/x");
    assert_eq!(stanza.to().unwrap().as_str(), "b@example.org");
    assert_eq!((stanza.id(), stanza.type_(), stanza.lang()), (Some("7"), Some("chat"), Some("de")));
    assert_eq!(stanza.body().as_deref(), Some("Hallo"));
    assert!(stanza.payload("x", "urn:x").is_some() && stanza.payload("x", "urn:y").is_none());
    assert_eq!(stanza.payloads().count(), 2);
    let kinds = [
        ("<message/>", Kind::Message(MessageType::Normal)),
        ("<message type='nonsense'/>", Kind::Message(MessageType::Normal)),
        ("<presence/>", Kind::Presence(PresenceType::Available)),
        ("<presence type='subscribe'/>", Kind::Presence(PresenceType::Subscribe)),
        ("<iq id='1' type='set'><a/></iq>", Kind::Iq(IqType::Set)),
        ("<iq id='1' type='result'/>", Kind::Iq(IqType::Result)),
    ];
    for (text, kind) in kinds {
        assert_eq!(parse(text).kind(), kind, "{text}");
    }
}

#[test]
fn stanzas_that_are_none() {
    let bad = Condition::BadRequest;
    for (text, condition) in [
        ("<iq id='1'><a/></iq>", bad),
        ("<iq id='1' type='put'><a/></iq>", bad),
        ("<iq type='get'><a/></iq>", bad),
        ("<iq id='' type='get'><a/></iq>", bad),
        ("<iq id='1' type='get'/>", bad),
        ("<iq id='1' type='get'>text</iq>", bad),
        ("<iq id='1' type='set'><a/><b/></iq>", bad),
        ("<presence type='here'/>", bad),
        ("<message to='@example.org'/>", Condition::JidMalformed),
        ("<message to=''/>", Condition::JidMalformed),
        ("<presence from='a@b@c'/>", Condition::JidMalformed),
    ] {
        let (found, answer) = refused(text);
        assert_eq!(found, condition, "{text}");
        assert!(answer.unwrap().contains("type='error'"), "{text}");
    }
    let (_, answer) = refused("<iq id='a1' type='get'/>");
    assert!(answer.unwrap().contains("id='a1'"));
    //= RFC 6120 §8.3.1: an error is not answered
    for text in ["<message type='error' to=''/>", "<iq id='1' type='result'><a/><b/></iq>"] {
        assert_eq!(refused(text).1, None, "{text}");
    }
    assert!(Stanza::parse(Element::bare("message", ns::SERVER)).is_err());
    assert!(Stanza::parse(Element::bare("query", ns::CLIENT)).is_err());
}

#[test]
fn answers_go_back_with_the_same_id() {
    let request = parse("<iq from='a@x/1' to='b@x' id='9' type='get'><a xmlns='u'/></iq>");
    let result = request.result(Element::bare("a", "u"));
    assert_eq!(result.kind(), Kind::Iq(IqType::Result));
    assert_eq!(
        (result.from(), result.to(), result.id()),
        (request.to(), request.from(), Some("9"))
    );
    assert!(result.iq_payload().unwrap().is("a", "u"));
    let error = StanzaError::new(Condition::ItemNotFound, "no such thing");
    let answer = request.error(&error);
    assert_eq!(answer.kind(), Kind::Iq(IqType::Error));
    assert_eq!((answer.to(), answer.id()), (request.from(), Some("9")));
    assert_eq!(answer.stanza_error(), Some(error));
    assert!(request.may_be_answered() && !result.may_be_answered() && !answer.may_be_answered());
    assert_eq!(Stanza::parse(answer.element().clone()), Ok(answer));
    // Where the request named nobody, the answer does not either.
    let bare = parse("<iq id='9' type='get'><a xmlns='u'/></iq>").result(None);
    assert_eq!(String::from(bare.element()), "<iq xmlns='jabber:client' id='9' type='result'/>");
}

#[test]
fn addresses_and_language_are_set_in_the_tree_too() {
    let mut stanza = Stanza::message(None, MessageType::Chat, [Element::bare("body", ns::CLIENT)]);
    stanza.set_from(Jid::new("a@x/1").unwrap());
    stanza.set_to(Jid::new("b@x").unwrap());
    stanza.set_id("1");
    stanza.default_lang("de");
    stanza.default_lang("en");
    let again = Stanza::parse(stanza.element().clone()).unwrap();
    assert_eq!(again, stanza);
    assert_eq!((again.lang(), again.id()), (Some("de"), Some("1")));
    stanza.set_to(None);
    assert_eq!(Stanza::parse(stanza.into_element()).unwrap().to(), None);
}

#[test]
fn errors_are_read_as_written() {
    let mut error = StanzaError::from(Condition::Conflict)
        .with_app(Element::bare("unknown-session", "urn:xmpp:jingle:errors:1"));
    error.kind = ErrorType::Wait;
    assert_eq!(StanzaError::parse(&error.element()), error);
    for &condition in Condition::ALL {
        assert_eq!(Condition::parse(condition.name()), Some(condition));
        let error = StanzaError::from(condition);
        assert_eq!(StanzaError::parse(&error.element()), error);
    }
    assert_eq!(Condition::ALL.len(), 22);
    // One that nobody knows, and no type.
    let strange = "<error><brewing-tea xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let strange = StanzaError::parse(&element(strange));
    assert_eq!(strange, Condition::UndefinedCondition.into());
}

proptest! {
    /// Whatever a stanza carries, parsing and setting its addresses leaves the rest as it came.
    #[test]
    fn the_tree_is_passed_on(id in "[a-z<>&' ]{0,8}", body in "\\PC{0,20}", resource in "[a-z]{1,5}") {
        let body = Element::builder("body", ns::CLIENT).append(body).build();
        let strange = Element::builder("x", "urn:x").append(body.clone()).build();
        let to = Jid::new(&format!("b@example.org/{resource}")).unwrap();
        let mut first = Stanza::message(to, MessageType::Chat, [body, strange]);
        first.set_id(&id);
        let mut second = Stanza::parse(first.element().clone()).unwrap();
        prop_assert_eq!(&second, &first);
        second.set_from(Jid::new("a@example.org").unwrap());
        second.set_from(None);
        prop_assert_eq!(second.element(), first.element());
    }
}
