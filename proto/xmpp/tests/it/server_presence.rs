//! Presence: initial, updates, directed, unavailable, lost.

use crate::server_rig::Rig;
use xmpp::server::{Refusal, RosterItem, Subscription};

use crate::server_rig::jid;

#[test]
fn contacts_see_each_other_come_and_go() {
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    let alice = rig.online("alice", "phone");
    // She sees herself.
    assert_eq!(rig.read(alice), ["presence from alice@example.org/phone"]);
    let bob = rig.online("bob", "laptop");
    assert_eq!(rig.read(alice), ["presence from bob@example.org/laptop"]);
    assert_eq!(
        rig.read(bob),
        ["presence from bob@example.org/laptop", "presence from alice@example.org/phone"]
    );
    rig.send(bob, "<presence><show>dnd</show><status>busy</status></presence>");
    let text = rig.text(alice);
    assert!(text.contains("<show>dnd</show><status>busy</status>"), "{text}");
    assert!(text.starts_with("<presence to='alice@example.org' "), "{text}");
    rig.send(bob, "<presence type='unavailable'><status>gone</status></presence>");
    assert_eq!(rig.read(alice), ["presence(unavailable) from bob@example.org/laptop: gone"]);
    // Available again is initial again.
    rig.clear();
    rig.send(bob, "<presence/>");
    assert!(rig.read(bob).contains(&"presence from alice@example.org/phone".to_owned()));
    rig.clear();
    rig.hang_up(bob);
    assert_eq!(rig.read(alice), ["presence(unavailable) from bob@example.org/laptop"]);
}

#[test]
fn own_sessions_see_each_other() {
    let mut rig = Rig::new();
    let phone = rig.online("alice", "phone");
    rig.clear();
    let laptop = rig.online("alice", "laptop");
    assert_eq!(rig.read(phone), ["presence from alice@example.org/laptop"]);
    assert_eq!(
        rig.read(laptop),
        ["presence from alice@example.org/laptop", "presence from alice@example.org/phone"]
    );
    rig.send(phone, "</stream:stream>");
    assert_eq!(rig.read(laptop), ["presence(unavailable) from alice@example.org/phone"]);
}

#[test]
fn presence_goes_one_way_where_the_subscription_does() {
    let mut rig = Rig::new();
    // Bob sees Alice, Alice does not see Bob.
    let item = |contact: &str, subscription| {
        let contact = jid(contact);
        RosterItem { listed: true, subscription, ..RosterItem::new(contact) }
    };
    rig.store
        .rosters
        .entry("alice".into())
        .or_default()
        .insert(jid("bob"), item("bob", Subscription::From));
    rig.store
        .rosters
        .entry("bob".into())
        .or_default()
        .insert(jid("alice"), item("alice", Subscription::To));
    let alice = rig.online("alice", "phone");
    rig.clear();
    let bob = rig.online("bob", "laptop");
    assert!(rig.read(alice).is_empty());
    assert_eq!(rig.read(bob).len(), 2);
    rig.send(alice, "<presence><show>away</show></presence>");
    assert_eq!(rig.read(bob), ["presence from alice@example.org/phone: away"]);
    // A roster that says "to" of somebody whose own does not say "from" shows nothing.
    rig.store
        .rosters
        .entry("carol".into())
        .or_default()
        .insert(jid("alice"), item("alice", Subscription::To));
    rig.clear();
    let carol = rig.online("carol", "tablet");
    assert_eq!(rig.read(carol), ["presence from carol@example.org/tablet"]);
    rig.send(carol, "<presence to='alice@example.org' type='probe'/>");
    assert!(rig.read(carol).is_empty());
    rig.send(bob, "<presence to='alice@example.org' type='probe'/>");
    assert_eq!(rig.read(bob), ["presence from alice@example.org/phone: away"]);
}

#[test]
fn who_got_directed_presence_is_told_when_it_ends() {
    for end in ["<presence type='unavailable'/>", "</stream:stream>", ""] {
        let mut rig = Rig::new();
        rig.store.befriend("alice", "bob");
        let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
        let (carol, dave) = (rig.online("carol", "tablet"), rig.online("dave", "desk"));
        rig.clear();
        rig.send(alice, "<presence to='carol@example.org/tablet'><status>hi</status></presence>");
        rig.send(alice, "<presence to='dave@example.org'/>");
        rig.send(alice, "<presence to='bob@example.org'/>");
        assert_eq!(rig.read(carol), ["presence from alice@example.org/phone: hi"]);
        assert_eq!(rig.read(dave).len(), 1);
        rig.send(alice, "<presence to='dave@example.org' type='unavailable'/>");
        assert_eq!(rig.read(dave), ["presence(unavailable) from alice@example.org/phone"]);
        rig.clear();
        // An update is not for them.
        rig.send(alice, "<presence><show>away</show></presence>");
        assert!(rig.read(carol).is_empty() && rig.read(bob).len() == 1);
        match end {
            "" => rig.hang_up(alice),
            end => rig.send(alice, end),
        }
        let gone = ["presence(unavailable) from alice@example.org/phone"];
        assert_eq!(
            (rig.read(carol), rig.read(bob)),
            (gone.map(Into::into).into(), gone.map(Into::into).into())
        );
        assert!(rig.read(dave).is_empty());
    }
}

#[test]
fn directed_presence_without_any_other() {
    let mut rig = Rig::new();
    let (alice, carol) = (rig.login("alice", "phone"), rig.online("carol", "tablet"));
    rig.clear();
    rig.send(alice, "<presence to='carol@example.org'/>");
    rig.hang_up(alice);
    assert_eq!(
        rig.read(carol),
        [
            "presence from alice@example.org/phone",
            "presence(unavailable) from alice@example.org/phone"
        ]
    );
}

#[test]
fn directed_presence_has_a_limit() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    let limit = xmpp::server::defaults::DIRECTED;
    let mut refused = 0;
    for n in 0..limit + 3 {
        rig.send(alice, &format!("<presence to='user{n}@example.org'/>"));
        rig.pass(std::time::Duration::from_secs(1));
        refused += rig.read(alice).len();
    }
    assert_eq!((refused, rig.refused(Refusal::Roster)), (3, 3));
}

#[test]
fn without_a_roster_there_are_still_ones_own_sessions() {
    let mut rig = Rig::new();
    let phone = rig.login("alice", "phone");
    rig.store.broken = true;
    rig.send(phone, "<presence/>");
    assert_eq!(rig.read(phone), ["presence from alice@example.org/phone"]);
    assert_eq!(rig.refused(Refusal::World), 1);
}
