//! What goes on while online: roster, presence, messages, requests, capabilities.

use std::time::Duration;

use machine::Now;
use xmpp::client::disco::{Hash, Identity, Info};
use xmpp::client::{
    Client, Event, Presence, RequestError, SendError, Show, Subscription, defaults,
};
use xmpp::stanza::{Condition, MessageType};
use xmpp::xml::attribute;
use xmpp::{BareJid, Element, FullJid, Jid, Stanza, ns};

use crate::client_rig::{DOMAIN, ME, Rig, config};

const BOB: &str = "<item jid='bob@example.org' name='Bob' subscription='both'/>";

/// A verb about somebody.
type Verb = fn(&mut Client, Now, &BareJid) -> Result<(), SendError>;

fn online() -> Rig {
    let mut rig = Rig::new(config());
    rig.come_online(BOB);
    rig
}

fn jid(text: &str) -> Jid {
    Jid::new(text).unwrap()
}

fn bare(text: &str) -> BareJid {
    BareJid::new(text).unwrap()
}

fn full(text: &str) -> FullJid {
    FullJid::new(text).unwrap()
}

#[test]
fn nothing_is_sent_offline() {
    let mut rig = Rig::new(config());
    let message = rig.verb(|client, now| client.send_message(now, &jid("bob@example.org"), "hi"));
    assert_eq!(message, Err(SendError::Offline));
    let request = rig.verb(|client, now| client.request(now, None, question(), false));
    assert_eq!(request, Err(SendError::Offline));
    rig.verb(|client, now| client.set_presence(now, Presence::default()));
    assert!(rig.sent().is_empty());
}

#[test]
fn pushes_from_our_own_account_alone() {
    let mut rig = online();
    let push =
        "<query xmlns='jabber:iq:roster'><item jid='carol@example.org' subscription='to'/></query>";
    // Without a sender, and with our bare address.
    rig.say(&format!("<iq type='set' id='p1'>{push}</iq>"));
    let answer = rig.sent_stanza();
    assert_eq!((answer.type_(), answer.id(), answer.to()), (Some("result"), Some("p1"), None));
    assert!(matches!(rig.event(), Event::Contact(it) if it.jid.as_str() == "carol@example.org"));
    let removal = push.replace("'to'", "'remove'");
    rig.ask("alice@example.org", "set", &removal);
    assert_eq!(rig.sent_stanza().type_(), Some("result"));
    assert_eq!(rig.event(), Event::ContactRemoved(bare("carol@example.org")));
    // From anybody else nothing changes.
    for (n, stranger) in (1..).zip(["bob@example.org/x", DOMAIN, "mallory@example.net", ME]) {
        rig.ask(stranger, "set", push);
        let answer = rig.sent_stanza();
        let error = answer.stanza_error().map(|error| error.condition);
        assert_eq!(error, Some(Condition::ServiceUnavailable));
        assert_eq!(rig.client.get().stats().pushes_refused, n);
    }
    assert!(rig.events.is_empty());
    assert_eq!(rig.client.get().roster().count(), 1);
}

#[test]
fn contacts_are_saved_and_removed_by_request() {
    let mut rig = online();
    let carol = bare("carol@example.org");
    rig.verb(|client, now| {
        client.save_contact(now, &carol, Some("Carol"), &["Friends".to_owned()])
    })
    .unwrap();
    let save = rig.sent_stanza();
    assert_eq!((save.type_(), save.to()), (Some("set"), None));
    let item = save.payload("query", ns::ROSTER).unwrap().children().next().unwrap().clone();
    assert_eq!(attribute(&item, "jid"), Some("carol@example.org"));
    rig.verb(|client, now| client.remove_contact(now, &carol)).unwrap();
    assert!(String::from(rig.sent_stanza().element()).contains("remove"));
    let verbs: [(&str, Verb); 4] = [
        ("subscribe", Client::subscribe),
        ("subscribed", Client::approve),
        ("unsubscribed", Client::refuse),
        ("unsubscribe", Client::unsubscribe),
    ];
    for (type_, verb) in verbs {
        rig.verb(|client, now| verb(client, now, &carol)).unwrap();
        let told = rig.sent_stanza();
        assert_eq!((told.type_(), told.to()), (Some(type_), Some(&jid("carol@example.org"))));
    }
    rig.say("<presence from='carol@example.org/x' type='subscribe'><status>Hi</status></presence>");
    let (from, kind, status) = (carol, Subscription::Subscribe, Some("Hi".to_owned()));
    assert_eq!(rig.event(), Event::Subscription { from, kind, status });
}

#[test]
fn who_is_there() {
    let mut rig = online();
    rig.say(
        "<presence from='bob@example.org/phone'><show>away</show><priority>5</priority></presence>",
    );
    let event = Event::Presence {
        from: jid("bob@example.org/phone"),
        available: true,
        show: Show::Away,
        status: None,
        priority: 5,
    };
    assert_eq!(rig.event(), event);
    rig.say("<presence from='bob@example.org/desk'><priority>7</priority></presence>");
    rig.event();
    // A stranger is told of, and not kept.
    rig.say("<presence from='mallory@example.net/x'/>");
    assert!(matches!(rig.event(), Event::Presence { available: true, .. }));
    let there = |rig: &Rig, who: &str| -> Vec<String> {
        let resources = rig.client.get().resources(&bare(who));
        resources.iter().map(|it| it.jid.resource().to_string()).collect()
    };
    assert_eq!(there(&rig, "bob@example.org"), ["desk", "phone"]);
    assert!(there(&rig, "mallory@example.net").is_empty());
    rig.say(
        "<presence from='bob@example.org/desk' type='unavailable'><status>bye</status></presence>",
    );
    assert!(matches!(rig.event(), Event::Presence { available: false, status: Some(_), .. }));
    assert_eq!(there(&rig, "bob@example.org"), ["phone"]);
    rig.say("<presence from='bob@example.org' type='unavailable'/>");
    rig.event();
    assert!(there(&rig, "bob@example.org").is_empty());
    // Errors and probes are nobody's presence.
    rig.say("<presence from='bob@example.org' type='error'/>");
    assert!(matches!(rig.event(), Event::Stanza(_)));
}

/// Who is in the roster no longer, or does not let us see them, is not there for us: the other server
/// need not say so, and may be unreachable.
#[test]
fn who_may_not_be_seen_any_longer_is_gone() {
    let push = |rig: &mut Rig, jid: &str, subscription: &str| {
        let item = format!("<item jid='{jid}' subscription='{subscription}'/>");
        rig.ask(
            "alice@example.org",
            "set",
            &format!("<query xmlns='{}'>{item}</query>", ns::ROSTER),
        );
        assert_eq!(rig.sent_stanza().type_(), Some("result"));
    };
    for end in ["none", "from", "remove"] {
        let mut rig = online();
        for resource in ["desk", "phone"] {
            rig.say(&format!("<presence from='bob@example.org/{resource}'/>"));
            assert!(matches!(rig.event(), Event::Presence { available: true, .. }));
        }
        push(&mut rig, "bob@example.org", "to");
        assert!(matches!(rig.event(), Event::Contact(_)));
        assert_eq!(rig.client.get().resources(&bare("bob@example.org")).len(), 2);
        push(&mut rig, "bob@example.org", end);
        assert!(matches!(rig.event(), Event::Contact(_) | Event::ContactRemoved(_)));
        for resource in ["desk", "phone"] {
            let from = jid(&format!("bob@example.org/{resource}"));
            let (available, show, status, priority) = (false, Show::Online, None, 0);
            assert_eq!(rig.event(), Event::Presence { from, available, show, status, priority });
        }
        assert!(rig.client.get().resources(&bare("bob@example.org")).is_empty(), "{end}");
        assert!(rig.events.is_empty());
    }
    // Our own devices are ours whatever the roster says.
    let mut rig = online();
    rig.say("<presence from='alice@example.org/phone'/>");
    rig.event();
    push(&mut rig, "alice@example.org", "none");
    assert_eq!(rig.client.get().resources(&bare("alice@example.org")).len(), 1);
}

#[test]
fn contacts_beyond_the_limit_are_counted() {
    let mut rig = Rig::new(config());
    let item = |n| format!("<item jid='user{n}@example.org'/>");
    rig.come_online(&(0..defaults::MAX_CONTACTS + 2).map(item).collect::<String>());
    assert_eq!(rig.client.get().roster().count(), defaults::MAX_CONTACTS);
    assert_eq!(rig.client.get().stats().contacts_refused, 2);
}

#[test]
fn our_presence() {
    let mut rig = online();
    let set = |rig: &mut Rig, presence: &Presence| {
        rig.verb(|client, now| client.set_presence(now, presence.clone()));
    };
    let status = Some("on\u{1}air".to_owned());
    let busy = Presence { show: Show::DoNotDisturb, status, priority: -1, hidden: false };
    set(&mut rig, &busy);
    let told = rig.sent_stanza();
    let text = |name| told.payload(name, ns::CLIENT).map(Element::text);
    assert_eq!(text("show").as_deref(), Some("dnd"));
    assert_eq!(text("status").as_deref(), Some("on\u{fffd}air"));
    assert_eq!(text("priority").as_deref(), Some("-1"));
    assert!(told.payload("c", ns::CAPS).is_some());
    let hidden = Presence { hidden: true, ..busy };
    set(&mut rig, &hidden);
    assert_eq!(rig.sent_stanza().type_(), Some("unavailable"));
    set(&mut rig, &hidden);
    assert!(rig.sent().is_empty());
}

#[test]
fn messages_and_those_that_come_back() {
    let mut rig = online();
    let bob = jid("bob@example.org");
    let id = rig.verb(|client, now| client.send_message(now, &bob, "wie geht's? <&>")).unwrap();
    let sent = rig.sent_stanza();
    assert_eq!((sent.id(), sent.type_()), (Some(id.as_str()), Some("chat")));
    assert_eq!(sent.body().as_deref(), Some("wie geht's? <&>"));
    // Somebody who does not know the id, and somebody who is not Bob.
    let error = "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let come_back = |rig: &mut Rig, from: &str, id: &str| {
        rig.say(&format!("<message from='{from}' id='{id}' type='error'>{error}</message>"));
        rig.event()
    };
    assert!(matches!(come_back(&mut rig, "bob@example.org", "guess"), Event::Stanza(_)));
    assert!(matches!(come_back(&mut rig, "mallory@example.net", &id), Event::Stanza(_)));
    let Event::MessageFailed { to, id: failed, error } =
        come_back(&mut rig, "bob@example.org", &id)
    else {
        panic!("no failure")
    };
    assert_eq!((to, failed, error.condition), (bob, id.clone(), Condition::ServiceUnavailable));
    // Only once.
    assert!(matches!(come_back(&mut rig, "bob@example.org", &id), Event::Stanza(_)));
    rig.say("<message from='bob@example.org/x' id='m1' type='chat'><body>gut</body></message>");
    let Event::Message { from, id, kind, body, .. } = rig.event() else { panic!("no message") };
    assert_eq!((from, kind, body.as_str()), (jid("bob@example.org/x"), MessageType::Chat, "gut"));
    assert_eq!(id.as_deref(), Some("m1"));
    rig.say("<message from='bob@example.org/x'><propose xmlns='urn:xmpp:jingle-message:0' id='c'/></message>");
    let Event::Stanza(stanza) = rig.event() else { panic!("no stanza") };
    assert!(stanza.payload("propose", ns::JINGLE_MESSAGE).is_some());
}

#[test]
fn as_many_messages_are_remembered_as_may_be() {
    let mut rig = online();
    let message = |n: usize| {
        let mut message = Stanza::message(jid("bob@example.org"), MessageType::Chat, []);
        message.set_id(&format!("m{n}"));
        message
    };
    (0..=defaults::MAX_SENT).for_each(|n| rig.send(&message(n)).unwrap());
    let come_back = |rig: &mut Rig, n: usize| {
        rig.say(&format!("<message from='bob@example.org' id='m{n}' type='error'/>"));
        matches!(rig.event(), Event::MessageFailed { .. })
    };
    assert!(!come_back(&mut rig, 0));
    assert!(come_back(&mut rig, 1) && come_back(&mut rig, defaults::MAX_SENT));
}

fn question() -> Element {
    Element::bare("query", "urn:example:ask")
}

#[test]
fn requests_have_their_answer_whatever_happens() {
    let mut rig = online();
    let ask = |rig: &mut Rig, to: &str| {
        let to = jid(to);
        let id = rig.verb(|client, now| client.request(now, to.clone(), question(), true)).unwrap();
        let sent = rig.sent_stanza();
        assert_eq!(sent.type_(), Some("set"));
        (id, sent.id().unwrap().to_owned())
    };
    let (request, id) = ask(&mut rig, "bob@example.org/x");
    rig.say(&format!("<iq from='bob@example.org/y' type='result' id='{id}'/>"));
    rig.say(&format!("<iq type='result' id='{id}'/>"));
    assert!(rig.events.is_empty());
    assert_eq!(rig.client.get().stats().answers_unasked, 2);
    rig.say(&format!("<iq from='bob@example.org/x' type='result' id='{id}'><a xmlns='b'/></iq>"));
    let Event::Response { request: answered, result: Ok(Some(payload)) } = rig.event() else {
        panic!("no result")
    };
    assert!(answered == request && payload.is("a", "b"));
    let (request, id) = ask(&mut rig, "bob@example.org/x");
    rig.say(&format!(
        "<iq from='bob@example.org/x' type='error' id='{id}'><error type='cancel'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    let Event::Response { request: answered, result: Err(RequestError::Refused(error)) } =
        rig.event()
    else {
        panic!("no error")
    };
    assert!(answered == request && error.condition == Condition::ItemNotFound);
    let (request, id) = ask(&mut rig, "bob@example.org/x");
    rig.pass(defaults::REQUEST);
    let result = Err(RequestError::TimedOut);
    assert_eq!(rig.event(), Event::Response { request, result });
    rig.say(&format!("<iq from='bob@example.org/x' type='result' id='{id}'/>"));
    assert!(rig.events.is_empty());
    let (request, _) = ask(&mut rig, "bob@example.org/x");
    rig.close(machine::CloseReason::Reset);
    let result = Err(RequestError::Offline);
    assert_eq!(rig.event(), Event::Response { request, result });
    rig.offline();
}

#[test]
fn more_requests_than_may_wait() {
    let mut rig = online();
    let ask = |rig: &mut Rig| rig.verb(|client, now| client.request(now, None, question(), false));
    (0..defaults::MAX_REQUESTS).for_each(|_| assert!(ask(&mut rig).is_ok()));
    assert_eq!(ask(&mut rig), Err(SendError::Full));
    rig.pass(defaults::REQUEST);
    assert!(ask(&mut rig).is_ok());
}

#[test]
fn what_is_asked_of_us() {
    let mut rig = online();
    let (bob, mallory) = ("bob@example.org/x", "mallory@example.net/x");
    let ping = "<ping xmlns='urn:xmpp:ping'/>";
    rig.ask(bob, "get", ping);
    let answer = rig.sent_stanza();
    assert_eq!((answer.type_(), answer.to()), (Some("result"), Some(&jid(bob))));
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    rig.ask(bob, "get", items);
    assert_eq!(rig.sent_stanza().type_(), Some("result"));
    let disco = "<query xmlns='http://jabber.org/protocol/disco#info' node='other'/>";
    rig.ask(bob, "get", disco);
    let error = rig.sent_stanza().stanza_error().unwrap();
    assert_eq!(error.condition, Condition::ItemNotFound);
    let all = disco.replace(" node='other'", "");
    rig.ask(bob, "get", &all);
    let info = Info::parse(rig.sent_stanza().iq_payload().unwrap()).unwrap();
    assert!(info.supports("urn:example:talk") && info.supports(ns::PING));
    // The server may ask; a stranger hears what is said of whoever is not there.
    rig.ask("example.org", "get", ping);
    assert_eq!(rig.sent_stanza().type_(), Some("result"));
    for question in [ping, items, disco, &all] {
        rig.ask(mallory, "get", question);
        let error = rig.sent_stanza().stanza_error().unwrap();
        assert_eq!(error.condition, Condition::ServiceUnavailable);
    }
    // Anything else is the owner's.
    let id = rig.ask(mallory, "set", "<query xmlns='urn:example:ask'/>");
    let Event::Request { iq } = rig.event() else { panic!("no request") };
    let answer = Err(Condition::ServiceUnavailable.into());
    rig.verb(|client, now| client.respond(now, &iq, answer.clone())).unwrap();
    let sent = rig.sent_stanza();
    assert_eq!((sent.id(), sent.to(), sent.from()), (Some(&*id), Some(&jid(mallory)), None));
    assert!(sent.stanza_error().is_some());
}

#[test]
fn our_capabilities_have_the_hash_that_we_tell() {
    let mut rig = online();
    rig.verb(|client, now| client.set_presence(now, Presence::default()));
    let c = rig.sent_stanza().payload("c", ns::CAPS).unwrap().clone();
    let (node, ver) = (attribute(&c, "node").unwrap(), attribute(&c, "ver").unwrap());
    let question = format!("<query xmlns='{}' node='{node}#{ver}'/>", ns::DISCO_INFO);
    rig.ask("bob@example.org/x", "get", &question);
    let answer = rig.sent_stanza();
    let info = Info::parse(answer.iq_payload().unwrap()).unwrap();
    assert_eq!(info.ver(Hash::Sha1).as_deref(), Some(ver));
}

#[test]
fn what_others_can_do_is_asked_for_once_and_checked() {
    let mut rig = online();
    let info = Info {
        identities: vec![Identity::new("client", "phone", "Them")],
        features: vec!["urn:example:talk".to_owned()],
        forms: Vec::new(),
    };
    let ver = info.ver(Hash::Sha1).unwrap();
    let appear = |rig: &mut Rig, resource: &str, ver: &str| {
        rig.say(&format!(
            "<presence from='bob@example.org/{resource}'>\
             <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='{ver}'/></presence>"
        ));
        rig.event();
    };
    let answer = |rig: &mut Rig, question: &Stanza, info: &Info| {
        let (from, id) = (question.to().unwrap(), question.id().unwrap());
        let query = String::from(&info.element(None));
        rig.say(&format!("<iq from='{from}' type='result' id='{id}'>{query}</iq>"));
    };
    let supports = |rig: &Rig, resource: &str, feature: &str| {
        rig.client.get().supports(&full(&format!("bob@example.org/{resource}")), feature)
    };
    appear(&mut rig, "one", &ver);
    let question = rig.sent_stanza();
    let node = attribute(question.iq_payload().unwrap(), "node").map(str::to_owned);
    assert_eq!(node, Some(format!("n#{ver}")));
    assert_eq!(supports(&rig, "one", "urn:example:talk"), None);
    appear(&mut rig, "two", &ver);
    assert!(rig.sent().is_empty());
    answer(&mut rig, &question, &info);
    for resource in ["one", "two"] {
        let told = Event::Capabilities(full(&format!("bob@example.org/{resource}")));
        assert_eq!(rig.event(), told);
        assert_eq!(supports(&rig, resource, "urn:example:talk"), Some(true));
        assert_eq!(supports(&rig, resource, "urn:example:fly"), Some(false));
    }
    appear(&mut rig, "three", &ver);
    assert!(rig.sent().is_empty());
    assert_eq!(supports(&rig, "three", "urn:example:talk"), Some(true));
    rig.events.clear();
    // Somebody whose answer has another hash than was told.
    appear(&mut rig, "liar", "bGllcyBhbmQgbGllcyBhbmQ=");
    let question = rig.sent_stanza();
    answer(&mut rig, &question, &info);
    assert!(matches!(rig.event(), Event::Capabilities(_)));
    assert_eq!(rig.client.get().stats().caps_mismatched, 1);
    appear(&mut rig, "fellow", "bGllcyBhbmQgbGllcyBhbmQ=");
    assert_eq!(supports(&rig, "fellow", "urn:example:talk"), None);
    assert_eq!(rig.sent_stanza().to(), Some(&jid("bob@example.org/fellow")));
    rig.pass(Duration::from_secs(60));
    assert_eq!(supports(&rig, "fellow", "urn:example:talk"), None);
}

#[test]
fn a_roster_that_does_not_come_does_not_hide_us() {
    let mut rig = Rig::new(config());
    rig.verb(Client::connect);
    rig.resolve_plainly();
    rig.connect();
    rig.log_in();
    assert!(rig.sent_stanza().payload("query", ns::ROSTER).is_some());
    rig.pass(defaults::REQUEST);
    let presence = rig.sent_stanza();
    assert_eq!((presence.type_(), presence.to()), (None, None));
}
