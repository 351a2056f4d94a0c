//! Paths through a TURN server.

use std::collections::BTreeSet;
use std::time::Duration;

use connect::{CandidateKind, Event, Fate, IceMode, SessionId, StreamSpec, TurnServer};
use machine::{Endpoint, RecordData, Transport};
use netsim::{Certificate, Preset};

use crate::town::{ALICE, BOB, Plan, TURN, TURN_NAME, Town, all_transports, turn};

pub(crate) fn plan(alice: &'static str, bob: &'static str) -> Plan {
    Plan { access: [alice, bob], turn: all_transports(), ..Plan::default() }
}

/// A town whose phones both know the TURN server.
pub(crate) fn town(plan: &Plan) -> Town {
    let mut town = Town::new(plan);
    town.turn_users = [Some("alice"), Some("bob")];
    town
}

/// Media both ways.
pub(crate) fn talk(town: &mut Town, sessions: [SessionId; 2]) {
    let before = [ALICE, BOB].map(|side| town.received(side, 1).len());
    for n in 0..5u8 {
        for side in [ALICE, BOB] {
            town.send(side, sessions[side], 1, &[0x80, n]).unwrap();
        }
        town.run(Duration::from_millis(100));
    }
    town.run(Duration::from_millis(300));
    for side in [ALICE, BOB] {
        assert_eq!(town.received(side, 1).len() - before[side], 5, "side {side}");
    }
}

fn relayed_candidates(town: &Town, side: usize, session: SessionId) -> Vec<connect::Candidate> {
    let local = town.connect(side).local(session).unwrap();
    let candidates = local.streams.into_iter().flat_map(|stream| stream.candidates);
    candidates.filter(|candidate| candidate.kind == CandidateKind::Relayed).collect()
}

#[test]
fn every_preset_against_every_preset() {
    let mut table = String::new();
    for alice in Preset::ALL {
        for bob in Preset::ALL {
            let mut town = town(&plan(alice.name(), bob.name()));
            let sessions = town.gather();
            town.exchange(sessions, Duration::from_millis(20));
            let answered = town.now();
            assert!(town.settle(), "{alice} against {bob}: {:?}", town.failure(ALICE));
            let writable = town.events[ALICE].iter().find_map(|(at, event)| {
                matches!(event, Event::Writable { .. }).then(|| *at - answered)
            });
            let writable = writable.unwrap();
            assert!(writable < Duration::from_millis(500), "{alice} against {bob}: {writable:?}");
            for side in [ALICE, BOB] {
                let path = town.path(side).unwrap();
                let direct = crate::matrix::possible(alice, bob);
                assert_eq!(path.relayed, !direct, "{alice} against {bob}: {path:?}");
            }
            let mark = if town.path(ALICE).unwrap().relayed { 'r' } else { ' ' };
            table.push_str(&format!("{:>5}{mark}", writable.as_millis()));
            talk(&mut town, sessions);
            // What was not chosen has been given back; what was, is, with the end of the call.
            town.run(Duration::from_secs(4));
            let chosen = [ALICE, BOB]
                .map(|side| usize::from(town.path(side).is_some_and(|path| path.relay.is_some())));
            let (left, expected) = (town.turn_stats().allocations, chosen.iter().sum::<usize>());
            assert_eq!(left, expected as u64, "{alice} against {bob}");
            talk(&mut town, sessions);
            for side in [ALICE, BOB] {
                town.verb(side, |connect, now| connect.close(now, sessions[side]));
            }
            town.run(Duration::from_millis(100));
            assert_eq!(town.turn_stats().allocations, 0, "{alice} against {bob}");
        }
        table.push('\n');
    }
    println!("milliseconds from the answer to the first media, r: relayed\n{table}");
}

#[test]
fn a_path_says_that_it_is_relayed_and_how_and_why() {
    let mut town = town(&plan("udp-blocked", "symmetric"));
    let (sessions, connected) = town.call();
    assert!(connected);
    let path = town.path(ALICE).unwrap();
    assert!(path.relayed);
    assert_eq!((path.local_type, path.transport), (Some(CandidateKind::Relayed), Transport::Tcp));
    assert_eq!(path.relay, Some(format!("{TURN}:3478").parse().unwrap()));
    assert_eq!(path.local, path.base);
    assert_eq!(path.local.ip().to_string(), TURN);
    let explanation = town.connect(ALICE).explain(sessions[ALICE]).unwrap();
    let direct = |pair: &&connect::PairReport| {
        [pair.local.kind, pair.remote.kind].iter().all(|kind| *kind != CandidateKind::Relayed)
    };
    let fates: Vec<_> = explanation.pairs.iter().filter(direct).map(|p| p.fate.clone()).collect();
    assert!(fates.contains(&Fate::NoAnswer { heard: false }), "{fates:?}");
    let words = explanation.to_string();
    assert!(
        words.contains("TURN server turn.example.org at 198.51.100.20:3478 over UDP"),
        "{words}"
    );
}

#[test]
fn one_socket_serves_host_reflexive_and_relayed_candidates() {
    let mut town = town(&plan("port-restricted", "open"));
    let tap = town.tap(ALICE);
    let session = town.open(ALICE);
    town.run(Duration::from_secs(1));
    let local = town.connect(ALICE).local(session).unwrap();
    let kinds: Vec<_> = local.streams[0].candidates.iter().map(|c| c.kind).collect();
    use CandidateKind::{Host, Relayed, ServerReflexive};
    assert_eq!(kinds, [Host, ServerReflexive, Relayed, Relayed]);
    let from: BTreeSet<Endpoint> = town.sent(tap).iter().map(|(_, from, ..)| *from).collect();
    assert_eq!(from, BTreeSet::from([local.streams[0].candidates[0].endpoint]));
    // The relayed ones are their own base, and tell how the server sees us.
    for relayed in relayed_candidates(&town, ALICE, session) {
        assert_eq!(relayed.base, relayed.endpoint);
        assert_eq!(relayed.related, Some(local.streams[0].candidates[1].endpoint));
        assert!(relayed.priority < 1 << 24, "type preference 0");
    }
}

#[test]
fn the_relay_tells_the_reflexive_address_as_well() {
    let mut town = town(&plan("port-restricted", "open"));
    town.spec.stun_servers.clear();
    let session = town.open(ALICE);
    town.run(Duration::from_secs(1));
    let local = town.connect(ALICE).local(session).unwrap();
    let reflexive = &local.streams[0].candidates[1];
    assert_eq!(reflexive.kind, CandidateKind::ServerReflexive);
    assert_eq!(local.streams[0].defaults[0], Some(reflexive.endpoint));
}

#[test]
fn transactions_keep_the_pace() {
    let mut town = town(&plan("symmetric", "symmetric"));
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let tap = town.tap(ALICE);
    let (_, connected) = town.call();
    assert!(connected);
    let mut seen = BTreeSet::new();
    let mut starts = Vec::new();
    for (at, _, _, bytes) in town.sent(tap) {
        let Ok(message) = stun::Message::parse(&bytes) else { continue };
        let first = message.class() == stun::Class::Request && seen.insert(message.id());
        // The second half of an authentication answers a challenge and follows at once.
        let second = message.method() == stun::Method::ALLOCATE && message.realm().is_some();
        if first && !second {
            starts.push((at, message.method()));
        }
    }
    assert!(starts.len() > 6);
    for pair in starts.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= ice::defaults::TA, "{pair:?}");
    }
}

#[test]
fn media_on_a_relayed_path_is_channel_data() {
    let mut town = town(&plan("symmetric", "symmetric"));
    let (sessions, connected) = town.call();
    assert!(connected);
    talk(&mut town, sessions);
    let taps = [ALICE, BOB].map(|side| town.tap(side));
    talk(&mut town, sessions);
    for side in [ALICE, BOB] {
        if town.path(side).unwrap().relay.is_some() {
            let sent = town.sent(taps[side]);
            let data: Vec<_> = sent.iter().filter(|(.., bytes)| bytes.len() < 20).collect();
            assert_eq!(data.len(), 5);
            assert!(data.iter().all(|(.., bytes)| (0x40..0x50).contains(&bytes[0])));
        }
    }
}

#[test]
fn relay_only_tells_and_sends_nothing_of_this_host() {
    let mut town = town(&plan("open", "open"));
    town.spec.ice = IceMode::RelayOnly;
    let taps = [ALICE, BOB].map(|side| town.tap(side));
    let (sessions, connected) = town.call();
    assert!(connected);
    talk(&mut town, sessions);
    for side in [ALICE, BOB] {
        let path = town.path(side).unwrap();
        assert!(path.relayed && path.relay.is_some() && path.remote.ip().to_string() == TURN);
        let local = town.connect(side).local(sessions[side]).unwrap();
        for candidate in &local.streams[0].candidates {
            assert_eq!(candidate.kind, CandidateKind::Relayed);
            assert_eq!(candidate.related.map(|related| related.port()), Some(9));
        }
        assert_eq!(local.streams[0].defaults[0].unwrap().ip().to_string(), TURN);
        let to: BTreeSet<String> =
            town.sent(taps[side]).iter().map(|(_, _, to, _)| to.to_string()).collect();
        assert_eq!(to, BTreeSet::from([format!("{TURN}:3478")]), "nobody else was written to");
    }
}

#[test]
fn one_side_alone_may_insist_on_the_relay() {
    let mut town = town(&plan("port-restricted", "port-restricted"));
    town.spec.ice = IceMode::RelayOnly;
    let alice = town.open(ALICE);
    town.spec.ice = IceMode::On;
    let bob = town.open(BOB);
    town.run(Duration::from_secs(2));
    town.exchange([alice, bob], Duration::from_millis(20));
    assert!(town.settle());
    assert!(town.path(ALICE).unwrap().relay.is_some());
    talk(&mut town, [alice, bob]);
}

#[test]
fn relay_only_without_a_relay_fails_and_says_why() {
    let mut town = town(&Plan { turn: Vec::new(), ..plan("open", "open") });
    town.spec.ice = IceMode::RelayOnly;
    town.open(ALICE);
    town.run(Duration::from_secs(60));
    let explanation = town.failure(ALICE).expect("it failed");
    assert_eq!(explanation.reason, Some(ice::Reason::NoLocalCandidates));
    let words = explanation.to_string();
    assert!(words.contains("TURN server turn.example.org"), "{words}");
}

#[test]
fn a_dead_relay_delays_nothing_much() {
    // Nobody is there; or the first packets are swallowed by a firewall, and the others by nobody.
    for (access, transport, host) in [
        ("open", None, "198.51.100.99"),
        ("open", Some(Transport::Udp), "198.51.100.99"),
        ("udp-blocked", Some(Transport::Udp), TURN),
    ] {
        let mut town = town(&plan(access, "open"));
        town.turn_users = [None; 2];
        let host = host.to_owned();
        town.spec.turn_servers = vec![TurnServer { host, transport, ..turn("alice") }];
        let session = town.open(ALICE);
        town.run(Duration::from_secs(50));
        let gathered = town.events[ALICE]
            .iter()
            .find(|(_, event)| matches!(event, Event::Gathered { .. }))
            .expect("gathered");
        let took = gathered.0 - machine::Instant::ORIGIN;
        let limit = if access == "open" { 1400 } else { 2000 };
        assert!(took <= Duration::from_millis(limit), "{took:?}");
        let explanation = town.connect(ALICE).explain(session).unwrap();
        let silent = |source: &ice::Source| {
            use ice::Answer::{Silence, Unreachable};
            source.relay.is_some() && matches!(source.answer, Silence | Unreachable(_))
        };
        assert!(explanation.sources.iter().any(silent), "{:?}", explanation.sources);
    }
}

#[test]
fn wrong_credentials_are_explained() {
    let mut town = town(&plan("symmetric", "symmetric"));
    town.turn_users = [Some("mallory"); 2];
    let (_, connected) = town.call();
    assert!(!connected);
    let explanation = town.failure(ALICE).expect("it failed");
    let refused = |source: &ice::Source| source.answer == ice::Answer::Credentials;
    assert!(explanation.sources.iter().any(refused), "{:?}", explanation.sources);
    assert!(explanation.to_string().contains("user name or password"), "{explanation}");
}

#[test]
fn a_quota_is_explained() {
    let mut town = town(&Plan { turn_quota: 0, ..plan("symmetric", "symmetric") });
    let (_, connected) = town.call();
    assert!(!connected);
    let explanation = town.failure(ALICE).expect("it failed");
    let refused = |source: &ice::Source| source.answer == ice::Answer::Refused { code: 486 };
    assert!(explanation.sources.iter().any(refused), "{:?}", explanation.sources);
}

#[test]
fn peers_that_the_relay_refuses_are_explained() {
    let mut town = town(&plan("symmetric", "symmetric"));
    let (sessions, connected) = town.call();
    assert!(connected);
    let explanation = town.connect(ALICE).explain(sessions[ALICE]).unwrap();
    let refused = |pair: &connect::PairReport| pair.fate == Fate::NotPermitted { code: 403 };
    assert!(explanation.pairs.iter().any(refused), "{explanation}");
}

#[test]
fn a_server_that_listens_to_streams_alone_will_do() {
    for transport in [Transport::Tcp, Transport::Tls] {
        for access in ["symmetric", "udp-blocked"] {
            let mut town = town(&Plan { turn: vec![transport], ..plan(access, access) });
            let (sessions, connected) = town.call();
            assert!(connected, "{transport:?} {access}: {:?}", town.failure(ALICE));
            let paths = [ALICE, BOB].map(|side| town.path(side).unwrap());
            let relayed = paths.into_iter().filter(|path| path.relay.is_some());
            assert!(relayed.clone().count() > 0);
            assert!(relayed.into_iter().all(|path| path.transport == transport));
            talk(&mut town, sessions);
            for side in [ALICE, BOB] {
                town.verb(side, |connect, now| connect.close(now, sessions[side]));
            }
            town.run(Duration::from_secs(1));
            let stats = town.turn_stats();
            assert_eq!((stats.allocations, stats.connections), (0, 0));
        }
    }
}

#[test]
fn a_certificate_for_another_name_is_explained() {
    let mut town = town(&Plan { turn: vec![Transport::Tls], ..plan("udp-blocked", "open") });
    town.world.set_certificate(town.turn, Certificate::new(&["other.example.org"]));
    let session = town.open(ALICE);
    town.run(Duration::from_secs(15));
    let explanation = town.connect(ALICE).explain(session).unwrap();
    let refused = |source: &ice::Source| {
        matches!(&source.answer, ice::Answer::NotConnected(machine::FailKind::Certificate(_)))
    };
    assert!(explanation.sources.iter().any(refused), "{:?}", explanation.sources);
}

#[test]
fn a_domain_names_its_relay_by_srv() {
    let mut town = town(&plan("symmetric", "symmetric"));
    town.turn_users = [None; 2];
    let domain = |user: &str| TurnServer { host: "example.org".to_owned(), ..turn(user) };
    town.spec.turn_servers = vec![domain("alice")];
    town.world.dns().service("_turn._udp.example.org", TURN_NAME, 3478);
    let (_, connected) = town.call();
    assert!(connected);
    assert!(town.path(ALICE).unwrap().relayed);
}

#[test]
fn a_name_that_leads_nowhere_falls_back_or_is_explained() {
    let nowhere = TurnServer { host: "nowhere.example.org".to_owned(), ..turn("alice") };
    let mut town = town(&plan("symmetric", "symmetric"));
    town.turn_users = [None; 2];
    town.spec.turn_servers = vec![nowhere.clone()];
    let session = town.open(ALICE);
    town.run(Duration::from_secs(2));
    let explanation = town.connect(ALICE).explain(session).unwrap();
    let lost = |source: &ice::Source| source.answer == ice::Answer::NotFound;
    assert!(explanation.sources.iter().any(lost), "{:?}", explanation.sources);
    let fallback = vec![TURN.parse().unwrap()];
    town.spec.turn_servers = vec![TurnServer { fallback, ..nowhere }];
    let session = town.open(ALICE);
    town.run(Duration::from_secs(2));
    assert_eq!(relayed_candidates(&town, ALICE, session).len(), 2);
}

#[test]
fn names_that_are_never_resolved_do_not_stop_gathering() {
    let mut town = town(&plan("open", "open"));
    town.world.dns().fail(TURN_NAME, machine::ResolveError::TimedOut);
    town.open(ALICE);
    town.run(Duration::from_secs(10));
    assert!(town.events[ALICE].iter().any(|(_, e)| matches!(e, Event::Gathered { .. })));
}

#[test]
fn the_second_server_is_for_when_the_first_is_gone() {
    let mut town = town(&plan("symmetric", "symmetric"));
    town.turn_users = [None; 2];
    let host = "198.51.100.99".to_owned();
    town.spec.turn_servers = vec![TurnServer { host, ..turn("alice") }, turn("alice")];
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    assert_eq!(relayed_candidates(&town, ALICE, session).len(), 2);
}

#[test]
fn the_families_meet_at_the_relay() {
    let more = [vec!["2001:db8:a::1/64"], Vec::new()];
    let mut town = town(&Plan { more, ..plan("open", "port-restricted") });
    // Alice has IPv6 alone, Bob IPv4 alone.
    town.world.set_addresses(town.phones[ALICE].port("eth0"), &["2001:db8:a::1/64"]);
    let v6: std::net::IpAddr = "2001:db8:c::20".parse().unwrap();
    town.world.dns().add(TURN_NAME, RecordData::Address(v6));
    town.run(Duration::from_millis(10));
    let (sessions, connected) = town.call();
    assert!(connected, "{:?}", town.failure(ALICE));
    assert!(town.path(ALICE).unwrap().relayed);
    talk(&mut town, sessions);
}

#[test]
fn a_dead_interface_does_not_keep_the_relay_away() {
    let mut town = town(&plan("symmetric", "open"));
    let kind = machine::InterfaceKind::Physical;
    town.world.interface(town.phones[ALICE], "dead0", kind, &["10.99.0.2/24"]);
    town.run(Duration::from_millis(1));
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    assert_eq!(relayed_candidates(&town, ALICE, session).len(), 2);
    assert_eq!(town.turn_stats().allocations, 1);
}

#[test]
fn a_restart_asks_for_a_relay_again() {
    let mut town = town(&plan("port-restricted", "port-restricted"));
    let (sessions, connected) = town.call();
    assert!(connected);
    town.run(Duration::from_secs(5));
    assert_eq!(town.turn_stats().allocations, 0);
    assert!(relayed_candidates(&town, ALICE, sessions[ALICE]).is_empty());
    town.verb(ALICE, |connect, now| connect.restart(now, sessions[ALICE]));
    town.run(Duration::from_secs(1));
    assert_eq!(relayed_candidates(&town, ALICE, sessions[ALICE]).len(), 2);
    assert_eq!(town.turn_stats().allocations, 1);
}

#[test]
fn a_failed_session_gives_its_relays_back() {
    let mut town = town(&plan("symmetric", "symmetric"));
    town.turn_users = [Some("alice"), None];
    let alice = town.open(ALICE);
    town.run(Duration::from_secs(1));
    assert_eq!(town.turn_stats().allocations, 1);
    // The other side's credentials come, and nobody ever answers.
    let bob = town.open(BOB);
    town.run(Duration::from_secs(1));
    let answer = town.described(BOB, bob);
    town.verb(BOB, |connect, now| connect.close(now, bob));
    town.tell(ALICE, alice, &answer);
    town.run(Duration::from_secs(60));
    assert!(town.failure(ALICE).is_some());
    assert_eq!(town.turn_stats().allocations, 0);
}

#[test]
fn a_session_that_is_closed_at_any_time_leaves_nothing_behind() {
    for millis in (0..400).step_by(10) {
        let mut town = town(&plan("port-restricted", "udp-blocked"));
        let sessions = [ALICE, BOB].map(|side| town.open(side));
        town.run(Duration::from_millis(millis));
        for side in [ALICE, BOB] {
            town.verb(side, |connect, now| connect.close(now, sessions[side]));
            assert_eq!(town.connect(side).sessions(), 0);
            let closed = |(_, event): &(_, Event)| matches!(event, Event::Closed { .. });
            town.until(Duration::ZERO, |_| false);
            assert!(town.events[side].iter().any(closed));
            assert_eq!(town.connect(side).local(sessions[side]), None);
        }
        town.run(Duration::from_secs(5));
        let stats = town.turn_stats();
        assert_eq!((stats.allocations, stats.connections), (0, 0), "after {millis} ms");
    }
}

#[test]
fn loss_delays_and_no_more() {
    for seed in 0..20 {
        let mut town = town(&Plan { seed, loss: 0.1, ..plan("symmetric", "symmetric") });
        town.spec.streams = vec![StreamSpec { components: 2 }];
        let (_, connected) = town.call();
        assert!(connected, "seed {seed}: {:?}", town.failure(ALICE));
    }
}

#[test]
fn a_silent_call_of_twenty_minutes_keeps_its_relay() {
    for access in ["symmetric", "udp-blocked"] {
        let mut town = town(&plan(access, access));
        let (sessions, connected) = town.call();
        assert!(connected);
        town.run(Duration::from_secs(1200));
        talk(&mut town, sessions);
    }
}

#[test]
fn relays_are_kept_while_it_rings() {
    let access = "mapping=apd,filtering=apd,lifetime=30s";
    let mut town = town(&plan(access, access));
    let sessions = town.gather();
    let offer = town.described(ALICE, sessions[ALICE]);
    town.run(Duration::from_secs(90));
    town.tell(BOB, sessions[BOB], &offer);
    let answer = town.described(BOB, sessions[BOB]);
    town.run(Duration::from_millis(20));
    town.tell(ALICE, sessions[ALICE], &answer);
    assert!(town.settle());
    talk(&mut town, sessions);
}

#[test]
fn a_peer_without_ice_is_reached_through_the_relay_where_udp_is_blocked() {
    let mut town = town(&plan("udp-blocked", "open"));
    let alice = town.open(ALICE);
    town.spec.ice = IceMode::Off;
    let bob = town.open(BOB);
    town.run(Duration::from_secs(2));
    let offer = town.described(ALICE, alice);
    assert_eq!(offer.streams[0].as_ref().unwrap().defaults[0].unwrap().ip().to_string(), TURN);
    town.exchange([alice, bob], Duration::from_millis(20));
    assert!(town.settle());
    let path = town.path(ALICE).unwrap().clone();
    assert!(path.relayed && path.relay.is_some() && path.transport == Transport::Tcp, "{path:?}");
    // The first packet opens the way for the other direction.
    town.send(ALICE, alice, 1, &[0x80]).unwrap();
    town.run(Duration::from_secs(1));
    talk(&mut town, [alice, bob]);
    town.run(Duration::from_secs(5));
    assert_eq!(town.turn_stats().allocations, 1);
}

#[test]
fn without_ice_nothing_is_relayed() {
    let mut town = town(&plan("open", "open"));
    town.spec.ice = IceMode::Off;
    let (_, connected) = town.call();
    assert!(connected);
    assert_eq!(town.turn_stats().allocated, 0);
}

#[test]
fn multiplexing_gives_the_second_relay_back() {
    let mut town = town(&plan("symmetric", "symmetric"));
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let alice = town.open(ALICE);
    town.spec.streams = vec![StreamSpec { components: 1 }];
    let bob = town.open(BOB);
    town.run(Duration::from_secs(2));
    assert_eq!(town.turn_stats().allocations, 3);
    town.exchange([alice, bob], Duration::from_millis(20));
    assert!(town.settle());
    town.run(Duration::from_secs(5));
    let used = [ALICE, BOB].map(|side| town.path(side).unwrap().relay.is_some());
    let used = used.into_iter().filter(|used| *used).count();
    assert_eq!(town.turn_stats().allocations, used as u64);
    talk(&mut town, [alice, bob]);
}

#[test]
fn a_restart_while_relays_are_given_back_gets_new_ones() {
    for millis in [2_990, 3_000, 3_010, 3_020, 3_040, 3_060] {
        let mut town = town(&plan("port-restricted", "port-restricted"));
        let (sessions, connected) = town.call();
        assert!(connected);
        town.run(Duration::from_millis(millis));
        for side in [ALICE, BOB] {
            town.verb(side, |connect, now| connect.restart(now, sessions[side]));
        }
        town.run(Duration::from_secs(3));
        for side in [ALICE, BOB] {
            let relayed = relayed_candidates(&town, side, sessions[side]);
            assert_eq!(relayed.len(), 2, "side {side} after {millis} ms");
        }
        assert_eq!(town.turn_stats().allocations, 2);
        town.events = [Vec::new(), Vec::new()];
        town.exchange(sessions, Duration::from_millis(20));
        assert!(town.settle());
        talk(&mut town, sessions);
    }
}
