//! Sessions and connections: conflicts, limits, silence, shutdown.

use std::time::Duration;

use machine::{Endpoint, FailKind};
use xmpp::FullJid;
use xmpp::server::defaults::QUESTION;
use xmpp::server::{Cause, Event, Limits, Refusal};

use crate::server_rig::{HEADER, ROOM, Rig, at, config};

fn ended(rig: &Rig) -> Vec<(String, Cause)> {
    let ended = |event: &Event| match event {
        Event::SessionEnded { jid, cause, .. } => Some((jid.to_string(), *cause)),
        _ => None,
    };
    rig.events.iter().filter_map(ended).collect()
}

#[test]
fn the_newest_session_has_the_resource() {
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    let bob = rig.online("bob", "laptop");
    let old = rig.online("alice", "phone");
    rig.clear();
    let new = rig.login("alice", "phone");
    assert!(rig.text(old).contains("<conflict "));
    assert!(rig.closed.contains(&old) && !rig.closed.contains(&new));
    assert_eq!(rig.read(bob), ["presence(unavailable) from alice@example.org/phone"]);
    assert_eq!(ended(&rig), [("alice@example.org/phone".to_owned(), Cause::Replaced)]);
    assert_eq!(rig.stats().sessions, 2);
    // What the old connection still says is nobody's.
    rig.send(old, "<message to='bob@example.org'><body>hello</body></message>");
    assert!(rig.read(bob).is_empty());
}

#[test]
fn an_account_has_so_many_sessions() {
    let mut config = config();
    config.limits.sessions_per_account = 2;
    let mut rig = Rig::with(config);
    rig.login("alice", "a");
    rig.login("alice", "b");
    let conn = rig.connect();
    rig.log_in(conn, "alice");
    rig.bind(conn, "c");
    assert!(rig.text(conn).contains("<resource-constraint "));
    assert_eq!((rig.refused(Refusal::Sessions), rig.stats().sessions), (1, 2));
    // One that replaces another is not one more.
    rig.bind(conn, "a");
    assert!(rig.text(conn).contains("<jid>alice@example.org/a</jid>"));
    rig.login("bob", "a");
}

#[test]
fn strangers_of_an_address_have_so_many_connections() {
    let mut config = config();
    config.limits.unauthenticated_per_address = 2;
    let mut rig = Rig::with(config);
    let from = |host: u16, port| {
        let ip = [0x2001, 0xdb8, 0, 0, 0, 0, 0, host];
        Endpoint::new(std::net::Ipv6Addr::from(ip), port)
    };
    let (one, two) = (rig.accept(true, from(1, 1), ROOM), rig.accept(false, from(2, 1), ROOM));
    let three = rig.accept(true, from(3, 1), ROOM);
    assert!(rig.closed.contains(&three) && !rig.closed.contains(&one));
    assert_eq!(rig.refused(Refusal::Connections), 1);
    // Others are served, and who has logged in or gone counts no longer.
    rig.login("bob", "laptop");
    rig.log_in(one, "alice");
    let four = rig.accept(true, from(4, 2), ROOM);
    assert!(rig.closed.contains(&four), "it has authenticated, but is not bound");
    rig.bind(one, "phone");
    let four = rig.accept(true, from(4, 1), ROOM);
    assert!(!rig.closed.contains(&four));
    rig.hang_up(two);
    let five = rig.accept(true, from(5, 1), ROOM);
    assert!(!rig.closed.contains(&five));
}

#[test]
fn strangers_leave_room_for_those_who_have_logged_in() {
    let mut config = config();
    config.limits.connections = 16;
    config.limits.unauthenticated_per_address = 1;
    let mut rig = Rig::with(config);
    let alice = rig.login("alice", "phone");
    let strangers: Vec<_> = (0..4).map(|_| rig.connect()).collect();
    assert!(strangers.iter().all(|conn| !rig.closed.contains(conn)));
    let one_more = rig.connect();
    assert!(rig.closed.contains(&one_more));
    assert_eq!((rig.refused(Refusal::Connections), rig.stats().connections), (1, 5));
    // Who has logged in or gone makes room for another.
    rig.log_in(strangers[0], "bob");
    rig.bind(strangers[0], "laptop");
    rig.hang_up(strangers[1]);
    rig.hang_up(alice);
    for refused in [false, false, true] {
        let conn = rig.connect();
        assert_eq!(rig.closed.contains(&conn), refused);
    }
}

#[test]
fn a_question_that_is_not_answered_has_failed() {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
    rig.clear();
    rig.hold = true;
    let add = "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>\
               <item jid='zoe@example.org'/></query></iq>";
    rig.send(alice, add);
    rig.send(alice, "<message to='bob@example.org/laptop'><body>hello</body></message>");
    let stranger = rig.connect();
    rig.send(stranger, HEADER);
    rig.send(stranger, &crate::server_rig::plain("carol", &crate::server_rig::password("carol")));
    rig.pass(QUESTION - Duration::from_millis(1));
    assert!(rig.read(bob).is_empty() && rig.paused.contains(&alice));
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.read(alice), ["iq(error): internal-server-error"]);
    assert_eq!(rig.read(bob), ["message from alice@example.org/phone: hello"]);
    assert!(rig.text(stranger).contains("<temporary-auth-failure/>"));
    assert_eq!((rig.refused(Refusal::World), rig.stats().waiting), (2, 0));
    // What comes too late counts for nothing; what is asked then is answered.
    while !rig.questions.is_empty() {
        rig.answer();
    }
    rig.hold = false;
    assert!(rig.read(alice).is_empty() && rig.text(stranger).is_empty());
    rig.send(alice, add);
    assert_eq!(rig.read(alice), ["iq(result)"]);
    rig.verb(|server, now| server.drain(now));
    assert_eq!(rig.events.last(), Some(&Event::Drained));
}

#[test]
fn logins_to_an_account_that_is_gone_end_with_its_sessions() {
    let mut rig = Rig::new();
    let (half, asking, bound) = (rig.connect(), rig.connect(), rig.login("alice", "phone"));
    let bob = rig.login("bob", "laptop");
    rig.log_in(half, "alice");
    rig.hold = true;
    rig.send(asking, HEADER);
    rig.send(asking, &crate::server_rig::plain("alice", &crate::server_rig::password("alice")));
    rig.verb(|server, now| server.disconnect(now, "alice"));
    for conn in [half, asking, bound] {
        assert!(rig.text(conn).contains("<not-authorized "));
        assert!(rig.closed.contains(&conn));
    }
    assert!(!rig.closed.contains(&bob));
    rig.answer();
    assert_eq!((rig.stats().connections, rig.stats().sessions), (1, 1));
}

#[test]
fn there_are_so_many_connections_in_all() {
    let mut config = config();
    config.limits.connections = 2;
    let mut rig = Rig::with(config);
    let (one, two, three) = (rig.connect(), rig.connect(), rig.connect());
    assert!(
        !rig.closed.contains(&one) && !rig.closed.contains(&two) && rig.closed.contains(&three)
    );
    assert_eq!((rig.refused(Refusal::Connections), rig.stats().connections), (1, 2));
}

#[test]
fn who_does_not_log_in_is_let_go() {
    let mut rig = Rig::new();
    rig.hold_tls = true;
    let limit = Limits::default().login_timeout;
    let handshaking = rig.accept(true, at("198.51.100.1:1"), ROOM);
    let silent = rig.accept(false, at("198.51.100.2:1"), ROOM);
    let slow = rig.accept(false, at("198.51.100.3:1"), ROOM);
    rig.send(slow, HEADER);
    rig.pass(limit - Duration::from_millis(1));
    assert!(rig.closed.is_empty());
    // Saying something does not help.
    rig.send(slow, " ");
    rig.pass(Duration::from_millis(1));
    for conn in [handshaking, silent, slow] {
        assert!(rig.closed.contains(&conn));
    }
    assert!(rig.text(slow).contains("<connection-timeout "));
    assert!(rig.text(handshaking).is_empty());
    assert_eq!((rig.refused(Refusal::Timeout), rig.stats().connections), (3, 0));
}

#[test]
fn who_is_silent_is_asked_and_then_given_up() {
    let mut rig = Rig::new();
    let Limits { idle, idle_grace, .. } = Limits::default();
    let (talks, answers, dead) =
        (rig.login("alice", "talks"), rig.login("alice", "answers"), rig.login("alice", "dead"));
    for _ in 0..4 {
        rig.pass(idle / 2);
        rig.send(talks, " ");
    }
    // By now the others were asked; one answers.
    let ping = rig.text(answers);
    assert!(ping.contains("<ping xmlns='urn:xmpp:ping'/>") && ping.contains("from='example.org'"));
    rig.clear();
    let mut rig = Rig::new();
    let (answers, dead_too) = (rig.login("alice", "answers"), rig.login("alice", "dead"));
    rig.pass(idle);
    assert_eq!(rig.read(answers), ["iq(get) from example.org: ping"]);
    rig.send(answers, "<iq type='result' id='x' to='example.org'/>");
    assert!(rig.text(answers).is_empty());
    rig.clear();
    rig.pass(idle_grace);
    assert!(rig.text(dead_too).contains("<connection-timeout "));
    assert!(rig.closed.contains(&dead_too) && !rig.closed.contains(&answers));
    assert_eq!(ended(&rig), [("alice@example.org/dead".to_owned(), Cause::Lost)]);
    assert_eq!(rig.refused(Refusal::Idle), 1);
    let _ = dead;
}

#[test]
fn shutting_down() {
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
    rig.send(alice, crate::server_roster::GET);
    rig.hold_tls = true;
    let (stranger, handshaking) = (rig.accept(false, at("198.51.100.1:1"), ROOM), rig.connect());
    rig.clear();
    // A change that is under way is kept.
    rig.hold = true;
    rig.send(
        alice,
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'>\
        <item jid='carol@example.org'/></query></iq>",
    );
    rig.verb(|server, now| server.drain(now));
    for conn in [alice, bob, stranger] {
        let text = rig.text(conn);
        assert!(text.contains("<system-shutdown ") && !text.contains("unavailable"), "{text}");
        assert!(rig.closed.contains(&conn));
    }
    assert!(rig.closed.contains(&handshaking));
    assert_eq!(ended(&rig).len(), 2);
    assert_ne!(rig.events.last(), Some(&Event::Drained));
    rig.answer();
    assert_eq!(rig.events.last(), Some(&Event::Drained));
    assert!(rig.store.item("alice", "carol").is_some());
    // Nobody comes in any more.
    let late = rig.connect();
    assert!(rig.closed.contains(&late));
    rig.verb(|server, now| server.drain(now));
    assert_eq!(rig.events.iter().filter(|event| **event == Event::Drained).count(), 1);
}

#[test]
fn an_account_that_is_gone_has_no_sessions() {
    let mut rig = Rig::new();
    let (phone, laptop) = (rig.login("alice", "phone"), rig.login("alice", "laptop"));
    let bob = rig.login("bob", "laptop");
    rig.verb(|server, now| server.disconnect(now, "alice"));
    assert!(rig.text(phone).contains("<not-authorized ") && rig.closed.contains(&laptop));
    assert!(!rig.closed.contains(&bob));
    assert_eq!(ended(&rig).len(), 2);
    rig.verb(|server, now| server.disconnect(now, "nobody"));
    rig.verb(|server, now| server.disconnect(now, "@"));
}

#[test]
fn handshakes_and_binds_may_fail() {
    let mut rig = Rig::new();
    rig.hold_tls = true;
    let conn = rig.connect();
    rig.fail(conn, FailKind::Tls("bad certificate".to_owned()));
    assert_eq!((rig.refused(Refusal::Tls), rig.stats().connections), (1, 0));
    rig.secure(conn);
    rig.send(conn, HEADER);
    assert!(rig.text(conn).is_empty());
    let local = at("192.0.2.1:5269");
    let mut id = None;
    rig.verb(|server, _| {
        id = Some(server.listen(xmpp::server::Listener { direct_tls: false, local }));
    });
    rig.fail(id.unwrap(), FailKind::AddressInUse);
    assert!(matches!(rig.events.last(), Some(Event::ListenFailed { .. })));
}

#[test]
fn a_client_says_goodbye() {
    let mut rig = Rig::new();
    let conn = rig.login("alice", "phone");
    rig.send(conn, "</stream:stream>");
    assert_eq!(rig.text(conn), "</stream:stream>");
    assert!(rig.closed.contains(&conn));
    assert_eq!(ended(&rig), [("alice@example.org/phone".to_owned(), Cause::Client)]);
    let jid = FullJid::new("alice@example.org/phone").unwrap();
    assert!(matches!(&rig.events[0], Event::SessionStarted { jid: who, .. } if *who == jid));
}

#[test]
fn new_limits_count_from_now_on() {
    let mut rig = Rig::new();
    rig.login("alice", "a");
    let mut changed = config();
    changed.limits.sessions_per_account = 1;
    rig.verb(|server, _| server.reload(changed.clone()));
    let conn = rig.connect();
    rig.log_in(conn, "alice");
    rig.bind(conn, "b");
    assert!(rig.text(conn).contains("<resource-constraint "));
}
