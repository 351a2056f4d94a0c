//! Subscriptions between two users of the domain (RFC 6121 §3).

use machine::Id;
use xmpp::server::{Refusal, Subscription};

use crate::server_abuse::one_more_task;
use crate::server_rig::Rig;
use crate::server_roster::GET;

fn presence(type_: &str, to: &str) -> String {
    format!("<presence type='{type_}' to='{to}@example.org'/>")
}

/// Alice and Bob, both available, both interested in their rosters.
fn two() -> (Rig, Id, Id) {
    let mut rig = Rig::new();
    let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
    rig.send(alice, GET);
    rig.send(bob, GET);
    rig.clear();
    (rig, alice, bob)
}

#[test]
fn asking_and_granting() {
    let (mut rig, alice, bob) = two();
    rig.send(
        alice,
        "<presence type='subscribe' to='bob@example.org/laptop'><status>me</status></presence>",
    );
    assert_eq!(rig.read(alice), ["iq(set) from alice@example.org: bob@example.org=none+ask"]);
    assert_eq!(rig.read(bob), ["presence(subscribe) from alice@example.org: me"]);
    assert!(rig.store.item("alice", "bob").unwrap().ask);
    let kept = rig.store.item("bob", "alice").unwrap();
    assert!(!kept.listed && kept.pending_in.as_ref().unwrap().contains("<status>me</status>"));
    // He does not find her in his roster, for he has not answered.
    rig.send(bob, GET);
    assert_eq!(rig.read(bob), ["iq(result): query"]);
    rig.send(bob, &presence("subscribed", "alice"));
    assert_eq!(rig.read(bob), ["iq(set) from bob@example.org: alice@example.org=from"]);
    assert_eq!(
        rig.read(alice),
        [
            "presence(subscribed) from bob@example.org",
            "iq(set) from alice@example.org: bob@example.org=to",
            "presence from bob@example.org/laptop",
        ]
    );
    // And the other way round.
    rig.send(bob, &presence("subscribe", "alice"));
    rig.clear();
    rig.send(alice, &presence("subscribed", "bob"));
    assert_eq!(
        rig.read(bob),
        [
            "presence(subscribed) from alice@example.org",
            "iq(set) from bob@example.org: alice@example.org=both",
            "presence from alice@example.org/phone",
        ]
    );
    for (user, contact) in [("alice", "bob"), ("bob", "alice")] {
        let item = rig.store.item(user, contact).unwrap();
        assert_eq!(item.subscription, Subscription::Both);
        assert!(!item.ask && item.pending_in.is_none());
    }
}

/// Alice sends this to Bob, and what is to be kept on his side fails; what she is told.
fn half_fails(rig: &mut Rig, alice: Id, stanza: &str) -> Vec<String> {
    rig.hold = true;
    rig.send(alice, stanza);
    rig.answer();
    rig.store.broken = true;
    rig.answer();
    assert!(rig.questions.is_empty());
    (rig.hold, rig.store.broken) = (false, false);
    assert_eq!(rig.refused(Refusal::World), 1);
    rig.read(alice)
}

const ERROR: &str = "presence(error) from bob@example.org: internal-server-error";

#[test]
fn what_an_account_is_takes_no_longer_to_tell_where_somebody_is_there() {
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    let alice = rig.online("alice", "phone");
    let _bob = rig.online("carol", "laptop");
    rig.clear();
    rig.hold = true;
    // A friend, somebody who is there, somebody who is not, and nobody.
    for (who, answer) in [
        ("bob", "iq(result) from bob@example.org: query"),
        ("carol", "iq(error) from carol@example.org: query, service-unavailable"),
        ("dave", "iq(error) from dave@example.org: query, service-unavailable"),
        ("nobody", "iq(error) from nobody@example.org: query, service-unavailable"),
    ] {
        let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        rig.send(alice, &format!("<iq type='get' id='1' to='{who}@example.org'>{query}</iq>"));
        assert!(rig.questions.is_empty(), "{who}");
        let told = rig.read(alice);
        assert_eq!(told.len(), 1, "{told:?}");
        let (start, end) = (answer.split(':').next().unwrap(), answer.rsplit(' ').next().unwrap());
        assert!(told[0].starts_with(start) && told[0].ends_with(end), "{told:?}");
    }
}

#[test]
fn who_is_not_heard_by_the_contacts_side_is_told() {
    for (type_, befriended) in [("subscribe", false), ("unsubscribe", true), ("unsubscribed", true)]
    {
        let mut rig = Rig::new();
        if befriended {
            rig.store.befriend("alice", "bob");
        }
        let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
        rig.send(alice, GET);
        rig.send(bob, GET);
        rig.clear();
        let told = half_fails(&mut rig, alice, &presence(type_, "bob"));
        assert!(told.iter().any(|line| line == ERROR), "{type_}: {told:?}");
        let heard = rig.read(bob);
        assert!(!heard.iter().any(|line| line.contains(&format!("({type_})"))), "{heard:?}");
        // The next stanza is served.
        rig.send(alice, "<message to='bob@example.org/laptop'><body>hello</body></message>");
        assert_eq!(rig.read(bob), ["message from alice@example.org/phone: hello"]);
    }
    // What the server grants in Bob's name comes back to Alice's own side, which fails.
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    rig.store.rosters.get_mut("alice").unwrap().clear();
    let alice = rig.online("alice", "phone");
    let told = half_fails(&mut rig, alice, &presence("subscribe", "bob"));
    assert!(told.iter().any(|line| line == ERROR), "{told:?}");
}

#[test]
fn who_finds_too_much_to_do_on_the_contacts_side_is_told() {
    let mut rig = Rig::new();
    let alice = rig.online("alice", "phone");
    rig.clear();
    rig.hold = true;
    for _ in 0..xmpp::server::defaults::TASKS {
        assert!(one_more_task(&mut rig, "bob").is_empty());
    }
    rig.send(alice, &presence("subscribe", "bob"));
    // Her side is kept, while his still waits for its first answer.
    rig.questions.rotate_right(1);
    rig.answer();
    let error = "presence(error) from bob@example.org: resource-constraint";
    assert_eq!(rig.read(alice), [error]);
    assert_eq!(rig.refused(Refusal::Roster), 1);
}

#[test]
fn a_revoked_subscription_is_seen_by_nobody_though_half_of_it_failed() {
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
    rig.clear();
    half_fails(&mut rig, alice, &presence("unsubscribed", "bob"));
    // He saw her go, and sees nothing of her from then on.
    assert_eq!(rig.read(bob), ["presence(unavailable) from alice@example.org/phone"]);
    rig.send(alice, "<presence><status>secret</status></presence>");
    rig.send(bob, "<presence type='probe' to='alice@example.org'/>");
    assert!(rig.read(bob).is_empty());
    assert_eq!(rig.store.item("bob", "alice").unwrap().subscription, Subscription::Both);
    // When he comes again, his side learns what it has missed.
    let bob = rig.online("bob", "tablet");
    rig.send(bob, GET);
    let told = rig.read(bob);
    assert!(!told.iter().any(|line| line.contains("secret")), "{told:?}");
    assert_eq!(rig.store.item("bob", "alice").unwrap().subscription, Subscription::From);
    assert_eq!(rig.store.item("alice", "bob").unwrap().subscription, Subscription::To);
}

#[test]
fn a_request_waits_for_who_is_offline() {
    let mut rig = Rig::new();
    let alice = rig.online("alice", "phone");
    rig.send(alice, GET);
    rig.clear();
    rig.send(alice, &presence("subscribe", "bob"));
    rig.send(alice, &presence("subscribe", "bob"));
    assert_eq!(rig.read(alice).len(), 1);
    // Each time that he becomes available he is told, until he answers.
    for _ in 0..2 {
        let bob = rig.online("bob", "laptop");
        assert_eq!(
            rig.read(bob),
            ["presence from bob@example.org/laptop", "presence(subscribe) from alice@example.org"]
        );
        rig.hang_up(bob);
    }
    let bob = rig.online("bob", "laptop");
    rig.send(bob, &presence("unsubscribed", "alice"));
    assert_eq!(
        rig.read(alice),
        [
            "presence(unsubscribed) from bob@example.org",
            "iq(set) from alice@example.org: bob@example.org=none",
        ]
    );
    assert!(rig.store.item("bob", "alice").is_none());
    assert!(!rig.store.item("alice", "bob").unwrap().ask);
    rig.hang_up(bob);
    let bob = rig.online("bob", "laptop");
    assert_eq!(rig.read(bob).len(), 1);
}

#[test]
fn an_answer_waits_for_nobody() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    rig.send(alice, &presence("subscribe", "bob"));
    rig.hang_up(alice);
    let bob = rig.online("bob", "laptop");
    rig.send(bob, &presence("subscribed", "alice"));
    // Her roster knows when she comes back.
    assert_eq!(rig.store.item("alice", "bob").unwrap().subscription, Subscription::To);
    let alice = rig.online("alice", "phone");
    assert_eq!(
        rig.read(alice),
        ["presence from alice@example.org/phone", "presence from bob@example.org/laptop"]
    );
}

#[test]
fn taking_it_back_on_either_side() {
    // The contact cancels.
    let (mut rig, alice, bob) = two();
    rig.send(alice, &presence("subscribe", "bob"));
    rig.send(bob, &presence("subscribed", "alice"));
    rig.clear();
    rig.send(bob, &presence("unsubscribed", "alice"));
    assert_eq!(
        rig.read(alice),
        [
            "presence(unavailable) from bob@example.org/laptop",
            "presence(unsubscribed) from bob@example.org",
            "iq(set) from alice@example.org: bob@example.org=none",
        ]
    );
    assert_eq!(rig.read(bob), ["iq(set) from bob@example.org: alice@example.org=none"]);
    // The user unsubscribes.
    rig.send(alice, &presence("subscribe", "bob"));
    rig.send(bob, &presence("subscribed", "alice"));
    rig.clear();
    rig.send(alice, &presence("unsubscribe", "bob"));
    assert_eq!(
        rig.read(bob),
        [
            "presence(unsubscribe) from alice@example.org",
            "iq(set) from bob@example.org: alice@example.org=none",
        ]
    );
    assert_eq!(
        rig.read(alice),
        [
            "iq(set) from alice@example.org: bob@example.org=none",
            "presence(unavailable) from bob@example.org/laptop",
        ]
    );
}

#[test]
fn who_is_subscribed_is_told_so_by_the_server() {
    let (mut rig, alice, bob) = two();
    rig.send(alice, &presence("subscribe", "bob"));
    rig.send(bob, &presence("subscribed", "alice"));
    // Her roster was lost.
    rig.store.rosters.remove("alice");
    rig.hang_up(alice);
    let alice = rig.online("alice", "phone");
    rig.clear();
    rig.send(alice, &presence("subscribe", "bob"));
    assert!(rig.read(bob).is_empty());
    assert_eq!(rig.read(alice), ["presence from bob@example.org/laptop"]);
    assert_eq!(rig.store.item("alice", "bob").unwrap().subscription, Subscription::To);
}

#[test]
fn approved_before_it_was_asked_for() {
    let (mut rig, alice, bob) = two();
    rig.send(bob, &presence("subscribed", "alice"));
    assert!(rig.read(alice).is_empty());
    assert_eq!(rig.read(bob), ["iq(set) from bob@example.org: alice@example.org=none"]);
    assert!(rig.store.item("bob", "alice").unwrap().approved);
    rig.send(alice, &presence("subscribe", "bob"));
    assert_eq!(rig.read(bob), ["iq(set) from bob@example.org: alice@example.org=from"]);
    assert_eq!(rig.read(alice).last().unwrap(), "presence from bob@example.org/laptop");
    // It can be taken back before it is used, too.
    rig.send(alice, &presence("subscribed", "bob"));
    rig.send(alice, &presence("unsubscribed", "bob"));
    assert!(!rig.store.item("alice", "bob").unwrap().approved);
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let (mut rig, alice, bob) = two();
    rig.send(alice, &presence("unsubscribed", "bob"));
    rig.send(alice, &presence("subscribed", "bob"));
    rig.clear();
    assert!(rig.store.item("bob", "alice").is_none() && rig.read(bob).is_empty());
    rig.send(alice, &presence("subscribe", "alice"));
    assert_eq!(rig.read(alice), ["presence(error) from alice@example.org: not-allowed"]);
}

#[test]
fn strangers_requests_have_a_limit() {
    let mut rig = Rig::new();
    for n in 0..=xmpp::server::defaults::PENDING_IN {
        let user = format!("user{n}");
        let keys = rig.store.users["alice"].clone();
        rig.store.users.insert(user, keys);
    }
    // Each has Alice's password.
    for n in 0..=xmpp::server::defaults::PENDING_IN {
        let conn = rig.connect();
        rig.send(conn, crate::server_rig::HEADER);
        let (user, password) = (format!("user{n}"), crate::server_rig::password("alice"));
        rig.send(conn, &crate::server_rig::plain(&user, &password));
        rig.send(conn, crate::server_rig::HEADER);
        rig.bind(conn, "x");
        rig.send(conn, &presence("subscribe", "bob"));
        rig.hang_up(conn);
        rig.clear();
    }
    assert_eq!(rig.store.rosters["bob"].len(), xmpp::server::defaults::PENDING_IN);
    assert_eq!(rig.refused(Refusal::Roster), 1);
}

#[test]
fn a_long_request_is_kept_without_its_words() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    let words = "x".repeat(xmpp::server::defaults::PENDING_IN_BYTES);
    rig.send(
        alice,
        &format!(
            "<presence type='subscribe' to='bob@example.org'><status>{words}</status></presence>"
        ),
    );
    let kept = rig.store.item("bob", "alice").unwrap().pending_in.clone().unwrap();
    assert!(kept.len() < 200, "{kept}");
    let bob = rig.online("bob", "laptop");
    assert!(rig.read(bob).contains(&"presence(subscribe) from alice@example.org".to_owned()));
}

#[test]
fn nobody_is_asked_in_vain_for_long() {
    let mut rig = Rig::new();
    let alice = rig.online("alice", "phone");
    rig.send(alice, GET);
    rig.clear();
    // Somebody who does not exist looks like somebody who does not answer.
    rig.send(alice, &presence("subscribe", "zoe"));
    assert_eq!(rig.read(alice), ["iq(set) from alice@example.org: zoe@example.org=none+ask"]);
    assert!(!rig.store.rosters.contains_key("zoe"));
}

#[test]
fn what_an_account_is_those_learn_who_see_it() {
    let (mut rig, alice, bob) = two();
    let disco = "<iq type='get' id='1' to='bob@example.org'>\
        <query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    rig.send(alice, disco);
    assert_eq!(rig.read(alice), ["iq(error) from bob@example.org: service-unavailable"]);
    rig.send(alice, &presence("subscribe", "bob"));
    rig.send(bob, &presence("subscribed", "alice"));
    rig.clear();
    rig.send(alice, disco);
    assert!(rig.text(alice).contains("<identity category='account' type='registered'/>"));
}
