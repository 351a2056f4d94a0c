//! Every limit, reached.

use std::collections::BTreeSet;
use std::time::Duration;

use connect::defaults::{
    MAX_CLOSING_SESSIONS, MAX_FALLBACKS, MAX_HELD_PACKETS, MAX_RELAY_ATTEMPTS, MAX_RELAY_PEERS,
    MAX_TURN_ENDPOINTS,
};
use connect::{
    CandidateKind, Config, IceMode, OpenError, SessionError, SessionSpec, StreamSpec, TurnServer,
};
use machine::{Endpoint, RecordData, Transport};
use turn::TurnMessage as _;

use crate::relayed::{plan, town};
use crate::town::{ALICE, BOB, Plan, STUN, TURN, Town, turn};

#[test]
fn sessions() {
    let config = Config { max_sessions: 3, ..Config::default() };
    let mut town = Town::new(&Plan { config, ..Plan::default() });
    let sessions: Vec<_> = (0..3).map(|_| town.open(ALICE)).collect();
    let spec = town.spec.clone();
    let open = |town: &mut Town| town.verb(ALICE, |connect, now| connect.open(now, spec.clone()));
    assert_eq!(open(&mut town), Err(OpenError::TooManySessions(3)));
    assert_eq!(town.connect(ALICE).stats().sessions_refused, 1);
    town.verb(ALICE, |connect, now| connect.close(now, sessions[0]));
    assert!(open(&mut town).is_ok());
}

#[test]
fn specs() {
    let mut town = Town::new(&Plan::default());
    let good = town.spec.clone();
    let stream = |components| vec![StreamSpec { components }];
    for spec in [
        SessionSpec { streams: Vec::new(), ..good.clone() },
        SessionSpec { streams: stream(0), ..good.clone() },
        SessionSpec { streams: stream(3), ..good.clone() },
        SessionSpec { streams: stream(1).repeat(9), ..good.clone() },
        SessionSpec { stun_servers: vec![STUN.parse().unwrap(); 5], ..good.clone() },
        SessionSpec { turn_servers: vec![turn("alice"); 3], ..good.clone() },
        SessionSpec { turn_servers: vec![turn(&"x".repeat(1000))], ..good.clone() },
        SessionSpec {
            turn_servers: vec![TurnServer {
                fallback: vec![TURN.parse().unwrap(); MAX_FALLBACKS + 1],
                ..turn("alice")
            }],
            ..good.clone()
        },
    ] {
        let refused = town.verb(ALICE, |connect, now| connect.open(now, spec.clone()));
        assert_eq!(refused, Err(OpenError::Spec), "{spec:?}");
    }
}

#[test]
fn addresses() {
    let many: Vec<String> = (1..=40).map(|n| format!("203.0.113.{}/24", 100 + n)).collect();
    let many: Vec<&'static str> = many.into_iter().map(|s| &*s.leak()).collect();
    let mut town = Town::new(&Plan { more: [many, vec![]], ..Plan::default() });
    let session = town.open(ALICE);
    town.run(Duration::from_secs(3));
    let local = town.connect(ALICE).local(session).unwrap();
    assert_eq!(local.streams[0].candidates.len(), connect::defaults::MAX_ADDRESSES);
}

#[test]
fn credentials_of_the_remote() {
    let mut town = Town::new(&Plan::default());
    let sessions = town.gather();
    let mut remote = town.described(BOB, sessions[BOB]);
    if let Some(ice) = &mut remote.ice {
        ice.credentials.pwd = "short".to_owned();
    }
    let alice = sessions[ALICE];
    let refused = town.verb(ALICE, |connect, now| connect.set_remote(now, alice, &remote));
    assert!(matches!(refused, Err(SessionError::Credentials(_))));
    town.verb(ALICE, |connect, now| connect.close(now, alice));
    let refused = town.verb(ALICE, |connect, now| connect.set_remote(now, alice, &remote));
    assert_eq!(refused, Err(SessionError::NoSession));
}

#[test]
fn closed_sessions_that_wait_for_their_relays() {
    let count = MAX_CLOSING_SESSIONS + 4;
    let config = Config { max_sessions: count, ta: Duration::from_millis(1), ..Config::default() };
    let mut town = town(&Plan { config, ..plan("udp-blocked", "open") });
    town.turn_users = [None; 2];
    let transport = Some(Transport::Udp);
    town.spec.turn_servers = vec![TurnServer { transport, ..turn("alice") }];
    let sessions: Vec<_> = (0..count).map(|_| town.open(ALICE)).collect();
    town.run(Duration::from_millis(1000));
    for session in sessions {
        town.verb(ALICE, |connect, now| connect.close(now, session));
    }
    assert_eq!(town.connect(ALICE).stats().relays_abandoned, 4);
    town.run(Duration::from_secs(4));
    assert_eq!(town.connect(ALICE).stats().relays_abandoned, 4, "the others had their time");
}

#[test]
fn addresses_that_a_relay_is_asked_for() {
    let mut town = town(&plan("symmetric", "symmetric"));
    let sessions = town.gather();
    let tap = town.tap(ALICE);
    let mut answer = town.described(BOB, sessions[BOB]);
    let candidates = &mut answer.streams[0].as_mut().unwrap().candidates;
    candidates.extend((0..200u8).map(|n| {
        let at = Endpoint::new([203, 0, 113, n], 9);
        connect::Candidate::signalled(CandidateKind::Host, 1, "9", u32::from(n) + 1, at)
    }));
    town.tell(ALICE, sessions[ALICE], &answer);
    town.run(Duration::from_secs(30));
    let asked: BTreeSet<_> = town
        .sent(tap)
        .iter()
        .filter_map(|(.., bytes)| {
            stun::Message::parse(bytes).ok().map(|message| {
                let ours = message.method() == stun::Method::CREATE_PERMISSION;
                message
                    .peer_addresses()
                    .filter(|_| ours)
                    .flatten()
                    .map(|peer| peer.ip())
                    .collect::<Vec<_>>()
            })
        })
        .flatten()
        .collect();
    assert_eq!(asked.len(), MAX_RELAY_PEERS);
}

#[test]
fn packets_that_wait_for_a_permission() {
    let mut town = town(&plan("udp-blocked", "open"));
    let alice = town.open(ALICE);
    town.spec.ice = IceMode::Off;
    let bob = town.open(BOB);
    town.run(Duration::from_secs(2));
    town.exchange([alice, bob], Duration::ZERO);
    for n in 0..40 {
        town.send(ALICE, alice, 1, &[0x80, n]).unwrap();
    }
    town.run(Duration::from_secs(1));
    let received: Vec<u8> = town.received(BOB, 1).iter().map(|bytes| bytes[1]).collect();
    assert_eq!(received.len(), MAX_HELD_PACKETS);
    assert_eq!(received.last(), Some(&39), "the oldest are dropped");
}

#[test]
fn attempts_and_endpoints() {
    let many: Vec<String> = (1..=9).map(|n| format!("203.0.113.{}/24", 100 + n)).collect();
    let many: Vec<&'static str> = many.into_iter().map(|s| &*s.leak()).collect();
    let mut town = town(&Plan { more: [many, vec![]], turn: Vec::new(), ..plan("open", "open") });
    for target in ["a", "b", "c", "d", "e", "f"] {
        let host = format!("{target}.example.org");
        for service in ["_turn._udp", "_turn._tcp", "_turns._tcp"] {
            town.world.dns().service(&format!("{service}.turn.example.org"), &host, 3478);
        }
        for n in 0..6u8 {
            let ip = [198, 51, 100, 20 + n].into();
            town.world.dns().add(&host, RecordData::Address(ip));
        }
    }
    let session = town.open(ALICE);
    town.run(Duration::from_secs(200));
    let explanation = town.connect(ALICE).explain(session).unwrap();
    let asked = explanation.sources.iter().filter(|source| source.relay.is_some());
    let bases: BTreeSet<_> = asked.clone().map(|source| source.base).collect();
    assert_eq!(bases.len(), MAX_RELAY_ATTEMPTS);
    for base in bases {
        let endpoints = asked.clone().filter(|source| source.base == base).count();
        assert!(endpoints <= MAX_TURN_ENDPOINTS, "{endpoints}");
    }
    // The same addresses again are no others.
    let first = asked.clone().map(|source| source.server).collect::<BTreeSet<_>>();
    assert_eq!(first.len(), 4);
}
