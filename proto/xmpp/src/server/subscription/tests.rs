//! The tables of RFC 6121 Appendix A, row by row.

use jid::BareJid;

use super::{Half, State, Verb};
use crate::server::event::{RosterItem, Subscription};

/// The states in the order of the RFC's tables.
const STATES: [&str; 9] = [
    "None",
    "None + Pending Out",
    "None + Pending In",
    "None + Pending Out+In",
    "To",
    "To + Pending In",
    "From",
    "From + Pending Out",
    "Both",
];

fn state(name: &str) -> State {
    use Half::{No, Pending, Yes};
    let (to, from) = match name {
        "None" => (No, No),
        "None + Pending Out" => (Pending, No),
        "None + Pending In" => (No, Pending),
        "None + Pending Out+In" => (Pending, Pending),
        "To" => (Yes, No),
        "To + Pending In" => (Yes, Pending),
        "From" => (No, Yes),
        "From + Pending Out" => (Pending, Yes),
        "Both" => (Yes, Yes),
        other => unreachable!("{other} is none of the nine"),
    };
    State { to, from }
}

/// Each row: whether the stanza goes on, and the state after it, `-` if that is the same.
fn check(verb: Verb, outbound: bool, rows: [(bool, &str); 9]) {
    for (before, (passes, after)) in STATES.into_iter().zip(rows) {
        let after = if after == "-" { before } else { after };
        let from = state(before);
        let step = if outbound { from.outbound(verb) } else { from.inbound(verb) };
        assert_eq!((step.passes, step.state), (passes, state(after)), "{verb:?} in {before}");
    }
}

#[test]
fn a_2_1_outbound_subscribe() {
    check(
        Verb::Subscribe,
        true,
        [
            (true, "None + Pending Out"),
            (true, "-"),
            (true, "None + Pending Out+In"),
            (true, "-"),
            (true, "-"),
            (true, "-"),
            (true, "From + Pending Out"),
            (true, "-"),
            (true, "-"),
        ],
    );
}

#[test]
fn a_2_2_outbound_unsubscribe() {
    check(
        Verb::Unsubscribe,
        true,
        [
            (true, "-"),
            (true, "None"),
            (true, "-"),
            (true, "None + Pending In"),
            (true, "None"),
            (true, "None + Pending In"),
            (true, "-"),
            (true, "From"),
            (true, "From"),
        ],
    );
}

#[test]
fn a_2_3_outbound_subscribed() {
    check(
        Verb::Subscribed,
        true,
        [
            (false, "-"),
            (false, "-"),
            (true, "From"),
            (true, "From + Pending Out"),
            (false, "-"),
            (true, "Both"),
            (false, "-"),
            (false, "-"),
            (false, "-"),
        ],
    );
}

#[test]
fn a_2_4_outbound_unsubscribed() {
    check(
        Verb::Unsubscribed,
        true,
        [
            (false, "-"),
            (false, "-"),
            (true, "None"),
            (true, "None + Pending Out"),
            (false, "-"),
            (true, "To"),
            (true, "None"),
            (true, "None + Pending Out"),
            (true, "To"),
        ],
    );
}

#[test]
fn a_3_1_inbound_subscribe() {
    check(
        Verb::Subscribe,
        false,
        [
            (true, "None + Pending In"),
            (true, "None + Pending Out+In"),
            (false, "-"),
            (false, "-"),
            (true, "To + Pending In"),
            (false, "-"),
            (false, "-"),
            (false, "-"),
            (false, "-"),
        ],
    );
}

#[test]
fn a_3_2_inbound_unsubscribe() {
    check(
        Verb::Unsubscribe,
        false,
        [
            (false, "-"),
            (false, "-"),
            (true, "None"),
            (true, "None + Pending Out"),
            (false, "-"),
            (true, "To"),
            (true, "None"),
            (true, "None + Pending Out"),
            (true, "To"),
        ],
    );
}

#[test]
fn a_3_3_inbound_subscribed() {
    check(
        Verb::Subscribed,
        false,
        [
            (false, "-"),
            (true, "To"),
            (false, "-"),
            (true, "To + Pending In"),
            (false, "-"),
            (false, "-"),
            (false, "-"),
            (true, "Both"),
            (false, "-"),
        ],
    );
}

#[test]
fn a_3_4_inbound_unsubscribed() {
    check(
        Verb::Unsubscribed,
        false,
        [
            (false, "-"),
            (true, "None"),
            (false, "-"),
            (true, "None + Pending In"),
            (true, "None"),
            (true, "None + Pending In"),
            (false, "-"),
            (true, "From"),
            (true, "From"),
        ],
    );
}

#[test]
fn items_and_states() {
    let mut item = RosterItem::new(BareJid::new("bob@example.org").unwrap());
    for name in STATES {
        let expected = state(name);
        item.subscription = expected.subscription();
        item.ask = expected.to == Half::Pending;
        item.pending_in = (expected.from == Half::Pending).then(String::new);
        assert_eq!(State::of(&item), expected, "{name}");
    }
    // A store that says both: what is there was asked for, and is there.
    item.subscription = Subscription::Both;
    (item.ask, item.pending_in) = (true, Some(String::new()));
    assert_eq!(State::of(&item), state("Both"));
}
