//! Two users who do what they like about each other: what their rosters say fits together, and each
//! sees of the other what the subscription allows, no more and no less.

use std::collections::BTreeSet;

use machine::Id;
use proptest::collection::vec;
use proptest::prelude::*;
use xmpp::server::{RosterItem, Subscription};

use crate::server_rig::{Rig, jid};

const USERS: [&str; 2] = ["alice", "bob"];

/// What a user does.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Sends a presence of this type to the other.
    Verb(&'static str),
    /// Removes the other from the roster.
    Remove,
    /// Calls the other something.
    Rename(u8),
    /// Becomes available, logs in first if need be.
    Appear,
    /// Becomes unavailable, and stays.
    Disappear,
    /// Logs out, or loses the connection.
    Leave(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let verbs = ["subscribe", "subscribed", "unsubscribe", "unsubscribed"];
    prop_oneof![
        6 => proptest::sample::select(verbs.to_vec()).prop_map(Step::Verb),
        1 => Just(Step::Remove),
        1 => any::<u8>().prop_map(Step::Rename),
        3 => Just(Step::Appear),
        1 => Just(Step::Disappear),
        2 => any::<bool>().prop_map(Step::Leave),
    ]
}

/// A user as its client knows it.
#[derive(Default)]
struct User {
    conn: Option<Id>,
    is_available: bool,
    /// Whom it sees.
    sees: BTreeSet<String>,
    logins: usize,
}

/// Does a step; nothing where there is no session for it.
fn act(rig: &mut Rig, user: &mut User, name: &str, other: &str, step: Step) {
    let roster = |item: &str| {
        format!("<iq type='set' id='1'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    };
    match (step, user.conn) {
        (Step::Appear, conn) => {
            let conn = conn.unwrap_or_else(|| {
                user.logins += 1;
                rig.login(name, &format!("r{}", user.logins))
            });
            (user.conn, user.is_available) = (Some(conn), true);
            rig.send(conn, crate::server_roster::GET);
            rig.send(conn, "<presence/>");
        }
        (Step::Verb(type_), Some(conn)) => {
            rig.send(conn, &format!("<presence type='{type_}' to='{other}@example.org'/>"));
        }
        (Step::Remove, Some(conn)) => {
            let item = format!("<item jid='{other}@example.org' subscription='remove'/>");
            rig.send(conn, &roster(&item));
        }
        (Step::Rename(n), Some(conn)) => {
            rig.send(conn, &roster(&format!("<item jid='{other}@example.org' name='{n}'/>")));
        }
        (Step::Disappear, Some(conn)) => {
            user.is_available = false;
            rig.send(conn, "<presence type='unavailable'/>");
        }
        (Step::Leave(orderly), Some(conn)) => {
            if orderly {
                rig.send(conn, "</stream:stream>");
            } else {
                rig.hang_up(conn);
            }
            (user.conn, user.is_available) = (None, false);
        }
        (_, None) => {}
    }
}

/// Reads what a user is told of the other.
fn read(rig: &mut Rig, user: &mut User, other: &str) {
    if let Some(conn) = user.conn {
        for element in rig.elements(conn) {
            let from = element.attr("from").unwrap_or_default().to_owned();
            if element.name() == "presence" && from.starts_with(&format!("{other}@example.org/")) {
                match element.attr("type") {
                    None => user.sees.insert(from),
                    Some("unavailable") => user.sees.remove(&from),
                    Some(type_) => panic!("a full JID has no {type_}"),
                };
            }
        }
    }
    if !user.is_available {
        user.sees.clear();
    }
}

/// Both halves of a subscription, as a roster has them: `to` and `from`, each no, pending or yes.
fn halves(item: &RosterItem) -> (u8, u8) {
    use Subscription::{Both, From, To};
    let to = matches!(item.subscription, To | Both);
    let from = matches!(item.subscription, From | Both);
    let half = |there, pending| if there { 2 } else { u8::from(pending) };
    (half(to, item.ask), half(from, item.pending_in.is_some()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_two_users_do(steps in vec((0..2_usize, step()), 1..40)) {
        let mut rig = Rig::new();
        let mut users = [User::default(), User::default()];
        for (who, step) in steps {
            act(&mut rig, &mut users[who], USERS[who], USERS[1 - who], step);
            let mut sides = Vec::new();
            for (n, user) in users.iter_mut().enumerate() {
                let (name, other) = (USERS[n], USERS[1 - n]);
                read(&mut rig, user, other);
                let item = rig.store.item(name, other).cloned();
                let item = item.unwrap_or_else(|| RosterItem::new(jid(other)));
                // What is neither listed nor asked for is not kept.
                let void = !item.listed && item.pending_in.is_none();
                prop_assert_eq!(void, rig.store.item(name, other).is_none());
                sides.push(halves(&item));
            }
            // What one has of the other, the other has of the one.
            prop_assert_eq!(sides[0], (sides[1].1, sides[1].0), "after {:?}", step);
            for n in 0..2 {
                let (user, other) = (&users[n], &users[1 - n]);
                let there = user.is_available && other.is_available && sides[n].0 == 2;
                let full = format!("{}@example.org/r{}", USERS[1 - n], other.logins);
                let expected: BTreeSet<String> = there.then_some(full).into_iter().collect();
                prop_assert_eq!(&user.sees, &expected, "{} after {:?}", USERS[n], step);
            }
            rig.pass(std::time::Duration::from_secs(1));
        }
        prop_assert_eq!(rig.stats().waiting, 0);
    }
}
