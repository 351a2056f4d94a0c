//! Bad input: refused with the right error, counted, and the others served.

use std::time::Duration;

use machine::{Id, Machine as _};
use proptest::collection::vec;
use proptest::prelude::*;
use xmpp::server::{Cause, Event, Question, Refusal};

use crate::server_rig::{HEADER, ROOM, Rig, at, config, password, plain};

/// Bob is there, and is served after whatever happened.
struct Served {
    rig: Rig,
    bob: Id,
    carol: Id,
}

impl Served {
    fn new() -> Self {
        let mut rig = Rig::new();
        let (bob, carol) = (rig.online("bob", "laptop"), rig.online("carol", "tablet"));
        Self { rig, bob, carol }
    }

    /// Checks that a stream has ended with an error which was counted once, and that others are
    /// served.
    fn refused(mut self, conn: Id, condition: &str, refusal: Refusal) {
        let text = self.rig.text(conn);
        let error = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
        assert!(text.contains(&error), "{condition} in {text}");
        assert!(text.ends_with("</stream:error></stream:stream>"), "{text}");
        assert!(self.rig.closed.contains(&conn));
        self.counted(refusal);
    }

    fn counted(mut self, refusal: Refusal) {
        assert_eq!(self.rig.refused(refusal), 1, "{refusal:?}");
        let total: u64 = Refusal::ALL.iter().map(|refusal| self.rig.refused(*refusal)).sum();
        assert_eq!(total, 1, "nothing else is counted");
        self.rig.clear();
        let hello = "<message to='carol@example.org/tablet'><body>hello</body></message>";
        self.rig.send(self.bob, hello);
        assert_eq!(self.rig.read(self.carol), ["message from bob@example.org/laptop: hello"]);
    }
}

#[test]
fn before_anything_is_known() {
    for (bytes, condition, refusal) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not-well-formed", Refusal::BadXml),
        (b"\xff\xfe<stream/>".to_vec(), "unsupported-encoding", Refusal::BadXml),
        (
            HEADER.replace("example.org", "example.net").into_bytes(),
            "host-unknown",
            Refusal::BadStream,
        ),
        (
            HEADER.replace("http://etherx.jabber.org/streams", "urn:x").into_bytes(),
            "invalid-namespace",
            Refusal::BadStream,
        ),
        (vec![b' '; 100_000], "policy-violation", Refusal::TooLarge),
    ] {
        let mut served = Served::new();
        let conn = served.rig.accept(false, at("198.51.100.200:1"), ROOM);
        served.rig.bytes(conn, &bytes);
        let text = served.rig.text(conn);
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        assert!(text.contains(&format!("<{condition} ")), "{start}: {condition} in {text}");
        assert!(served.rig.closed.contains(&conn));
        served.counted(refusal);
    }
}

#[test]
fn before_authentication() {
    for (what, condition, refusal) in [
        ("<message to='bob@example.org'/>", "not-authorized", Refusal::Unauthenticated),
        ("<presence/>", "not-authorized", Refusal::Unauthenticated),
        (
            "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
            "not-authorized",
            Refusal::Unauthenticated,
        ),
    ] {
        for direct_tls in [true, false] {
            let mut served = Served::new();
            let conn = served.rig.accept(direct_tls, at("198.51.100.200:1"), ROOM);
            served.rig.send(conn, HEADER);
            served.rig.text(conn);
            served.rig.send(conn, what);
            served.refused(conn, condition, refusal);
        }
    }
    // A bomb is smaller for who has not logged in.
    let mut served = Served::new();
    let conn = served.rig.connect();
    served.rig.send(conn, HEADER);
    served.rig.text(conn);
    let deep = "<a xmlns='urn:x'>".repeat(20);
    served.rig.send(conn, &deep);
    let text = served.rig.text(conn);
    assert!(text.contains("<policy-violation "), "{text}");
    served.counted(Refusal::TooLarge);
}

#[test]
fn before_binding() {
    let mut served = Served::new();
    let conn = served.rig.connect();
    served.rig.log_in(conn, "alice");
    served.rig.text(conn);
    served.rig.send(conn, "<message to='bob@example.org'><body>hello</body></message>");
    served.refused(conn, "not-authorized", Refusal::Unauthenticated);
}

#[test]
fn plaintext_after_starttls() {
    // In the same segment, and while the handshake is under way: nothing of it counts.
    for at_once in [true, false] {
        let mut served = Served::new();
        served.rig.hold_tls = true;
        let conn = served.rig.accept(false, at("198.51.100.200:1"), ROOM);
        served.rig.send(conn, HEADER);
        let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
        if at_once {
            served.rig.send(conn, &format!("{starttls}{HEADER}"));
        } else {
            served.rig.send(conn, starttls);
            served.rig.send(conn, HEADER);
        }
        assert!(served.rig.closed.contains(&conn), "at once: {at_once}");
        served.counted(Refusal::Plaintext);
    }
}

#[test]
fn on_a_session() {
    let bomb = "x".repeat(300_000);
    let deep = "<a>".repeat(100);
    let wide = format!("<message>{}</message>", "<a xmlns='urn:x'/>".repeat(10_000));
    let attributes: String = (0..200).map(|n| format!(" a{n}='x'")).collect();
    for (what, condition, refusal) in [
        (HEADER.to_owned(), "restricted-xml", Refusal::BadXml),
        (HEADER.replace("<?xml version='1.0'?>", ""), "", Refusal::BadStream),
        (format!("<message><body>{bomb}"), "policy-violation", Refusal::TooLarge),
        (format!("<message>{deep}"), "policy-violation", Refusal::TooLarge),
        (wide, "policy-violation", Refusal::TooLarge),
        (format!("<message{attributes}/>"), "policy-violation", Refusal::TooLarge),
        ("<message></presence>".to_owned(), "not-well-formed", Refusal::BadXml),
        ("<message><!-- x --></message>".to_owned(), "restricted-xml", Refusal::BadXml),
        ("<message>&bomb;</message>".to_owned(), "", Refusal::BadXml),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>".to_owned(), "", Refusal::BadXml),
        ("<message xmlns='urn:x'/>".to_owned(), "", Refusal::BadStream),
        (
            "<message from='bob@example.org/laptop' to='carol@example.org'/>".to_owned(),
            "invalid-from",
            Refusal::SpoofedFrom,
        ),
        (
            "<iq type='set' id='1' from='bob@example.org'><query xmlns='jabber:iq:roster'>\
             <item jid='zoe@example.org'/></query></iq>"
                .to_owned(),
            "invalid-from",
            Refusal::SpoofedFrom,
        ),
    ] {
        let mut served = Served::new();
        let conn = served.rig.login("alice", "phone");
        served.rig.send(conn, &what);
        let text = served.rig.text(conn);
        let start: String = what.chars().take(60).collect();
        assert!(text.contains(&format!("<{condition}")), "{start}: {condition} in {text}");
        assert!(text.ends_with("</stream:error></stream:stream>"), "{start}: {text}");
        assert!(served.rig.closed.contains(&conn), "{start}");
        let ended = served.rig.events.last();
        assert!(
            matches!(ended, Some(Event::SessionEnded { cause: Cause::Refused, .. })),
            "{start}: {ended:?}"
        );
        assert_eq!(served.rig.refused(refusal), 1, "{start}: {refusal:?}");
        served.counted(refusal);
    }
    // Bytes that are no UTF-8.
    let mut served = Served::new();
    let conn = served.rig.login("alice", "phone");
    served.rig.bytes(conn, b"<message><body>\xc3\x28</body></message>");
    assert!(served.rig.text(conn).contains("<stream:error>"));
    served.counted(Refusal::BadXml);
}

#[test]
fn its_own_from_may_stand_there() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.login("alice", "phone"), rig.online("bob", "laptop"));
    rig.clear();
    for from in ["alice@example.org", "alice@example.org/phone"] {
        rig.send(alice, &format!("<message from='{from}' to='bob@example.org/laptop'/>"));
        assert_eq!(rig.read(bob), ["message from alice@example.org/phone"]);
    }
    assert_eq!(rig.refused(Refusal::SpoofedFrom), 0);
}

#[test]
fn who_sends_too_fast_is_read_later() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.login("alice", "phone"), rig.online("bob", "laptop"));
    rig.clear();
    let message = "<message to='bob@example.org/laptop'><body>hello</body></message>";
    let many = message.repeat(1_000);
    rig.send(alice, &many);
    assert!(rig.paused.contains(&alice));
    let first = rig.read(bob).len();
    assert!((100..1_000).contains(&first), "{first}");
    rig.pass(Duration::from_secs(2));
    let second = rig.read(bob).len();
    assert!((50..300).contains(&second), "{second}");
    rig.pass(Duration::from_secs(60));
    assert_eq!(first + second + rig.read(bob).len(), 1_000);
    assert!(!rig.paused.contains(&alice));
    assert!(rig.stats().pauses > 0);
    assert_eq!(rig.refused(Refusal::Flood), 0);
}

#[test]
fn who_never_stops_sending_too_fast_is_cut_off() {
    let mut served = Served::new();
    let conn = served.rig.login("alice", "phone");
    let messages = "<presence to='zoe@example.org' type='error'/>".repeat(60);
    let begun = served.rig.now().mono;
    while !served.rig.closed.contains(&conn) {
        assert!(served.rig.now().mono - begun < Duration::from_secs(150));
        served.rig.send(conn, &messages);
        served.rig.pass(Duration::from_secs(1));
    }
    // The burst of ten seconds lasts for fifty, at ten too many a second.
    assert!(served.rig.now().mono - begun > xmpp::defaults::FLOOD);
    served.refused(conn, "policy-violation", Refusal::Flood);
}

#[test]
fn who_sends_on_although_nobody_reads_is_cut_off() {
    let mut served = Served::new();
    let conn = served.rig.login("alice", "phone");
    let message = "<presence to='zoe@example.org' type='error'/>".repeat(1_000);
    for _ in 0..100 {
        if !served.rig.closed.contains(&conn) {
            served.rig.send(conn, &message);
        }
    }
    served.rig.clear();
    assert!(served.rig.closed.contains(&conn));
    served.counted(Refusal::Flood);
}

#[test]
fn who_sends_on_while_the_world_thinks_is_cut_off() {
    let mut served = Served::new();
    let conn = served.rig.login("alice", "phone");
    served.rig.hold = true;
    served.rig.send(conn, "<presence type='subscribe' to='dave@example.org'/>");
    for _ in 0..200 {
        served.rig.send(conn, &" ".repeat(10_000));
    }
    served.rig.hold = false;
    while !served.rig.questions.is_empty() {
        served.rig.answer();
    }
    assert!(served.rig.text(conn).contains("<policy-violation "));
    assert!(served.rig.closed.contains(&conn));
    served.counted(Refusal::Flood);
}

#[test]
fn who_does_not_read_is_cut_off() {
    let mut config = config();
    config.limits.queue_bytes = 10_000;
    let mut rig = Rig::with(config);
    let (bob, carol) = (rig.online("bob", "laptop"), rig.online("carol", "tablet"));
    rig.send(carol, "<presence to='bob@example.org'/>");
    let slow = rig.accept(true, at("198.51.100.200:1"), 0);
    rig.log_in(slow, "alice");
    rig.bind(slow, "phone");
    // The room that its connection has is used up; from here on it does not read.
    rig.room(slow, 100);
    rig.clear();
    let body = "x".repeat(1_000);
    let message = format!("<message to='alice@example.org/phone'><body>{body}</body></message>");
    let mut sent = 0;
    while rig.refused(Refusal::SlowReader) == 0 {
        sent += 1;
        assert!(sent < 20);
        rig.send(bob, &message);
    }
    assert!(sent > 8, "{sent}");
    assert!(matches!(rig.events.last(), Some(Event::SessionEnded { cause: Cause::Refused, .. })));
    // It still gets what was said, to the end, if it reads after all.
    assert!(!rig.closed.contains(&slow));
    rig.room(slow, ROOM);
    let text = rig.text(slow);
    assert!(text.contains("<resource-constraint ") && text.ends_with("</stream:stream>"));
    assert!(rig.closed.contains(&slow));
    // To others it is gone, and they are served.
    rig.clear();
    rig.send(bob, "<message to='alice@example.org/phone'/>");
    assert_eq!(rig.read(bob), ["message(error) from alice@example.org/phone: service-unavailable"]);
    rig.send(bob, "<message to='carol@example.org/tablet'/>");
    assert_eq!(rig.read(carol), ["message from bob@example.org/laptop"]);
}

#[test]
fn who_never_reads_is_closed_in_the_end() {
    let mut config = config();
    config.limits.queue_bytes = 2_000;
    let mut rig = Rig::with(config);
    let slow = rig.accept(true, at("198.51.100.200:1"), 0);
    rig.log_in(slow, "alice");
    rig.bind(slow, "phone");
    rig.room(slow, 0);
    let bob = rig.login("bob", "laptop");
    for _ in 0..10 {
        let body = "x".repeat(1_000);
        rig.send(bob, &format!("<message to='alice@example.org/phone'>{body}</message>"));
    }
    assert!(!rig.closed.contains(&slow));
    rig.pass(xmpp::server::defaults::FAREWELL);
    assert!(rig.closed.contains(&slow));
    assert_eq!(rig.stats().connections, 1);
}

#[test]
fn answers_pile_up_for_nobody() {
    // A client that only asks, and reads nothing of what it is told.
    let mut config = config();
    config.limits.queue_bytes = 2_000;
    let mut rig = Rig::with(config);
    let slow = rig.accept(true, at("198.51.100.200:1"), 0);
    rig.log_in(slow, "alice");
    rig.bind(slow, "phone");
    rig.room(slow, 0);
    rig.send(slow, &"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>".repeat(100));
    assert_eq!(rig.refused(Refusal::SlowReader), 1);
    assert_eq!(rig.stats().sessions, 0);
}

/// Answers the questions about who logs in, and no others.
fn answer_logins(rig: &mut Rig) {
    for _ in 0..rig.questions.len() {
        match rig.questions.front() {
            Some((_, Question::Credentials { .. })) => rig.answer(),
            _ => rig.questions.rotate_left(1),
        }
    }
}

/// A session that asks for its roster and goes, while the world does not answer; what it was told.
pub(crate) fn one_more_task(rig: &mut Rig, user: &str) -> Vec<String> {
    let conn = rig.connect();
    rig.send(conn, HEADER);
    rig.send(conn, &plain(user, &password(user)));
    answer_logins(rig);
    rig.send(conn, HEADER);
    rig.bind(conn, "phone");
    rig.text(conn);
    rig.send(conn, crate::server_roster::GET);
    let told = rig.read(conn);
    rig.hang_up(conn);
    told
}

#[test]
fn what_a_slow_world_has_to_do_for_a_roster_is_bounded() {
    let mut rig = Rig::new();
    rig.hold = true;
    let limit = xmpp::server::defaults::TASKS;
    for n in 0..=limit {
        let refused = one_more_task(&mut rig, "alice");
        assert_eq!(refused.is_empty(), n < limit, "{n}: {refused:?}");
    }
    assert_eq!(rig.refused(Refusal::Roster), 1);
    while !rig.questions.is_empty() {
        rig.answer();
    }
    assert_eq!((rig.stats().waiting, rig.stats().sessions), (0, 0));
}

#[test]
fn who_asks_and_goes_asks_for_no_more_than_others() {
    let mut config = config();
    config.limits.unauthenticated_per_address = 3;
    let mut rig = Rig::with(config);
    rig.hold = true;
    let from = at("198.51.100.200:1");
    for n in 0..10 {
        let conn = rig.accept(true, from, ROOM);
        if n < 3 {
            rig.send(conn, HEADER);
            rig.send(conn, &plain("alice", "alice-secret"));
            rig.hang_up(conn);
        } else {
            assert!(rig.closed.contains(&conn));
        }
    }
    assert_eq!((rig.questions.len(), rig.stats().waiting), (3, 3));
    rig.answer();
    let conn = rig.accept(true, from, ROOM);
    assert!(!rig.closed.contains(&conn));
}

/// Pieces that a client may send, right and wrong.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let texts = prop_oneof![
        Just(HEADER.to_owned()),
        Just("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".to_owned()),
        Just(plain("alice", "alice-secret")),
        Just(plain("alice", "wrong")),
        Just(
            "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
                .to_owned()
        ),
        Just("<presence/>".to_owned()),
        Just("<presence type='subscribe' to='bob@example.org'/>".to_owned()),
        Just("<presence type='unavailable'/>".to_owned()),
        Just("<presence to='bob@example.org'/>".to_owned()),
        Just(crate::server_roster::GET.to_owned()),
        Just("<message to='bob@example.org'><body>x</body></message>".to_owned()),
        Just("</stream:stream>".to_owned()),
        Just("<a".to_owned()),
    ];
    prop_oneof![8 => texts.prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..20)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever clients send: no panic, nothing left of those who are gone, and Bob is served.
    #[test]
    fn whatever_comes(
        pieces in vec((0..3_usize, piece(), any::<bool>()), 0..40), shut in any::<bool>()
    ) {
        let mut rig = Rig::new();
        let bob = rig.online("bob", "laptop");
        rig.clear();
        let conns = [
            rig.accept(true, at("198.51.100.200:1"), ROOM),
            rig.accept(false, at("198.51.100.201:1"), ROOM),
            rig.login("alice", "phone"),
        ];
        for (n, piece, cut) in pieces {
            let conn = conns[n];
            if rig.closed.contains(&conn) {
                continue;
            }
            let at = if cut { piece.len() / 2 } else { 0 };
            rig.bytes(conn, &piece[..at]);
            if !rig.closed.contains(&conn) {
                rig.bytes(conn, &piece[at..]);
            }
            rig.pass(Duration::from_millis(100));
        }
        rig.clear();
        rig.send(bob, "<message type='chat'><body>me</body></message>");
        prop_assert_eq!(rig.read(bob), ["message(chat) from bob@example.org/laptop: me"]);
        if shut {
            rig.verb(|server, now| server.drain(now));
        } else {
            conns.into_iter().chain([bob]).for_each(|conn| rig.hang_up(conn));
        }
        let stats = rig.stats();
        prop_assert_eq!((stats.connections, stats.sessions, stats.waiting), (0, 0, 0));
        prop_assert!(rig.server.get().poll_timeout().is_none());
    }
}
