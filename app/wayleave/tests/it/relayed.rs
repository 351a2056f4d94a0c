//! Calls that reach each other through the core's relay alone, on real sockets.

use serde_json::Value;

use crate::calls::{has_ipv6, speak};
use crate::program::{End, Stage};

/// The flags for a phone that uses nothing but the relay of the stage's core.
fn relay_only(stage: &Stage, transport: &str) -> Vec<String> {
    let relay = stage.core.address("turn", transport);
    let relay = format!("turn:{relay}?transport={transport}");
    ["--ice", "relay-only", "--turn", &relay].map(str::to_owned).to_vec()
}

fn call(stage: &Stage, alice: &[String], bob: &[String]) -> (End, End) {
    let [alice, bob] =
        [alice, bob].map(|flags| flags.iter().map(String::as_str).collect::<Vec<_>>());
    speak(stage, &alice, &bob)
}

/// The side's path goes through a relay of its own, which it reaches over `transport`.
fn check(end: &End, transport: &str) {
    let path: &Value = end.event("path");
    assert_eq!(path["relayed"], true, "{path}");
    assert_eq!((&path["local_type"], &path["transport"]), (&"relay".into(), &transport.into()));
    // No address of this host is offered but those of the relay.
    let own = end.events.iter().filter(|event| event["event"] == "candidate");
    assert!(own.into_iter().all(|candidate| candidate["type"] == "relay"), "{end:#?}");
}

#[test]
fn two_sides_that_show_nothing_but_the_relay_hear_each_other() {
    // What is relayed to another of the core's own relayed addresses needs no leave.
    let stage = Stage::set();
    for (alice, bob) in [("udp", "udp"), ("tcp", "udp"), ("tcp", "tcp")] {
        let flags = [alice, bob].map(|transport| relay_only(&stage, transport));
        let (a, b) = call(&stage, &flags[0], &flags[1]);
        check(&a, alice);
        check(&b, bob);
    }
}

#[test]
fn one_side_behind_the_relay_and_the_other_as_it_is() {
    let stage = Stage::at("127.0.0.1", &["--set", "turn.allow_peers=[\"127.0.0.0/8\"]"]);
    let (a, b) = call(&stage, &relay_only(&stage, "udp"), &["--no-turn".to_owned()]);
    check(&a, "udp");
    let path = b.event("path");
    assert_eq!((&path["relayed"], &path["remote_type"]), (&true.into(), &"relay".into()), "{path}");
}

#[test]
fn over_ipv6() {
    if has_ipv6() {
        let stage = Stage::at("::1", &[]);
        let flags = relay_only(&stage, "udp");
        let (a, b) = call(&stage, &flags, &flags);
        check(&a, "udp");
        check(&b, "udp");
    }
}

#[test]
fn the_relay_of_the_core_is_found_without_being_named() {
    // An address of its own, for only the usual port is looked at where no record names one.
    let stage = Stage::on_usual_ports("127.94.0.3");
    let flags = ["--ice", "relay-only"].map(str::to_owned);
    let (a, b) = call(&stage, &flags, &flags);
    check(&a, "udp");
    check(&b, "udp");
}

#[test]
fn a_relay_that_is_not_there_is_no_way() {
    let stage = Stage::set();
    let bob = stage.answer("bob", &["--once", "--no-turn"]);
    let nowhere = ["--ice", "relay-only", "--turn", "turn:127.0.0.1:9?transport=udp", "--explain"];
    let alice = stage.call("bob@localhost", "alice", &nowhere).end();
    assert_eq!(alice.code, Some(15), "{alice:#?}");
    drop(bob);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let stage = Stage::set();
    for flags in [
        &["--ice", "relay-only", "--no-turn"][..],
        &["--turn", "turn:127.0.0.1", "--no-turn"],
        &["--turn-user", "x"],
        &["--turn", "turn:127.0.0.1?transport=sctp"],
    ] {
        let alice = stage.call("bob@localhost", "alice", flags).end();
        assert_eq!(alice.code, Some(2), "{flags:?}: {alice:#?}");
    }
}
