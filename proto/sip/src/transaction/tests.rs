use std::time::Duration;

use super::{
    Action, ClientInvite, ClientNonInvite, ServerInvite, ServerNonInvite, Timer as T, Times, key,
};
use crate::message::Request;
use crate::method::Method;

use Action::{Deliver, End, Send, SendAck, SendTrying, Set, Stop, TimedOut};

fn times() -> Times {
    Times::default()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn derived_times() {
    assert_eq!(times().timeout(), secs(32));
}

#[test]
fn client_invite_over_udp_is_repeated_and_given_up() {
    let (mut machine, actions) = ClientInvite::new(times(), false);
    assert_eq!(actions, [Send, Set(T::A, millis(500)), Set(T::B, secs(32))]);
    for pause in [1, 2, 4, 8, 16] {
        assert_eq!(machine.timer(T::A), [Send, Set(T::A, secs(pause))]);
    }
    assert_eq!(machine.timer(T::B), [Stop(T::A), TimedOut, End]);
}

#[test]
fn client_invite_over_a_stream_waits_only() {
    let (mut machine, actions) = ClientInvite::new(times(), true);
    assert_eq!(actions, [Send, Set(T::B, secs(32))]);
    assert_eq!(machine.response(486), [Stop(T::A), Stop(T::B), SendAck, Deliver, End]);
}

#[test]
fn client_invite_refused() {
    let (mut machine, _) = ClientInvite::new(times(), false);
    assert!(!machine.is_proceeding());
    assert_eq!(machine.response(180), [Stop(T::A), Stop(T::B), Deliver]);
    assert!(machine.is_proceeding() && !machine.is_completed());
    assert_eq!(machine.response(183), [Deliver]);
    assert!(machine.timer(T::A).is_empty() && machine.timer(T::B).is_empty());
    let refused = machine.response(486);
    assert_eq!(refused, [Stop(T::A), Stop(T::B), SendAck, Set(T::D, secs(32)), Deliver]);
    assert_eq!(machine.response(486), [SendAck]);
    assert!(machine.response(200).is_empty() && machine.response(180).is_empty());
    assert_eq!(machine.timer(T::D), [End]);
}

#[test]
fn client_invite_accepted() {
    let (mut machine, _) = ClientInvite::new(times(), false);
    let accepted = machine.response(200);
    assert_eq!(accepted, [Stop(T::A), Stop(T::B), Set(T::M, secs(32)), Deliver]);
    assert_eq!(machine.response(200), [Deliver]);
    assert!(machine.response(486).is_empty() && machine.response(180).is_empty());
    assert_eq!(machine.timer(T::M), [End]);
}

#[test]
fn client_non_invite() {
    let (mut machine, actions) = ClientNonInvite::new(times(), false);
    assert_eq!(actions, [Send, Set(T::E, millis(500)), Set(T::F, secs(32))]);
    for pause in [1, 2, 4, 4, 4] {
        assert_eq!(machine.timer(T::E), [Send, Set(T::E, secs(pause))]);
    }
    assert_eq!(machine.response(100), [Deliver]);
    assert_eq!(machine.timer(T::E), [Send, Set(T::E, secs(4))]);
    let done = machine.response(200);
    assert_eq!(done, [Stop(T::E), Stop(T::F), Deliver, Set(T::K, secs(5))]);
    assert!(machine.response(200).is_empty() && machine.timer(T::F).is_empty());
    assert_eq!(machine.timer(T::K), [End]);
    let (mut machine, actions) = ClientNonInvite::new(times(), true);
    assert_eq!(actions, [Send, Set(T::F, secs(32))]);
    assert_eq!(machine.timer(T::F), [Stop(T::E), TimedOut, End]);
    let (mut machine, _) = ClientNonInvite::new(times(), true);
    assert_eq!(machine.response(404), [Stop(T::E), Stop(T::F), Deliver, End]);
}

#[test]
fn server_invite_says_100_by_itself() {
    let (mut machine, actions) = ServerInvite::new(times(), false);
    assert_eq!(actions, [Set(T::Trying, millis(200)), Deliver]);
    assert!(machine.retransmission().is_empty());
    assert_eq!(machine.timer(T::Trying), [SendTrying]);
    assert_eq!(machine.retransmission(), [Send]);
    assert_eq!(machine.respond(180), [Stop(T::Trying), Send]);
    assert!(machine.timer(T::Trying).is_empty() && !machine.is_answered());
}

#[test]
fn server_invite_refused() {
    let (mut machine, _) = ServerInvite::new(times(), false);
    let refused = machine.respond(486);
    assert_eq!(refused, [Stop(T::Trying), Send, Set(T::G, millis(500)), Set(T::H, secs(32))]);
    assert_eq!(machine.retransmission(), [Send]);
    for pause in [1, 2, 4, 4] {
        assert_eq!(machine.timer(T::G), [Send, Set(T::G, secs(pause))]);
    }
    assert!(machine.respond(200).is_empty());
    let mut given_up = machine.clone();
    assert_eq!(given_up.timer(T::H), [Stop(T::G), TimedOut, End]);
    assert_eq!(machine.ack(), [Stop(T::G), Stop(T::H), Set(T::I, secs(5))]);
    assert!(machine.ack().is_empty() && machine.retransmission().is_empty());
    assert_eq!(machine.timer(T::I), [End]);
}

#[test]
fn server_invite_refused_over_a_stream() {
    let (mut machine, _) = ServerInvite::new(times(), true);
    assert_eq!(machine.respond(486), [Stop(T::Trying), Send, Set(T::H, secs(32))]);
    assert_eq!(machine.ack(), [Stop(T::G), Stop(T::H), End]);
}

#[test]
fn server_invite_accepted() {
    let (mut machine, _) = ServerInvite::new(times(), false);
    assert_eq!(machine.respond(200), [Stop(T::Trying), Send, Set(T::L, secs(32))]);
    assert!(machine.retransmission().is_empty());
    assert_eq!(machine.respond(200), [Send]);
    assert!(machine.respond(486).is_empty());
    assert_eq!(machine.ack(), [Deliver]);
    assert_eq!(machine.timer(T::L), [End]);
}

#[test]
fn server_non_invite() {
    let (mut machine, actions) = ServerNonInvite::new(times(), false);
    assert_eq!(actions, [Deliver]);
    assert!(machine.retransmission().is_empty());
    assert_eq!(machine.respond(100), [Send]);
    assert_eq!(machine.retransmission(), [Send]);
    assert_eq!(machine.respond(200), [Send, Set(T::J, secs(32))]);
    assert_eq!(machine.retransmission(), [Send]);
    assert!(machine.respond(200).is_empty());
    assert_eq!(machine.timer(T::J), [End]);
    let (mut machine, _) = ServerNonInvite::new(times(), true);
    assert_eq!(machine.respond(200), [Send, End]);
}

fn request(method: Method, via: &str) -> Request {
    let from = "<sip:a@a.test>;tag=a".parse().unwrap();
    let to = "<sip:b@b.test>".parse().unwrap();
    let uri = "sip:b@b.test".parse().unwrap();
    Request::with_essentials(method, uri, &from, &to, "c", 1).with_header("Via", via)
}

fn server_key(method: Method, via: &str) -> String {
    let request = request(method.clone(), via);
    let matched = if method == Method::Ack { Method::Invite } else { method };
    key::server(&request, &request.via().unwrap(), &matched)
}

#[test]
fn requests_match_by_branch_and_sent_by() {
    let invite = server_key(Method::Invite, "SIP/2.0/UDP a.test;branch=z9hG4bK1");
    assert_eq!(invite, server_key(Method::Ack, "SIP/2.0/UDP A.TEST:5060;branch=z9hG4bK1"));
    assert_ne!(invite, server_key(Method::Options, "SIP/2.0/UDP a.test;branch=z9hG4bK1"));
    assert_ne!(invite, server_key(Method::Invite, "SIP/2.0/UDP a.test;branch=z9hG4bK2"));
    assert_ne!(invite, server_key(Method::Invite, "SIP/2.0/UDP a.test:5061;branch=z9hG4bK1"));
}

#[test]
fn requests_of_rfc_2543_match_by_everything_else() {
    let invite = server_key(Method::Invite, "SIP/2.0/UDP a.test");
    assert_eq!(invite, server_key(Method::Ack, "SIP/2.0/UDP a.test"));
    assert_ne!(invite, server_key(Method::Invite, "SIP/2.0/UDP b.test"));
    assert_ne!(invite, server_key(Method::Cancel, "SIP/2.0/UDP a.test"));
}

#[test]
fn responses_match_by_branch_and_method() {
    let request = request(Method::Options, "SIP/2.0/UDP a.test;branch=z9hG4bK1");
    let response = request.response(crate::Status::OK);
    let key = key::of_response(&response.headers);
    assert_eq!(key, Some(key::client("z9hG4bK1", &Method::Options)));
}
