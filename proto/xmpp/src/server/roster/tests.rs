use jid::BareJid;

use super::super::defaults::{GROUPS, NAME_BYTES};
use super::super::event::{RosterItem, Subscription};
use super::super::subscription::{State, Verb};
use super::{Change, Roster, is_void, set_state};
use crate::stanza::Condition;
use crate::{Element, ns};

fn bob() -> BareJid {
    BareJid::new("bob@example.org").unwrap()
}

fn parse(items: &str) -> Result<Change, Condition> {
    let query = format!("<query xmlns='{}'>{items}</query>", ns::ROSTER);
    Change::parse(&query.parse().unwrap()).map_err(|error| error.condition)
}

#[test]
fn what_clients_may_change() {
    let set = |name: &str, groups: &[&str]| {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Ok(Change::Set { contact: bob(), name: name.to_owned(), groups })
    };
    let long = "x".repeat(NAME_BYTES + 1);
    let many: String = (0..=GROUPS).map(|n| format!("<group>{n}</group>")).collect();
    for (items, expected) in [
        ("<item jid='bob@example.org'/>".to_owned(), set("", &[])),
        (
            "<item jid='BOB@example.org/x' name='Bob' subscription='both'>\
             <group>B</group><group>A</group></item>"
                .to_owned(),
            set("Bob", &["A", "B"]),
        ),
        (
            "<item jid='bob@example.org' subscription='remove'/>".to_owned(),
            Ok(Change::Remove(bob())),
        ),
        (String::new(), Err(Condition::BadRequest)),
        ("<item/>".to_owned(), Err(Condition::BadRequest)),
        ("<other jid='bob@example.org'/>".to_owned(), Err(Condition::BadRequest)),
        (
            "<item jid='bob@example.org'/><item jid='carol@example.org'/>".to_owned(),
            Err(Condition::BadRequest),
        ),
        ("<item jid='@'/>".to_owned(), Err(Condition::JidMalformed)),
        (
            "<item jid='bob@example.org'><group>A</group><group>A</group></item>".to_owned(),
            Err(Condition::BadRequest),
        ),
        ("<item jid='bob@example.org'><group/></item>".to_owned(), Err(Condition::NotAcceptable)),
        (
            format!("<item jid='bob@example.org'><group>{long}</group></item>"),
            Err(Condition::NotAcceptable),
        ),
        (format!("<item jid='bob@example.org' name='{long}'/>"), Err(Condition::NotAcceptable)),
        (format!("<item jid='bob@example.org'>{many}</item>"), Err(Condition::NotAcceptable)),
    ] {
        assert_eq!(parse(&items), expected, "{items}");
    }
}

#[test]
fn who_only_asked_is_not_listed() {
    let mut roster = Roster::default();
    let mut item = roster.item(&bob());
    assert!(is_void(&item));
    set_state(&mut item, State::default().inbound(Verb::Subscribe).state, || "<presence/>".into());
    assert!(!is_void(&item));
    roster.keep(item.clone());
    assert_eq!((roster.len(), roster.unlisted()), (1, 1));
    assert_eq!(roster.element().children().count(), 0);
    // Who is granted it, is.
    let granted = roster.state(&bob()).outbound(Verb::Subscribed).state;
    set_state(&mut item, granted, || unreachable!("nothing is pending"));
    assert_eq!((item.subscription, item.pending_in.clone()), (Subscription::From, None));
    roster.keep(item);
    assert_eq!(roster.unlisted(), 0);
    let query = roster.element();
    let item = query.children().next().unwrap();
    assert_eq!(item.attr("jid"), Some("bob@example.org"));
    assert_eq!(item.attr("subscription"), Some("from"));
    roster.remove(&bob());
    assert_eq!((roster.len(), roster.unlisted()), (0, 0));
}

#[test]
fn an_item_on_the_wire() {
    let item = RosterItem {
        listed: true,
        name: "Bob <b>".to_owned(),
        groups: vec!["A".to_owned(), "B".to_owned()],
        ask: true,
        approved: true,
        pending_in: Some("<presence/>".to_owned()),
        ..RosterItem::new(bob())
    };
    let expected: Element = format!(
        "<item xmlns='{}' jid='bob@example.org' subscription='none' name='Bob &lt;b&gt;' \
         ask='subscribe' approved='true'><group>A</group><group>B</group></item>",
        ns::ROSTER
    )
    .parse()
    .unwrap();
    assert_eq!(super::item_element(&item), expected);
}
