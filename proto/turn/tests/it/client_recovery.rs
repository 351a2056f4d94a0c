//! What the client makes of servers that refuse, redirect, forget or vanish.

use std::time::Duration;

use machine::{CloseReason, Icmp, Input};
use stun::long_term::Refusal;
use stun::{AttributeType, Method};
use turn::client::{Cause, Config, Event, Failure, Families, SendError, Server};
use turn::{Family, RelayTransport, TurnMessage};

use super::client_script::{Port, Reply, Rig, config, endpoint, peer, relayed, server};

const MINUTE: Duration = Duration::from_secs(60);

fn rig(reply: impl IntoIterator<Item = Reply>) -> Rig {
    with(config([Server::udp(server())]), reply)
}

/// A client whose first Allocate requests are answered by these replies.
fn with(config: Config, reply: impl IntoIterator<Item = Reply>) -> Rig {
    let mut rig = Rig::new(config);
    reply.into_iter().for_each(|reply| {
        rig.script().reply(Method::ALLOCATE, reply);
    });
    rig.run();
    rig
}

fn failure(events: &[Event]) -> &Failure {
    match events {
        [.., Event::Failed(failure)] => failure,
        other => panic!("no failure in {other:?}"),
    }
}

fn code(events: &[Event]) -> Option<u16> {
    failure(events).cause.code()
}

#[test]
fn a_challenge_and_a_stale_nonce_are_followed() {
    let mut rig = Rig::new(config([Server::udp(server())]));
    rig.run();
    assert_eq!(rig.script().requests, 2);
    assert!(matches!(&rig.take()[..], [Event::Allocated(_)]));
    rig.script().nonce = b"nonce-2".to_vec();
    rig.verb(|client, now| client.permit(now, peer().ip())).unwrap();
    assert_eq!(rig.take(), [Event::Permitted { peer: peer().ip() }]);
    assert_eq!(rig.script().requests, 4);
}

#[test]
fn many_requests_at_once_outlive_one_stale_nonce() {
    let mut rig = Rig::allocated(config([]));
    rig.script().nonce = b"nonce-2".to_vec();
    let peers: Vec<_> = (0..20).map(|n| std::net::IpAddr::from([198, 51, 100, n])).collect();
    // All are on their way before the first answer.
    rig.client.verb(rig.now, |client, now| {
        peers.iter().for_each(|peer| client.permit(now, *peer).unwrap());
    });
    rig.run();
    let permitted: Vec<_> = peers.into_iter().map(|peer| Event::Permitted { peer }).collect();
    assert_eq!(rig.take(), permitted);
}

#[test]
fn a_wrong_password_is_said() {
    let mut rig = Rig::new(config([Server::udp(server())]));
    rig.script().password = "other";
    rig.run();
    let events = rig.take();
    assert_eq!(failure(&events).cause, Cause::Credentials(Refusal::Credentials));
    assert!(failure(&events).cause.remedy().contains("password"));
    assert!(rig.client.get().is_over() && rig.links().is_empty());
}

#[test]
fn a_server_that_wants_a_password_and_gets_none() {
    let rig = &mut with(Config { credentials: None, ..config([Server::udp(server())]) }, []);
    assert_eq!(failure(&rig.take()).cause, Cause::CredentialsMissing);
    // One that wants none is fine.
    let mut rig = Rig::new(Config { credentials: None, ..config([Server::udp(server())]) });
    rig.script().challenges = false;
    rig.run();
    assert!(matches!(&rig.take()[..], [Event::Allocated(_)]));
}

#[test]
fn a_known_port_is_changed() {
    for error in [437, 441] {
        let mut rig = rig([Reply::Error(error), Reply::Error(error)]);
        assert!(matches!(&rig.take()[..], [Event::Allocated(_)]), "{error}");
        assert_eq!((rig.open.len(), rig.closed.len()), (3, 2));
    }
    let mut rig = rig((0..9).map(|_| Reply::Error(437)));
    assert_eq!((code(&rig.take()), rig.open.len()), (Some(437), 4));
}

#[test]
fn a_full_server_is_asked_again_after_a_minute() {
    for error in [486, 508] {
        let mut rig = rig([Reply::Error(error), Reply::Error(error)]);
        let events = rig.take();
        let [Event::Attempt(attempt), Event::Waiting { until, failure }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((attempt.cause.code(), failure.cause.code()), (Some(error), Some(error)));
        assert!(*until >= rig.now.mono + MINUTE);
        rig.advance(MINUTE * 70 / 60);
        assert!(matches!(&rig.take()[..], [Event::Attempt(_), Event::Waiting { .. }]));
        rig.advance(MINUTE * 70 / 60);
        assert!(matches!(&rig.take()[..], [Event::Allocated(_)]));
    }
}

#[test]
fn waiting_for_a_full_server_ends() {
    let mut rig = rig((0..99).map(|_| Reply::Error(508)));
    rig.advance(MINUTE * 100);
    assert_eq!(code(&rig.take()), Some(508));
    assert_eq!(rig.script().count(Method::ALLOCATE), 11);
    // The owner's patience may end sooner.
    let mut rig = with(config([Server::udp(server())]), [Reply::Error(508)]);
    rig.verb(|client, now| client.close(now));
    assert!(matches!(&rig.take()[..], [.., Event::Ended]));
    assert!(rig.client.get().is_over() && rig.links().is_empty());
}

#[test]
fn an_alternate_server_is_followed() {
    let other = endpoint("192.0.2.2:3478");
    let mut rig = rig([Reply::Alternate(other)]);
    let events = rig.take();
    let [Event::Allocated(allocation)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(allocation.server, Server::udp(other));
}

#[test]
fn alternate_servers_in_circles_are_left() {
    let other = endpoint("192.0.2.2:3478");
    let mut rig = Rig::new(config([Server::udp(server())]));
    rig.script().reply(Method::ALLOCATE, Reply::Alternate(other));
    rig.servers.entry(other).or_default().reply(Method::ALLOCATE, Reply::Alternate(server()));
    rig.run();
    assert_eq!(failure(&rig.take()).cause, Cause::Loop);
    // And a chain without end.
    let hop = |n: u8| endpoint(&format!("192.0.2.{n}:3478"));
    let mut rig = Rig::new(config([Server::udp(hop(1))]));
    for n in 1..20 {
        let next = Reply::Alternate(hop(n + 1));
        rig.servers.entry(hop(n)).or_default().reply(Method::ALLOCATE, next);
    }
    rig.run();
    assert_eq!(failure(&rig.take()).cause, Cause::Loop);
    let asked = rig.servers.values().filter(|script| script.requests > 0).count();
    assert_eq!(asked, 6);
}

#[test]
fn what_the_server_does_not_know_is_left_out() {
    let wishes = || Config {
        dont_fragment: true,
        mobility: true,
        even_port: Some(true),
        ..config([Server::udp(server())])
    };
    let unknown = |kinds: &[AttributeType]| {
        let value = kinds.iter().flat_map(|kind| kind.0.to_be_bytes()).collect();
        Reply::ErrorWith(420, AttributeType::UNKNOWN_ATTRIBUTES, value)
    };
    let mut rig = with(
        wishes(),
        [unknown(&[AttributeType::DONT_FRAGMENT]), unknown(&[AttributeType::EVEN_PORT])],
    );
    assert!(matches!(&rig.take()[..], [Event::Allocated(_)]));
    let last = rig.script().last(Method::ALLOCATE);
    assert!(!last.dont_fragment() && last.even_port().is_none());
    assert_eq!(last.mobility_ticket(), Some(&[][..]));
    // An attribute that cannot be left out, and one that was never there.
    for kind in [AttributeType::REQUESTED_TRANSPORT, AttributeType::RESERVATION_TOKEN] {
        assert_eq!(code(&with(wishes(), [unknown(&[kind])]).take()), Some(420));
    }
    let stubborn = (0..9).map(|_| unknown(&[AttributeType::DONT_FRAGMENT]));
    assert_eq!(code(&with(wishes(), stubborn).take()), Some(420));
}

#[test]
fn without_mobility_if_it_must_be() {
    let wishes = Config { mobility: true, ..config([Server::udp(server())]) };
    let mut rig = with(wishes, [Reply::Error(405)]);
    let events = rig.take();
    let [Event::Allocated(allocation)] = &events[..] else { panic!("{events:?}") };
    assert!(!allocation.mobile);
    let moved = rig.verb(|client, now| client.move_to(now, None, None));
    assert_eq!(moved, Err(SendError::Unsupported));
}

#[test]
fn families_that_are_not_there() {
    let both = || Config { families: Families::Both, ..config([Server::udp(server())]) };
    let mut rig = with(both(), []);
    let events = rig.take();
    let [Event::Allocated(allocation)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(allocation.relayed.len(), 2);
    assert_eq!(allocation.relayed(Family::V4), Some(relayed()));
    // No IPv6: the other remains, and what is missing is said.
    let mut rig = Rig::new(both());
    rig.script().has_v6 = false;
    rig.run();
    let events = rig.take();
    let [Event::Allocated(allocation)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(allocation.relayed, [relayed()]);
    assert_eq!(allocation.missing, Some((Family::V6, 440)));
    // No IPv4: asked again for IPv6 alone.
    let mut rig = with(both(), [Reply::Error(440)]);
    assert!(matches!(&rig.take()[..], [Event::Allocated(_)]));
    let last = rig.script().last(Method::ALLOCATE);
    assert_eq!(last.requested_address_family(), Some(Ok(Family::V6)));
    // Only one was of use.
    let v6 = Config { families: Families::V6, ..config([Server::udp(server())]) };
    assert_eq!(code(&with(v6, [Reply::Error(440)]).take()), Some(440));
}

#[test]
fn tcp_is_not_relayed_everywhere() {
    let tcp = Config { relay: RelayTransport::Tcp, ..config([Server::tcp(server())]) };
    let events = with(tcp, [Reply::Error(442)]).take();
    assert_eq!(code(&events), Some(442));
    assert!(failure(&events).cause.remedy().contains("TCP"));
}

#[test]
fn every_other_error_is_final() {
    for error in [400, 403, 420, 443, 446, 447, 500, 699] {
        let events = rig([Reply::Error(error)]).take();
        assert_eq!(code(&events), Some(error));
        assert!(!failure(&events).cause.remedy().is_empty());
    }
}

#[test]
fn the_next_server_is_asked_at_once_when_one_refuses() {
    let other = endpoint("192.0.2.2:3478");
    let mut rig = with(config([Server::udp(server()), Server::tcp(other)]), [Reply::Error(508)]);
    let events = rig.take();
    let [Event::Attempt(_), Event::Allocated(allocation)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(allocation.server, Server::tcp(other));
}

#[test]
fn a_silent_server_is_overtaken() {
    let (tcp, tls) = (endpoint("192.0.2.1:3479"), endpoint("192.0.2.1:443"));
    let mut rig = Rig::new(config([
        Server::udp(server()),
        Server::tcp(tcp),
        Server::tls(tls, "turn.example.org"),
    ]));
    rig.ports.insert(server(), Port::Silent);
    rig.ports.insert(tcp, Port::Silent);
    rig.advance(Duration::from_millis(999));
    assert!(rig.take().is_empty());
    rig.advance(Duration::from_millis(1));
    let events = rig.take();
    let [Event::Allocated(allocation)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(allocation.server, Server::tls(tls, "turn.example.org"));
    // Those that lost are closed: TCP at once, UDP when the server cannot have heard it any more.
    assert_eq!(rig.links().len(), 2);
    rig.advance(Duration::from_secs(10));
    assert_eq!(rig.links().len(), 1);
    assert!(rig.take().is_empty());
}

#[test]
fn an_allocation_that_comes_too_late_is_released() {
    let tcp = endpoint("192.0.2.1:3479");
    let mut rig = Rig::new(config([Server::udp(server()), Server::tcp(tcp)]));
    // The answers to the first four requests over UDP are lost.
    rig.ports.insert(server(), Port::Silent);
    rig.advance(Duration::from_millis(600));
    assert!(matches!(&rig.take()[..], [Event::Allocated(_)]));
    rig.ports.insert(server(), Port::Open);
    rig.advance(Duration::from_secs(8));
    let script = rig.script();
    assert_eq!(script.count(Method::ALLOCATE), 1);
    assert_eq!(script.last(Method::REFRESH).lifetime(), Some(Duration::ZERO));
    assert_eq!((rig.links().len(), rig.take()), (1, vec![]));
}

#[test]
fn nobody_answers() {
    let mut rig = Rig::new(config([Server::udp(server())]));
    rig.ports.insert(server(), Port::Silent);
    rig.advance(Duration::from_secs(39));
    assert!(rig.take().is_empty());
    rig.advance(Duration::from_secs(1));
    assert_eq!(failure(&rig.take()).cause, Cause::NoAnswer);
    assert!(rig.client.get().is_over());
    // A connection and a handshake that never come to an end.
    let mut rig = Rig::new(config([Server::tls(server(), "turn.example.org")]));
    rig.ports.insert(server(), Port::Silent);
    rig.advance(Duration::from_secs(11));
    assert!(matches!(failure(&rig.take()).cause, Cause::Unreachable(_)));
    let mut rig = Rig::new(config([Server::tcp(server())]));
    rig.ports.insert(server(), Port::Refused);
    rig.run();
    assert!(matches!(failure(&rig.take()).cause, Cause::Unreachable(_)));
    let mut rig = Rig::new(config([]));
    rig.run();
    assert_eq!(failure(&rig.take()).cause, Cause::NoServer);
}

#[test]
fn icmp_counts_until_the_server_is_heard() {
    let mut rig = Rig::new(config([Server::udp(server())]));
    rig.ports.insert(server(), Port::Silent);
    rig.run();
    let (socket, icmp) = (rig.links()[0], Icmp::PortUnreachable);
    rig.input(Input::Unreachable { socket, remote: server(), icmp });
    assert_eq!(failure(&rig.take()).cause, Cause::Icmp(icmp));
    let mut rig = Rig::allocated(config([]));
    let socket = rig.links()[0];
    rig.input(Input::Unreachable { socket, remote: server(), icmp });
    assert!(rig.take().is_empty() && rig.client.get().allocation().is_some());
}

#[test]
fn a_forgotten_allocation_is_lost() {
    let mut rig = Rig::allocated(config([]));
    rig.script().reply(Method::REFRESH, Reply::Error(437));
    rig.advance(MINUTE * 10);
    assert_eq!(failure(&rig.take()).cause, Cause::Lost);
    assert!(rig.client.get().is_over() && rig.links().is_empty());
    let mut rig = Rig::allocated(config([]));
    rig.script().reply(Method::CREATE_PERMISSION, Reply::Error(437));
    rig.verb(|client, now| client.permit(now, peer().ip())).unwrap();
    assert_eq!(failure(&rig.take()).cause, Cause::Lost);
}

#[test]
fn a_server_that_vanished_is_noticed() {
    let mut rig = Rig::allocated(config([]));
    rig.ports.insert(server(), Port::Silent);
    rig.advance(MINUTE * 10);
    assert_eq!(failure(&rig.take()).cause, Cause::NoAnswer);
}

#[test]
fn a_connection_that_ends_takes_the_allocation_along() {
    let mut rig = Rig::allocated(config([Server::tcp(server())]));
    let conn = rig.links()[0];
    rig.input(Input::Closed { conn, reason: CloseReason::Reset });
    assert_eq!(failure(&rig.take()).cause, Cause::ConnectionLost(CloseReason::Reset));
    // What no server sends ends it as well.
    let mut rig = Rig::allocated(config([Server::tcp(server())]));
    rig.deliver(b"\xffHTTP");
    assert_eq!(failure(&rig.take()).cause, Cause::BadAnswer);
}

#[test]
fn peers_that_are_refused() {
    let mut rig = Rig::allocated(config([]));
    rig.script().reply(Method::CREATE_PERMISSION, Reply::Error(403));
    rig.script().reply(Method::CHANNEL_BIND, Reply::Error(443));
    rig.verb(|client, now| client.permit(now, peer().ip())).unwrap();
    rig.verb(|client, now| client.bind_channel(now, peer())).unwrap();
    let events = rig.take();
    let [
        Event::PeerRefused { peer: permission, cause: forbidden },
        Event::PeerRefused { peer: channel, cause: mismatch },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*permission, *channel), (peer().with_port(0), peer()));
    assert_eq!((forbidden.code(), mismatch.code()), (Some(403), Some(443)));
    let sent = rig.verb(|client, now| client.send(now, peer(), b"hello"));
    assert_eq!(sent, Err(SendError::NotPermitted));
    // The wish may come again.
    rig.verb(|client, now| client.permit(now, peer().ip())).unwrap();
    assert_eq!(rig.take(), [Event::Permitted { peer: peer().ip() }]);
}

#[test]
fn one_bad_permission_does_not_cost_the_others() {
    let mut rig = Rig::allocated(config([]));
    let (good, bad) = (peer().ip(), endpoint("198.51.100.8:1").ip());
    rig.verb(|client, now| client.permit(now, good)).unwrap();
    rig.verb(|client, now| client.permit(now, bad)).unwrap();
    rig.take();
    // The refresh of both, then that of each.
    let script = rig.script();
    script.reply(Method::CREATE_PERMISSION, Reply::Error(403));
    script.reply(Method::CREATE_PERMISSION, Reply::Sound);
    script.reply(Method::CREATE_PERMISSION, Reply::Error(403));
    rig.advance(MINUTE * 4);
    let events = rig.take();
    let [Event::PeerRefused { peer: refused, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(refused.ip(), bad);
    rig.verb(|client, now| client.send(now, peer(), b"still")).unwrap();
}
