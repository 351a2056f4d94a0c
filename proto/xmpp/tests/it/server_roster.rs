//! Rosters: get, set, push, remove; kept before they are acknowledged.

use machine::Id;
use xmpp::server::{Refusal, RosterItem, Subscription};

use crate::server_rig::{Rig, config, jid};

pub(crate) const GET: &str = "<iq type='get' id='get'><query xmlns='jabber:iq:roster'/></iq>";

fn set(items: &str) -> String {
    format!("<iq type='set' id='set'><query xmlns='jabber:iq:roster'>{items}</query></iq>")
}

fn ask(rig: &mut Rig, conn: Id, stanza: &str) -> Vec<String> {
    rig.clear();
    rig.send(conn, stanza);
    rig.read(conn)
}

#[test]
fn get_set_push_remove() {
    let mut rig = Rig::new();
    let (phone, laptop) = (rig.login("alice", "phone"), rig.login("alice", "laptop"));
    assert_eq!(ask(&mut rig, phone, GET), ["iq(result): query"]);
    // The laptop has not asked for the roster, and is told nothing of it.
    let item = "<item jid='bob@example.org' name='Bob'><group>Friends</group></item>";
    assert_eq!(
        ask(&mut rig, phone, &set(item)),
        ["iq(set) from alice@example.org: bob@example.org=none", "iq(result)"]
    );
    assert!(rig.read(laptop).is_empty());
    let kept = rig.store.item("alice", "bob").unwrap();
    assert_eq!((kept.name.as_str(), kept.groups.as_slice()), ("Bob", &["Friends".to_owned()][..]));
    assert_eq!(ask(&mut rig, laptop, GET), ["iq(result): bob@example.org=none"]);
    rig.send(phone, &set("<item jid='bob@example.org' name='Robert'/>"));
    let pushed = rig.text(laptop);
    assert!(pushed.starts_with("<iq to='alice@example.org/laptop' "), "{pushed}");
    assert!(pushed.contains("name='Robert'") && !pushed.contains("Friends"), "{pushed}");
    assert_eq!(
        ask(&mut rig, phone, &set("<item jid='bob@example.org' subscription='remove'/>")),
        ["iq(set) from alice@example.org: bob@example.org=remove", "iq(result)"]
    );
    assert_eq!(rig.read(laptop).len(), 1);
    assert!(rig.store.item("alice", "bob").is_none());
    assert_eq!(
        ask(&mut rig, phone, &set("<item jid='bob@example.org' subscription='remove'/>")),
        ["iq(error): item-not-found"]
    );
}

#[test]
fn nothing_is_acknowledged_before_it_is_kept() {
    let mut rig = Rig::new();
    let phone = rig.login("alice", "phone");
    rig.send(phone, GET);
    rig.clear();
    rig.hold = true;
    rig.send(phone, &set("<item jid='bob@example.org'/>"));
    assert!(rig.text(phone).is_empty());
    rig.answer();
    assert_eq!(rig.read(phone).len(), 2);
    // What could not be kept is refused, and is not there.
    rig.send(phone, &set("<item jid='carol@example.org'/>"));
    rig.store.broken = true;
    rig.answer();
    assert_eq!(rig.read(phone), ["iq(error): internal-server-error"]);
    rig.store.broken = false;
    rig.hold = false;
    assert_eq!(ask(&mut rig, phone, GET), ["iq(result): bob@example.org=none"]);
    assert_eq!(rig.refused(Refusal::World), 1);
}

#[test]
fn two_sessions_change_it_one_after_the_other() {
    let mut rig = Rig::new();
    let (phone, laptop) = (rig.login("alice", "phone"), rig.login("alice", "laptop"));
    rig.hold = true;
    rig.send(phone, &set("<item jid='bob@example.org' name='A'/>"));
    rig.send(laptop, &set("<item jid='bob@example.org' name='B'/>"));
    rig.send(phone, GET);
    let mut asked = 0;
    while !rig.questions.is_empty() {
        // One question of an account at a time.
        assert_eq!(rig.questions.len(), 1);
        rig.answer();
        asked += 1;
    }
    assert_eq!(asked, 3);
    assert_eq!(rig.read(laptop), ["iq(result)"]);
    assert!(rig.text(phone).contains(" name='B' "));
    assert_eq!(rig.store.item("alice", "bob").unwrap().name, "B");
}

#[test]
fn bad_changes_are_refused() {
    let mut config = config();
    config.limits.contacts = 2;
    let mut rig = Rig::with(config);
    let phone = rig.login("alice", "phone");
    for (items, condition) in [
        ("", "bad-request"),
        ("<item jid='a@example.org'/><item jid='b@example.org'/>", "bad-request"),
        ("<item jid='@'/>", "jid-malformed"),
        ("<item jid='alice@example.org'/>", "not-allowed"),
        ("<item jid='a@example.org'><group/></item>", "not-acceptable"),
        ("<item jid='zoe@example.org' subscription='remove'/>", "item-not-found"),
    ] {
        assert_eq!(
            ask(&mut rig, phone, &set(items)),
            [format!("iq(error): {condition}")],
            "{items}"
        );
    }
    for n in 0..2 {
        let added = ask(&mut rig, phone, &set(&format!("<item jid='user{n}@example.net'/>")));
        assert_eq!(added, ["iq(result)"]);
    }
    assert_eq!(
        ask(&mut rig, phone, &set("<item jid='user2@example.net'/>")),
        ["iq(error): resource-constraint"]
    );
    // Those that are there can still be changed.
    assert_eq!(
        ask(&mut rig, phone, &set("<item jid='user1@example.net' name='x'/>")),
        ["iq(result)"]
    );
    assert_eq!(rig.refused(Refusal::Roster), 1);
}

#[test]
fn a_roster_has_a_size_that_can_be_sent() {
    let mut rig = Rig::new();
    let phone = rig.login("alice", "phone");
    let name = "x".repeat(1000);
    let groups: String = (0..49).map(|n| format!("<group>{n:-<1000}</group>")).collect();
    let mut refused = 0;
    for n in 0..20 {
        let item = format!("<item jid='user{n}@example.org' name='{name}'>{groups}</item>");
        refused += usize::from(ask(&mut rig, phone, &set(&item)) != ["iq(result)"]);
        rig.pass(std::time::Duration::from_secs(2));
    }
    assert!(refused > 0 && refused < 20, "{refused}");
    rig.clear();
    rig.send(phone, GET);
    assert!(rig.text(phone).len() < xmpp::server::defaults::QUEUE_BYTES);
}

#[test]
fn removing_a_contact_ends_what_there_was() {
    let mut rig = Rig::new();
    rig.store.befriend("alice", "bob");
    let (alice, bob) = (rig.online("alice", "phone"), rig.online("bob", "laptop"));
    rig.send(alice, GET);
    rig.send(bob, GET);
    rig.clear();
    rig.send(alice, &set("<item jid='bob@example.org' subscription='remove'/>"));
    assert_eq!(
        rig.read(bob),
        [
            "presence(unavailable) from alice@example.org/phone",
            "presence(unsubscribe) from alice@example.org",
            "iq(set) from bob@example.org: alice@example.org=to",
            "presence(unsubscribed) from alice@example.org",
            "iq(set) from bob@example.org: alice@example.org=none",
        ]
    );
    assert_eq!(
        rig.read(alice),
        [
            "iq(set) from alice@example.org: bob@example.org=remove",
            "iq(result)",
            "presence(unavailable) from bob@example.org/laptop",
        ]
    );
    let left = rig.store.item("bob", "alice").unwrap();
    assert_eq!((left.subscription, left.listed), (Subscription::None, true));
    assert_eq!(*left, RosterItem { listed: true, ..RosterItem::new(jid("alice")) });
}
